"""`flow`: which path did the gradient take, exactly.

For y and a source W the gradient is the sum over all paths of the product of the edges' local derivatives. A `Flow`
answers questions about any set of those paths, each by a sweep (sweep.py) in a fitting algebra (algebras.py): what one
use of W contributes, the paths through a node and those that avoid it, the paths sorted by how many marked edges they
take, the number of paths, the largest ones.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..derivative import Edge
from ..errors import GradientError
from ..node import Array, Node, describe, walk
from ..ops.leaves import input_op
from ..run import Run, fit, values_of
from .algebras import Automaton, Cotangents, Count, Polynomials, Rows, Tangents
from .measure import Floats, directions, norm
from .quotient import count_in_quotient
from .select import Selection, edges_marked, edges_met
from .sweep import Paths, sweep
from .top import Ranking, best_first

# One array, or one a source where a list of sources was given.
Gradient = Any


@dataclass(frozen=True)
class Part:
    """What a set of paths contributes.

    Attributes:
        gradient: the sum of their products, in the shape of the source (a list of arrays for a list of sources).
        share: the signed share <gradient, g> / |g|^2 of the whole gradient g. The shares of any partition of the paths
            sum to 1; a negative one cancels others. NaN where g is 0.
        count: how many paths there are, an exact integer.
    """

    gradient: Gradient
    share: float
    count: int

    @property
    def norm(self) -> float:
        """The Frobenius norm of the gradient. Norms of parts do not add."""
        return norm(self.gradient if isinstance(self.gradient, list) else [self.gradient])

    def __repr__(self) -> str:
        paths = "1 path" if self.count == 1 else f"{self.count:,} paths"
        return f"<{type(self).__name__.lower()}: {paths}, share {self.share:.3g}, norm {self.norm:.3g}>"


@dataclass(frozen=True, repr=False)
class Use(Part):
    """What all paths that start with one use of a source contribute.

    Attributes:
        user, slot: the node that uses the source, as which argument.
    """

    user: Node
    slot: int

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, as argument {self.slot} of {describe(self.user)}>"

    @property
    def edge(self) -> Edge:
        """The edge from the source to its user."""
        return Edge(self.user, self.slot)


class Flow:
    """The gradient of `y` in a source, path by path. See `flow`.

    Attributes:
        y: the target.
        sources: the nodes it is differentiated in.
        paths: the part of the graph that lies on a path from a source to y.
        seed: the cotangent of y.
        feed: the values that inputs, and whatever else was fed, were given.
    """

    def __init__(
        self,
        y: Node,
        source: Node | Sequence[Node],
        feed: Mapping[Node, ArrayLike] | None = None,
        seed: ArrayLike | None = None,
        run: Run | None = None,
    ) -> None:
        _check_target(y, seed)
        self.y = y
        self.paths = Paths(y, source, "flow", fed=feed or ())
        self.sources = self.paths.sources
        self.seed = np.ones((), y.dtype) if seed is None else fit(y, seed)
        self.feed = dict(feed or {})
        self._run = run
        self._partials: dict[Edge, Any] = {}
        self._single = isinstance(source, Node)
        # The numbers are those of now; without all inputs the questions that need no numbers can still be asked.
        if run is not None or all(node in self.feed for node in walk(y) if node.op is input_op):
            _ = self._values

    @cached_property
    def gradient(self) -> Gradient:
        """The whole gradient, in the shape of the source (a list of arrays for a list of sources)."""
        return self._in_form([self._adjoints[source] for source in self.sources])

    def count(self, by: Callable[[Node], Hashable] | None = None) -> int:
        """The number of paths, an exact integer: paths over the edges between primitives.

        With `by` it is the number in a quotient graph: nodes for which `by` gives the same label become one, and
        parallel edges one edge. Raises GradientError if the labels make a cycle.

        >>> import minigrad as mg
        >>> x = mg.parameter(2.0, name="x")
        >>> flow = mg.flow(mg.sin(x) * mg.cos(x) + x * x, x)
        >>> flow.count(), flow.count(by=lambda node: node.op.name)
        (4, 3)
        """
        if by is not None:
            if not callable(by):
                raise TypeError(f"count: by must be a function of a node that gives its label, got {type(by).__name__}")
            return count_in_quotient(self.paths, by)
        counts = self._swept(Count(), 1)
        return sum(counts.values())

    @property
    def uses(self) -> list[Use]:
        """What each use of a source contributes, in the order of creation. They sum to the gradient.

        >>> import minigrad as mg
        >>> x = mg.parameter(4.0, name="x")
        >>> y = mg.parameter(2.0, name="y")
        >>> [(use.user.op.name, float(use.gradient)) for use in mg.flow(x * y + x / y, x).uses]
        [('mul', 2.0), ('div', 0.5)]
        """
        counts = dict(sweep(self.paths, Count(), {self.y: 1}))
        uses = []
        for index, source in enumerate(self.sources):
            for edge in self.paths.out[source]:
                gradients = [np.zeros(other.shape, other.dtype) for other in self.sources]
                gradients[index] = self._contributions[edge]
                uses.append(Use(self._in_form(gradients), self._share(gradients), counts[edge.user], *edge))
        return sorted(uses, key=lambda use: (use.user.id, use.slot))

    @cached_property
    def edge_shares(self) -> dict[Edge, float]:
        """The share of all paths through each edge: the conserved flow.

        At every inner node what comes in goes out, and over every cut between the sources and y it sums to 1. One
        sweep backward and one forward give it for all edges.

        >>> import minigrad as mg
        >>> x = mg.parameter(4.0, name="x")
        >>> flow = mg.flow(3.0 * x + x, x)
        >>> [(edge.user.op.name, edge.slot, share) for edge, share in flow.edge_shares.items()]
        [('mul', 1, 0.75), ('add', 0, 0.75), ('add', 1, 0.25)]
        """
        return self._edge_shares()

    @np.errstate(all="ignore")
    def _edge_shares(self) -> dict[Edge, float]:
        contributions = self._contributions
        seeds = dict(zip(self.sources, self._directions, strict=True))
        shares: dict[Edge, float] = {}
        for node, tangent in sweep(self.paths, Tangents(self._values, self._partials), seeds, forward=True):
            for edge in self.paths.out[node]:
                shares[edge] = float(np.vdot(contributions[edge], tangent))
        return {edge: shares[edge] for edge in self.paths.edges}

    def through(self, what: Selection) -> Part:
        """What the paths contribute that meet `what`: a node, an edge, a list of them (any of these), a scope pattern
        like "t=3" or "lstm t=[1-3]" (each word a label, `*` and `?` allowed), or a predicate of an edge.

        Computed on its own, as is `avoiding`; the two sum to the gradient.

        >>> import minigrad as mg
        >>> x = mg.parameter(2.0, name="x")
        >>> inner = x * x
        >>> flow = mg.flow(inner + 3.0 * x, x)
        >>> float(flow.through(inner).gradient), float(flow.avoiding(inner).gradient)
        (4.0, 3.0)
        """
        return self._classes(edges_met(self.paths, what, "through"), cap=1).get(1, self._nothing())

    def avoiding(self, what: Selection) -> Part:
        """What the paths contribute that miss all of `what`. See `through`."""
        return self._classes(edges_met(self.paths, what, "avoiding"), cap=1).get(0, self._nothing())

    def classes(self, mark: Selection) -> dict[int, Part]:
        """The paths sorted by how many marked edges they take: {k: what those with k contribute}, for every k that
        has a path. They sum to the gradient.

        `mark` is a predicate of an edge (`.user`, `.slot`, `.argument`), or what `through` takes; a node is marked on
        its edges to its users, so a path that goes through it counts it once.

        >>> import minigrad as mg
        >>> x = mg.parameter(0.0, name="x")
        >>> h = mg.sin(x) + x
        >>> flow = mg.flow(mg.sin(h) + h, x)
        >>> classes = flow.classes(lambda edge: edge.user.op.name == "sin")
        >>> {k: (part.count, float(part.gradient)) for k, part in classes.items()}
        {0: (1, 1.0), 1: (2, 2.0), 2: (1, 1.0)}
        """
        return self._classes(edges_marked(self.paths, mark, "classes"))

    def sorted_by(self, transition: Callable[[Any, Edge], Hashable], start: Hashable = None) -> dict[Any, Part]:
        """The paths sorted by the state in which a finite automaton ends: {state: what those paths contribute}.

        The automaton reads a path's edges from y down to the source: `transition(state, edge)` is the next state,
        `start` the first. The parts sum to the gradient.

        >>> import minigrad as mg
        >>> x = mg.parameter(1.0, name="x")
        >>> h = mg.exp(x) + 2.0 * x
        >>> parts = mg.flow(h * 3.0, x).sorted_by(lambda state, edge: edge.user.op.name)
        >>> {state: round(float(part.gradient), 3) for state, part in sorted(parts.items())}
        {'exp': 8.155, 'mul': 6.0}
        """
        counted = self._swept(Automaton(Count(), transition), {start: 1})
        summed = self._swept(Automaton(Cotangents(self._values, self._partials), transition), {start: self.seed})
        parts = {}
        for state in dict.fromkeys(state for source in self.sources for state in counted[source]):
            gradients = [summed[source].get(state, np.zeros(source.shape, source.dtype)) for source in self.sources]
            count = sum(counted[source].get(state, 0) for source in self.sources)
            parts[state] = Part(self._in_form(gradients), self._share(gradients), count)
        return parts

    def top(self, k: int, budget: int = 100_000) -> Ranking:
        """The `k` paths whose contributions have the largest norm, largest first, each exact, and the exact remainder.

        Best first under a bound: a path is only listed when no other can be larger. `budget` is how many edges may be
        tried; where it is spent first, the list holds the paths proven by then and `spent` is True.

        >>> import minigrad as mg
        >>> x = mg.parameter(4.0, name="x")
        >>> top = mg.flow(3.0 * x + mg.sin(x) + x / 8.0, x).top(2)
        >>> [round(path.norm, 3) for path in top.paths], round(float(top.remainder.gradient), 3), top.spent
        ([3.0, 0.654], 0.125, False)
        """
        if not isinstance(k, (int, np.integer)) or k < 0:
            raise ValueError(f"top: expects how many paths as a whole number of 0 or more, got {k!r}")
        if not isinstance(budget, (int, np.integer)) or budget < 1:
            raise ValueError(f"top: expects a budget of 1 edge or more, got {budget!r}")
        return best_first(self, int(k), int(budget))

    @cached_property
    def _values(self) -> dict[Node, Array]:
        return values_of(self.y, self.feed, self._run, "flow")

    @cached_property
    def _recorded(self) -> tuple[dict[Node, Array], dict[Edge, Array]]:
        recording = _Recording(Cotangents(self._values, self._partials))
        with np.errstate(all="ignore"):
            return dict(sweep(self.paths, recording, {self.y: self.seed})), recording.carried

    @property
    def _adjoints(self) -> dict[Node, Array]:
        return self._recorded[0]

    @property
    def _contributions(self) -> dict[Edge, Array]:
        return self._recorded[1]

    @cached_property
    def _directions(self) -> list[Floats]:
        return directions([self._adjoints[source] for source in self.sources])

    def _share(self, gradients: Sequence[Array]) -> float:
        pairs = zip(gradients, self._directions, strict=True)
        return float(sum(np.vdot(gradient, direction) for gradient, direction in pairs))

    def _in_form(self, gradients: Sequence[Array]) -> Gradient:
        return gradients[0] if self._single else list(gradients)

    def _nothing(self) -> Part:
        gradients = [np.zeros(source.shape, source.dtype) for source in self.sources]
        return Part(self._in_form(gradients), self._share(gradients), 0)

    def _swept(self, algebra: Any, seed: Any) -> dict[Node, Any]:
        """The values at the sources."""
        wanted = set(self.sources)
        with np.errstate(all="ignore"):
            return {node: value for node, value in sweep(self.paths, algebra, {self.y: seed}) if node in wanted}

    def _classes(self, marked: Iterable[Edge], cap: int | None = None) -> dict[int, Part]:
        degree = frozenset(marked).__contains__
        counted = self._swept(Polynomials(Count(), degree, cap), Rows(0, np.array([1], dtype=object)))
        summed = self._swept(
            Polynomials(Cotangents(self._values, self._partials), degree, cap), Rows(0, self.seed[None])
        )
        classes: dict[int, Part] = {}
        for k in range(max(rows.stop for rows in counted.values())):
            count = sum(int(rows.stack[k - rows.start]) for rows in counted.values() if rows.start <= k < rows.stop)
            if not count:
                continue
            gradients = [
                part if (part := summed[source].get(k)) is not None else np.zeros(source.shape, source.dtype)
                for source in self.sources
            ]
            classes[k] = Part(self._in_form(gradients), self._share(gradients), count)
        return classes

    def __repr__(self) -> str:
        names = ", ".join(describe(source) for source in self.sources)
        return f"<flow from {names} to {describe(self.y)}: {len(self.paths.nodes)} nodes>"


class _Recording:
    """An algebra that keeps what every edge carried."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.join = inner.join
        self.carried: dict[Edge, Any] = {}

    def along(self, edge: Edge, value: Any) -> Any:
        carried = self.carried[edge] = self.inner.along(edge, value)
        return carried


