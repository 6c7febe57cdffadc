"""Forecasting: the next three values of a chaotic series, from the values so far.

The series is that of Mackey and Glass (1977), a delay equation: two stretches that look alike part ways later, so what
comes next depends on more than the last value.
"""

from __future__ import annotations

import numpy as np

import rnn
from minigrad import Node
from minigrad.node import Array

from ..layers import PerShape
from .base import BatchTask, Generator, gathered

AHEAD = 3


class Forecast(BatchTask):
    """A GRU that says the next three values after having read thirty."""

    summary = "the next three values of a chaotic series"
    metric = "mean squared error of standardised values"
    steps = 500
    lr = 1e-2
    batch = 32
    window = 30

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.series = mackey_glass(3000)
        self.net = rnn.GRU(1, 24, rng=generator)
        self.readout = rnn.Linear(24, AHEAD, rng=generator)
        self.parameters = gathered(net=self.net, readout=self.readout)
        # Trained on the first two thirds, tested on the last.
        self.test = self._cut(np.arange(2000, 3000 - self.window - AHEAD, 7))
        self._predict = PerShape(self.predict)

    def draw(self, generator: Generator) -> tuple[Array, ...]:
        """Stretches (T, B, 1) and the values that follow them (B, 3)."""
        return self._cut(generator.integers(0, 2000 - self.window - AHEAD, self.batch))

    def _cut(self, starts: Array) -> tuple[Array, ...]:
        places = starts[:, None] + np.arange(self.window + AHEAD)
        values = self.series[places]
        return values[:, : self.window].T[:, :, None], values[:, self.window :]

    def predict(self, xs: Node) -> Node:
        """The next values (B, 3), as changes to the last one seen."""
        return self.readout(rnn.unroll(self.net, xs).steps[-1].h) + xs[-1]

    def loss(self, *batch: Node) -> Node:
        xs, following = batch
        return rnn.mse(self.predict(xs), following)

    def score(self) -> float:
        xs, following = self.test
        return float(np.mean((self._predict(xs) - following) ** 2))

    def baseline(self) -> tuple[float, str]:
        seen, following = self._cut(np.arange(2000 - self.window - AHEAD))
        weights = np.linalg.lstsq(_rows(seen), following, rcond=None)[0]
        seen, following = self.test
        error = float(np.mean((_rows(seen) @ weights - following) ** 2))
        return error, "a linear autoregression on the same thirty values, fitted by least squares"

    def sample(self) -> str:
        xs, following = self.test
        predicted = self._predict(xs)
        lines = ["the last values seen       what followed           what the net says"]
        for row in range(0, 50, 10):
            parts = (xs[-3:, row, 0], following[row], predicted[row])
            lines.append("  |  ".join(" ".join(f"{value:6.2f}" for value in part) for part in parts))
        return "\n".join(lines)


def _rows(xs: Array) -> Array:
    """Stretches (T, B, 1) as rows (B, T + 1), a 1 at the end of each."""
    return np.column_stack([xs[:, :, 0].T, np.ones(xs.shape[1])])


def mackey_glass(count: int, delay: int = 17, every: int = 6) -> Array:
    """`dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x`, sampled `every` units, to mean 0 and variance 1."""
    fine = 10
    values = np.full((count * every + 1000) * fine, 1.2)
    for t in range(delay * fine, len(values) - 1):
        held = values[t - delay * fine]
        values[t + 1] = values[t] + (0.2 * held / (1 + held**10) - 0.1 * values[t]) / fine
    series: Array = values[1000 * fine :: every * fine][:count]
    return (series - series.mean()) / series.std()
