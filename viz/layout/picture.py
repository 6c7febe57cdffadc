"""A scene with coordinates: columns in the middle, dock at the left, title above, legend below."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..scene import DECADES, DockItem, Linear, Scene, Tag
from ..words import Rich, Run, number, percent, rich, width, wrap
from .sizes import ACTIVATION, CHIP_HEIGHT, NOTE, TEXT, chip_width
from .spot import Spot
from .stamp import Body, Word

NARROWEST = 960.0
EDGE = 26.0
DOCKED = CHIP_HEIGHT + 10
"""Height of a parameter in the dock."""
GAINS = ("≤ ¼", "¼ – 0.8", "0.8 – 1.25", "1.25 – 4", "> 4")
SIGNS = {0: "adds to the gradient", 4: "cancels part of it"}

GLYPHS = {
    "input": "input",
    "parameter": "weight",
    "state": "state",
    "gate": "gate",
    "pointwise": "elementwise",
    "op": "operation",
    "attention": "attention, and its weights",
    "affine": "affine",
    "delay": "one step later",
    "closed": "steps closed",
    "loss": "loss",
}
STATES = {
    "zero": "exactly 0",
    "below": f"below 1e-{DECADES:.0f} of the largest",
    "structural": "stops here: a factor is 0",
    "nonfinite": "NaN or ∞",
    "cut": "cut",
    "wrong": "wrong gradient",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A drawn example in the legend; `value` is the width of a ruler line, or a bin of gain."""

    kind: str
    spot: Spot
    value: float = 0.0


