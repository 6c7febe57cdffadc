"""check_gradient accepts right gradients and refuses each kind of wrong one, by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.testing import GradientFailure, arrays, check_gradient

X = np.array([0.5, -1.25, 2.0])
W = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


def softmax(x):
    e = np.exp(x - np.max(np.real(x), axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def pull_softmax(x, seed):
    p = softmax(x)
    return p * (seed - np.sum(p * seed, axis=-1, keepdims=True))


def first_of_ties(x, seed):
    grad = np.zeros_like(x)
    grad[np.argmax(x)] = seed
    return grad


RIGHT = {
    "tanh": (np.tanh, lambda x, s: s / np.cosh(x) ** 2),
    "tanh, from its value": (np.tanh, lambda x, s: s * (1 - np.tanh(x) ** 2)),
    "sigmoid, from its value": (
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x, s: s * (1 / (1 + np.exp(-x))) * (1 - 1 / (1 + np.exp(-x))),
    ),
    "softmax": (softmax, pull_softmax),
    "matrix product": (lambda x: W @ x, lambda x, s: W.T @ s),
    "sum": (np.sum, lambda x, s: np.full(x.shape, s)),
    "sum, as a view": (np.sum, lambda x, s: np.broadcast_to(s, x.shape)),
    "relu": (lambda x: np.maximum(x, 0), lambda x, s: s * (x > 0)),
    "relu, 1 at 0": (lambda x: np.maximum(x, 0), lambda x, s: s * (x >= 0)),
    "abs": (np.abs, lambda x, s: s * np.sign(x)),
    "norm": (lambda x: np.sqrt(np.sum(x**2)), lambda x, s: s * x / max(np.sqrt(np.sum(x**2)), 1e-300)),
    "maximum, the first of ties": (np.max, first_of_ties),
    "log, where it is defined": (lambda x: np.log(x**2), lambda x, s: 2 * s / x),
    "a constant": (lambda x: np.ones(2), lambda x, s: np.zeros_like(x)),
    "no gradient": (lambda x: np.ones(2), lambda x, s: None),
}


# The functions are asked at 0 and far out, where NumPy warns of what they give there.
@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero", "ignore:overflow")
@pytest.mark.parametrize("name", sorted(RIGHT))
def test_right_gradients_pass(name):
    check_gradient(*_at(X, RIGHT[name]))


@given(arrays())
@settings(max_examples=30)
def test_right_gradients_pass_everywhere(x):
    check_gradient(np.sin, x, lambda x, s: s * np.cos(x))
    check_gradient(softmax, x.reshape((*x.shape, 1)), pull_softmax)


def _at(x, pair):
    f, gradient = pair
    return f, x, gradient


calls = []


def stale(x, s):
    calls.append(x)
    return s * np.cos(calls[0])


def writes_into_the_seed(x, s):
    s *= np.cos(x)
    return s.copy()


def writes_into_x(x, s):
    g = s * np.cos(x)
    x += 1e-9
    return g


buffer = np.zeros(3)


def reuses_a_buffer(x, s):
    np.multiply(s, np.cos(x), out=buffer)
    return buffer


WRONG = {
    "negated": (np.sin, lambda x, s: -s * np.cos(x), "one-hot seeds"),
    "doubled": (np.sin, lambda x, s: 2 * s * np.cos(x), "one-hot seeds"),
    "zero": (np.sin, lambda x, s: 0 * x, "one-hot seeds"),
    "absent": (np.sin, lambda x, s: None, "one-hot seeds"),
    "the seed is ignored": (np.sin, lambda x, s: np.cos(x), "zeros gives zeros|own"),
    "not linear in the seed": (np.sin, lambda x, s: np.abs(s) * np.cos(x), "linear"),
    "1e-9 off": (np.sin, lambda x, s: s * np.cos(x) * (1 + 1e-9), "one-hot seeds"),
    "float32": (np.sin, lambda x, s: (s * np.cos(x)).astype(np.float32), "dtype"),
    "rounded to float32": (np.sin, lambda x, s: (s * np.cos(x)).astype(np.float32).astype(float), "linear|one-hot"),
    "another shape": (np.sum, lambda x, s: s, "shape"),
    "transposed": (lambda x: W[:, :2] @ x[:2], lambda x, s: np.append(W[:, :2] @ s, 0.0), "one-hot"),
    "stale on the second call": (np.sin, stale, "one-hot seeds"),
    "mutated seed": (np.sin, writes_into_the_seed, "written into"),
    "mutated argument": (np.sin, writes_into_x, "written into"),
    "the seed itself": (lambda x: x + 1, lambda x, s: s, "owns its memory"),
    "one buffer for all": (np.sin, reuses_a_buffer, "stays what it was|owns its memory"),
    "every tie counted": (np.max, lambda x, s: s * (x == np.max(x)), "= <vjp|seed\\^T J"),
    "overwritten, not added": (
        lambda x: x[np.array([0, 0, 1])],
        lambda x, s: np.array([s[1], s[2], 0.0]),
        "one-hot seeds",
    ),
    "outside the slopes of a kink": (np.abs, lambda x, s: s * np.where(x > 0, 1, np.where(x < 0, -1, 3)), "kink"),
    "norm, NaN at 0": (
        lambda x: np.sqrt(np.sum(x**2)),
        lambda x, s: s * x / np.sqrt(np.sum(x**2)),
        "at a kink",
    ),
    "NaN where 0 is right": (np.square, lambda x, s: 2 * s * x**3 / x**2, "one-hot seeds"),
    "raises": (np.sin, lambda x, s: s @ x @ x, "raises"),
}


@pytest.mark.filterwarnings("ignore:invalid value")  # of the 0 / 0 that one of them is wrong by
@pytest.mark.parametrize("name", sorted(WRONG))
def test_wrong_gradients_are_named(name):
    calls.clear()
    f, gradient, law = WRONG[name]
    with pytest.raises(GradientFailure, match=law):
        check_gradient(f, X.copy(), gradient)


def test_a_wrong_hidden_coupling_is_refused_by_symmetry():
    # Not the gradient of anything: its derivative is [[0, 1], [-1, 0]]. The oracle of f says so too, earlier.
    with pytest.raises(GradientFailure):
        check_gradient(lambda x: x[0] * x[1], X[:2], lambda x, s: s * np.array([x[1], -x[0]]))


def test_structures_of_arrays():
    point = {"w": W, "x": X, "labels": np.array([1, 0])}

    def f(p):
        return (p["w"] @ p["x"])[p["labels"]]

    def gradient(p, seed):
        pulled = seed[np.argsort(p["labels"])]
        return {"w": np.outer(pulled, p["x"]), "x": p["w"].T @ pulled, "labels": None}

    check_gradient(f, point, gradient)
    with pytest.raises(GradientFailure, match="keys"):
        check_gradient(f, point, lambda p, seed: {"w": gradient(p, seed)["w"]})
    check_gradient(lambda p: p[0] * p[1], [X, 2 * X], lambda p, s: [s * p[1], s * p[0]])
    with pytest.raises(GradientFailure, match=r"d y\[2\] / d x\[0\]\[2\]"):
        check_gradient(lambda p: p[0] * p[1], (X, 2 * X), lambda p, s: (s * p[0], s * p[1]))


def test_float32_is_held_to_its_own_rounding():
    x = X.astype(np.float32)
    check_gradient(np.sin, x, lambda x, s: s * np.cos(x))
    with pytest.raises(GradientFailure):
        check_gradient(np.sin, x, lambda x, s: s * np.cos(x) * np.float32(1.01))


def test_strict_holds_saturated_gradients_to_their_own_size():
    x = np.array([12.0])
    check_gradient(np.tanh, x, lambda x, s: s * (1 - np.tanh(x) ** 2), degenerate=False)
    with pytest.raises(GradientFailure):
        check_gradient(np.tanh, x, lambda x, s: s * (1 - np.tanh(x) ** 2), strict=True)


def test_integers_have_no_gradient():
    with pytest.raises(TypeError, match="expects a float array"):
        check_gradient(np.sin, np.array([1, 2]), lambda x, s: s)


@given(st.integers(0, 5))
def test_other_seeds_find_the_same(seed):
    with pytest.raises(GradientFailure):
        check_gradient(np.sin, X, lambda x, s: s * np.cos(x) * 1.000001, seed=seed)


@pytest.mark.parametrize("distance", [1e-2, 1e-3, 1e-4, 1e-6, 1e-9])
def test_a_kink_nearby_is_no_alarm(distance):
    x = np.array([distance, -distance, 1.0])
    check_gradient(lambda x: np.maximum(x, 0), x, lambda x, s: s * (x > 0), degenerate=False)
    check_gradient(lambda x: np.maximum(np.real(x), 0), x, lambda x, s: s * (x > 0), degenerate=False)
    with pytest.raises(GradientFailure):
        check_gradient(lambda x: np.maximum(x, 0), x, lambda x, s: s * (x >= -0.5), degenerate=False)


def hidden_layer(p):
    x, a, b = p
    return b @ np.tanh(a @ x)


def pull_hidden_layer(p, seed):
    x, a, b = p
    h = np.tanh(a @ x)
    pulled = (b.T @ seed) * (1 - h * h)
    return [a.T @ pulled, np.outer(pulled, x), np.outer(seed, h)]


@pytest.mark.parametrize("seed", range(6))
def test_rounding_that_weights_multiply_is_no_alarm(seed):
    # 1 - h^2 is off by the rounding of h, and at saturated inputs the weights make that larger than what is left.
    rng = np.random.default_rng(seed)
    point = [rng.standard_normal(3), 2 * rng.standard_normal((4, 3)), rng.standard_normal((2, 4))]
    check_gradient(hidden_layer, point, pull_hidden_layer, seed=seed)
    with pytest.raises(GradientFailure):
        check_gradient(hidden_layer, point, pull_hidden_layer, seed=seed, strict=True)
    with pytest.raises(GradientFailure):
        check_gradient(
            hidden_layer, point, lambda p, s: [g * (1 + 1e-9) for g in pull_hidden_layer(p, s)], degenerate=False
        )


def difference_of_gates(x):
    return np.tanh(x[0]) - np.tanh(x[1])


def pull_from_values(x, seed):
    return seed * (1 - np.tanh(x) ** 2) * np.array([1.0, -1.0])


def pull_exactly(x, seed):
    return seed / np.cosh(x) ** 2 * np.array([1.0, -1.0])


@pytest.mark.parametrize("gradient", [pull_from_values, pull_exactly])
@pytest.mark.parametrize("f", [difference_of_gates, lambda x: difference_of_gates(np.real(x))], ids=["complex", "real"])
def test_rounding_of_values_that_cancel_is_no_alarm(f, gradient):
    # The value is 0, and what is left of 1 - tanh(12)^2 has the rounding of 1; so has each difference of f.
    x = np.array([12.0, 12.0])
    check_gradient(f, x, gradient)
    with pytest.raises(GradientFailure):
        check_gradient(f, x, lambda x, seed: 1.01 * gradient(x, seed))


def test_a_gradient_that_takes_plain_arrays_only_is_not_excused_by_rounding_on_the_way():
    def picky(x, seed):
        assert type(x) is np.ndarray
        return pull_from_values(x, seed)

    with pytest.raises(GradientFailure, match="one-hot seeds"):
        check_gradient(difference_of_gates, np.array([12.0, 12.0]), picky, shrink=False)


def test_strict_does_not_let_arithmetic_err():
    x = np.array([12.0, 12.0])
    check_gradient(difference_of_gates, x, pull_exactly, degenerate=False, strict=True)
    with pytest.raises(GradientFailure):
        check_gradient(difference_of_gates, x, pull_from_values, degenerate=False, strict=True)


def sigmoid(x):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def lstm(p, saved=None):
    h = c = np.zeros(2)
    states = []
    for x in p["x"]:
        gates = (p["w"] @ x + p["u"] @ h + p["b"]).reshape(4, 2)
        i, f, o = sigmoid(gates[0]), sigmoid(gates[1]), sigmoid(gates[3])
        g = np.tanh(gates[2])
        past, c = c, f * c + i * g
        if saved is not None:
            saved.append((x, h, past, i, f, g, o, np.tanh(c)))
        h = o * np.tanh(c)
        states.append(h)
    return np.stack(states)


def pull_lstm(p, seed):
    saved = []
    lstm(p, saved)
    gradient = {name: np.zeros_like(array) for name, array in p.items()}
    dh = dc = np.zeros(2)
    for t in reversed(range(len(saved))):
        x, h, past, i, f, g, o, tanh_c = saved[t]
        dh = dh + seed[t]
        dc = dc + dh * o * (1 - tanh_c**2)
        gates = [dc * g * i * (1 - i), dc * past * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)]
        da = np.concatenate(gates)
        gradient["x"][t] = da @ p["w"]
        gradient["w"] += np.outer(da, x)
        gradient["u"] += np.outer(da, h)
        gradient["b"] += da
        dh, dc = da @ p["u"], dc * f
    return gradient


@pytest.mark.parametrize("seed", [2, 14, 17, 25])
def test_an_lstm_written_by_hand_is_right_at_saturated_gates_too(seed):
    rng = np.random.default_rng(seed)
    point = {name: rng.normal(size=shape) for name, shape in {"x": (3, 2), "w": (8, 2), "u": (8, 2), "b": (8,)}.items()}
    check_gradient(lstm, point, pull_lstm)
    with pytest.raises(GradientFailure):
        check_gradient(lstm, point, lambda p, s: {**pull_lstm(p, s), "b": pull_lstm(p, s)["b"] * (1 + 1e-10)})


def test_progress_names_each_law():
    seen = []
    check_gradient(np.sin, X, lambda x, s: s * np.cos(x), degenerate=False, progress=seen.append)
    assert seen[:5] == ["Shapes and dtypes", "Seed laws", "Dot test", "One-hot seeds", "Second order"]
    assert len(seen) == 10


def test_a_memory_that_later_inputs_overwrite_is_noticed_when_the_first_comes_back():
    known, slopes = {}, np.zeros(3)

    def overwritten(x, s):
        if x.dtype.kind == "c":
            return s * np.cos(x)
        key = np.ascontiguousarray(x).tobytes()
        if key not in known:
            slopes[:] = np.cos(x)
            known[key] = slopes  # one buffer for all: right until another input comes
        return s * known[key]

    with pytest.raises(GradientFailure, match="the first input again gives the first gradient"):
        check_gradient(np.sin, X, overwritten, degenerate=False)


def test_degenerate_inputs_are_made_of_the_one_that_is_given():
    seen = []

    def right(x, s):
        seen.append(np.array(x))
        return s * np.cos(x)

    check_gradient(np.sin, X, right)
    made = {tuple(np.real(x)) for x in seen}
    assert (0.0, 0.0, 0.0) in made
    assert (0.5, 0.5, 0.5) in made
    assert (0.5, -1.25, 0.5) in made
    for size in (40.0, -40.0, 800.0, -800.0):
        assert any(size in x for x in made)
    strides = {x.strides for x in _layouts(np.arange(4.0).reshape(2, 2))}
    assert len(strides) == 5  # as it is, Fortran, reversed, gapped, stride 0


def _layouts(x):
    seen = []

    def right(at, s):
        seen.append(at)
        return s * np.cos(at)

    check_gradient(np.sin, x, right)
    return [at for at in seen if at.dtype == float]
