"""Picking elements: NumPy's basic and integer-array indexing, and the functions built on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..node import Node, Shape
from ..ops.core import Value
from .axes import as_node, normal_axis

_Entry = int | tuple[int, int, int]


def getitem(x: Value, index: Any) -> Node:
    """NumPy's indexing: integers, slices, `...`, `None`, integer arrays (with repeats) and boolean masks that are
    arrays. An integer array may be a node.

    >>> import minigrad as mg
    >>> x = mg.input((4, 5, 6))
    >>> x[1, ..., ::-2].shape, x[:, None, 2].shape, x[[0, 0, 3], :, [1, 2, 2]].shape
    ((5, 3), (4, 1, 6), (3, 5))
    """
    x = as_node(x)
    entries = _expand(x, index)
    if any(isinstance(entry, (Node, np.ndarray)) for entry in entries):
        return _pick(x, entries)
    return _cut(x, entries)


def _expand(x: Node, index: Any) -> list[Any]:
    """The index with one entry an axis (None apart), masks as positions, lists as arrays, `...` spelled out."""
    entries: list[Any] = []
    for entry in index if isinstance(index, tuple) else (index,):
        entries.extend(_as_entries(x, entry))
    used = sum(1 for entry in entries if entry is not None and entry is not Ellipsis)
    dots = [place for place, entry in enumerate(entries) if entry is Ellipsis]
    if len(dots) > 1 or used > x.ndim:
        raise IndexError(f"{x!r} cannot be indexed by {index!r}: it has {x.ndim} axes")
    at = dots[0] if dots else len(entries)
    entries[at : at + len(dots)] = [slice(None)] * (x.ndim - used)
    return entries


def _as_entries(x: Node, entry: Any) -> Sequence[Any]:
    if entry is None or entry is Ellipsis or isinstance(entry, slice):
        return (entry,)
    if isinstance(entry, (int, np.integer)) and not isinstance(entry, bool):
        return (int(entry),)
    if not isinstance(entry, Node):
        entry = np.asarray(entry)
        if not entry.size and entry.dtype.kind == "f":
            entry = entry.astype(int)
    if entry.dtype.kind == "b":
        if isinstance(entry, Node):
            raise IndexError(f"a mask that is a node gives no known shape: choose with np.where instead; {entry!r}")
        return np.nonzero(entry)
    if entry.dtype.kind not in "iu":
        raise IndexError(
            f"{x!r} takes integers, slices, ..., None, integer arrays and masks as an index, got {entry!r}"
        )
    return (entry,)


def _cut(x: Node, entries: Sequence[Any]) -> Node:
    """Basic indexing: integers, slices and None."""
    normal: list[_Entry] = []
    shape: list[int] = []
    for entry in entries:
        if entry is None:
            shape.append(1)
            continue
        normal.append(_normal_entry(x, entry, len(normal)))
        if isinstance(normal[-1], tuple):
            shape.append(len(range(*normal[-1])))
    node: Node = x if _takes_all(normal, x.shape) else ops.slice_(x, index=tuple(normal))
    return node if node.shape == tuple(shape) else ops.reshape(node, shape=tuple(shape))


def _normal_entry(x: Node, entry: Any, axis: int) -> _Entry:
    size = x.shape[axis]
    if isinstance(entry, slice):
        return entry.indices(size)
    if not -size <= entry < size:
        raise IndexError(f"{x!r}: index {entry} is out of range for axis {axis} of size {size}")
    return int(entry) % size


def _takes_all(index: Sequence[_Entry], shape: Shape) -> bool:
    return all(entry == (0, size, 1) for entry, size in zip(index, shape, strict=True))


def _pick(x: Node, entries: Sequence[Any]) -> Node:
    """Integer-array indexing. Integers among the arrays count as arrays, as in NumPy."""
    arrays = [_in_range(x, entry, _axis_of(entries, i)) for i, entry in enumerate(entries) if _is_position(entry)]
    places = [i for i, entry in enumerate(entries) if _is_position(entry)]
    x = _cut(x, [slice(None) if _is_position(entry) else entry for entry in entries])
    adjacent = places == list(range(places[0], places[-1] + 1))
    if adjacent:
        return ops.gather(x, *arrays, lead=places[0])
    # Arrays apart from each other: NumPy puts their axes first.
    rest = [axis for axis in range(x.ndim) if axis not in places]
    return ops.gather(ops.transpose(x, axes=(*places, *rest)), *arrays, lead=0)


def _is_position(entry: Any) -> bool:
    return isinstance(entry, (int, np.ndarray, Node))


def _axis_of(entries: Sequence[Any], place: int) -> int:
    return sum(1 for entry in entries[:place] if entry is not None)


def _in_range(x: Node, entry: Any, axis: int) -> Node:
    size = x.shape[axis]
    if isinstance(entry, Node):
        return entry
    positions = np.asarray(entry)
    outside = positions[(positions < -size) | (positions >= size)]
    if outside.size:
        raise IndexError(f"{x!r}: index {outside.flat[0]} is out of range for axis {axis} of size {size}")
    return ops.constant(positions % size if size else positions)


def take(x: Value, indices: Value, axis: int | None = None) -> Node:
    """x at integer positions along `axis` (of x flattened by default).

    >>> import minigrad as mg
    >>> mg.functions.take(mg.constant([1.0, 2.0, 3.0]), [2, 0, 2]).eval()
    array([3., 1., 3.])
    """
    x = as_node(x)
    if axis is None:
        x, axis = ops.reshape(x, shape=(x.size,)), 0
    axis = normal_axis(axis, x.ndim)
    positions = indices if isinstance(indices, Node) else np.asarray(indices, dtype=None if np.size(indices) else int)
    return getitem(x, (*(slice(None),) * axis, positions))


def take_along_axis(x: Value, indices: Value, axis: int = -1) -> Node:
    """One element of x for each element of `indices`, which match x but along `axis`."""
    x, at = as_node(x), as_node(indices)
    axis = normal_axis(axis, x.ndim)
    if at.ndim != x.ndim:
        raise ops.gather.fail("take_along_axis expects as many axes in the indices as in x", (x, at))
    index: list[Any] = []
    for other, size in enumerate(x.shape):
        along = [1] * x.ndim
        along[other] = -1
        index.append(at if other == axis else np.arange(size).reshape(along))
    return ops.gather(x, *(as_node(entry) for entry in index), lead=0)


def compress(condition: Any, x: Value, axis: int | None = None) -> Node:
    """x where the array `condition` holds, along `axis` (of x flattened by default)."""
    return take(x, np.flatnonzero(condition), axis)


def extract(condition: Any, x: Value) -> Node:
    """The elements of x where the array `condition` holds."""
    return take(x, np.flatnonzero(condition))


def diagonal(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The diagonals over two axes, as a new last axis."""
    x = as_node(x)
    first, second = normal_axis(axis1, x.ndim), normal_axis(axis2, x.ndim)
    rest = [axis for axis in range(x.ndim) if axis not in (first, second)]
    moved = ops.transpose(x, axes=(*rest, first, second))
    count = max(0, min(x.shape[first] + min(offset, 0), x.shape[second] - max(offset, 0)))
    rows = np.arange(count) + max(-offset, 0)
    return ops.gather(moved, ops.constant(rows), ops.constant(rows + offset), lead=len(rest))


