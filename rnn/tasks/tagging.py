"""Tagging: which words of a sentence name a person? Many to many, one answer a step.

"May", "Rose", "Mark" and their like are names, verbs, months and flowers. A tagger that sees one word at a time gives
each word its commonest tag; one that reads the sentence in both directions sees what it is this time.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

import rnn
from minigrad import Node
from minigrad.node import Array

from ..layers import PerShape
from .base import BatchTask, Generator, Words, accuracy, before_end, gathered, padded

NAMES = ["may", "rose", "mark", "will", "grace", "bill", "hope", "jack", "drew", "frank", "anna", "peter"]
SURNAMES = ["baker", "stone", "brook", "hill", "wood", "marsh"]
# A * stands for a name, of one word or two; a bare word may be spelled like a name and is none.
PATTERNS = [
    "* saw the rose in the garden",
    "in may * will sing",
    "we hope that * may come",
    "the teacher gave * a good mark",
    "* paid the bill of the baker",
    "will * read with grace",
    "they drew a stone and a hill for *",
    "mark the day when * came",
    "the sun rose over the brook",
    "* and * met by the wood",
    "be frank with *",
    "the jack of hearts fell into the marsh",
    "bill the baker for the wood that * took",
    "hope rose when * saw the hill",
]
LONGEST = 16


class Tagging(BatchTask):
    """A bidirectional LSTM with a decision at every step."""

    summary = "find the names of persons: per-step tags"
    metric = "share of ambiguous words tagged right"
    larger_is_better = True
    steps = 200
    lr = 1e-2
    batch = 32

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        spelled = " ".join(PATTERNS).replace("*", "").split()
        self.words = Words([*NAMES, *SURNAMES, *spelled])
        self.ambiguous = sorted({*NAMES, *SURNAMES} & set(spelled))
        self.embedding = rnn.Embedding(len(self.words), 16, rng=generator)
        self.net = rnn.LSTM(16, 16, bidirectional=True, merge="sum", rng=generator)
        self.readout = rnn.Linear(16, 2, rng=generator)
        self.parameters = gathered(embedding=self.embedding, net=self.net, readout=self.readout)
        self.test = self.draw(np.random.default_rng(seed + 1_000_000), 300)
        self._predict = PerShape(self.predict)

    def draw(self, generator: Generator, batch: int | None = None) -> tuple[Array, ...]:
        """Sentences (T, B), their lengths (B,), and 1 at every word of a name, (T, B)."""
        made = [sentence(generator) for _ in range(batch or self.batch)]
        codes, lengths = padded([self.words.codes(words) for words, _ in made], LONGEST)
        return codes, lengths, padded([tags for _, tags in made], LONGEST)[0]

    def predict(self, codes: Node, lengths: Node) -> Node:
        """Logits (T, B, 2)."""
        return self.readout(rnn.unroll(self.net, self.embedding(codes), lengths=lengths).outputs)

    def loss(self, *batch: Node) -> Node:
        codes, lengths, tags = batch
        return rnn.cross_entropy(self.predict(codes, lengths), tags, before_end(lengths, LONGEST))

    def _ambiguous(self, codes: Array, lengths: Array) -> Array:
        """Where a word stands that may or may not be a name, (T, B)."""
        return np.isin(codes, self.words.codes(self.ambiguous)) & (np.arange(LONGEST)[:, None] < lengths)

    def score(self) -> float:
        codes, lengths, tags = self.test
        where = self._ambiguous(codes, lengths)
        return accuracy(self._predict(codes, lengths).argmax(axis=2)[where], tags[where])

    def baseline(self) -> tuple[float, str]:
        codes, lengths, tags = self.draw(np.random.default_rng(7), 2000)
        where = self._ambiguous(codes, lengths)
        counts = Counter(zip(codes[where].tolist(), tags[where].tolist(), strict=True))
        codes, lengths, tags = self.test
        where = self._ambiguous(codes, lengths)
        best = np.array([counts[code, 1] > counts[code, 0] for code in codes[where].tolist()])
        return accuracy(best, tags[where] == 1), "each word's commonest tag, all that a net without memory sees"

    def sample(self) -> str:
        codes, lengths, _ = self.test
        said = self._predict(codes, lengths).argmax(axis=2)
        lines = []
        for row in range(6):
            words = self.words.text(codes[: lengths[row], row]).split()
            lines.append(" ".join(f"[{w}]" if tag else w for w, tag in zip(words, said[:, row], strict=False)))
        return "\n".join(lines).replace("] [", " ")


def sentence(generator: Generator) -> tuple[list[str], list[int]]:
    """The words of a sentence and 1 for each that belongs to a name."""
    words: list[str] = []
    tags: list[int] = []
    for word in str(generator.choice(PATTERNS)).split():
        named = [str(generator.choice(NAMES))] if word == "*" else [word]
        if word == "*" and generator.random() < 0.4:
            named.append(str(generator.choice(SURNAMES)))
        words += named
        tags += [int(word == "*")] * len(named)
    return words, tags
