"""The linear ops that pick elements, and their transposes that put them back: slice and place, gather and scatter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..node import Array, Shape
from .core import Linear, Stacked, Value, joint_shape, len_of_stack

# A basic index, one entry an axis: an integer, or (start, stop, step) as `slice.indices` gives them.
Index = tuple[int | tuple[int, int, int], ...]


class Slice(Linear):
    """Basic indexing: an integer drops its axis, a (start, stop, step) keeps it."""

    name = "slice"
    latex = "{0}_{{[\\cdot]}}"

    def kernel(self, x: Array, *, index: Index) -> Any:
        return x[as_numpy_index(index)]

    def shape(self, x: Shape, *, index: Index) -> Shape:
        return tuple([len(range(*entry)) for entry in index if isinstance(entry, tuple)])

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, index: Index) -> Value:
        return place(ct, shape=args[0].shape, index=index)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        return Stacked(self(args[0].value, index=((0, len_of_stack(args[0]), 1), *params["index"])))


class Place(Linear):
    """Zeros of `shape` with x at the basic index `index`: the transpose of `slice`."""

    name = "place"
    latex = r"\operatorname{{place}}({0})"

    def kernel(self, x: Array, *, shape: Shape, index: Index) -> Any:
        out = np.zeros(shape, dtype=x.dtype)
        out[as_numpy_index(index)] = x
        return out

    def shape(self, x: Shape, *, shape: Shape, index: Index) -> Shape:
        return shape

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, shape: Shape, index: Index) -> Value:
        return slice_(ct, index=index)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        count = len_of_stack(args[0])
        return Stacked(self(args[0].value, shape=(count, *params["shape"]), index=((0, count, 1), *params["index"])))


class Gather(Linear):
    """x at integer positions: `indices[i]` runs over axis `lead + i`; the indices broadcast together.

    The result has the first `lead` axes of x, the indices' joint shape, then the rest of x. Negative positions count
    from the end; a position out of range raises IndexError when the graph is evaluated.
    """

    name = "gather"
    latex = r"{0}_{{[{1}]}}"

    def kernel(self, x: Array, *indices: Array, lead: int) -> Any:
        return x[(slice(None),) * lead + indices]

    def shape(self, x: Shape, *indices: Shape, lead: int) -> Shape:
        if not indices or lead + len(indices) > len(x):
            raise ValueError(f"expects 1 to {len(x) - lead} index arrays, got {len(indices)}")
        return (*x[:lead], *joint_shape(indices), *x[lead + len(indices) :])

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return _indexed(dtypes)

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, lead: int) -> Value:
        return scatter_add(ct, *args[1:], shape=args[0].shape, lead=lead)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        if any(isinstance(index, Stacked) for index in args[1:]):
            return super().on_stacks(args, params)
        return Stacked(self(args[0].value, *args[1:], lead=params["lead"] + 1))


class ScatterAdd(Linear):
    """Zeros of `shape` to which x is added at integer positions, repeats adding up: the transpose of `gather`."""

    name = "scatter_add"
    latex = r"\operatorname{{scatter}}({0})"

    def kernel(self, x: Array, *indices: Array, shape: Shape, lead: int) -> Any:
        out = np.zeros(shape, dtype=x.dtype)
        where: Any = (slice(None),) * lead + indices
        np.add.at(out, where, x)
        return out

    def shape(self, x: Shape, *indices: Shape, shape: Shape, lead: int) -> Shape:
        expected = (*shape[:lead], *joint_shape(indices), *shape[lead + len(indices) :])
        if x != expected:
            raise ValueError(f"expects a first argument of shape {expected}")
        return shape

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return _indexed(dtypes)

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, shape: Shape, lead: int) -> Value:
        return gather(ct, *args[1:], lead=lead)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        if any(isinstance(index, Stacked) for index in args[1:]):
            return super().on_stacks(args, params)
        shape = (len_of_stack(args[0]), *params["shape"])
        return Stacked(self(args[0].value, *args[1:], shape=shape, lead=params["lead"] + 1))


def _indexed(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    for dtype in dtypes[1:]:
        if dtype.kind not in "iu":
            raise IndexError(f"an index node must have an integer dtype, got {dtype}; a mask belongs in np.where")
    return dtypes[0]


@lru_cache(1024)
def as_numpy_index(index: Index) -> tuple[Any, ...]:
    """The index as NumPy takes it."""
    return tuple([entry if isinstance(entry, int) else _as_slice(*entry) for entry in index])


def _as_slice(start: int, stop: int, step: int) -> slice:
    # As `slice.indices` has them, -1 means 'before the first', which in a slice would count from the end.
    if start < 0:
        return slice(0, 0)
    return slice(start, None if stop < 0 else stop, step)


slice_ = Slice()
place = Place()
gather = Gather()
scatter_add = ScatterAdd()
