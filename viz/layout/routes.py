"""Paths: how an edge runs on the page, and how its gradient runs back beside it.

A path is lines and cubic curves only, so that every renderer can draw it. Forward edges are given
as corner points (rounded here) or as one curve; the gradient is the same path moved to one side,
turned round, cut short, and given a head.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from .spot import Spot

Point = tuple[float, float]

CORNER = 7.0
HOP = 6.0
HEAD = 10.0
_KAPPA = 0.5523


@dataclass(frozen=True, slots=True)
class Path:
    """A start and steps: each either one end point, or two control points and an end point."""

    start: Point
    steps: tuple[tuple[Point, ...], ...]

    @property
    def end(self) -> Point:
        """The last point."""
        return self.steps[-1][-1] if self.steps else self.start

    def moved(self, dx: float, dy: float) -> Path:
        """Return the path shifted by (dx, dy)."""

        def move(point: Point) -> Point:
            return (point[0] + dx, point[1] + dy)

        return Path(move(self.start), tuple(tuple(map(move, step)) for step in self.steps))

    def points(self, pieces: int = 8) -> list[Point]:
        """Return points along the path, close enough to measure with."""
        found = [self.start]
        for step in self.steps:
            if len(step) == 1:
                found.append(step[0])
            else:
                curve = (found[-1], *step)
                found += [bezier(curve, place / pieces) for place in range(1, pieces + 1)]
        return found


@dataclass(frozen=True, slots=True)
class Arrow:
    """A path and the head it ends in: tip and the two barbs."""

    path: Path
    head: tuple[Point, Point, Point]

    def moved(self, dx: float, dy: float) -> Arrow:
        """Return the arrow shifted by (dx, dy)."""
        tip, left, right = ((x + dx, y + dy) for x, y in self.head)
        return Arrow(self.path.moved(dx, dy), (tip, left, right))


def bezier(curve: Sequence[Point], at: float) -> Point:
    """Return the point of a cubic curve at parameter `at` in [0, 1]."""
    a, b, c, d = ((1 - at) ** 3, 3 * at * (1 - at) ** 2, 3 * at**2 * (1 - at), at**3)
    return (
        a * curve[0][0] + b * curve[1][0] + c * curve[2][0] + d * curve[3][0],
        a * curve[0][1] + b * curve[1][1] + c * curve[2][1] + d * curve[3][1],
    )


def towards(a: Point, b: Point, distance: float) -> Point:
    """Return the point `distance` away from `a` in the direction of `b`."""
    length = math.dist(a, b) or 1.0
    return (a[0] + (b[0] - a[0]) * distance / length, a[1] + (b[1] - a[1]) * distance / length)


def nearest(point: Point, path: Path) -> Point:
    """Return the point of `path` that lies nearest to `point`."""
    found = []
    for (ax, ay), (bx, by) in itertools.pairwise(path.points()):
        dx, dy = bx - ax, by - ay
        along = ((point[0] - ax) * dx + (point[1] - ay) * dy) / (dx * dx + dy * dy or 1.0)
        along = min(1.0, max(0.0, along))
        found.append((ax + along * dx, ay + along * dy))
    return min(found, key=lambda at: math.dist(at, point))


def rounded(corners: Sequence[Point], radius: float = CORNER) -> Path:
    """Return the path through `corners` with its bends rounded."""
    steps: list[tuple[Point, ...]] = []
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        room = min(radius, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        enter, leave = towards(corner, before, room), towards(corner, after, room)
        near, far = towards(enter, corner, room * _KAPPA), towards(leave, corner, room * _KAPPA)
        steps += [(enter,), (near, far, leave)]
    return Path(corners[0], (*steps, (corners[-1],)))


def hopped(corners: Sequence[Point], over: Sequence[float], radius: float = HOP) -> Path:
    """Return the rounded path whose vertical runs jump in a half circle over each height in `over`."""
    return bridged(rounded(corners), over, radius)


def bridged(path: Path, over: Sequence[float], radius: float = HOP) -> Path:
    """Return `path`, its vertical runs jumping in a half circle over each height in `over`."""
    steps: list[tuple[Point, ...]] = []
    at = path.start
    for step in path.steps:
        end = step[-1]
        if len(step) == 1 and at[0] == end[0]:
            low, high = sorted((at[1], end[1]))
            jumps = [y for y in over if low + radius < y < high - radius]
            for y in sorted(jumps, reverse=end[1] < at[1]):
                steps += _half_circle(at[0], y, radius if end[1] > at[1] else -radius)
        steps.append(step)
        at = end
    return Path(path.start, tuple(steps))


def passed(path: Path, over: Sequence[float]) -> tuple[Point, ...]:
    """Return where the upright lines of `path` pass the heights in `over`."""
    found, at = [], path.start
    for step in path.steps:
        if len(step) == 1 and abs(at[0] - step[0][0]) < 0.01:
            low, high = sorted((at[1], step[0][1]))
            found += [(at[0], y) for y in over if low + HOP < y < high - HOP]
        at = step[-1]
    return tuple(found)


def _half_circle(x: float, y: float, radius: float) -> list[tuple[Point, ...]]:
    """Return a bulge around (x, y), entered at y - radius and left at y + radius.

    It goes to the right of the direction of travel: the gradient runs at the left.
    """
    reach, side = -radius, radius * _KAPPA
    return [
        ((x, y - radius),),
        ((x + reach * _KAPPA, y - radius), (x + reach, y - side), (x + reach, y)),
        ((x + reach, y + side), (x + reach * _KAPPA, y + radius), (x, y + radius)),
    ]


def beside(corners: Sequence[Point], distance: float) -> list[Point]:
    """Return `corners` moved `distance` to the left of the direction of travel (negative: right).

    Consecutive corners must share a row or a column.
    """
    shifts = []
    for a, b in itertools.pairwise(corners):
        length = math.dist(a, b) or 1.0
        along = ((b[0] - a[0]) / length, (b[1] - a[1]) / length)
        shifts.append((along[1] * distance, -along[0] * distance))
    moved = []
    for place, corner in enumerate(corners):
        near = {shifts[min(place, len(shifts) - 1)], shifts[max(place - 1, 0)]}
        moved.append(
            (
                corner[0] + max((shift[0] for shift in near), key=abs),
                corner[1] + max((shift[1] for shift in near), key=abs),
            )
        )
    return moved


def arrow(corners: Sequence[Point], size: float = HEAD) -> Arrow:
    """Return the arrow along `corners`; its line stops inside the head, its tip is the last corner."""
    tip, back = corners[-1], corners[-2]
    size = min(size, 0.7 * math.dist(back, tip))
    stop = towards(tip, back, size * 0.8)
    return Arrow(rounded([*corners[:-1], stop]), _head(tip, towards(tip, back, size), size))


def _head(tip: Point, base: Point, size: float) -> tuple[Point, Point, Point]:
    length = math.dist(tip, base) or 1.0
    across = ((base[1] - tip[1]) / length * size * 0.5, (tip[0] - base[0]) / length * size * 0.5)
    return (
        tip,
        (base[0] + across[0], base[1] + across[1]),
        (base[0] - across[0], base[1] - across[1]),
    )


def curve_arrow(curve: Sequence[Point], size: float = HEAD) -> Arrow:
    """Return the arrow along one cubic curve, its tip at the curve's end."""
    tip = curve[3]
    size = min(size, 0.6 * math.dist(curve[0], tip))
    stop = 1.0
    while stop > 0.05 and math.dist(bezier(curve, stop), tip) < size:
        stop -= 0.02
    base = bezier(curve, stop)
    front = _split(curve, min(1.0, stop + 0.02))
    return Arrow(Path(front[0], (tuple(front[1:]),)), _head(tip, base, size))


