"""What stands around a recurrent net: readout, embedding, attention and graphs compiled once a shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn


def test_a_shared_readout_collects_both_gradients():
    embedding = rnn.Embedding(5, 3, rng=0)
    readout = rnn.Linear(3, 5, weight=embedding.weight)
    assert readout.weight is embedding.weight
    numbers = np.array([[1, 1], [4, 0]])
    tied = mg.grad(mg.sum(mg.tanh(readout(embedding(numbers)))), embedding.weight).eval()
    first, second = mg.parameter(embedding.weight.value), mg.parameter(embedding.weight.value)
    apart = mg.grad(mg.sum(mg.tanh(first[numbers] @ second.T)), [first, second])
    np.testing.assert_allclose(tied, apart[0].eval() + apart[1].eval(), rtol=1e-12)
    with pytest.raises(ValueError, match=r"a shared weight must have shape \(4, 3\), got \(5, 3\)"):
        rnn.Linear(3, 4, weight=embedding.weight)


def test_embedding_rows_are_looked_up_and_repeats_add_up():
    embedding = rnn.Embedding(4, 2, rng=0, dtype=np.float32)
    looked_up = embedding(np.array([3, 3, 0]))
    assert np.array_equal(looked_up.eval(), embedding.weight.value[[3, 3, 0]])
    assert looked_up.dtype == np.float32
    gradient = mg.grad(mg.sum(looked_up), embedding.weight).eval()
    assert gradient.tolist() == [[1, 1], [0, 0], [0, 0], [2, 2]]


def test_a_graph_is_built_once_a_shape():
    built = []

    def build(x):
        built.append(x.shape)
        return {"twice": x * 2.0}

    double = rnn.PerShape(build)
    for array in ([1.0, 2.0], [3.0, 4.0], [[1.0]], [5.0, 6.0]):
        assert np.array_equal(double(array)["twice"], np.multiply(array, 2))
    assert built == [(2,), (1, 1)]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 4))
def test_attention_is_the_formula_of_the_paper(seed, count):
    generator = np.random.default_rng(seed)
    look = rnn.Attention(queries=3, keys=2, size=4, rng=generator)
    sequence, query = generator.normal(size=(count, 2, 2)), generator.normal(size=(2, 3))
    lengths = generator.integers(1, count + 1, 2)
    mask = np.arange(count)[:, None] < lengths
    keys = mg.parameter(sequence)
    context, weights = look(mg.constant(query), look.project(keys), keys, mg.constant(mask))
    w_q, w_k, v = (p.value for p in look.parameters.values())
    for row, length in enumerate(lengths):
        scores = np.array([v @ np.tanh(w_q @ query[row] + w_k @ k) for k in sequence[:length, row]])
        chances = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(weights.eval()[:length, row], chances, rtol=1e-12)
        assert not np.any(weights.eval()[length:, row])
        np.testing.assert_allclose(context.eval()[row], chances @ sequence[:length, row], rtol=1e-11, atol=1e-13)
    gradient = mg.grad(mg.sum(context * context), keys).eval()
    assert not np.any(gradient[~mask])
    assert np.all(np.isfinite(gradient))
