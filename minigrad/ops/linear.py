"""The linear family: every op here is its kernel and its transpose, the map that carries a cotangent back.

Axes and shapes are normalised when the graph is built (see `functions.py` for the NumPy spellings), so that the ops
themselves see non-negative axes and concrete sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..node import Array, Shape
from .core import Linear, Stacked, Value, align, joint_shape, len_of_stack, rank_of
from .indexing import Index, place, slice_


class Sum(Linear):
    """Sum over `axes` (non-negative, ascending)."""

    name = "sum"
    latex = r"\sum {0}"

    def kernel(self, x: Array, *, axes: tuple[int, ...], keepdims: bool) -> Any:
        return np.sum(x, axis=axes, keepdims=keepdims)

    def shape(self, x: Shape, *, axes: tuple[int, ...], keepdims: bool) -> Shape:
        return reduced_shape(x, axes, keepdims)

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return np.asarray(np.sum(np.empty(0, dtypes[0]))).dtype

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, axes: tuple[int, ...], keepdims: bool) -> Value:
        shape: Shape = args[0].shape
        if not keepdims:
            ct = reshape(ct, shape=reduced_shape(shape, axes, True))
        return broadcast_to(ct, shape=shape)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        axes = tuple(axis + 1 for axis in params["axes"])
        return Stacked(self(args[0].value, axes=axes, keepdims=params["keepdims"]))


class BroadcastTo(Linear):
    """Repeat along new or size-1 axes."""

    name = "broadcast_to"
    latex = "{0}"

    def kernel(self, x: Array, *, shape: Shape) -> Any:
        return np.broadcast_to(x, shape)

    def shape(self, x: Shape, *, shape: Shape) -> Shape:
        if joint_shape((x, shape)) != shape:
            raise ValueError(f"expects a shape that broadcasts to {shape}")
        return shape

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, shape: Shape) -> Value:
        return ct  # summing it down is what the engine does with every cotangent

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        shape = params["shape"]
        return Stacked(self(align(args[0], len(shape)), shape=(len_of_stack(args[0]), *shape)))


class Reshape(Linear):
    """The same elements in C order under another shape."""

    name = "reshape"
    latex = "{0}"

    def kernel(self, x: Array, *, shape: Shape) -> Any:
        return np.reshape(x, shape)

    def shape(self, x: Shape, *, shape: Shape) -> Shape:
        return shape

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, shape: Shape) -> Value:
        return reshape(ct, shape=args[0].shape)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        return Stacked(self(args[0].value, shape=(len_of_stack(args[0]), *params["shape"])))


class Transpose(Linear):
    """Permute the axes: axis i of the result is axis `axes[i]` of x."""

    name = "transpose"
    latex = "{0}^{{\\top}}"

    def kernel(self, x: Array, *, axes: tuple[int, ...]) -> Any:
        return np.transpose(x, axes)

    def shape(self, x: Shape, *, axes: tuple[int, ...]) -> Shape:
        return tuple([x[axis] for axis in axes])

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, axes: tuple[int, ...]) -> Value:
        inverse = [0] * len(axes)
        for position, axis in enumerate(axes):
            inverse[axis] = position
        return transpose(ct, axes=tuple(inverse))

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        return Stacked(self(args[0].value, axes=(0, *(axis + 1 for axis in params["axes"]))))


class Concat(Linear):
    """Join the arguments along `axis`. Linear in all of them together."""

    name = "concat"
    latex = r"\left[ {0}; {1} \right]"

    def kernel(self, *xs: Array, axis: int) -> Any:
        return np.concatenate(xs, axis=axis)

    def shape(self, *shapes: Shape, axis: int) -> Shape:
        first = shapes[0]
        for shape in shapes:
            if len(shape) != len(first) or shape[:axis] + shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
                raise ValueError(f"expects shapes equal but for axis {axis}")
        return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])

    def is_linear_in(self, slot: int) -> bool:
        return True

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, axis: int) -> Value:
        return slice_(ct, index=self._span(slot, args, axis))

    def push(self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return place(tangent, shape=out.shape, index=self._span(slot, args, params["axis"]))

    def _span(self, slot: int, args: Sequence[Value], axis: int) -> Index:
        start = sum(arg.shape[axis] for arg in args[:slot])
        own: Shape = args[slot].shape
        index = [(0, size, 1) for size in own]
        index[axis] = (start, start + own[axis], 1)
        return tuple(index)


class MatMul(Linear):
    """Matrix product over the last two axes, leading axes broadcast; both arguments have at least two axes."""

    name = "matmul"
    latex = "{0} {1}"
    linear_in = (0, 1)

    def kernel(self, a: Array, b: Array) -> Any:
        return np.matmul(a, b)

    def shape(self, a: Shape, b: Shape) -> Shape:
        if len(a) < 2 or len(b) < 2:
            raise ValueError("expects arguments of two or more axes")
        if a[-1] != b[-2]:
            raise ValueError(f"expects a.shape[-1] == b.shape[-2], got {a[-1]} and {b[-2]}")
        return (*joint_shape((a[:-2], b[:-2])), a[-2], b[-1])

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], **params: Any) -> Value:
        a, b = args
        return matmul(ct, swap_last(b)) if slot == 0 else matmul(swap_last(a), ct)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        a, b = args
        if isinstance(a, Stacked) and not isinstance(b, Stacked) and len(a.shape) == len(b.shape) == 2:
            # One product of a tall matrix is many times faster than one small product a member.
            count, rows = len_of_stack(a), a.shape[0]
            tall = reshape(a.value, shape=(count * rows, a.shape[1]))
            return Stacked(reshape(self(tall, b), shape=(count, rows, b.shape[1])))
        rank = max(len(arg.shape) for arg in args)
        return Stacked(self(*(align(arg, rank) for arg in args)))


class Einsum(Linear):
    """Sum of products over index labels, linear in every argument: `labels` names the axes of each, `out` the result's.

    Within one argument labels are distinct, and a label that is summed occurs in two arguments or more (`functions.py`
    takes diagonals and lone sums apart), so the transpose is an einsum again.
    """

    name = "einsum"
    latex = r"\operatorname{{einsum}}({0}, {1})"

    def kernel(self, *xs: Array, labels: tuple[str, ...], out: str) -> Any:
        return np.einsum(f"{','.join(labels)}->{out}", *xs, optimize=len(xs) > 1)

    def shape(self, *shapes: Shape, labels: tuple[str, ...], out: str) -> Shape:
        sizes: dict[str, int] = {}
        for shape, own in zip(shapes, labels, strict=True):
            for label, size in zip(own, shape, strict=True):
                if sizes.setdefault(label, size) != size:
                    if 1 not in (size, sizes[label]):
                        raise ValueError(f"expects one size for label {label!r}, got {sizes[label]} and {size}")
                    sizes[label] = max(size, sizes[label])
        return tuple([sizes[label] for label in out])

    def is_linear_in(self, slot: int) -> bool:
        return True

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, labels: tuple[str, ...], out: str) -> Value:
        others = (out, *labels[:slot], *labels[slot + 1 :])
        return einsum(ct, *args[:slot], *args[slot + 1 :], labels=others, out=labels[slot])

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        used = {*params["out"], *"".join(params["labels"])}
        stack = next(letter for letter in LETTERS if letter not in used)
        pairs = list(zip(args, params["labels"], strict=True))
        labels = tuple(stack + own if isinstance(arg, Stacked) else own for arg, own in pairs)
        return Stacked(self(*(align(arg, rank_of(arg)) for arg in args), labels=labels, out=stack + params["out"]))


class CumSum(Linear):
    """Running sums along `axis`, from the end if `reverse`."""

    name = "cumsum"
    latex = r"\operatorname{{cumsum}}({0})"

    def kernel(self, x: Array, *, axis: int, reverse: bool) -> Any:
        return np.flip(np.cumsum(np.flip(x, axis), axis=axis), axis) if reverse else np.cumsum(x, axis=axis)

    def shape(self, x: Shape, *, axis: int, reverse: bool) -> Shape:
        return x

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return np.cumsum(np.empty(0, dtypes[0])).dtype

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, axis: int, reverse: bool) -> Value:
        return cumsum(ct, axis=axis, reverse=not reverse)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        return Stacked(self(args[0].value, axis=params["axis"] + 1, reverse=params["reverse"]))


class Where(Linear):
    """x where the condition holds, else y. A choice, not a product: a cotangent of inf or NaN stays on its branch."""

    name = "where"
    latex = r"\begin{{cases}} {1} & {0} \\ {2} & \text{{else}} \end{{cases}}"
    linear_in = (1, 2)

    def kernel(self, condition: Array, x: Array, y: Array) -> Any:
        return np.where(condition, x, y)

    def shape(self, *shapes: Shape, **params: Any) -> Shape:
        return joint_shape(shapes)

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return np.result_type(*dtypes[1:])

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], **params: Any) -> Value:
        return where(args[0], ct, 0) if slot == 1 else where(args[0], 0, ct)

    def push(
        self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]
    ) -> Value | None:
        return self.transpose(tangent, slot, args) if slot else None

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        rank = max(rank_of(arg) for arg in args)
        return Stacked(self(*(align(arg, rank) for arg in args)))


class Cast(Linear):
    """Convert to `dtype`. A complex value keeps its imaginary part, at the precision asked for."""

    name = "cast"
    latex = "{0}"

    def kernel(self, x: Array, *, dtype: np.dtype[Any]) -> Any:
        if np.iscomplexobj(x):
            return x.astype(np.result_type(dtype, np.complex64)) if dtype.kind == "f" else x.real.astype(dtype)
        return np.asarray(x).astype(dtype)

    def shape(self, x: Shape, *, dtype: np.dtype[Any]) -> Shape:
        return x

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        dtype: np.dtype[Any] = params["dtype"]
        return dtype

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value | None:
        return super().pull(ct, slot, out, args, params) if params["dtype"].kind == "f" else None

    def push(
        self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]
    ) -> Value | None:
        return super().push(tangent, slot, out, args, params) if params["dtype"].kind == "f" else None

    def transpose(self, ct: Value, slot: int, args: Sequence[Value], *, dtype: np.dtype[Any]) -> Value:
        return cast(ct, dtype=args[0].dtype)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        return Stacked(self(args[0].value, **params))


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def reduced_shape(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape after reducing `axes`."""
    if keepdims:
        return tuple([1 if axis in axes else size for axis, size in enumerate(shape)])
    return tuple([size for axis, size in enumerate(shape) if axis not in axes])


def swap_last(x: Value) -> Value:
    """x with its last two axes exchanged."""
    rank = len(x.shape)
    return transpose(x, axes=(*range(rank - 2), rank - 1, rank - 2))


sum_ = Sum()
broadcast_to = BroadcastTo()
reshape = Reshape()
transpose = Transpose()
concat = Concat()
matmul = MatMul()
einsum = Einsum()
cumsum = CumSum()
where = Where()
cast = Cast()
