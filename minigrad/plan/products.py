"""Matrix products: a grid of them is one product of a taller matrix where memory allows, and their sum is one too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .calls import Calls, Operand
from .terms import Term
from .view import View, dense


def write_product(calls: Calls, term: Term, lead: int, args: Sequence[Operand], out: Operand) -> None:
    """`out = a @ b` for windows that have `lead` axes in front of those of the members."""
    (a, b), o = [arg.view for arg in args], out.view
    for axis in reversed(range(lead)):
        joined = _joined(a, b, o, axis)
        if joined is None:
            break
        a, b, o = joined
        lead -= 1
    if lead:
        rank = len(o.shape)
        a, b = (_padded(x, lead, rank) for x in (a, b))
    write_matmul(calls, Operand(a, args[0].dtype), Operand(b, args[1].dtype), Operand(o, out.dtype))


def write_matmul(calls: Calls, a: Operand, b: Operand, out: Operand) -> None:
    """`out = a @ b`, by the cheaper call for plain matrices."""
    plain = len(a.view.shape) == len(b.view.shape) == len(out.view.shape) == 2
    same = a.dtype == b.dtype == out.dtype and out.dtype.kind == "f"
    # np.dot scales by a 1 x 1 matrix with a BLAS routine that takes 0 * NaN to be 0.
    scaling = (1, 1) in (a.view.shape, b.view.shape)
    o = out.view
    if plain and same and not scaling and o == dense(o.buffer, o.offset, o.shape, out.dtype.itemsize):
        calls.add(np.dot, a, b, out)
    else:
        calls.add(np.matmul, a, b, out)


def _joined(a: View, b: View, out: View, axis: int) -> tuple[View, View, View] | None:
    """Take the leading axis `axis`, the last of them, into the rows (b is shared) or the columns (a is shared)."""
    if not len(a.shape) == len(b.shape) == len(out.shape) == axis + 3:
        return None
    if b.strides[axis] == 0:
        tall, tall_out = _into_rows(a), _into_rows(out)
        if tall and tall_out:
            return tall, _without(b, axis), tall_out
    if a.strides[axis] == 0:
        wide, wide_out = _into_columns(b, axis), _into_columns(out, axis)
        if wide and wide_out:
            return _without(a, axis), wide, wide_out
    return None


def _into_rows(x: View) -> View | None:
    *front, count, rows, columns = x.shape
    return x.reshaped((*front, count * rows, columns))


def _into_columns(x: View, axis: int) -> View | None:
    order = (*range(axis), axis + 1, axis, axis + 2)
    *front, count, rows, columns = x.shape
    return x.transposed(order).reshaped((*front, rows, count * columns))


def _without(x: View, axis: int) -> View:
    return View(x.buffer, x.offset, x.shape[:axis] + x.shape[axis + 1 :], x.strides[:axis] + x.strides[axis + 1 :])


def _padded(x: View, lead: int, rank: int) -> View:
    missing = (1,) * (rank - len(x.shape))
    zeros = (0,) * len(missing)
    return View(
        x.buffer, x.offset, x.shape[:lead] + missing + x.shape[lead:], x.strides[:lead] + zeros + x.strides[lead:]
    )


def write_products(calls: Calls, grids: Sequence[Any], out: Operand) -> None:
    """`out` = the sum of the products in all grids, each a pair of windows `(n ..., M, K)` and `(n ..., K, N)`."""
    begun = False
    for a, b in grids:
        for factor, other in _inner_joined(a, b):
            target = calls.scratch(out.view.shape, out.dtype) if begun else out
            write_matmul(calls, Operand(factor, out.dtype), Operand(other, out.dtype), target)
            if begun:
                calls.add(np.add, out, target, out)
            begun = True


def _inner_joined(a: View, b: View) -> list[tuple[View, View]]:
    """The leading axes taken into the inner one, so that one product sums over all of them; else one by one."""
    while len(a.shape) > 2:
        *front, count, rows, inner = a.shape
        order = (*range(len(front)), len(front) + 1, len(front), len(front) + 2)
        wide = a.transposed(order).reshaped((*front, rows, count * inner))
        tall = b.reshaped((*front, count * inner, b.shape[-1]))
        if wide is None or tall is None:
            return _one_by_one(a, b)
        a, b = wide, tall
    return [(a, b)]


def _one_by_one(a: View, b: View) -> list[tuple[View, View]]:
    pairs = [(a, b)]
    while len(pairs[0][0].shape) > 2:
        pairs = [(_member(x, k), _member(y, k)) for x, y in pairs for k in range(x.shape[0])]
    return pairs


def _member(x: View, k: int) -> View:
    return View(x.buffer, x.offset + k * x.strides[0], x.shape[1:], x.strides[1:])
