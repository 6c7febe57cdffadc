"""Groups of terms become calls: as few as the storage of their members allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ops.core import REGISTRY, Elementwise
from .calls import Calls, Operand, number, runs
from .kernels import ELEMENTWISE, write_elementwise
from .layout import Layout, pairs_of
from .products import write_product, write_products
from .schedule import Group
from .terms import VIEWS, Graph, Term
from .view import View

_Views = list[View]


class Lowering:
    """Writes the calls of a schedule. `calls.calls` is the result."""

    def __init__(self, graph: Graph, layout: Layout) -> None:
        self.layout = layout
        self.calls = Calls(layout.size)
        self._copied: set[Term] = set()

    def write(self, groups: Sequence[Group], outputs: Sequence[Term]) -> None:
        """Write every group, then what the outputs still need."""
        for group in groups:
            for term in group:
                for arg in term.args:
                    self._show(arg)
            if any(term.size for term in group):
                self._group(group)
        for term in outputs:
            self._show(term)

    def _show(self, term: Term) -> None:
        """Make the copies that stand for views no strides can express."""
        waiting = []
        while term.op in VIEWS:
            if term in self.layout.copied and term not in self._copied:
                waiting.append(term)
                self._copied.add(term)
            term = term.args[0]
        for view in reversed(waiting):
            # Only a reshape can need it: the copy is dense, so it can be filled through the argument's own shape.
            inner = view.args[0]
            target = self.layout.view[view.number].reshaped(inner.shape)
            assert target is not None
            self._copy(Operand(target, view.dtype), inner)

    def _copy(self, out: Operand, source: Term) -> None:
        if source.size:
            self.calls.add(np.copyto, out, self.operand(source))

    def operand(self, term: Term) -> Operand:
        """Where the term lies."""
        return Operand(self.layout.view[term.number], term.dtype)

    def _group(self, group: Group) -> None:
        op = group[0].op
        special = _SPECIAL.get(op)
        if special is not None:
            for term in group:
                special(self, term)
        elif op == "matmul":
            self._grids(group, [None, None], write_product)
        elif op == "sum":
            self._grids(group, [None], _write_sum)
        elif op in ELEMENTWISE or isinstance(REGISTRY.get(op), Elementwise):
            self._grids(group, [group[0].shape] * len(group[0].args), write_elementwise)
        else:
            for term in group:
                args = [self.operand(arg) for arg in term.args]
                assert term.kernel is not None
                self.calls.kernel(op, term.kernel, term.params, self.operand(term), args)

    def _grids(self, group: Group, shapes: Sequence[Any], write: Callable[..., None]) -> None:
        """Cut the group into grids of members at equal distances, and write a call for each."""
        view = self.layout.view
        rows = []
        for term in group:
            args = [
                view[arg.number] if shape is None else view[arg.number].broadcast(shape)
                for arg, shape in zip(term.args, shapes, strict=True)
            ]
            rows.append([*args, view[term.number]])
        first = group[0]
        dtypes = [*(arg.dtype for arg in first.args), first.dtype]
        for members in _alike(rows):
            for start, counts, steps in _fewest(members):
                stacked = []
                for k, window in enumerate(members[start]):
                    stacked.append(window.stacked(counts, tuple([step[k] for step in steps])) if counts else window)
                operands = [Operand(w, dtype) for w, dtype in zip(stacked, dtypes, strict=True)]
                write(self.calls, first, len(counts), operands[:-1], operands[-1])


def _alike(rows: list[_Views]) -> list[list[_Views]]:
    """The members whose windows have equal buffers, shapes and strides together."""
    if len(rows) == 1:
        return [rows]
    kinds: dict[Any, list[_Views]] = {}
    for row in rows:
        kinds.setdefault(tuple([(v.buffer, v.shape, v.strides) for v in row]), []).append(row)
    return list(kinds.values())


def _fewest(members: list[_Views]) -> Any:
    """The members cut into grids, in the order that takes fewest; reorders `members`."""
    if len(members) == 1:
        return [(0, (), [])]
    best: Any = None
    for slot in (-1, *range(len(members[0]) - 1), None):
        order = list(members) if slot is None else sorted(members, key=lambda row: row[slot].offset)
        grids = runs([tuple([v.offset for v in row]) for row in order])
        if best is None or len(grids) < len(best[0]):
            best = grids, order
        if len(grids) == 1:
            break
    members[:] = best[1]
    return best[0]


def _write_sum(calls: Calls, term: Term, lead: int, args: Sequence[Operand], out: Operand) -> None:
    axes = tuple([lead + axis for axis in term.params["axes"]])
    write_reduction(calls, args[0], axes, out, lead)


def write_reduction(calls: Calls, x: Operand, axes: tuple[int, ...], out: Operand, lead: int = 0) -> None:
    """Sum `x` over `axes` into `out`, which may have kept them or not."""
    shape, strides = out.view.shape, out.view.strides
    if len(shape) != len(x.view.shape):
        kept = iter(zip(shape, strides, strict=True))
        pairs = [(1, 0) if axis in axes else next(kept) for axis in range(len(x.view.shape))]
        shape, strides = tuple([n for n, _ in pairs]), tuple([s for _, s in pairs])
    window = Operand(View(out.view.buffer, out.view.offset, shape, strides), out.dtype)
    if not axes:
        calls.add(np.copyto, window, x)
        return
    calls.add(np.add.reduce, x, axes, out.dtype, window, True, name="sum")


def _sum_n(self: Lowering, term: Term) -> None:
    """One reduction over the slab of all members; a few where they lie apart."""
    out = self.operand(term)
    members = [[self.layout.view[arg.number]] for arg in term.args]
    axes = term.params["axes"]
    begun = False
    for alike in _alike(members):
        for start, counts, steps in _fewest(alike):
            window = alike[start][0].stacked(counts, tuple([step[0] for step in steps]))
            over = (*range(len(counts)), *(len(counts) + axis for axis in axes))
            target = self.calls.scratch(out.view.shape, out.dtype) if begun else out
            kept = window
            x, over = _leading_joined(kept, over)
            write_reduction(self.calls, Operand(x, term.dtype), over, target)
            if begun:
                self.calls.add(np.add, out, target, out)
            begun = True


def _leading_joined(x: View, axes: tuple[int, ...]) -> tuple[View, tuple[int, ...]]:
    """Join the first two axes where both are summed over and lie densely."""
    while len(axes) > 1 and axes[:2] == (0, 1):
        joined = x.reshaped((x.shape[0] * x.shape[1], *x.shape[2:]))
        if joined is None:
            break
        x, axes = joined, (0, *(axis - 1 for axis in axes[2:]))
    return x, axes


def _matmul_n(self: Lowering, term: Term) -> None:
    pairs = [[self.layout.view[a.number], self.layout.view[b.number]] for a, b in pairs_of(term.args)]
    grids = []
    for alike in _alike(pairs):
        for start, counts, steps in _fewest(alike):
            grids.append([w.stacked(counts, tuple([s[k] for s in steps])) for k, w in enumerate(alike[start])])
    write_products(self.calls, grids, self.operand(term))


def _pieces(self: Lowering, term: Term) -> None:
    """`assemble` and `place`: the pieces that are not in their places yet are copied there."""
    whole = self.layout.view[term.number]
    if not term.params.get("covered", False):
        self.calls.add(np.copyto, self.operand(term), number(0, term.dtype))
    indices = term.params.get("indices") or [term.params["index"]]
    for piece, index in zip(term.args, indices, strict=True):
        target = whole.sliced(index)
        if self.layout.view[piece.number] != target:
            self._copy(Operand(target, term.dtype), piece)


def _concat(self: Lowering, term: Term) -> None:
    if term in self.layout.free:
        return
    axis = term.params["axis"]
    at = 0
    for part in term.args:
        index = [(0, size, 1) for size in term.shape]
        index[axis] = (at, at + part.shape[axis], 1)
        at += part.shape[axis]
        self._copy(Operand(self.layout.view[term.number].sliced(tuple(index)), term.dtype), part)


_SPECIAL: dict[str, Callable[[Lowering, Term], None]] = {
    "sum_n": _sum_n,
    "matmul_n": _matmul_n,
    "assemble": _pieces,
    "place": _pieces,
    "concat": _concat,
}