def flow(
    y: Node,
    source: Node | Sequence[Node],
    feed: Mapping[Node, ArrayLike] | None = None,
    *,
    seed: ArrayLike | None = None,
    run: Run | None = None,
) -> Flow:
    """The gradient of `y` in `source`, path by path: uses, shares of edges, paths through a node, classes, counts.

    `source` is an input, a parameter or an inner node, or a list of them. `y` is a scalar unless a `seed`, a cotangent
    of its shape, is given. `feed` maps inputs to arrays; an inner node that is fed is a constant, and no path leads
    through it: that asks "what if" without building anything anew. `run` is what `mg.run(y, feed)` gave, of y or of
    more, where there is one: nothing is then computed twice.

    Raises FeedError if the run lacks a node of y or was made with another feed, GradientError if y is not a scalar and
    there is no seed, or if no differentiable path leads from a source to y.

    >>> import numpy as np
    >>> import minigrad as mg
    >>> w = mg.parameter([0.5, -1.0], name="w")
    >>> h = mg.tanh(w)
    >>> flow = mg.flow(mg.sum(h * w), w)
    >>> flow.gradient, flow.count()
    (array([ 0.85534102, -1.1815685 ]), 2)
    >>> round(flow.through(h).share + flow.avoiding(h).share, 12)
    1.0
    """
    return Flow(y, source, feed, seed, run)


def _check_target(y: Any, seed: Any) -> None:
    if not isinstance(y, Node):
        raise TypeError(f"flow: expects the target as a node, got {type(y).__name__}")
    if y.dtype.kind != "f":
        raise GradientError(f"flow: {describe(y)} has dtype {y.dtype}; only a float has a derivative")
    if seed is None and y.shape != ():
        raise GradientError(
            f"flow: expects a scalar, got {describe(y)} of shape {y.shape}; sum it, or pass a seed of its shape"
        )
