"""Word-level generation: sentences of a small grammar, over embeddings that the readout shares (Press and Wolf 2017).

The verb of a sentence agrees with its subject however many words stand between them: "the dog that the cats see
sleeps". A bigram table sees only the word before.
"""

from __future__ import annotations

import numpy as np

import rnn
from minigrad import Node
from minigrad.node import Array

from ..character import choose
from ..layers import PerShape
from .base import BatchTask, Generator, Words, before_end, gathered, padded

NOUNS = ["dog", "cat", "bird", "child", "farmer"]
SEEING = ["see", "chase", "hear", "like"]
DOING = ["sleep", "sing", "run", "laugh"]
END = "."
LONGEST = 14


class WordModel(BatchTask):
    """An LSTM that predicts each next word."""

    summary = "sentences of a small grammar, word by word, with embeddings"
    metric = "perplexity a word"
    steps = 400
    lr = 1e-2
    batch = 32

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        verbs = [verb + ending for verb in SEEING + DOING for ending in ("", "s")]
        nouns = [noun + ending for noun in NOUNS for ending in ("", "s")]
        self.words = Words([*verbs, *(n.replace("childs", "children") for n in nouns), "the", "that", END])
        self.embedding = rnn.Embedding(len(self.words), 24, rng=generator)
        self.net = rnn.LSTM(24, 24, rng=generator)
        self.readout = rnn.Linear(24, len(self.words), weight=self.embedding.weight, rng=generator)
        tied = gathered(embedding=self.embedding, net=self.net)
        self.parameters = tied | {"readout.bias": self.readout.bias}
        self.test = self.draw(np.random.default_rng(seed + 1_000_000), 300)
        self._nats = PerShape(self.loss)
        self._next = PerShape(self._one_step)

    def draw(self, generator: Generator, batch: int | None = None) -> tuple[Array, ...]:
        """Sentences (T, B) that begin and end with a full stop, and their lengths (B,)."""
        return padded([self.words.codes([END, *sentence(generator)]) for _ in range(batch or self.batch)], LONGEST)

    def loss(self, *batch: Node) -> Node:
        codes, lengths = batch
        outputs = rnn.unroll(self.net, self.embedding(codes[:-1]), lengths=lengths - 1).outputs
        return rnn.cross_entropy(self.readout(outputs), codes[1:], before_end(lengths - 1, LONGEST - 1))

    def score(self) -> float:
        return float(np.exp(self._nats(*self.test)))

    def baseline(self) -> tuple[float, str]:
        counts = np.ones((len(self.words), len(self.words)))
        for codes, length in zip(*(a.T for a in self.draw(np.random.default_rng(7), 4000)), strict=True):
            np.add.at(counts, (codes[: length - 1], codes[1:length]), 1)
        chances = np.log(counts / counts.sum(axis=1, keepdims=True))
        rows = [chances[c[: n - 1], c[1:n]] for c, n in zip(*(a.T for a in self.test), strict=True)]
        return float(np.exp(-np.concatenate(rows).mean())), "a bigram table of 4,000 sentences"

    def _one_step(self, code: Node, h: Node, c: Node) -> list[Node]:
        net = rnn.unroll(self.net, self.embedding(code), (h, c))
        return [self.readout(net.outputs), *net.state]

    def write(self, generator: Generator, temperature: float = 1.0) -> list[str]:
        """One sentence, drawn word by word, each fed back: free running."""
        states = [np.zeros((1, 1, 24))] * 2
        codes = self.words.codes([END])
        while len(codes) == 1 or (self.words.words[codes[-1]] != END and len(codes) < 30):
            logits, *states = self._next(np.array([codes[-1:]]), *states)
            codes.append(choose(logits[0, 0], temperature, None, generator))
        return self.words.text(codes[1:]).split()

    def sample(self) -> str:
        generator = np.random.default_rng(1)
        lines = [" ".join(self.write(generator)) for _ in range(8)]
        vectors = self.embedding.weight.value
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        for word in ("dogs", "sleeps", "sees"):
            near = np.argsort(-vectors @ vectors[self.words.number[word]])[1:4]
            lines.append(f"nearest to {word}: {self.words.text(near)}")
        return "\n".join(lines)


def sentence(generator: Generator) -> list[str]:
    """`the dog that the cats see sleeps .`"""
    plural = bool(generator.random() < 0.5)
    return [*phrase(generator, plural, clauses=True), verb(str(generator.choice(DOING)), plural), END]


def phrase(generator: Generator, plural: bool, *, clauses: bool) -> list[str]:
    """`the dog`, or `the dog that the cats see`, or `the dog that sees the cats`."""
    noun = str(generator.choice(NOUNS))
    words = ["the", noun if not plural else "children" if noun == "child" else f"{noun}s"]
    if not clauses or generator.random() < 0.4:
        return words
    other = bool(generator.random() < 0.5)
    seeing = str(generator.choice(SEEING))
    inner = phrase(generator, other, clauses=False)
    if generator.random() < 0.5:
        return [*words, "that", *inner, verb(seeing, other)]
    return [*words, "that", verb(seeing, plural), *inner]


def verb(stem: str, plural: bool) -> str:
    return stem if plural else f"{stem}s"
