"""Text as numbers, and the net that reads a text and predicts each next character."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import Node
from minigrad.node import Array

from .cells import Recurrent
from .losses import cross_entropy
from .unroll import Unrolled, unroll


class Vocabulary:
    """The characters of a text in the order of their code points, and their numbers.

    >>> import rnn
    >>> v = rnn.Vocabulary("hello")
    >>> v.characters, v.encode("hole").tolist(), v.decode([3, 1])
    ('ehlo', [1, 3, 2, 0], 'oh')
    """

    def __init__(self, text: Iterable[str]) -> None:
        self.characters = "".join(sorted(set(text)))
        self._points = _code_points(self.characters)

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> Array:
        """The characters' numbers, shape (len(text),). Raises ValueError for a character it lacks."""
        points = _code_points(text)
        places = np.searchsorted(self._points, points)
        known = np.isin(points, self._points)
        if not np.all(known):
            unknown = "".join(sorted({text[place] for place in np.flatnonzero(~known)}))
            raise ValueError(f"the characters {unknown!r} are not in the vocabulary {self.characters!r}")
        return places

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of these numbers."""
        return "".join(self.characters[number] for number in numbers)

    def one_hot(self, text: str) -> Array:
        """One row a character with a single 1: shape (len(text), len(vocabulary))."""
        rows: Array = np.eye(len(self))[self.encode(text)]
        return rows


def _code_points(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


@dataclass(frozen=True)
class Reading:
    """A net that reads a text and predicts each next character.

    Attributes:
        text: the text; the net reads all but its last character and predicts all but its first.
        vocabulary: its characters.
        unrolled: the net unrolled over the text, batch 1.
        logits: one node (1, V) a step.
        losses: one scalar node a step, the cross-entropy of the next character.
        loss: their sum.
        readout: the parameters that turn a hidden state into logits, by name.
    """

    text: str
    vocabulary: Vocabulary
    unrolled: Unrolled
    logits: list[Node]
    losses: list[Node]
    loss: Node
    readout: dict[str, mg.Parameter]


def read(
    text: str, cell: Callable[..., Recurrent], hidden_size: int = 8, *, rng: int | np.random.Generator | None = 0
) -> Reading:
    """Unroll a fresh net of the given cell over `text`, with the loss of every next-character prediction.

    `cell` makes the net: called as `cell(input_size, hidden_size, rng=...)`.

    Raises ValueError for a text of fewer than two characters: there is no next character to predict.

    >>> import rnn
    >>> reading = rnn.read("hello", rnn.LSTM)
    >>> len(reading.unrolled.steps), reading.logits[0].shape
    (4, (1, 4))
    """
    if len(text) < 2:
        raise ValueError(
            f"a text needs two characters or more, one to read and the next to predict; got {len(text)}: {text!r}"
        )
    generator = np.random.default_rng(rng)
    vocabulary = Vocabulary(text)
    model = cell(len(vocabulary), hidden_size, rng=generator)
    size = model.output_size
    bound = 1 / np.sqrt(size)
    readout = {
        "weight_hy": mg.parameter(generator.uniform(-bound, bound, (len(vocabulary), size)), name="weight_hy"),
        "bias_y": mg.parameter(generator.uniform(-bound, bound, len(vocabulary)), name="bias_y"),
    }
    unrolled = unroll(model, vocabulary.one_hot(text[:-1])[:, None, :])
    logits, losses = [], []
    for step, label in zip(unrolled.steps, vocabulary.encode(text[1:]), strict=True):
        with mg.scope("readout", t=step.t):
            logits.append((step.output @ readout["weight_hy"].T + readout["bias_y"]).named("y"))
            losses.append(cross_entropy(logits[-1], [label]).named("L"))
    total = mg.ops.add_n(*losses).named("L")
    return Reading(text, vocabulary, unrolled, logits, losses, total, readout)
