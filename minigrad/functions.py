"""What is derived from primitives, in plain minigrad: NumPy's spellings of the linear ops, and the functions NumPy has
no name for. Axes and shapes are normalised here, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import ops
from .node import Node, Shape
from .ops.core import Value, lift

Axis = int | Sequence[int] | None


def as_node(x: Value) -> Node:
    """x itself if it is a node, else a constant."""
    return x if isinstance(x, Node) else ops.constant(x)


def normal_axes(axis: Axis, rank: int) -> tuple[int, ...]:
    """`axis` as ascending non-negative axes; None means all."""
    if axis is None:
        return tuple(range(rank))
    given = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    axes = sorted(normal_axis(a, rank) for a in given)
    if len(set(axes)) != len(axes):
        raise ValueError(f"an axis is given twice in {given}")
    return tuple(axes)


def normal_axis(axis: int, rank: int) -> int:
    """`axis` counted from the front."""
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for {rank} axes")
    return int(axis) % rank


def sum(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The sum over `axis` (all axes by default).

    >>> import minigrad as mg
    >>> mg.sum(mg.constant([[1.0, 2.0], [3.0, 4.0]]), axis=0).eval()
    array([4., 6.])
    """
    x = as_node(x)
    node: Node = ops.sum_(x, axes=normal_axes(axis, x.ndim), keepdims=keepdims)
    return node


