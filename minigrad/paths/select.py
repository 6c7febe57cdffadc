"""Choosing edges of a graph: by node, by edge, by scope pattern or by a predicate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

from ..derivative import Edge
from ..errors import GradientError
from ..node import Node
from .sweep import Paths

Selection = Node | Edge | str | Callable[[Edge], bool] | Iterable[Node | Edge]


def edges_met(paths: Paths, what: Selection, caller: str) -> frozenset[Edge]:
    """The edges of which a path must take at least one to meet `what`. A node is met by its edges on either side."""
    return _select(paths, what, caller, either_side=True)


def edges_marked(paths: Paths, what: Selection, caller: str) -> frozenset[Edge]:
    """The edges that count as one mark each. A node is marked on its edges to its users, so that a path that goes
    through it is marked there once."""
    return _select(paths, what, caller, either_side=False)


def scope_matches(node: Node, pattern: str) -> bool:
    """Whether each word of the pattern matches a label of the node's scope; `*`, `?` and `[1-5]` as in file names.

    >>> import minigrad as mg
    >>> with mg.scope("lstm", layer=0, t=3):
    ...     x = mg.input(())
    >>> [scope_matches(x, pattern) for pattern in ("t=3", "lstm t=[1-3]", "t=*", "gru", "t=4")]
    [True, True, True, False, False]
    """
    labels = [*node.scope.labels, *(f"{key}={value}" for key, value in node.scope.items())]
    return all(any(fnmatchcase(label, word) for label in labels) for word in pattern.split())


def _select(paths: Paths, what: Selection, caller: str, *, either_side: bool) -> frozenset[Edge]:
    if callable(what) and not isinstance(what, (Node, Edge)):
        return frozenset(edge for edge in paths.edges if _asked(what, edge, caller))
    if isinstance(what, str):
        nodes = {node for node in paths.nodes if scope_matches(node, what)}
        if not nodes:
            raise GradientError(
                f"{caller}: no node on these paths has a scope like {what!r}; "
                f"the last has {str(paths.nodes[-1].scope)!r}, the first {str(paths.nodes[0].scope)!r}"
            )
        edges: set[Edge] = set()
    else:
        nodes, edges = _members(what, caller)
    for node in nodes:
        edges.update(paths.out.get(node, ()))
        if either_side:
            edges.update(paths.into.get(node, ()))
    return frozenset(edges)


def _members(what: Any, caller: str) -> tuple[set[Node], set[Edge]]:
    if isinstance(what, Node):
        return {what}, set()
    if isinstance(what, Edge):
        return set(), {what}
    members = list(what) if isinstance(what, Iterable) else [what]
    nodes = {member for member in members if isinstance(member, Node)}
    edges = {_as_edge(member) for member in members if hasattr(member, "user") and hasattr(member, "slot")}
    for member in members:
        if not isinstance(member, Node) and not hasattr(member, "slot"):
            raise TypeError(
                f"{caller}: expects a node, an edge, a list of them, a scope pattern like 't=3' or a predicate of an "
                f"edge, got {type(member).__name__}"
            )
    return nodes, edges


def _as_edge(member: Any) -> Edge:
    return member if isinstance(member, Edge) else Edge(member.user, member.slot)


def _asked(predicate: Callable[[Edge], Any], edge: Edge, caller: str) -> bool:
    try:
        answer = predicate(edge)
    except AttributeError as error:
        raise TypeError(
            f"{caller}: the predicate is given an edge, with .user, .slot and .argument, and failed on one: {error}"
        ) from error
    if answer is not True and answer is not False and type(answer).__name__ != "bool":
        raise TypeError(
            f"{caller}: a predicate of an edge answers True or False, this one gave {type(answer).__name__}"
        )
    return bool(answer)
