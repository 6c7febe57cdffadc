"""Ops whose results are positions: no derivative passes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..node import Array, Shape
from .core import Discrete, real
from .linear import reduced_shape


class Position(Discrete):
    """Where the largest (or smallest) element is along `axis`: the first of several."""

    def __init__(self, name: str, kernel: Callable[..., Any]) -> None:
        self.name = name
        self.latex = rf"\operatorname{{{{{name}}}}} {{0}}"
        self._kernel = kernel
        super().__init__()

    def kernel(self, x: Array, *, axis: int, keepdims: bool) -> Any:
        return self._kernel(real(x), axis=axis, keepdims=keepdims)

    def shape(self, x: Shape, *, axis: int, keepdims: bool) -> Shape:
        if not x or not x[axis]:
            raise ValueError("expects one element or more along the axis")
        return reduced_shape(x, (axis,), keepdims)

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return np.dtype(np.intp)


class ArgSort(Discrete):
    """The positions that sort x along `axis`; equal elements keep their order."""

    name = "argsort"
    latex = r"\operatorname{{argsort}} {0}"

    def kernel(self, x: Array, *, axis: int) -> Any:
        return np.argsort(real(x), axis=axis, kind="stable")

    def shape(self, x: Shape, *, axis: int) -> Shape:
        if not x:
            raise ValueError("expects one axis or more")
        return x

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        return np.dtype(np.intp)


argmax = Position("argmax", np.argmax)
argmin = Position("argmin", np.argmin)
argsort = ArgSort()
