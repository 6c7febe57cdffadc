"""Figures side by side on one scale."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..chart import Chart
from ..ink import Group, Item, Sheet
from ..layout import arrange
from ..layout.picture import EDGE
from ..layout.stamp import Word
from ..pen import ink
from ..scene import Scene
from ..words import Run, one_line, plain, plural, width
from .ledger import Ledger
from .lines import Lines
from .river import River
from .river_sheet import LEFT, Frame
from .triangle import MOST_DECADES, Triangle

NARROW = 640.0
"""Width of a chart, and least width of a graph, that stands beside others."""
SLIDE = 16 / 9
HEADING = 24.0


@dataclass(frozen=True, slots=True)
class Comparison(Chart):
    """Scenes of one kind, on one scale, each under its name, in so many `columns` (0: as many as fill a slide best)."""

    kind: ClassVar[str] = "comparison"

    names: tuple[str, ...]
    parts: tuple[Scene | Chart, ...]
    columns: int = 0

    @property
    def summary(self) -> str:
        """Size of the chart in a few words."""
        return plural(len(self.parts), "figure")

    def sheet(self, wide: float = 0.0) -> Sheet:
        """Return the scenes as ink."""
        sheets = [ink(arrange(part, NARROW)) if isinstance(part, Scene) else part.sheet(NARROW) for part in self.parts]
        columns = self.columns or _columns(sheets)
        lefts = _lefts(sheets, columns)
        size = HEADING * max(1.0, lefts[-1] / 1600)
        items: list[Item] = []
        y, right = 0.6 * EDGE, 0.0
        for start in range(0, len(sheets), columns):
            row = range(start, min(start + columns, len(sheets)))
            for place, number in enumerate(row):
                x = lefts[place]
                name = one_line(self.names[number])
                items.append(Word((Run(name),), x + EDGE, y + size, size, "start", "title"))
                items.append(Group(sheets[number].items, offset=(x, y + 0.8 * size)))
                right = max(right, x + sheets[number].width, x + EDGE + width(name, 1.15 * size) + EDGE)
            y += 0.8 * size + max(sheets[number].height for number in row)
        about = " ".join(f"{name}: {sheet.about}" for name, sheet in zip(self.names, sheets, strict=True))
        return Sheet("mg" + self.digest(), plain(self.title), about, right, y, tuple(items))


def _columns(sheets: Sequence[Sheet]) -> int:
    """Return how many columns make the figures largest on a slide."""
    high = max(sheet.height for sheet in sheets)

    def size(columns: int) -> float:
        rows = -(-len(sheets) // columns)
        return min(SLIDE / _lefts(sheets, columns)[-1], 1 / (rows * (high + HEADING)))

    return max(range(1, len(sheets) + 1), key=lambda columns: (size(columns), columns))


def _lefts(sheets: Sequence[Sheet], columns: int) -> list[float]:
    """Return where each column begins, as wide as the widest figure in it, and where the last one ends."""
    return [0.0, *itertools.accumulate(max(sheet.width for sheet in sheets[at::columns]) for at in range(columns))]


def scene(scenes: Mapping[str, Scene | Chart], columns: int | None = None) -> Comparison:
    """Return `scenes` on one scale; raises ValueError if they are not of one kind, or fewer than two."""
    if columns is not None and not 1 <= columns <= len(scenes):
        raise ValueError(f"compare: expects 1 to {len(scenes)} columns for as many figures, got {columns}")
    kinds = {_kind(part) for part in scenes.values()}
    if len(scenes) < 2 or len(kinds) > 1 or kinds & {"comparison"}:
        got = " and ".join(sorted(kinds)) or "none"
        raise ValueError(f"compare: expects two or more figures of one kind, got {len(scenes)} ({got})")
    parts = _shared(list(scenes.values()))
    names = tuple(scenes)
    title = (Run(one_line("Compared on one scale: " + " | ".join(names), 120)),)
    return Comparison(title, (), (), (), names, tuple(parts), columns or 0)


def _kind(part: Scene | Chart) -> str:
    """Return what a figure must share with another to be compared: what it is, and what its arrows show."""
    if not isinstance(part, Scene):
        return part.kind
    rolled = "rolled " if part.level == "rolled" else ""  # whose arrows show the steps together
    return f"{rolled}lanes" if part.shows == "magnitude" else f"{rolled}lanes of shares"


def _shared(parts: list[Any]) -> list[Any]:
    """Return the scenes, all with the scale that holds every one of them."""
    shared: dict[str, Any]
    if isinstance(parts[0], Scene):
        shared = {"reference": max(part.reference for part in parts)}
    elif isinstance(parts[0], Triangle):
        high = max(part.high for part in parts)
        spans = tuple(_hull([part.spans[which] for part in parts]) for which in (0, 1))
        shared = {"high": high, "low": max(min(part.low for part in parts), high - MOST_DECADES), "spans": spans}
    elif isinstance(parts[0], River):
        shared = {"unit": min(Frame(part, 0.0, NARROW - EDGE - LEFT).unit for part in parts)}
    elif isinstance(parts[0], Lines):
        shared = {"spans": tuple(_hull([part.spans[which] for part in parts]) for which in (0, 1))}
    else:
        assert isinstance(parts[0], Ledger)
        shared = {"longest": max(part.longest for part in parts), "span": _hull([part.span for part in parts])}
    return [dataclasses.replace(part, **shared) for part in parts]


def _hull(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return min(low for low, _ in spans), max(high for _, high in spans)
