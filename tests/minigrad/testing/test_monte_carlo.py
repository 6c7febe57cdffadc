"""Monte Carlo arithmetic errs by the last digits where arithmetic rounds, and nowhere else."""

import numpy as np
import pytest

from minigrad.testing.monte_carlo import rounded, spread_of


def samples(f, x, count=8):
    rng = np.random.default_rng(0)
    return np.array([np.asarray(f(rounded(np.asarray(x), rng))) for _ in range(count)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_result_is_off_by_one_or_two_last_digits(dtype):
    found = samples(np.exp, np.array([0.0, 1.0], dtype))
    off = np.abs(found / np.exp(np.array([0.0, 1.0], dtype)) - 1) / np.finfo(dtype).eps
    assert found.dtype == dtype
    assert 0.5 <= off.min() <= off.max() <= 2.5
    assert len(np.unique(found[:, 0])) > 1


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 1 - np.tanh(x) ** 2,
        lambda x: 1 - np.tanh(x[0]) ** 2,
        lambda x: 1 - np.tanh(x @ np.eye(2)) ** 2,
        lambda x: 1 - np.tanh(-x) ** 2,
        lambda x: 1 - np.add.reduce(x[:1] / 40),
        lambda x: _in_place(np.zeros_like(x), x),
        lambda x: _in_place(np.zeros(2), x),
    ],
)
def test_rounding_is_seen_however_the_function_is_written(f):
    assert np.all(f(np.array([40.0, 40.0])) == 0)
    spread = np.ptp(samples(f, [40.0, 40.0]), axis=0)
    assert np.all(spread > 1e-16)
    assert np.all(spread < 1e-14)


def _in_place(total, x):
    total += x / 40
    total -= 1
    return total


def test_what_does_not_round_stays_exact():
    x = np.array([0.3, -1.7, 0.0])
    assert np.all(samples(lambda x: np.maximum(np.abs(-x), 0.5), x) == np.maximum(np.abs(x), 0.5))
    assert np.all(samples(lambda x: x == np.max(x), x) == (x == 0.3))
    assert np.all(samples(lambda x: x[2] * 7, x) == 0)


def test_the_spread_is_of_the_size_of_the_rounding_on_the_way():
    spread = spread_of(lambda a: (1e8 + a[0]) - 1e8, [np.array([0.5, 1.0])])
    assert np.all(spread > 1e-8)
    assert np.all(spread < 1e-6)
    assert np.all(spread_of(lambda a: a[0][a[1]], [np.array([0.5, 1.0]), np.array([1])]) == 0)
    assert spread_of(lambda a: (1e8 + float(a[0])) - 1e8, [np.array(0.5)]) == 0


def test_a_function_that_takes_plain_arrays_only_has_no_spread():
    def picky(a):
        assert type(a[0]) is np.ndarray
        return a[0] * 3

    assert spread_of(picky, [np.ones(2)]) == 0
