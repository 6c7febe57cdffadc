"""The largest paths, best first."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..derivative import Edge
from ..node import Array, Node
from .algebras import Cotangents
from .bounds import edge_bound
from .measure import norm
from .sweep import sweep

if TYPE_CHECKING:
    from .flow import Flow, Part

# The edges from y down to where a search has come, newest first, as pairs: paths share their beginnings.
_Trail = tuple[Edge, "_Trail"] | None


@dataclass(frozen=True)
class Path:
    """One path from a source to y.

    Attributes:
        edges: its edges, the source's use first.
        gradient: the product along it, in the shape of its source.
        norm: the Frobenius norm of that.
        share: its signed share of the whole gradient.
    """

    edges: tuple[Edge, ...]
    gradient: Array
    norm: float
    share: float

    def __repr__(self) -> str:
        names = " -> ".join(node.name or node.op.name for node in self.nodes)
        return f"<path {names}: share {self.share:.3g}, norm {self.norm:.3g}>"

    @property
    def source(self) -> Node:
        """Where it starts."""
        return self.edges[0].argument

    @property
    def nodes(self) -> list[Node]:
        """The nodes along it, from the source to y."""
        return [self.source, *(edge.user for edge in self.edges)]

    def __str__(self) -> str:
        return " -> ".join(node.name or node.op.name for node in self.nodes)


@dataclass(frozen=True)
class Ranking:
    """The largest paths, and what is left.

    Attributes:
        paths: by descending norm. Each is exact, and no path that is not listed is larger than the last.
        remainder: what all other paths contribute: the gradient minus the listed ones.
        bound: no path outside the list has a norm above this.
        tried: how many edges were tried.
        spent: whether the budget ended the search before as many paths were proven as asked for.
    """

    paths: list[Path]
    remainder: Part
    bound: float
    tried: int
    spent: bool


@np.errstate(all="ignore")
def best_first(flow: Flow, k: int, budget: int) -> Ranking:
    """The search behind `Flow.top`: always continue where the norm so far times the bound on the rest is largest."""
    cotangents = Cotangents(flow._values, flow._partials)
    bounds = {edge: edge_bound(edge, flow._values) for edge in flow.paths.edges}
    seeds = dict.fromkeys(flow.sources, 1.0)
    rest = dict(sweep(flow.paths, _LargestProduct(bounds), seeds, forward=True))
    ticket = itertools.count()
    # (-bound, ticket, node, cotangent, trail, whether it is a whole path)
    heap: list[tuple[float, int, Node, Any, _Trail, bool]] = [(-math.inf, next(ticket), flow.y, flow.seed, None, False)]
    found: list[Path] = []
    tried = 0
    while heap and len(found) < k and tried < budget:
        _, _, node, cotangent, trail, whole = heapq.heappop(heap)
        if whole:
            found.append(_path(flow, node, cotangent, trail))
            continue
        for edge in flow.paths.into[node]:
            tried += 1
            carried = cotangents.along(edge, cotangent)
            end = edge.argument
            size = _size(carried)
            if end in seeds:
                heapq.heappush(heap, (-size, next(ticket), end, carried, (edge, trail), True))
            if flow.paths.into[end]:
                heapq.heappush(heap, (-_times(size, rest[end]), next(ticket), end, carried, (edge, trail), False))
    bound = -heap[0][0] if heap else 0.0
    return Ranking(found, _remainder(flow, found), bound, tried, bool(heap) and len(found) < k)


class _LargestProduct:
    """For every node a bound on what any path from there to a source multiplies a cotangent by."""

    def __init__(self, bounds: dict[Edge, float]) -> None:
        self.bounds = bounds

    def along(self, edge: Edge, value: float) -> float:
        return _times(value, self.bounds[edge])

    def join(self, node: Node, values: Any) -> float:
        return float(max(values))


def _times(first: float, second: float) -> float:
    """0 times inf is 0: nothing arrives where the cotangent is exactly 0."""
    return first * second if first and second else 0.0


def _size(cotangent: Array) -> float:
    size = norm([cotangent])
    return math.inf if math.isnan(size) else size


def _path(flow: Flow, source: Node, gradient: Array, trail: _Trail) -> Path:
    edges = []
    while trail is not None:
        edges.append(trail[0])
        trail = trail[1]
    direction = flow._directions[flow.sources.index(source)]
    return Path(tuple(edges), np.asarray(gradient), norm([gradient]), float(np.vdot(gradient, direction)))


def _remainder(flow: Flow, found: list[Path]) -> Part:
    from .flow import Part

    left = [np.array(flow._adjoints[source]) for source in flow.sources]
    for path in found:
        left[flow.sources.index(path.source)] -= path.gradient
    return Part(flow._in_form(left), flow._share(left), flow.count() - len(found))
