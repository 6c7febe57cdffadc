"""The elementwise family: every op here is its kernel and its partial derivatives.

Where a partial could be spelled with cancellation (`1 - tanh**2`, `s * (1 - s)`) it is an op of its own instead, exact
down to the smallest normal number. Kernels accept complex arrays. Further members of the family: `transcendental.py`
(trigonometry and its like) and `piecewise.py` (functions with kinks and jumps, comparisons).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import Node
from .constants import known
from .core import Elementwise, Kink, Stacked, Value
from .linear import where
from .piecewise import equal, logical_and

add: Elementwise = Elementwise("add", np.add, (1, 1), latex="{0} + {1}", doc="Sum, x + y.")
sub: Elementwise = Elementwise("sub", np.subtract, (1, -1), latex="{0} - {1}", doc="Difference, x - y.")
mul: Elementwise = Elementwise(
    "mul",
    np.multiply,
    (lambda out, x, y: y, lambda out, x, y: x),
    latex=r"{0} \odot {1}",
    doc="Product, element by element.",
    singular="0 * inf is NaN: keep the factor finite, or choose the branch before the product (double where)",
)
strong_mul: Elementwise = Elementwise(
    "strong_mul",
    lambda v, p: np.where(v == 0, np.zeros_like(v), v * p),
    (lambda out, v, p: p, lambda out, v, p: v),
    latex=r"{0} \odot {1}",
    doc="Product in which a first factor of 0 wins over inf and NaN; see `strong_zero`.",
    analytic=False,
)
div: Elementwise = Elementwise(
    "div",
    np.true_divide,
    (lambda out, x, y: div(1, y), lambda out, x, y: neg(div(out, y))),
    latex=r"\frac{{{0}}}{{{1}}}",
    doc="Quotient, x / y.",
    singular="the denominator is 0: guard it before dividing, x / np.where(np.equal(y, 0), 1, y)",
)
neg: Elementwise = Elementwise("neg", np.negative, (-1,), latex="-{0}", doc="Negative, -x.")


def _add_n(*xs: Any) -> Any:
    total = np.add(xs[0], xs[1])
    for x in xs[2:]:
        total = np.add(total, x)
    return total


class _Sum(Elementwise):
    def __call__(self, *args: Value, **params: Any) -> Value:
        if len(args) > 1:
            return super().__call__(*args, **params)
        if not args:
            raise ValueError("add_n: expects one argument or more, got none")
        return args[0] if isinstance(args[0], (Node, Stacked)) else np.asarray(args[0])


add_n: Elementwise = _Sum(
    "add_n",
    _add_n,
    (1,),
    latex=r"\sum",
    doc="Sum of all arguments, left to right; of one, that argument itself. Joins the contributions to a cotangent.",
)


def _power(x: Any, y: Any) -> Any:
    return np.square(x) if np.ndim(y) == 0 and y == 2 else np.power(x, y)


def _power_in_base(out: Value, x: Value, y: Value) -> Value:
    exponent = known(y)
    if exponent == 0:
        return 0
    if exponent == 1:
        return 1
    if exponent is not None:
        return mul(y, x if exponent == 2 else power(x, exponent - 1))
    # Only 0 ** 0 is policy: where x is not 0 the exponent y - 1 is right at y = 0 too, and so are its derivatives.
    at_zero = logical_and(equal(x, 0), equal(y, 0))
    return mul(y, power(x, where(at_zero, 0, sub(y, 1))))


def _power_in_exponent(out: Value, x: Value, y: Value) -> Value:
    return mul(out, log(where(equal(x, 0), 1, x)))


power: Elementwise = Elementwise(
    "power",
    _power,
    (_power_in_base, _power_in_exponent),
    latex="{0}^{{{1}}}",
    doc="x ** y. The gradient of x ** 0 at 0 is 0, and so is that of 0 ** y in y.",
    kinks=(Kink("x**0 at 0", (0.0, 0.0), (0.0, 0.0)), Kink("0**y", (0.0, 2.0), (0.0, 0.0))),
    singular="a negative base has a fractional exponent, or 0 a negative one: keep the base positive",
)
exp: Elementwise = Elementwise(
    "exp",
    np.exp,
    (lambda out, x: out,),
    latex="e^{{{0}}}",
    doc="Exponential.",
    singular="x is above 709 (88 in float32): subtract the maximum first, or use softmax or logsumexp",
)
expm1: Elementwise = Elementwise(
    "expm1",
    np.expm1,
    (lambda out, x: exp(x),),
    latex="e^{{{0}}} - 1",
    doc="exp(x) - 1, exact near 0.",
    singular="x is above 709 (88 in float32)",
)
log: Elementwise = Elementwise(
    "log",
    np.log,
    (lambda out, x: div(1, x),),
    latex=r"\log {0}",
    doc="Natural logarithm.",
    singular="x <= 0: clamp the argument away from 0, or use logsumexp, log_softmax or log1p",
)


def _log1p(x: Any) -> Any:
    if not np.iscomplexobj(x):
        return np.log1p(x)
    # NumPy's own rounds 1 + x first, which loses digits near 0; below -1/2 that sum is exact, and x * (2 + x) is not.
    is_near_0 = x.real > -0.5
    near_0 = 0.5 * np.log1p(np.where(is_near_0, x.real * (2 + x.real) + x.imag**2, 0))
    size = np.where(is_near_0, near_0, np.log(np.hypot(1 + x.real, x.imag)))
    return size + 1j * np.arctan2(x.imag, 1 + x.real)


log1p: Elementwise = Elementwise(
    "log1p",
    _log1p,
    (lambda out, x: div(1, add(1, x)),),
    latex=r"\log(1 + {0})",
    doc="log(1 + x), exact near 0.",
    singular="x <= -1: clamp the argument above -1",
)
sqrt: Elementwise = Elementwise(
    "sqrt",
    np.sqrt,
    (lambda out, x: div(0.5, out),),
    latex=r"\sqrt{{{0}}}",
    doc="Square root.",
    singular="x < 0, or x = 0 where the slope is infinite: choose a positive argument before the root (double where: "
    "np.where(c, np.sqrt(np.where(c, x, 1)), 0)), use norm, or differentiate inside mg.strong_zero()",
)
sin: Elementwise = Elementwise("sin", np.sin, (lambda out, x: cos(x),), latex=r"\sin {0}", doc="Sine, x in radians.")
cos: Elementwise = Elementwise(
    "cos", np.cos, (lambda out, x: neg(sin(x)),), latex=r"\cos {0}", doc="Cosine, x in radians."
)


def _minus_abs(x: Any) -> Any:
    # -|x|, of which exp never overflows; of a complex x, x or -x, whichever has no positive real part.
    return np.where(x.real > 0, -x, x) if np.iscomplexobj(x) else np.copysign(x, -1)


def _sech2(x: Any) -> Any:
    # 4e/(1+e)^2 with e = exp(-2|x|) loses nothing however large x is; 1 - tanh(x)^2 is 0 from x = 19 on.
    e = np.exp(2 * _minus_abs(x))
    r = 1 / (1 + e)
    return 4 * (r * e * r)


def _sigmoid(x: Any) -> Any:
    if np.iscomplexobj(x):
        e = np.exp(_minus_abs(x))
        return np.where(x.real > 0, 1, e) / (1 + e)
    # exp overflows to inf for very negative x, and 1/(1+inf) is the right 0: no second form is needed.
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(np.negative(x)))


def _sigmoid_slope(x: Any) -> Any:
    e = np.exp(_minus_abs(x))
    r = 1 / (1 + e)
    return r * e * r


def _logaddexp(x: Any, y: Any) -> Any:
    if not (np.iscomplexobj(x) or np.iscomplexobj(y)):
        return np.logaddexp(x, y)
    d = x - y
    return np.where(d.real > 0, x, y) + _log1p(np.exp(_minus_abs(d)))


tanh: Elementwise = Elementwise(
    "tanh", np.tanh, (lambda out, x: sech2(x),), latex=r"\tanh {0}", doc="Hyperbolic tangent."
)
sech2: Elementwise = Elementwise(
    "sech2",
    _sech2,
    (lambda out, x: mul(mul(-2, out), tanh(x)),),
    latex=r"\operatorname{{sech}}^2 {0}",
    doc="1 / cosh(x)**2, the derivative of tanh, exact where 1 - tanh(x)**2 rounds to 0.",
)
sigmoid: Elementwise = Elementwise(
    "sigmoid",
    _sigmoid,
    (lambda out, x: sigmoid_slope(x),),
    latex=r"\sigma({0})",
    doc="Logistic function, 1 / (1 + exp(-x)).",
)
sigmoid_slope: Elementwise = Elementwise(
    "sigmoid_slope",
    _sigmoid_slope,
    (lambda out, x: neg(mul(out, tanh(mul(0.5, x)))),),
    latex=r"\sigma'({0})",
    doc="sigmoid(x) * sigmoid(-x), the derivative of sigmoid, exact where s * (1 - s) rounds to 0.",
)
softplus: Elementwise = Elementwise(
    "softplus",
    lambda x: _logaddexp(x, np.zeros_like(x)),
    (lambda out, x: sigmoid(x),),
    latex=r"\operatorname{{softplus}}({0})",
    doc="log(1 + exp(x)), without overflow and exact for very negative x.",
)
logaddexp: Elementwise = Elementwise(
    "logaddexp",
    _logaddexp,
    (lambda out, x, y: sigmoid(sub(x, y)), lambda out, x, y: sigmoid(sub(y, x))),
    latex=r"\log(e^{{{0}}} + e^{{{1}}})",
    doc="log(exp(x) + exp(y)), without overflow.",
    singular="both are inf of one sign: inf - inf is NaN",
)
stop_gradient: Elementwise = Elementwise(
    "stop_gradient",
    np.positive,
    (None,),
    latex=r"\operatorname{{stop}}({0})",
    doc="x itself, which no gradient passes.",
    analytic=False,
)
