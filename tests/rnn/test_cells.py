"""The cells against their equations, their starting weights, and what a wrong call is told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn

SEEDS = st.integers(0, 2**32 - 1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def blocks(model, array):
    return dict(zip(model.gates, np.split(array, len(model.gates)), strict=True))


def one_step(model, x, states):
    """The equations of the papers, gate by gate, in plain NumPy."""
    w, u, b, d = (blocks(model, p.value) for p in model.parameters.values())
    h = states[0]
    if isinstance(model, rnn.RNN):
        squash = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0), "sigmoid": sigmoid, "identity": lambda a: a}
        return (squash[model.activation](x @ w["h"].T + b["h"] + h @ u["h"].T + d["h"]),)
    a = {gate: x @ w[gate].T + b[gate] + h @ u[gate].T + d[gate] for gate in model.gates}
    if isinstance(model, rnn.LSTM):
        c = sigmoid(a["f"]) * states[1] + sigmoid(a["i"]) * np.tanh(a["g"])
        return sigmoid(a["o"]) * np.tanh(c), c
    r, z = sigmoid(a["r"]), sigmoid(a["z"])
    if model.reset == "after":
        n = np.tanh(x @ w["n"].T + b["n"] + r * (h @ u["n"].T + d["n"]))
    else:
        n = np.tanh(x @ w["n"].T + b["n"] + (r * h) @ u["n"].T + d["n"])
    return ((1 - z) * n + z * h,)


CELLS = {
    "rnn": rnn.RNN,
    "rnn relu": lambda *a, **k: rnn.RNN(*a, activation="relu", **k),
    "rnn sigmoid": lambda *a, **k: rnn.RNN(*a, activation="sigmoid", **k),
    "rnn identity": lambda *a, **k: rnn.RNN(*a, activation="identity", **k),
    "lstm": rnn.LSTM,
    "gru after": rnn.GRU,
    "gru before": lambda *a, **k: rnn.GRU(*a, reset="before", **k),
}
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)


@every_cell
@given(seed=SEEDS, count=st.integers(0, 4), sizes=st.tuples(*[st.integers(1, 4)] * 3))
def test_every_step_is_the_equations(cell, seed, count, sizes):
    inputs, hidden, batch = sizes
    generator = np.random.default_rng(seed)
    model = cell(inputs, hidden, rng=generator)
    xs = generator.normal(size=(count, batch, inputs))
    start = [generator.normal(size=(batch, hidden)) for _ in model.states]
    net = rnn.unroll(model, xs, start[0][None] if len(start) == 1 else [s[None] for s in start])
    states = start
    for step, x in zip(net.steps, xs, strict=True):
        states = one_step(model, x, states)
        for name, state in zip(model.states, states, strict=True):
            np.testing.assert_allclose(getattr(step, name).eval(), state, rtol=1e-13, atol=1e-14)
    final = net.state if isinstance(net.state, tuple) else (net.state,)
    for got, state in zip(final, states, strict=True):
        np.testing.assert_allclose(got.eval(), state[None], rtol=1e-13, atol=1e-14)


@every_cell
def test_every_step_uses_every_parameter_once(cell):
    model = cell(2, 3, layers=2, bidirectional=True, rng=0)
    net = rnn.unroll(model, np.ones((4, 1, 2)))
    sweep = mg.backprop(mg.sum(net.outputs), list(model.parameters.values()))
    for name, parameter in model.parameters.items():
        uses = sweep.uses(parameter)
        assert sorted(use.user.scope["t"] for use in uses) == [0, 1, 2, 3], name
        assert {use.user.scope.get("direction") for use in uses} == {"reverse" if name.endswith("reverse") else None}
        assert {use.user.scope["layer"] for use in uses} == {int(name.split("_l")[1][0])}


@every_cell
def test_float32_stays_float32(cell):
    model = cell(2, 3, layers=2, bidirectional=True, merge="mean", rng=0, dtype=np.float32)
    masks = rnn.dropout_masks(model, 2, 1, 0.5, rng=0)
    net = rnn.unroll(model, np.ones((2, 1, 2)), lengths=[1], dropout=masks)
    gradient = mg.grad(mg.sum(net.outputs), list(model.parameters.values()))
    assert {node.dtype for node in mg.walk([net.outputs, *gradient]) if node.dtype.kind == "f"} == {np.dtype("float32")}
    assert net.outputs.eval().dtype == np.float32


def test_activation_names_its_choices():
    with pytest.raises(ValueError, match=r"RNN: activation must be one of tanh, relu, sigmoid, identity, got 'tan'"):
        rnn.RNN(1, 1, activation="tan")
    with pytest.raises(ValueError, match=r"GRU: reset must be one of after, before, got True"):
        rnn.GRU(1, 1, reset=True)
    with pytest.raises(ValueError, match=r"LSTM: merge must be one of concat, sum, mean"):
        rnn.LSTM(1, 1, merge="max")
    with pytest.raises(ValueError, match=r"LSTM: init must be one of uniform, glorot, orthogonal"):
        rnn.LSTM(1, 1, init="zeros")
    with pytest.raises(ValueError, match=r"GRU: layers must be a whole number of 1 or more, got 0"):
        rnn.GRU(1, 1, layers=0)
    with pytest.raises(TypeError, match=r"GRU: dtype must be a float, got int64"):
        rnn.GRU(1, 1, dtype=np.int64)


@given(seed=SEEDS, hidden=st.integers(1, 6), inputs=st.integers(1, 6))
def test_initialisers_keep_their_promise(seed, hidden, inputs):
    for cell in (rnn.RNN, rnn.LSTM, rnn.GRU):
        uniform = cell(inputs, hidden, rng=seed)
        assert all(np.all(np.abs(p.value) <= hidden**-0.5) for p in uniform.parameters.values())
        glorot = cell(inputs, hidden, init="glorot", rng=seed).parameters
        assert np.all(np.abs(glorot["weight_ih_l0"].value) <= np.sqrt(6 / (hidden + inputs)))
        orthogonal = cell(inputs, hidden, init="orthogonal", rng=seed)
        for block in blocks(orthogonal, orthogonal.parameters["weight_hh_l0"].value).values():
            np.testing.assert_allclose(block @ block.T, np.eye(hidden), atol=1e-13)
        for start in (glorot, orthogonal.parameters):
            assert not np.any(start["bias_ih_l0"].value)
            assert not np.any(start["bias_hh_l0"].value)


@pytest.mark.parametrize("init", ["uniform", "glorot", "orthogonal"])
def test_a_seed_fixes_the_weights(init):
    first, again, other = (rnn.GRU(3, 4, layers=2, init=init, rng=seed).parameters for seed in (7, 7, 8))
    for name, parameter in first.items():
        assert parameter.value.tobytes() == again[name].value.tobytes()
    assert first["weight_hh_l1"].value.tobytes() != other["weight_hh_l1"].value.tobytes()


def test_forget_bias_is_the_sum_of_both_biases():
    model = rnn.LSTM(2, 3, layers=2, bidirectional=True, forget_bias=1.5, rng=0)
    plain = rnn.LSTM(2, 3, layers=2, bidirectional=True, rng=0)
    for layer, direction in model.rows:
        weights, drawn = model.weights(layer, direction), plain.weights(layer, direction)
        total = blocks(model, weights.b_ih.value + weights.b_hh.value)
        assert np.all(total.pop("f") == 1.5)
        untouched = blocks(model, drawn.b_ih.value + drawn.b_hh.value)
        assert all(np.array_equal(total[gate], untouched[gate]) for gate in total)


@settings(max_examples=12)
@given(seed=SEEDS, count=st.integers(1, 4))
def test_a_tied_weight_collects_the_gradient_of_its_copies(seed, count):
    xs = np.random.default_rng(seed).normal(size=(count, 2, 3))
    apart = rnn.GRU(3, 3, layers=2, rng=seed)
    for name in ("weight_ih", "weight_hh"):
        apart.parameters[f"{name}_l1"].assign(apart.parameters[f"{name}_l0"].value)
    tied = rnn.GRU(3, 3, layers=2, rng=seed)
    for name in ("weight_ih", "weight_hh"):
        tied.share(f"{name}_l1", tied.parameters[f"{name}_l0"])
    loss = {net: mg.sum(rnn.unroll(net, xs).outputs) for net in (apart, tied)}
    assert loss[apart].eval() == loss[tied].eval()
    for name in ("weight_ih", "weight_hh"):
        copies = mg.grad(loss[apart], [apart.parameters[f"{name}_l0"], apart.parameters[f"{name}_l1"]])
        parts = [copy.eval() for copy in copies]
        together = mg.grad(loss[tied], tied.parameters[f"{name}_l0"]).eval()
        scale = sum(np.abs(part) for part in parts).max()
        np.testing.assert_allclose(together, parts[0] + parts[1], rtol=0, atol=1e-13 * scale)


def test_share_refuses_what_does_not_fit():
    model = rnn.RNN(2, 3, layers=2, rng=0)
    with pytest.raises(ValueError, match=r"share: weight_ih_l1 is \(3, 3\) float64, weight_ih_l0 is \(3, 2\) float64"):
        model.share("weight_ih_l1", model.parameters["weight_ih_l0"])
    with pytest.raises(KeyError, match="not 'weight_ih_l2'"):
        model.share("weight_ih_l2", model.parameters["weight_ih_l0"])
