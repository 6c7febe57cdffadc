"""One cell laid out on its own: the piece that storeys of a column are built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .routes import Arrow, Path, Point, arrow, beside, hopped, passed, shortened
from .sizes import BESIDE
from .spot import Spot
from .stamp import EdgeKey, Local, Route

MARGIN = 5.0
INSIDE = 8.0
RISER = 25.0
BESIDE_RISER = 6.5


class NotACell(Exception):
    """The step has a shape this layout does not know; the layered layout takes it."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What the cells of one figure share: the width of frames and states, and how far a lane comes from the left."""

    frame: float
    pill: float
    lead: float
    levels: int


@dataclass(slots=True)
class Block:
    """Coordinates of one cell and its states, relative to the upper left corner of its frame.

    `bar` is the affine map that takes the input, `lanes` the heights of the states that run through.
    """

    frame: Spot
    bar: str
    spots: dict[str, Spot] = field(default_factory=dict)
    chips: dict[str, list[Spot]] = field(default_factory=dict)
    routes: dict[EdgeKey, Route] = field(default_factory=dict)
    lanes: dict[str, float] = field(default_factory=dict)
    under: frozenset[str] = frozenset()
    """The states whose gradient returns below their lane, not above it."""

    def mirrored(self, width: float) -> Block:
        """Return the cell as one that reads from right to left in a column of `width`, drawn from x = 0."""

        def turn(spot: Spot) -> Spot:
            return replace(spot, x=width - spot.x)

        return Block(
            turn(self.frame),
            self.bar,
            {key: turn(spot) for key, spot in self.spots.items()},
            {key: [turn(spot) for spot in row] for key, row in self.chips.items()},
            {name: mirrored(found, width) for name, found in self.routes.items()},
            self.lanes,
            self.under,
        )

    def moved(self, dx: float, dy: float) -> Block:
        """Return the cell shifted by (dx, dy)."""
        return Block(
            self.frame.moved(dx, dy),
            self.bar,
            {key: spot.moved(dx, dy) for key, spot in self.spots.items()},
            {key: [spot.moved(dx, dy) for spot in row] for key, row in self.chips.items()},
            {name: found.moved(dx, dy) for name, found in self.routes.items()},
            {key: y + dy for key, y in self.lanes.items()},
            self.under,
        )


def mirrored(found: Route, width: float) -> Route:
    """Return `found` as its mirror image in a column of `width`."""

    def turn(point: Point) -> Point:
        return (width - point[0], point[1])

    def arrow_of(old: Arrow) -> Arrow:
        steps = tuple(tuple(map(turn, step)) for step in old.path.steps)
        tip, left, right = map(turn, old.head)
        return Arrow(Path(turn(old.path.start), steps), (tip, left, right))

    return Route(arrow_of(found.forward), arrow_of(found.back), tuple(map(turn, found.over)))


def route(corners: Sequence[Point], side: int = 1, over: Sequence[float] = ()) -> Route:
    """Return the forward edge through `corners` and its gradient beside it, bridges at the heights in `over`."""
    forward = arrow(corners, 7.0)
    if over:
        cut = [*corners[:-1], forward.path.end]
        forward = Arrow(hopped(cut, over), forward.head)
    back = arrow(shortened(beside(corners, side * BESIDE)[::-1], 2.0, 2.5))
    return Route(forward, back, passed(back.path, over))


class Inside:
    """The boxes of one cell in one column, and how they hang together.

    `<` before a key marks the state of the step before, wherever that step stands.
    """

    def __init__(self, local: Local, cell: str) -> None:
        self.boxes, self.sizes = local.boxes, local.sizes
        self.keys = [key for key, box in local.boxes.items() if box.cell == cell]
        within = set(self.keys)
        self.states = [b for a, b, _ in local.edges if a in within and local.boxes[b].role == "state"]
        self.inputs: dict[str, list[str]] = {key: [] for key in (*self.keys, *self.states)}
        self.users: dict[str, list[str]] = {key: [] for key in (*self.keys, *self.states)}
        self.edges: dict[EdgeKey, tuple[str, str]] = {}
        self.from_right = False
        affine = [key for key in self.keys if local.boxes[key].role == "affine"]
        if not affine:
            raise NotACell
        self.bar = affine[0]
        for name in local.edges:
            self._add(name, within, local)

    def _add(self, name: EdgeKey, within: set[str], local: Local) -> None:
        source, target, _ = name
        if source[0] in "<>":
            if target not in within:
                return
            self.from_right |= source[0] == ">"
            source = "<" + source[1:]
            if source[1:] not in self.states:
                raise NotACell
        elif source not in within:
            if target in within and target != self.bar:
                raise NotACell
            return
        elif target not in within and target not in self.states:
            raise NotACell
        self.edges[name] = (source, target)
        self.inputs[target].append(source)
        self.users.setdefault(source, []).append(target)
