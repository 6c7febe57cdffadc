"""The plan's own picture of a graph: `Term`s, which passes may rewrite freely, where `Node`s are immutable and carry
source lines and scopes that a plan has no use for.

A `Graph` lists its terms in a topological order and numbers them. Every pass is a function from graph to graph, and may
change the terms of the old one, which is used up: a term keeps its value, but not what it is computed from. Of a long
graph a pass so touches what it changes, and not every term behind that. What a pass knows of every term stands in a
list, in the order of the terms: it is gone through from end to end, where a dictionary of half a million terms would be
read all over memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from typing import Any

import numpy as np

from ..node import Node, Shape

# Ops that only rename elements: their value is a view of their argument's.
VIEWS = frozenset({"transpose", "reshape", "slice", "broadcast_to"})


class Term:
    """One value of a plan: `op` (a name) of `args`; leaves have the node they stand for.

    A leaf's op is "constant" if its value never changes, "leaf" if each run is given it, whatever its node is.

    `kernel` computes the value on arrays, and is the fallback for every op that has no faster spelling. `origin` is
    what is known about the term's role in the program: see `from_nodes`. `number` is the term's place in its graph, -1
    while it is in none.
    """

    __slots__ = ("args", "dtype", "kernel", "leaf", "number", "op", "origin", "params", "shape")

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
        self.number = -1

    def become(
        self,
        op: str,
        args: Sequence[Term],
        params: dict[str, Any] | None = None,
        kernel: Callable[..., Any] | None = None,
    ) -> None:
        """Be computed like this, which gives the same value."""
        self.op, self.args, self.params = op, tuple(args), params or {}
        self.kernel = kernel or KERNELS.get(op)

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


@dataclass(frozen=True)
class Graph:
    """Terms in a topological order, and which of them are the outputs.

    `guarded` are the leaves whose magnitudes a pass relied on: a plan checks them at each call. `uses` says how many
    times each term is used, as an argument or an output; empty where that was not counted, see `alive`.
    """

    terms: list[Term]
    outputs: list[Term]
    guarded: frozenset[Node] = field(default_factory=frozenset)
    uses: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number, term in enumerate(self.terms):
            term.number = number

    @cached_property
    def bases(self) -> list[Term]:
        """Each term's base: the term whose storage a view shows, or the term itself if it is no view."""
        base: list[Term] = []
        for term in self.terms:
            base.append(base[term.args[0].number] if term.op in VIEWS else term)
        return base


# What stands for a term: the term itself, a new one, or one that stood for an earlier term.
Rule = Callable[[Term], Term]


def from_nodes(order: Sequence[Node], inputs: Sequence[Node], outputs: Sequence[Node], rule: Rule) -> Graph:
    """The terms of the nodes `order` (arguments first), as `rule` has them; `inputs` become leaves in any case."""
    cut = set(inputs)
    labels = _labels(order)
    made: dict[Node, Term] = {}
    terms: list[Term] = []
    # One tuple for all equal shapes: of a long graph, what is looked at again and again stays in the cache.
    shapes: dict[Shape, Shape] = {}
    origins: dict[Any, int] = {}
    for node in order:
        shape = shapes.setdefault(node.shape, node.shape)
        # What the node's maker said of its role: what it is the gradient of, if it is one, and its scope. A hint that
        # tells layers and directions apart early; nothing depends on it.
        role = (None if node.of is None else node.of.op.name, labels[id(node.scope)])
        origin = origins.setdefault(role, len(origins))
        if node in cut or not node.args:
            op = "constant" if node.op.name == "constant" and node not in cut else "leaf"
            term = Term(op, (), {}, shape, node.dtype, leaf=node, origin=origin)
        else:
            args = tuple([made[arg] for arg in node.args])
            term = Term(node.op.name, args, node.params, shape, node.dtype, kernel=node.op.kernel, origin=origin)
        made[node] = term = rule(term)
        if term.number < 0:
            term.number = len(terms)
            terms.append(term)
    return Graph(terms, [made[node] for node in outputs])


# A scope label with more values than this counts steps.
_MOST_VALUES = 16


def _labels(order: Sequence[Node]) -> dict[int, Any]:
    """id of a scope -> its frames without the labels that count steps."""
    scopes = {id(node.scope): node.scope for node in order}
    values: dict[Any, set[Any]] = {}
    for scope in scopes.values():
        for place, (key, value) in enumerate(scope.frames):
            values.setdefault(key or place, set()).add(value)
    counting = {key for key, distinct in values.items() if key == "t" or len(distinct) > _MOST_VALUES}
    return {
        k: tuple([frame for place, frame in enumerate(scope.frames) if (frame[0] or place) not in counting])
        for k, scope in scopes.items()
    }


class Rewriter:
    """Changes a graph in place: makes new terms, and has old ones computed from them."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._made: dict[Any, Term] = {}
        self._before: dict[Term, list[Term]] = {}
        self._moved: set[Term] = set()

    def make(self, at: Term, op: str, args: Sequence[Term], shape: Shape, /, **params: Any) -> Term:
        """A new term that stands before `at` and has its dtype and origin; asked for again, the same one.

        `at` may be new itself.
        """
        key = (op, *args, shape, at.dtype, *params.items())
        if key not in self._made:
            term = Term(op, tuple(args), params, shape, at.dtype, kernel=KERNELS.get(op), origin=at.origin)
            self._made[key] = term
            self._before.setdefault(at, []).append(term)
        return self._made[key]

    def move(self, term: Term, at: Term) -> None:
        """Have an old term, before which nothing was made, stand before `at`, which stands before it."""
        self._before.setdefault(at, []).append(term)
        self._moved.add(term)

    def graph(self, guarded: frozenset[Node] = frozenset()) -> Graph:
        """The graph as it is now; it may hold terms that no output needs any more."""
        if not self._before:
            return self._graph
        terms: list[Term] = []
        for term in self._graph.terms:
            if term in self._before:
                self._place(term, terms)
            elif term not in self._moved:
                terms.append(term)
        return Graph(terms, self._graph.outputs, self._graph.guarded | guarded)

    def _place(self, term: Term, terms: list[Term]) -> None:
        for new in self._before.get(term, ()):
            self._place(new, terms)
        terms.append(term)


def alive(graph: Graph) -> Graph:
    """The graph without the terms that no output needs, the uses of the others counted."""
    uses = [0] * len(graph.terms)
    for term in graph.outputs:
        uses[term.number] += 1
    for term in reversed(graph.terms):
        if uses[term.number]:
            for arg in term.args:
                uses[arg.number] += 1
    return Graph(list(compress(graph.terms, uses)), graph.outputs, graph.guarded, [count for count in uses if count])


# Kernels of the ops that passes introduce; the others come with their node.
KERNELS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "mul": np.multiply,
}
