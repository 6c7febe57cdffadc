"""The same numbers and gradients as torch, several layers, both directions and unequal lengths included."""

import numpy as np
import pytest

import minigrad as mg
import rnn

torch = pytest.importorskip("torch", reason="the bench extra is not installed: pip install minigrad[bench]")

CELLS = {
    "RNN": (rnn.RNN, {}, {}),
    "RNN relu": (rnn.RNN, {"activation": "relu"}, {"nonlinearity": "relu"}),
    "LSTM": (rnn.LSTM, {}, {}),
    "GRU": (rnn.GRU, {}, {}),
}
LENGTHS = [5, 4, 4, 1]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_values_and_gradients_are_those_of_torch(cell, layers, bidirectional):
    kind, options, theirs = CELLS[cell]
    generator = np.random.default_rng(0)
    torch.manual_seed(0)
    peer = getattr(torch.nn, kind.__name__)(3, 4, layers, bidirectional=bidirectional, dtype=torch.float64, **theirs)
    model = kind(3, 4, layers=layers, bidirectional=bidirectional, rng=1, **options)
    assert list(model.parameters) == [name for name, _ in peer.named_parameters()]
    rnn.load_weights(model, {name: value.detach().numpy() for name, value in peer.named_parameters()})
    xs = generator.normal(size=(5, 4, 3))
    states = [generator.normal(size=(len(model.rows), 4, 4)) for _ in model.states]

    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(xs), LENGTHS)
    given = tuple(torch.tensor(state) for state in states)
    outputs, finals = peer(packed, given if len(given) > 1 else given[0])
    outputs = torch.nn.utils.rnn.pad_packed_sequence(outputs)[0]
    finals = finals if isinstance(finals, tuple) else (finals,)
    net = rnn.unroll(model, xs, states if len(states) > 1 else states[0], LENGTHS)
    own = net.state if isinstance(net.state, tuple) else (net.state,)
    for node, tensor in zip([net.outputs, *own], [outputs, *finals], strict=True):
        np.testing.assert_allclose(node.eval(), tensor.detach().numpy(), rtol=1e-12, atol=1e-14)

    seeds = [generator.normal(size=node.shape) for node in [net.outputs, *own]]
    sum(torch.sum(t * torch.tensor(s)) for t, s in zip([outputs, *finals], seeds, strict=True)).backward()
    loss = mg.ops.add_n(*[mg.sum(node * seed) for node, seed in zip([net.outputs, *own], seeds, strict=True)])
    parameters = list(model.parameters.values())
    gradients = {p: g.eval() for p, g in zip(parameters, mg.grad(loss, parameters), strict=True)}
    dumped = rnn.dump_weights(model, gradients)
    for name, value in peer.named_parameters():
        scale = float(value.grad.abs().max())
        np.testing.assert_allclose(dumped[name], value.grad.numpy(), rtol=1e-11, atol=1e-13 * scale, err_msg=name)
