"""Optimisers against their papers' formulas, and clipping against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
import rnn


def sgd(w, gradients, lr=0.1, momentum=0.9):
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = momentum * velocity + g
        w = w - lr * velocity
    return w


def adagrad(w, gradients, lr=0.1, eps=1e-8):
    for t, g in enumerate(gradients):
        w = w - lr * g / (np.sqrt(sum(past**2 for past in gradients[: t + 1])) + eps)
    return w


def rmsprop(w, gradients, lr=0.1, decay=0.9, eps=1e-8):
    for t, g in enumerate(gradients):
        average = sum((1 - decay) * decay ** (t - k) * gradients[k] ** 2 for k in range(t + 1))
        w = w - lr * g / (np.sqrt(average) + eps)
    return w


def adam(w, gradients, lr=0.1, a=0.9, b=0.999, eps=1e-8):
    for t in range(1, len(gradients) + 1):
        m = sum((1 - a) * a ** (t - k - 1) * gradients[k] for k in range(t)) / (1 - a**t)
        v = sum((1 - b) * b ** (t - k - 1) * gradients[k] ** 2 for k in range(t)) / (1 - b**t)
        w = w - lr * m / (np.sqrt(v) + eps)
    return w


MADE = {
    "sgd": (lambda p: rnn.SGD(p, 0.1, momentum=0.9), sgd),
    "plain sgd": (lambda p: rnn.SGD(p, 0.1), lambda w, g: sgd(w, g, momentum=0.0)),
    "adagrad": (lambda p: rnn.Adagrad(p, 0.1), adagrad),
    "rmsprop": (lambda p: rnn.RMSprop(p, 0.1), rmsprop),
    "adam": (lambda p: rnn.Adam(p, 0.1), adam),
}
every_optimiser = pytest.mark.parametrize("name", MADE)


@every_optimiser
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 5))
def test_the_parameters_follow_the_formula(name, seed, count):
    make, formula = MADE[name]
    generator = np.random.default_rng(seed)
    starts = {"w": generator.normal(size=(2, 3)), "b": generator.normal(size=())}
    parameters = {key: mg.parameter(value) for key, value in starts.items()}
    optimiser = make(parameters)
    seen = [{key: generator.normal(size=value.shape) for key, value in starts.items()} for _ in range(count)]
    for place, gradients in enumerate(seen):
        optimiser.step(gradients if place % 2 else list(gradients.values()))
    for key, start in starts.items():
        np.testing.assert_allclose(parameters[key].value, formula(start, [g[key] for g in seen]), rtol=1e-9, atol=1e-12)


@every_optimiser
def test_a_restored_optimiser_goes_on_bit_for_bit(name):
    make, _ = MADE[name]
    generator = np.random.default_rng(0)
    gradients = [[generator.normal(size=3)] for _ in range(6)]
    unbroken, first, second = (mg.parameter(np.ones(3)) for _ in range(3))
    whole, before, after = make([unbroken]), make([first]), make([second])
    for g in gradients:
        whole.step(g)
    for g in gradients[:3]:
        before.step(g)
    second.assign(first.value)
    after.restore(before.state())
    for g in gradients[3:]:
        after.step(g)
    assert second.value.tobytes() == unbroken.value.tobytes()


def test_a_tied_parameter_moves_once():
    w = mg.parameter([1.0])
    rnn.SGD({"a": w, "b": w}, lr=1.0).step({"a": np.array([0.25]), "b": np.array([0.25])})
    assert w.value == 0.75
    rnn.SGD([w, w], lr=1.0).step([np.array([0.25])] * 2)
    assert w.value == 0.5


def test_float32_parameters_stay_float32():
    w = mg.parameter(np.ones(2, np.float32))
    for make, _ in MADE.values():
        optimiser = make([w])
        optimiser.step([np.ones(2, np.float32)])
        assert {array.dtype for slots in optimiser.memory.values() for array in slots.values()} <= {np.dtype("float32")}
    assert w.value.dtype == np.float32


def test_wrong_gradients_are_named_and_change_nothing():
    w, b = mg.parameter(np.ones(2)), mg.parameter(1.0)
    optimiser = rnn.Adam({"w": w, "b": b})
    with pytest.raises(KeyError, match="Adam: no gradient was given for b"):
        optimiser.step({"w": np.ones(2)})
    with pytest.raises(ValueError, match=r"Adam: the gradient of b must have shape \(\), got \(1,\)"):
        optimiser.step({"w": np.ones(2), "b": np.ones(1)})
    with pytest.raises(ValueError, match="Adam: lr must be above 0, got 0"):
        rnn.Adam([w], lr=0)
    assert np.array_equal(w.value, np.ones(2))
    assert optimiser.steps == 0


@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-300, 1e-200, 1e-3, 1.0, 1e200]),
    relative=st.sampled_from([0.1, 0.999, 1.0, 1.001, 10.0]),
)
def test_clip_norm_returns_the_norm_before_and_leaves_at_most_the_limit(seed, scale, relative):
    generator = np.random.default_rng(seed)
    before = {
        "w": generator.normal(size=(2, 3)) * scale,
        "b": np.array(generator.normal() * scale),
        "none": np.zeros(0),
    }
    norm = np.linalg.norm(np.concatenate([g.ravel() / scale for g in before.values()])) * scale
    clipped = {name: g.copy() for name, g in before.items()}
    np.testing.assert_allclose(rnn.clip_norm(clipped, norm * relative), norm, rtol=1e-14)
    for name, g in before.items():
        if relative > 1:
            assert np.array_equal(clipped[name], g)
        np.testing.assert_allclose(clipped[name], g * min(relative, 1.0), rtol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_clip_norm_reports_what_is_not_finite_and_leaves_it(bad):
    gradients = [np.array([bad, 1.0]), np.array([2.0])]
    assert not np.isfinite(rnn.clip_norm(gradients, 1.0))
    assert gradients[1] == 2.0


def test_clipping_takes_each_array_once():
    g = np.array([3.0, 4.0])
    assert rnn.clip_norm({"a": g, "b": g}, 1.0) == 5.0
    np.testing.assert_allclose(g, [0.6, 0.8])
    assert rnn.clip_norm([], 1.0) == 0.0
    with pytest.raises(TypeError, match="needs arrays, got float"):
        rnn.clip_norm([3.0], 1.0)


def test_clip_value_cuts_every_entry():
    g = [np.array([-9.0, 0.5]), np.array(7.0)]
    rnn.clip_value(g, 5.0)
    assert g[0].tolist() == [-5.0, 0.5]
    assert g[1] == 5.0
