"""Character language models: "hello", which a memoryless reader cannot learn, and two of Shakespeare's sonnets.

What a net without memory can reach at best is the bigram table, the chances of each character after each other one.
That is the baseline of both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from minigrad.node import Array

from ..character import CharacterLearner, CharacterModel
from ..optim import Adagrad, Optimiser
from ..train import Batch
from .base import Generator, Task


def sonnets() -> str:
    """Sonnets 1 and 2 (1609), shipped with the package."""
    return files("rnn").joinpath("data/sonnets.txt").read_text(encoding="utf-8")


class CharacterTask(Task):
    """Learns `text` by heart, `window` characters a step."""

    text: ClassVar[str]
    window: ClassVar[int] = 25
    batch: ClassVar[int] = 1
    net: ClassVar[dict[str, Any]]

    def __init__(self, seed: int = 0) -> None:
        self.model = CharacterModel("".join(sorted(set(self.text))), seed=seed, **self.net)
        self.learner = CharacterLearner(self.model, self.text, window=self.window, batch=self.batch)
        self.parameters = self.model.parameters

    def gradients(self, generator: Generator) -> Batch:
        return self.learner.gradients(generator)

    def carried(self) -> dict[str, Array]:
        return self.learner.carried()

    def resume(self, carried: Mapping[str, Array]) -> None:
        self.learner.resume(carried)


class Hello(CharacterTask):
    """ "hello" again and again: after an l comes an l or an o, and only memory knows which."""

    summary = 'the text "hellohello...", character by character'
    metric = "share of characters predicted right"
    larger_is_better = True
    steps = 300
    clip = 5.0
    text = "hello" * 40
    net: ClassVar[dict[str, Any]] = {"cell": "rnn", "hidden": 100}

    def optimiser(self) -> Optimiser:
        return Adagrad(self.parameters, 0.1)

    def score(self) -> float:
        said = self.model.sample(100, prime="h", temperature=0)
        return float(np.mean([a == b for a, b in zip(said, ("ello" + "hello" * 20), strict=False)]))

    def baseline(self) -> tuple[float, str]:
        return 4 / 5, "a bigram table, which must guess after an l"

    def sample(self) -> str:
        return f"h{self.model.sample(59, prime='h', temperature=0)}"


class Sonnets(CharacterTask):
    """Sonnets 1 and 2, learned by heart; samples taken on the way go from noise to words to lines."""

    summary = "Shakespeare's first two sonnets, character by character"
    metric = "bits a character on the text"
    steps = 1000
    lr = 1e-2
    window = 25
    batch = 8
    text = sonnets()
    net: ClassVar[dict[str, Any]] = {"cell": "lstm", "hidden": 96}

    def score(self) -> float:
        return self.model.bits_per_character(self.text)

    def baseline(self) -> tuple[float, str]:
        return bigram_bits(self.text), "the bigram table of the text, the best a net without memory can do"

    def sample(self) -> str:
        draws = [(1.0, None), (0.5, None), (1.0, 3)]
        return "\n\n".join(
            f"temperature {temperature}{'' if top_k is None else f', top {top_k}'}:\n"
            + self.model.sample(160, temperature=temperature, top_k=top_k, rng=1)
            for temperature, top_k in draws
        )


def bigram_bits(text: str) -> float:
    """The bits a character that the text's own bigram table needs: the conditional entropy of the next character."""
    pairs, firsts = Counter(pairwise(text)), Counter(text[:-1])
    bits = sum(count * np.log2(firsts[first] / count) for (first, _), count in pairs.items())
    return float(bits / (len(text) - 1))


def unigram_bits(text: str) -> float:
    """The bits a character that its frequencies alone need."""
    counts = Counter(text[1:])
    total = len(text) - 1
    return float(sum(count * np.log2(total / count) for count in counts.values()) / total)
