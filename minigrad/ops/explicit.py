"""The few ops whose pull and push are written out: reductions that are not linear, and losses that must be exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DtypeError
from ..node import Array, Shape
from .constants import result_type
from .core import Explicit, Kink, Value, scale
from .elementwise import div, exp, expm1, neg, sub
from .linear import reduced_shape, reshape, sum_, where
from .piecewise import equal


class LogSumExp(Explicit):
    """log(sum(exp(x))) over `axes`, shifted by the maximum so that nothing overflows."""

    name = "logsumexp"
    latex = r"\log \sum e^{{{0}}}"

    def kernel(self, x: Array, *, axes: tuple[int, ...], keepdims: bool) -> Any:
        top = np.max(x.real, axis=axes, keepdims=True, initial=-np.inf)
        shift = np.where(np.isfinite(top), top, np.zeros_like(top))
        total = np.log(np.sum(np.exp(x - shift), axis=axes, keepdims=True)) + shift
        return total if keepdims else np.reshape(total, reduced_shape(x.shape, axes, False))

    def shape(self, x: Shape, *, axes: tuple[int, ...], keepdims: bool) -> Shape:
        return reduced_shape(x, axes, keepdims)

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return result_type(*dtypes) if dtypes[0].kind == "f" else np.dtype(float)

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return scale(keep_axes(ct, args, params), self._softmax(out, args, params))

    def push(self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return sum_(scale(tangent, self._softmax(out, args, params)), **params)

    def _softmax(self, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        kept = keep_axes(out, args, params)
        # Where every term is exp(-inf), each has weight 0; -inf - -inf would be NaN.
        return exp(where(equal(args[0], -np.inf), -np.inf, sub(args[0], kept)))


class Extremum(Explicit):
    """The largest (or smallest) element over `axes`; where several tie they share the gradient equally."""

    analytic = False
    kinks = (Kink("a tie of n elements", (1.0, 1.0), (0.5, 0.5)),)

    def __init__(self, name: str, ufunc: np.ufunc, first: Any) -> None:
        self.name = name
        self.latex = rf"\{name} {{0}}"
        self._ufunc = ufunc
        self._position_of_first = first
        super().__init__()

    def kernel(self, x: Array, *, axes: tuple[int, ...], keepdims: bool) -> Any:
        if not np.iscomplexobj(x):
            return self._ufunc.reduce(x, axis=axes, keepdims=keepdims)
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        flat = np.transpose(x, (*kept, *axes)).reshape(*(x.shape[axis] for axis in kept), -1)
        chosen = np.take_along_axis(flat, self._position_of_first(flat.real, axis=-1)[..., None], axis=-1)
        return chosen.reshape(reduced_shape(x.shape, axes, keepdims))

    def shape(self, x: Shape, *, axes: tuple[int, ...], keepdims: bool) -> Shape:
        if 0 in [x[axis] for axis in axes]:
            raise ValueError("expects one element or more along the axes")
        return reduced_shape(x, axes, keepdims)

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return scale(keep_axes(ct, args, params), self._shares(out, args, params))

    def push(self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return sum_(scale(tangent, self._shares(out, args, params)), **params)

    def _shares(self, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        x = args[0]
        hit = where(equal(x, keep_axes(out, args, params)), np.ones((), x.dtype), np.zeros((), x.dtype))
        return div(hit, sum_(hit, axes=params["axes"], keepdims=True))


class Norm(Explicit):
    """The Euclidean norm over `axes`, without overflow or underflow; its derivative at 0 is 0."""

    name = "norm"
    latex = r"\lVert {0} \rVert"
    kinks = (Kink("norm at 0", (0.0, 0.0), (0.0, 0.0)),)

    def kernel(self, x: Array, *, axes: tuple[int, ...], keepdims: bool) -> Any:
        top = np.max(np.abs(x.real), axis=axes, keepdims=True, initial=0)
        top = np.where((top > 0) & np.isfinite(top), top, np.ones_like(top))
        total = top * np.sqrt(np.sum((x / top) ** 2, axis=axes, keepdims=True))
        return total.reshape(reduced_shape(x.shape, axes, keepdims))

    def shape(self, x: Shape, *, axes: tuple[int, ...], keepdims: bool) -> Shape:
        return reduced_shape(x, axes, keepdims)

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return result_type(*dtypes) if dtypes[0].kind == "f" else np.dtype(float)

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return scale(keep_axes(ct, args, params), self._direction(out, args, params))

    def push(self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return sum_(scale(tangent, self._direction(out, args, params)), **params)

    def _direction(self, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        length = keep_axes(out, args, params)
        is_zero = equal(length, 0)
        return where(is_zero, 0, div(args[0], where(is_zero, 1, length)))


class CrossEntropy(Explicit):
    """-log softmax(z)[label] over the last axis: logits `(..., V)`, integer labels `(...)`, result `(...)`.

    Loss and gradient keep full relative precision however certain the model is: with L the loss, p_label - 1 is
    expm1(-L) and every other p_k is exp(z_k - z_label - L), so that nothing is subtracted from 1.
    """

    name = "cross_entropy"
    latex = r"-\log \operatorname{{softmax}}({0})_{{{1}}}"

    def kernel(self, z: Array, labels: Array) -> Any:
        mine = np.arange(z.shape[-1]) == np.asarray(labels)[..., None]
        d = z - np.sum(np.where(mine, z, 0), axis=-1, keepdims=True)
        top = np.max(d.real, axis=-1, keepdims=True)
        rest = np.sum(np.where(mine, 0, np.exp(d - top)), axis=-1, keepdims=True)
        # Where the label has the largest logit (top = 0) its own term is the 1 of log1p.
        loss = np.where(top == 0, np.log1p(rest), top + np.log(np.exp(-top) + rest))
        return loss[..., 0]

    def shape(self, z: Shape, labels: Shape) -> Shape:
        if not z or z[:-1] != labels:
            raise ValueError("expects logits of shape (..., V) and labels of shape (...)")
        return labels

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        if dtypes[1].kind not in "iu":
            raise DtypeError(f"cross_entropy: expects integer labels, got {dtypes[1]}")
        return dtypes[0]

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value | None:
        if slot == 1:
            return None
        return scale(_as_column(ct), self._slope(out, args))

    def push(
        self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]
    ) -> Value | None:
        if slot == 1:
            return None
        return sum_(scale(tangent, self._slope(out, args)), axes=(len(out.shape),), keepdims=False)

    def _slope(self, out: Value, args: Sequence[Value]) -> Value:
        z, labels = args
        mine = equal(np.arange(z.shape[-1]), _as_column(labels))
        label_logit = sum_(where(mine, z, 0), axes=(len(z.shape) - 1,), keepdims=True)
        loss = _as_column(out)
        return where(mine, expm1(neg(loss)), exp(sub(sub(z, label_logit), loss)))


def keep_axes(x: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
    """A reduced value with the reduced axes put back as axes of size 1."""
    return reshape(x, shape=reduced_shape(args[0].shape, params["axes"], True))


def _as_column(x: Value) -> Value:
    return reshape(x, shape=(*x.shape, 1))


logsumexp = LogSumExp()
max_ = Extremum("max", np.maximum, np.argmax)
min_ = Extremum("min", np.minimum, np.argmin)
norm = Norm()
cross_entropy = CrossEntropy()
