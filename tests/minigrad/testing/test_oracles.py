"""The oracles: exact where they claim to be, honest about their error where they are not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.testing import GradientFailure, arrays, check_gradient, complex_step, difference
from minigrad.testing.oracles import Oracle

SMOOTH = {
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "exp": (np.exp, np.exp),
    "cube": (lambda x: x**3 - x, lambda x: 3 * x**2 - 1),
}


@given(st.sampled_from(sorted(SMOOTH)), st.floats(-5, 5))
def test_complex_step_is_exact_to_rounding(name, x):
    f, slope = SMOOTH[name]
    assert complex_step(f, np.array(x)) == pytest.approx(slope(x), rel=1e-13, abs=1e-13 * abs(f(x)))


@given(st.sampled_from(sorted(SMOOTH)), st.integers(-500, 500).map(lambda n: n / 100))
def test_the_stencil_knows_its_error(name, x):
    f, slope = SMOOTH[name]
    got = difference(f, np.array(x))
    assert abs(float(got) - slope(x)) <= 100 * got.error + 1e-13
    assert got.error < 1e-6 * max(1, abs(f(x)))


@pytest.mark.parametrize("method", [complex_step, difference])
def test_an_error_is_small_and_has_no_sign(method):
    for f in (np.negative, lambda x: -np.sin(x)):
        error = method(f, np.array([0.5, 1.0])).error
        assert np.all(error >= 0)
        assert np.all(error < 1e-9)


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.float64, 1e-7, 1e-5), (np.float32, 1e2, 1e4)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_rounding_of_a_value_is_known_wherever_it_comes_from(sign, dtype, low, high):
    # math.sin is not NumPy's: nothing is known of the way, but the value is.
    error = difference(lambda x: dtype(sign * (1e6 + math.sin(x))), np.array(0.3)).error
    assert low < error < high


def test_what_is_empty_takes_no_step():
    x = {"a": np.zeros(0), "b": np.array(2.0)}
    for method in (complex_step, difference):
        assert float(method(lambda p: p["b"] ** 2 + np.sum(p["a"]), x, {"a": np.zeros(0), "b": 1.0})) == pytest.approx(
            4
        )


def test_the_stencil_keeps_the_step_that_knows_most():
    # Of a smooth function that is the first one, and where f ends nearby one that stays inside.
    assert difference(np.exp, np.array(0.5)).error < 3e-12
    near = difference(lambda x: np.sqrt(1 - x * x), np.array(0.995))
    assert near == pytest.approx(-0.995 / np.sqrt(1 - 0.995**2), rel=1e-9)
    assert near.error < 1e-6


def test_a_float32_is_exact_as_a_double():
    x = np.array(0.3, np.float32)
    for method in (complex_step, difference):
        assert float(method(np.sin, x)) == pytest.approx(np.cos(float(x)), rel=1e-11)


def test_a_lag_of_size_1e_minus_7_has_all_its_digits():
    w = np.array(0.45)

    def last_state(u, power=np.power):
        h = u
        for _ in range(19):
            h = np.tanh(w * h)
        return h

    x = mg.input((), name="u")
    h = x
    for _ in range(19):
        h = mg.tanh(w * h)
    want = mg.grad(h, x).eval({x: 0.3})
    assert want < 3e-7
    assert complex_step(last_state, np.array(0.3)) == pytest.approx(float(want), rel=1e-14)
    # The stencil is six orders worse than the complex step, and says so.
    assert difference(last_state, np.array(0.3)).error > 1e-14 * want


def test_a_jacobian_has_the_shape_of_result_and_argument():
    a = np.arange(6.0).reshape(2, 3)
    jacobian = complex_step(lambda x: a @ x, np.ones((3, 2)))
    assert jacobian.shape == (2, 2, 3, 2)
    np.testing.assert_array_equal(jacobian[:, 1, :, 1], a)
    # Each element with its own error, which is relative to it.
    np.testing.assert_allclose(jacobian.error, 64 * np.finfo(float).eps * jacobian, atol=1e-200)
    assert complex_step(lambda x: a @ x, np.ones((3, 0))).shape == (2, 0, 3, 0)


def test_structures_take_a_direction():
    got = complex_step(lambda p: p["w"] * p["b"], {"w": np.array(2.0), "b": np.array(3.0)}, {"w": 1.0, "b": 10.0})
    assert float(got) == 23.0
    with pytest.raises(TypeError, match="direction"):
        complex_step(lambda p: p[0] * p[1], (np.array([2.0]), np.array([3.0])))


@pytest.mark.parametrize("f", [np.abs, lambda x: np.asarray(x).real * 2, lambda x: x.astype(float)])
def test_a_function_that_drops_the_imaginary_part_is_refused(f):
    with pytest.raises(TypeError, match="imaginary"):
        complex_step(f, np.array([1.0, -2.0]))


def test_at_a_kink_the_error_estimate_is_of_the_size_of_the_jump():
    kink = difference(lambda x: np.maximum(x, 0), np.array(1e-3))
    assert kink.error > 0.01 or abs(float(kink) - 1) < 1e-6


def test_a_function_and_its_negative_have_one_error():
    for f in (lambda x: np.tanh(100 * x), lambda x: np.abs(x - 0.02)):
        errors = [difference(lambda x, f=f, sign=sign: sign * f(x), np.array(0.019)).error for sign in (1, -1)]
        assert errors[0] == errors[1] > 0


@pytest.mark.parametrize("method", [complex_step, difference])
@pytest.mark.parametrize("direction", [1.0, -1.0, 1e5, -1e-5])
def test_a_step_is_small_beside_its_point_in_any_direction(method, direction):
    got = method(lambda x: np.log(x) * x, np.array(1e-3), direction)
    assert float(got) == pytest.approx(direction * (np.log(1e-3) + 1), rel=1e-10)


@given(arrays(shape=(3,), domain="unit"))
def test_both_oracles_agree_along_a_direction(x):
    v = np.array([1.0, -0.5, 2.0])
    exact = complex_step(lambda x: np.sin(x) * x[0], x, v)
    rough = difference(lambda x: np.sin(x) * x[0], x, v)
    assert np.all(np.abs(exact - rough) <= 100 * rough.error + 1e-12)


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: x * np.real(x), lambda x: 2 * x),
        (lambda x: x * np.conj(x) * x, lambda x: 3 * x**2),
        (lambda x: np.sin(x) + 1e-3 * np.abs(x), lambda x: np.cos(x) + 1e-3 * np.sign(x)),
    ],
)
def test_a_complex_step_that_the_stencil_contradicts_is_not_trusted(f, slope):
    x = np.array([0.5, -1.25, 2.0])
    assert Oracle(lambda a: f(a[0]), [x], np.random.default_rng(0)).source == "6-point difference"
    check_gradient(f, x, lambda x, s: s * slope(x), degenerate=False)
    with pytest.raises(GradientFailure, match="6-point"):
        check_gradient(f, x, lambda x, s: s * slope(x) * 1.001, degenerate=False, shrink=False)


def test_an_imaginary_part_that_underflows_is_no_contradiction():
    oracle = Oracle(lambda a: 1e-250 * a[0], [np.ones(1)], np.random.default_rng(0))
    assert oracle.source == "complex step"
    assert float(oracle.push([np.ones(1)]).error[0]) > 1e-250


def test_a_difference_knows_the_rounding_of_values_that_cancel():
    for direction in (None, 1.0):
        flat = difference(lambda x: (1e16 + x) - 1e16, np.array(0.3), direction)
        assert flat == 0
        assert flat.error > 1
    assert Oracle(lambda a: (1e16 + a[0]) - 1e16, [np.full(1, 0.3)], np.random.default_rng(0)).source == "complex step"
    # Of a function that does not compute with NumPy only the rounding of its value is known.
    assert difference(lambda x: (1e16 + float(x)) - 1e16, np.array(0.3)).error == 0


def asked(f, *x, complex_too):
    """The oracle of f at a point, by the complex step or by differences, as it may have been decided elsewhere."""
    of = f if complex_too else lambda x: f(np.real(x))
    oracle = Oracle(lambda a: np.asarray(of(a[0])), [np.array(x)], np.random.default_rng(0))
    oracle.trusts_complex = complex_too
    return oracle


def jump(x):
    return np.where(np.real(x) > 0, x + 1, x)


def bent(x):
    return np.where(np.real(x) > 0, x, 3 * x)


def corner(x):
    """Straight along every line through 0, and no plane."""
    return x[0] ** 2 * x[1] / (x[0] ** 2 + x[1] ** 2 + (np.real(x[0]) == 0) * (np.real(x[1]) == 0))


@pytest.mark.parametrize("complex_too", [True, False])
@pytest.mark.parametrize(
    ("f", "x", "smooth"),
    [
        (np.tanh, 0.5, True),
        (lambda x: -1e6 * np.tanh(x), 0.5, True),
        (lambda x: x**2 + x**3, 0.0, True),
        (lambda x: 5 + np.cos(x), 0.0, True),
        (np.log, 1e-9, True),
        (bent, 1.0, True),
        (bent, 0.0, False),
        (lambda x: -bent(x), 0.0, False),
        (lambda x: 1e-6 * bent(x), 0.0, False),
        (lambda x: bent(x) - 2 * x, 0.0, False),
        (jump, 1.0, True),
        (jump, 0.0, False),
        (lambda x: -jump(x), 0.0, False),
    ],
)
def test_where_a_function_is_smooth(f, x, smooth, complex_too):
    assert asked(f, x, complex_too=complex_too).is_smooth([np.ones(1)]) == smooth
    beside_a_smooth_one = asked(lambda x: np.stack([2 * x, f(x)]), x, complex_too=complex_too)
    assert beside_a_smooth_one.is_smooth([np.ones(1)]) == smooth


def test_rounding_makes_no_kink():
    for x in (0.3, 0.7, 1.9):
        for sign in (1, -1):
            oracle = asked(lambda x, sign=sign: sign * np.exp(x) * np.exp(-x), x, complex_too=False)
            assert oracle.is_smooth([np.ones(1)])


@pytest.mark.parametrize("complex_too", [True, False])
def test_where_a_function_jumps(complex_too):
    oracle = asked(lambda x: np.stack([jump(x), -jump(x), bent(x), 7 + x**2, 0 * x]), 0.0, complex_too=complex_too)
    assert oracle.is_continuous([np.ones(1)])[:, 0].tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("complex_too", [True, False])
def test_the_slopes_on_either_side(complex_too):
    def f(x):
        return np.stack([bent(x), -bent(x), bent(-x), 1e-3 * bent(x), np.tanh(x), jump(x)])

    oracle = asked(f, 0.0, complex_too=complex_too)
    low, high = oracle.one_sided([np.ones(1)])
    lowest, highest = [1, -3, -3, 1e-3, 1], [3, -1, -1, 3e-3, 1]
    np.testing.assert_allclose(low[:5, 0], lowest, rtol=0.01)
    np.testing.assert_allclose(high[:5, 0], highest, rtol=0.01)
    assert np.all(low[:5, 0] < lowest)
    assert np.all(high[:5, 0] > highest)
    assert low[5] < -1e300
    assert high[5] > 1e300


@pytest.mark.filterwarnings("ignore:invalid value")  # of the root of a negative number, on one side of 0
def test_a_slope_that_is_not_known_may_be_any():
    low, high = asked(np.sqrt, 0.0, complex_too=False).one_sided([np.ones(1)])
    assert low < -1e300
    assert high > 1e300


@pytest.mark.parametrize(
    ("f", "x", "differentiable"),
    [
        (lambda x: x[0] * x[1], (2.0, -3.0), True),
        (lambda x: np.stack([np.sin(x[0]) - 1e3 * x[1], x[0] / x[1]]), (2.0, -3.0), True),
        (np.max, (1.0, 2.0), True),
        (np.max, (1.0, 1.0), False),
        (corner, (1.0, 1.0), True),
        (corner, (0.0, 0.0), False),
        (lambda x: np.stack([x[0] + x[1], 1e-3 * corner(x)]), (0.0, 0.0), False),
    ],
)
def test_where_the_derivatives_of_the_coordinates_add_up(f, x, differentiable):
    # Along (1, 1) all of these are smooth.
    oracle = asked(f, *x, complex_too=False)
    assert oracle.is_smooth([np.ones(2)])
    assert oracle.is_differentiable([np.ones(2)]) == differentiable
    assert oracle.is_differentiable([-2 * np.ones(2)]) == differentiable


def test_what_is_not_smooth_is_not_differentiable_and_of_many_coordinates_no_more_is_asked():
    assert not asked(lambda x: bent(x[0]) + x[1], 0.0, 1.0, complex_too=False).is_differentiable([np.ones(2)])
    for count, answer in ((64, False), (65, True)):
        assert asked(np.max, *np.ones(count), complex_too=False).is_differentiable([np.ones(count)]) == answer


def source_of(f, *x):
    return Oracle(lambda a: np.asarray(f(a[0])), [np.array(x)], np.random.default_rng(0)).source


def test_what_the_stencil_contradicts_and_what_not():
    assert source_of(lambda x: -np.tanh(x), 0.5) == "complex step"
    assert source_of(lambda x: 1e-3 * x * np.real(x), 0.5) == "6-point difference"
    assert source_of(lambda x: np.stack([x, x * np.real(x)]), 0.5) == "6-point difference"
    assert source_of(lambda x: np.arctan2(x, 1.0), 0.5) == "6-point difference"  # it raises
    # The stencil reaches across the kink at x_0 = x_1, quotients with a small step do not.
    assert source_of(lambda x: bent(x[0] - x[1]), 1.0, 1.0 - 1e-6) == "complex step"


def test_another_function_of_the_same_making_shares_the_trust():
    oracle = asked(np.tanh, 0.5, complex_too=True)
    other = oracle.at([np.array([0.25], np.float32)], lambda a: np.sin(a[0]))
    assert other.source == "complex step"
    assert float(other.push([np.ones(1)])[0]) == pytest.approx(np.cos(0.25), rel=1e-15)
    assert other.at([np.array([0.5])]).f is other.f


def test_a_complex_step_is_trusted_next_to_a_kink_that_the_stencil_reaches_across():
    x = np.array([1e-4])
    oracle = Oracle(lambda a: np.where(np.real(a[0]) > 0, a[0], 0), [x], np.random.default_rng(0))
    assert oracle.source == "complex step"
    assert float(oracle.push([np.ones(1)])[0]) == 1.0


def test_positions_stay_whole_numbers():
    oracle = Oracle(lambda a: a[0][a[1]], [np.array([2.0, 3.0]), np.array([1])], np.random.default_rng(0))
    assert oracle.source == "complex step"
    assert float(oracle.push([np.array([5.0, 7.0]), None])[0]) == 7.0


def test_arguments_that_stay_are_complex_too():
    def mixes_nothing(p):
        assert p[0].dtype == p[1].dtype
        return np.sum(p[0] * p[1])

    check_gradient(mixes_nothing, [np.ones(2), np.ones(2)], lambda p, s: [s * p[1], s * p[0]])
