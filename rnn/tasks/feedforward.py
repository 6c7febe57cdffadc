"""A feed-forward net beside the recurrent ones: the sonnets once more, seen one character at a time, with no memory.

It predicts the next character from the current one alone. Its floor is the bigram table, which it nearly reaches and
cannot pass: what the recurrent nets gain beyond it they owe to their state.
"""

from __future__ import annotations

import numpy as np

import minigrad as mg
import rnn
from minigrad import Node
from minigrad.node import Array

from ..character import choose
from ..layers import PerShape
from .base import BatchTask, Generator, gathered
from .characters import bigram_bits, sonnets, unigram_bits


class FeedForward(BatchTask):
    """One to one: embedding, a tanh layer, logits."""

    summary = "a feed-forward net on the sonnets: the same data, no memory"
    metric = "bits a character on the text"
    steps = 600
    lr = 1e-2

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.text = sonnets()
        self.vocabulary = rnn.Vocabulary(self.text)
        self.codes = self.vocabulary.encode(self.text)
        size = len(self.vocabulary)
        self.embedding = rnn.Embedding(size, 16, rng=generator)
        self.hidden = rnn.Linear(16, 64, rng=generator)
        self.readout = rnn.Linear(64, size, rng=generator)
        self.parameters = gathered(embedding=self.embedding, hidden=self.hidden, readout=self.readout)
        self._predict = PerShape(self.predict)

    def draw(self, generator: Generator) -> tuple[Array, ...]:
        """Characters (B, 1) and the ones that follow them."""
        places = generator.integers(0, len(self.codes) - 1, (200, 1))
        return self.codes[places], self.codes[places + 1]

    def predict(self, codes: Node) -> Node:
        return self.readout(mg.tanh(self.hidden(self.embedding(codes))))

    def loss(self, *batch: Node) -> Node:
        codes, wanted = batch
        return rnn.cross_entropy(self.predict(codes), wanted)

    def score(self) -> float:
        logits = self._predict(self.codes[:-1])
        scores = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return float(-scores[np.arange(len(scores)), self.codes[1:]].mean() / np.log(2))

    def baseline(self) -> tuple[float, str]:
        return unigram_bits(self.text), "the frequencies of the characters"

    def sample(self) -> str:
        generator = np.random.default_rng(1)
        written = [self.vocabulary.encode("\n")[0]]
        for _ in range(160):
            logits = self._predict(np.array(written[-1:]))[0]
            written.append(choose(logits, 1.0, None, generator))
        floor = f"(its floor, the bigram table: {bigram_bits(self.text):.2f} bits)"
        return self.vocabulary.decode(written[1:]) + "\n" + floor
