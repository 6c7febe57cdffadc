"""Checkpoints: the same results, in memory that grows with the square root of the steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg


def _net(steps: int, batch: int = 3, features: int = 6) -> tuple[mg.Node, list[mg.Node], list[mg.Node]]:
    """An LSTM-like recurrence by hand (the engine's tests know no rnn): inputs, loss and gradients, states."""
    rng = np.random.default_rng(0)
    xs = mg.input((steps, batch, features), name="xs")
    weights = [mg.parameter(rng.normal(size=(features, features)) / features) for _ in range(3)]
    h = c = mg.constant(np.zeros((batch, features)))
    states = []
    for t in range(steps):
        with mg.scope(t=t):
            gate = mg.sigmoid(xs[t] @ weights[0] + h @ weights[1])
            c = gate * c + np.tanh(h @ weights[2] + xs[t])
            h = np.tanh(c) * gate
        states.append((h, c))
    loss = mg.sum(h * h)
    return xs, [loss, *mg.grad(loss, weights)], [node for pair in states for node in pair]


def _every(states: list[mg.Node], steps: int) -> list[mg.Node]:
    gap = max(1, round(math.sqrt(steps)))
    return [node for t in range(gap - 1, steps, gap) for node in states[2 * t : 2 * t + 2]]


def _peak(steps: int) -> int:
    xs, outputs, states = _net(steps)
    return mg.function([xs], outputs, checkpoints=_every(states, steps)).peak_bytes - xs.size * 8


@given(steps=st.integers(1, 9), data=st.data())
def test_any_choice_of_checkpoints_gives_the_results_of_run(steps: int, data: st.DataObject) -> None:
    xs, outputs, states = _net(steps, batch=2, features=2)
    kept = data.draw(st.lists(st.sampled_from(states), unique=True))
    array = np.random.default_rng(1).normal(size=xs.shape)
    computed = mg.function([xs], outputs, checkpoints=kept)(array)
    expected = mg.run(outputs, {xs: array})
    for node, value in zip(outputs, computed, strict=True):
        np.testing.assert_allclose(value, expected[node], rtol=1e-12, atol=1e-15)


def test_second_derivatives_are_recomputed_too() -> None:
    x = mg.input(())
    h = [x]
    for _ in range(8):
        h.append(mg.sin(h[-1]) * 1.5)
    second = mg.grad(mg.grad(h[-1], x), x)
    f = mg.function([x], second, checkpoints=[h[4]])
    np.testing.assert_allclose(f(0.3), second.eval({x: 0.3}), rtol=1e-12)


def test_a_checkpoint_may_be_an_output_and_a_forward_output_stays_as_it_is() -> None:
    xs, outputs, states = _net(5)
    array = np.ones(xs.shape)
    f = mg.function([xs], [*outputs, states[4]], checkpoints=[states[4]])
    np.testing.assert_allclose(f(array)[-1], states[4].eval({xs: array}), rtol=1e-14)


def test_memory_grows_with_the_square_root_of_the_steps() -> None:
    short, long = _peak(25), _peak(400)
    assert long < 5 * short
    xs, outputs, _ = _net(400)
    assert long < (mg.function([xs], outputs).peak_bytes - xs.size * 8) / 3


@pytest.mark.slow
def test_two_thousand_steps_take_at_most_five_times_the_memory_of_125() -> None:
    assert _peak(2000) <= 5 * _peak(125)
