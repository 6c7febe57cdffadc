"""Ink: the shapes and words a finished figure consists of, before a renderer writes them as SVG or TikZ.

Every kind of figure, lanes or chart, is brought down to a `Sheet` of these few items, so that every renderer
draws every figure. `style` names are those of the theme's rules; a colour given as `fill` is data, not theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .layout.routes import Path, Point
from .layout.spot import Spot
from .layout.stamp import Word


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle, its corners rounded by `radius`."""

    style: str
    spot: Spot
    radius: float = 0.0
    fill: str = ""


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle."""

    style: str
    x: float
    y: float
    r: float


@dataclass(frozen=True, slots=True)
class Shape:
    """A line or curve, or, where `closed`, an area; `width` overrides the width of the style's stroke."""

    style: str
    path: Path
    closed: bool = False
    width: float | None = None
    fill: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Items that belong together: one tooltip, one style for what is inside, one offset.

    `part` is the id of what the group draws of the scene; a page that reacts to the reader finds it by that.
    """

    items: tuple[Item, ...]
    style: str = ""
    title: str | None = None
    offset: Point | None = None
    part: str = ""


Item = Rect | Circle | Shape | Word | Group


@dataclass(frozen=True, slots=True)
class Sheet:
    """A finished figure: its items in the order in which they are drawn, and what it is about in words.

    `identity` starts every id, so that two figures on one page do not collide.
    """

    identity: str
    title: str
    about: str
    width: float
    height: float
    items: tuple[Item, ...]


def line(style: str, points: Sequence[Point], width: float | None = None) -> Shape:
    """Return straight lines through `points`."""
    return Shape(style, Path(points[0], tuple((point,) for point in points[1:])), width=width)


def area(style: str, points: Sequence[Point], fill: str = "") -> Shape:
    """Return the area inside straight lines through `points`."""
    return Shape(style, Path(points[0], tuple((point,) for point in points[1:])), closed=True, fill=fill)
