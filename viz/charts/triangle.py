"""The (t, k) triangle: what each loss sends through each step's use of a weight, as a heat map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression
from typing import Any, ClassVar

import numpy as np

from rnn import Table

from ..chart import WIDTH, Chart, proof_of
from ..ink import Sheet
from ..labels import weight_name
from ..measure import norm
from ..words import Rich, Run, number, plural

Span = tuple[float, float]

MOST_DECADES = 12
MOST_CELLS = 100
"""Most rows or columns of squares; longer sequences are shown in blocks."""


@dataclass(frozen=True, slots=True)
class Lag:
    """All contributions over the same number of steps: the root of their mean squared norm, and their share."""

    lag: int
    norm: float
    share: float


@dataclass(frozen=True, slots=True)
class Fit:
    """The line log10(norm) = start + slope * lag, by least squares over the lags with a norm above 0."""

    start: float
    slope: float

    @property
    def half_life(self) -> float:
        """Lags until the norm has halved; negative where it grows."""
        return -math.log10(2) / self.slope if self.slope else math.inf


@dataclass(frozen=True, slots=True)
class Triangle(Chart):
    """A (t, k) table. `norms` has a row for each loss (or block of them), None where no path leads.

    `low` and `high` are the ends of the colour scale as powers of ten, `spans` those of the shares by loss and by step.
    """

    kind: ClassVar[str] = "triangle"

    label: Rich
    losses: int
    steps: int
    block: int
    norms: tuple[tuple[float | None, ...], ...]
    by_loss: tuple[float, ...]
    by_step: tuple[float, ...]
    lags: tuple[Lag, ...]
    fit: Fit | None
    low: int
    high: int
    spans: tuple[Span, Span]

    @property
    def summary(self) -> str:
        """Size of the chart in a few words."""
        return f"{self.losses} losses by {plural(self.steps, 'step')}"

    def sheet(self, wide: float = WIDTH) -> Sheet:
        """Return the chart as ink."""
        from .triangle_sheet import lay

        return lay(self, wide)


def scene(table: Table) -> Triangle:
    """Return what the triangle of `table` shows."""
    label = weight_name(table.source, table.losses)
    norms, share, present = table.norm, table.share, table.present
    block = max(1, -(-max(norms.shape) // MOST_CELLS))
    lags = _lags(table)
    fit = _fit(lags)
    low, high = decades(norms[present])
    by_loss, by_step = (tuple(_sums(np.nansum(np.where(present, share, 0.0), axis=along), block)) for along in (1, 0))
    shown = (Run("∂L/∂"), *label)
    return Triangle(
        (Run("Gradient of "), *label, Run(" by the loss it comes from and the step it goes to")),
        (
            Run("Row t, column k: norm of what loss L"),
            Run("t", "sub"),
            Run(" sends through the use of "),
            *label,
            Run(" at step k. Bars: signed shares of the gradient; they sum to 1."),
        ),
        _sentence(table, shown, lags, fit),
        proof_of(table, label),
        label,
        len(norms),
        table.steps,
        block,
        _blocks(norms, present, block),
        by_loss,
        by_step,
        lags,
        fit,
        low,
        high,
        (span(by_loss), span(by_step)),
    )


def span(values: Sequence[float]) -> Span:
    """Return the ends of an axis from 0 that holds all bars."""
    return min(0.0, *values), max(0.0, *values)


def decades(norms: Any) -> tuple[int, int]:
    """Return the powers of ten that enclose the positive numbers in `norms`, at most twelve apart."""
    positive = norms[np.isfinite(norms) & (norms > 0)]
    if not positive.size:
        return -1, 0
    high = math.ceil(math.log10(positive.max()))
    low = math.floor(math.log10(positive.min()))
    return max(min(low, high - 1), high - MOST_DECADES), high


def _blocks(norms: Any, present: Any, block: int) -> tuple[tuple[float | None, ...], ...]:
    """Return the largest norm in each block; None where nothing in it is present."""
    found = np.where(present, norms, -1.0)
    rows = []
    for top in range(0, found.shape[0], block):
        row = [found[top : top + block, left : left + block] for left in range(0, found.shape[1], block)]
        rows.append(tuple(None if np.all(part < 0) else float(np.max(part)) for part in row))
    return tuple(rows)


def _sums(values: Any, block: int) -> list[float]:
    return [float(np.sum(values[start : start + block])) for start in range(0, len(values), block)]


def _lags(table: Table) -> tuple[Lag, ...]:
    """Return the contributions by how many steps they bridge."""
    found, lags = table.lag, []
    for lag in np.unique(found[table.present]):
        here = table.present & (found == lag)
        size = norm(table.norm[here]) / math.sqrt(np.count_nonzero(here))
        lags.append(Lag(int(lag), size, float(np.sum(table.share[here]))))
    return tuple(lags)


def _fit(lags: Sequence[Lag]) -> Fit | None:
    points = [(lag.lag, math.log10(lag.norm)) for lag in lags if 0 < lag.norm < math.inf]
    if len(points) < 2:
        return None
    places, powers = zip(*points, strict=True)
    slope, start = linear_regression(places, powers)
    return Fit(start, slope)


def _sentence(table: Table, shown: Rich, lags: Sequence[Lag], fit: Fit | None) -> Rich:
    total = norm(table.total)
    words = [Run("|"), *shown, Run(f"| = {number(total)}. ")]
    if fit is not None:
        factor = 10**fit.slope
        change = f"half-life {number(fit.half_life)} steps" if fit.slope < 0 else ""
        if fit.slope > 0:
            change = f"it doubles every {number(-fit.half_life)} steps"
        words.append(Run(f"From one lag to the next a contribution is multiplied by {number(factor)}"))
        words.append(Run(f" ({change}, fitted to the root mean square norm of each lag). " if change else ". "))
    if not 0 < total < math.inf:
        words.append(Run("Shares of it are not defined."))
        return tuple(words)
    running = np.cumsum([lag.share for lag in lags])
    far = [place for place, value in enumerate(running) if abs(value - 1) > 0.05]
    enough = 0 if not far else min(far[-1] + 1, len(lags) - 1)
    if enough == len(lags) - 1:
        words.append(Run(f"Lag {lags[0].lag} carries {number(100 * lags[0].share)} % of it."))
    else:
        span = f"Lags {lags[0].lag} to {lags[enough].lag} carry" if enough else f"Lag {lags[0].lag} carries"
        words.append(Run(f"{span} {number(100 * float(running[enough]), 3)} % of it."))
    return tuple(words)
