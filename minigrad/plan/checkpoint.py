"""Checkpointing: a gradient graph that recomputes forward values instead of keeping them (Griewank 1992).

Written as a rewriting of nodes, so that the plan needs to know nothing about it. Forward values are kept only where a
checkpoint says so; where the gradient needs another one, the segment since the last checkpoints is computed again, just
before its first use. A sum of contributions is taken as they come, so that they need not all be kept until the end.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .. import ops
from ..node import Node, make, walk
from ..origin import differentiating

# What leaves the order of the nodes, and what is computed twice on purpose, as it is.
PASSES = ("fold", "tidy", "in_place", "share")


def recomputed(targets: Sequence[Node], kept: Collection[Node]) -> list[Node]:
    """`targets` again, as a graph whose gradient nodes read forward values only from leaves, from `kept` nodes and from
    values computed a second time. Executing it in the order of ids keeps one segment in memory at a time.

    >>> import minigrad as mg
    >>> x = mg.parameter(0.5)
    >>> h = [x]
    >>> for _ in range(6):
    ...     h.append(mg.tanh(h[-1]))
    >>> [gradient] = recomputed([mg.grad(h[-1], x)], kept=[h[3]])
    >>> sum(node.op.name == "tanh" for node in mg.walk(gradient))       # 3 to the checkpoint, 2 + 2 again
    7
    """
    order = list(walk(targets))[::-1]
    late = _gradient_nodes(order)
    again = _Again(kept)
    sums = _RunningSums(
        [node for node in order if node in late and node.op is ops.add_n and late.issuperset(node.args)]
    )
    for node in order:
        if node not in late:
            continue
        copy = sums.total[node] if node in sums.total else again.build(node, late)
        again.copy[node] = copy
        sums.add(node, copy)
    return [again.copy[target] if target in late else target for target in targets]


def _gradient_nodes(order: Sequence[Node]) -> set[Node]:
    """The nodes of gradients and whatever depends on them."""
    late: set[Node] = set()
    for node in order:
        if node.of is not None or any(arg in late for arg in node.args):
            late.add(node)
    return late


class _Again:
    """Copies of nodes: of every gradient node one, of a forward node one when a gradient first needs it."""

    def __init__(self, kept: Collection[Node]) -> None:
        self.kept = set(kept)
        self.copy: dict[Node, Node] = {}

    def build(self, node: Node, late: Collection[Node]) -> Node:
        """The copy of a gradient node, after those of the forward values it reads. A leaf is its own copy."""
        if not node.args:
            return node
        for arg in node.args:
            if arg not in late:
                self._forward(arg)
        return self._made(node)

    def _forward(self, wanted: Node) -> None:
        stack = [wanted]
        while stack:
            node = stack[-1]
            missing = [] if self._is_there(node) else [arg for arg in node.args if not self._is_there(arg)]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if not self._is_there(node):
                self.copy[node] = self._made(node)

    def _is_there(self, node: Node) -> bool:
        return node in self.copy or node in self.kept or not node.args

    def _made(self, node: Node) -> Node:
        with differentiating(node):
            args = tuple([self.copy.get(arg, arg) for arg in node.args])
            return make(node.op, args, node.params, node.shape, node.dtype)


class _RunningSums:
    """n-ary sums taken term by term, left to right as the op itself does, each term as soon as it is there."""

    def __init__(self, sums: Sequence[Node]) -> None:
        self.total: dict[Node, Node] = {}
        self._taken = dict.fromkeys(sums, 0)
        self._there: dict[Node, Node] = {}
        self._waiting: dict[Node, list[Node]] = {}
        for total in sums:
            for arg in dict.fromkeys(total.args):
                self._waiting.setdefault(arg, []).append(total)

    def add(self, node: Node, copy: Node) -> None:
        """`copy` stands for `node` from now on."""
        self._there[node] = copy
        for total in self._waiting.pop(node, ()):
            self._advance(total)

    def _advance(self, total: Node) -> None:
        taken = self._taken[total]
        while taken < len(total.args) and total.args[taken] in self._there:
            term = self._there[total.args[taken]]
            with differentiating(total):
                self.total[total] = ops.add(self.total[total], term) if taken else term
            taken += 1
        self._taken[total] = taken
