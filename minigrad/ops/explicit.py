"""The few ops whose pull and push are written out: reductions that are not linear, and losses that must be exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..node import Array, Shape
from .core import Explicit, Value, result_type
from .elementwise import equal, exp, expm1, mul, neg, sub
from .linear import reduced_shape, reshape, sum_, where


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
        return mul(self._keep(ct, args, params), self._softmax(out, args, params))

    def push(self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return sum_(mul(tangent, self._softmax(out, args, params)), **params)

    def _softmax(self, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return exp(sub(args[0], self._keep(out, args, params)))

    def _keep(self, x: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        return reshape(x, shape=reduced_shape(args[0].shape, params["axes"], True))


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
            raise ValueError(
                f"cross_entropy: expects logits of shape (..., V) and labels of shape (...), got {z} and {labels}"
            )
        return labels

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        if dtypes[1].kind not in "iu":
            raise TypeError(f"cross_entropy: expects integer labels, got {dtypes[1]}")
        return dtypes[0]

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value | None:
        if slot == 1:
            return None
        return mul(_as_column(ct), self._slope(out, args))

    def push(
        self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]
    ) -> Value | None:
        if slot == 1:
            return None
        return sum_(mul(tangent, self._slope(out, args)), axes=(len(out.shape),), keepdims=False)

    def _slope(self, out: Value, args: Sequence[Value]) -> Value:
        z, labels = args
        mine = equal(np.arange(z.shape[-1]), _as_column(labels))
        label_logit = sum_(where(mine, z, 0), axes=(len(z.shape) - 1,), keepdims=True)
        loss = _as_column(out)
        return where(mine, expm1(neg(loss)), exp(sub(sub(z, label_logit), loss)))


def _as_column(x: Value) -> Value:
    return reshape(x, shape=(*x.shape, 1))


logsumexp = LogSumExp()
cross_entropy = CrossEntropy()
