"""The plan's own picture of a graph: `Term`s, which passes may rewrite freely, where `Node`s are immutable and carry
source lines and scopes that a plan has no use for.

A `Graph` lists its terms in a topological order. Every pass is a function from graph to graph; most are written as a
rule for one term, applied in order by `rewrite`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..node import Node, Shape

# Ops that only rename elements: their value is a view of their argument's.
VIEWS = frozenset({"transpose", "reshape", "slice", "broadcast_to"})


class Term:
    """One value of a plan: `op` (a name) of `args`; leaves have the node they stand for.

    `kernel` computes the value on arrays, and is the fallback for every op that has no faster spelling. `origin` is
    what is known about the term's role in the program: see `_origins`.
    """

    __slots__ = ("args", "dtype", "kernel", "leaf", "op", "origin", "params", "shape")

    def __init__(
        self,
        op: str,
        args: tuple[Term, ...],
        params: dict[str, Any],
        shape: Shape,
        dtype: np.dtype[Any],
        *,
        kernel: Callable[..., Any] | None = None,
        leaf: Node | None = None,
        origin: Any = None,
    ) -> None:
        self.op = op
        self.args = args
        self.params = params
        self.shape = shape
        self.dtype = dtype
        self.kernel = kernel
        self.leaf = leaf
        self.origin = origin

    @property
    def size(self) -> int:
        """The number of elements."""
        total = 1
        for length in self.shape:
            total *= length
        return total

    @property
    def nbytes(self) -> int:
        """The bytes of the value, stored densely."""
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"<{self.op} {self.shape} of {', '.join(arg.op for arg in self.args)}>"

    def with_args(self, args: tuple[Term, ...]) -> Term:
        """The same op on other arguments of the same shapes."""
        return Term(
            self.op, args, self.params, self.shape, self.dtype, kernel=self.kernel, leaf=self.leaf, origin=self.origin
        )


@dataclass(frozen=True)
class Graph:
    """Terms in a topological order, and which of them are the outputs.

    `guarded` are the leaves whose magnitudes a pass relied on: a plan checks them at each call.
    """

    terms: list[Term]
    outputs: list[Term]
    guarded: frozenset[Node] = field(default_factory=frozenset)


def from_nodes(order: Sequence[Node], inputs: Sequence[Node], outputs: Sequence[Node]) -> Graph:
    """The terms of the nodes `order` (arguments first); `inputs` become leaves whatever they are."""
    cut = set(inputs)
    origins = _origins(order)
    made: dict[Node, Term] = {}
    # One tuple for all equal shapes: of a long graph, what is looked at again and again stays in the cache.
    shapes: dict[Shape, Shape] = {}
    for node in order:
        origin, shape = origins[node], shapes.setdefault(node.shape, node.shape)
        if node in cut or not node.args:
            made[node] = Term("leaf", (), {}, shape, node.dtype, leaf=node, origin=origin)
        else:
            args = tuple([made[arg] for arg in node.args])
            made[node] = Term(node.op.name, args, node.params, shape, node.dtype, kernel=node.op.kernel, origin=origin)
    return Graph(list(made.values()), [made[node] for node in outputs])


# A scope label with more values than this counts steps.
_MOST_VALUES = 16


def _origins(order: Sequence[Node]) -> dict[Node, Any]:
    """What each node's maker said of its role: what it is the gradient of, if it is one, and its scope without the
    labels that count steps. A hint that tells layers and directions apart early; nothing depends on it."""
    scopes = {id(node.scope): node.scope for node in order}
    values: dict[Any, set[Any]] = {}
    for scope in scopes.values():
        for place, (key, value) in enumerate(scope.frames):
            values.setdefault(key or place, set()).add(value)
    counting = {key for key, distinct in values.items() if key == "t" or len(distinct) > _MOST_VALUES}
    labels = {
        k: tuple([frame for place, frame in enumerate(scope.frames) if (frame[0] or place) not in counting])
        for k, scope in scopes.items()
    }
    number: dict[Any, int] = {}
    return {
        node: number.setdefault((None if node.of is None else node.of.op.name, labels[id(node.scope)]), len(number))
        for node in order
    }


# What stands for a term: called with the term on its new arguments, and with the old term.
Rule = Callable[[Term, Term], Term]


class Rewriter:
    """Applies a rule to every term in order. Rules make the terms they need with `make`, arguments first."""

    def __init__(self) -> None:
        self.terms: list[Term] = []
        self._made: dict[Any, Term] = {}

    def make(self, like: Term, op: str, args: Sequence[Term], shape: Shape, /, **params: Any) -> Term:
        """A term with the dtype and origin of `like`; asked for again, the same one."""
        key = (op, *args, shape, like.dtype, *params.items())
        if key not in self._made:
            term = Term(op, tuple(args), params, shape, like.dtype, kernel=KERNELS.get(op), origin=like.origin)
            self._made[key] = self.add(term)
        return self._made[key]

    def add(self, term: Term) -> Term:
        """Take a term in."""
        self.terms.append(term)
        return term

    def run(self, graph: Graph, rule: Rule) -> Graph:
        """The graph with `rule(term, old)` in the place of each old term; the arguments come first."""
        made: dict[Term, Term] = {}
        for old in graph.terms:
            args = tuple([made[arg] for arg in old.args])
            term = old if args == old.args else old.with_args(args)
            new = rule(term, old)
            if new is term:
                self.terms.append(term)
            made[old] = new
        return alive(self.terms, [made[term] for term in graph.outputs], graph.guarded)


def alive(terms: list[Term], outputs: list[Term], guarded: frozenset[Node]) -> Graph:
    """The graph without the terms that no output needs."""
    needed = set(outputs)
    kept = []
    for term in reversed(terms):
        if term in needed:
            kept.append(term)
            needed.update(term.args)
    return Graph(kept[::-1], outputs, guarded)


def uses(graph: Graph) -> dict[Term, int]:
    """How many times each term is used, as an argument or an output."""
    count = dict.fromkeys(graph.terms, 0)
    for term in graph.terms:
        for arg in term.args:
            count[arg] += 1
    for term in graph.outputs:
        count[term] += 1
    return count


def bases(graph: Graph) -> dict[Term, Term]:
    """Each term's base: the term whose storage a view shows, or the term itself if it is no view."""
    base: dict[Term, Term] = {}
    for term in graph.terms:
        base[term] = base[term.args[0]] if term.op in VIEWS else term
    return base


# Kernels of the ops that passes introduce; the others come with their node.
KERNELS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "mul": np.multiply,
}
