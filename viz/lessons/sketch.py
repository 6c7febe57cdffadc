"""A sketch of the shapes of a recurrent net: which steps read, which answer, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ..chart import WIDTH, Chart
from ..charts.page import SIZE, Page
from ..ink import Circle, Group, Item, Rect, Shape, Sheet, area
from ..layout.picture import EDGE
from ..layout.routes import Point, arrow
from ..layout.spot import Spot
from ..layout.stamp import Word
from ..words import Run, plural, wrap

STEP, ROW, RADIUS, APART = 54.0, 62.0, 17.0, 40.0
NARROWEST = 130.0


@dataclass(frozen=True, slots=True)
class NetShape:
    """A shape: its name, how many steps it has, which of them read and answer, and what it is good for."""

    name: str
    steps: int
    reads: tuple[int, ...]
    answers: tuple[int, ...]
    use: str

    @property
    def width(self) -> float:
        """How much of the page it takes."""
        return max(NARROWEST, self.steps * STEP)


@dataclass(frozen=True, slots=True)
class Sketch(Chart):
    """Shapes beside each other: time runs right, data runs up."""

    kind: ClassVar[str] = "sketch"

    shapes: tuple[NetShape, ...]

    @property
    def summary(self) -> str:
        """Size of the chart in a few words."""
        return plural(len(self.shapes), "shape")

    def sheet(self, wide: float = WIDTH) -> Sheet:
        """Return the chart as ink."""
        page = Page(self, max(wide, sum(shape.width + APART for shape in self.shapes) - APART + 2 * EDGE))
        room = page.wide - 2 * EDGE - sum(shape.width for shape in self.shapes)
        left, top, low = EDGE, page.y, page.y
        for shape in self.shapes:
            page.add(*_drawn(shape, left, top + 1.9 * SIZE))
            page.word(shape.name, left + shape.width / 2, top + SIZE, "middle", "title")
            y = top + 2.7 * SIZE + 3 * ROW
            for line in wrap((Run(shape.use),), SIZE, shape.width + 0.5 * APART):
                page.word(line, left + shape.width / 2, y, "middle", "quiet")
                y += 1.35 * SIZE
            low = max(low, y)
            left += shape.width + room / max(1, len(self.shapes) - 1)
        page.y = low - SIZE
        return page.close()


def _drawn(shape: NetShape, left: float, top: float) -> Iterable[Item]:
    start = left + (shape.width - shape.steps * STEP) / 2 + STEP / 2
    up, middle, down = (top + ROW * (row + 0.5) for row in range(3))
    for t in range(shape.steps):
        x = start + t * STEP
        if t:
            yield from _line((x - STEP + RADIUS, middle), (x - RADIUS, middle))
        if t in shape.reads:
            yield from _line((x, down - RADIUS), (x, middle + RADIUS))
            yield _node("x", Circle("s", x, down, RADIUS), "x", t, x, down)
        if t in shape.answers:
            yield from _line((x, middle - RADIUS), (x, up + RADIUS))
            yield _node("loss", Rect("s", Spot(x, up, 2 * RADIUS, 2 * RADIUS), 4), "y", t, x, up)
        yield _node("h", Rect("s", Spot(x, middle, 2 * RADIUS, 2 * RADIUS), RADIUS), "h", t, x, middle)


def _node(style: str, item: Item, name: str, t: int, x: float, y: float) -> Group:
    word = Word((Run(name), Run(str(t + 1), "sub")), x, y + 0.33 * SIZE, SIZE)
    return Group((item, word), style)


def _line(start: Point, end: Point) -> tuple[Shape, Shape]:
    found = arrow([start, end], 7.0)
    return Shape("f", found.path), area("fh", found.head)
