"""A place on the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spot:
    """A rectangle by its centre and its sides."""

    x: float
    y: float
    w: float
    h: float

    @property
    def left(self) -> float:
        """The left side."""
        return self.x - self.w / 2

    @property
    def right(self) -> float:
        """The right side."""
        return self.x + self.w / 2

    @property
    def top(self) -> float:
        """The upper side."""
        return self.y - self.h / 2

    @property
    def bottom(self) -> float:
        """The lower side."""
        return self.y + self.h / 2

    def moved(self, dx: float, dy: float) -> Spot:
        """Return the rectangle shifted by (dx, dy)."""
        return Spot(self.x + dx, self.y + dy, self.w, self.h)
