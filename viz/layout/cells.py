"""Layout of recurrent cells in columns: one storey a layer and direction, inputs below, outputs and losses above.

Every cell is laid out on its own (plan.py, gated.py), and stands on a storey of the figure's one building. A net read
from right to left is the mirror image of one read from left to right.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..scene import Scene
from ..words import width
from .block import BESIDE_RISER, NotACell, mirrored, route
from .building import BETWEEN, CHANNEL, MERGE, STOREY, Building, Room
from .routes import Point
from .sizes import NOTE, TEXT, chip_row
from .spot import Spot
from .stamp import Body, Local, Route, Stamp, Word, locals_of, pressed

__all__ = ["NotACell", "arrange"]

APART = 28.0
GAP_WORDS = 26.0
ASIDE = 3.0
"""How much farther in what leaves a backward cell rises: bridges of both directions, face to face, keep apart."""


def arrange(scene: Scene, room: Room | None = None) -> Body:
    """Return the columns of a cell-level `scene` with their coordinates; raises NotACell for other shapes."""
    columns = locals_of(scene)
    building = Building(scene, columns, room or Room())
    return pressed(columns, building.height, lambda local: _stamp(local, building))


def _stamp(local: Local, building: Building) -> Stamp:
    if local.column.kind == "step":
        return Step(building, local).stamp()
    return _end_column(local, building) if local.column.kind == "end" else _edge_column(local, building)


class Step:
    """Coordinates of one column that shows a step."""

    def __init__(self, building: Building, local: Local) -> None:
        self.building, self.local = building, local
        self.out = Stamp(building.width)
        self.blocks = {cell: building.block(local.column.index, cell) for cell in local.cells}
        self.storey = {key: cell for cell, block in self.blocks.items() for key in block.spots}
        self.bars = {block.bar: cell for cell, block in self.blocks.items()}
        self.merges, self.above = building.merges(local), building.above(local)

    def stamp(self) -> Stamp:
        """Return the finished stamp."""
        for cell, block in self.blocks.items():
            self.out.frames[cell] = block.frame
            self.out.spots |= block.spots
            self.out.chips |= block.chips
            self.out.routes |= block.routes
        for key in self.building.buses:
            if key in self.local.boxes:
                y, size = self.building.lanes[key].y, self.local.sizes[key]
                self.out.spots[key] = Spot(self.building.width - BESIDE_RISER, y, *size)
        self._given()
        self._merged()
        self._above()
        if set(self.out.spots) != set(self.local.boxes):
            raise NotACell
        for key, box in self.local.boxes.items():
            if box.tags and key not in self.out.chips:
                if box.role == "op":  # the sign stands beside the tags, which rows know how to do
                    raise NotACell
                self.out.chips[key] = chip_row(box, self.out.spots[key])
        for name in self.local.edges:
            if name not in self.out.routes:
                self.out.routes[name] = self._route(name[0], name[1])
        return self.out

    def _entry(self, source: str, bar: str) -> float:
        """Return where `source` enters an affine map: at the weight that multiplies it, if that is shown."""
        tags = self.local.boxes[bar].tags
        operands = {source, *(a for a, b, _ in self.local.edges if b == source)}
        for tag, spot in zip(tags, self.out.chips[bar], strict=True):
            if tag.operand in operands:
                return spot.x
        return self.out.spots[bar].x

    def _given(self) -> None:
        keys = self.building.given(self.local)
        if len(keys) > 1:
            raise NotACell
        for key in keys:
            bars = [target for source, target, _ in self.local.edges if source == key]
            if not bars or any(bar not in self.bars for bar in bars):
                raise NotACell
            self.out.spots[key] = Spot(self._entry(key, bars[0]), self.building.inputs, *self.local.sizes[key])

    def _merged(self) -> None:
        for key in self.merges:
            wide, high = self.local.sizes[key]
            middle, top = self.building.width / 2, self.building.top[key]
            bars = [b for a, b, _ in self.local.edges if a == key and b in self.bars]
            frames = {bar: self.out.frames[self.bars[bar]] for bar in bars}
            above = [bar for bar in bars if top - self.building.room.between < frames[bar].bottom + 1 < top]
            entries = [abs(self._entry(key, bar) - middle) for bar in above]
            wide = max([wide, 90.0, *(2 * entry + 24 for entry in entries)])
            self.out.spots[key] = Spot(middle, top + MERGE / 2, wide, high)

    def _above(self) -> None:
        """Stack outputs and losses over the state they read, at the right; in the middle over merged directions."""
        y = self.building.crown - 40
        wide = max((self.local.sizes[key][0] for key in self.above), default=0.0)
        middle = self.building.width / 2 if self.merges else self.building.width - BESIDE_RISER + 6 - wide / 2
        for key in self.above:
            box = self.local.boxes[key]
            self.out.spots[key] = spot = Spot(middle, y, *self.local.sizes[key])
            if box.note:
                self.out.words[key] = [Word((), spot.left - 8, y + NOTE * 0.35, NOTE, "end", "note")]
            y -= STOREY

    def _route(self, source: str, target: str) -> Route:
        """Return how an edge between cells, inputs and outputs runs."""
        if target in self.building.buses:
            return self._gather(source, self.out.spots[target])
        if source[0] in "<>" or target not in {*self.bars, *self.merges, *self.above}:
            raise NotACell
        start, end = self.out.spots[source], self.out.spots[target]
        if target in self.bars:
            return self._enter(source, target)
        if source not in self.storey:
            x = start.x if start.w <= end.w else end.x
            return self._bent([(x, start.top), (x, end.bottom)])
        backward = self.storey[source] in self.building.backward
        riser = BESIDE_RISER + ASIDE if backward else self.building.width - BESIDE_RISER
        side = start.left if backward else start.right
        pointed = self.local.boxes[target].role == "loss"
        if target in self.above and not pointed:
            return self._bent([(side, start.y), (riser, start.y), (riser, end.bottom)], backward)
        port = end.x if pointed else end.x + (-1 if backward else 1) * end.w / 4
        turn = end.bottom + (BETWEEN if target in self.above else self.building.room.between) / 2
        corners = [(side, start.y), (riser, start.y), (riser, turn), (port, turn), (port, end.bottom)]
        return self._bent(corners, backward)

    def _gather(self, source: str, end: Spot) -> Route:
        """Return the route of a bus to its next stop, or of a state or an output up to it."""
        if source in self.building.buses or source[1:] in self.building.buses:
            return route([(-BESIDE_RISER, end.y), (end.left, end.y)])
        start = self.out.spots[source]
        if start.right > end.x:
            return self._bent([(end.x, start.top), (end.x, end.bottom)])
        if (
            source not in {*self.storey, *self.merges}
            or self.storey.get(source) in self.building.backward
            or self.above
        ):
            raise NotACell
        return self._bent([(start.right, start.y), (end.x, start.y), (end.x, end.bottom)])

    def _enter(self, source: str, bar: str) -> Route:
        """Return the route from an input or a layer below into a cell: straight up, or round what lies between."""
        start, end = self.out.spots[source], self.out.spots[bar]
        x = self._entry(source, bar)
        frame = self.out.frames[self.bars[bar]]
        if source not in self.storey and start.left < x < start.right and not self._between(start, frame):
            return self._bent([(x, start.top), (x, end.bottom)])
        turn = frame.bottom + self.building.room.between / 2
        riser = self.building.width - BESIDE_RISER if source in self.storey else CHANNEL / 2
        side = start.right if source in self.storey else start.left
        return self._bent([(side, start.y), (riser, start.y), (riser, turn), (x, turn), (x, end.bottom)])

    def _between(self, start: Spot, frame: Spot) -> bool:
        return any(frame.bottom < other.y < start.top for other in self.out.frames.values())

    def _bent(self, corners: Sequence[Point], backward: bool = False) -> Route:
        """Return the route through `corners`, with a bridge over every lane that an upright stretch passes.

        Of a `backward` cell it is the mirror image of that of the other direction, its gradient on the other side.
        """
        over = []
        for (ax, ay), (bx, by) in itertools.pairwise(corners):
            if ax == bx:
                over += [y for y, left, right in self._levels() if left < ax < right and min(ay, by) < y < max(ay, by)]
        if backward:
            return mirrored(route([(-x, y) for x, y in corners], over=over), 0.0)
        return route(corners, over=over)

    def _levels(self) -> list[tuple[float, float, float]]:
        """Return the level stretches of lanes left and right of the cells: height, from, to."""
        found = []
        for cell, block in self.blocks.items():
            backward = cell in self.building.backward
            for state, y in block.lanes.items():
                pill = block.spots[state]
                enters = any(a[0] in "<>" and a[1:] == state for a, _, _ in self.local.edges)
                leaves = state in self.local.onward
                right, left = (leaves, pill.right), (enters, block.frame.left)
                if backward:
                    right, left = (enters, block.frame.right), (leaves, pill.left)
                found += [(y, right[1], self.out.width)] if right[0] else []
                found += [(y, 0.0, left[1])] if left[0] else []
        return found


def _end_column(local: Local, building: Building) -> Stamp:
    """Return the stamp of what follows the last step: a chain along the lane it takes up."""
    through = [name[1] for name in local.edges if name[0] == "<" + name[1] and name[1] not in building.buses]
    keys = [key for key in local.boxes if key not in through]
    chain = [name[:2] for name in local.edges if name[1] not in through]
    entered = [target for source, target in chain if source.startswith("<")]
    inner = [(source, target) for source, target in chain if not source.startswith("<")]
    if entered != keys[:1] or sorted(inner) != sorted(itertools.pairwise(keys)):
        raise NotACell
    lane = next(source[1:] for source, _ in chain if source.startswith("<"))
    if lane not in building.lanes:
        raise NotACell
    level, bus = building.lanes[lane].y, lane in building.buses
    y = level + 76.0 if bus else level
    stamp, x = Stamp(0.0), 28.0
    for key in keys:
        box = local.boxes[key]
        wide, high = local.sizes[key]
        wide = building.pill if box.role == "state" else wide
        stamp.spots[key] = Spot(x + wide / 2, y, wide, high)
        if box.tags:
            stamp.chips[key] = chip_row(box, stamp.spots[key])
        if box.note:
            stamp.words[key] = [Word((), x + wide / 2, y - high / 2 - 8, NOTE, "middle", "note")]
        x += wide + APART
    given = local.boxes[keys[-1]].role == "state"
    stamp.width = x - APART + building.room.beside + BESIDE_RISER if given else max(x - APART + 10, 100.0)
    for key in through:
        stamp.spots[key] = Spot(stamp.spots[keys[-1]].x, building.lanes[key].y, building.pill, local.sizes[key][1])
    for name in local.edges:
        end = stamp.spots[name[1]]
        if name[1] in through:
            reach, lane_y = -building.room.beside - BESIDE_RISER, building.lanes[name[1]]
            stamp.routes[name] = route([(reach, end.y), (end.left, end.y)], lane_y.side)
            continue
        start = stamp.spots[name[0]].right if name[0] in stamp.spots else -building.room.beside - BESIDE_RISER
        stamp.routes[name] = route([(start, y), (end.left, y)], side=-1)
        if bus and name[1] == keys[0]:
            stamp.routes[name] = route([(-BESIDE_RISER, level), (end.x, level), (end.x, end.top)])
    return stamp


def _edge_column(local: Local, building: Building) -> Stamp:
    """Return the stamp of the given states at either end, or of a gap that stands for hidden steps."""
    gap = local.column.kind == "gap"
    tail = building.pill / 2 + building.room.beside + BESIDE_RISER
    words = width(local.column.header, TEXT) + GAP_WORDS if gap else 4.0
    if any(key not in building.lanes for key in local.boxes):
        raise NotACell
    lanes = {key: building.lanes[key] for key in local.boxes}
    both = len({lane.backward for lane in lanes.values()}) > 1
    stamp = Stamp(words + building.pill + building.room.beside + BESIDE_RISER + 4 + (tail if both else 0.0))
    for key, lane in lanes.items():
        x = tail if lane.backward else stamp.width - tail
        stamp.spots[key] = Spot(x, lane.y, building.pill, local.sizes[key][1])
        if key in building.buses:
            stamp.spots[key] = Spot(stamp.width - BESIDE_RISER, lane.y, *local.sizes[key])
    if gap and local.boxes:
        forward = [
            spot.left for key, spot in stamp.spots.items() if not lanes[key].backward and key not in building.buses
        ]
        middle = stamp.width / 2 if both or not forward else min(forward) / 2
        levels = sorted({lane.y for key, lane in lanes.items() if key not in building.buses})
        y = (levels[0] + levels[1]) / 2 if len(levels) > 1 else levels[0] - 24
        stamp.words[next(iter(local.boxes))] = [Word((), middle, y, TEXT, "middle", "header")]
    for name in local.edges:
        end, lane = stamp.spots[name[1]], lanes[name[1]]
        reach = BESIDE_RISER + (0.0 if name[1] in building.buses else building.room.beside)
        ends: list[Point] = [(-reach, end.y), (end.left, end.y)]
        if lane.backward:
            ends = [(stamp.width + reach, end.y), (end.right, end.y)]
        stamp.routes[name] = route(ends, -lane.side if lane.backward else lane.side)
    return stamp
