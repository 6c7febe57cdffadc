"""Layout of the river: losses above, the weight below, a straight lane for each state, every width on one scale."""

from __future__ import annotations

import math

from ..ink import Group, Item, Rect, Shape, Sheet, area
from ..layout.picture import EDGE
from ..layout.routes import Path, Point
from ..layout.spot import Spot
from ..words import Rich, Run, number, plain, width
from .page import SIZE, Page, between, fitting, ticks
from .river import Band, Lane, River, Stage

LEFT = EDGE + 74.0
STREAM = 76.0
"""Length of the streams between the cells and the losses above or the weight below."""
BANK = 26.0


class Frame:
    """Where stages and lanes stand, and how wide a share of 1 is."""

    def __init__(self, chart: River, top: float, wide: float) -> None:
        self.pitch = wide / len(chart.stages)
        self.room = min(116.0, 380.0 / max(len(chart.lanes), 1))
        lane, side = chart.widest
        rooms = [self.room - 30 if self.pitch > 60 else self.room - 8, (0.5 if self.pitch > 60 else 0.8) * self.pitch]
        limits = [room / share for room, share in zip(rooms, (lane, side), strict=True) if share > 0]
        self.unit = chart.unit or min([*limits, 400.0])
        self.cell = max(0.3 * self.pitch, self.unit * side + 0.04 * self.pitch)
        self.loss = top
        self.top = top + BANK + STREAM
        self.bottom = self.top + self.room * max(len(chart.lanes), 1) + 10
        self.weight = self.bottom + STREAM
        self.rows = {lane.key: self.top + 5 + self.room * (row + 0.5) for row, lane in enumerate(chart.lanes)}

    def x(self, stage: int) -> float:
        """The middle of a stage."""
        return LEFT + (stage + 0.5) * self.pitch


def lay(chart: River, wide: float) -> Sheet:
    """Return the chart as ink."""
    page = Page(chart, wide)
    frame = Frame(chart, page.y + 0.4 * SIZE, page.wide - EDGE - LEFT)
    kinds = {lane.key: lane for lane in chart.lanes}
    _banks(page, chart, frame)
    for band in chart.bands:
        page.add(_band(frame, band, kinds[band.lane]))
    for place, stage in enumerate(chart.stages):
        _stage(page, chart, frame, place, stage)
    _numbers(page, chart, frame)
    page.y = frame.weight + BANK + 1.8 * SIZE
    page.legend(_legend(chart, frame))
    notes: list[Rich] = []
    if chart.block > 1:
        notes.append((Run(f"Each stage holds {chart.block} steps; what flows inside of it is not drawn."),))
    if chart.direct:
        notes.append((Run(f"Not drawn: the share {number(chart.direct)} that passes no step."),))
    return page.close(*notes)


def _banks(page: Page, chart: River, frame: Frame) -> None:
    wide = page.wide - EDGE - LEFT
    for y, style, label in ((frame.loss, "loss", (Run("L"),)), (frame.weight, "w", chart.label)):
        spot = Spot(LEFT + wide / 2, y + BANK / 2, wide, BANK)
        page.add(Group((Rect("s", spot, 6),), style))
        page.word(label, LEFT - 10, y + BANK / 2 + 0.35 * SIZE, "end")
    for lane in chart.lanes:
        page.word(lane.label, LEFT - 10, frame.rows[lane.key] + 0.35 * SIZE, "end")


def _stage(page: Page, chart: River, frame: Frame, place: int, stage: Stage) -> None:
    x = frame.x(place)
    name = f"t = {stage.first + 1}" if stage.first == stage.last else f"t = {stage.first + 1} to {stage.last + 1}"
    top, bottom = frame.loss + BANK, frame.weight
    streams = (("loss", stage.loss, top, frame.top, "comes in at"), ("w", stage.use, frame.bottom, bottom, "leaves at"))
    for style, share, above, below, said in streams:
        page.add(_stream(style, share, x, above, below, frame.unit, f"{number(share, 3)} {said} {name}"))
    spot = between(x - frame.cell / 2, x + frame.cell / 2, frame.top, frame.bottom)
    through = math.fsum([stage.loss, *(band.share for band in chart.bands if band.source == place)])
    page.add(Group((Rect("cell", spot, min(12.0, frame.cell / 3)),), title=f"{name}: {number(through, 3)} passes"))
    page.add(*(_inside(chart, frame, place, lane) for lane in chart.lanes))


def _inside(chart: River, frame: Frame, place: int, lane: Lane) -> Item:
    """Return the way of a lane through a cell, from as wide as it comes in to as wide as it goes out."""
    near = [band for band in chart.bands if band.lane == lane.key and place in (band.source, band.target)]
    ends = []
    for side in (-1, 1):
        shares = [band.share for band in near if place + side in (band.source, band.target)]
        wide = frame.unit * abs(math.fsum(shares)) if all(map(math.isfinite, shares)) else 0.0
        ends.append((frame.x(place) + side * (frame.cell / 2 - 0.7), wide / 2))
    y, ((x0, left), (x1, right)) = frame.rows[lane.key], ends
    corners = ((x0, y - left), (x1, y - right), (x1, y + right), (x0, y + left))
    return Group((area("tint", corners),), lane.kind)