def mean(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The mean over `axis` (all axes by default).

    >>> import minigrad as mg
    >>> mg.mean(mg.constant([1.0, 2.0, 6.0])).eval()
    array(3.)
    """
    x = as_node(x)
    count = int(np.prod([x.shape[a] for a in normal_axes(axis, x.ndim)]))
    return sum(x, axis, keepdims=keepdims) / count


def reshape(x: Value, shape: int | Sequence[int]) -> Node:
    """The same elements in another shape; one size may be -1.

    >>> import minigrad as mg
    >>> mg.reshape(mg.input((2, 6)), (3, -1)).shape
    (3, 4)
    """
    x = as_node(x)
    sizes = [shape] if isinstance(shape, (int, np.integer)) else [int(size) for size in shape]
    if sizes.count(-1) == 1:
        known = -int(np.prod(sizes))
        sizes[sizes.index(-1)] = x.size // known if known else 0
    if -1 in sizes or int(np.prod(sizes)) != x.size:
        raise ops.reshape.fail(f"cannot arrange {x.size} elements as {shape}", [x])
    node: Node = ops.reshape(x, shape=tuple(int(size) for size in sizes))
    return node


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
    node: Node = ops.transpose(x, axes=order)
    return node


def broadcast_to(x: Value, shape: int | Sequence[int]) -> Node:
    """x repeated along new or size-1 axes to `shape`."""
    target = (shape,) if isinstance(shape, int) else tuple(int(size) for size in shape)
    node: Node = ops.broadcast_to(as_node(x), shape=target)
    return node


def matmul(a: Value, b: Value) -> Node:
    """Matrix product with NumPy's rules: vectors are promoted, leading axes broadcast.

    >>> import minigrad as mg
    >>> mg.matmul(mg.input((5, 2, 3)), mg.input((3,))).shape
    (5, 2)
    """
    a, b = lift((a, b))
    if not a.ndim or not b.ndim:
        raise ops.matmul.fail("expects arguments of one or more axes; scale with *", (a, b))
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ops.matmul.fail(
            f"expects a.shape[-1] == b.shape[-2], got {a.shape[-1]} and {b.shape[-2 if b.ndim > 1 else 0]}", (a, b)
        )
    left = reshape(a, (1, *a.shape)) if a.ndim == 1 else a
    right = reshape(b, (*b.shape, 1)) if b.ndim == 1 else b
    if right.ndim == 2 and left.ndim > 2:
        # One product of a tall matrix, so that the gradient of the right factor is one product too, not a sum of many.
        tall = reshape(left, (-1 if left.size else int(np.prod(left.shape[:-1])), left.shape[-1]))
        product = reshape(ops.matmul(tall, right), (*left.shape[:-1], right.shape[-1]))
    else:
        product = ops.matmul(left, right)
    shape = list(product.shape)
    if b.ndim == 1:
        del shape[-1]
    if a.ndim == 1:
        del shape[-1 if b.ndim == 1 else -2]
    return product if tuple(shape) == product.shape else reshape(product, shape)


def dot(a: Value, b: Value) -> Node:
    """NumPy's dot for arguments of at most two axes.

    >>> import minigrad as mg
    >>> mg.dot(mg.constant([1.0, 2.0]), mg.constant([3.0, 4.0])).eval()
    array(11.)
    """
    a, b = lift((a, b))
    if a.ndim > 2 or b.ndim > 2:
        raise ops.matmul.fail("dot takes at most two axes; write matmul or einsum", (a, b))
    return matmul(a, b) if a.ndim and b.ndim else a * b


def swapaxes(x: Value, first: int, second: int) -> Node:
    """x with two axes exchanged."""
    x = as_node(x)
    order = list(range(x.ndim))
    i, j = normal_axis(first, x.ndim), normal_axis(second, x.ndim)
    order[i], order[j] = order[j], order[i]
    return transpose(x, order)


def concatenate(xs: Sequence[Value], axis: int = 0) -> Node:
    """The arguments joined along an existing axis.

    >>> import minigrad as mg
    >>> mg.concatenate([mg.input((2, 3)), mg.input((4, 3))]).shape
    (6, 3)
    """
    nodes = lift(list(xs))
    node: Node = ops.concat(*nodes, axis=normal_axis(axis, nodes[0].ndim))
    return node


def stack(xs: Sequence[Value], axis: int = 0) -> Node:
    """The arguments joined along a new axis.

    >>> import minigrad as mg
    >>> mg.stack([mg.input((3,)), mg.input((3,))]).shape
    (2, 3)
    """
    nodes = lift(list(xs))
    position = normal_axis(axis, nodes[0].ndim + 1)
    return concatenate([_new_axis(node, position) for node in nodes], position)


def _new_axis(x: Node, position: int) -> Node:
    return reshape(x, (*x.shape[:position], 1, *x.shape[position:]))


def getitem(x: Value, index: Any) -> Node:
    """Basic indexing: integers, slices, `...` and `None`.

    >>> import minigrad as mg
    >>> x = mg.input((4, 5, 6))
    >>> x[1, ..., ::-2].shape, x[:, None, 2].shape
    ((5, 3), (4, 1, 6))
    """
    x = as_node(x)
    entries = list(index) if isinstance(index, tuple) else [index]
    used = len(entries) - entries.count(None) - entries.count(Ellipsis)
    if entries.count(Ellipsis) > 1 or used > x.ndim:
        raise IndexError(f"{x!r} cannot be indexed by {index!r}: it has {x.ndim} axes")
    if Ellipsis not in entries:
        entries.append(Ellipsis)
    at = entries.index(Ellipsis)
    entries[at : at + 1] = [slice(None)] * (x.ndim - used)
    normal: list[int | tuple[int, int, int]] = []
    shape: list[int] = []
    for entry in entries:
        if entry is None:
            shape.append(1)
            continue
        normal.append(_normal_entry(x, entry, len(normal)))
        if isinstance(normal[-1], tuple):
            shape.append(len(range(*normal[-1])))
    node: Node = x if _takes_all(normal, x.shape) else ops.slice_(x, index=tuple(normal))
    return node if node.shape == tuple(shape) else reshape(node, shape)


def _normal_entry(x: Node, entry: Any, axis: int) -> int | tuple[int, int, int]:
    size = x.shape[axis]
    if isinstance(entry, slice):
        return entry.indices(size)
    if isinstance(entry, (int, np.integer)) and not isinstance(entry, bool):
        if not -size <= entry < size:
            raise IndexError(f"{x!r}: index {entry} is out of range for axis {axis} of size {size}")
        return int(entry) % size
    raise IndexError(f"{x!r} takes integers, slices, ... and None as an index, got {entry!r}")


def _takes_all(index: Sequence[int | tuple[int, int, int]], shape: Shape) -> bool:
    return all(entry == (0, size, 1) for entry, size in zip(index, shape, strict=True))


def astype(x: Value, dtype: DTypeLike) -> Node:
    """x converted to `dtype`."""
    x = as_node(x)
    target = np.dtype(dtype)
    node: Node = x if x.dtype == target else ops.cast(x, dtype=target)
    return node


def logsumexp(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """log(sum(exp(x))) over `axis`, without overflow.

    >>> import minigrad as mg
    >>> mg.logsumexp(mg.constant([1000.0, 1000.0])).eval()
    array(1000.69314718)
    """
    x = as_node(x)
    node: Node = ops.logsumexp(x, axes=normal_axes(axis, x.ndim), keepdims=keepdims)
    return node


def log_softmax(x: Value, axis: int = -1) -> Node:
    """log(softmax(x)) along `axis`."""
    x = as_node(x)
    node: Node = x - logsumexp(x, axis, keepdims=True)
    return node


def softmax(x: Value, axis: int = -1) -> Node:
    """exp(x) / sum(exp(x)) along `axis`.

    >>> import minigrad as mg
    >>> mg.softmax(mg.constant([0.0, 0.0])).eval()
    array([0.5, 0.5])
    """
    node: Node = ops.exp(log_softmax(x, axis))
    return node


def cross_entropy(logits: Value, labels: Value) -> Node:
    """-log softmax(logits)[label]: logits `(..., V)`, integer labels `(...)`, result `(...)`.

    >>> import minigrad as mg
    >>> mg.cross_entropy(mg.constant([0.0, 0.0, 0.0, 0.0]), 2).eval()
    array(1.38629436)
    """
    node: Node = ops.cross_entropy(as_node(logits), as_node(labels))
    return node
