"""A character language model: trained by truncated backpropagation along a text, sampled a character at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

import minigrad as mg
from minigrad import Node
from minigrad.node import Array

from .cells import GRU, LSTM, RNN, Recurrent, Rng
from .layers import Linear, PerShape, one_hot
from .losses import cross_entropy
from .text import Vocabulary
from .train import Batch
from .unroll import dropout_masks, unroll

CELLS: dict[str, type[Recurrent]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}

# Stands for every character too rare to have a number of its own.
RARE = "\N{REPLACEMENT CHARACTER}"


class CharacterModel:
    """A recurrent net that reads characters and predicts each next one.

    `cell` is "rnn", "lstm" or "gru". `options` holds what it takes to build the same net again.

    >>> import rnn
    >>> model = rnn.CharacterModel("ehlo", hidden=8, seed=0)
    >>> len(model.sample(5, rng=0))
    5
    """

    def __init__(
        self,
        characters: str,
        *,
        cell: str = "lstm",
        hidden: int = 128,
        layers: int = 1,
        dropout: float = 0.0,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if cell not in CELLS:
            raise ValueError(f"CharacterModel: cell must be one of {', '.join(CELLS)}, got {cell!r}")
        if dropout and layers < 2:
            raise ValueError("CharacterModel: dropout acts between layers; one layer has nothing to drop")
        generator = np.random.default_rng(seed)
        self.vocabulary = Vocabulary(characters)
        self.dropout = dropout
        self.options = {"characters": self.vocabulary.characters, "cell": cell, "hidden": hidden}
        self.options |= {"layers": layers, "dropout": dropout, "seed": seed, "dtype": np.dtype(dtype).name}
        size = len(self.vocabulary)
        gates: dict[str, Any] = {"forget_bias": 1.0} if cell == "lstm" else {}
        self.net = CELLS[cell](size, hidden, layers=layers, rng=generator, dtype=dtype, **gates)
        self.readout = Linear(hidden, size, name="readout", rng=generator, dtype=dtype)
        self.parameters = {**self.net.parameters, **self.readout.parameters}
        self._advance = PerShape(lambda codes, *states: list(self.read(codes, states)))

    def zero_state(self, batch: int) -> list[Array]:
        """The states before a text, each (layers, batch, hidden)."""
        shape = (self.net.layers, batch, self.net.hidden_size)
        return [np.zeros(shape, self.net.dtype) for _ in self.net.states]

    def read(self, codes: Node, states: tuple[Node, ...], masks: Node | None = None) -> tuple[Node, ...]:
        """The logits (T, B, V) after each character of `codes` (T, B), and the states after the last."""
        xs = one_hot(codes, len(self.vocabulary), self.net.dtype)
        net = unroll(self.net, xs, states if len(states) > 1 else states[0], dropout=masks)
        return self.readout(net.outputs), *(net.state if isinstance(net.state, tuple) else (net.state,))

    def sample(
        self, length: int, *, prime: str = "", temperature: float = 1.0, top_k: int | None = None, rng: Rng = None
    ) -> str:
        """Write `length` characters that follow `prime`.

        Logits are divided by `temperature`: below 1 the likely becomes likelier, 0 always takes the likeliest. With
        `top_k` only the k likeliest are drawn from. Raises ValueError for characters of `prime` it never read.
        """
        if temperature < 0:
            raise ValueError(f"temperature must be 0 or above, got {temperature}")
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k must be 1 or above, got {top_k}")
        generator = np.random.default_rng(rng)
        start = prime or ("\n" if "\n" in self.vocabulary.characters else self.vocabulary.characters[0])
        codes, states = self.vocabulary.encode(start), self.zero_state(1)
        written: list[int] = []
        for _ in range(length):
            for code in codes:
                logits, *states = self._advance(np.array([[code]]), *states)
            written.append(choose(self._allowed(logits[0, 0]), temperature, top_k, generator))
            codes = np.array(written[-1:])
        return self.vocabulary.decode(written)

    def bits_per_character(self, text: str) -> float:
        """The mean of -log2 of the chance it gives each character of `text` but the first, read in one pass."""
        codes, states, nats = self.vocabulary.encode(text), self.zero_state(1), 0.0
        for begin in range(0, len(codes) - 1, 32):
            piece = codes[begin : begin + 33]
            logits, *states = self._advance(piece[:-1, None], *states)
            rows = logits[:, 0].astype(float)
            top = rows.max(axis=1, keepdims=True)
            chances = rows - top - np.log(np.exp(rows - top).sum(axis=1, keepdims=True))
            nats -= float(chances[np.arange(len(rows)), piece[1:]].sum())
        return nats / np.log(2) / max(len(codes) - 1, 1)

    def _allowed(self, logits: Array) -> Array:
        """The logits with the mark of rare characters ruled out, which is no character to write."""
        place = self.vocabulary.characters.find(RARE)
        if place >= 0 and len(logits) > 1:
            logits = logits.copy()
            logits[place] = -np.inf
        return logits


def choose(logits: Array, temperature: float, top_k: int | None, generator: np.random.Generator) -> int:
    """Draw a number from softmax(logits / temperature), of the `top_k` largest only if given.

    >>> import numpy as np
    >>> [choose(np.array([0.0, 3.0, 1.0]), t, 2, np.random.default_rng(1)) for t in (0.0, 1.0, 100.0)]
    [1, 1, 2]
    """
    order = np.argsort(-logits, kind="stable")[:top_k]
    if temperature == 0:
        return int(order[0])
    scaled = (logits[order].astype(float) - float(logits[order[0]])) / temperature
    chances = np.exp(scaled)
    return int(order[generator.choice(len(order), p=chances / chances.sum())])


class CharacterLearner:
    """Reads a text in `batch` places at once, `window` characters a step, and carries the states from step to step.

    The text is cut into `batch` equal stretches that are read side by side; at their ends reading begins anew, with
    states of 0. The gradient reaches back `window` steps: truncated backpropagation through time. `unseen` is a text
    to judge the model by that it never learns from.
    """

    def __init__(
        self, model: CharacterModel, text: str, *, window: int = 50, batch: int = 16, unseen: str = ""
    ) -> None:
        if len(text) < 2:
            raise ValueError(f"a text needs two characters or more, one to read and the next to predict; got {text!r}")
        self.model = model
        self.parameters = model.parameters
        self.unseen = unseen
        codes = model.vocabulary.encode(text)
        self.batch = max(1, min(batch, (len(codes) - 1) // window))
        stretch = (len(codes) - 1) // self.batch
        self.window = min(window, stretch)
        starts = np.arange(self.batch) * stretch
        self._codes = np.stack([codes[start : start + stretch + 1] for start in starts], axis=1)
        self._position = 0
        self._states = model.zero_state(self.batch)
        self._step = PerShape(self._build)

    def gradients(self, generator: np.random.Generator) -> Batch:
        if self._position + self.window >= len(self._codes):
            self._position, self._states = 0, self.model.zero_state(self.batch)
        stretch = self._codes[self._position : self._position + self.window + 1]
        masks = [self._masks(generator)] if self.model.dropout else []
        loss, *rest = self._step(stretch[:-1], stretch[1:], *self._states, *masks)
        gradients, self._states = rest[: len(self.parameters)], rest[len(self.parameters) :]
        self._position += self.window
        return Batch(float(loss), dict(zip(self.parameters, gradients, strict=True)), stretch[1:].size)

    def _masks(self, generator: np.random.Generator) -> Array:
        return dropout_masks(self.model.net, self.window, self.batch, self.model.dropout, generator)

    def _build(self, codes: Node, wanted: Node, *rest: Node) -> list[Node]:
        count = len(self.model.net.states)
        masks = rest[count] if len(rest) > count else None
        logits, *states = self.model.read(codes, rest[:count], masks)
        loss = cross_entropy(logits, wanted)
        return [loss, *mg.grad(loss, list(self.parameters.values())), *states]

    def carried(self) -> dict[str, Array]:
        """Where it reads, and with which states."""
        states = dict(zip(self.model.net.states, self._states, strict=True))
        return {"position": np.array(self._position), **states}

    def resume(self, carried: Mapping[str, Array]) -> None:
        """Go on where `carried` was taken."""
        self._position = int(carried["position"])
        self._states = [carried[name] for name in self.model.net.states]

    def held_out(self) -> float | None:
        """Nats a character on the text it does not learn from, or None if there is none."""
        return self.model.bits_per_character(self.unseen) * float(np.log(2)) if len(self.unseen) > 1 else None


def common_characters(text: str, most: int) -> tuple[str, str]:
    """The text with all but its `most` commonest characters replaced by `RARE`, and its characters.

    >>> common_characters("aaabbc", 2)
    ('aaabb�', 'ab�')
    """
    counts = Counter(text)
    if len(counts) <= most:
        return text, "".join(sorted(counts))
    kept = {character for character, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]}
    replaced = text.translate({ord(character): RARE for character in counts if character not in kept})
    return replaced, "".join(sorted({*kept, RARE}))
