"""A page under a chart: title above, sentence and proof below, axes, bars and labels in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..chart import Chart
from ..ink import Group, Item, Rect, Sheet, line
from ..layout.picture import EDGE
from ..layout.spot import Spot
from ..layout.stamp import Word
from ..words import Rich, Run, plain, width, wrap

SIZE = 14.5
"""Size of the words of a chart."""


class Page:
    """The items of a chart as they are placed, and how far down the page they reach."""

    def __init__(self, chart: Chart, wide: float) -> None:
        self.chart, self.wide = chart, wide
        self.items: list[Item] = []
        self.y = 0.6 * EDGE
        self._lines((chart.title,), SIZE * 1.35, "title")
        self._lines((chart.subtitle,), SIZE, "quiet")
        self.y += 0.9 * SIZE

    def add(self, *items: Item) -> None:
        """Place items."""
        self.items += items

    def word(
        self, text: str | Rich, x: float, y: float, anchor: str = "start", style: str = "", size: float = SIZE
    ) -> None:
        """Place a word with its anchor on the baseline at (x, y)."""
        self.items.append(Word((Run(text),) if isinstance(text, str) else text, x, y, size, anchor, style))

    def close(self, *notes: Rich) -> Sheet:
        """Place sentence, proof and notes below everything, and return the sheet."""
        self.y += 0.4 * SIZE
        self._lines((self.chart.sentence, self.chart.proof, *notes), SIZE, "")
        chart = self.chart
        about = " ".join(plain(text) for text in (chart.subtitle, chart.sentence, chart.proof, *notes) if text)
        return Sheet(
            "mg" + chart.digest(), plain(chart.title), about, self.wide, self.y + 0.8 * EDGE, tuple(self.items)
        )

    def _lines(self, texts: Iterable[Rich], size: float, style: str) -> None:
        for text in texts:
            bold = 1.15 if style == "title" else 1.0
            for part in wrap(text, size * bold, self.wide - 2 * EDGE) if text else ():
                self.y += size * 1.4
                self.word(part, EDGE, self.y, style=style, size=size)

    def legend(self, entries: Sequence[tuple[Item, float, str | Rich]]) -> None:
        """Place a row of examples, each an item drawn at the origin, its width, and what it means."""
        x, self.y = EDGE, self.y + 1.6 * SIZE
        for item, wide, label in entries:
            shown = (Run(label),) if isinstance(label, str) else label
            room = wide + 8 + width(shown, SIZE)
            if x > EDGE and x + room > self.wide - EDGE:
                x, self.y = EDGE, self.y + 1.7 * SIZE
            self.add(Group((item,), offset=(x, self.y - 0.35 * SIZE)))
            self.word(shown, x + wide + 8, self.y, style="quiet")
            x += room + 1.5 * SIZE


def bar(spot: Spot, value: float, title: str = "", style: str = "") -> Item:
    """Return a bar over `spot`; its colour says the sign of `value`."""
    shown = Rect(style or ("pos" if value >= 0 else "neg"), spot)
    return Group((shown,), title=title) if title else shown


def between(x0: float, x1: float, y0: float, y1: float) -> Spot:
    """Return the rectangle with these sides, in any order."""
    return Spot((x0 + x1) / 2, (y0 + y1) / 2, abs(x1 - x0), abs(y1 - y0))


def axis(x0: float, y0: float, x1: float, y1: float) -> Item:
    """Return a thin straight line."""
    return line("ax", ((x0, y0), (x1, y1)))


def ticks(count: int, room: float, apart: float = 34.0, first: int = 1) -> list[int]:
    """Return which of `count` places, numbered from `first`, to label: `apart` apart in `room`, at round numbers.

    >>> ticks(4, 200), ticks(60, 400), ticks(13, 400, first=0)
    ([0, 1, 2, 3], [0, 9, 19, 29, 39, 49, 59], [0, 2, 4, 6, 8, 10, 12])
    """
    if count <= 1 or count * apart <= room:
        return list(range(count))
    each = room / count
    step = next(step for step in (2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 10**9) if each * step >= apart)
    return [0, *(place for place in range(count) if (place + first) % step == 0 and place * each >= apart)]


def fitting(texts: Sequence[str], room: float, largest: float = 0.9 * SIZE, smallest: float = 9.0) -> float:
    """Return the size at which every text fits in `room`; 0 where that would be too small to read."""
    size = min(largest, room / max((width(text, 1.0) for text in texts), default=1.0))
    return size if size >= smallest else 0.0
