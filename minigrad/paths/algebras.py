"""The algebras that a sweep runs in: counts, gradients and polynomials of them, and two for scalar graphs."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from ..derivative import Edge, pull_edge, push_edge, unbroadcast
from ..errors import GradientError
from ..node import Array, Node, describe
from ..ops import broadcast_to
from ..ops.core import Elementwise, Stacked, scale

Values = Mapping[Node, Array]


class Count:
    """The number of paths, an exact Python integer. Seed with 1.

    >>> import minigrad as mg
    >>> x = mg.parameter(1.0)
    >>> y = x
    >>> for _ in range(100):
    ...     y = y * y
    >>> dict(mg.paths.sweep(mg.paths.Paths(y, x), mg.paths.Count(), {y: 1}))[x]
    1267650600228229401496703205376
    """

    def along(self, edge: Edge, value: Any) -> Any:
        return value

    def join(self, node: Node, values: Sequence[Any]) -> Any:
        return sum(values[1:], start=values[0])


class Reach:
    """Which seeds a node is connected to: the bits of an integer. Seed each with a bit of its own.

    >>> import minigrad as mg
    >>> x = mg.parameter(1.0)
    >>> y, z = mg.sin(x), mg.cos(x)
    >>> bin(dict(mg.paths.sweep(mg.paths.Paths([y, z], x), mg.paths.Reach(), {y: 0b01, z: 0b10}))[x])
    '0b11'
    """

    def along(self, edge: Edge, value: int) -> int:
        return value

    def join(self, node: Node, values: Sequence[int]) -> int:
        return reduce(operator.or_, values)


class Cotangents:
    """The gradient, backward: seed the targets with cotangents. Values are arrays, or `Stacked` ones.

    `values` are the values of the forward graph: `mg.run(y).values`.

    >>> import minigrad as mg
    >>> x = mg.parameter(3.0)
    >>> y = x * x
    >>> print(dict(mg.paths.sweep(mg.paths.Paths(y, x), mg.paths.Cotangents(mg.run(y).values), {y: 1.0}))[x])
    6.0
    """

    def __init__(self, values: Values, partials: dict[Edge, Any] | None = None) -> None:
        self.values = values
        # The local derivatives of elementwise edges, computed once: sweeps of both directions may share them.
        self.partials = {} if partials is None else partials

    def along(self, edge: Edge, value: Any) -> Any:
        user, slot = edge
        if isinstance(user.op, Elementwise):
            partial = self.partials.get(edge)
            carried = scale(value, self.partial(edge) if partial is None else partial)
            shape = user.args[slot].shape
            return carried if carried.shape == shape else unbroadcast(carried, shape)
        values = self.values
        return pull_edge(user, slot, value, values[user], [values[arg] for arg in user.args])

    def partial(self, edge: Edge) -> Any:
        """The local derivative of an edge to an elementwise op: an array, or a number."""
        partial = self.partials.get(edge)
        if partial is None:
            user, slot = edge
            values = self.values
            op: Any = user.op
            partial = op.partial(slot, values[user], [values[arg] for arg in user.args])
            self.partials[edge] = partial
        return partial

    def join(self, node: Node, values: Sequence[Any]) -> Any:
        total = values[0] + values[1]
        for value in values[2:]:
            total = total + value
        return total


class Tangents(Cotangents):
    """The directional derivative, forward: seed the sources with tangents and sweep with `forward=True`.

    >>> import minigrad as mg
    >>> x = mg.parameter(3.0)
    >>> y = x * x
    >>> algebra = mg.paths.Tangents(mg.run(y).values)
    >>> print(dict(mg.paths.sweep(mg.paths.Paths(y, x), algebra, {x: 1.0}, forward=True))[y])
    6.0
    """

    def along(self, edge: Edge, value: Any) -> Any:
        user, slot = edge
        if isinstance(user.op, Elementwise):
            pushed = scale(value, self.partial(edge))
            return pushed if pushed.shape == user.shape else broadcast_to(pushed, shape=user.shape)
        values = self.values
        return push_edge(user, slot, value, values[user], [values[arg] for arg in user.args])


class Rows(NamedTuple):
    """Values for the indices start, start + 1, ...: `stack` has them along its first axis. Every other index is
    structurally absent, not merely 0."""

    start: int
    stack: Array

    @property
    def stop(self) -> int:
        """The first index after the last."""
        return self.start + len(self.stack)

    def get(self, index: int) -> Array | None:
        """The value at `index`, or None where there is none."""
        return self.stack[index - self.start] if self.start <= index < self.stop else None


class Polynomials:
    """Polynomials in a formal z over another algebra: the coefficient of z^k belongs to the paths with k marked edges.

    Values are `Rows` by power of z. `degree` says how often an edge is marked. With `cap=1` powers above 1 count as
    1 (z^2 = z), so that the rows are the paths that avoid every mark and those that meet at least one. With nothing
    marked the rows are independent: one sweep for many seeds.

    >>> import numpy as np
    >>> import minigrad as mg
    >>> x = mg.parameter(1.0)
    >>> h = mg.sin(x) + x
    >>> y = mg.sin(h) + h
    >>> sines = mg.paths.Polynomials(mg.paths.Count(), lambda edge: edge.user.op.name == "sin")
    >>> one = mg.paths.Rows(0, np.array([1], dtype=object))
    >>> dict(mg.paths.sweep(mg.paths.Paths(y, x), sines, {y: one}))[x]
    Rows(start=0, stack=array([1, 2, 1], dtype=object))
    """

    def __init__(self, inner: Any, degree: Callable[[Edge], int], cap: int | None = None) -> None:
        self.inner = inner
        self.degree = degree
        self.cap = cap

    def along(self, edge: Edge, value: Rows) -> Rows | None:
        carried = self.inner.along(edge, Stacked(value.stack))
        if carried is None:
            return None
        start, stack = value.start + int(self.degree(edge)), carried.value
        if self.cap is None or start + len(stack) <= self.cap + 1:
            return Rows(start, stack)
        below = max(self.cap - start, 0)
        return Rows(min(start, self.cap), np.concatenate([stack[:below], stack[below:].sum(0, keepdims=True)]))

    def join(self, node: Node, values: Sequence[Rows]) -> Rows:
        return join_rows(values)


class Automaton:
    """Paths sorted by a finite automaton that reads their edges, from the seeds on.

    `transition(state, edge)` is the state after `edge`. Values are dicts {state: inner value}: what the paths in that
    state contribute. Seed with the starting state.

    >>> import minigrad as mg
    >>> x = mg.parameter(1.0)
    >>> h = mg.sin(x) + mg.cos(x)
    >>> y = mg.sin(h)
    >>> last_op = mg.paths.Automaton(mg.paths.Count(), lambda state, edge: edge.user.op.name)
    >>> sorted(dict(mg.paths.sweep(mg.paths.Paths(y, x), last_op, {y: {"": 1}}))[x].items())
    [('cos', 1), ('sin', 1)]
    """

    def __init__(self, inner: Any, transition: Callable[[Any, Edge], Any]) -> None:
        self.inner = inner
        self.transition = transition

    def along(self, edge: Edge, value: dict[Any, Any]) -> dict[Any, Any]:
        arrived: dict[Any, list[Any]] = {}
        for state, inner in value.items():
            carried = self.inner.along(edge, inner)
            if carried is not None:
                arrived.setdefault(self.transition(state, edge), []).append(carried)
        return self._joined(edge.argument, arrived)

    def join(self, node: Node, values: Sequence[dict[Any, Any]]) -> dict[Any, Any]:
        arrived: dict[Any, list[Any]] = {}
        for value in values:
            for state, inner in value.items():
                arrived.setdefault(state, []).append(inner)
        return self._joined(node, arrived)

    def _joined(self, node: Node, arrived: dict[Any, list[Any]]) -> dict[Any, Any]:
        return {
            state: inners[0] if len(inners) == 1 else self.inner.join(node, inners) for state, inners in arrived.items()
        }


def join_rows(values: Sequence[Rows]) -> Rows:
    """The sum of `Rows`, index by index."""
    start, stop = min(rows.start for rows in values), max(rows.stop for rows in values)
    widest = max(values, key=lambda rows: len(rows.stack))
    if len(widest.stack) == stop - start:
        total = widest.stack.copy()
        rest = [rows for rows in values if rows is not widest]
    else:
        total = np.zeros((stop - start, *widest.stack.shape[1:]), widest.stack.dtype)
        rest = list(values)
    for rows in rest:
        total[rows.start - start : rows.stop - start] += rows.stack
    return Rows(start, total)


def slope(edge: Edge, values: Values) -> float:
    """The derivative of `edge.user` in the argument alone, both scalars.

    Raises GradientError where one of them is not.
    """
    user, slot = edge
    for node in (user, edge.argument):
        if node.shape != ():
            raise GradientError(
                f"this algebra needs scalar edges, got {describe(node)} of shape {node.shape}; "
                "give it bounds on norms as the slope of an edge instead"
            )
    pulled: Any = pull_edge(user, slot, np.ones((), user.dtype), values[user], [values[arg] for arg in user.args])
    return float(pulled)


class Best(NamedTuple):
    """The path of largest |product| seen so far: its signed product and its edges, as a chain of pairs."""

    product: float
    last: Edge | None = None
    before: Best | None = None

    @property
    def edges(self) -> list[Edge]:
        """The edges of the path, in the direction of the sweep."""
        edges: list[Edge] = []
        best: Best | None = self
        while best is not None and best.last is not None:
            edges.append(best.last)
            best = best.before
        return edges[::-1]


class MaxProduct:
    """The path whose product of slopes is largest in size, with its sign. Seed with `Best(1.0)`.

    `slope` gives an edge's slope: the local derivative on scalar graphs (the default, from `values`), or a bound on
    its norm, and then the product bounds the norm of every path.

    >>> import minigrad as mg
    >>> x = mg.parameter(2.0, name="x")
    >>> y = 3.0 * x - x * x
    >>> algebra = mg.paths.MaxProduct(mg.run(y).values)
    >>> best = dict(mg.paths.sweep(mg.paths.Paths(y, x), algebra, {y: mg.paths.Best(1.0)}))[x]
    >>> best.product, [edge.user.op.name for edge in best.edges]
    (3.0, ['sub', 'mul'])
    """

    def __init__(self, values: Values | None = None, slope: Callable[[Edge], float] | None = None) -> None:
        self.slope = slope or _local_slope(values)

    def along(self, edge: Edge, value: Best) -> Best:
        return Best(value.product * self.slope(edge), edge, value)

    def join(self, node: Node, values: Sequence[Best]) -> Best:
        # NaN is larger than anything: a path that is not a number may not hide behind one that is.
        return max(values, key=lambda best: math.inf if math.isnan(best.product) else abs(best.product))


class Weights(NamedTuple):
    """The sum of |w| over paths of weight w, and the sum of |w| log |w|."""

    total: float
    log_moment: float

    @property
    def entropy(self) -> float:
        """The entropy of |w| / total, in nats; NaN where every weight is 0."""
        return math.log(self.total) - self.log_moment / self.total if self.total > 0 else math.nan


class Entropy:
    """How evenly |product of slopes| is spread over the paths of a scalar graph. Seed with `Weights(1.0, 0.0)`.

    The expectation semiring (Eisner 2002): entropy over all paths in one sweep. `slope` as in `MaxProduct`.

    >>> import minigrad as mg
    >>> x = mg.parameter(1.0)
    >>> y = x + x + x + x
    >>> algebra = mg.paths.Entropy(mg.run(y).values)
    >>> at_x = dict(mg.paths.sweep(mg.paths.Paths(y, x), algebra, {y: mg.paths.Weights(1.0, 0.0)}))[x]
    >>> round(2.718281828459045 ** at_x.entropy, 12)
    4.0
    """

    def __init__(self, values: Values | None = None, slope: Callable[[Edge], float] | None = None) -> None:
        self.slope = slope or _local_slope(values)

    def along(self, edge: Edge, value: Weights) -> Weights | None:
        size = abs(self.slope(edge))
        if size == 0:
            return None
        return Weights(value.total * size, size * (value.log_moment + value.total * math.log(size)))

    def join(self, node: Node, values: Sequence[Weights]) -> Weights:
        return Weights(sum(value.total for value in values), sum(value.log_moment for value in values))


def _local_slope(values: Values | None) -> Callable[[Edge], float]:
    if values is None:
        raise TypeError("expects the values of a run, or the slope of an edge as a function")
    return lambda edge: slope(edge, values)
