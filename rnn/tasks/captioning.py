"""Captioning: a small picture in, a sentence out. One to many.

The picture v enters every step of a plain recurrent net beside the word x, `h = tanh(W_xh x + W_hh h + W_ih v)`
(Vinyals et al. 2015; Karpathy and Fei-Fei 2015). Word and picture stand side by side in the net's input, so its one
weight_ih is `[W_xh W_ih]`.
"""

from __future__ import annotations

import numpy as np

import minigrad as mg
import rnn
from minigrad import Node
from minigrad.node import Array

from ..layers import PerShape
from .base import BatchTask, Generator, Words, accuracy, before_end, gathered, padded

SIZE = 8
SHAPES = ("square", "ring", "cross", "bar")
PLACES = ("top left", "top right", "bottom left", "bottom right")
LONGEST = 10
START, END = "<start>", "<end>"


class Captioning(BatchTask):
    """Says which shape a picture shows, how big, and where."""

    summary = "sentences about small pictures: one to many"
    metric = "share of captions without an error"
    larger_is_better = True
    steps = 700
    batch = 32
    hidden = 64

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.words = Words([START, END, "a", "big", "small", "at", "the", *SHAPES, *" ".join(PLACES).split()])
        self.embedding = rnn.Embedding(len(self.words), 16, rng=generator)
        self.net = rnn.RNN(16 + SIZE * SIZE, self.hidden, init="orthogonal", rng=generator)
        self.readout = rnn.Linear(self.hidden, len(self.words), rng=generator)
        self.parameters = gathered(embedding=self.embedding, net=self.net, readout=self.readout)
        self.test = self.draw(np.random.default_rng(seed + 1_000_000), 200)
        self._next = PerShape(self._one_step)

    def draw(self, generator: Generator, batch: int | None = None) -> tuple[Array, ...]:
        """Pictures (1, B, 64), captions (T, B) from <start> to <end>, and their lengths (B,)."""
        made = [picture(generator) for _ in range(batch or self.batch)]
        codes, lengths = padded([self.words.codes([START, *words, END]) for _, words in made], LONGEST)
        return np.stack([pixels.ravel() for pixels, _ in made])[None], codes, lengths

    def read(self, pixels: Node, codes: Node, h: Node | None = None) -> rnn.Unrolled:
        """The net over words (T, B), the pictures (B, 64) beside each."""
        words = self.embedding(codes)
        pictures = mg.broadcast_to(pixels[None], (*codes.shape, pixels.shape[1]))
        return rnn.unroll(self.net, mg.concatenate([words, pictures], axis=-1), h)

    def loss(self, *batch: Node) -> Node:
        pixels, codes, lengths = batch
        outputs = self.read(pixels[0], codes[:-1]).outputs  # teacher forcing
        return rnn.cross_entropy(self.readout(outputs), codes[1:], before_end(lengths - 1, LONGEST - 1))

    def tokens(self, batch: tuple[Array, ...]) -> int:
        return int(batch[2].sum())

    def _one_step(self, pixels: Node, codes: Node, h: Node) -> list[Node]:
        net = self.read(pixels, codes, h)
        return [self.readout(net.outputs[0]), net.outputs]

    def describe(self, pixels: Array) -> list[str]:
        """The likeliest word after each, fed back until <end>: free running."""
        said = np.full((1, pixels.shape[1]), self.words.number[START])
        h = np.zeros((1, pixels.shape[1], self.hidden))
        for _ in range(LONGEST - 1):
            logits, h = self._next(pixels[0], said[-1:], h)
            said = np.concatenate([said, logits.argmax(axis=1)[None]])
        return [self.words.text(row[1:]).split(f" {END}")[0] for row in said.T]

    def _right(self) -> list[str]:
        _, codes, lengths = self.test
        return [self.words.text(row[1 : n - 1]) for row, n in zip(codes.T, lengths, strict=True)]

    def score(self) -> float:
        return accuracy(np.array(self.describe(self.test[0])), np.array(self._right()))

    def baseline(self) -> tuple[float, str]:
        right = self._right()
        return max(right.count(caption) for caption in right) / len(right), "the commonest caption for every picture"

    def sample(self) -> str:
        pixels, said, right = self.test[0][0].reshape(-1, SIZE, SIZE), self.describe(self.test[0]), self._right()
        lines = []
        for row in range(3):
            lines += ["".join(" .#"[round(2 * min(1, max(0, p)))] * 2 for p in line) for line in pixels[row]]
            lines += [f"the net: {said[row]}", f"right:   {right[row]}", ""]
        return "\n".join(lines[:-1])


def picture(generator: Generator) -> tuple[Array, list[str]]:
    """A noisy 8 x 8 picture of one shape, and its caption."""
    shape, place = str(generator.choice(SHAPES)), str(generator.choice(PLACES))
    big = bool(generator.random() < 0.5)
    size = 4 if big else 3
    patch = np.zeros((size, size))
    if shape == "square":
        patch[:] = 1
    elif shape == "ring":
        patch[:] = 1
        patch[1:-1, 1:-1] = 0
    elif shape == "cross":
        np.fill_diagonal(patch, 1)
        np.fill_diagonal(patch[:, ::-1], 1)
    else:
        patch[:, 0] = 1
    pixels = 0.1 * generator.standard_normal((SIZE, SIZE))
    moved = generator.integers(0, 5 - size, 2)
    top, left = moved[0] + 4 * ("bottom" in place), moved[1] + 4 * ("right" in place)
    pixels[top : top + size, left : left + size] += patch
    return pixels, ["a", "big" if big else "small", shape, "at", "the", *place.split()]
