"""A function of the parts of an array, part by part, becomes parts of the function of the whole array.

The gates of a recurrent net are slices of one row of sums, and most of them get the same squashing function. Applied to
the whole row it is one call on dense memory instead of a strided call a gate. What is computed beside the point (the
gate that gets another function) is thrown away, and is at most a quarter of the whole.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .spent import IN_PLACE
from .terms import Graph, Rewriter, Term

# The parts must be at least this much of the whole.
_COVER = 0.75


def widen(graph: Graph) -> Graph:
    """Write `slice(f(x))` for every `f(slice(x))` where such slices cover most of x."""
    parts: dict[tuple[str, Term], list[Term]] = {}
    for term in graph.terms:
        if IN_PLACE.get(term.op) == 1 and term.args[0].op == "slice" and term.dtype == term.args[0].dtype:
            parts.setdefault((term.op, term.args[0].args[0]), []).append(term)
    rewriter = Rewriter(graph)
    for (op, x), members in parts.items():
        if _covered(x, members):
            whole = rewriter.make(members[0], op, (x,), x.shape)
            whole.kernel = members[0].kernel
            for term in members:
                part = term.args[0]
                term.become("slice", (whole,), part.params, part.kernel)
    return rewriter.graph()


def _covered(whole: Term, members: list[Term]) -> bool:
    """Whether the members' slices are two or more spans along one axis of `whole` that cover most of it."""
    indices: dict[Any, None] = dict.fromkeys(term.args[0].params["index"] for term in members)
    if len(indices) < 2 or any(isinstance(entry, int) or entry[2] != 1 for index in indices for entry in index):
        return False
    cut = [axis for axis, entries in enumerate(zip(*indices, strict=True)) if len(set(entries)) > 1]
    if len(cut) != 1:
        return False
    spans = sorted(index[cut[0]][:2] for index in indices)
    apart = all(before[1] <= after[0] for before, after in pairwise(spans))
    return apart and sum(term.size for term in {term.args[0] for term in members}) >= _COVER * whole.size
