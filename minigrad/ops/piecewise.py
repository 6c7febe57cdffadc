"""Elementwise functions with kinks and jumps, and comparisons. At a kink the derivative is policy, a row of data.

The real part of a complex argument decides, and the imaginary part follows the branch it chose. A derivative that says
whether (`x > 0`) is a boolean: as a factor it is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .core import Elementwise, Kink, Value, real


def _piecewise(name: str, kernel: Callable[..., Any], partials: Any, latex: str, doc: str, *kinks: Kink) -> Elementwise:
    return Elementwise(name, kernel, partials, latex=latex, doc=doc, analytic=False, kinks=kinks)


def _of_real(function: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that looks at real parts only."""

    def kernel(*xs: Any) -> Any:
        return function(*[real(x) for x in xs])

    return kernel


def _choose(ufunc: Any, compare: Any) -> Callable[..., Any]:
    """The kernel of maximum or minimum: `ufunc`, or on complex numbers the choice by `compare`."""

    def kernel(x: Any, y: Any) -> Any:
        if np.iscomplexobj(x) or np.iscomplexobj(y):
            return np.where(compare(real(x), real(y)), x, y)
        return ufunc(x, y)

    return kernel


def _steps(name: str, ufunc: Any, latex: str, doc: str) -> Elementwise:
    return _piecewise(name, _of_real(ufunc), (0,), latex, doc + " The derivative is 0 everywhere.")


def _question(name: str, ufunc: np.ufunc, latex: str, doc: str) -> Elementwise:
    return _piecewise(name, _of_real(ufunc), (None,) * ufunc.nin, latex, doc + " Boolean.")


relu: Elementwise = _piecewise(
    "relu",
    lambda x: np.where(x.real > 0, x, 0 * x) if np.iscomplexobj(x) else np.maximum(x, 0),
    (lambda out, x: step(x),),
    r"\operatorname{{relu}}({0})",
    "max(x, 0).",
    Kink("relu at 0", (0.0,), (0.0,)),
)
step: Elementwise = _piecewise(
    "step",
    lambda x: np.heaviside(real(x), 0),
    (0,),
    "[{0} > 0]",
    "1 where x > 0, else 0: the derivative of relu.",
    Kink("step at 0", (0.0,), (0.0,)),
)
absolute: Elementwise = _piecewise(
    "abs",
    lambda x: np.where(x.real < 0, -x, x) if np.iscomplexobj(x) else np.abs(x),
    (lambda out, x: sign(x),),
    r"\lvert {0} \rvert",
    "Absolute value.",
    Kink("abs at 0", (0.0,), (0.0,)),
)
sign: Elementwise = _piecewise(
    "sign",
    _of_real(np.sign),
    (0,),
    r"\operatorname{{sign}} {0}",
    "-1, 0 or 1.",
    Kink("sign at 0", (0.0,), (0.0,)),
)


def _exceeds(x: Any, y: Any) -> Any:
    return np.heaviside(np.where(x == y, 0, x - y), np.asarray(0.5, dtype=np.result_type(x, y)))


exceeds: Elementwise = _piecewise(
    "exceeds",
    _of_real(_exceeds),
    (0, 0),
    "[{0} > {1}]",
    "1 where x > y, 1/2 where they tie, else 0: the derivative of maximum in x.",
    Kink("exceeds at a tie", (1.0, 1.0), (0.0, 0.0)),
)
maximum: Elementwise = _piecewise(
    "maximum",
    _choose(np.maximum, np.greater_equal),
    (lambda out, x, y: exceeds(x, y), lambda out, x, y: exceeds(y, x)),
    r"\max({0}, {1})",
    "The larger of x and y; NaN if either is.",
    Kink("maximum at a tie", (1.0, 1.0), (0.5, 0.5)),
)
minimum: Elementwise = _piecewise(
    "minimum",
    _choose(np.minimum, np.less_equal),
    (lambda out, x, y: exceeds(y, x), lambda out, x, y: exceeds(x, y)),
    r"\min({0}, {1})",
    "The smaller of x and y; NaN if either is.",
    Kink("minimum at a tie", (1.0, 1.0), (0.5, 0.5)),
)


def _clip(x: Any, low: Any, high: Any) -> Any:
    return _choose(np.minimum, np.less)(_choose(np.maximum, np.greater_equal)(x, low), high)


def _inside(out: Value, x: Value, low: Value, high: Value) -> Value:
    return logical_and(greater_equal(x, low), less_equal(x, high))


