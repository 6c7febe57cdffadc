"""The passes of a plan, in order. Each can be switched off; with none, a plan is one call a node."""

from __future__ import annotations

from collections.abc import Callable, Collection

from .merge import fold, merge, tidy
from .mirror import mirror
from .regroup import regroup_products, regroup_sums
from .sums import sums
from .terms import Graph
from .widen import widen

# The passes that rewrite the graph, in the order they run.
REWRITES: dict[str, Callable[[Graph], Graph]] = {
    "fold": fold,
    "merge": lambda graph: merge(tidy(graph)),
    "sums": sums,
    "mirror": mirror,
    "regroup_sums": regroup_sums,
    "regroup_products": lambda graph: merge(regroup_products(graph)),
    "widen": lambda graph: widen(widen(graph)),  # e = exp(-x), then 1 / (1 + e)
}

# The passes that arrange: batching over time, storage side by side, in-place results, large
# slabs worked on block by block, buffers shared over time.
ARRANGEMENTS = ("batch", "slabs", "in_place", "blocks", "share")

PASSES: tuple[str, ...] = (*REWRITES, *ARRANGEMENTS)


def rewritten(graph: Graph, passes: Collection[str]) -> Graph:
    """The graph after the rewriting passes among `passes`."""
    for name, rewrite in REWRITES.items():
        if name in passes:
            graph = rewrite(graph)
    return graph
