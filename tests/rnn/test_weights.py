"""Other libraries' weights: their equations in plain NumPy, on their arrays, give the same outputs and gradients.

The equations are written from each library's documentation, with its own names, gate orders and layouts.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn

CELLS = {
    "rnn": (rnn.RNN, {}),
    "lstm": (rnn.LSTM, {}),
    "gru after": (rnn.GRU, {"reset": "after"}),
    "gru before": (rnn.GRU, {"reset": "before"}),
}
every_cell = pytest.mark.parametrize("cell", CELLS)
every_convention = pytest.mark.parametrize("convention", ["torch", "keras", "onnx"])


def make(cell, *sizes, **options):
    kind, own = CELLS[cell]
    return kind(*sizes, **own, **options)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def torch_outputs(cell, a, xs):
    h = c = np.zeros((xs.shape[1], a["weight_hh_l0"].shape[1]))
    outputs = []
    for x in xs:
        gi = x @ a["weight_ih_l0"].T + a["bias_ih_l0"]
        gh = h @ a["weight_hh_l0"].T + a["bias_hh_l0"]
        if cell == "rnn":
            h = np.tanh(gi + gh)
        elif cell == "lstm":
            i, f, g, o = np.split(gi + gh, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (i_r, i_z, i_n), (h_r, h_z, h_n) = np.split(gi, 3, axis=1), np.split(gh, 3, axis=1)
            n = np.tanh(i_n + sigmoid(i_r + h_r) * h_n)
            z = sigmoid(i_z + h_z)
            h = (1 - z) * n + z * h
        outputs.append(h)
    return np.array(outputs)


def keras_outputs(cell, a, xs):
    kernel, recurrent, bias = a["kernel"], a["recurrent_kernel"], a["bias"]
    units = recurrent.shape[0]
    h = c = np.zeros((xs.shape[1], units))
    outputs = []
    for x in xs:
        if cell == "rnn":
            h = np.tanh(x @ kernel + bias + h @ recurrent)
        elif cell == "lstm":
            z0, z1, z2, z3 = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
            c = sigmoid(z1) * c + sigmoid(z0) * np.tanh(z2)
            h = sigmoid(z3) * np.tanh(c)
        elif cell == "gru after":
            x_z, x_r, x_h = np.split(x @ kernel + bias[0], 3, axis=1)
            r_z, r_r, r_h = np.split(h @ recurrent + bias[1], 3, axis=1)
            z = sigmoid(x_z + r_z)
            h = z * h + (1 - z) * np.tanh(x_h + sigmoid(x_r + r_r) * r_h)
        else:
            x_z, x_r, x_h = np.split(x @ kernel + bias, 3, axis=1)
            r_z, r_r = np.split(h @ recurrent[:, : 2 * units], 2, axis=1)
            z, r = sigmoid(x_z + r_z), sigmoid(x_r + r_r)
            h = z * h + (1 - z) * np.tanh(x_h + (r * h) @ recurrent[:, 2 * units :])
        outputs.append(h)
    return np.array(outputs)


def onnx_outputs(cell, a, xs):
    w, r, b = a["W"][0], a["R"][0], a["B"][0]
    wb, rb = np.split(b, 2)
    gates = {"rnn": "i", "lstm": "iofc"}.get(cell, "zrh")

    def split(array):
        return dict(zip(gates, np.split(array, len(gates)), strict=True))

    w, r, wb, rb = split(w), split(r), split(wb), split(rb)
    h = c = np.zeros((xs.shape[1], a["R"].shape[2]))
    outputs = []
    for x in xs:
        full = {k: x @ w[k].T + h @ r[k].T + wb[k] + rb[k] for k in gates}
        if cell == "rnn":
            h = np.tanh(full["i"])
        elif cell == "lstm":
            c = sigmoid(full["f"]) * c + sigmoid(full["i"]) * np.tanh(full["c"])
            h = sigmoid(full["o"]) * np.tanh(c)
        else:
            z, reset = sigmoid(full["z"]), sigmoid(full["r"])
            if cell == "gru after":
                new = np.tanh(x @ w["h"].T + reset * (h @ r["h"].T + rb["h"]) + wb["h"])
            else:
                new = np.tanh(x @ w["h"].T + (reset * h) @ r["h"].T + rb["h"] + wb["h"])
            h = (1 - z) * new + z * h
        outputs.append(h)
    return np.array(outputs)


EQUATIONS = {"torch": torch_outputs, "keras": keras_outputs, "onnx": onnx_outputs}


def random_arrays(model, convention, generator):
    return {n: generator.normal(size=a.shape) for n, a in rnn.dump_weights(model, convention=convention).items()}


# torch has no GRU that resets before the product.
PAIRS = [
    (cell, convention) for cell in CELLS for convention in EQUATIONS if (cell, convention) != ("gru before", "torch")
]


@pytest.mark.parametrize(("cell", "convention"), PAIRS)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 4))
def test_outputs_and_gradients_are_those_of_the_librarys_equations(cell, convention, seed, count):
    generator = np.random.default_rng(seed)
    model = make(cell, 2, 3, rng=0)
    arrays = random_arrays(model, convention, generator)
    xs = generator.normal(size=(count, 2, 2))
    rnn.load_weights(model, arrays, convention)
    outputs = rnn.unroll(model, xs).outputs
    np.testing.assert_allclose(outputs.eval(), EQUATIONS[convention](cell, arrays, xs), rtol=1e-12, atol=1e-13)

    seeds = generator.normal(size=outputs.shape)
    parameters = list(model.parameters.values())
    gradients = mg.vjp(outputs, parameters, seeds)
    theirs = rnn.dump_weights(
        model, {p: g.eval() for p, g in zip(parameters, gradients, strict=True)} | {outputs: 1.0}, convention
    )
    assert list(theirs) == list(arrays)
    for name, array in arrays.items():
        for index in np.ndindex(array.shape):
            stepped = arrays | {name: array.astype(complex)}
            stepped[name][index] += 1e-20j
            slope = np.sum(seeds * EQUATIONS[convention](cell, stepped, xs).imag) / 1e-20
            np.testing.assert_allclose(theirs[name][index], slope, rtol=1e-9, atol=1e-11, err_msg=f"{name}{index}")


@every_convention
@every_cell
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_what_was_dumped_loads_to_the_same_net(cell, convention, layers, bidirectional):
    model, other = (make(cell, 2, 3, layers=layers, bidirectional=bidirectional, rng=seed) for seed in (0, 1))
    arrays = rnn.dump_weights(model, convention=convention)
    rnn.load_weights(other, arrays, convention)
    xs = np.random.default_rng(2).normal(size=(3, 2, 2))
    np.testing.assert_allclose(
        rnn.unroll(other, xs).outputs.eval(), rnn.unroll(model, xs).outputs.eval(), rtol=1e-12, atol=1e-15
    )
    again = rnn.dump_weights(other, convention=convention)
    assert all(array.tobytes() == again[name].tobytes() for name, array in arrays.items())


def test_keras_paths_are_understood():
    model = make("lstm", 2, 3, bidirectional=True, rng=0)
    arrays = rnn.dump_weights(model, convention="keras")
    paths = {f"bidirectional/{name.replace('/', '_lstm/lstm_cell/')}:0": array for name, array in arrays.items()}
    other = make("lstm", 2, 3, bidirectional=True, rng=1)
    rnn.load_weights(other, paths, "keras")
    assert np.array_equal(
        other.parameters["weight_hh_l0_reverse"].value, model.parameters["weight_hh_l0_reverse"].value
    )
    with pytest.raises(ValueError, match="two of the keras arrays are called kernel"):
        rnn.load_weights(make("lstm", 2, 3), {"a/kernel": 0, "b/kernel": 0}, "keras")


def test_a_partial_mapping_gives_the_arrays_it_can():
    model = make("gru after", 2, 3, rng=0)
    only = {model.parameters["weight_hh_l0"]: np.ones((9, 3)), model.parameters["bias_ih_l0"]: np.ones(9)}
    assert list(rnn.dump_weights(model, only)) == ["weight_hh_l0", "bias_ih_l0"]
    assert list(rnn.dump_weights(model, only, "onnx")) == ["R"]
    assert list(rnn.dump_weights(model, only, "keras")) == ["recurrent_kernel"]


def test_weights_are_cast_to_the_models_dtype():
    model = make("rnn", 2, 3, dtype=np.float32)
    rnn.load_weights(model, {"W": np.ones((1, 3, 2)), "R": np.ones((1, 3, 3))}, "onnx")
    assert {p.value.dtype for p in model.parameters.values()} == {np.dtype("float32")}


def test_what_does_not_fit_is_refused_before_anything_changes():
    model = make("lstm", 2, 3, rng=0)
    before = {name: p.value for name, p in model.parameters.items()}
    arrays = rnn.dump_weights(model)
    for wrong, sentence in (
        (
            {"weight_hh_l0": np.zeros((3, 12))},
            r"torch array weight_hh_l0 of .* must have shape \(12, 3\), got \(3, 12\)",
        ),
        ({"weight_ih_l1": np.zeros(1)}, "takes the torch arrays weight_ih_l0, .*; unknown: weight_ih_l1"),
    ):
        with pytest.raises(ValueError, match=sentence):
            rnn.load_weights(model, {name: array + 1 for name, array in arrays.items()} | wrong)
    with pytest.raises(ValueError, match="missing: recurrent_kernel"):
        rnn.load_weights(model, {"kernel": np.zeros((2, 12))}, "keras")
    with pytest.raises(ValueError, match="unknown: P"):
        rnn.load_weights(model, rnn.dump_weights(model, convention="onnx") | {"P": np.zeros((1, 9))}, "onnx")
    with pytest.raises(ValueError, match="convention must be one of torch, keras, onnx, got 'jax'"):
        rnn.load_weights(model, arrays, "jax")
    assert all(p.value is before[name] for name, p in model.parameters.items())
