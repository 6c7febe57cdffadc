"""One distinct step shape is laid out once, then stamped: the parts both layouts share.

A stamp holds coordinates relative to the left end of its column; heights are those of the whole
body. Columns with the same signature share one stamp, which is why equal steps look equal and why
a long sequence costs no more than its distinct steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..scene import Box, Cell, Column, Edge, Scene, Tag
from ..words import Rich
from .routes import Arrow, Path, Point
from .sizes import box_size
from .spot import Spot

EdgeKey = tuple[str, str, int]
"""Key of the source (`<` or `>` before it: in the column before or after), of the target, and which of several."""


@dataclass(frozen=True, slots=True)
class Word:
    """A line of text; (x, y) is the anchor on its baseline; `part` is the id of the words beside a box."""

    text: Rich
    x: float
    y: float
    size: float
    anchor: str = "middle"
    style: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an edge runs forward, where its gradient runs back, and where that passes over a lane."""

    forward: Arrow
    back: Arrow
    over: tuple[Point, ...] = ()

    def moved(self, dx: float, dy: float) -> Route:
        """Return the route shifted by (dx, dy)."""

        over = tuple((x + dx, y + dy) for x, y in self.over)
        return Route(self.forward.moved(dx, dy), self.back.moved(dx, dy), over)


@dataclass(frozen=True, slots=True)
class Placed:
    """A route of a stamp, `dx` further right: where its column has it. Columns that are alike share the route."""

    route: Route
    dx: float = 0.0

    @property
    def forward(self) -> Arrow:
        """Where the edge runs forward."""
        return self.route.forward.moved(self.dx, 0.0)

    @property
    def back(self) -> Arrow:
        """Where its gradient runs back."""
        return self.route.back.moved(self.dx, 0.0)

    @property
    def over(self) -> tuple[Point, ...]:
        """Where that passes over a lane."""
        return tuple((x + self.dx, y) for x, y in self.route.over)

    def moved(self, dx: float, dy: float) -> Placed:
        """Return the route shifted by (dx, dy)."""
        return Placed(self.route.moved(0.0, dy) if dy else self.route, self.dx + dx)

    def turned(self, edge: float) -> Placed:
        """Return the route turned by a quarter: up becomes right, counted from `edge`."""

        def turn(point: Point) -> Point:
            return edge - point[1], point[0]

        def turn_all(found: Arrow) -> Arrow:
            tip, left, right = map(turn, found.head)
            steps = tuple(tuple(map(turn, step)) for step in found.path.steps)
            return Arrow(Path(turn(found.path.start), steps), (tip, left, right))

        return Placed(Route(turn_all(self.forward), turn_all(self.back), tuple(map(turn, self.over))))


@dataclass(slots=True)
class Stamp:
    """Coordinates of one distinct column."""

    width: float
    spots: dict[str, Spot] = field(default_factory=dict)
    frames: dict[str, Spot] = field(default_factory=dict)
    routes: dict[EdgeKey, Route] = field(default_factory=dict)
    chips: dict[str, list[Spot]] = field(default_factory=dict)
    words: dict[str, list[Word]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Local:
    """One column as its layout sees it: boxes and edges by key, nothing about when."""

    column: Column
    boxes: dict[str, Box]
    edges: dict[EdgeKey, Edge]
    cells: dict[str, Cell]
    sizes: dict[str, tuple[float, float]]
    """Width and height of every key, the largest in any column, so that columns stay congruent."""
    onward: frozenset[str] = frozenset()
    """Keys of the states that a column beside this one takes up."""

    def signature(self) -> object:
        """Return what two columns must share to share a stamp."""
        boxes = tuple(
            (key, box.role, box.kind, box.cell, box.lane, len(box.tags), bool(box.note))
            for key, box in self.boxes.items()
        )
        return self.column.kind, boxes, tuple(self.edges), tuple(self.cells), self.onward


@dataclass(slots=True)
class Body:
    """The columns with their coordinates, before title, dock and legend are put round them."""

    width: float = 0.0
    height: float = 0.0
    bands: list[tuple[Column, Spot]] = field(default_factory=list)
    frames: list[tuple[Cell, Spot]] = field(default_factory=list)
    boxes: list[tuple[Box, Spot]] = field(default_factory=list)
    chips: list[tuple[Tag, Spot]] = field(default_factory=list)
    wires: list[tuple[Edge, Placed]] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)


def locals_of(scene: Scene) -> list[Local]:
    """Return the columns of `scene`, each with its own boxes and the edges that end in it."""
    keys = {box.id: (box.key, box.column) for box in scene.boxes}
    boxes: dict[int, dict[str, Box]] = defaultdict(dict)
    edges: dict[int, dict[EdgeKey, Edge]] = defaultdict(dict)
    cells: dict[int, dict[str, Cell]] = defaultdict(dict)
    onward: dict[int, set[str]] = defaultdict(set)
    sizes: dict[str, tuple[float, float]] = {}
    for box in scene.boxes:
        boxes[box.column][box.key] = box
        (wide, high), known = box_size(box), sizes.get(box.key, (0.0, 0.0))
        sizes[box.key] = (max(wide, known[0]), max(high, known[1]))
    for cell in scene.cells:
        cells[cell.column][cell.key] = cell
    for edge in scene.edges:
        source, before = keys[edge.source]
        target, column = keys[edge.target]
        name = ("<" if before < column else ">" if before > column else "") + source
        if before != column:
            onward[before].add(source)
        count = sum(known[:2] == (name, target) for known in edges[column])
        edges[column][(name, target, count)] = edge
    return [
        Local(column, boxes[at], edges[at], cells[at], sizes, frozenset(onward[at]))
        for at, column in enumerate(scene.columns)
    ]


def pressed(columns: Sequence[Local], height: float, made: Callable[[Local], Stamp]) -> Body:
    """Return `columns` side by side; of those that look alike only the first is `made`, and its stamp used again."""
    body, stamps = Body(height=height), {}
    for local in columns:
        signature = local.signature()
        if signature not in stamps:
            stamps[signature] = made(local)
        stamp = stamps[signature]
        body.bands.append((local.column, Spot(body.width + stamp.width / 2, 0, stamp.width, 0)))
        _press(body, local, stamp)
    return body


def _press(body: Body, local: Local, stamp: Stamp) -> None:
    """Append the column `local`, drawn by `stamp`, at the right end of `body`."""
    left = body.width
    for key, cell in local.cells.items():
        if key in stamp.frames:
            body.frames.append((cell, stamp.frames[key].moved(left, 0)))
    for key, box in local.boxes.items():
        body.boxes.append((box, stamp.spots[key].moved(left, 0)))
        for tag, spot in zip(box.tags, stamp.chips.get(key, ()), strict=True):
            body.chips.append((tag, spot.moved(left, 0)))
        for word in stamp.words.get(key, ()):
            shown = {"note": box.note, "header": local.column.header, "label": box.label}
            text = shown.get(word.style, word.text)
            body.words.append(Word(text, word.x + left, word.y, word.size, word.anchor, word.style, f"{box.id} words"))
    for name, edge in local.edges.items():
        body.wires.append((edge, Placed(stamp.routes[name], left)))
    body.width = left + stamp.width
