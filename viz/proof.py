"""The proof on a figure: the gradient of a recurrent weight is the sum of its (t, k) contributions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import GradientError, Node, Parameter
from rnn import Table

from . import words
from .labels import name_of
from .measure import Sweep
from .words import Rich, number, plural

GROUPS = 64
"""Most losses told apart: a longer sequence adds its losses up in as many groups, or the proof would cost T^2."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How far the contributions of every loss t through every use k of `weight` are from dL/dW.

    `groups` is how many groups of losses are told apart, 0 if every loss is; `size` the sum of the norms of the
    contributions.
    """

    weight: Parameter
    contributions: int
    difference: float
    size: float
    groups: int = 0

    @property
    def holds(self) -> bool:
        """Whether the difference is rounding: 512 units of it, of the sum of the contributions' norms, or less."""
        return self.difference <= 512 * float(np.finfo(self.weight.dtype).eps) * self.size

    @property
    def label(self) -> Rich:
        """The weight's name as it is set on the figure."""
        return name_of(self.weight.name or "W")

    @property
    def sentence(self) -> Rich:
        """The proof as printed."""
        grouped = f", losses in {self.groups} groups" if self.groups else ""
        return (
            words.Run(f"Sum of {plural(self.contributions, 'contribution')} (t, k){grouped} = ∂L/∂"),
            *self.label,
            words.Run(f", max difference {number(self.difference)}"),
        )


def prove(losses: Sequence[Node], weight: Parameter, steps: int, sweep: Sweep) -> Proof | None:
    """Sum what every loss sends through every use of `weight`, and compare with the whole gradient.

    The terms are those of `rnn.bptt`, whose one sweep carries a cotangent for each loss; the whole is that of the sweep
    the figure shows. None where the weight has no gradient, or is used outside of the steps.
    """
    if weight not in sweep.adjoints:
        return None
    groups = list(losses)
    if len(losses) > GROUPS:
        bounds = [len(losses) * place // GROUPS for place in range(GROUPS + 1)]
        groups = [mg.ops.add_n(*losses[a:b]) if b > a + 1 else losses[a] for a, b in itertools.pairwise(bounds)]
    try:
        table = Table(groups, weight, steps)
    except GradientError:
        return None
    difference = float(np.max(np.abs(table.total - sweep.adjoints[weight]), initial=0.0))
    told = GROUPS if len(losses) > GROUPS else 0
    return Proof(weight, int(table.present.sum()), difference, float(table.norm.sum()), told)
