"""One sweep over a graph, in any algebra.

The derivative of y in a leaf is the sum, over all paths between them, of the product of the edges' local derivatives
(Bauer 1974). Counting the paths, asking whether there is one, sorting them into classes or finding the largest is the
same sum of products in another algebra. So there is one sweep, and an algebra says two things: what a value becomes
along an edge, and how the values that meet at a node are joined.

    >>> import minigrad as mg
    >>> x = mg.parameter(2.0)
    >>> y = x * mg.sin(x)
    >>> class LongestPath:
    ...     def along(self, edge, value): return value + 1
    ...     def join(self, node, values): return max(values)
    >>> dict(mg.paths.sweep(mg.paths.Paths(y, x), LongestPath(), {y: 0}))[x]
    2
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ..derivative import Edge, edge_of, passes
from ..errors import GradientError
from ..node import Node, describe, walk

V = TypeVar("V")


class Algebra(Protocol[V]):
    """What a sweep carries. `along` may return None: nothing passes that edge."""

    def along(self, edge: Edge, value: V) -> V | None:
        """The value carried across `edge`, away from the seeds."""
        ...

    def join(self, node: Node, values: Sequence[V]) -> V:
        """The two or more values that arrive at `node`, as one."""
        ...


class Paths:
    """The part of a graph that lies on a differentiable path from a source to a target.

    `fed` are nodes whose values are given: no path leads through one to what it was computed from. Raises
    GradientError if a source has no path to any target, or is a target itself.

    Attributes:
        targets, sources: the nodes given.
        nodes: every node on a path, arguments before their users.
        into: node -> its edges to arguments that are on a path, by slot. A node that is used twice has two edges.
        out: node -> its edges to users that are on a path, in the order of creation.

    >>> import minigrad as mg
    >>> x = mg.parameter(2.0, name="x")
    >>> paths = mg.paths.Paths(x * x, x)
    >>> len(paths.nodes), len(paths.out[x])
    (2, 2)
    """

    def __init__(
        self,
        targets: Node | Iterable[Node],
        sources: Node | Iterable[Node],
        what: str = "paths",
        fed: Iterable[Node] = (),
    ) -> None:
        self.targets = _nodes(targets, what, "the target")
        self.sources = _nodes(sources, what, "the source")
        reached = self._from_sources(set(fed))
        self.nodes: list[Node] = []
        self.into: dict[Node, list[Edge]] = {}
        self.out: dict[Node, list[Edge]] = {}
        self._keep(reached)
        self._check(what)

    @property
    def edges(self) -> Iterator[Edge]:
        """Every edge on a path, arguments before their users."""
        return (edge for node in self.nodes for edge in self.into[node])

    def _from_sources(self, fed: set[Node]) -> dict[Node, list[Edge]]:
        """node -> its edges to arguments that depend on a source, for every node that depends on one."""
        reached: dict[Node, list[Edge]] = {}
        sources = set(self.sources)
        for node in reversed(list(walk(self.targets))):
            edges = (
                [edge_of((node, slot)) for slot, arg in enumerate(node.args) if arg in reached and passes(node, slot)]
                if node.dtype.kind == "f" and node not in fed
                else []
            )
            if edges or node in sources:
                reached[node] = edges
        return reached

    def _keep(self, reached: dict[Node, list[Edge]]) -> None:
        kept = {target for target in self.targets if target in reached}
        for node in reversed(reached):
            if node in kept:
                self.nodes.append(node)
                kept.update([node.args[slot] for _, slot in reached[node]])
        self.nodes.reverse()
        self.out.update((node, []) for node in self.nodes)
        for node in self.nodes:
            self.into[node] = reached[node]
            for edge in reached[node]:
                self.out[node.args[edge.slot]].append(edge)

    def _check(self, what: str) -> None:
        last = max(self.targets, key=lambda node: node.id)
        for source in self.sources:
            if source.dtype.kind != "f":
                raise GradientError(
                    f"{what}: the source {describe(source)} has dtype {source.dtype}; a derivative needs a float"
                )
            if source in self.targets:
                raise GradientError(f"{what}: the source {describe(source)} is the target itself; no edge lies between")
            if source.id > last.id:
                raise GradientError(
                    f"{what}: the source {describe(source)} was made after the target {describe(last)}, "
                    "so no path leads from it there; are the two exchanged?"
                )
            if source not in self.out:
                raise GradientError(
                    f"{what}: no differentiable path leads from the source {describe(source)} "
                    f"to the target {describe(last)}"
                )


def sweep(
    paths: Paths, algebra: Algebra[V], seeds: Mapping[Node, V], *, forward: bool = False
) -> Iterator[tuple[Node, V]]:
    """Carry `seeds` over all `paths` and yield each node reached with its value, once that is complete.

    Backward by default: from the targets towards the sources, users before their arguments. `forward=True` carries
    from the sources to the targets. Values are dropped when they have been carried on: collect what you need.

    >>> import minigrad as mg
    >>> x = mg.parameter(2.0)
    >>> y = x * mg.sin(x)
    >>> dict(mg.paths.sweep(mg.paths.Paths(y, x), mg.paths.Count(), {y: 1}))[x]
    2
    """
    order = paths.nodes if forward else reversed(paths.nodes)
    edges_of = paths.out if forward else paths.into
    pending: dict[Node, list[V]] = {node: [value] for node, value in seeds.items()}
    for node in order:
        values = pending.pop(node, None)
        if values is None:
            continue
        value = values[0] if len(values) == 1 else algebra.join(node, values)
        for edge in edges_of[node]:
            carried = algebra.along(edge, value)
            if carried is None:
                continue
            end = edge.user if forward else edge.user.args[edge.slot]
            if end in pending:
                pending[end].append(carried)
            else:
                pending[end] = [carried]
        yield node, value


def _nodes(given: Node | Iterable[Node], what: str, role: str) -> list[Node]:
    nodes = [given] if isinstance(given, Node) else list(_iterable(given, what, role))
    if not nodes:
        raise GradientError(f"{what}: {role} is an empty list; give a node or a list of nodes")
    for node in nodes:
        if not isinstance(node, Node):
            raise TypeError(f"{what}: {role} must be a node or a list of nodes, got {type(node).__name__}")
    return list(dict.fromkeys(nodes))


def _iterable(given: Any, what: str, role: str) -> Iterable[Any]:
    if not isinstance(given, Iterable):
        raise TypeError(f"{what}: {role} must be a node or a list of nodes, got {type(given).__name__}")
    return given


Mark = Callable[[Edge], bool]
