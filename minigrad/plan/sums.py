"""The joins of backpropagation, `add_n` of many like terms, as one call.

* a sum of T matrix products is one product over the joined inner axis;
* a sum of T reductions is one reduction;
* a sum of transposes is the transpose of the sum, likewise for reshapes;
* a sum of disjoint `place`s is a concatenation, written in place.

Sums are reordered, so values agree to rounding. Where 0 and -0 were summed, the zero may keep its sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .terms import Graph, Rewriter, Term

# Ops that a sum passes through.
_TURNED = ("transpose", "reshape")
# Joining fewer products or reductions than this gains nothing.
_FEW = 3


def sums(graph: Graph) -> Graph:
    """Rewrite every `add_n` that has several arguments of one kind which are used nowhere else."""
    rewriter = Rewriter(graph)
    for whole in graph.terms:
        if whole.op == "add_n" and all(part.dtype == whole.dtype for part in whole.args):
            _join(rewriter, whole, graph.uses)
    return rewriter.graph()


def _join(rewriter: Rewriter, whole: Term, count: Sequence[int]) -> None:
    """Compute the sum in as few calls as can be."""
    kinds: dict[Any, list[Term]] = {}
    for place, part in enumerate(whole.args):
        kinds.setdefault(_kind(part, count) or place, []).append(part)
    left: list[Term] = []
    for members in kinds.values():
        joined = _joined(rewriter, whole, members) if len(members) > 1 else None
        left += members if joined is None else [joined]
    if len(left) == 1:
        whole.become(left[0].op, left[0].args, left[0].params, left[0].kernel)
    elif len(left) < len(whole.args):
        whole.become("add_n", left)


def _kind(part: Term, count: Sequence[int]) -> tuple[Any, ...] | None:
    """What parts must have in common to be joined; None for a part that stays alone."""
    views = []
    while part.number >= 0 and count[part.number] == 1 and part.args:
        first = part.args[0]
        if part.op in _TURNED:
            views.append((part.op, first.shape, tuple(part.params.values())))
            part = first
            continue
        if part.op == "matmul":
            a, b = part.args
            plain = len(a.shape) == len(b.shape) == 2 and a.dtype == b.dtype
            return ("matmul", a.shape, b.shape, *views) if plain else None
        if part.op == "sum" and first.dtype == part.dtype:
            return "sum", first.shape, part.params["axes"], part.params["keepdims"], *views
        if part.op == "place":
            return "place", *views
        return None
    return None


def _joined(rewriter: Rewriter, whole: Term, parts: list[Term]) -> Term | None:
    """The sum of parts of one kind as one term; None if they stay as they are."""
    views: list[Term] = []
    while parts[0].op in _TURNED:
        views.append(parts[0])
        parts = [part.args[0] for part in parts]
    first = parts[0]
    if first.op == "place":
        total = assemble(rewriter, whole, parts)
    elif len(parts) < _FEW:
        return None
    elif first.op == "sum":
        total = rewriter.make(whole, "sum_n", [part.args[0] for part in parts], first.shape, **first.params)
    else:
        total = rewriter.make(whole, "matmul_n", [factor for part in parts for factor in part.args], first.shape)
    for view in reversed(views):
        if total is not None:
            total = rewriter.make(whole, view.op, (total,), view.shape, **view.params)
    return total


def assemble(rewriter: Rewriter, whole: Term, places: Sequence[Term]) -> Term | None:
    """The sum of `place`s that do not overlap, or None if they may.

    They must agree on every axis but one, on which their spans are disjoint.
    """
    known = [span for place in places if (span := _spans(place)) is not None]
    if len(known) < len(places):
        return None
    differing = {axis for span in known for axis, pair in enumerate(span) if pair != known[0][axis]}
    if len(differing) != 1:
        return None
    axis = differing.pop()
    order = sorted(range(len(places)), key=lambda k: known[k][axis])
    reached = 0
    for k in order:
        start, stop = known[k][axis]
        if start < reached:
            return None
        reached = max(reached, stop)
    shape = places[0].shape
    covered = all(
        sum(stop - start for start, stop in {span[a] for span in known}) == size for a, size in enumerate(shape)
    )
    indices = tuple([places[k].params["index"] for k in order])
    pieces = [places[k].args[0] for k in order]
    return rewriter.make(whole, "assemble", pieces, shape, indices=indices, covered=covered)


def _spans(place: Term) -> tuple[tuple[int, int], ...] | None:
    """What the place covers, a (start, stop) an axis; None where it steps."""
    spans = []
    for entry in place.params["index"]:
        if isinstance(entry, int):
            spans.append((entry, entry + 1))
        elif entry[2] == 1:
            spans.append((entry[0], max(entry[0], entry[1])))
        else:
            return None
    return tuple(spans)
