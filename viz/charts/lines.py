"""Curves over one axis: how something grows or shrinks with a lag, a weight or a setting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..chart import WIDTH, Chart
from ..ink import Circle, Group, Shape, Sheet, line
from ..layout.picture import EDGE
from ..words import Rich, Run, plural, rich, width
from .page import SIZE, Page, axis

HEIGHT = 380.0
STYLES = 5
"""How many curves can be told apart: each has a colour and a pattern of dashes of its own."""

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve, or, where `dots`, places marked one by one; `limit` is a thin line of the same colour."""

    name: Rich
    points: Points
    dots: bool = False
    limit: Points = ()


@dataclass(frozen=True, slots=True)
class Lines(Chart):
    """Curves on the axes `across` and `up`; where `powers`, heights are powers of ten. `spans` are the axes' ends.

    `limit` says what the thin lines are.
    """

    kind: ClassVar[str] = "lines"

    curves: tuple[Curve, ...]
    across: Rich
    up: Rich
    powers: bool
    spans: tuple[tuple[float, float], tuple[float, float]]
    limit: Rich = ()

    @property
    def summary(self) -> str:
        """Size of the chart in a few words."""
        return plural(len(self.curves), "curve")

    def sheet(self, wide: float = WIDTH) -> Sheet:
        """Return the chart as ink."""
        return _lay(self, wide)


def scene(
    title: str,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    across: str,
    up: str,
    sentence: str = "",
    powers: bool = False,
    dots: Iterable[str] = (),
    limits: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    limit: str = "limit",
) -> Lines:
    """Return what the chart shows; raises ValueError for no curve, too many, or one without a finite point."""
    if not 0 < len(curves) <= STYLES:
        raise ValueError(f"lines: expects 1 to {STYLES} curves, got {len(curves)}")
    marked, limits = set(dots), limits or {}
    if unknown := [name for name in limits if name not in curves]:
        raise ValueError(f"lines: a limit for {unknown[0]!r}, which is not among the curves")
    shown = []
    for name, points in curves.items():
        finite = _finite(points)
        if not finite:
            raise ValueError(f"lines: the curve {name!r} has no finite point")
        shown.append(Curve(rich(name), finite, name in marked, _finite(limits.get(name, ()))))
    places = [point for curve in shown for point in (*curve.points, *curve.limit)]
    spans = tuple(_span([place[side] for place in places]) for side in (0, 1))
    return Lines(
        rich(title),
        (),
        rich(sentence),
        (),
        tuple(shown),
        rich(across),
        rich(up),
        powers,
        (spans[0], spans[1]),
        rich(limit) if limits else (),
    )


def _finite(points: Iterable[tuple[float, float]]) -> Points:
    return tuple((float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y))


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def marks(low: float, high: float, count: int, whole: bool = False) -> list[float]:
    """Return about `count` round numbers from `low` to `high`, `whole` ones if asked.

    >>> marks(0, 30, 6), marks(0.5, 1.6, 6), marks(-7.2, 2.1, 5, whole=True)
    ([0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0], [0.6, 0.8, 1.0, 1.2, 1.4, 1.6], [-6.0, -4.0, -2.0, 0.0, 2.0])
    """
    rough = (high - low) / count
    power = math.floor(math.log10(rough))
    step = next(times * 10.0**power for times in (1, 2, 5, 10) if times * 10.0**power >= rough * 0.999)
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def _lay(chart: Lines, wide: float) -> Sheet:
    page = Page(chart, wide)
    page.y += SIZE
    page.word(chart.up, EDGE, page.y, style="quiet")
    (x0, x1), (y0, y1) = chart.spans
    levels = marks(y0, y1, 6, chart.powers)
    names = [_level(value, chart.powers) for value in levels]
    left = EDGE + max((width(name, SIZE) for name in names), default=0.0) + 10
    right, top = wide - EDGE - SIZE, page.y + 1.4 * SIZE
    bottom = top + HEIGHT

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (x - x0) / (x1 - x0) * (right - left), bottom - (y - y0) / (y1 - y0) * HEIGHT

    for value, name in zip(levels, names, strict=True):
        y = at(x0, value)[1]
        page.add(line("grid", ((left, y), (right, y))))
        page.word(name, left - 8, y + 0.35 * SIZE, "end", "quiet")
    for value in marks(x0, x1, 10):
        x = at(value, y0)[0]
        page.add(axis(x, bottom, x, bottom + 5))
        page.word(f"{value:g}".replace("-", "−"), x, bottom + 5 + 1.2 * SIZE, "middle", "quiet")
    page.add(axis(left, bottom, right, bottom))
    page.word(chart.across, (left + right) / 2, bottom + 5 + 2.7 * SIZE, "middle", "quiet")
    for place, curve in enumerate(chart.curves):
        if curve.limit:
            page.add(Group((line("lim", [at(x, y) for x, y in curve.limit]),), f"l{place}"))
        page.add(_drawn(curve, place, [at(x, y) for x, y in curve.points]))
    page.y = bottom + 5 + 2.9 * SIZE
    samples = [(_sample(curve, place), 34.0, curve.name) for place, curve in enumerate(chart.curves)]
    page.legend([*samples, *([(line("rim", ((0.0, 0.0), (34.0, 0.0))), 34.0, chart.limit)] if chart.limit else [])])
    return page.close()


def _drawn(curve: Curve, place: int, points: Sequence[tuple[float, float]]) -> Group | Shape:
    if curve.dots:
        return Group(tuple(Circle("dot", x, y, 5.0) for x, y in points), f"l{place}")
    return line(f"l{place}", points)


def _sample(curve: Curve, place: int) -> Group | Shape:
    return _drawn(curve, place, ((17.0, 0.0),) if curve.dots else ((0.0, 0.0), (34.0, 0.0)))


def _level(value: float, powers: bool) -> Rich:
    if not powers:
        return (Run(f"{value:g}".replace("-", "−")),)
    return (Run("10"), Run(f"{value:.0f}".replace("-", "−"), "sup")) if value else (Run("1"),)
