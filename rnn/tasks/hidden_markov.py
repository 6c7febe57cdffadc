"""A hidden Markov model and a recurrent net on the same data: symbols that a hidden chain of three moods emits.

The Markov model knows the form of the truth and learns three tables; the net, a GRU, knows nothing and predicts each
next symbol. The truth's own score is the best either can do.
"""

from __future__ import annotations

import numpy as np

import minigrad as mg
import rnn
from minigrad import Node
from minigrad.node import Array

from ..hmm import HMM
from ..layers import PerShape
from .base import BatchTask, Generator, gathered

START = [1 / 3, 1 / 3, 1 / 3]
TRANSITION = [[0.9, 0.1, 0.0], [0.0, 0.85, 0.15], [0.2, 0.0, 0.8]]
EMISSION = [[0.45, 0.45, 0.025, 0.025, 0.025, 0.025], [0.025, 0.025, 0.45, 0.45, 0.025, 0.025]]
EMISSION += [[0.025, 0.025, 0.025, 0.025, 0.45, 0.45]]
STEPS = 30


class HiddenMarkov(BatchTask):
    """Both models are trained side by side, each by the gradient of its own log-likelihood."""

    summary = "a hidden Markov model, its forward algorithm a graph, beside a GRU"
    metric = "nats a symbol of the hidden Markov model"
    steps = 300
    lr = 2e-2
    clip = 10.0
    batch = 32

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.truth = HMM(3, 6, rng=0)
        self.truth.assign(START, TRANSITION, EMISSION)
        self.model = HMM(3, 6, rng=generator)
        self.net = rnn.GRU(7, 16, rng=generator)
        self.readout = rnn.Linear(16, 6, rng=generator)
        self.parameters = gathered(hmm=self.model, net=self.net, readout=self.readout)
        self.states, symbols = self.truth.sample(STEPS, 200, rng=seed + 1_000_000)
        self.test = (symbols,)
        self._nats = PerShape(lambda symbols: [self.markov_nats(self.model, symbols), self.net_nats(symbols)])

    def draw(self, generator: Generator) -> tuple[Array, ...]:
        """Symbols (T, B)."""
        return (self.truth.sample(STEPS, self.batch, rng=generator)[1],)

    def markov_nats(self, model: HMM, symbols: Node) -> Node:
        """The mean of -log p a symbol under a Markov model."""
        nats: Node = -mg.sum(model.forward(symbols).total) / symbols.size
        return nats

    def net_nats(self, symbols: Node) -> Node:
        """The mean of -log p a symbol under the net, which begins with a seventh symbol that never occurs."""
        first = mg.constant(np.full((1, symbols.shape[1]), 6))
        seen = mg.concatenate([first, symbols[:-1]])
        outputs = rnn.unroll(self.net, rnn.one_hot(seen, 7)).outputs
        return rnn.cross_entropy(self.readout(outputs), symbols)

    def loss(self, *batch: Node) -> Node:
        return self.markov_nats(self.model, batch[0]) + self.net_nats(batch[0])

    def score(self) -> float:
        return float(self._nats(*self.test)[0])

    def baseline(self) -> tuple[float, str]:
        counts = np.bincount(self.truth.sample(STEPS, 1000, rng=7)[1].ravel(), minlength=6)
        return float(-np.log(counts / counts.sum())[self.test[0]].mean()), "the frequencies of the symbols"

    def sample(self) -> str:
        symbols = self.test[0]
        markov, net = self._nats(symbols)
        truth = float(self.markov_nats(self.truth, mg.constant(symbols)).eval())
        path = self.named_states(symbols)
        lines = [f"nats a symbol: {markov:.3f} hidden Markov model, {net:.3f} GRU, {truth:.3f} the truth itself"]
        for row in range(3):
            for what, codes in (("symbols", symbols), ("Viterbi", path), ("hidden", self.states)):
                lines.append(f"{what:>8}: {''.join(str(code) for code in codes[:, row])}")
        lines.append(f"{np.mean(path == self.states):.1%} of the hidden states recovered")
        return "\n".join(lines)

    def named_states(self, symbols: Array) -> Array:
        """The Viterbi path, its states numbered by the pair of symbols they emit most."""
        emission = np.exp(self.model.emission.eval())
        names = emission.reshape(3, 3, 2).sum(axis=2).argmax(axis=1)
        path: Array = names[self.model.viterbi(symbols)[0]]
        return path