clip: Elementwise = _piecewise(
    "clip",
    _clip,
    (
        _inside,
        lambda out, x, low, high: logical_and(less(x, low), less_equal(low, high)),
        lambda out, x, low, high: less(high, maximum(x, low)),
    ),
    r"\operatorname{{clip}}({0}, {1}, {2})",
    "x confined to the interval from low to high. The derivative in x is 1 on the closed interval.",
    Kink("clip at its lower end", (-1.0, -1.0, 2.0), (1.0, 0.0, 0.0)),
    Kink("clip at its upper end", (2.0, -1.0, 2.0), (1.0, 0.0, 0.0)),
)

floor: Elementwise = _steps("floor", np.floor, r"\lfloor {0} \rfloor", "The largest integer not above x.")
ceil: Elementwise = _steps("ceil", np.ceil, r"\lceil {0} \rceil", "The smallest integer not below x.")
rint: Elementwise = _steps(
    "rint", np.rint, r"\operatorname{{round}}({0})", "The nearest integer, halves to the even one."
)
trunc: Elementwise = _steps("trunc", np.trunc, r"\operatorname{{trunc}}({0})", "x without its fraction.")
floor_divide: Elementwise = Elementwise(
    "floor_divide",
    _of_real(np.floor_divide),
    (0, 0),
    latex=r"\lfloor {0} / {1} \rfloor",
    doc="floor(x / y). The derivative is 0 everywhere.",
    analytic=False,
    singular="the divisor is 0: guard it before dividing",
)


def _with_quotient(ufunc: Any, to_integer: Any) -> Callable[..., Any]:
    def kernel(x: Any, y: Any) -> Any:
        if np.iscomplexobj(x) or np.iscomplexobj(y):
            return x - to_integer(real(x) / real(y)) * y
        return ufunc(x, y)

    return kernel


remainder: Elementwise = Elementwise(
    "remainder",
    _with_quotient(np.remainder, np.floor),
    (1, lambda out, x, y: -floor_divide(x, y)),
    latex=r"{0} \bmod {1}",
    doc="x - floor(x / y) * y, which has the sign of y.",
    analytic=False,
    singular="the divisor is 0: guard it before dividing",
)
fmod: Elementwise = Elementwise(
    "fmod",
    _with_quotient(np.fmod, np.trunc),
    (1, lambda out, x, y: -trunc(x / y)),
    latex=r"\operatorname{{fmod}}({0}, {1})",
    doc="x - trunc(x / y) * y, which has the sign of x.",
    analytic=False,
    singular="the divisor is 0: guard it before dividing",
)
copysign: Elementwise = _piecewise(
    "copysign",
    lambda x, y: (
        np.where(np.signbit(x.real) != np.signbit(real(y)), -x, x) if np.iscomplexobj(x) else np.copysign(x, real(y))
    ),
    (lambda out, x, y: sign(x) * copysign(1, y), 0),
    r"\lvert {0} \rvert \operatorname{{sign}} {1}",
    "|x| with the sign of y.",
    Kink("copysign at 0", (0.0, 1.0), (0.0, 0.0)),
)

greater: Elementwise = _question("greater", np.greater, "{0} > {1}", "x > y.")
greater_equal: Elementwise = _question("greater_equal", np.greater_equal, r"{0} \ge {1}", "x >= y.")
less: Elementwise = _question("less", np.less, "{0} < {1}", "x < y.")
less_equal: Elementwise = _question("less_equal", np.less_equal, r"{0} \le {1}", "x <= y.")
equal: Elementwise = _question("equal", np.equal, "{0} = {1}", "x == y.")
not_equal: Elementwise = _question("not_equal", np.not_equal, r"{0} \ne {1}", "x != y.")
logical_and: Elementwise = _question("logical_and", np.logical_and, r"{0} \land {1}", "Both are not 0.")
logical_or: Elementwise = _question("logical_or", np.logical_or, r"{0} \lor {1}", "One of them is not 0.")
logical_xor: Elementwise = _question("logical_xor", np.logical_xor, r"{0} \oplus {1}", "Exactly one is not 0.")
logical_not: Elementwise = _question("logical_not", np.logical_not, r"\lnot {0}", "x is 0.")
isnan: Elementwise = _question("isnan", np.isnan, r"\operatorname{{isnan}}({0})", "x is NaN.")
isinf: Elementwise = _question("isinf", np.isinf, r"\operatorname{{isinf}}({0})", "x is inf or -inf.")
isfinite: Elementwise = _question(
    "isfinite", np.isfinite, r"\operatorname{{isfinite}}({0})", "x is neither inf nor NaN."
)
signbit: Elementwise = _question("signbit", np.signbit, r"\operatorname{{signbit}}({0})", "x is negative, -0 included.")
