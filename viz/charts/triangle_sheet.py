"""Layout of the (t, k) triangle: the heat map with its marginal shares, and beside it norm and share by lag."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..colour import cividis, ink_on
from ..ink import Circle, Group, Item, Rect, Sheet, line
from ..layout.picture import EDGE
from ..layout.routes import Point
from ..layout.spot import Spot
from ..layout.stamp import Word
from ..words import Rich, Run, number
from .page import SIZE, Page, axis, bar, between, fitting, ticks
from .triangle import Fit, Lag, Triangle, span

SIDE = 468.0
LEFT = EDGE + 58.0
MARGINAL = 84.0
BESIDE = 62.0
"""Room for the numbers beside the bars at the right."""
PANEL = 742.0
NORM_PANEL = 300.0
"""Least room for the panels by lag; narrower pages go without."""


def lay(chart: Triangle, wide: float) -> Sheet:
    """Return the chart as ink."""
    page = Page(chart, wide)
    rows, columns = len(chart.norms), len(chart.norms[0]) if chart.norms else 0
    full = wide >= PANEL + NORM_PANEL
    side = SIDE if full else min(SIDE, wide - LEFT - MARGINAL - BESIDE - EDGE)
    cell = side / max(rows, columns, 1)
    top = page.y + 1.9 * SIZE
    _squares(page, chart, top, cell)
    _rows(page, chart, top, cell)
    bottom = _columns(page, chart, top + rows * cell, cell)
    if full:
        page.y = max(bottom, _panels(page, chart, top))
    else:
        page.y = _colour_bar(page, chart, LEFT, bottom + 2.2 * SIZE, side)
    page.legend(_legend(chart, fitted=full))
    notes: list[Rich] = []
    if chart.block > 1:
        size = f"{chart.block} × {chart.block}"
        notes.append((Run(f"Each square stands for {size} contributions and has the colour of the largest."),))
    unseen = len(chart.lags) - len(_visible(chart))
    if full and unseen:
        last, its, own = (
            ("last is", "its norm is", "its share")
            if unseen == 1
            else (f"last {unseen} are", "their norms are", "their shares")
        )
        beyond = (Run(f"By lag, the {last} not shown: {its} below "), *_power(chart.low))
        notes.append((*beyond, Run(f" and {own} below 10"), Run("−9", "sup"), Run(".")))
    return page.close(*notes)


def _visible(chart: Triangle) -> Sequence[Lag]:
    """Return the lags up to the last one with a norm on the scale, or with a share worth a bar."""
    seen = [
        place
        for place, lag in enumerate(chart.lags)
        if not 0 <= lag.norm < 10.0**chart.low or not abs(lag.share) < 1e-9
    ]
    return chart.lags[: seen[-1] + 1] if seen else chart.lags


def _squares(page: Page, chart: Triangle, top: float, cell: float) -> None:
    shown = [number(value) for row in chart.norms for value in row if value is not None]
    size = fitting(shown, cell - 4, 15.0)
    for t, row in enumerate(chart.norms):
        for k, value in enumerate(row):
            if value is None:
                continue
            spot = Spot(LEFT + (k + 0.5) * cell, top + (t + 0.5) * cell, cell, cell)
            items: list[Item] = [_square(chart, value, spot)]
            if size:
                style = ink_on(_fraction(chart, value)) if _scaled(chart, value) else ""
                items.append(Word((Run(number(value)),), spot.x, spot.y + 0.35 * size, size, "middle", style))
            page.add(Group(tuple(items), title=_title(chart, t, k, value)))


def _title(chart: Triangle, t: int, k: int, value: float) -> str:
    if chart.block == 1:
        return f"t = {t + 1}, k = {k + 1}: {number(value, 3)}"
    spans = [
        f"{place * chart.block + 1} to {min((place + 1) * chart.block, count)}"
        for place, count in ((t, chart.losses), (k, chart.steps))
    ]
    return f"t = {spans[0]}, k = {spans[1]}: at most {number(value, 3)}"


def _fraction(chart: Triangle, value: float) -> float:
    return (math.log10(value) - chart.low) / (chart.high - chart.low)


def _scaled(chart: Triangle, value: float) -> bool:
    return 0 < value < math.inf and _fraction(chart, value) >= 0


def _square(chart: Triangle, value: float, spot: Spot) -> Rect:
    if _scaled(chart, value):
        return Rect("heat", spot, fill=cividis(_fraction(chart, value)))
    if 0 < value < math.inf:
        return Rect("faint", spot)
    inner = Spot(spot.x, spot.y, max(spot.w - 3, 0.6 * spot.w), max(spot.h - 3, 0.6 * spot.h))
    return Rect("none" if value == 0 else "nonum", inner)


def _rows(page: Page, chart: Triangle, top: float, cell: float) -> None:
    """Number the rows, and put the share of each loss at its right."""
    count = len(chart.norms)
    x0 = LEFT + len(chart.norms[0]) * cell + 0.7 * SIZE
    low, high = chart.spans[0]
    scale = _unit(low, high, MARGINAL)
    zero = x0 - scale * low
    for t in ticks(count, count * cell, 1.5 * SIZE):
        page.word(str(t * chart.block + 1), LEFT - 8, top + (t + 0.5) * cell + 0.35 * SIZE, "end", "quiet")
    page.word((Run("loss t"),), LEFT - 8, top - 0.7 * SIZE, "end", "quiet")
    page.word("share of loss t", x0, top - 0.7 * SIZE, "start", "quiet")
    for t, share in enumerate(chart.by_loss):
        y = top + (t + 0.5) * cell
        spot = between(zero, zero + scale * share, y - 0.36 * cell, y + 0.36 * cell)
        page.add(bar(spot, share, f"t = {t * chart.block + 1}: share {number(share, 3)}"))
        if cell >= 1.3 * SIZE:
            end = zero + scale * max(share, 0.0) + 5
            page.word(number(share), end, y + 0.35 * SIZE, style="quiet", size=0.9 * SIZE)
    page.add(axis(zero, top, zero, top + count * cell))


def _columns(page: Page, chart: Triangle, top: float, cell: float) -> float:
    """Number the columns, put the share of each step below, and return where that ends."""
    count = len(chart.by_step)
    room = LEFT + count * cell
    y = top + 1.25 * SIZE
    for k in ticks(count, count * cell):
        page.word(str(k * chart.block + 1), LEFT + (k + 0.5) * cell, y, "middle", "quiet")
    page.word("step k", LEFT - 8, y, "end", "quiet")
    y += 0.7 * SIZE
    low, high = chart.spans[1]
    scale = _unit(low, high, MARGINAL - 22)
    zero = y + scale * high + 16
    size = fitting([number(share) for share in chart.by_step], cell - 4)
    for k, share in enumerate(chart.by_step):
        x = LEFT + (k + 0.5) * cell
        spot = between(x - 0.36 * cell, x + 0.36 * cell, zero, zero - scale * share)
        page.add(bar(spot, share, f"k = {k * chart.block + 1}: share {number(share, 3)}"))
        if size:
            page.word(number(share), x, zero - scale * max(share, 0.0) - 4, "middle", "quiet", size)
    page.add(axis(LEFT, zero, room, zero))
    page.word("share of", LEFT - 8, zero - 1.25 * SIZE, "end", "quiet")
    page.word("step k", LEFT - 8, zero - 0.1 * SIZE, "end", "quiet")
    return zero - scale * low


def _unit(low: float, high: float, room: float) -> float:
    """Return how long a bar of 1 is where bars from `low` to `high` fit in `room`."""
    return room / (high - low) if high > low else 0.0


def _panels(page: Page, chart: Triangle, top: float) -> float:
    wide = page.wide - EDGE - PANEL
    y = _colour_bar(page, chart, PANEL, top - 0.7 * SIZE, wide)
    left = PANEL + 62
    y += 3.2 * SIZE
    page.word("root mean square norm by lag, in steps", left, y - 0.9 * SIZE, style="quiet")
    y = _norms(page, chart, left, y, page.wide - EDGE - left, 196.0)
    y += 3.0 * SIZE
    page.word("share by lag, in steps", left, y - 0.9 * SIZE, style="quiet")
    return _shares(page, chart, left, y, page.wide - EDGE - left, 120.0)


def _colour_bar(page: Page, chart: Triangle, left: float, y: float, wide: float) -> float:
    page.word("norm of one contribution", left, y, style="quiet")
    y += 0.6 * SIZE
    pieces, high = 60, 16.0
    for piece in range(pieces):
        spot = Spot(left + (piece + 0.5) * wide / pieces, y + high / 2, wide / pieces + 0.6, high)
        page.add(Rect("heat", spot, fill=cividis((piece + 0.5) / pieces)))
    y += high
    span = chart.high - chart.low
    for power in range(chart.low, chart.high + 1, max(1, -(-span // 6))):
        x = left + wide * (power - chart.low) / span
        page.add(axis(x, y, x, y + 5))
        anchor = "start" if power == chart.low else "end" if power == chart.high else "middle"
        page.word(_power(power), x, y + 1.4 * SIZE, anchor, "quiet")
    return y + 1.4 * SIZE


def _power(power: int) -> Rich:
    return (Run("1"),) if power == 0 else (Run("10"), Run(str(power).replace("-", "−"), "sup"))


def _norms(page: Page, chart: Triangle, x0: float, y0: float, wide: float, high: float) -> float:
    """Draw the norm of each lag as a dot on a log axis, with the fitted line, and return where it ends."""
    span, lags = chart.high - chart.low, _visible(chart)
    for power in range(chart.low, chart.high + 1, max(1, -(-span // 4))):
        y = y0 + high * (chart.high - power) / span
        page.add(line("grid", ((x0, y), (x0 + wide, y))))
        page.word(_power(power), x0 - 8, y + 0.35 * SIZE, "end", "quiet")
    page.add(axis(x0, y0, x0, y0 + high), axis(x0, y0 + high, x0 + wide, y0 + high))
    step = wide / max(len(lags), 1)

    def place(lag: float, power: float) -> tuple[float, float]:
        return x0 + (lag - lags[0].lag + 0.5) * step, y0 + high * (chart.high - power) / span

    if chart.fit is not None:
        _fitted(page, chart, chart.fit, place)
    for lag in lags:
        if _scaled(chart, lag.norm):
            x, y = place(lag.lag, math.log10(lag.norm))
            dot = Circle("spot", x, y, min(4.5, max(1.8, 0.4 * step)))
            page.add(Group((dot,), title=f"lag {lag.lag}: {number(lag.norm, 3)}"))
    return _lag_numbers(page, chart, x0, y0 + high, step)


def _fitted(page: Page, chart: Triangle, fit: Fit, place: Callable[[float, float], Point]) -> None:
    first, last = _visible(chart)[0].lag, _visible(chart)[-1].lag
    ends = [(lag, fit.start + fit.slope * lag) for lag in (first, last)]
    cut = [
        (lag + (min(max(power, chart.low), chart.high) - power) / fit.slope if fit.slope else lag, power)
        for lag, power in ends
    ]
    points = [place(lag, min(max(power, chart.low), chart.high)) for lag, power in cut]
    if points[1][0] > points[0][0]:
        page.add(line("fit", points))


def _lag_numbers(page: Page, chart: Triangle, x0: float, y: float, step: float) -> float:
    lags = _visible(chart)
    for place in ticks(len(lags), len(lags) * step, first=0):
        page.word(str(lags[place].lag), x0 + (place + 0.5) * step, y + 1.25 * SIZE, "middle", "quiet")
    return y + 1.25 * SIZE


def _shares(page: Page, chart: Triangle, x0: float, y0: float, wide: float, high: float) -> float:
    lags = _visible(chart)
    values = [lag.share for lag in lags if math.isfinite(lag.share)] or [0.0]
    least, most = span(values)
    scale = _unit(least, most, high - 18)
    zero, step = y0 + 16 + scale * most, wide / max(len(lags), 1)
    size = fitting([number(value) for value in values], step - 4)
    for place, lag in enumerate(lags):
        if math.isfinite(lag.share):
            x = x0 + (place + 0.5) * step
            spot = between(x - 0.36 * step, x + 0.36 * step, zero, zero - scale * lag.share)
            page.add(bar(spot, lag.share, f"lag {lag.lag}: share {number(lag.share, 3)}"))
            if size:
                above = zero - scale * max(lag.share, 0.0) - 4
                page.word(number(lag.share), x, above, "middle", "quiet", size)
    page.add(axis(x0, zero, x0 + wide, zero))
    return _lag_numbers(page, chart, x0, zero - scale * least, step)


def _legend(chart: Triangle, fitted: bool) -> list[tuple[Item, float, str | Rich]]:
    square = Spot(9, 0, 18, 14)
    values = [value for row in chart.norms for value in row]
    numbers = [value for value in values if value is not None]
    shares = [*chart.by_loss, *chart.by_step, *(lag.share for lag in chart.lags)]
    found: list[tuple[Item, float, str | Rich]] = [(Rect("pos", square), 18, "share")]
    if any(share < 0 for share in shares):
        found.append((Rect("neg", square), 18, "negative share: it cancels others"))
    if chart.fit is not None and fitted:
        meaning = f"fit: × {number(10**chart.fit.slope)} a lag"
        if 0 < chart.fit.half_life < math.inf:
            meaning += f", half-life {number(chart.fit.half_life)} steps"
        found.append((line("fit", ((0, 0), (30, 0))), 30, meaning))
    if any(value == 0 for value in numbers):
        found.append((Rect("none", square), 18, "exactly 0"))
    if any(0 < value < math.inf and not _scaled(chart, value) for value in numbers):
        found.append((Rect("faint", square), 18, (Run("below "), *_power(chart.low))))
    if not all(math.isfinite(value) for value in numbers):
        found.append((Rect("nonum", square), 18, "NaN or ∞"))
    if any(value is None for value in values):
        found.append((Rect("", Spot(0, 0, 0, 0)), 0, "blank: no path leads there"))
    return found
