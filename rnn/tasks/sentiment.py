"""Sentiment: is a review pleased or not? Many to one, read in both directions, over word embeddings.

The reviews are made of clauses in which "not" turns a judgement round, "hardly" does too, and of two clauses joined by
"but" the second decides. A bag of words knows which words stand there, not in which order.
"""

from __future__ import annotations

import numpy as np

import minigrad as mg
import rnn
from minigrad import Node
from minigrad.node import Array

from ..layers import PerShape
from .base import BatchTask, Generator, Words, accuracy, gathered, padded

GOOD = ["good", "great", "lovely", "charming", "brilliant", "moving", "funny", "fresh"]
BAD = ["bad", "dull", "awful", "boring", "clumsy", "tired", "silly", "stale"]
THINGS = ["plot", "film", "story", "acting", "music", "ending", "dialogue", "cast"]
LONGEST = 12


class Sentiment(BatchTask):
    """A bidirectional GRU over embeddings; both final states vote."""

    summary = "reviews with negations: many to one, bidirectional"
    metric = "accuracy"
    larger_is_better = True
    steps = 250
    lr = 1e-2
    batch = 32

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.words = Words([*GOOD, *BAD, *THINGS, "the", "is", "not", "hardly", "very", "but", "never"])
        self.embedding = rnn.Embedding(len(self.words), 16, rng=generator)
        self.net = rnn.GRU(16, 16, bidirectional=True, rng=generator)
        self.readout = rnn.Linear(32, 2, rng=generator)
        self.parameters = gathered(embedding=self.embedding, net=self.net, readout=self.readout)
        self.test = self.draw(np.random.default_rng(seed + 1_000_000), 500)
        self._predict = PerShape(self.predict)

    def draw(self, generator: Generator, batch: int | None = None) -> tuple[Array, ...]:
        """Reviews (T, B), their lengths (B,), and 1 for pleased, 0 for not (B,)."""
        reviews = [review(generator) for _ in range(batch or self.batch)]
        codes, lengths = padded([self.words.codes(words) for words, _ in reviews], LONGEST)
        return codes, lengths, np.array([pleased for _, pleased in reviews], dtype=np.intp)

    def predict(self, codes: Node, lengths: Node) -> Node:
        """Logits (B, 2) from each direction's last state."""
        net = rnn.unroll(self.net, self.embedding(codes), lengths=lengths)
        return self.readout(mg.concatenate([net.state[0], net.state[1]], axis=-1))

    def loss(self, *batch: Node) -> Node:
        codes, lengths, pleased = batch
        return rnn.cross_entropy(self.predict(codes, lengths), pleased)

    def score(self) -> float:
        codes, lengths, pleased = self.test
        return accuracy(self._predict(codes, lengths).argmax(axis=1), pleased)

    def baseline(self) -> tuple[float, str]:
        codes, lengths, pleased = self.draw(np.random.default_rng(7), 4000)
        counts = [self._bags(codes, lengths)[pleased == label].sum(axis=0) + 1 for label in (0, 1)]
        codes, lengths, pleased = self.test
        votes = self._bags(codes, lengths) @ (np.log(counts[1] / counts[1].sum()) - np.log(counts[0] / counts[0].sum()))
        return accuracy(votes > 0, pleased == 1), "naive Bayes on 4,000 bags of words"

    def _bags(self, codes: Array, lengths: Array) -> Array:
        """How often each word stands in each review, (B, V)."""
        bags = np.zeros((codes.shape[1], len(self.words)))
        for row, length in enumerate(lengths):
            np.add.at(bags[row], codes[:length, row], 1)
        return bags

    def sample(self) -> str:
        codes, lengths, pleased = self.test
        logits = self._predict(codes, lengths)
        chance = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
        return "\n".join(
            f"{chance[row]:6.1%} pleased ({'right' if (chance[row] > 0.5) == pleased[row] else 'wrong'}): "
            + self.words.text(codes[: lengths[row], row])
            for row in range(6)
        )


def review(generator: Generator) -> tuple[list[str], bool]:
    """The words of a review and whether its writer was pleased."""
    words, pleased = clause(generator)
    if generator.random() < 0.5:
        more, pleased = clause(generator)
        words += ["but", *more]
    return words, pleased


def clause(generator: Generator) -> tuple[list[str], bool]:
    """`the film is hardly good`, and whether that is praise."""
    pleased = bool(generator.random() < 0.5)
    judgement = [str(generator.choice(GOOD if pleased else BAD))]
    turn = generator.choice(["", "very", "not", "hardly", "never"], p=[0.35, 0.3, 0.15, 0.1, 0.1])
    if turn:
        judgement.insert(0, str(turn))
    return ["the", str(generator.choice(THINGS)), "is", *judgement], pleased != (turn in ("not", "hardly", "never"))
