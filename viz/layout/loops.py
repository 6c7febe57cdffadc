"""The layout of a rolled drawing: its columns, and the way of every state round its cell, over a delay, to itself.

A state that something above its cell reads, by an edge that rises, loops below the cell; the others loop above. Loops
on one side of a cell lie one round the other, so none crosses another; what rises through a loop bridges it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..scene import Box, Edge, Scene
from . import cells
from .block import RISER, route
from .building import BETWEEN, Room
from .routes import Arrow, Path, Point, bridged, passed
from .sizes import box_size
from .spot import Spot
from .stamp import Body, Placed, Route

NEAR = 24.0
"""From a cell's frame to its nearest loop."""
TRACK = 32.0
"""From loop to loop."""
ASIDE = 15.0
"""From a state to where its loop turns."""
MARGIN = 12.0


@dataclass(frozen=True, slots=True)
class Loop:
    """A state, where the next step takes it up, the delay between, and the two edges that join them."""

    here: Box
    before: Box
    delay: Box
    leave: Edge
    enter: Edge
    below: bool


def arrange(scene: Scene, rows: Callable[[Scene], tuple[Scene, Body]]) -> tuple[Scene, Body]:
    """Return a rolled `scene` with coordinates.

    `rows` lays out steps whose cells have a shape that is not known, and says what of the scene it could show.
    """
    loops = _loops(scene)
    bare = _without(scene, loops)
    try:
        body, known = cells.arrange(bare, _room(scene, loops)), True
    except cells.NotACell:
        (bare, body), known = rows(bare), False
        places = {box.id for box in bare.boxes}
        loops = [dataclasses.replace(loop, below=False) for loop in loops if loop.here.id in places]
        scene, body = _with(bare, loops), _spread(body, ASIDE * len(loops))
    for loop in loops:
        _add(body, loop, _track(body, loop, loops, known))
    return scene, _framed(body)


def _loops(scene: Scene) -> list[Loop]:
    boxes = {box.id: box for box in scene.boxes}
    found = []
    for delay in (box for box in scene.boxes if box.role == "delay"):
        leave = next(edge for edge in scene.edges if edge.target == delay.id)
        enter = next(edge for edge in scene.edges if edge.source == delay.id)
        read = any(edge.source == leave.source and edge.target != delay.id for edge in scene.edges)
        found.append(Loop(boxes[leave.source], boxes[enter.target], delay, leave, enter, read))
    return found


def _without(scene: Scene, loops: Sequence[Loop]) -> Scene:
    delays = {loop.delay.id for loop in loops}
    return dataclasses.replace(
        scene,
        boxes=tuple(box for box in scene.boxes if box.id not in delays),
        edges=tuple(edge for edge in scene.edges if not {edge.source, edge.target} & delays),
    )


def _with(bare: Scene, loops: Sequence[Loop]) -> Scene:
    boxes = (*bare.boxes, *(loop.delay for loop in loops))
    return dataclasses.replace(
        bare, boxes=boxes, edges=(*bare.edges, *(edge for loop in loops for edge in (loop.leave, loop.enter)))
    )


def _spread(body: Body, dx: float) -> Body:
    """Return `body` with what stands right of the step moved by `dx`: loops rise between the two."""
    after = [spot.left for column, spot in body.bands if column.kind in ("end", "initial") and column.index]
    edge = min(after, default=body.width)

    def put(point: Point) -> Point:
        return (point[0] + dx, point[1]) if point[0] >= edge else point

    def arrow(old: Arrow) -> Arrow:
        steps = tuple(tuple(map(put, step)) for step in old.path.steps)
        tip, left, right = map(put, old.head)
        return Arrow(Path(put(old.path.start), steps), (tip, left, right))

    def place(spot: Spot) -> Spot:
        return spot.moved(put((spot.x, 0.0))[0] - spot.x, 0.0)

    return Body(
        body.width + (dx if after else 0.0),
        body.height,
        [(column, place(spot)) for column, spot in body.bands],
        [(cell, place(spot)) for cell, spot in body.frames],
        [(box, place(spot)) for box, spot in body.boxes],
        [(tag, place(spot)) for tag, spot in body.chips],
        [
            (old, Placed(Route(arrow(way.forward), arrow(way.back), tuple(map(put, way.over)))))
            for old, way in body.wires
        ],
        [dataclasses.replace(word, x=put((word.x, 0.0))[0]) for word in body.words],
    )


def _room(scene: Scene, loops: Sequence[Loop]) -> Room:
    """Return the room that loops need between the cells, as many on a side as any cell has there."""
    made = {edge.target: edge.source for edge in scene.edges}
    cell = {box.id: box.cell for box in scene.boxes}
    sides: dict[bool, list[str]] = {False: [], True: []}
    for loop in loops:
        sides[loop.below].append(cell.get(made.get(loop.here.id, ""), ""))
    above, below = (max(map(found.count, found), default=0) for found in sides.values())
    high, low = (NEAR + 4 + TRACK * (count - 1) if count else 0.0 for count in (above, below))
    beside = RISER + (ASIDE if above else 0.0) * above
    return Room(beside, max(BETWEEN, 2 * (max(high, low) + 8) + BETWEEN), high, low)


