"""What a lesson is: a title, and paragraphs, formulas, figures, tables of numbers and claims that were checked.

Texts are set with `words.rich`: what follows `_` or `^` stands below or above the line. Lessons write no number by
hand: each is computed when the lesson is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from minigrad import Node

from ..drawing import Level, Subject, figure_of, study
from ..figure import Figure

__all__ = ["Block", "Claim", "Formula", "Lesson", "Numbers", "Shown", "drawn"]


@dataclass(frozen=True)
class Formula:
    """A line of mathematics on its own."""

    text: str


@dataclass(frozen=True)
class Shown:
    """A figure and what to look at in it."""

    figure: Figure
    caption: str


@dataclass(frozen=True)
class Numbers:
    """A table: what the columns are, and the rows; the first column is names."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Claim:
    """A statement that was checked with the numbers of this lesson, and whether it held."""

    text: str
    holds: bool


Block = str | Formula | Shown | Numbers | Claim


@dataclass(frozen=True)
class Lesson:
    """One lesson; a string among its blocks is a paragraph."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def claims(self) -> list[Claim]:
        """The statements that were checked."""
        return [block for block in self.blocks if isinstance(block, Claim)]


def drawn(subject: Subject | Node, level: Level = "cell", steps: int | None = None) -> Figure:
    """Return the figure of `subject` for a page: light or dark as the reader's system is, without source lines."""
    return figure_of(study(subject), level, "auto", steps, sites=False)
