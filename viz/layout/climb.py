"""Ways between the rows of a step: curves up, the gradient back along them, and straight lines with hops."""

from __future__ import annotations

from collections.abc import Sequence

from .routes import Arrow, Path, Point, arrow, beside, curve_arrow, hopped, passed, shortened
from .sizes import BESIDE
from .stamp import Route


def rise(a: Point, b: Point, aside: float = 0.0) -> tuple[Point, ...]:
    """Return the step from `a` up to `b`, upright at both ends; `aside` makes room for a curve to its left."""
    if abs(a[0] - b[0]) < 0.05:
        return (b,)
    middle = (a[1] + b[1]) / 2 + (-1.4 if b[0] > a[0] else 1.4) * aside
    return ((a[0], middle), (b[0], middle), b)


def returned(start: Point, steps: Sequence[tuple[Point, ...]]) -> Arrow:
    """Return the gradient of a climbing edge: the same way back, moved aside, without the hops."""
    points = [start, *(step[-1] for step in steps)]
    pieces: list[tuple[Point, ...]] = []
    for at in range(len(steps) - 1, -1, -1):
        step, to = steps[at], points[at]
        pieces.append((to,) if len(step) == 1 else (step[1], step[0], to))
    shifted = Path(points[-1], tuple(pieces)).moved(-BESIDE, 0.0)
    (x, y), last = shifted.start, shifted.steps[-1]
    begin = (x, y + 2.5)
    before = shifted.steps[-2][-1] if len(shifted.steps) > 1 else begin
    tip = (last[-1][0], last[-1][1] - 2.5)
    head = arrow([before, tip]) if len(last) == 1 else curve_arrow((before, last[0], last[1], tip))
    return Arrow(Path(begin, (*shifted.steps[:-1], *head.path.steps)), head.head)


def cornered(corners: Sequence[Point], over: Sequence[float] = ()) -> Route:
    """Return the route along `corners`, which hops over the level lanes at the heights `over`."""
    forward = arrow(corners, 7.0)
    if over:
        forward = Arrow(hopped([*corners[:-1], forward.path.end], over), forward.head)
    back = arrow(shortened(beside(corners, BESIDE)[::-1], 2.0, 2.5))
    return Route(forward, back, passed(back.path, over))