@dataclass(slots=True)
class Picture:
    """Everything with coordinates. The body's own are relative to `origin`."""

    scene: Scene
    body: Body
    origin: tuple[float, float]
    width: float
    height: float
    size: float
    words: list[Word] = field(default_factory=list)
    dock: list[tuple[DockItem, Spot]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


def compose(scene: Scene, body: Body, narrowest: float = NARROWEST) -> Picture:
    """Put title, dock and legend round the columns."""
    dock = _dock_width(scene)
    full = max(narrowest, body.width + dock + 2 * EDGE)
    size = max(14.0, 14.0 * full / 1250)
    body.height = max(body.height, DOCKED * len(scene.dock) + 4 * NOTE)
    picture = Picture(scene, body, (0.0, 0.0), full, 0.0, size)
    y = _title(picture)
    left = (full - body.width - dock) / 2
    tall = max(body.height, (CHIP_HEIGHT + 10) * len(scene.dock) + 30)
    picture.origin = (left + dock, y + (tall - body.height) / 2)
    _place_dock(picture, left)
    _headers(picture)
    picture.height = _legend(picture, y + tall) + 0.6 * EDGE
    return picture


def _title(picture: Picture) -> float:
    size, y, room = picture.size, 0.0, picture.width - 2 * EDGE
    y += 0.6 * EDGE
    for text, scale, style in ((picture.scene.title, 1.35, "title"), (picture.scene.subtitle, 1, "quiet")):
        for line in wrap(text, size * scale * (1.15 if style == "title" else 1), room) if text else ():
            y += size * scale * 1.3
            picture.words.append(Word(line, EDGE, y, size * scale, "start", style))
    return y + 0.8 * size


def _dock_width(scene: Scene) -> float:
    if not scene.dock:
        return 0.0
    return max(_chip(item) + 8 + width(item.shape, ACTIVATION) for item in scene.dock) + 30


def _chip(item: DockItem) -> float:
    return chip_width(Tag(item.id, item.id, item.label, item.title))


def _place_dock(picture: Picture, left: float) -> None:
    items = picture.scene.dock
    if not items:
        return
    top = picture.origin[1]
    y = top + (picture.body.height - DOCKED * len(items)) / 2
    picture.words.append(Word((Run("weights"),), left, y - 8, NOTE, "start", "quiet"))
    column = max(_chip(item) for item in items)
    for item in items:
        y += DOCKED
        wide = _chip(item)
        picture.dock.append((item, Spot(left + wide / 2, y - DOCKED / 2 + 4, wide, CHIP_HEIGHT)))
        place = left + column + 8
        picture.words.append(Word((Run(item.shape),), place, y - DOCKED / 2 + 9, ACTIVATION, "start", "quiet"))


def _headers(picture: Picture) -> None:
    x0, y0 = picture.origin
    body = picture.body
    for column, spot in body.bands:
        if column.kind != "gap" and column.header:
            word = Word(column.header, x0 + spot.x, y0 + body.height - 10, TEXT, "middle", "quiet")
            picture.words.append(word)


@dataclass(frozen=True, slots=True)
class _Item:
    kind: str
    label: Rich
    wide: float
    value: float = 0.0


def _legend(picture: Picture, y: float) -> float:
    size, room = picture.size, picture.width - 2 * EDGE
    y += 1.2 * size
    for row in _rows(picture.scene, size):
        x = EDGE
        for item in row:
            wide = item.wide + 0.45 * size + width(item.label, size)
            if x > EDGE and x + wide > EDGE + room:
                x, y = EDGE, y + 1.9 * size
            if item.wide:
                spot = Spot(x + item.wide / 2, y, item.wide, 1.1 * size)
                picture.samples.append(Sample(item.kind, spot, item.value))
            start = x + (item.wide + 0.45 * size if item.wide else 0)
            style = "quiet" if item.wide else ""
            picture.words.append(Word(item.label, start, y + 0.35 * size, size, "start", style))
            x += wide + 1.3 * size
        y += 1.9 * size
    scene = picture.scene
    for text in (scene.sentence, scene.proof, scene.hidden, scene.note):
        for line in wrap(text, size, room) if text else ():
            y += 1.5 * size
            picture.words.append(Word(line, EDGE, y - 0.9 * size, size, "start", ""))
    return y


def _rows(scene: Scene, size: float) -> list[list[_Item]]:
    """Return the legend's rows: the gradient's scale, its colours, its special states, the glyphs."""
    rows = []
    if scene.reference and any(edge.mark for edge in scene.edges):
        share, scale = scene.shows == "share", scene.scale
        said = percent if share else number
        ruler = [_Item("ruler", (Run(said(value)),), 2.6 * size, scale.width(value)) for value in scale.ruler()]
        colours = SIGNS if share else dict(enumerate(GAINS))
        swatches = [_Item("gain", (Run(text),), 1.8 * size, float(bin)) for bin, text in colours.items()]
        rows += [
            [_Item("", scene.norm, 0), *ruler],
            [_Item("", rich("sign of the share:" if share else "gain of one edge:"), 0), *swatches],
        ]
    rows.append(_specials(scene, size) + _glyphs(scene, size))
    return [row for row in rows if row]


def _specials(scene: Scene, size: float) -> list[_Item]:
    found = {edge.mark.state for edge in scene.edges if edge.mark}
    measured = [edge.mark for edge in scene.edges if edge.mark and edge.mark.state == "measured"]
    kinds = {state for state in found if state != "measured"}
    scale = scene.scale
    below = any(scale.below(mark.size) for mark in measured)
    words = STATES | ({"below": f"below {percent(scale.least)}"} if isinstance(scale, Linear) else {})
    return [
        _Item(kind, (Run(text),), 2.2 * size)
        for kind, text in words.items()
        if kind in kinds or (kind == "below" and below)
    ]


def _glyphs(scene: Scene, size: float) -> list[_Item]:
    roles = {"affine" if box.role == "output" else box.role for box in scene.boxes}
    glyphs = GLYPHS | ({"parameter": "parameter"} if "parameter" in roles else {})
    roles_shown = {*roles, "parameter"} if scene.dock else set(roles)
    items = [_Item("forward", (Run("forward"),), 2.2 * size)]
    if scene.shows == "magnitude" and any(edge.mark and edge.mark.state == "measured" for edge in scene.edges):
        items.append(_Item("gain", (Run("gradient"),), 2.2 * size, 2.0))
    wide = {"state": 1.7, "parameter": 1.7, "loss": 1.6, "affine": 1.6, "op": 1.6, "delay": 1.7, "closed": 1.6}
    items += [
        _Item(role, (Run(text),), wide.get(role, 1.2) * size) for role, text in glyphs.items() if role in roles_shown
    ]
    return items
