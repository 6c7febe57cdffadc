"""What plans of nets cost, in NumPy calls and in bytes: figures that may fall, and should not rise unnoticed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
import rnn


@pytest.mark.parametrize(
    ("cell", "options", "calls", "nbytes"),
    [
        (rnn.RNN, {}, 136, 21128),
        (rnn.LSTM, {}, 414, 67592),
        (rnn.GRU, {}, 777, 69064),
        (rnn.GRU, {"reset": "before"}, 637, 61768),
        (rnn.LSTM, {"layers": 2}, 816, 125896),
        (rnn.LSTM, {"layers": 2, "bidirectional": True}, 1759, 267272),
    ],
)
def test_a_net_and_its_gradient(cell: Any, options: dict[str, Any], calls: int, nbytes: int) -> None:
    model = cell(8, 8, rng=0, **options)
    x = mg.input((20, 3, 8))
    outputs = rnn.unroll(model, x).outputs
    loss = mg.sum(outputs * outputs)
    f = mg.function([x], [loss, *mg.grad(loss, list(model.parameters.values()))])
    assert len(f.calls) <= calls
    assert all(hasattr(np, name) for name in f.calls)  # what NumPy does in place, and no op's own kernel
    assert f.peak_bytes <= nbytes


def test_what_each_step_adds_to_a_bias_is_summed_at_once() -> None:
    x, b, h = mg.input((20, 3, 8)), mg.parameter(np.zeros(8)), mg.constant(np.zeros((3, 8)))
    for t in range(20):
        h = np.tanh(h * x[t] + b)
    assert mg.function([x], mg.grad(mg.sum(h), b)).calls.count("sum") == 1


def test_a_function_of_what_is_stacked_reads_it_where_it_lies() -> None:
    x, h, kept = mg.input((20, 3)), mg.constant(np.zeros(3)), []
    for t in range(20):
        h = np.tanh(h + x[t])
        kept.append(h)
    assert "copyto" not in mg.function([x], np.exp(mg.stack(kept))).calls
