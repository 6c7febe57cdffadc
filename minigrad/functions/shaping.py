"""Shape manipulation: the same elements, arranged, repeated, joined or split."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike

from .. import ops
from ..node import Node
from ..ops.constants import lift
from ..ops.core import Value
from .axes import Axis, Sizes, as_node, as_tuple, normal_axes, normal_axis
from .indexing import getitem, take


def reshape(x: Value, shape: Sizes) -> Node:
    """The same elements in another shape; one size may be -1.

    >>> import minigrad as mg
    >>> mg.reshape(mg.input((2, 6)), (3, -1)).shape
    (3, 4)
    """
    x = as_node(x)
    sizes = list(as_tuple(shape))
    if sizes.count(-1) == 1:
        known = -int(np.prod(sizes))
        sizes[sizes.index(-1)] = x.size // known if known else 0
    if -1 in sizes or int(np.prod(sizes)) != x.size:
        raise ops.reshape.fail(f"cannot arrange {x.size} elements as {shape}", [x])
    return ops.reshape(x, shape=tuple(sizes))


def ravel(x: Value) -> Node:
    """All elements along one axis."""
    return reshape(x, -1)


def transpose(x: Value, axes: Sequence[int] | None = None) -> Node:
    """The axes permuted, reversed by default.

    >>> import minigrad as mg
    >>> mg.transpose(mg.input((2, 3, 4)), (1, 0, 2)).shape
    (3, 2, 4)
    """
    x = as_node(x)
    order = tuple(reversed(range(x.ndim))) if axes is None else tuple(normal_axis(a, x.ndim) for a in axes)
    if sorted(order) != list(range(x.ndim)):
        raise ops.transpose.fail(f"expects each of {x.ndim} axes once, got {axes}", [x])
    return ops.transpose(x, axes=order)


def swapaxes(x: Value, axis1: int, axis2: int) -> Node:
    """x with two axes exchanged."""
    x = as_node(x)
    order = list(range(x.ndim))
    i, j = normal_axis(axis1, x.ndim), normal_axis(axis2, x.ndim)
    order[i], order[j] = order[j], order[i]
    return transpose(x, order)


def matrix_transpose(x: Value) -> Node:
    """x with its last two axes exchanged."""
    return swapaxes(x, -2, -1)


def moveaxis(x: Value, source: Sizes, destination: Sizes) -> Node:
    """x with the axes `source` moved to the places `destination`, the others in their order."""
    x = as_node(x)
    moved = [normal_axis(a, x.ndim) for a in as_tuple(source)]
    places = [normal_axis(a, x.ndim) for a in as_tuple(destination)]
    if len(moved) != len(places):
        raise ValueError(f"moveaxis: expects as many sources as destinations, got {source} and {destination}")
    order = [axis for axis in range(x.ndim) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return transpose(x, order)


def rollaxis(x: Value, axis: int, start: int = 0) -> Node:
    """x with `axis` moved in front of axis `start`."""
    x = as_node(x)
    source, target = normal_axis(axis, x.ndim), normal_axis(start, x.ndim + 1)
    return moveaxis(x, source, target - 1 if source < target else target)


def expand_dims(x: Value, axis: Sizes) -> Node:
    """x with new axes of size 1 at the places `axis` of the result."""
    x = as_node(x)
    places = normal_axes(axis, x.ndim + len(as_tuple(axis)))
    sizes = list(x.shape)
    for place in places:
        sizes.insert(place, 1)
    return reshape(x, sizes)


def squeeze(x: Value, axis: Axis = None) -> Node:
    """x without its axes of size 1, or without those in `axis`."""
    x = as_node(x)
    dropped = normal_axes(axis, x.ndim) if axis is not None else [a for a, size in enumerate(x.shape) if size == 1]
    if any(x.shape[a] != 1 for a in dropped):
        raise ops.reshape.fail(f"squeeze expects axes of size 1 at {axis}", [x])
    return reshape(x, [size for a, size in enumerate(x.shape) if a not in dropped])


def broadcast_to(x: Value, shape: Sizes) -> Node:
    """x repeated along new or size-1 axes to `shape`."""
    return ops.broadcast_to(as_node(x), shape=as_tuple(shape))


def broadcast_arrays(*xs: Value) -> tuple[Node, ...]:
    """The arguments, each broadcast to the shape they have together."""
    nodes = [as_node(x) for x in xs]
    shape = np.broadcast_shapes(*(node.shape for node in nodes))
    return tuple(node if node.shape == shape else broadcast_to(node, shape) for node in nodes)


def atleast_1d(*xs: Value) -> Any:
    """x with at least one axis; a tuple for several arguments."""
    return _each(xs, lambda x: reshape(x, (1,)) if x.ndim == 0 else x)


def atleast_2d(*xs: Value) -> Any:
    """x with at least two axes, new ones in front; a tuple for several arguments."""
    return _each(xs, lambda x: x if x.ndim > 1 else reshape(x, (1, x.size)))


def atleast_3d(*xs: Value) -> Any:
    """x with at least three axes, as NumPy arranges them; a tuple for several arguments."""
    return _each(xs, lambda x: x if x.ndim > 2 else reshape(x, (*x.shape, 1) if x.ndim == 2 else (1, x.size, 1)))


def _each(xs: Sequence[Value], function: Any) -> Any:
    results = tuple(function(as_node(x)) for x in xs)
    return results[0] if len(results) == 1 else results


def concatenate(xs: Sequence[Value], axis: int | None = 0) -> Node:
    """The arguments joined along an existing axis; None joins them flattened.

    >>> import minigrad as mg
    >>> mg.concatenate([mg.input((2, 3)), mg.input((4, 3))]).shape
    (6, 3)
    """
    nodes: Sequence[Node] = lift(list(xs))
    if axis is None:
        nodes, axis = [ravel(node) for node in nodes], 0
    if not nodes[0].ndim:
        raise ops.concat.fail("expects arguments of one or more axes; use stack", nodes)
    return ops.concat(*nodes, axis=normal_axis(axis, nodes[0].ndim))


def stack(xs: Sequence[Value], axis: int = 0) -> Node:
    """The arguments joined along a new axis.

    >>> import minigrad as mg
    >>> mg.stack([mg.input((3,)), mg.input((3,))]).shape
    (2, 3)
    """
    nodes = lift(list(xs))
    if any(node.shape != nodes[0].shape for node in nodes):
        raise ops.concat.fail("stack expects arguments of one shape", nodes)
    place = normal_axis(axis, nodes[0].ndim + 1)
    return concatenate([expand_dims(node, place) for node in nodes], place)


def vstack(xs: Sequence[Value]) -> Node:
    """The arguments as rows, one under the other."""
    return concatenate([atleast_2d(x) for x in xs], 0)


def hstack(xs: Sequence[Value]) -> Node:
    """The arguments side by side: along axis 1, or axis 0 for vectors."""
    nodes = [atleast_1d(x) for x in xs]
    return concatenate(nodes, 0 if nodes[0].ndim == 1 else 1)


def dstack(xs: Sequence[Value]) -> Node:
    """The arguments joined along the third axis."""
    return concatenate([atleast_3d(x) for x in xs], 2)


def column_stack(xs: Sequence[Value]) -> Node:
    """The arguments side by side, vectors as columns."""
    nodes = [as_node(x) for x in xs]
    return concatenate([node if node.ndim > 1 else reshape(node, (-1, 1)) for node in nodes], 1)


def append(x: Value, values: Value, axis: int | None = None) -> Node:
    """x with `values` joined at its end; both flattened if there is no `axis`."""
    return concatenate([x, values], axis)


def insert(x: Value, index: int, values: Value, axis: int) -> Node:
    """x with `values` put before position `index` of `axis`."""
    x, values = lift((x, values))
    axis = normal_axis(axis, x.ndim)
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    new = values if values.ndim == x.ndim else broadcast_to(values, shape)
    head, tail = split(x, [index], axis)
    return concatenate([head, new, tail], axis)


def delete(x: Value, index: Sizes, axis: int) -> Node:
    """x without the positions `index` of `axis`."""
    x = as_node(x)
    size = x.shape[normal_axis(axis, x.ndim)]
    dropped = {normal_axis(i, size) for i in as_tuple(index)}
    return take(x, [i for i in range(size) if i not in dropped], axis)


def split(x: Value, indices_or_sections: Sizes, axis: int = 0) -> list[Node]:
    """x cut along `axis` into equal parts, or before each of the given positions.

    >>> import minigrad as mg
    >>> [part.shape for part in mg.functions.split(mg.input((6, 2)), 3)]
    [(2, 2), (2, 2), (2, 2)]
    """
    x = as_node(x)
    size = x.shape[normal_axis(axis, x.ndim)]
    if isinstance(indices_or_sections, (int, np.integer)) and size % indices_or_sections:
        raise ops.slice_.fail(f"split expects {indices_or_sections} equal parts of axis {axis}; use array_split", [x])
    return array_split(x, indices_or_sections, axis)


def array_split(x: Value, indices_or_sections: Sizes, axis: int = 0) -> list[Node]:
    """x cut along `axis` into nearly equal parts, or before each of the given positions."""
    x = as_node(x)
    axis = normal_axis(axis, x.ndim)
    size = x.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        short, longer = divmod(size, int(indices_or_sections))
        sizes = [short + 1] * longer + [short] * (int(indices_or_sections) - longer)
        cuts = [0, *(int(cut) for cut in np.cumsum(sizes))]
    else:
        cuts = [0, *(int(cut) for cut in indices_or_sections), size]
    everything = (slice(None),) * axis
    return [getitem(x, (*everything, slice(low, high))) for low, high in pairwise(cuts)]


def vsplit(x: Value, indices_or_sections: Sizes) -> list[Node]:
    """x cut along axis 0."""
    return split(x, indices_or_sections, 0)


def hsplit(x: Value, indices_or_sections: Sizes) -> list[Node]:
    """x cut along axis 1, or axis 0 of a vector."""
    x = as_node(x)
    return split(x, indices_or_sections, 1 if x.ndim > 1 else 0)


def dsplit(x: Value, indices_or_sections: Sizes) -> list[Node]:
    """x cut along axis 2."""
    return split(x, indices_or_sections, 2)


def unstack(x: Value, *, axis: int = 0) -> tuple[Node, ...]:
    """The members of x along `axis`, without that axis."""
    x = as_node(x)
    axis = normal_axis(axis, x.ndim)
    return tuple(getitem(x, (*(slice(None),) * axis, i)) for i in range(x.shape[axis]))


def flip(x: Value, axis: Axis = None) -> Node:
    """x backward along `axis` (all axes by default)."""
    x = as_node(x)
    axes = normal_axes(axis, x.ndim)
    return getitem(x, tuple(slice(None, None, -1) if a in axes else slice(None) for a in range(x.ndim)))


def flipud(x: Value) -> Node:
    """x backward along axis 0."""
    return flip(x, 0)


def fliplr(x: Value) -> Node:
    """x backward along axis 1."""
    return flip(x, 1)


def rot90(x: Value, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Node:
    """x turned `k` times by a right angle, from the first of `axes` towards the second."""
    x = as_node(x)
    first, second = axes
    turns = k % 4
    if turns == 0:
        return x
    if turns == 2:
        return flip(x, axes)
    return swapaxes(flip(x, second), first, second) if turns == 1 else flip(swapaxes(x, first, second), second)


def roll(x: Value, shift: Sizes, axis: Axis = None) -> Node:
    """x moved around along `axis` by `shift` places; flattened first if there is no `axis`."""
    x = as_node(x)
    if axis is None:
        return reshape(roll(ravel(x), builtins.sum(as_tuple(shift)), 0), x.shape)
    places = as_tuple(axis)
    shifts = as_tuple(shift) * (len(places) if len(as_tuple(shift)) == 1 else 1)
    for by, place in zip(shifts, places, strict=True):
        size = x.shape[place]
        if size and by % size:
            tail, head = split(x, [size - by % size], place)
            x = concatenate([head, tail], place)
    return x


def repeat(x: Value, repeats: Sizes, axis: int | None = None) -> Node:
    """Each element of x repeated in place; flattened first if there is no `axis`."""
    x = as_node(x)
    if axis is None:
        x, axis = ravel(x), 0
    return take(x, np.repeat(np.arange(x.shape[axis]), repeats), axis)


def tile(x: Value, reps: Sizes) -> Node:
    """x repeated as a whole, `reps` times along each axis.

    >>> import minigrad as mg
    >>> mg.functions.tile(mg.constant([1.0, 2.0]), (2, 2)).eval()
    array([[1., 2., 1., 2.],
           [1., 2., 1., 2.]])
    """
    x = as_node(x)
    counts = as_tuple(reps)
    rank = max(x.ndim, len(counts))
    sizes = (1,) * (rank - x.ndim) + x.shape
    counts = (1,) * (rank - len(counts)) + counts
    pairs = list(zip(counts, sizes, strict=True))
    spread = broadcast_to(
        reshape(x, [n for _, size in pairs for n in (1, size)]), [n for count, size in pairs for n in (count, size)]
    )
    return reshape(spread, [count * size for count, size in pairs])


PadMode = Literal["constant", "edge", "reflect", "symmetric", "wrap"]


def pad(x: Value, pad_width: Any, mode: PadMode = "constant", *, constant_values: float = 0) -> Node:
    """x with a border: of `constant_values`, or of its own elements (mode "edge", "reflect", "symmetric", "wrap")."""
    x = as_node(x)
    if mode not in get_args(PadMode):  # NumPy's other modes make elements that x does not have
        raise ValueError(f"pad: expects a mode of {', '.join(get_args(PadMode))}, got {mode!r}")
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    if mode != "constant":
        for axis, (before, after) in enumerate(widths):
            positions: Any = np.pad(np.arange(x.shape[axis]), (before, after), mode=mode)
            x = take(x, positions, axis)
        return x
    shape = tuple(before + size + after for size, (before, after) in zip(x.shape, widths, strict=True))
    index = tuple((before, before + size, 1) for size, (before, _) in zip(x.shape, widths, strict=True))
    node: Node = ops.place(x, shape=shape, index=index)
    if constant_values == 0:
        return node
    inside = np.zeros(shape, dtype=bool)
    inside[tuple(slice(low, high) for low, high, _ in index)] = True
    return ops.where(inside, node, constant_values)


def meshgrid(*xs: Value, indexing: str = "xy") -> list[Node]:
    """One grid for each of the vectors, which varies along that vector's axis alone."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f'meshgrid: indexing is "xy" or "ij", got {indexing!r}')
    nodes = [ravel(x) for x in xs]
    rank = len(nodes)
    grids = broadcast_arrays(
        *(reshape(x, [x.size if axis == i else 1 for axis in range(rank)]) for i, x in enumerate(nodes))
    )
    return [swapaxes(grid, 0, 1) if indexing == "xy" and rank > 1 else grid for grid in grids]


def astype(x: Value, dtype: DTypeLike) -> Node:
    """x converted to `dtype`."""
    x = as_node(x)
    target = np.dtype(dtype)
    return x if x.dtype == target else ops.cast(x, dtype=target)


def full_like(x: Value, fill_value: Value, dtype: DTypeLike | None = None, *, shape: Sizes | None = None) -> Node:
    """`fill_value` in the shape and dtype of x, or in those given."""
    x = as_node(x)
    target = x.shape if shape is None else as_tuple(shape)
    return broadcast_to(astype(fill_value, x.dtype if dtype is None else dtype), target)


def zeros_like(x: Value, dtype: DTypeLike | None = None, *, shape: Sizes | None = None) -> Node:
    """Zeros in the shape and dtype of x."""
    return full_like(x, 0, dtype, shape=shape)


def ones_like(x: Value, dtype: DTypeLike | None = None, *, shape: Sizes | None = None) -> Node:
    """Ones in the shape and dtype of x."""
    return full_like(x, 1, dtype, shape=shape)


def copy(x: Value) -> Node:
    """x itself: a node never changes."""
    return as_node(x)