def _track(body: Body, loop: Loop, loops: Sequence[Loop], known: bool) -> tuple[Spot, int]:
    """Return what `loop` runs round, and how many loops lie inside it."""
    spots = {box.id: spot for box, spot in body.boxes}
    y = spots[loop.here.id].y
    frame = next((spot for _, spot in body.frames if spot.top < y < spot.bottom), None) if known else None
    if frame is None:
        laid = [spot for box, spot in body.boxes if box.role != "delay"]
        top, bottom = min(spot.top for spot in laid), max(spot.bottom for spot in laid)
        frame = Spot(body.width / 2, (top + bottom) / 2, body.width, bottom - top)
    others = [spots[other.here.id].y for other in loops if other.below is loop.below]
    inside = [at for at in others if frame.top < at < frame.bottom and (at > y if loop.below else at < y)]
    return frame, len(inside)


def _add(body: Body, loop: Loop, track: tuple[Spot, int]) -> None:
    """Add the loop to `body`, with bridges where it meets what is there."""
    frame, inside = track
    spots = {box.id: spot for box, spot in body.boxes}
    here, before = spots[loop.here.id], spots[loop.before.id]
    ahead = 1 if here.x > before.x else -1
    run = frame.bottom + NEAR + TRACK * inside if loop.below else frame.top - NEAR - TRACK * inside
    aside = ASIDE + ASIDE * inside
    start, end = (here.right, before.left) if ahead > 0 else (here.left, before.right)
    out, back = start + ahead * aside, end - ahead * aside
    crossing = _bridge(body, run, *sorted((out, back)))
    wide, high = box_size(loop.delay)
    spot = Spot(_widest(sorted((out, back)), crossing), run, wide, high)
    body.boxes.append((loop.delay, spot))
    side = ahead * (-1 if loop.below else 1)
    _turn_away(body, loop, here, -side)
    near, far = (spot.right, spot.left) if ahead > 0 else (spot.left, spot.right)
    for edge, corners in (
        (loop.leave, [(start, here.y), (out, here.y), (out, run), (near, run)]),
        (loop.enter, [(far, run), (back, run), (back, before.y), (end, before.y)]),
    ):
        body.wires.append((edge, Placed(route(corners, side, _levels(body, corners)))))


def _turn_away(body: Body, loop: Loop, here: Spot, side: int) -> None:
    """Put the gradient of what reads the last state alone on the side of the lane where the loop's is not."""
    columns = {box.id: box.column for box, _ in body.boxes}
    for place, (edge, old) in enumerate(body.wires):
        if edge.source == loop.here.id and columns[edge.target] > loop.here.column:
            tip = old.forward.head[0]
            if abs(tip[1] - here.y) > 0.5:
                continue
            body.wires[place] = (edge, Placed(route([(here.right, here.y), tip], side)))


def _bridge(body: Body, run: float, left: float, right: float) -> list[float]:
    """Let what crosses the level line from `left` to `right` at the height `run` hop over it; return where that is."""
    found: list[float] = []
    for place, (edge, old) in enumerate(body.wires):
        across = [x for x, low, high in _uprights(old.forward.path) if left < x < right and low < run < high]
        if across:
            forward = Arrow(bridged(old.forward.path, [run]), old.forward.head)
            over = (*old.over, *passed(old.back.path, [run]))
            body.wires[place] = (edge, Placed(Route(forward, old.back, over)))
            found += across
    return sorted(found)


def _widest(ends: Sequence[float], crossing: Sequence[float]) -> float:
    """Return the middle of the longest stretch between `ends` that nothing crosses."""
    stretches = list(itertools.pairwise([ends[0], *crossing, ends[1]]))
    left, right = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
    return (left + right) / 2


def _uprights(path: Path) -> Iterable[tuple[float, float, float]]:
    """Yield the upright lines of `path`: x, from, to."""
    at = path.start
    for step in path.steps:
        if len(step) == 1 and abs(at[0] - step[0][0]) < 0.01:
            low, high = sorted((at[1], step[0][1]))
            yield at[0], low, high
        at = step[-1]


def _levels(body: Body, corners: Sequence[Point]) -> list[float]:
    """Return the heights at which the upright stretch of `corners` crosses level lines that are there."""
    (x, a), (_, b) = next(pair for pair in itertools.pairwise(corners) if pair[0][0] == pair[1][0])
    found = set()
    for _, old in body.wires:
        at = old.forward.path.start
        for step in old.forward.path.steps:
            level = len(step) == 1 and abs(at[1] - step[0][1]) < 0.01
            low, high = sorted((at[0], step[0][0]))
            if level and low < x < high and min(a, b) + 1 < at[1] < max(a, b) - 1:
                found.add(at[1])
            at = step[-1]
    return sorted(found)


def _framed(body: Body) -> Body:
    """Return `body` moved right and down as far as its loops reach out of it, and as wide as they reach."""
    spots = [spot for _, spot in body.boxes]
    points = [point for _, found in body.wires for point in found.forward.path.points()]
    left = min([spot.left for spot in spots] + [x for x, _ in points], default=0.0)
    top = min([spot.top for spot in spots] + [y for _, y in points], default=0.0)
    right = max([body.width, *(x + MARGIN for x, _ in points)])
    dx, dy = max(0.0, MARGIN - left), max(0.0, MARGIN - top)
    return Body(
        right + dx,
        body.height + dy,
        [(column, spot.moved(dx, 0.0)) for column, spot in body.bands],
        [(cell, spot.moved(dx, dy)) for cell, spot in body.frames],
        [(box, spot.moved(dx, dy)) for box, spot in body.boxes],
        [(tag, spot.moved(dx, dy)) for tag, spot in body.chips],
        [(edge, found.moved(dx, dy)) for edge, found in body.wires],
        [dataclasses.replace(word, x=word.x + dx, y=word.y + dy) for word in body.words],
    )
