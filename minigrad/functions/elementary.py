"""Elementwise functions derived from primitives, in NumPy's spellings."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from ..errors import DtypeError
from ..node import Node, describe
from ..ops.core import Value
from .axes import as_float, as_node
from .indexing import where


def square(x: Value) -> Node:
    """x ** 2."""
    return ops.power(as_node(x), 2)


def reciprocal(x: Value) -> Node:
    """1 / x."""
    return ops.div(1, as_node(x))


def positive(x: Value) -> Node:
    """x itself."""
    return as_node(x)


def float_power(x: Value, y: Value) -> Node:
    """x ** y in float64 at least."""
    return ops.power(ops.cast(as_node(x), dtype=np.dtype(float)), y)


def deg2rad(x: Value) -> Node:
    """Degrees as radians."""
    return as_float(x) * (math.pi / 180)


def rad2deg(x: Value) -> Node:
    """Radians as degrees."""
    return as_float(x) * (180 / math.pi)


def logaddexp2(x: Value, y: Value) -> Node:
    """log2(2**x + 2**y), without overflow."""
    ln2 = math.log(2)
    return ops.logaddexp(as_node(x) * ln2, as_node(y) * ln2) / ln2


def fmax(x: Value, y: Value) -> Node:
    """The larger of x and y; where one is NaN, the other."""
    return ops.maximum(*_without_nan(x, y))


def fmin(x: Value, y: Value) -> Node:
    """The smaller of x and y; where one is NaN, the other."""
    return ops.minimum(*_without_nan(x, y))


def _without_nan(x: Value, y: Value) -> tuple[Node, Node]:
    x, y = as_node(x), as_node(y)
    return where(ops.isnan(x), y, x), where(ops.isnan(y), x, y)


def bitwise_and(x: Value, y: Value) -> Node:
    """Both hold; for booleans only."""
    return ops.logical_and(*_booleans("&", x, y))


def bitwise_or(x: Value, y: Value) -> Node:
    """One of them holds; for booleans only."""
    return ops.logical_or(*_booleans("|", x, y))


def bitwise_xor(x: Value, y: Value) -> Node:
    """Exactly one holds; for booleans only."""
    return ops.logical_xor(*_booleans("^", x, y))


def invert(x: Value) -> Node:
    """It does not hold; for booleans only."""
    return ops.logical_not(*_booleans("~", x))


def _booleans(sign: str, *xs: Value) -> list[Node]:
    nodes = [as_node(x) for x in xs]
    for node in nodes:
        if node.dtype.kind != "b":
            raise DtypeError(f"{sign} is for booleans, got {describe(node)} of dtype {node.dtype}; compare it first")
    return nodes


def heaviside(x: Value, h0: Value) -> Node:
    """0 where x < 0, h0 where x is 0, 1 where x > 0."""
    x = as_float(x)
    return where(ops.equal(x, 0), h0, ops.step(x))


def clip(
    x: Value,
    a_min: Value | None = None,
    a_max: Value | None = None,
    *,
    min: Value | None = None,
    max: Value | None = None,
) -> Node:
    """x confined to an interval; the derivative in x is 1 on the closed interval. None leaves an end open.

    >>> import minigrad as mg
    >>> mg.clip(mg.constant([-2.0, 0.5, 7.0]), 0.0, 1.0).eval()
    array([0. , 0.5, 1. ])
    """
    a_min, a_max = min if a_min is None else a_min, max if a_max is None else a_max
    if a_min is None and a_max is None:
        raise ValueError("clip: expects a lower or an upper bound")
    x = as_node(x)
    if x.dtype.kind in "iu" and (a_min is None or a_max is None):
        return ops.minimum(x, a_max) if a_min is None else ops.maximum(x, a_min)
    return ops.clip(x, -math.inf if a_min is None else a_min, math.inf if a_max is None else a_max)


def round(x: Value, decimals: int = 0) -> Node:
    """x to the given number of decimals, halves to the even neighbour. The derivative is 0."""
    if decimals == 0:
        return ops.rint(as_node(x))
    factor = 10.0**decimals
    return ops.rint(as_float(x) * factor) / factor


def nan_to_num(
    x: Value, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Node:
    """x with NaN and infinities replaced by numbers, by default 0 and the largest finite ones."""
    x = as_float(x)
    limits = np.finfo(x.dtype)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    x = where(ops.isnan(x), nan, x)
    return where(ops.equal(x, math.inf), high, where(ops.equal(x, -math.inf), low, x))


def isclose(a: Value, b: Value, rtol: float = 1e-5, atol: float = 1e-8) -> Node:
    """Whether a and b are equal within tolerances. Boolean."""
    a, b = as_float(a), as_float(b)
    near = ops.less_equal(ops.absolute(a - b), atol + rtol * ops.absolute(b))
    return ops.logical_or(ops.logical_and(near, ops.isfinite(b)), ops.equal(a, b))


def real(x: Value) -> Node:
    """x itself: nodes are real."""
    return as_node(x)
