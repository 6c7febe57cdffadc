"""What a lesson is: a title, and paragraphs, formulas, figures, tables of numbers and claims that were checked.

Texts are set with `words.rich`: what follows `_` or `^` stands below or above the line. Lessons write no number by
hand: each is computed when the lesson is made.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from minigrad import Node

from ..drawing import figure_of
from ..figure import Figure
from ..scene import Level, Scene
from ..study import Subject, study
from ..words import Run, rich

__all__ = ["Block", "Claim", "Formula", "Lesson", "Numbers", "Shown", "drawn", "from_zero"]


@dataclass(frozen=True)
class Formula:
    """A line of mathematics on its own, in the notation of `viz.lessons.formula`."""

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


def drawn(
    subject: Subject | Node, level: Level = "cell", steps: int | None = None, *, title: str = "", first: int = 1
) -> Figure:
    """Return the figure of `subject` for a page: light or dark as the reader's system is, without source lines.

    `title` stands above it instead of the generated one; its steps are counted from `first`, 1 or 0.
    """
    figure = figure_of(study(subject), level, "auto", steps, sites=False)
    figure = figure if first else from_zero(figure)
    assert isinstance(figure.scene, Scene)
    scene = dataclasses.replace(figure.scene, title=rich(title)) if title else figure.scene
    return Figure(scene, figure.theme, figure.behind)


def from_zero(figure: Figure) -> Figure:
    """Return `figure` with its steps counted from 0, for formulas that count so; figures count them from 1."""
    return Figure(_lowered(figure.scene), figure.theme, figure.behind)


_STEP = re.compile(r"(?<=_)\d+|(?<=\bt = )\d+|(?<= at )\d+")


def _lowered(value: Any) -> Any:
    if isinstance(value, Run):
        whole = value.shift == "sub" and value.text.isdigit()
        return dataclasses.replace(value, text=_before(value.text) if whole else _STEP.sub(_match, value.text))
    if isinstance(value, tuple):
        return tuple(map(_lowered, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = {field.name for field in dataclasses.fields(value)} - _KEYS
        return dataclasses.replace(value, **{name: _lowered(getattr(value, name)) for name in names})
    return _STEP.sub(_match, value) if isinstance(value, str) else value


# What parts of a scene are found by, and never printed.
_KEYS = {"id", "key", "lane", "cell", "source", "target", "parameter"}


def _match(found: re.Match[str]) -> str:
    return _before(found[0])


def _before(step: str) -> str:
    return str(int(step) - 1).replace("-", "−")
