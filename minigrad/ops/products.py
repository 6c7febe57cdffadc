"""Products along the last axis, whose derivatives are right where factors are 0: nothing is divided by a factor.

They lean on one linear recurrence, y[j] = a[j] * y[j-1] + b[j], whose transpose is the same recurrence run backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..node import Array, Shape
from .core import Explicit, Stacked, Value, align, joint_shape, rank_of, scale
from .elementwise import add, mul
from .indexing import Index, place, slice_
from .linear import reshape, sum_


class Recurrence(Explicit):
    """y[j] = a[j] * y[j-1] + b[j] along the last axis, from the end if `reverse`; y before the first is 0."""

    name = "recurrence"
    latex = r"\operatorname{{recurrence}}({0}, {1})"

    def kernel(self, a: Array, b: Array, *, reverse: bool) -> Any:
        if reverse:
            return np.flip(self.kernel(np.flip(a, -1), np.flip(b, -1), reverse=False), -1)
        a, b = np.broadcast_arrays(a, b)
        y = np.array(b, dtype=np.result_type(a, b))
        for j in range(1, y.shape[-1]):
            y[..., j] += a[..., j] * y[..., j - 1]
        return y

    def shape(self, a: Shape, b: Shape, *, reverse: bool) -> Shape:
        if a[-1:] != b[-1:] or not a:
            raise ValueError("expects arguments with the same last axis")
        return joint_shape((a, b))

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        adjoint = _backward(args[0], ct, params["reverse"])
        return adjoint if slot == 1 else scale(adjoint, _before(out, params["reverse"]))

    def push(self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        source = tangent if slot == 1 else scale(tangent, _before(out, params["reverse"]))
        return recurrence(args[0], source, **params)

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        rank = max(rank_of(arg) for arg in args)
        return Stacked(self(*(align(arg, rank) for arg in args), **params))


class CumProd(Explicit):
    """Running products along the last axis, from the end if `reverse`."""

    name = "cumprod"
    latex = r"\operatorname{{cumprod}}({0})"

    def kernel(self, x: Array, *, reverse: bool) -> Any:
        return np.flip(np.cumprod(np.flip(x, -1), axis=-1), -1) if reverse else np.cumprod(x, axis=-1)

    def shape(self, x: Shape, *, reverse: bool) -> Shape:
        if not x:
            raise ValueError("expects one axis or more")
        return x

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return np.cumprod(np.empty(0, dtypes[0])).dtype

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return scale(_backward(args[0], ct, params["reverse"]), _product_before(out, params["reverse"]))

    def push(self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return recurrence(args[0], scale(tangent, _product_before(out, params["reverse"])), **params)


class Prod(Explicit):
    """The product over the last axis."""

    name = "prod"
    latex = r"\prod {0}"

    def kernel(self, x: Array) -> Any:
        return np.prod(x, axis=-1)

    def shape(self, x: Shape) -> Shape:
        if not x:
            raise ValueError("expects one axis or more")
        return x[:-1]

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return np.asarray(np.prod(np.empty(0, dtypes[0]))).dtype

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return scale(reshape(ct, shape=(*ct.shape, 1)), self._of_the_others(args[0]))

    def push(self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        last = len(args[0].shape) - 1
        return sum_(scale(tangent, self._of_the_others(args[0])), axes=(last,), keepdims=False)

    def _of_the_others(self, x: Value) -> Value:
        before = _product_before(cumprod(x, reverse=False), False)
        return mul(before, _product_before(cumprod(x, reverse=True), True))


def _before(y: Value, reverse: bool) -> Value:
    """y[j-1] at each j (y[j+1] if `reverse`), and 0 at the end that has none."""
    size = y.shape[-1]
    early, late = (0, max(size - 1, 0), 1), (1, max(size, 1), 1)
    kept: Index = tuple((0, n, 1) for n in y.shape[:-1])
    source, target = (late, early) if reverse else (early, late)
    return place(slice_(y, index=(*kept, source)), shape=y.shape, index=(*kept, target))


def _product_before(y: Value, reverse: bool) -> Value:
    """`_before` of running products, which start from 1."""
    first = np.zeros(y.shape[-1], dtype=y.dtype)
    first[-1 if reverse else 0 : None if reverse else 1] = 1
    return add(_before(y, reverse), first)


def _backward(a: Value, ct: Value, reverse: bool) -> Value:
    """The adjoint of the recurrence in b: s[j] = ct[j] + a[j+1] * s[j+1]."""
    return recurrence(_before(a, not reverse), ct, reverse=not reverse)


recurrence = Recurrence()
cumprod = CumProd()
prod = Prod()
