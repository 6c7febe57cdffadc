"""The forward algorithm as a graph against sums over all paths, forward-backward, and the best of all paths."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn


@st.composite
def problems(draw):
    states, symbols, count = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    model = rnn.HMM(states, symbols, rng=seed)
    return model, np.random.default_rng(seed).integers(0, symbols, (count, 2))


def tables(model):
    return [node.eval() for node in (model.start, model.transition, model.emission)]


def path_scores(model, observed):
    """Every path through the states and the log-probability of it and `observed` together."""
    start, transition, emission = tables(model)
    for path in product(range(len(start)), repeat=len(observed)):
        score = start[path[0]] + sum(transition[i, j] for i, j in pairwise(path))
        yield path, score + sum(emission[state, symbol] for state, symbol in zip(path, observed, strict=True))


@settings(max_examples=25)
@given(problems())
def test_the_likelihood_is_the_sum_over_all_paths_and_viterbi_the_best_of_them(problem):
    model, symbols = problem
    total = model.forward(symbols).total.eval()
    best = model.forward(symbols, semiring="max").total.eval()
    paths, scores = model.viterbi(symbols)
    for row in range(2):
        every = dict(path_scores(model, symbols[:, row]))
        np.testing.assert_allclose(total[row], np.logaddexp.reduce(list(every.values())), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(best[row], max(every.values()), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(every[tuple(paths[:, row])], max(every.values()), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(scores, best)


@settings(max_examples=25)
@given(problems())
def test_the_gradient_is_the_expected_counts(problem):
    model, symbols = problem
    count = len(symbols)
    log_z = mg.sum(model.forward(symbols).total)
    start, transition, emission = (
        g.eval() for g in mg.grad(log_z, [model.start, model.transition, model.emission], unreachable="zero")
    )
    wanted = [np.zeros_like(table) for table in (start, transition, emission)]
    for row in range(2):
        every = list(path_scores(model, symbols[:, row]))
        top = np.logaddexp.reduce([score for _, score in every])
        for path, score in every:
            chance = np.exp(score - top)
            wanted[0][path[0]] += chance
            for i, j in pairwise(path):
                wanted[1][i, j] += chance
            for state, symbol in zip(path, symbols[:, row], strict=True):
                wanted[2][state, symbol] += chance
    for got, counts in zip((start, transition, emission), wanted, strict=True):
        np.testing.assert_allclose(got, counts, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(transition.sum(), 2 * (count - 1), atol=1e-12)
    np.testing.assert_allclose(emission.sum(), 2 * count, rtol=1e-12, atol=1e-14)


@settings(max_examples=25)
@given(problems())
def test_the_gradient_of_the_max_semiring_counts_the_viterbi_path(problem):
    model, symbols = problem
    best = mg.sum(model.forward(symbols, semiring="max").total)
    counts = mg.grad(best, model.emission).eval()
    paths, _ = model.viterbi(symbols)
    wanted = np.zeros_like(counts)
    np.add.at(wanted, (paths.ravel(), symbols.ravel()), 1)
    np.testing.assert_array_equal(counts, wanted)


def test_lengths_end_each_sequence():
    model = rnn.HMM(3, 4, rng=0)
    symbols = np.random.default_rng(1).integers(0, 4, (5, 3))
    total = model.forward(symbols, lengths=[5, 1, 3]).total.eval()
    for row, length in enumerate((5, 1, 3)):
        alone = model.forward(symbols[:length, row : row + 1]).total.eval()
        np.testing.assert_allclose(total[row], alone[0], rtol=1e-14)


def test_impossible_steps_stay_impossible_and_their_gradient_is_zero():
    model = rnn.HMM(2, 2, rng=0)
    model.assign([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], [[0.9, 0.1], [0.2, 0.8]])
    log_z = mg.sum(model.forward([[0], [1], [1]]).total)
    counts = mg.grad(log_z, [model.start, model.transition])
    assert counts[0].eval().tolist() == [1.0, 0.0]
    assert counts[1].eval()[1, 0] == 0.0
    np.testing.assert_allclose(counts[1].eval().sum(), 2.0, rtol=1e-14)
    path, _ = model.viterbi([[0], [1], [1]])
    assert path[:, 0].tolist() == [0, 1, 1]


def test_samples_have_the_models_frequencies():
    model = rnn.HMM(2, 3, rng=0)
    model.assign([0.5, 0.5], [[0.9, 0.1], [0.3, 0.7]], [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    states, symbols = model.sample(200, 100, rng=1)
    assert abs(states.mean() - 0.25) < 0.02
    assert np.array_equal(states == 0, symbols == 0)
    assert np.array_equal(symbols, model.sample(200, 100, rng=1)[1])


def test_wrong_calls_are_told_what_was_expected():
    model = rnn.HMM(2, 2)
    with pytest.raises(ValueError, match="semiring must be one of log, max, got 'min'"):
        model.forward([[0]], semiring="min")
    for wrong in (np.zeros((0, 1), int), [0, 1], [[0.5]]):
        with pytest.raises(ValueError, match=r"expects symbols of shape \(T, B\), T 1 or more, got"):
            model.forward(wrong)
