"""Layout of a step operation by operation: rows of boxes between the lanes that enter and leave.

Each distinct step is laid out once, in layers. A lane runs at the height of the row that takes it
up in the next step, straight from column to column; what leaves a step comes down (or up) to its
lane in a margin at the right end.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from ..scene import Scene
from ..words import width
from .climb import cornered, returned, rise
from .closed import closed
from .grid import BENT, CHANNEL, LAID, RUNNING, Grid, makers
from .layered import BEND
from .routes import Arrow, Path, Point, arrow, curve_arrow, hopped, passed
from .sizes import BESIDE, OP, TEXT, chip_row, op_row
from .spot import Spot
from .stamp import Body, EdgeKey, Local, Route, Stamp, Word, locals_of, pressed

PORT = 15.0
LEFT = 32.0
MARGIN = 14.0
PITCH = 22.0
NOSE = 17.0
SPREAD = 13.0
ASIDE, OVER = 7.0, 9.0
"""Where a state leaves over the top of its box, from the right, and how far over it."""


def arrange(scene: Scene, *, turned: bool = False) -> Body:
    """Return the columns of an op-level `scene` with their coordinates; `turned`, data runs right and not up."""
    columns = locals_of(scene)
    if turned:
        columns = [replace(local, sizes={key: (h, w) for key, (w, h) in local.sizes.items()}) for local in columns]
    grid = Grid(scene, columns)
    body = pressed(columns, grid.height, lambda local: _stamp(local, grid))
    return _turned(body) if turned else body


def _turned(body: Body) -> Body:
    """Return `body` turned by a quarter, so that what ran up runs right."""
    edge = body.height

    def spot(old: Spot) -> Spot:
        return Spot(edge - old.y, old.x, old.h, old.w)

    return replace(
        body,
        width=body.height,
        height=body.width + MARGIN,
        bands=[(column, Spot(edge / 2, 0, edge, 0)) for column, _ in body.bands],
        boxes=[(box, spot(old)) for box, old in body.boxes],
        wires=[(edge_, found.turned(edge)) for edge_, found in body.wires],
    )


def _stamp(local: Local, grid: Grid) -> Stamp:
    if local.column.kind in LAID:
        return _Step(local, grid).stamp()
    if local.column.kind == "closed":
        return closed(local, lambda state: grid.lane_y(grid.lanes[state]), grid.pill, grid.lead, CHANNEL)
    return _ends(local, grid)


class _Step:
    """Coordinates of one distinct step."""

    def __init__(self, local: Local, grid: Grid) -> None:
        self.local, self.grid = local, grid
        self.maker = makers(local)
        signature = local.signature()
        self.layers, x = grid.steps[signature], grid.x[signature]
        self.out = Stamp(0.0)
        halves = [(at - (BENT if n[0] == BEND else local.sizes[n][0]) / 2, at) for n, at in x.items()]
        shift = LEFT - min((left for left, _ in halves), default=0.0)
        self.x = {name: at + shift for name, at in x.items()}
        lift = self._lift()
        for name, level in self.layers.row.items():
            size = (BENT, grid.high[level]) if name[0] == BEND else local.sizes[name]
            self.out.spots[name] = Spot(self.x[name], grid.row_y[level] + lift, *size)
        self.ports = self._ports()

    def _lift(self) -> float:
        """How far the rows of what follows the last step move, so that it stands at the lane it takes up."""
        if self.local.column.kind != "end":
            return 0.0
        taken = [a[1:] for a, b, _ in self.local.edges if a[0] == "<" and self.local.boxes[b].role not in RUNNING]
        lanes = [self.grid.lane_y(self.grid.lanes[key]) for key in taken]
        lift = min(lanes, default=self.grid.row_y[0]) - self.grid.row_y[0]
        return max(lift, 16.0 + self.grid.row_y[-1] - self.grid.row_y[len(self.layers.rows) - 1])

    def stamp(self) -> Stamp:
        """Return the finished stamp."""
        out = self.out
        right = max((spot.right for spot in out.spots.values()), default=LEFT)
        edges = ((a, b) for a, b, _ in self.local.edges if a[0] != "<")
        leaving = [(a, b) for a, b in edges if self.local.boxes[b].role == "state"]
        leaving.sort(key=lambda pair: -abs(self._drop(*pair)))
        tracks = [pair for pair in leaving if self._drop(*pair) or self._barred(pair[0])]
        self.track = {pair: right + MARGIN + PITCH * place for place, pair in enumerate(tracks)}
        pill = right + MARGIN + PITCH * max(0, len(tracks) - 1) + NOSE + self.grid.pill / 2
        out.width = pill + self.grid.pill / 2 + self.grid.lead if leaving else right + MARGIN + self.grid.lead - 6
        for key, box in self.local.boxes.items():
            if box.role == "state":
                out.spots[key] = Spot(pill, self.grid.lane_y(box.lane), self.grid.pill, self.local.sizes[key][1])
            elif box.role == "bus":
                out.spots[key] = Spot(out.width - CHANNEL / 2, self.grid.lane_y(box.lane), *self.local.sizes[key])
        self.horizontals = self._horizontals()
        for name in self.local.edges:
            out.routes[name] = self._route(name)
        for key, box in self.local.boxes.items():
            if box.tags:
                out.chips[key] = self._chips(key)
        out.spots = {key: out.spots[key] for key in self.local.boxes}
        return out

    def _drop(self, source: str, state: str) -> float:
        return self.grid.lane_y(self.local.boxes[state].lane) - self.out.spots[source].y

    def _barred(self, source: str) -> bool:
        """Tell whether another box of its row stands between the box `source` and the right end of the step."""
        start = self.out.spots[source]
        others = (self.out.spots[key] for key, box in self.local.boxes.items() if box.role not in RUNNING)
        return any(spot.left > start.right and spot.top < start.y < spot.bottom for spot in others)

    def _leave(self, source: str) -> list[Point]:
        """Return where a state leaves the box that makes it: at its right, or over its top and what bars the way."""
        start = self.out.spots[source]
        if not self._barred(source):
            return [(start.right, start.y)]
        return [(start.right - ASIDE, start.top), (start.right - ASIDE, start.top - OVER)]

    def _chips(self, key: str) -> list[Spot]:
        box, spot = self.local.boxes[key], self.out.spots[key]
        if box.role != "op":
            return chip_row(box, spot)
        chips, start = op_row(box, spot)
        self.out.words.setdefault(key, []).append(Word(box.label, start, spot.y + 5, OP, "start", "label"))
        return chips

    def _ports(self) -> dict[tuple[str, str, int], tuple[float, float]]:
        """Return for every link of every edge where it leaves below and arrives above (x offsets)."""
        leaving: dict[str, list[tuple[float, EdgeKey]]] = defaultdict(list)
        coming: dict[str, list[tuple[float, EdgeKey]]] = defaultdict(list)
        for name in self.local.edges:
            source, target = self.maker.get(name[0], name[0]), name[1]
            if (source, target) in self.layers.chains:
                chain = self.layers.chains[source, target]
                leaving[source].append((self.x[chain[1]], name))
                coming[target].append((self.x[chain[-2]], name))
        ports: dict[EdgeKey, list[float]] = {name: [0.0, 0.0] for name in self.local.edges}
        for end, sides in enumerate((leaving, coming)):
            for key, links in sides.items():
                links.sort()
                room = max(0.0, self.out.spots[key].w - 18) / max(1, len(links) - 1)
                step = min(PORT + 2, room)
                for place, (_, name) in enumerate(links):
                    ports[name][end] = (place - (len(links) - 1) / 2) * step
        return {name: (first, last) for name, (first, last) in ports.items()}

    def _horizontals(self) -> list[tuple[float, float, float]]:
        """Return the level stretches of lanes (y, from, to) that vertical stretches hop over."""
        found = []
        for source, target, _ in self.local.edges:
            end = self.out.spots[target]
            if self.local.boxes[target].role == "bus":
                found += [(end.y, -10.0, end.left)] if source.startswith("<") else []
            elif source.startswith("<"):
                y = self.grid.lane_y(self.grid.lanes[source[1:]])
                found.append((y, -10.0, end.left if y == end.y else 12.0))
            elif self.local.boxes[target].role == "state":
                x, y = self._leave(source)[-1]
                track = self.track.get((source, target), end.left)
                found += [(y, x, track), (end.y, track, end.left)]
        return found

    def _crossed(self, x: float) -> list[float]:
        return [y for y, left, right in self.horizontals if left + 1 < x < right - 1]

    def _route(self, name: EdgeKey) -> Route:
        source, target, _ = name
        end = self.out.spots[target]
        if self.local.boxes[target].role == "bus":
            return self._gather(source, end)
        if source.startswith("<"):
            return self._enter(source[1:], end, self._port(source, target))
        start = self.out.spots[source]
        if self.local.boxes[target].role == "state":
            if (source, target) not in self.track:
                return cornered([(start.right, start.y), (end.left, end.y)])
            x, leave = self.track[source, target], self._leave(source)
            corners = [*leave, (x, leave[-1][1]), (x, end.y), (end.left, end.y)]
            return cornered(corners, [y for y in self._crossed(x) if y not in (leave[-1][1], end.y)])
        return self._climb(name)

    def _gather(self, source: str, end: Spot) -> Route:
        """Return the route of a bus to its next stop, or of a state up to it, over the lanes that go on."""
        if source.startswith("<"):
            return cornered([(-CHANNEL / 2, end.y), (end.left, end.y)])
        start = self.out.spots[source]
        lanes = {self.out.spots[key].y for key in self.local.onward if self.local.boxes[key].role in RUNNING}
        over = [y for y in lanes if end.bottom < y < start.top]
        return cornered([(start.right, start.y), (end.x, start.y), (end.x, end.bottom)], over)

    def _port(self, source: str, target: str) -> float:
        """Return how far from its middle an edge from the step before enters a box that takes up several."""
        y, lanes = self.out.spots[target].y, self.grid.lanes
        heights = {a: self.grid.lane_y(lanes[a[1:]]) for a, b, _ in self.local.edges if b == target and a[0] == "<"}
        mine = heights[source]
        if len(heights) < 2 or abs(mine - y) < 0.5:
            return 0.0
        same = sorted((h for h in heights.values() if (h < y) == (mine < y) and abs(h - y) >= 0.5), reverse=mine < y)
        return (1 + same.index(mine)) * (-SPREAD if mine < y else SPREAD)

    def _enter(self, state: str, end: Spot, port: float = 0.0) -> Route:
        """Return the route of a lane into a box: straight, or up or down a margin at the left end."""
        y, at = self.grid.lane_y(self.grid.lanes[state]), end.y + port
        lead = -CHANNEL / 2 if self.grid.lanes[state] in self.grid.buses else -self.grid.lead
        if abs(y - at) < 0.5:
            return cornered([(lead, y), (end.left, y)])
        x = 8.0 + 8.0 * sorted(self.grid.lanes).index(state)
        corners = [(lead, y), (x, y), (x, at), (end.left, at)]
        row = [spot for spot in self.out.spots.values() if abs(spot.y - end.y) < 1 and spot.h > 6]
        if any(x < spot.right - 1 and spot.right < end.left for spot in row):
            below = max(spot.bottom for spot in row) + 10
            corners = [(lead, y), (x, y), (x, below), (end.left + 8, below), (end.left + 8, end.bottom)]
        return cornered(corners, [level for level in self._crossed(x) if level not in (y, at)])

    def _climb(self, name: EdgeKey) -> Route:
        """Return the route of an edge between rows: curves from row to row, straight past each row."""
        source, target = self.maker.get(name[0], name[0]), name[1]
        chain = self.layers.chains[source, target]
        first, last = self.ports[name]
        start, end = self.out.spots[source], self.out.spots[target]
        at: Point = (start.x + first, start.top)
        begin, steps, back = at, [], []
        for bend in chain[1:-1]:
            spot = self.out.spots[bend]
            enter, leave = (spot.x, spot.bottom), (spot.x, self._past_top(spot))
            steps += [*self._rise(at, enter), *self._past(spot)]
            back += [rise(at, enter, BESIDE), (leave,)]
            at = leave
        tip = (end.x + last, end.bottom)
        final = rise(at, tip)
        head = arrow([at, *final], 7.0) if len(final) == 1 else curve_arrow((at, *final), 7.0)
        last_rise = self._rise(at, head.path.end) if len(final) == 1 else head.path.steps
        forward = Arrow(Path(begin, (*steps, *last_rise)), head.head)
        way_back = returned(begin, [*back, rise(at, tip, BESIDE)])
        bends = {self.out.spots[bend].x for bend in chain[1:-1]}
        over = [y for x in bends | ({tip[0]} if len(final) == 1 else set()) for y in self._crossed(x)]
        return Route(forward, way_back, passed(way_back.path, over))

    def _past(self, spot: Spot) -> list[tuple[Point, ...]]:
        top = self._past_top(spot)
        over = [y for y in self._crossed(spot.x) if top < y < spot.bottom]
        return list(hopped([(spot.x, spot.bottom), (spot.x, top)], over).steps)

    def _rise(self, a: Point, b: Point) -> tuple[tuple[Point, ...], ...]:
        """Return the way between two rows: a curve, or straight up with a hop over every lane that runs there."""
        if abs(a[0] - b[0]) >= 0.05:
            return (rise(a, b),)
        return tuple(hopped([a, b], [y for y in self._crossed(a[0]) if b[1] < y < a[1]]).steps)

    def _past_top(self, spot: Spot) -> float:
        """Return where an edge is past a row, and past the states that leave the row over its top."""
        return min([spot.top, *(y - OVER for y in self._crossed(spot.x) if spot.top - OVER - 1 < y < spot.top)])


def _ends(local: Local, grid: Grid) -> Stamp:
    """Return the stamp of the initial states, or of a gap that stands for hidden steps."""
    words = width(local.column.header, TEXT) + 14 if local.column.kind == "gap" else 6.0
    stamp = Stamp(words + grid.pill + grid.lead)
    x = stamp.width - grid.lead - grid.pill / 2
    for key, box in local.boxes.items():
        bus = box.role == "bus"
        wide, at = (local.sizes[key][0], stamp.width - CHANNEL / 2) if bus else (grid.pill, x)
        stamp.spots[key] = Spot(at, grid.lane_y(box.lane), wide, local.sizes[key][1])
    if local.column.kind == "gap" and local.boxes:
        heights = sorted(spot.y for spot in stamp.spots.values())
        y = (heights[0] + heights[-1]) / 2 if len(set(heights)) > 1 else heights[0] - 24
        stamp.words[next(iter(local.boxes))] = [Word((), words / 2, y, TEXT, "middle", "header")]
    for name in local.edges:
        end = stamp.spots[name[1]]
        lead = CHANNEL / 2 if local.boxes[name[1]].role == "bus" else grid.lead
        stamp.routes[name] = cornered([(-lead, end.y), (end.left, end.y)])
    return stamp
