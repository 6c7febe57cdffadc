"""Losses: their values, and masks that leave nothing of what they cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
import rnn


@given(
    seed=st.integers(0, 2**32 - 1), sizes=st.tuples(*[st.integers(1, 4)] * 3), filler=st.sampled_from([np.nan, np.inf])
)
def test_masked_places_reach_neither_loss_nor_gradient(seed, sizes, filler):
    generator = np.random.default_rng(seed)
    mask = generator.random(sizes[:2]) < 0.5
    z, labels = generator.normal(size=sizes), generator.integers(0, sizes[2], sizes[:2])
    z[~mask] = filler
    logits = mg.parameter(z)
    loss = rnn.cross_entropy(logits, labels, mask)
    kept = z[mask] - np.log(np.exp(z[mask]).sum(axis=-1, keepdims=True))
    wanted = -kept[np.arange(len(kept)), labels[mask]].mean() if mask.any() else 0.0
    np.testing.assert_allclose(loss.eval(), wanted, rtol=1e-12, atol=1e-15)
    gradient = mg.grad(loss, logits).eval()
    assert not np.any(gradient[~mask])
    if mask.any():
        only = mg.parameter(z[mask])
        np.testing.assert_allclose(
            gradient[mask], mg.grad(rnn.cross_entropy(only, labels[mask]), only).eval(), rtol=1e-12, atol=1e-16
        )

    y, target = generator.normal(size=sizes[:2]), generator.normal(size=sizes[:2])
    y[~mask] = target[~mask] = filler
    predicted = mg.parameter(y)
    error = rnn.mse(predicted, target, mask)
    wanted = np.mean((y[mask] - target[mask]) ** 2) if mask.any() else 0.0
    np.testing.assert_allclose(error.eval(), wanted, rtol=1e-12)
    gradient = mg.grad(error, predicted).eval()
    assert not np.any(gradient[~mask])
    np.testing.assert_allclose(gradient[mask], 2 * (y[mask] - target[mask]) / max(mask.sum(), 1), rtol=1e-12)


def test_losses_keep_float32():
    x = mg.parameter(np.ones((2, 3), np.float32))
    assert rnn.mse(x, np.zeros((2, 3), np.float32), np.ones((2, 3), bool)).dtype == np.float32
    assert rnn.cross_entropy(x, [0, 1], [True, False]).dtype == np.float32


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"mse: prediction and target must have one shape, got \(3, 1\) and \(3,\)"):
        rnn.mse(mg.input((3, 1)), np.zeros(3))
    with pytest.raises(ValueError, match=r"mse: the mask must have shape \(3,\), one entry a loss, got \(1,\)"):
        rnn.mse(mg.input((3,)), np.zeros(3), mask=[True])
    with pytest.raises(ValueError, match=r"cross_entropy: the mask must have shape \(3,\)"):
        rnn.cross_entropy(mg.input((3, 2)), [0, 1, 1], mask=[[True]])
