"""What a task is: data made in place, a net, a score, the baseline it must beat, and a sample a person can judge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

import minigrad as mg
from minigrad import Node, Parameter
from minigrad.node import Array

from ..checkpoint import CheckpointError
from ..layers import PerShape
from ..optim import Adam, Optimiser
from ..train import Batch

Generator = np.random.Generator


class Task(ABC):
    """One problem and the net that learns it.

    A subclass makes its parameters in `__init__(self, seed)` and measures itself in `score`; see `train.Learner` for
    what the training loop asks of it.

    Attributes:
        summary: one line for the list of tasks.
        metric: what `score` returns, in words.
        larger_is_better: whether a score must be above the baseline or below it.
        steps, lr, clip: how it is trained by default; enough to beat the baseline in under two minutes on two cores.
    """

    summary: ClassVar[str]
    metric: ClassVar[str]
    larger_is_better: ClassVar[bool] = False
    steps: ClassVar[int] = 500
    lr: ClassVar[float] = 5e-3
    clip: ClassVar[float] = 1.0

    parameters: dict[str, Parameter]

    @abstractmethod
    def __init__(self, seed: int = 0, **options: Any) -> None:
        """Make the net and the data it is measured on."""

    @abstractmethod
    def gradients(self, generator: Generator) -> Batch:
        """Take the next batch and differentiate its loss."""

    @abstractmethod
    def score(self) -> float:
        """How well the net does, in the unit that `metric` says."""

    @abstractmethod
    def baseline(self) -> tuple[float, str]:
        """The score to beat, and what reaches it, in words."""

    @abstractmethod
    def sample(self) -> str:
        """A few lines that show what the net does, for a person to judge."""

    def optimiser(self) -> Optimiser:
        """The optimiser it is trained with."""
        return Adam(self.parameters, self.lr)

    def carried(self) -> dict[str, Array]:
        """Nothing passes from batch to batch unless a task says so."""
        return {}

    def resume(self, carried: Mapping[str, Array]) -> None:
        """Put back what `carried` returned."""
        if carried:
            raise CheckpointError(f"{type(self).__name__} carries nothing, the checkpoint {', '.join(carried)}")

    def held_out(self) -> float | None:
        """Nothing is held out of training but what `score` measures: the mean loss of a window judges."""
        return None


class BatchTask(Task):
    """A task whose batches are drawn afresh: `draw` returns the arrays of one, `loss` takes them as nodes."""

    @abstractmethod
    def draw(self, generator: Generator) -> tuple[Array, ...]:
        """The arrays of one mini-batch."""

    @abstractmethod
    def loss(self, *batch: Node) -> Node:
        """The loss of a batch, a scalar."""

    def gradients(self, generator: Generator) -> Batch:
        """Draw a batch and differentiate its loss; the graph is built once for every shape of batch."""
        batch = self.draw(generator)
        loss, *gradients = self._differentiated(*batch)
        return Batch(float(loss), dict(zip(self.parameters, gradients, strict=True)), self.tokens(batch))

    def tokens(self, batch: tuple[Array, ...]) -> int:
        """How many steps of sequences a batch holds: time by batch of its first array."""
        return int(np.prod(batch[0].shape[:2]))

    @cached_property
    def _differentiated(self) -> PerShape:
        return PerShape(self._loss_and_gradients)

    def _loss_and_gradients(self, *batch: Node) -> list[Node]:
        loss = self.loss(*batch)
        return [loss, *mg.grad(loss, list(self.parameters.values()))]


def gathered(**parts: Any) -> dict[str, Parameter]:
    """The parameters of several nets in one dict, each name led by its part's: `encoder.weight_ih_l0`."""
    return {f"{part}.{name}": parameter for part, net in parts.items() for name, parameter in net.parameters.items()}


def accuracy(predicted: Array, wanted: Array) -> float:
    """The share of equal entries."""
    return float(np.mean(predicted == wanted))


def padded(sequences: Sequence[Sequence[int]], length: int) -> tuple[Array, Array]:
    """Number sequences of unequal lengths side by side, (length, B), behind their ends 0, and their lengths (B,).

    One length for every batch means one graph for all of them.
    """
    codes = np.zeros((length, len(sequences)), dtype=np.intp)
    for row, sequence in enumerate(sequences):
        codes[: len(sequence), row] = sequence
    return codes, np.array([len(sequence) for sequence in sequences], dtype=np.intp)


def before_end(lengths: Node, count: int) -> Node:
    """Which of `count` steps each sequence still runs at, (count, B): the mask of a loss over padded sequences."""
    steps: Node = mg.greater(mg.reshape(lengths, (1, -1)), np.arange(count)[:, None])
    return steps


class Words:
    """The numbers of a small vocabulary; `codes` takes words, `text` numbers."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = sorted(set(words))
        self.number = {word: place for place, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def codes(self, words: Iterable[str]) -> list[int]:
        return [self.number[word] for word in words]

    def text(self, codes: Iterable[int]) -> str:
        return " ".join(self.words[code] for code in codes)
