"""The steps of a long sequence at which something happens to the gradient.

Going back, a step takes the gradient of the state it leaves behind, |dL/ds_t|, to that of the state it took up,
|dL/ds_{t-1}|. How far these are apart, in decades, is what the step does to the gradient on that lane; the step's
value is the largest over its lanes. Most steps of a net do much the same: told are those that do more, where there is
still a gradient to be seen. A figure that has no room for all steps shows its ends, and the foremost of these.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .labels import state_name
from .measure import Sweep, norm
from .scene import FLOOR
from .timeline import LaneNodes, Timeline, cell_of
from .words import Rich, Run, number, one_line, unbroken

WHOLE = {"cell": 8, "op": 5}
"""How many steps fit on a slide with text one can read; longer sequences show head, tail and the most telling steps."""
FEW = {"cell": 6, "op": 4}
"""How many steps a longer sequence shows of its two ends, if it shows nothing between."""
ROOM = 1.5
"""How many of these a step between them takes the place of, with the gap beside it."""
MOST_TELLING = 4
"""Most steps between the ends."""
DIGITS = 2
"""Decimals of a decade that count: finer differences are rounding, and not the same on every machine."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What step `t` does to the gradient of the state `name`: `change` decades going back, -inf if none is left,
    NaN if it is no longer a number."""

    t: int
    name: Rich
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
        place = unbroken(f"t = {self.t + 1}")
        return (Run(f"{place} (|∂L/∂"), *self.name, Run(f"| {done})"))


def telling(timeline: Timeline, sweep: Sweep | None) -> list[Telling]:
    """Return the steps that change a gradient more than most do, those that change it most first.

    Only steps at which the gradient is within the scale of a figure count. Of steps that change it alike the later
    comes first, which the gradient meets first. Without a gradient, or where all steps do the same, there are none.
    """
    if sweep is None:
        return []
    layers = len({cell_of(lane.last)[1] for lane in timeline.lanes}) > 1
    sizes = [
        {t: norm(sweep.adjoints[node]) for t, node in lane.nodes.items() if node in sweep.adjoints}
        for lane in timeline.lanes
    ]
    least = FLOOR * max((size for lane in sizes for size in lane.values() if math.isfinite(size)), default=0.0)
    found: dict[int, Telling] = {}
    for lane, known in zip(timeline.lanes, sizes, strict=True):
        name = _name(lane, layers)
        for t in timeline.times:
            after, before = known.get(t, 0.0), known.get(lane.before(t))
            if before is None or not least < after < math.inf:
                continue
            each = Telling(t, name, _decades(before, after))
            if t not in found or each.value > found[t].value:
                found[t] = each
    usual = round(float(np.median([each.value for each in found.values()])), DIGITS) if found else 0.0
    return sorted((each for each in found.values() if each.value > usual), key=lambda each: (-each.value, -each.t))


def shown(
    times: Sequence[int], level: str, steps: int | None, told: Sequence[Telling], wide: bool
) -> tuple[list[int], list[Telling]]:
    """Return the steps to show, all or the first, the last and the foremost of `told`; and which are these.

    `steps` is how many there may be, `wide` whether the figure has columns beside those of the steps.
    """
    most = WHOLE[level] if steps is None else max(2, steps)
    if len(times) <= most:
        return list(times), []
    few, room = (FEW[level], ROOM) if steps is None else (most, 1)
    between = 1 if steps is None and wide else few // 3
    for extra in range(min(between, MOST_TELLING, len(told)), -1, -1):
        ends = int(few - room * extra)
        head, tail = times[: ends - ends // 2], times[len(times) - ends // 2 :]
        inner = [each for each in told if each.t not in head and each.t not in tail]
        if len(inner) >= extra:
            break
    chosen = inner[:extra]
    found = sorted({*head, *tail, *(each.t for each in chosen)})
    # A gap is nearly as wide as a step: one that hides a single step hides it for nothing.
    single = [b - 1 for a, b in itertools.pairwise(found) if b == a + 2 and b - 1 in times]
    return sorted([*found, *single[: most - len(found)]]), chosen


def _decades(before: float, after: float) -> float:
    if not math.isfinite(before):
        return math.nan
    return math.log10(before / after) if before else -math.inf


def _name(lane: LaneNodes, layers: bool) -> Rich:
    """Return what the lane's state is called, with its layer and direction where there are several."""
    layer = cell_of(lane.last)[1]
    return state_name(one_line(lane.name, 8), layer, lane.reverse, layers=layers)
