"""Laws of backpropagation through time on every cell: size, symmetry, limits, exact values, truncation, and the complex
step."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn

SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(1, 5)
CELLS = {
    **{f"rnn {name}": (rnn.RNN, {"activation": name}) for name in rnn.cells.ACTIVATIONS},
    "lstm": (rnn.LSTM, {}),
    "gru after": (rnn.GRU, {"reset": "after"}),
    "gru before": (rnn.GRU, {"reset": "before"}),
}
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)


def make(cell, inputs, hidden, generator, **more):
    kind, options = cell
    return kind(inputs, hidden, rng=generator, **options, **more)


def assign(model, **values):
    for name, value in values.items():
        model.parameters[f"{name}_l0"].assign(value)


def jacobian(y, x):
    """d y / d x by one-hot seeds, both flattened."""
    rows = [mg.vjp(y, x, seed.reshape(y.shape)).eval().ravel() for seed in np.eye(y.size)]
    return np.array(rows)


@every_cell
@settings(max_examples=10)  # a deep net and its whole gradient each time
@given(seed=SEEDS, count=COUNTS)
def test_gradients_equal_the_complex_step(cell, seed, count):
    generator = np.random.default_rng(seed)
    model = make(cell, 2, 3, generator, layers=2, bidirectional=True)
    x = mg.parameter(generator.normal(size=(count, 2, 2)))
    net = rnn.unroll(model, x, lengths=[count, count - 1])
    loss = mg.sum(net.outputs * generator.normal(size=net.outputs.shape))
    sources = [x, *model.parameters.values()]
    directions = [generator.normal(size=source.shape) for source in sources]
    gradients = [g.eval() for g in mg.grad(loss, sources)]
    feed = {s: s.value + 1e-20j * d for s, d in zip(sources, directions, strict=True)}
    terms = np.concatenate([(g * d).ravel() for g, d in zip(gradients, directions, strict=True)])
    assert abs(loss.eval(feed).imag / 1e-20 - terms.sum()) <= 1e-13 * np.abs(terms).sum() + 1e-300


@given(seed=SEEDS, count=COUNTS, activation=st.sampled_from(["tanh", "sigmoid", "identity"]))
def test_the_jacobian_is_the_product_of_the_steps_and_no_larger_than_their_norms(seed, count, activation):
    generator = np.random.default_rng(seed)
    model = rnn.RNN(2, 3, activation=activation, rng=generator)
    start = mg.parameter(generator.normal(size=(1, 1, 3)))
    net = rnn.unroll(model, generator.normal(size=(count, 1, 2)), start)
    w = model.parameters["weight_hh_l0"].value
    product, bound = np.eye(3), 1.0
    for step in net.steps:
        a = step.layers[0].get("a", step.h).eval()[0]
        s = 1 / (1 + np.exp(-a))
        slope = {"tanh": 1 - np.tanh(a) ** 2, "sigmoid": s * (1 - s), "identity": np.ones(3)}[activation]
        product = slope[:, None] * w @ product
        bound *= np.linalg.norm(slope[:, None] * w, 2)
    exact = jacobian(net.steps[-1].h, start)
    np.testing.assert_allclose(exact, product, rtol=1e-10, atol=1e-13 * bound)
    assert np.linalg.norm(exact, 2) <= bound * (1 + 1e-12)


@given(seed=SEEDS, count=st.integers(1, 8))
def test_a_linear_net_has_the_closed_form(seed, count):
    generator = np.random.default_rng(seed)
    model = rnn.RNN(2, 3, activation="identity", rng=generator)
    start = mg.parameter(generator.normal(size=(1, 1, 3)))
    x = mg.parameter(generator.normal(size=(count, 1, 2)))
    net = rnn.unroll(model, x, start)
    w, u = model.parameters["weight_hh_l0"].value, model.parameters["weight_ih_l0"].value
    power = np.linalg.matrix_power
    scale = np.linalg.norm(w, 2) ** count
    np.testing.assert_allclose(jacobian(net.state, start), power(w, count), rtol=1e-12, atol=1e-13 * scale)
    wanted = np.concatenate([power(w, count - 1 - t) @ u for t in range(count)], axis=1)
    np.testing.assert_allclose(jacobian(net.state, x), wanted, rtol=1e-12, atol=1e-13)


@given(seed=SEEDS, activation=st.sampled_from(["tanh", "identity"]))
def test_a_strictly_triangular_net_forgets_exactly_after_its_size(seed, activation):
    generator = np.random.default_rng(seed)
    model = rnn.RNN(1, 4, activation=activation, rng=generator)
    assign(model, weight_hh=np.tril(generator.normal(size=(4, 4)), -1))
    start = mg.parameter(generator.normal(size=(1, 1, 4)))
    steps = rnn.unroll(model, generator.normal(size=(5, 1, 1)), start).steps
    assert np.any(jacobian(steps[2].h, start))
    assert not np.any(jacobian(steps[3].h, start))


@every_cell
@settings(max_examples=15)
@given(seed=SEEDS, count=COUNTS)
def test_renumbering_the_hidden_units_renumbers_the_gradient(cell, seed, count):
    generator = np.random.default_rng(seed)
    model, other = (make(cell, 2, 4, np.random.default_rng(seed)) for _ in range(2))
    order = generator.permutation(4)
    rows = np.concatenate([order + 4 * block for block in range(len(model.gates))])
    for name, parameter in model.parameters.items():
        value = parameter.value[rows]
        other.parameters[name].assign(value[:, order] if "weight_hh" in name else value)
    xs = generator.normal(size=(count, 2, 2))
    weights = generator.normal(size=4)
    sums = [mg.sum(rnn.unroll(net, xs).outputs * w) for net, w in ((model, weights), (other, weights[order]))]
    np.testing.assert_allclose(sums[0].eval(), sums[1].eval(), rtol=1e-12, atol=1e-12)
    for name, parameter in model.parameters.items():
        gradient = mg.grad(sums[0], parameter).eval()[rows]
        gradient = gradient[:, order] if "weight_hh" in name else gradient
        np.testing.assert_allclose(
            mg.grad(sums[1], other.parameters[name]).eval(), gradient, rtol=1e-10, atol=1e-12 * np.abs(gradient).max()
        )


@given(seed=SEEDS, count=COUNTS)
def test_flipping_the_signs_of_tanh_units_flips_what_touches_them(seed, count):
    generator = np.random.default_rng(seed)
    model, other = (rnn.RNN(2, 3, rng=seed) for _ in range(2))
    signs = generator.choice([-1.0, 1.0], size=3)
    for name, parameter in model.parameters.items():
        value = (parameter.value.T * signs).T
        other.parameters[name].assign(value * signs if "weight_hh" in name else value)
    xs = generator.normal(size=(count, 1, 2))
    nets = [rnn.unroll(net, xs).outputs for net in (model, other)]
    assert np.array_equal(nets[0].eval() * signs, nets[1].eval())
    w = [
        mg.grad(mg.sum(n * s), net.parameters["weight_ih_l0"]).eval()
        for n, s, net in ((nets[0], np.ones(3), model), (nets[1], signs, other))
    ]
    assert np.array_equal((w[0].T * signs).T, w[1])


@given(seed=SEEDS, count=COUNTS)
def test_relu_nets_without_bias_are_homogeneous(seed, count):
    """Euler: h is of degree 1 in the input weights and each h_t is linear in its paths, so <dh, W_ih> = h."""
    generator = np.random.default_rng(seed)
    model = rnn.RNN(2, 3, activation="relu", rng=generator)
    assign(model, bias_ih=np.zeros(3), bias_hh=np.zeros(3))
    w = model.parameters["weight_ih_l0"]
    y = mg.sum(rnn.unroll(model, generator.normal(size=(count, 2, 2))).outputs)
    np.testing.assert_allclose(np.sum(mg.grad(y, w).eval() * w.value), y.eval(), rtol=1e-12, atol=1e-13)


@given(seed=SEEDS, count=COUNTS)
def test_an_open_forget_gate_carries_the_cell_state_unchanged(seed, count):
    generator = np.random.default_rng(seed)
    model = rnn.LSTM(2, 3, rng=generator)
    assign(model, bias_ih=np.repeat([-900.0, 900.0, 0.0, 0.0], 3))
    start = mg.parameter(generator.normal(size=(1, 1, 3)))
    net = rnn.unroll(model, generator.normal(size=(count, 1, 2)), (np.zeros((1, 1, 3)), start))
    assert np.array_equal(jacobian(net.state[1], start), np.eye(3))


@given(seed=SEEDS, count=COUNTS)
def test_the_cell_path_alone_is_the_product_of_the_forget_gates(seed, count):
    """With W_hh = 0 there are no paths through h; with it the full derivative differs by exactly those."""
    generator = np.random.default_rng(seed)
    model = rnn.LSTM(2, 3, rng=generator)
    xs = generator.normal(size=(count, 1, 2))
    start = mg.parameter(generator.normal(size=(1, 1, 3)))

    def derivative_and_gates():
        net = rnn.unroll(model, xs, (np.zeros((1, 1, 3)), start))
        return jacobian(net.state[1], start), np.prod([step.f.eval()[0] for step in net.steps], axis=0)

    full, gates = derivative_and_gates()
    if count > 1:
        assert not np.allclose(full, np.diag(gates), rtol=1e-6, atol=0)
    assign(model, weight_hh=np.zeros((12, 3)))
    alone, gates = derivative_and_gates()
    np.testing.assert_allclose(alone, np.diag(gates), rtol=1e-13)


@pytest.mark.parametrize("reset", ["after", "before"])
@given(seed=SEEDS, count=COUNTS)
def test_a_gru_with_open_reset_and_closed_update_is_the_tanh_rnn(reset, seed, count):
    generator = np.random.default_rng(seed)
    plain = rnn.RNN(2, 3, rng=generator)
    gru = rnn.GRU(2, 3, reset=reset, rng=generator)
    bias = np.repeat([900.0, -900.0, 0.0], 3)
    for name, parameter in plain.parameters.items():
        value = gru.parameters[name].value.copy()
        value[6:] = parameter.value
        gru.parameters[name].assign(value)
    gru.parameters["bias_ih_l0"].assign(np.concatenate([bias[:6], plain.parameters["bias_ih_l0"].value]))
    xs = generator.normal(size=(count, 2, 2))
    outputs = [rnn.unroll(net, xs).outputs for net in (plain, gru)]
    np.testing.assert_allclose(outputs[1].eval(), outputs[0].eval(), rtol=1e-13, atol=1e-15)
    gradients = [
        mg.grad(mg.sum(out), net.parameters["weight_hh_l0"]).eval()
        for out, net in zip(outputs, (plain, gru), strict=True)
    ]
    np.testing.assert_allclose(gradients[1][6:], gradients[0], rtol=1e-12, atol=1e-14)
    assert not np.any(gradients[1][:6])


def test_exact_value_of_the_scalar_linear_net():
    model = rnn.RNN(1, 1, activation="identity", rng=0)
    assign(model, weight_ih=[[1.0]], weight_hh=[[0.9]], bias_ih=[0.0], bias_hh=[0.0])
    net = rnn.unroll(model, np.ones((20, 1, 1)))
    gradient = mg.grad(net.state[0, 0, 0], model.parameters["weight_hh_l0"]).eval()
    np.testing.assert_allclose(gradient, [[60.82530018748325]], rtol=1e-14)


def test_a_gradient_that_grows_before_it_vanishes():
    model = rnn.RNN(1, 2, activation="identity", rng=0)
    assign(model, weight_hh=[[0.5, 10.0], [0.0, 0.5]])
    start = mg.parameter(np.zeros((1, 1, 2)))
    steps = rnn.unroll(model, np.zeros((60, 1, 1)), start).steps
    norms = [np.linalg.norm(jacobian(steps[t].h, start), 2) for t in (0, 2, 59)]
    assert norms[1] == pytest.approx(7.5021, abs=5e-5)
    assert norms[2] < 1e-12


def test_exact_value_of_a_saturated_tanh_net():
    model = rnn.RNN(1, 1, rng=0)
    assign(model, weight_ih=[[0.0]], weight_hh=[[3.0]], bias_ih=[0.0], bias_hh=[0.0])
    start = mg.parameter([[[0.5]]])
    gradient = mg.grad(rnn.unroll(model, np.zeros((30, 1, 1)), start).state[0, 0, 0], start).eval()
    assert gradient == pytest.approx(1.06e-44, rel=5e-3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_gru_has_five_paths_a_step_over_primitive_edges(count):
    """Carry, n, r, and z twice, in (1 - z) * n and in z * h."""
    start = mg.parameter(np.full((1, 1, 1), 0.5))
    net = rnn.unroll(rnn.GRU(1, 1, rng=0), np.ones((count, 1, 1)), start)
    assert mg.flow(net.steps[-1].h[0, 0], start).count() == 5**count


@pytest.mark.parametrize(("count", "layers"), [(1, 3), (4, 1), (4, 3)])
def test_a_stack_of_layers_has_the_paths_of_a_grid(count, layers):
    model = rnn.RNN(1, 1, layers=layers, rng=0)
    steps = rnn.unroll(model, np.ones((count, 1, 1))).steps
    corner = steps[0].layers[0]["h"]
    assert mg.flow(steps[-1].h[0, 0], corner).count() == comb(count - 1 + layers - 1, layers - 1)


def test_the_first_loss_of_unbiased_logits_is_the_log_of_the_vocabulary():
    reading = rnn.read("hello world", rnn.LSTM)
    feed = {node: np.zeros(node.shape) for node in reading.readout.values()}
    np.testing.assert_allclose([loss.eval(feed) for loss in reading.losses], np.log(8), rtol=1e-15)


@every_cell
@settings(max_examples=15)
@given(seed=SEEDS, window=st.integers(1, 7))
def test_chunks_that_hold_the_sequence_are_exact_and_shorter_ones_are_not(cell, seed, window):
    """Truncated backpropagation: the state crosses each cut, the gradient does not; forward values are untouched."""
    generator = np.random.default_rng(seed)
    model = make(cell, 2, 3, generator)
    xs = generator.normal(size=(5, 1, 2))
    w = model.parameters["weight_ih_l0"]
    whole = mg.sum(rnn.unroll(model, xs).outputs)
    state, terms = None, []
    for begin in range(0, 5, window):
        net = rnn.unroll(model, xs[begin : begin + window], state)
        terms.append(mg.sum(net.outputs))
        state = tuple(map(mg.stop_gradient, net.state)) if isinstance(net.state, tuple) else mg.stop_gradient(net.state)
    chunked = mg.ops.add_n(*terms)
    np.testing.assert_allclose(chunked.eval(), whole.eval(), rtol=1e-13)
    full, short = mg.grad(whole, w).eval(), mg.grad(chunked, w).eval()
    if window >= 5:
        assert np.array_equal(full, short)
    elif model.__class__ is not rnn.RNN or model.activation != "relu":
        assert not np.allclose(full, short, rtol=1e-9, atol=0)
