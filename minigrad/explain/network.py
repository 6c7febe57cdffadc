"""The graph as networkx sees it."""

from __future__ import annotations

from collections.abc import Iterable

import networkx

from ..node import Node, walk


def to_networkx(outputs: Node | Iterable[Node]) -> networkx.MultiDiGraph:
    """A `networkx.MultiDiGraph` whose nodes are the graph's nodes and whose edges run from argument to user.

    Node attributes: `op`, `shape`, `dtype`, `scope` and `site` as plain data, `name` (None without one) and `of` (the
    node that a gradient node differentiates, or None). Edge attribute: `slot`, also the edge's key, so `x * x` has two.

    >>> import minigrad as mg
    >>> x = mg.input((), name="x"); y = x * x
    >>> graph = mg.to_networkx(y)
    >>> graph.number_of_edges(x, y), graph.nodes[y]["op"], graph.edges[x, y, 1]["slot"]
    (2, 'mul', 1)
    """
    graph = networkx.MultiDiGraph()
    for node in reversed(list(walk(outputs))):
        graph.add_node(
            node,
            op=node.op.name,
            shape=node.shape,
            dtype=str(node.dtype),
            scope=str(node.scope),
            site=node.site,
            name=node.name,
            of=node.of,
        )
        for slot, arg in enumerate(node.args):
            graph.add_edge(arg, node, key=slot, slot=slot)
    return graph
