"""Derivatives keep their digits wherever the true value is a normal number, and limits are limits, not NaN.

The references are computed in decimal arithmetic with 60 digits.
"""

from decimal import Decimal, getcontext

import numpy as np
import pytest

import minigrad as mg

getcontext().prec = 60
POINTS = [
    -700.0,
    -300.0,
    -50.0,
    -25.0,
    -19.5,
    -8.0,
    -1.0,
    -1e-3,
    0.0,
    1e-8,
    0.3,
    2.0,
    19.5,
    25.0,
    37.5,
    50.0,
    300.0,
    340.0,
]
DIGITS = {np.float64: 1e-12, np.float32: 1e-5}


def e(x):
    return Decimal(x).exp()


def sech2(x):
    return 4 / (e(x) + e(-x)) ** 2


def sigmoid(x):
    return 1 / (1 + e(-x))


DERIVATIVES = {
    "tanh": (mg.tanh, sech2),
    "sigmoid": (mg.sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    "softplus": (mg.softplus, sigmoid),
    "logaddexp": (lambda x: np.logaddexp(x, 0.0), sigmoid),
}


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "logaddexp"])
def test_first_derivatives_do_not_round_to_zero(name, dtype):
    f, reference = DERIVATIVES[name]
    x = mg.input((), dtype=dtype)
    g = mg.grad(f(x), x)
    smallest = float(np.finfo(dtype).tiny)
    checked = 0
    for point in POINTS:
        point = float(dtype(point))
        expected = float(reference(point))
        if abs(expected) >= smallest:
            checked += 1
            assert abs(float(g.eval({x: dtype(point)})) - expected) <= DIGITS[dtype] * abs(expected), point
    assert checked >= 12


def test_the_figures_people_know():
    x = mg.input(())
    assert float(mg.grad(mg.tanh(x), x).eval({x: 25.0})) == pytest.approx(7.714999e-22, rel=1e-6)
    assert float(mg.grad(mg.sigmoid(x), x).eval({x: 50.0})) == pytest.approx(1.928750e-22, rel=1e-6)


@pytest.mark.parametrize("point", [-300.0, -25.0, -1.0, 0.5, 8.0, 25.0, 300.0])
def test_second_derivatives_do_not_round_to_zero(point):
    x = mg.input(())
    for f, reference in [
        (mg.tanh, lambda p: -2 * sech2(p) * (e(p) - e(-p)) / (e(p) + e(-p))),
        (mg.sigmoid, lambda p: sigmoid(p) * sigmoid(-p) * (sigmoid(-p) - sigmoid(p))),
        (mg.softplus, lambda p: sigmoid(p) * sigmoid(-p)),
    ]:
        got = float(mg.grad(mg.grad(f(x), x), x).eval({x: point}))
        assert got == pytest.approx(float(reference(point)), rel=1e-12)


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("gap", [0.0, 1.0, 20.0, 40.0, 80.0, 600.0])
def test_cross_entropy_and_its_gradient_keep_their_digits(gap, dtype):
    for logits, label in [([gap, 0.0, -1.0], 0), ([gap, 0.0, -1.0], 2), ([0.5, gap + 0.5, 0.25], 1)]:
        z = mg.input((3,), dtype=dtype)
        loss = mg.cross_entropy(z, label)
        given = [Decimal(float(dtype(value))) for value in logits]
        total = sum(value.exp() for value in given)
        p = [value.exp() / total for value in given]
        others = sum(value for i, value in enumerate(p) if i != label)
        expected = [-others if i == label else value for i, value in enumerate(p)]
        reference = -(p[label].ln()) if others > Decimal("1e-30") else others
        gradient = mg.grad(loss, z)
        values = mg.run([loss, gradient], {z: np.array(logits, dtype)})
        smallest = float(np.finfo(dtype).tiny)
        for got, want in zip([values[loss], *values[gradient]], [reference, *expected], strict=True):
            if abs(float(want)) >= smallest:
                assert abs(float(got) - float(want)) <= DIGITS[dtype] * abs(float(want))


def test_logsumexp_gradient_is_softmax_to_12_digits():
    z = mg.input((4,))
    logits = [0.0, -30.0, -300.0, -690.0]
    total = sum(e(value) for value in logits)
    got = mg.grad(mg.logsumexp(z), z).eval({z: logits})
    for value, weight in zip(logits, got, strict=True):
        assert float(weight) == pytest.approx(float(e(value) / total), rel=1e-12)


def values(y, x, at):
    return y.eval({x: at}).tolist(), mg.grad(mg.sum(y), x).eval({x: at}).tolist()


