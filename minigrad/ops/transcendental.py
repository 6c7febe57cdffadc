"""Elementwise functions beyond the everyday ones: trigonometry, hyperbolic functions, their inverses, further
logarithms and powers, and the error function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .core import Elementwise, Value, real
from .elementwise import add, div, exp, mul, neg, sqrt, sub


def _smooth(
    name: str, kernel: Callable[..., Any], partial: Callable[..., Value], doc: str, singular: str = ""
) -> Elementwise:
    latex = rf"\operatorname{{{{{name}}}}}({{0}})"
    return Elementwise(name, kernel, (partial,), latex=latex, doc=doc, singular=singular)


def _square(x: Value) -> Value:
    return mul(x, x)


def _one_minus_square(x: Value) -> Value:
    # (1 - x)(1 + x) keeps its digits where 1 - x*x loses them, close to 1.
    return mul(sub(1, x), add(1, x))


exp2: Elementwise = _smooth(
    "exp2", np.exp2, lambda out, x: mul(math.log(2), out), "2 ** x.", "x is above 1023 (127 in float32)"
)
log2: Elementwise = _smooth(
    "log2",
    lambda x: np.log(x) / math.log(2) if np.iscomplexobj(x) else np.log2(x),
    lambda out, x: div(1 / math.log(2), x),
    "Logarithm to base 2.",
    "x <= 0: clamp the argument away from 0",
)
log10: Elementwise = _smooth(
    "log10",
    np.log10,
    lambda out, x: div(1 / math.log(10), x),
    "Logarithm to base 10.",
    "x <= 0: clamp the argument away from 0",
)
cbrt: Elementwise = _smooth(
    "cbrt",
    lambda x: (
        np.where(x.real < 0, -1, 1) * np.power(np.where(x.real < 0, -x, x), 1 / 3) if np.iscomplexobj(x) else np.cbrt(x)
    ),
    lambda out, x: div(1 / 3, _square(out)),
    "Cube root, real for negative x too.",
    "x = 0, where the slope is infinite",
)
tan: Elementwise = _smooth("tan", np.tan, lambda out, x: add(1, _square(out)), "Tangent, x in radians.")
sinh: Elementwise = _smooth("sinh", np.sinh, lambda out, x: cosh(x), "Hyperbolic sine.", "|x| is above 710")
cosh: Elementwise = _smooth("cosh", np.cosh, lambda out, x: sinh(x), "Hyperbolic cosine.", "|x| is above 710")
arcsin: Elementwise = _smooth(
    "arcsin",
    np.arcsin,
    lambda out, x: div(1, sqrt(_one_minus_square(x))),
    "Inverse sine.",
    "|x| >= 1: outside [-1, 1] there is no value, at the ends no finite slope",
)
arccos: Elementwise = _smooth(
    "arccos",
    np.arccos,
    lambda out, x: div(-1, sqrt(_one_minus_square(x))),
    "Inverse cosine.",
    "|x| >= 1: outside [-1, 1] there is no value, at the ends no finite slope",
)
arctan: Elementwise = _smooth(
    "arctan", np.arctan, lambda out, x: div(1, add(1, _square(x))), "Inverse tangent, from -pi/2 to pi/2."
)
arcsinh: Elementwise = _smooth("arcsinh", np.arcsinh, lambda out, x: div(1, hypot(1, x)), "Inverse hyperbolic sine.")
arccosh: Elementwise = _smooth(
    "arccosh",
    np.arccosh,
    lambda out, x: div(1, sqrt(mul(sub(x, 1), add(x, 1)))),
    "Inverse hyperbolic cosine.",
    "x <= 1: below there is no value, at 1 no finite slope",
)
arctanh: Elementwise = _smooth(
    "arctanh",
    np.arctanh,
    lambda out, x: div(1, _one_minus_square(x)),
    "Inverse hyperbolic tangent.",
    "|x| >= 1: the function is infinite at -1 and 1",
)


def _hypot(x: Any, y: Any) -> Any:
    return np.sqrt(x * x + y * y) if np.iscomplexobj(x) or np.iscomplexobj(y) else np.hypot(x, y)


def _arctan2(y: Any, x: Any) -> Any:
    if not (np.iscomplexobj(x) or np.iscomplexobj(y)):
        return np.arctan2(y, x)
    # Near any real point the function is a branch of arctan(y / x), or of -arctan(x / y), plus a constant.
    flat = np.abs(real(x)) > np.abs(real(y))
    ratio = np.where(flat, y, -x) / np.where(flat, x, y)
    moved = np.arctan(ratio)
    out = np.array(np.arctan2(real(y), real(x)), dtype=moved.dtype)
    out.imag = moved.imag  # alone: at (0, 0) it is NaN, and the value is not
    return out


hypot: Elementwise = Elementwise(
    "hypot",
    _hypot,
    (lambda out, x, y: div(x, out), lambda out, x, y: div(y, out)),
    latex=r"\operatorname{{hypot}}({0}, {1})",
    doc="sqrt(x**2 + y**2), without overflow.",
    singular="x = y = 0, where there is no slope: use norm, whose slope there is 0",
)
arctan2: Elementwise = Elementwise(
    "arctan2",
    _arctan2,
    (
        lambda out, y, x: div(x, add(_square(x), _square(y))),
        lambda out, y, x: neg(div(y, add(_square(x), _square(y)))),
    ),
    latex=r"\operatorname{{arctan2}}({0}, {1})",
    doc="The angle of the point (x, y), from -pi to pi; y comes first.",
    singular="x = y = 0, where there is no angle to speak of",
)

_erf_of_floats = np.frompyfunc(math.erf, 1, 1)


def _erf_slope(x: Any) -> Any:
    return (2 / math.sqrt(math.pi)) * np.exp(-(x * x))


def _erf(x: Any) -> Any:
    x = np.asarray(x)
    value = np.asarray(_erf_of_floats(x.real), dtype=np.result_type(x.real, np.float16))
    # Of a complex number the first order in the imaginary part is kept, which is all that a complex step needs.
    return value + 1j * x.imag * _erf_slope(x.real) if np.iscomplexobj(x) else value


erf: Elementwise = Elementwise(
    "erf",
    _erf,
    (lambda out, x: mul(2 / math.sqrt(math.pi), exp(neg(_square(x)))),),
    latex=r"\operatorname{{erf}}({0})",
    doc="The error function, 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x.",
    analytic=False,
)
