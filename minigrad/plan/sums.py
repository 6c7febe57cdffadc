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

# Joining fewer products or reductions than this gains nothing.
_FEW = 3


def sums(graph: Graph) -> Graph:
    """Rewrite every `add_n` that has several arguments of one kind which are used nowhere else."""
    wholes = [term for term in graph.terms if term.op == "add_n"]
    if not wholes:
        return graph
    join = _Join(graph)
    for whole in wholes:
        total = join.total(whole, whole.args)
        if total is not whole:
            whole.become(total.op, total.args, total.params, total.kernel)
    return join.rewriter.graph()


class _Join:
    def __init__(self, graph: Graph) -> None:
        self.count = graph.uses
        self.rewriter = Rewriter(graph)

    def total(self, whole: Term, parts: Sequence[Term]) -> Term:
        """The sum of the parts, as few calls as can be; `whole` is the sum as it was."""
        kinds: dict[Any, list[Term]] = {}
        for place, part in enumerate(parts):
            kinds.setdefault(self._kind(part) or place, []).append(part)
        if len(kinds) == len(parts):
            return whole
        left: list[Term] = []
        for kind, members in kinds.items():
            joined = self._joined(whole, kind, members) if isinstance(kind, tuple) else None
            left += members if joined is None else [joined]
        if len(left) == len(parts):
            return whole
        return left[0] if len(left) == 1 else self.rewriter.make(whole, "add_n", left, whole.shape)

    def _kind(self, part: Term) -> tuple[Any, ...] | None:
        """What parts must have in common to be joined; None for a part that stays alone."""
        if part.number < 0 or self.count[part.number] > 1 or not part.args:
            return None
        first = part.args[0]
        if part.op in ("transpose", "reshape"):
            # Only worth it where what is inside can be joined itself.
            inside = self._kind(first)
            return None if inside is None else (part.op, first.shape, tuple(part.params.values()), inside)
        if part.op == "matmul" and len(first.shape) == len(part.args[1].shape) == 2:
            return "matmul", first.shape, first.dtype, part.args[1].shape, part.args[1].dtype
        if part.op == "sum" and first.dtype == part.dtype:
            return "sum", first.shape, part.params["axes"], part.params["keepdims"]
        if part.op == "place" and first.dtype == part.dtype:
            return ("place",)
        return None

    def _joined(self, whole: Term, kind: tuple[Any, ...], parts: list[Term]) -> Term | None:
        if kind[0] == "place":
            return assemble(self.rewriter, whole, parts)
        if len(parts) < _FEW:
            return None
        first = parts[0]
        if kind[0] in ("transpose", "reshape"):
            inner = [part.args[0] for part in parts]
            inside = self.rewriter.make(whole, "add_n", inner, inner[0].shape)
            made = self.rewriter.make(whole, first.op, [self.total(inside, inner)], whole.shape, **first.params)
            made.kernel = first.kernel
            return made
        if kind[0] == "sum":
            return self.rewriter.make(whole, "sum_n", [part.args[0] for part in parts], whole.shape, **first.params)
        return self.rewriter.make(whole, "matmul_n", [factor for part in parts for factor in part.args], whole.shape)


def assemble(rewriter: Rewriter, whole: Term, places: Sequence[Term]) -> Term | None:
    """The sum of `place`s that do not overlap, or None if they may.

    They must agree on every axis but one, on which their spans are disjoint.
    """
    if len(places) < 2:
        return None
    spans = [_spans(place) for place in places]
    if any(span is None for span in spans):
        return None
    known = [span for span in spans if span is not None]
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
    covered = all(
        sum(stop - start for start, stop in {span[a] for span in known}) == size for a, size in enumerate(whole.shape)
    )
    indices = tuple([places[k].params["index"] for k in order])
    pieces = [places[k].args[0] for k in order]
    return rewriter.make(whole, "assemble", pieces, whole.shape, indices=indices, covered=covered)


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
