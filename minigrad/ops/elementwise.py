"""The elementwise family: every op here is its kernel and its partial derivatives.

Where a partial could be spelled with cancellation (`1 - tanh**2`, `s * (1 - s)`) it is an op of its own instead, exact
down to the smallest normal number. Kernels accept complex arrays; where a function is not analytic the real part
decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .core import Elementwise, Kink, Value


def _real(x: Any) -> Any:
    return x.real if np.iscomplexobj(x) else x


def _compare(ufunc: Any) -> Any:
    def kernel(x: Any, y: Any) -> Any:
        return ufunc(_real(x), _real(y))

    return kernel


add: Elementwise = Elementwise("add", np.add, (1, 1), latex="{0} + {1}", doc="Sum, x + y.")
sub: Elementwise = Elementwise("sub", np.subtract, (1, -1), latex="{0} - {1}", doc="Difference, x - y.")
mul: Elementwise = Elementwise(
    "mul",
    np.multiply,
    (lambda out, x, y: y, lambda out, x, y: x),
    latex=r"{0} \odot {1}",
    doc="Product, element by element.",
    singular="0 * inf is NaN; keep the factor finite, or choose the branch before the product (double where)",
)
Elementwise.multiplication = mul
div: Elementwise = Elementwise(
    "div",
    np.true_divide,
    (lambda out, x, y: div(1, y), lambda out, x, y: neg(div(out, y))),
    latex=r"\frac{{{0}}}{{{1}}}",
    doc="Quotient, x / y.",
    singular="y = 0; guard the denominator before dividing, np.where(y == 0, 1, y)",
)
neg: Elementwise = Elementwise("neg", np.negative, (-1,), latex="-{0}", doc="Negative, -x.")


def _add_n(*xs: Any) -> Any:
    total = np.add(xs[0], xs[1])
    for x in xs[2:]:
        total = np.add(total, x)
    return total


add_n: Elementwise = Elementwise(
    "add_n",
    _add_n,
    (1,),
    latex=r"\sum",
    doc="Sum of two or more arguments, left to right. Joins the contributions to a cotangent.",
)


def _power_of_base(out: Value, x: Value, y: Value) -> Value:
    return where_zero(y, mul(y, power(x, sub(y, 1))))


def _power_of_exponent(out: Value, x: Value, y: Value) -> Value:
    return where_zero(x, mul(out, log(x)))


where_zero: Elementwise = Elementwise(
    "where_zero",
    lambda x, y: np.where(_real(x) == 0, 0, y),
    (None, lambda out, x, y: not_equal_as(x, y)),
    latex=r"[{0} \ne 0]\,{1}",
    doc="y where x is not 0, else 0: a product whose zero wins over inf and NaN.",
    analytic=False,
)
not_equal_as: Elementwise = Elementwise(
    "not_equal_as",
    lambda x, y: (_real(x) != 0).astype(_real(np.asarray(y)).dtype),
    (None, None),
    latex=r"[{0} \ne 0]",
    doc="1 where x is not 0, else 0, in y's dtype.",
    analytic=False,
)
power: Elementwise = Elementwise(
    "power",
    np.power,
    (_power_of_base, _power_of_exponent),
    latex="{0}^{{{1}}}",
    doc="x ** y. The gradient of x ** 0 at 0 is 0, and that of 0 ** y in y is 0.",
    kinks=(Kink("x**0 at 0", (0.0, 0.0), (0.0, 0.0)),),
    singular="a negative base with a fractional exponent, or 0 to a negative power",
)
exp: Elementwise = Elementwise(
    "exp", np.exp, (lambda out, x: out,), latex="e^{{{0}}}", doc="Exponential.", singular="x above 709"
)
expm1: Elementwise = Elementwise(
    "expm1", np.expm1, (lambda out, x: exp(x),), latex="e^{{{0}}} - 1", doc="exp(x) - 1, exact near 0."
)
log: Elementwise = Elementwise(
    "log",
    np.log,
    (lambda out, x: div(1, x),),
    latex=r"\log {0}",
    doc="Natural logarithm.",
    singular="x <= 0; clamp the argument away from 0, or use logsumexp or log1p",
)
log1p: Elementwise = Elementwise(
    "log1p",
    np.log1p,
    (lambda out, x: div(1, add(1, x)),),
    latex=r"\log(1 + {0})",
    doc="log(1 + x), exact near 0.",
    singular="x <= -1",
)
sqrt: Elementwise = Elementwise(
    "sqrt",
    np.sqrt,
    (lambda out, x: div(0.5, out),),
    latex=r"\sqrt{{{0}}}",
    doc="Square root.",
    singular="x < 0, and the derivative at 0 is inf; choose a positive argument before the root (double where)",
)
sin: Elementwise = Elementwise("sin", np.sin, (lambda out, x: cos(x),), latex=r"\sin {0}", doc="Sine, x in radians.")
cos: Elementwise = Elementwise(
    "cos", np.cos, (lambda out, x: neg(sin(x)),), latex=r"\cos {0}", doc="Cosine, x in radians."
)


def _sech2(x: Any) -> Any:
    # 4e/(1+e)^2 with e = exp(-2|x|) loses nothing however large x is; 1 - tanh(x)^2 is 0 from x = 19 on.
    e = np.exp(np.where(_real(x) > 0, -2, 2).astype(_real(x).dtype) * x)
    r = 1 / (1 + e)
    return 4 * (r * e * r)


def _sigmoid(x: Any) -> Any:
    if np.iscomplexobj(x):
        e = np.exp(np.where(x.real > 0, -x, x))
        return np.where(x.real > 0, 1, e) / (1 + e)
    # exp overflows to inf for very negative x, and 1/(1+inf) is the right 0: no second form is needed.
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def _sigmoid_slope(x: Any) -> Any:
    e = np.exp(np.where(_real(x) > 0, -1, 1).astype(_real(x).dtype) * x)
    r = 1 / (1 + e)
    return r * e * r


tanh: Elementwise = Elementwise(
    "tanh", np.tanh, (lambda out, x: sech2(x),), latex=r"\tanh {0}", doc="Hyperbolic tangent."
)
sech2: Elementwise = Elementwise(
    "sech2",
    lambda x: _sech2(np.asarray(x)),
    (lambda out, x: mul(mul(-2, out), tanh(x)),),
    latex=r"\operatorname{{sech}}^2 {0}",
    doc="1 / cosh(x)**2, the derivative of tanh, exact where 1 - tanh(x)**2 rounds to 0.",
)
sigmoid: Elementwise = Elementwise(
    "sigmoid",
    lambda x: _sigmoid(np.asarray(x)),
    (lambda out, x: sigmoid_slope(x),),
    latex=r"\sigma({0})",
    doc="Logistic function, 1 / (1 + exp(-x)).",
)
sigmoid_slope: Elementwise = Elementwise(
    "sigmoid_slope",
    lambda x: _sigmoid_slope(np.asarray(x)),
    (lambda out, x: neg(mul(out, tanh(mul(0.5, x)))),),
    latex=r"\sigma'({0})",
    doc="sigmoid(x) * sigmoid(-x), the derivative of sigmoid, exact where s * (1 - s) rounds to 0.",
)
relu: Elementwise = Elementwise(
    "relu",
    lambda x: np.where(x.real > 0, x, 0 * x) if np.iscomplexobj(x) else np.maximum(x, 0),
    (lambda out, x: step(x),),
    latex=r"\operatorname{{relu}}({0})",
    doc="max(x, 0); the derivative at 0 is 0.",
    analytic=False,
    kinks=(Kink("relu at 0", (0.0,), (0.0,)),),
)
step: Elementwise = Elementwise(
    "step",
    lambda x: np.heaviside(_real(x), 0),
    (0,),
    latex=r"[{0} > 0]",
    doc="1 where x > 0, else 0: the derivative of relu.",
    analytic=False,
    kinks=(Kink("step at 0", (0.0,), (0.0,)),),
)
absolute: Elementwise = Elementwise(
    "abs",
    lambda x: np.where(x.real < 0, -x, x) if np.iscomplexobj(x) else np.abs(x),
    (lambda out, x: sign(x),),
    latex=r"\lvert {0} \rvert",
    doc="Absolute value; the derivative at 0 is 0.",
    analytic=False,
    kinks=(Kink("abs at 0", (0.0,), (0.0,)),),
)
sign: Elementwise = Elementwise(
    "sign",
    lambda x: np.sign(_real(x)),
    (0,),
    latex=r"\operatorname{{sign}} {0}",
    doc="-1, 0 or 1; the derivative is 0 everywhere.",
    analytic=False,
    kinks=(Kink("sign at 0", (0.0,), (0.0,)),),
)


def _exceeds(x: Any, y: Any) -> Any:
    x, y = _real(x), _real(y)
    return np.heaviside(np.where(x == y, 0, x - y), np.asarray(0.5, dtype=np.result_type(x, y)))


exceeds: Elementwise = Elementwise(
    "exceeds",
    _exceeds,
    (0, 0),
    latex="[{0} > {1}]",
    doc="1 where x > y, 1/2 where they tie, else 0: the derivative of maximum in x.",
    analytic=False,
    kinks=(Kink("exceeds at a tie", (1.0, 1.0), (0.0, 0.0)),),
)
maximum: Elementwise = Elementwise(
    "maximum",
    lambda x, y: np.where(_real(x) >= _real(y), x, y) if np.iscomplexobj(x) or np.iscomplexobj(y) else np.maximum(x, y),
    (lambda out, x, y: exceeds(x, y), lambda out, x, y: exceeds(y, x)),
    latex=r"\max({0}, {1})",
    doc="The larger of x and y; at a tie each gets half of the gradient.",
    analytic=False,
    kinks=(Kink("maximum at a tie", (1.0, 1.0), (0.5, 0.5)),),
)

greater: Elementwise = Elementwise(
    "greater", _compare(np.greater), (None, None), latex="{0} > {1}", doc="x > y, boolean.", analytic=False
)
greater_equal: Elementwise = Elementwise(
    "greater_equal",
    _compare(np.greater_equal),
    (None, None),
    latex=r"{0} \ge {1}",
    doc="x >= y, boolean.",
    analytic=False,
)
less: Elementwise = Elementwise(
    "less", _compare(np.less), (None, None), latex="{0} < {1}", doc="x < y, boolean.", analytic=False
)
less_equal: Elementwise = Elementwise(
    "less_equal", _compare(np.less_equal), (None, None), latex=r"{0} \le {1}", doc="x <= y, boolean.", analytic=False
)
equal: Elementwise = Elementwise(
    "equal", _compare(np.equal), (None, None), latex="{0} = {1}", doc="x == y, boolean.", analytic=False
)
not_equal: Elementwise = Elementwise(
    "not_equal", _compare(np.not_equal), (None, None), latex=r"{0} \ne {1}", doc="x != y, boolean.", analytic=False
)
stop_gradient: Elementwise = Elementwise(
    "stop_gradient",
    np.positive,
    (None,),
    latex=r"\operatorname{{stop}}({0})",
    doc="x itself, which no gradient passes.",
    analytic=False,
)