def test_nothing_overflows_where_the_result_is_a_number():
    x = mg.input((2,))
    for big in (800.0, 1e5, 1e300):
        assert values(mg.sigmoid(x), x, [big, -big]) == ([1, 0], [0, 0])
        assert values(mg.softplus(x), x, [big, -big]) == ([big, 0], [1, 0])
        assert values(mg.tanh(x), x, [big, -big]) == ([1, -1], [0, 0])
        assert mg.softmax(x).eval({x: [big, -big]}).tolist() == [1, 0]
        assert mg.grad(mg.softmax(x)[0], x).eval({x: [big, -big]}).tolist() == [0, 0]
        assert mg.logsumexp(x).eval({x: [big, big]}) == pytest.approx(big + np.log(2), rel=1e-15)
        assert values(mg.logsumexp(x), x, [big, -big]) == (big, [1, 0])
        assert values(mg.gelu(x), x, [big, -big]) == ([big, 0], [1, 0])
        assert values(mg.elu(x), x, [big, -big]) == ([big, -1], [1, 0])
        assert values(mg.cross_entropy(x, 1), x, [big, 0.0]) == (big, [1, -1])
        assert values(mg.norm(x), x, [0.6 * big, 0.8 * big])[0] == pytest.approx(big, rel=1e-15)
    tiny = [3e-200, 4e-200]
    assert values(mg.norm(x), x, tiny)[0] == pytest.approx(5e-200, rel=1e-15)
    np.testing.assert_allclose(values(mg.norm(x), x, tiny)[1], [0.6, 0.8], rtol=1e-15)


def test_minus_infinity_everywhere_is_a_limit_and_not_nan():
    x = mg.input((2,))
    nothing = [-np.inf, -np.inf]
    assert values(mg.logsumexp(x), x, nothing) == (-np.inf, [0, 0])
    assert values(np.logaddexp(x, -5.0), x, nothing) == ([-5, -5], [0, 0])
    assert values(mg.logsumexp(x), x, [-np.inf, 3.0]) == (3, [0, 1])
    assert mg.softmax(x).eval({x: [-np.inf, 3.0]}).tolist() == [0, 1]
    assert values(mg.softplus(x), x, nothing) == ([0, 0], [0, 0])
    empty = mg.input((0,))
    assert mg.logsumexp(empty).eval({empty: []}) == -np.inf


def test_norms_and_spreads_at_zero_have_gradient_zero():
    x = mg.input((3,))
    for y in (mg.norm(x), np.linalg.norm(x, 1), np.linalg.norm(x, 3), np.std(x), np.var(x), np.prod(x)):
        assert mg.grad(y, x).eval({x: [0.0, 0.0, 0.0]}).tolist() == [0, 0, 0], y
    assert mg.hessian(np.prod(x), x).eval({x: [0.0, 0.0, 2.0]}).tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]
    assert mg.grad(mg.sum(np.cumprod(x)), x).eval({x: [0.0, 0.0, 2.0]}).tolist() == [1, 0, 0]


def test_arcsin_and_arctanh_keep_their_digits_near_one():
    x = mg.input(())
    near = 1 - 2.0**-40
    one_minus_square = (1 - Decimal(near)) * (1 + Decimal(near))
    assert float(mg.grad(np.arctanh(x), x).eval({x: near})) == pytest.approx(float(1 / one_minus_square), rel=1e-14)
    assert float(mg.grad(np.arcsin(x), x).eval({x: near})) == pytest.approx(
        float(1 / one_minus_square.sqrt()), rel=1e-14
    )


def test_known_values():
    w, h = mg.parameter(0.9), mg.constant(0.0)
    for _ in range(20):
        h = w * h + 1.0
    assert float(mg.grad(h, w).eval()) == pytest.approx(60.82530018748325, rel=1e-15)
    w, start = mg.parameter(3.0), mg.parameter(0.5)
    h = start
    for _ in range(30):
        h = mg.tanh(w * h)
    assert float(mg.grad(h, start).eval()) == pytest.approx(1.06e-44, rel=5e-3)
    x, y = mg.parameter(4.0), mg.parameter(2.0)
    sweep = mg.backprop(x * y + x / y)
    assert [float(sweep.contributions[use].eval()) for use in sweep.uses(x)] == [2, 0.5]
    assert float(mg.mean(mg.cross_entropy(mg.constant(np.zeros((5, 7))), np.arange(5))).eval()) == pytest.approx(
        np.log(7), rel=1e-15
    )
