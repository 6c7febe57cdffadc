"""The steps of a long sequence at which something happens to the gradient.

Going back, a step takes the gradient of the state it leaves behind, |dL/ds_t|, to that of the state it took up,
|dL/ds_{t-1}|. How far these are apart, in decades, is what the step does to the gradient on that lane; the step's
value is the largest over its lanes. Most steps of a net do much the same: told are those that do more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import words
from .labels import name_of
from .measure import Sweep, norm
from .timeline import LaneNodes, Timeline
from .words import Rich, number

DIGITS = 2
"""Decimals of a decade that count: finer differences are rounding, and not the same on every machine."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What step `t` does to the gradient on the lane `name`: `change` decades going back, -inf if none is left,
    NaN if it is no longer a number."""

    t: int
    name: str
    change: float

    @property
    def value(self) -> float:
        """How much that is."""
        return math.inf if math.isnan(self.change) else round(abs(self.change), DIGITS)

    @property
    def sentence(self) -> Rich:
        """The step and what happens there."""
        if math.isnan(self.change):
            done = "becomes NaN or ∞"
        elif math.isinf(self.change):
            done = "becomes exactly 0"
        else:
            done = f"{'shrinks' if self.change < 0 else 'grows'} by {number(abs(self.change))} decades"
        place = f"t = {self.t + 1}".replace(" ", words.NO_BREAK)
        return (words.Run(f"{place} (|∂L/∂"), *name_of(self.name), words.Run(f"| {done})"))


def telling(timeline: Timeline, sweep: Sweep | None) -> list[Telling]:
    """Return the steps that change a gradient more than most do, those that change it most first.

    Of steps that change it alike the later comes first, which the gradient meets first. Without a gradient, or where
    all steps do the same, there are none.
    """
    found: dict[int, Telling] = {}
    for lane in timeline.lanes if sweep is not None else ():
        for each in _changes(lane, timeline.times, sweep):
            if each.t not in found or each.value > found[each.t].value:
                found[each.t] = each
    usual = round(float(np.median([each.value for each in found.values()])), DIGITS) if found else 0.0
    return sorted((each for each in found.values() if each.value > usual), key=lambda each: (-each.value, -each.t))


def _changes(lane: LaneNodes, times: Sequence[int], sweep: Sweep | None) -> list[Telling]:
    assert sweep is not None
    sizes = {t: norm(sweep.adjoints[node]) for t, node in lane.nodes.items() if node in sweep.adjoints}
    ahead = 1 if lane.reverse else -1
    changes = []
    for t in times:
        after, before = sizes.get(t), sizes.get(t + ahead)
        if not after or before is None or not math.isfinite(after):
            continue
        change = math.log10(before / after) if 0 < before < math.inf else -math.inf if before == 0 else math.nan
        changes.append(Telling(t, words.one_line(lane.name, 8), change))
    return changes
