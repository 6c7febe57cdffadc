"""Delayed recall: the first symbol of a sequence, asked for at its end, with nothing but distractors between."""

from __future__ import annotations

import numpy as np

import rnn
from minigrad import Node
from minigrad.node import Array

from ..cells import Recurrent
from ..layers import PerShape
from .base import BatchTask, Generator, accuracy, gathered

SYMBOLS = 4


class Recall(BatchTask):
    """Which of four symbols came first, `delay` steps ago? An LSTM by default; `cell` compares it with the others."""

    summary = "name the first symbol of a long sequence: delayed recall"
    metric = "accuracy"
    larger_is_better = True
    steps = 600
    batch = 32

    def __init__(self, seed: int = 0, *, cell: type[Recurrent] = rnn.LSTM, delay: int = 40, hidden: int = 24) -> None:
        generator = np.random.default_rng(seed)
        self.delay = delay
        self.net = cell(2 * SYMBOLS, hidden, rng=generator)
        keep_for(self.net, delay)
        self.readout = rnn.Linear(hidden, SYMBOLS, rng=generator)
        self.parameters = gathered(net=self.net, readout=self.readout)
        self.test = self.draw(np.random.default_rng(seed + 1_000_000), batch=500)
        self._predict = PerShape(self.predict)

    def draw(self, generator: Generator, batch: int | None = None) -> tuple[Array, ...]:
        """Sequences (T, B) of which the first symbol counts and the others, of another alphabet, do not."""
        codes = generator.integers(SYMBOLS, 2 * SYMBOLS, (self.delay + 1, batch or self.batch))
        codes[0] -= SYMBOLS
        return codes, codes[0]

    def predict(self, codes: Node) -> Node:
        """Logits (B, SYMBOLS) after the last step."""
        net = rnn.unroll(self.net, rnn.one_hot(codes, 2 * SYMBOLS))
        return self.readout(net.steps[-1].h)

    def loss(self, *batch: Node) -> Node:
        codes, first = batch
        return rnn.cross_entropy(self.predict(codes), first)

    def score(self) -> float:
        codes, first = self.test
        return accuracy(self._predict(codes).argmax(axis=1), first)

    def baseline(self) -> tuple[float, str]:
        return 1 / SYMBOLS, "guessing one of four"

    def sample(self) -> str:
        codes, first = self.test
        said = self._predict(codes).argmax(axis=1)
        return "\n".join(
            f"{''.join('ABCDwxyz'[code] for code in codes[:, row])}  first: {'ABCD'[first[row]]}, "
            f"the net says {'ABCD'[said[row]]}"
            for row in range(4)
        )


def keep_for(net: Recurrent, steps: int) -> None:
    """Bias the gate by which the net keeps its state so that it starts at about 1 - 1/steps, and so keeps what it saw
    for about so long (Tallec and Ollivier 2018). The plain net has no such gate.
    """
    gate = {"lstm": "f", "gru": "z"}.get(net.kind)
    if gate is not None:
        bias = net.parameters["bias_ih_l0"]
        begin = net.gates.index(gate) * net.hidden_size
        value = bias.value.copy()
        value[begin : begin + net.hidden_size] = np.log(steps)
        bias.assign(value)
