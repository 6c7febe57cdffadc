"""Counting paths in a coarser graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from graphlib import CycleError, TopologicalSorter

from ..errors import GradientError
from ..node import Node
from .sweep import Paths


def count_in_quotient(paths: Paths, by: Callable[[Node], Hashable]) -> int:
    """The number of paths from the sources to the targets in the quotient graph: nodes of one label are one node,
    parallel edges one edge, edges inside a label none."""
    label = {node: by(node) for node in paths.nodes}
    arguments: dict[Hashable, set[Hashable]] = {label[node]: set() for node in paths.nodes}
    for edge in paths.edges:
        if label[edge.user] != label[edge.argument]:
            arguments[label[edge.user]].add(label[edge.argument])
    try:
        order = list(TopologicalSorter(arguments).static_order())
    except CycleError as error:
        circle = " -> ".join(str(one) for one in error.args[1])
        raise GradientError(f"count: the labels make a cycle, {circle}; a finer label is needed") from None
    starts = {label[source] for source in paths.sources}
    counts: dict[Hashable, int] = {}
    for one in order:
        counts[one] = sum(counts[argument] for argument in arguments[one]) + (one in starts)
    return sum(counts[one] for one in {label[target] for target in paths.targets})
