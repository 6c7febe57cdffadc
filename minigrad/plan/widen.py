"""A function of the parts of an array, part by part, becomes parts of the function of the whole array.

The gates of a recurrent net are slices of one row of sums, and most of them get the same squashing function. Applied to
the whole row it is one call on dense memory instead of a strided call a gate. What is computed beside the point (the
gate that gets another function) is thrown away, and is at most a quarter of the whole.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any

from ..node import Shape
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
        if _cover(x.shape, tuple([term.args[0].params["index"] for term in members])):
            whole = rewriter.make(members[0], op, (x,), x.shape)
            whole.kernel = members[0].kernel
            for term in members:
                term.become("slice", (whole,), term.args[0].params)
    return rewriter.graph()


@lru_cache(maxsize=64)
def _cover(whole: Shape, indices: tuple[Any, ...]) -> bool:
    """Whether the slices are two or more spans along one axis of the whole that cover most of it."""
    different = set(indices)
    if len(different) < 2 or any(isinstance(entry, int) or entry[2] != 1 for index in different for entry in index):
        return False
    cut = [axis for axis, entries in enumerate(zip(*different, strict=True)) if len(set(entries)) > 1]
    if len(cut) != 1:
        return False
    spans = sorted(index[cut[0]][:2] for index in different)
    apart = all(before[1] <= after[0] for before, after in pairwise(spans))
    covered = sum(math.prod(stop - start for start, stop, _ in index) for index in different)
    return apart and covered >= _COVER * math.prod(whole)
