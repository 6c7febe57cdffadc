"""The passes of a plan, in order. Each can be switched off; with none, a plan is one call a node."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ..node import Node
from .merge import fold, merge, tidy
from .mirror import mirror
from .regroup import regroup
from .sums import sums
from .terms import Graph, Rule, Term, alive, from_nodes
from .widen import widen

# The passes that look at one term at a time.
LOCAL: dict[str, Callable[[], Rule]] = {"tidy": tidy, "fold": fold, "merge": merge}

# The passes that rewrite the whole graph, in the order they run.
REWRITES: dict[str, Callable[[Graph], Graph]] = {
    "sums": sums,
    "widen": widen,
    "mirror": mirror,
}

# The passes that move work out of a recurrence, in one sweep.
REGROUPINGS = ("regroup_sums", "regroup_products")

# The passes that arrange: batching over time, storage side by side, in-place results, large slabs worked on block by
# block, buffers shared over time.
ARRANGEMENTS = ("batch", "slabs", "in_place", "blocks", "share")

PASSES: tuple[str, ...] = (*LOCAL, *REWRITES, *REGROUPINGS, *ARRANGEMENTS)


def rewritten(order: Sequence[Node], inputs: Sequence[Node], outputs: Sequence[Node], passes: Collection[str]) -> Graph:
    """The terms of the nodes `order`, arguments first, after the rewriting passes among `passes`."""
    rules = [rule() for name, rule in LOCAL.items() if name in passes]

    def in_turn(term: Term) -> Term:
        for rule in rules:
            term = rule(term)
        return term

    # Terms that nothing needs would count as users: they are taken out before a pass that asks for uses.
    graph = alive(from_nodes(order, inputs, outputs, in_turn))
    for name, rewrite in REWRITES.items():
        if name in passes:
            graph = rewrite(graph)
    return alive(regroup(alive(graph), passes))
