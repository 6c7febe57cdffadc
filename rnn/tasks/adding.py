"""The adding problem (Hochreiter and Schmidhuber 1997): remember two marked numbers of a long sequence and add them.

Each step shows a number from [0, 1] and a mark; exactly two steps are marked, one in each half. Whoever answers 1, the
mean of the sum, has an error of 1/6 = 0.167: what a net scores that remembers nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rnn
from minigrad import Node
from minigrad.node import Array

from ..cells import Recurrent
from ..layers import PerShape
from .base import BatchTask, Generator, gathered


class Adding(BatchTask):
    """The adding problem at length 50, an LSTM by default; `cell` and `length` make it harder or hopeless."""

    summary = "add two marked numbers of a long sequence: long memory"
    metric = "mean squared error of the sum"
    steps = 1200
    batch = 50

    def __init__(self, seed: int = 0, *, cell: type[Recurrent] = rnn.LSTM, length: int = 50, hidden: int = 32) -> None:
        generator = np.random.default_rng(seed)
        options: dict[str, Any] = {"forget_bias": 1.0} if cell is rnn.LSTM else {}
        self.length = length
        self.net = cell(2, hidden, rng=generator, **options)
        self.readout = rnn.Linear(hidden, 1, rng=generator)
        self.parameters = gathered(net=self.net, readout=self.readout)
        self.test = self.draw(np.random.default_rng(seed + 1_000_000), batch=200)
        self._predict = PerShape(self.predict)

    def draw(self, generator: Generator, batch: int | None = None) -> tuple[Array, ...]:
        """Sequences (T, B, 2) of numbers and marks, and the sums (B,)."""
        count = batch or self.batch
        numbers = generator.random((self.length, count))
        marks = np.zeros_like(numbers)
        half = self.length // 2
        rows = np.arange(count)
        marks[generator.integers(0, half, count), rows] = 1
        marks[generator.integers(half, self.length, count), rows] = 1
        return np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=0)

    def predict(self, xs: Node) -> Node:
        """The sums (B,) as the net reads them off its last state."""
        return self.readout(rnn.unroll(self.net, xs).steps[-1].h)[:, 0]

    def loss(self, *batch: Node) -> Node:
        xs, sums = batch
        return rnn.mse(self.predict(xs), sums)

    def score(self) -> float:
        xs, sums = self.test
        return float(np.mean((self._predict(xs) - sums) ** 2))

    def baseline(self) -> tuple[float, str]:
        return 1 / 6, "always answering 1"

    def sample(self) -> str:
        xs, sums = self.test
        predicted = self._predict(xs)
        lines = []
        for row in range(4):
            first, second = xs[xs[:, row, 1] == 1, row, 0]
            lines.append(f"{first:.3f} + {second:.3f} = {sums[row]:.3f}, the net says {predicted[row]:.3f}")
        return "\n".join(lines)
