"""What all charts share: a title, a generated sentence, a proof, and the way down to ink."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnn import Table

from .facts import Facts
from .ink import Sheet
from .measure import rounding
from .words import Rich, Run, number, plural, tick

WIDTH = 1250.0
"""Width of a chart that stands alone: its words are 18 pixels high on a slide of 1600 pixels."""


@dataclass(frozen=True, slots=True)
class Chart(Facts, ABC):
    """The scene of a chart: plain data. Its layout is a function of that data alone."""

    kind: ClassVar[str]

    title: Rich
    subtitle: Rich
    sentence: Rich
    proof: Rich

    @property
    @abstractmethod
    def summary(self) -> str:
        """Size of the chart in a few words."""

    @abstractmethod
    def sheet(self, wide: float = WIDTH) -> Sheet:
        """Return the chart as ink, on a page `wide` or somewhat wider if it needs more."""


def proof_of(table: Table, label: Rich) -> Rich:
    """Return the proof line of a table: its entries, summed, against the gradient. Holds up to rounding."""
    proof = table.proof()
    tolerance = rounding(table.source.dtype, float(np.sum(table.norm[table.present])))
    return proved(proof.difference <= tolerance, proof.terms, label, proof.difference)


def proved(holds: bool, terms: int, label: Rich, difference: float, what: str = "contribution") -> Rich:
    """Return the line that says that `terms` things sum to the gradient, or that they do not."""
    verb = " = ∂L/∂" if holds else " ≠ ∂L/∂"
    many = plural(terms, what) if what != "entry" else f"{terms} {'entry' if terms == 1 else 'entries'}"
    return (
        Run(f"{tick(holds)} Sum of {many}{verb}"),
        *label,
        Run(f", max difference {number(difference)}"),
    )