def outside(curve: Sequence[Point], spot: Spot, clear: float) -> list[Point]:
    """Return a cubic curve up to where it comes closer than `clear` to `spot`; of a short one, its first third."""
    stop = 1.0
    while stop > 0.34:
        x, y = bezier(curve, stop)
        if abs(x - spot.x) > spot.w / 2 + clear or abs(y - spot.y) > spot.h / 2 + clear:
            break
        stop -= 0.02
    return _split(curve, stop)


def _split(curve: Sequence[Point], at: float) -> list[Point]:
    """Return the first part of a cubic curve, up to parameter `at` (de Casteljau)."""
    row, first = list(curve), [curve[0]]
    while len(row) > 1:
        row = [(a[0] + (b[0] - a[0]) * at, a[1] + (b[1] - a[1]) * at) for a, b in itertools.pairwise(row)]
        first.append(row[0])
    return first


def shortened(corners: Sequence[Point], start: float, end: float) -> list[Point]:
    """Return `corners` with `start` cut from the first stretch and `end` from the last."""
    cut = list(corners)
    first = min(start, math.dist(cut[0], cut[1]) - 1)
    cut[0] = towards(cut[0], cut[1], first)
    last = min(end, math.dist(cut[-1], cut[-2]) - 1)
    cut[-1] = towards(cut[-1], cut[-2], last)
    return cut
