"""The Jacobians of the state against the complex step, closed forms and bounds; and what the diagnosis says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn


def build(cell, seed, steps, scale=1.0, batch=2, **options):
    rng = np.random.default_rng(seed)
    model = cell(2, 3, rng=rng, **options)
    weight = model.parameters["weight_hh_l0"]
    weight.assign(weight.value * scale)
    states = tuple(rng.normal(size=(model.layers, batch, 3)) for _ in model.states)
    start = states if len(states) > 1 else states[0]
    return rnn.unroll(model, rng.normal(size=(steps, batch, 2)), state=start)


@settings(max_examples=25)
@given(st.sampled_from([rnn.RNN, rnn.LSTM, rnn.GRU]), st.integers(0, 2**32), st.integers(1, 4))
def test_every_step_agrees_with_the_complex_step_from_the_state_before(cell, seed, steps):
    net = build(cell, seed, steps)
    names, jacobian = net.model.states, rnn.jacobians(net)
    before = [net.initial[0], *(step.layers[0] for step in net.steps[:-1])]
    targets = [net.steps[-1].layers[0][name] for name in names]
    values = mg.run(targets)
    for number, name in enumerate(names):
        source = before[-1][name]
        held = {before[-1][other]: values[before[-1][other]] for other in names}
        for unit in range(3):
            moved = held[source].astype(complex)
            moved[:, unit] += 1e-20j
            run = mg.run(targets, {**held, source: moved})
            column = np.concatenate([run[target].imag for target in targets], axis=1) / 1e-20
            own = jacobian.step[-1][:, :, 3 * number + unit]
            assert np.abs(own - column).max() <= 1e-13 * max(np.abs(column).max(), 1e-3)


@settings(max_examples=25)
@given(st.sampled_from([rnn.RNN, rnn.LSTM, rnn.GRU]), st.integers(0, 2**32), st.integers(1, 6))
def test_the_product_over_the_steps_is_the_jacobian_over_all_of_them(cell, seed, steps):
    net = build(cell, seed, steps, batch=1)
    jacobian = rnn.jacobians(net)
    start, end = net.initial[0]["h"], net.steps[-1].h
    rows = [mg.flow(end, start, seed=np.eye(3)[unit][None]).gradient[0] for unit in range(3)]
    assert jacobian.log10_norm[-1] == pytest.approx(np.log10(np.linalg.norm(np.stack(rows), 2)), abs=1e-10)
    assert jacobian.log10_norm[0] == 0
    assert jacobian.singular_values.shape == jacobian.step.shape[:3]


@settings(max_examples=25)
@given(st.sampled_from(["tanh", "sigmoid", "relu", "identity"]), st.integers(0, 2**32), st.floats(0.1, 5))
def test_no_product_is_above_the_bound_of_pascanu(activation, seed, scale):
    jacobian = rnn.jacobians(build(rnn.RNN, seed, 6, scale=scale, activation=activation))
    for lag, size in enumerate(jacobian.log10_norm):
        assert size <= lag * math.log10(jacobian.bound) + 1e-9
    assert jacobian.singular_values.max() <= jacobian.bound * (1 + 1e-12)


def test_a_linear_net_has_the_powers_of_its_weight():
    model = rnn.RNN(1, 2, activation="identity", rng=0)
    model.parameters["weight_hh_l0"].assign([[0.5, 10.0], [0.0, 0.5]])
    net = rnn.unroll(model, np.zeros((3, 1, 1)))
    assert 10 ** rnn.jacobians(net).log10_norm[3] == pytest.approx(7.5021, abs=1e-4)


def test_a_strictly_triangular_weight_is_exactly_0_behind_its_lag():
    model = rnn.RNN(1, 3, rng=0)
    model.parameters["weight_hh_l0"].assign(np.triu(np.ones((3, 3)), 1))
    jacobian = rnn.jacobians(rnn.unroll(model, np.ones((6, 1, 1))))
    assert np.isfinite(jacobian.log10_norm[:3]).all()
    assert (jacobian.log10_norm[3:] == -np.inf).all()
    assert jacobian.diagnosis().verdict == "is exactly 0"
    assert jacobian.half_life == 0


def test_saturation_is_measured_far_below_the_smallest_float():
    # dh_T/dh_0 of tanh, w = 3, from 0.5: the product of the slopes, one after another.
    model = rnn.RNN(1, 1, rng=0)
    for name, parameter in model.parameters.items():
        parameter.assign(np.full(parameter.shape, 3.0 if name == "weight_hh_l0" else 0.0))
    short = rnn.jacobians(rnn.unroll(model, np.zeros((30, 1, 1)), state=np.full((1, 1, 1), 0.5)))
    assert 10 ** short.log10_norm[-1] == pytest.approx(1.06e-44, rel=5e-3)
    long = rnn.jacobians(rnn.unroll(model, np.zeros((400, 1, 1)), state=np.full((1, 1, 1), 0.5)))
    assert long.log10_norm[-1] < -500
    assert long.diagnosis().verdict == "vanishes"
    assert long.diagnosis().cause == "saturation"
    assert "mean slope of tanh is" in str(long.diagnosis())


def test_small_weights_are_told_from_saturation():
    diagnosis = rnn.jacobians(build(rnn.RNN, 1, 30, scale=0.2)).diagnosis()
    assert (diagnosis.verdict, diagnosis.cause) == ("vanishes", "weights")
    assert sum(diagnosis.parts.values()) == pytest.approx(diagnosis.decades)


def test_large_weights_of_a_linear_net_explode():
    diagnosis = rnn.jacobians(build(rnn.RNN, 1, 30, scale=4.0, activation="identity")).diagnosis()
    assert (diagnosis.verdict, diagnosis.cause) == ("explodes", "weights")


def test_closed_forget_gates_are_named_and_open_ones_hold():
    closed = rnn.LSTM(1, 3, forget_bias=-3.0, rng=0)
    diagnosis = rnn.jacobians(rnn.unroll(closed, np.zeros((20, 1, 1)))).diagnosis()
    assert (diagnosis.verdict, diagnosis.cause) == ("vanishes", "gates")
    held = rnn.LSTM(1, 3, forget_bias=900.0, rng=0)
    jacobian = rnn.jacobians(rnn.unroll(held, np.zeros((20, 1, 1))))
    assert jacobian.log10_state_norm.min() >= -1e-12
    assert jacobian.bound is None


def test_a_gate_forced_open_holds_without_building_anew():
    net = rnn.unroll(rnn.LSTM(1, 3, forget_bias=-3.0, rng=0), np.zeros((20, 1, 1)))
    forced = rnn.jacobians(net, feed=rnn.forced(net, "f", 1.0))
    assert forced.diagnosis().parts["gates"] == 0
    assert forced.log10_state_norm[-1] > -1


def test_a_ragged_batch_and_a_lower_layer_have_jacobians_too():
    rng = np.random.default_rng(0)
    net = rnn.unroll(rnn.RNN(2, 3, rng=0, layers=2), rng.normal(size=(5, 2, 2)), lengths=[5, 2])
    upper, lower = rnn.jacobians(net), rnn.jacobians(net, layer=0)
    for jacobian in (upper, lower):
        np.testing.assert_array_equal(jacobian.step[3][1], np.eye(3))
        assert "mean slope" in str(jacobian.diagnosis())
    for layer, jacobian in enumerate((lower, upper)):
        end, start = net.steps[0].layers[layer]["h"], net.initial[layer]["h"]
        for unit in range(3):
            row = mg.flow(end, start, seed=np.tile(np.eye(3)[unit], (2, 1))).gradient
            np.testing.assert_allclose(jacobian.step[0][:, unit], row, rtol=1e-13, atol=1e-16)


def test_what_cannot_be_asked_is_said():
    with pytest.raises(TypeError, match=r"expects what rnn\.unroll returned, got RNN"):
        rnn.jacobians(rnn.RNN(1, 1))
    with pytest.raises(mg.GradientError, match="has no step"):
        rnn.jacobians(rnn.unroll(rnn.RNN(1, 1), np.zeros((0, 1, 1))))