def diag(x: Value, k: int = 0) -> Node:
    """The diagonal `k` of a matrix, or the matrix with the vector x on its diagonal `k`."""
    x = as_node(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ops.gather.fail("diag expects a vector or a matrix", [x])
    size = x.shape[0] + abs(k)
    rows = np.arange(x.shape[0]) + max(-k, 0)
    return ops.scatter_add(x, ops.constant(rows), ops.constant(rows + k), shape=(size, size), lead=0)


def diagflat(x: Value, k: int = 0) -> Node:
    """The matrix with all elements of x on its diagonal `k`."""
    x = as_node(x)
    return diag(ops.reshape(x, shape=(x.size,)), k)


def tril(x: Value, k: int = 0) -> Node:
    """x with zeros above diagonal `k` of its last two axes."""
    x = as_node(x)
    return ops.where(np.tri(x.shape[-2], x.shape[-1], k, dtype=bool), x, 0)


def triu(x: Value, k: int = 0) -> Node:
    """x with zeros below diagonal `k` of its last two axes."""
    x = as_node(x)
    return ops.where(np.tri(x.shape[-2], x.shape[-1], k - 1, dtype=bool), 0, x)


def where(condition: Value, x: Value, y: Value) -> Node:
    """x where the condition holds, else y.

    The gradient of the branch not taken is 0, but a partial of inf or NaN on that branch makes it NaN: keep the
    argument of such a branch harmless (`where(c, sqrt(where(c, x, 1)), 0)`, the double where), or see `strong_zero`.

    >>> import minigrad as mg
    >>> mg.where(mg.constant([True, False]), 1.0, 2.0).eval()
    array([1., 2.])
    """
    chosen = as_node(condition)
    if chosen.dtype.kind != "b":
        chosen = ops.not_equal(chosen, 0)
    return ops.where(chosen, x, y)


def select(condlist: Sequence[Value], choicelist: Sequence[Value], default: Value = 0) -> Node:
    """For each element the first choice whose condition holds, else the default."""
    if len(condlist) != len(choicelist):
        raise ValueError(f"select: expects one choice a condition, got {len(choicelist)} for {len(condlist)}")
    result = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = where(condition, choice, result)
    return as_node(result)


def choose(x: Value, choices: Sequence[Value]) -> Node:
    """For each element of the integers x, the element of that choice."""
    index = as_node(x)
    return select([ops.equal(index, i) for i in range(len(choices))], choices)


def sort(x: Value, axis: int | None = -1) -> Node:
    """x in ascending order along `axis` (None flattens it first)."""
    x = as_node(x)
    if axis is None:
        x, axis = ops.reshape(x, shape=(x.size,)), 0
    return take_along_axis(x, argsort(x, axis), axis)


def argsort(x: Value, axis: int = -1) -> Node:
    """The positions that sort x along `axis`; equal elements keep their order."""
    x = as_node(x)
    return ops.argsort(x, axis=normal_axis(axis, x.ndim))
