"""Lanes, crossings and gates: each a partition of the paths that sums to the gradient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn

SOURCES = st.sampled_from(["weight_hh_l0", "weight_ih_l0", "bias_hh_l0"])


def build(cell, seed, steps, scale=1.0, layers=1, lengths=None):
    rng = np.random.default_rng(seed)
    model = cell(2, 3, rng=rng, layers=layers)
    for parameter in model.parameters.values():
        parameter.assign(parameter.value * scale)
    net = rnn.unroll(model, rng.normal(size=(steps, 2, 2)), lengths=lengths)
    return net, mg.sum(mg.sin(net.outputs) * rng.normal(size=net.outputs.shape))


@settings(max_examples=30)
@given(
    st.sampled_from([rnn.RNN, rnn.LSTM, rnn.GRU]),
    st.integers(0, 2**32),
    st.integers(1, 5),
    SOURCES,
    st.integers(1, 2),
    st.sampled_from([None, "ragged"]),
)
def test_every_split_sums_to_the_gradient(cell, seed, steps, source, layers, ragged):
    lengths = None if ragged is None else [steps, max(0, steps - 2)]
    net, loss = build(cell, seed, steps, layers=layers, lengths=lengths)
    weight = net.model.parameters[source]
    split = rnn.lanes(loss, weight, net)
    whole = mg.grad(loss, weight).eval()
    for parts in (split.by_lane, split.by_crossings, split.by_gate):
        sizes = sum(np.abs(part.gradient).max() for part in parts.values())
        assert np.abs(sum(part.gradient for part in parts.values()) - whole).max() <= 1e-13 * sizes
        assert sum(part.count for part in parts.values()) == split.flow.count()


def test_the_c_lane_from_c_to_c_is_the_product_of_the_forget_gates():
    net, _ = build(rnn.LSTM, 4, 6)
    start, loss = net.initial[0]["c"], mg.sum(net.steps[-1].c)
    split = rnn.lanes(loss, start, net)
    gates = mg.run(loss)
    product = np.prod([gates[step.f] for step in net.steps], axis=0)
    np.testing.assert_allclose(split.by_lane["c"].gradient, product, rtol=1e-14)
    assert split.by_lane["c"].count == 1
    assert np.abs(split.flow.gradient - product).max() > 1e-3 * np.abs(product).max()


def test_paths_from_c_to_c_at_gate_granularity_are_counted_exactly():
    net = rnn.unroll(rnn.LSTM(1, 1, rng=0), np.ones((20, 1, 1)))
    start = net.initial[0]["c"]
    counts = [mg.flow(mg.sum(step.c), start).count() for step in net.steps]
    assert counts[:6] == [1, 4, 19, 91, 436, 2089]
    assert counts[19] == 7_018_916_985_076
    classes = rnn.lanes(mg.sum(net.steps[-1].c), start, net).by_crossings
    assert sorted(classes) == list(range(20))
    assert sum(part.count for part in classes.values()) == 7_018_916_985_076


def test_the_h_lane_is_what_is_left_when_c_is_cut_and_the_other_way_round():
    net, loss = build(rnn.LSTM, 9, 4)
    weight = net.model.parameters["weight_hh_l0"]
    lanes = rnn.lanes(loss, weight, net).by_lane
    for kept, cut in (("h", "c"), ("c", "h")):
        crossings = [
            mg.Edge(user, slot)
            for user in mg.walk(loss)
            for slot, arg in enumerate(user.args)
            for step in net.steps[:-1]
            if arg is getattr(step, cut) and user.scope.get("t") == step.t + 1
        ]
        without = mg.flow(loss, weight).avoiding(crossings).gradient
        np.testing.assert_allclose(lanes["within"].gradient + lanes[kept].gradient, without, rtol=1e-12, atol=1e-15)


def test_the_carry_of_a_gru_is_the_product_of_its_update_gates():
    net, _ = build(rnn.GRU, 2, 5)
    start, loss = net.initial[0]["h"], mg.sum(net.steps[-1].h)
    split = rnn.lanes(loss, start, net)
    values = mg.run(loss)
    product = np.prod([values[step.z] for step in net.steps], axis=0)
    np.testing.assert_allclose(split.by_lane["carry"].gradient, product, rtol=1e-14)
    assert set(split.by_lane) == {"carry", "gates", "changing"}
    assert split.by_lane["carry"].count == 1


def test_paths_of_a_gru_are_four_a_step_between_gates_and_five_between_primitives():
    net = rnn.unroll(rnn.GRU(1, 1, rng=0), np.ones((6, 1, 1)))
    flow = mg.flow(mg.sum(net.steps[-1].h), net.initial[0]["h"])

    def gate(node):
        role = {"carry": "h"}.get(node.scope.get("role"), node.scope.get("role"))
        return (node.scope.get("t"), role) if role else node.id

    assert flow.count() == 5**6
    assert flow.count(by=gate) == 4**6


def test_a_gradient_by_gate_is_the_rows_of_that_gate():
    net, loss = build(rnn.LSTM, 3, 4)
    weight = net.model.parameters["weight_hh_l0"]
    parts = rnn.lanes(loss, weight, net).by_gate
    whole = mg.grad(loss, weight).eval()
    for number, gate in enumerate("ifgo"):
        rows = np.zeros_like(whole)
        rows[3 * number : 3 * number + 3] = whole[3 * number : 3 * number + 3]
        np.testing.assert_allclose(parts[gate].gradient, rows, rtol=1e-13, atol=1e-16)


def test_large_recurrent_weights_turn_the_h_detach_ratio():
    ratios = []
    for scale in (1.0, 6.0):
        rng = np.random.default_rng(0)
        model = rnn.LSTM(2, 8, rng=rng, forget_bias=1.0)
        weight = model.parameters["weight_hh_l0"]
        weight.assign(weight.value * scale)
        net = rnn.unroll(model, rng.normal(size=(20, 1, 2)))
        split = rnn.lanes(mg.sum(net.steps[-1].h * rng.normal(size=(1, 8))), weight, net)
        ratios.append(split.detach_ratio)
    assert ratios[0] < 0.5 < 2 < ratios[1]


def test_a_gate_forced_open_is_a_constant_and_changes_what_follows():
    net, _ = build(rnn.LSTM, 8, 7)
    start, loss = net.initial[0]["c"], mg.sum(net.steps[-1].c)
    feed = rnn.forced(net, "f", 1.0)
    split = rnn.lanes(loss, start, net, feed=feed)
    np.testing.assert_array_equal(split.by_lane["c"].gradient, np.ones((2, 3)))
    weight = net.model.parameters["weight_hh_l0"]
    assert "f" not in rnn.lanes(loss, weight, net, feed=feed).by_gate
    table = rnn.bptt([loss], weight, net, feed=feed)
    np.testing.assert_allclose(table.total, mg.flow(loss, weight, feed).gradient, rtol=1e-13)
    with pytest.raises(ValueError, match=r"has no gate 'z'; it has f, g, i, o"):
        rnn.forced(net, "z")
    with pytest.raises(ValueError, match="it has no gates"):
        rnn.forced(rnn.unroll(rnn.RNN(1, 1), np.ones((2, 1, 1))), "f")


def test_whoever_hands_over_a_model_is_told_so():
    net, loss = build(rnn.LSTM, 0, 2)
    with pytest.raises(TypeError, match=r"expects what rnn\.unroll returned, got LSTM"):
        rnn.lanes(loss, net.model.parameters["weight_hh_l0"], net.model)


@pytest.mark.parametrize(("cell", "lane"), [(rnn.GRU, "carry"), (rnn.LSTM, "h")])
def test_a_sequence_that_has_ended_hands_its_state_on_past_every_gate(cell, lane):
    net = rnn.unroll(cell(1, 2, rng=0), np.ones((4, 1, 1)), lengths=[1])
    split = rnn.lanes(mg.sum(net.steps[3].h), net.steps[0].h, net)
    np.testing.assert_array_equal(split.by_lane[lane].gradient, np.ones((1, 2)))
    np.testing.assert_array_equal(split.by_crossings[0].gradient, np.ones((1, 2)))
    assert split.detach_ratio == 0