def _stream(style: str, share: float, x: float, top: float, bottom: float, unit: float, title: str) -> Item:
    wide = abs(share) * unit if math.isfinite(share) else 0.0
    return _sized(style, share, between(x - wide / 2, x + wide / 2, top, bottom), wide, title)


def _sized(style: str, share: float, spot: Spot, wide: float, title: str) -> Item:
    """Return a band as wide as its share; what has no width is drawn as a hairline that says so."""
    if not math.isfinite(share):
        return Group((Rect("nonum", spot),), title=title)
    if wide < 0.2:
        hair = Spot(spot.x, spot.y, max(spot.w, 0.2), max(spot.h, 0.2))
        return Group((Rect("hair", hair),), title=title)
    return Group((Rect("neg" if share < 0 else "flow", spot),), style, title)


def _band(frame: Frame, band: Band, lane: Lane) -> Item:
    """Return a strip on the lane between neighbours, or a bow above the cells over those between."""
    share, y = band.share, frame.rows[band.lane]
    wide = abs(share) * frame.unit if math.isfinite(share) else 0.0
    left, right = sorted((band.source, band.target))
    x0, x1 = frame.x(left) + frame.cell / 2, frame.x(right) - frame.cell / 2
    title = f"{plain(lane.label)}, from stage {band.source + 1} to {band.target + 1}: {number(share, 3)}"
    if right - left == 1:
        return _sized(lane.kind, share, between(x0, x1, y - wide / 2, y + wide / 2), wide, title)
    style = "neg-line" if share < 0 else "flow-line"
    bow = Path((x0, y), (_bow((x0, y), (x1, y), frame.top - 20),))
    return Group((Shape(style, bow, width=max(wide, 0.2)),), lane.kind, title)


def _bow(start: Point, end: Point, height: float) -> tuple[Point, Point, Point]:
    return (start[0], height), (end[0], height), end


def _numbers(page: Page, chart: River, frame: Frame) -> None:
    """Print the share of every band and stream, where there is room for all of them."""
    bands = [band for band in chart.bands if abs(band.source - band.target) == 1]
    gap = frame.pitch - frame.cell
    size = fitting([number(band.share) for band in bands], gap - 4)
    by_gap: dict[tuple[int, str], int] = {}
    for band in bands if size else ():
        left = min(band.source, band.target)
        by_gap[left, band.lane] = by_gap.get((left, band.lane), 0) + 1
        x = frame.x(left) + frame.pitch / 2
        above = abs(band.share) * frame.unit / 2 if math.isfinite(band.share) else 0.0
        page.word(number(band.share), x, frame.rows[band.lane] - above - 5, "middle", "quiet", size)
    texts = [number(share) for stage in chart.stages for share in (stage.loss, stage.use)]
    size = fitting(texts, frame.pitch - 4)
    for place, stage in enumerate(chart.stages) if size else ():
        for share, y in ((stage.loss, frame.loss), (stage.use, frame.weight)):
            page.word(number(share), frame.x(place), y + BANK / 2 + 0.35 * size, "middle", "", size)
    for place in ticks(len(chart.stages), page.wide - EDGE - LEFT, 52.0):
        first = chart.stages[place].first + 1
        text = f"t = {first}" if frame.cell >= width("t = 100", SIZE) else str(first)
        page.word(text, frame.x(place), frame.weight + BANK + 1.3 * SIZE, "middle", "quiet")
    if frame.cell < width("t = 100", SIZE):
        page.word("t", LEFT - 10, frame.weight + BANK + 1.3 * SIZE, "end", "quiet")


def _legend(chart: River, frame: Frame) -> list[tuple[Item, float, str | Rich]]:
    square = Spot(9, 0, 18, 12)
    found: list[tuple[Item, float, str | Rich]] = []
    largest = max(chart.widest)
    if largest > 0:
        values = [value for value in _round(largest) if value * frame.unit <= 2.2 * SIZE][:3]
        found += [(Rect("plain", Spot(17, 0, 34, v * frame.unit)), 34, f"share {number(v)}") for v in values]
    found += [(Group((Rect("flow", square),), lane.kind), 18, (Run("on lane "), *lane.label)) for lane in chart.lanes]
    found.append((Group((Rect("flow", square),), "loss"), 18, "from a loss"))
    found.append((Group((Rect("flow", square),), "w"), 18, "to a use of the weight"))
    shares = [*(band.share for band in chart.bands), *(s for stage in chart.stages for s in (stage.loss, stage.use))]
    if any(share < 0 for share in shares):
        found.append((Rect("neg", square), 18, "negative: it cancels others"))
    if any(abs(share) * frame.unit < 0.2 for share in shares):
        found.append((Rect("hair", Spot(9, 0, 18, 0.6)), 18, "too small for the scale, or 0"))
    return found


def _round(largest: float) -> list[float]:
    """Return round shares from `largest` down, for the ruler."""
    power = math.floor(math.log10(largest))
    values = [base * 10.0**place for place in (power, power - 1) for base in (5, 2, 1)]
    return [value for value in values if value <= largest]
