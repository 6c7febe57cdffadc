"""Layout of recurrent cells in columns: one storey a layer and direction, inputs below, outputs and losses above.

Every cell is laid out on its own (plan.py, gated.py). A net read from right to left is the mirror image of one read
from left to right. All columns are equally wide and storeys equally high, so lanes are straight and steps congruent.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ..scene import Scene
from ..words import width
from .block import BESIDE_RISER, MARGIN, RISER, Block, Inside, Measure, NotACell, route
from .gated import Gated
from .plan import Hung, Line
from .routes import Point
from .sizes import NOTE, TEXT, box_size, chip_row
from .spot import Spot
from .stamp import Body, Local, Route, Stamp, Word, locals_of, press

__all__ = ["NotACell", "arrange"]

STOREY = 58.0
BETWEEN = 34.0
CHANNEL = 16.0
MERGE = 28.0
APART = 28.0
GAP_WORDS = 26.0
BUS = 34.0

Plan = Line | Hung | Gated


@dataclass(frozen=True, slots=True)
class Room:
    """Free room: right of the states, between storeys, and above and below all of them."""

    beside: float = RISER
    between: float = BETWEEN
    above: float = 0.0
    below: float = 0.0


def arrange(scene: Scene, room: Room | None = None) -> Body:
    """Return the columns of a cell-level `scene` with their coordinates; raises NotACell for other shapes."""
    columns = locals_of(scene)
    building = Building(scene, columns, room or Room())
    body, stamps = Body(height=building.height), {}
    for local in columns:
        signature = local.signature()
        if signature not in stamps:
            if local.column.kind == "step":
                stamps[signature] = Step(building, local).stamp()
            else:
                other = _end_column if local.column.kind == "end" else _edge_column
                stamps[signature] = other(local, building)
        stamp = stamps[signature]
        body.bands.append((local.column, Spot(body.width + stamp.width / 2, 0, stamp.width, 0)))
        press(body, local, stamp)
    return body


@dataclass(frozen=True, slots=True)
class Lane:
    """The height of a lane, whether it runs from right to left, and on which side its gradient returns (1: above)."""

    y: float
    backward: bool
    side: int


def _plan(inside: Inside) -> Plan:
    for kind in (Hung, Gated):
        try:
            return kind(inside)
        except NotACell:
            pass
    return Line(inside)


class Building:
    """Storeys and their heights, from below, and the measures all columns of a figure share."""

    def __init__(self, scene: Scene, columns: Sequence[Local], room: Room) -> None:
        self.room = room
        self.plans: dict[tuple[int, str], Plan] = {}
        self.backward: set[str] = set()
        steps = [local for local in columns if local.column.kind == "step"]
        plans: dict[object, dict[str, Plan]] = {}
        for local in steps:
            signature = local.signature()
            if signature not in plans:
                plans[signature] = self._plans(local)
            self.plans |= {(local.column.index, cell): plan for cell, plan in plans[signature].items()}
        if not self.plans:
            raise NotACell
        self.pill = max((box_size(box)[0] for box in scene.boxes if box.role == "state"), default=40.0)
        self.channel = CHANNEL if self.backward else 0.0
        lead = self.channel + MARGIN + room.beside + BESIDE_RISER
        self.measure = Measure(
            max(plan.width() for plan in self.plans.values()),
            self.pill,
            lead,
            max(plan.levels for plan in self.plans.values()),
        )
        self.width = lead + self.measure.frame + 6 + self.pill
        self.buses = list(dict.fromkeys(box.key for box in scene.boxes if box.role == "bus"))
        self._stack(steps)
        self.lanes = self._lanes()
        self.lanes |= {key: Lane(20.0 + BUS * place, False, 1) for place, key in enumerate(self.buses)}

    def _plans(self, local: Local) -> dict[str, Plan]:
        found = {}
        for cell in local.cells:
            inside = Inside(local, cell)
            found[cell] = _plan(inside)
            if inside.from_right:
                self.backward.add(cell)
        return found

    def _stack(self, steps: Sequence[Local]) -> None:
        """Give every cell, and every merge of two directions, its height."""
        blocks: dict[int, Block] = {}
        for plan in self.plans.values():
            if id(plan) not in blocks:  # columns that are alike share their plans
                blocks[id(plan)] = plan.block(self.measure)
        self.blocks = {key: blocks[id(plan)] for key, plan in self.plans.items()}
        tall: dict[str, float] = {}
        for (_, cell), block in self.blocks.items():
            tall[cell] = max(tall.get(cell, 0.0), block.frame.h)
        order = list(tall)
        for local in steps:
            for key in self.merges(local):
                if key not in order:
                    made = [self._cell_of(local, state) for state, target, _ in local.edges if target == key]
                    if not made:
                        raise NotACell
                    order.insert(1 + max(order.index(cell) for cell in made), key)
                    tall[key] = MERGE
        self.order = order
        above = max((len(self.above(local)) for local in steps), default=0)
        given = any(self.given(local) for local in steps)
        y = 20.0 + STOREY * above + (10.0 if above else 0.0) + BUS * len(self.buses)
        self.crown, self.top = y, {}
        y += self.room.above
        for key in reversed(order):
            self.top[key] = y
            y += tall[key] + self.room.between
        self.bottom = y - self.room.between
        self.inputs = self.bottom + self.room.below + (50.0 if given else 0.0)
        self.height = self.inputs + 56.0

    def _cell_of(self, local: Local, state: str) -> str:
        for cell in local.cells:
            if state in self.plans[local.column.index, cell].inside.states:
                return cell
        raise NotACell

    def merges(self, local: Local) -> list[str]:
        """Return what joins two states of one step."""
        outer = [key for key, box in local.boxes.items() if not box.cell and box.role == "function"]
        states = {key for key, box in local.boxes.items() if box.role == "state"}
        return [key for key in outer if all(a in states for a, b, _ in local.edges if b == key)]

    def above(self, local: Local) -> list[str]:
        """Return what stands above all cells: outputs and losses, from below."""
        return [key for key, box in local.boxes.items() if not box.cell and box.role in ("output", "loss")]

    def given(self, local: Local) -> list[str]:
        """Return the inputs."""
        return [key for key, box in local.boxes.items() if box.role == "input"]

    def block(self, column: int, cell: str) -> Block:
        """Return a cell where it stands in its column."""
        block = self.blocks[column, cell].moved(self.channel + MARGIN, 0.0)
        if cell in self.backward:
            block = block.mirrored(self.width)
        return block.moved(0.0, self.top[cell])

    def _lanes(self) -> dict[str, Lane]:
        """Return how every state's lane runs."""
        found = {}
        for (_, cell), block in self.blocks.items():
            for state, y in block.lanes.items():
                side = -1 if state in block.under else 1
                found[state] = Lane(y + self.top[cell], cell in self.backward, side)
        return found


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
        riser = BESIDE_RISER if backward else self.building.width - BESIDE_RISER
        side = start.left if backward else start.right
        pointed = self.local.boxes[target].role == "loss"
        if target in self.above and not pointed:
            return self._bent([(side, start.y), (riser, start.y), (riser, end.bottom)])
        port = end.x if pointed else end.x + (-1 if backward else 1) * end.w / 4
        turn = end.bottom + (BETWEEN if target in self.above else self.building.room.between) / 2
        return self._bent([(side, start.y), (riser, start.y), (riser, turn), (port, turn), (port, end.bottom)])

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

    def _bent(self, corners: Sequence[Point]) -> Route:
        """Return the route through `corners`, with a bridge over every lane that an upright stretch passes."""
        over = []
        for (ax, ay), (bx, by) in itertools.pairwise(corners):
            if ax == bx:
                over += [y for y, left, right in self._levels() if left < ax < right and min(ay, by) < y < max(ay, by)]
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
