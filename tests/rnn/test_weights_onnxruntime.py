"""The same numbers as onnxruntime on random asymmetric weights, both directions and unequal lengths included."""

import numpy as np
import pytest

import rnn

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed: pip install minigrad[onnx]")
runtime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed: pip install minigrad[onnx]")

CELLS = {
    "RNN": (rnn.RNN, {}, {}),
    "LSTM": (rnn.LSTM, {}, {}),
    "GRU after": (rnn.GRU, {"reset": "after"}, {"linear_before_reset": 1}),
    "GRU before": (rnn.GRU, {"reset": "before"}, {"linear_before_reset": 0}),
}


def run_onnx(op, arrays, xs, lengths, states, attributes):
    """Y (T, D, B, H) and the final states of one ONNX recurrent node."""
    fed = {"X": xs, **arrays, "sequence_lens": lengths}
    fed |= dict(zip(("initial_h", "initial_c"), states, strict=False))
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c"][: 5 + len(states)]
    made = ["Y", "Y_h", "Y_c"][: 1 + len(states)]
    types = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in fed.items()}
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, order, made, hidden_size=arrays["R"].shape[2], **attributes)],
        "net",
        [onnx.helper.make_tensor_value_info(name, types[name], fed[name].shape) for name in order],
        [onnx.helper.make_tensor_value_info(name, types["X"], None) for name in made],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, fed)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_outputs_and_states_are_those_of_onnxruntime(cell, bidirectional):
    kind, options, attributes = CELLS[cell]
    model = kind(3, 4, bidirectional=bidirectional, rng=0, dtype=np.float32, **options)
    generator = np.random.default_rng(1)
    single = np.float32
    arrays = {
        n: generator.normal(size=a.shape).astype(single) for n, a in rnn.dump_weights(model, convention="onnx").items()
    }
    rnn.load_weights(model, arrays, "onnx")
    lengths = np.array([6, 1, 4, 5], dtype=np.int32)
    xs = generator.normal(size=(6, 4, 3)).astype(single)
    states = [generator.normal(size=(model.directions, 4, 4)).astype(single) for _ in model.states]
    attributes = attributes | {"direction": "bidirectional" if bidirectional else "forward"}
    y, *finals = run_onnx(cell.split()[0], arrays, xs, lengths, states, attributes)

    net = rnn.unroll(model, xs, states if len(states) > 1 else states[0], lengths)
    theirs = np.moveaxis(y, 1, 2).reshape(6, 4, -1)
    np.testing.assert_allclose(net.outputs.eval(), theirs, rtol=1e-4, atol=1e-5)
    own = net.state if isinstance(net.state, tuple) else (net.state,)
    for state, final in zip(own, finals, strict=True):
        np.testing.assert_allclose(state.eval(), final, rtol=1e-4, atol=1e-5)
