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


@pytest.mark.filterwarnings("ignore:invalid value")
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
