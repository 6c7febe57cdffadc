"""Layout of the ledger: a table whose columns are bars of norms and a waterfall of shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..ink import Group, Item, Rect, Sheet
from ..layout.picture import EDGE
from ..layout.spot import Spot
from ..words import Rich, Run, number, width
from .ledger import Entry, Ledger, counted
from .page import SIZE, Page, axis, bar, between

ROW = 29.0
NORMS = 190.0
WATERFALL = 330.0
GAP = 26.0
NARROWEST = 1080.0


def lay(chart: Ledger, wide: float) -> Sheet:
    """Return the chart as ink."""
    page = Page(chart, max(wide, NARROWEST))
    counts = [counted(entry.count) if entry.count else "" for entry in chart.entries]
    fall = page.wide - EDGE - WATERFALL - 66
    norms = fall - GAP - NORMS - 50
    end = norms - GAP
    room = end - max([width(text, SIZE) for text in (*counts, "paths")]) - GAP - EDGE
    page.y += SIZE
    for text, x, anchor in (
        (chart.heading, EDGE, "start"),
        ("paths" if any(counts) else "", end, "end"),
        ("norm", norms, "start"),
        ("share: each line starts where the one above ends", page.wide - EDGE, "end"),
    ):
        if text:
            page.word(text, x, page.y, anchor, "quiet")
    page.y += 0.7 * SIZE
    top = page.y
    for place, (entry, count) in enumerate(zip(chart.entries, counts, strict=True)):
        y = top + (place + 0.5) * ROW
        page.word(shortened(entry.label, room), EDGE, y + 0.35 * SIZE, style="quiet" if entry.rest else "")
        if count:
            page.word(count, end, y + 0.35 * SIZE, "end", "quiet")
        _norm(page, entry, chart.longest, norms, y)
    total = top + (len(chart.entries) + 0.5) * ROW + 6
    _waterfall(page, chart, fall, top, total)
    page.add(axis(EDGE, total - ROW / 2 - 3, page.wide - EDGE, total - ROW / 2 - 3))
    page.word((Run("∂L/∂"), *chart.label), EDGE, total + 0.35 * SIZE, style="bold")
    page.word(number(chart.total), norms + 6, total + 0.35 * SIZE, style="bold")
    page.y = total + ROW / 2
    page.legend(_legend(chart.entries))
    return page.close(chart.note)


def _norm(page: Page, entry: Entry, longest: float, x: float, y: float) -> None:
    wide = NORMS * entry.norm / longest if longest and math.isfinite(entry.norm) else 0.0
    title = f"norm {number(entry.norm, 3)}"
    page.add(bar(between(x, x + wide, y - 0.32 * ROW, y + 0.32 * ROW), 1.0, title, "plain"))
    page.word(number(entry.norm), x + wide + 6, y + 0.35 * SIZE, style="quiet")


def _waterfall(page: Page, chart: Ledger, x0: float, top: float, total: float) -> None:
    """Draw every share from where the one above it ends; the last bar is the whole."""
    shares = [entry.share for entry in chart.entries]
    if not all(map(math.isfinite, shares)):
        return
    ends = [math.fsum(shares[:place]) for place in range(len(shares) + 1)]
    low, high = chart.span
    scale = WATERFALL / (high - low)
    zero = x0 - low * scale
    for place, share in enumerate(shares):
        y = top + (place + 0.5) * ROW
        start, stop = zero + ends[place] * scale, zero + ends[place + 1] * scale
        page.add(bar(between(start, stop, y - 0.32 * ROW, y + 0.32 * ROW), share, f"share {number(share, 3)}"))
        below = total if place == len(shares) - 1 else y + ROW
        page.add(axis(stop, y + 0.32 * ROW, stop, below - 0.32 * ROW))
        x = max(start, stop) + 6
        crosses = x < zero + 4 < x + width(number(share), SIZE) + 8
        page.word(number(share), zero + 6 if crosses else x, y + 0.35 * SIZE, style="quiet")
    whole = between(zero, zero + ends[-1] * scale, total - 0.32 * ROW, total + 0.32 * ROW)
    page.add(bar(whole, ends[-1], f"sum of shares {number(ends[-1], 3)}"))
    page.word(number(ends[-1]), max(zero, zero + ends[-1] * scale) + 6, total + 0.35 * SIZE, style="bold")
    page.add(axis(zero, top, zero, total + ROW / 2))


def shortened(label: Rich, room: float) -> Rich:
    """Return `label`, its middle left out where it is wider than `room`: both ends of a path say where it goes."""
    if width(label, SIZE) <= room:
        return label
    arrows = [place for place, run in enumerate(label) if run.text == " ← "]
    for cut in range(1, len(arrows)):
        middle = len(arrows) // 2
        first, last = arrows[max(0, middle - (cut + 1) // 2)], arrows[min(len(arrows) - 1, middle + cut // 2)]
        shorter = (*label[:first], Run(" ← … ← "), *label[last + 1 :])
        if width(shorter, SIZE) <= room:
            return shorter
    return (Run("…"), *label[arrows[-1] :]) if arrows else label


def _legend(entries: Sequence[Entry]) -> list[tuple[Item, float, str | Rich]]:
    square = Spot(9, 0, 18, 12)
    found: list[tuple[Item, float, str | Rich]] = [
        (Group((Rect("plain", square),)), 18, "norm (Frobenius)"),
        (Rect("pos", square), 18, "share"),
    ]
    if any(entry.share < 0 for entry in entries):
        found.append((Rect("neg", square), 18, "negative share: it cancels others"))
    if not all(math.isfinite(entry.share) for entry in entries):
        found.append((Rect("", Spot(0, 0, 0, 0)), 0, "no shares: the gradient is 0 or not a number"))
    return found
