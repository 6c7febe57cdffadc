"""Layout by Graphviz: a scene goes out as DOT, its boxes and edges alone, and comes back with coordinates.

`dot` lays out the steps, each a cluster, side by side; then `neato`, every box pinned, leads the edges between steps
round the boxes. (With those edges in the first run, `dot` puts the steps in another order than that of time, and takes
minutes for 50 of them.)
Only places and routes are Graphviz's. Boxes have the sizes of our own layouts and no label is sent, so no font is asked
for; everything is drawn with the same inks, and the gradient runs back beside each edge on the same side.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import graphviz

from ..scene import Box, Column, Edge, Scene
from ..words import width
from .routes import Arrow, Path, Point, curve_arrow, outside
from .sizes import BESIDE, NOTE, OP, TEXT, box_size, chip_row, op_row
from .spot import Spot
from .stamp import Body, Placed, Route, Word

Answer = Mapping[str, Any]
"""What Graphviz says, as its `-Tjson` writes it."""
Curve = Sequence[Point]

SIDE, HEAD, FOOT = 2.0, 8.0, 34.0
"""Room at the sides (Graphviz rounds), above everything, and under the steps for their headers."""
CLEAR = 2.5
"""Distance of a gradient arrow from the boxes at its ends."""
ROUND = 7.0
"""Room round every box that no edge of other boxes enters: Graphviz is told boxes that are so much larger."""
_SHAPES = {
    "input": "circle",
    "pointwise": "circle",
    "junction": "circle",
    "bus": "circle",
    "state": "ellipse",
    "loss": "diamond",
    "parameter": "hexagon",
}


def body(scene: Scene, ask: Callable[[str, Sequence[str]], Sequence[Answer]]) -> Body:
    """Return `scene` with the coordinates that `ask` returns for a program and the graphs it is to lay out."""
    (steps,) = ask("dot", [_steps_of(scene)])
    lines, crossing = _lines(steps), _between(scene)
    led = ask("neato", [_pinned(scene, *group, steps) for group in crossing.items()]) if crossing else ()
    middles = _middles(steps)
    for answer in led:
        name, (u, v) = next(iter(_middles(answer).items()))
        x, y = middles[name]
        lines |= {edge: [(a + x - u, b + y - v) for a, b in line] for edge, line in _lines(answer).items()}
    return _body(scene, steps, lines)


def _steps_of(scene: Scene) -> str:
    """Return the steps as DOT, without the edges between them: data runs up, except to states.

    A state that only the next step takes up stands as low as what takes it up there, so that the way is short.
    """
    found = _digraph(rankdir="BT", nodesep="0.16", ranksep="0.25")
    home = _homes(scene)
    timed = any(column.header for column in scene.columns)
    for column in scene.columns:
        boxes = [(place, box) for place, box in enumerate(scene.boxes) if home[box.column] == column.index]
        if not (boxes and timed):
            _nodes(found, boxes)
            continue
        with found.subgraph(name=f"cluster_{column.index}", graph_attr={"margin": "12"}) as step:
            _nodes(step, boxes)
            if column.kind == "gap":
                _header(step, column)
                for place, _ in boxes:
                    step.edge(f"n{place}", f"g{column.index}", style="invis")
    number = {box.id: place for place, box in enumerate(scene.boxes)}
    levels = _levels(scene)
    crossing = _crossing(scene)
    for place, edge in enumerate(scene.edges):
        if place not in crossing:
            low = any(state == edge.target for state, _ in levels)
            _edge(found, number[edge.source], number[edge.target], place, constraint="false" if low else "true")
    for state, user in levels:
        found.edge(f"n{number[state]}", f"n{number[user]}", style="invis")
    return str(found.source)


def _levels(scene: Scene) -> list[tuple[str, str]]:
    """Return for states that other steps alone take up what, in their own step, stands where their users do."""
    crossing, boxes = _crossing(scene), {box.id: box for box in scene.boxes}
    kinds = {column.index: column.kind for column in scene.columns}
    users: dict[str, dict[str, None]] = {}
    within = set()
    for place, edge in enumerate(scene.edges):
        source = boxes[edge.source]
        if source.role == "state" and place in crossing:
            users.setdefault(source.key, {})[boxes[edge.target].key] = None
        elif source.role == "state" and kinds[source.column] == "step":
            within.add(source.key)
    named = {(box.column, box.key): box.id for box in scene.boxes}
    return [
        (box.id, named[box.column, user])
        for box in scene.boxes
        if box.role == "state" and box.key not in within and kinds[box.column] == "step"
        for user in users.get(box.key, ())
        if (box.column, user) in named
    ]


def _pinned(scene: Scene, span: tuple[int, int], crossing: Iterable[int], steps: Answer) -> str:
    """Return some edges as DOT, the boxes from step to step of `span` pinned where they stand in `steps`.

    Not all edges at once: the time it takes to lead them grows with the square of the number of boxes.
    """
    found = _digraph(inputscale="72", splines="true", esep="+1")
    middles = {each["name"]: each["pos"] for each in steps["objects"] if "pos" in each}
    home = _homes(scene)
    inside = [pair for pair in enumerate(scene.boxes) if span[0] <= home[pair[1].column] <= span[1]]
    _nodes(found, inside, middles)
    for column in scene.columns:
        if column.kind == "gap" and span[0] <= column.index <= span[1]:
            _header(found, column, pos=f"{middles[f'g{column.index}']}!")
    number = {box.id: place for place, box in enumerate(scene.boxes)}
    for place in crossing:
        edge = scene.edges[place]
        _edge(found, number[edge.source], number[edge.target], place)
    return str(found.source)


def _between(scene: Scene) -> dict[tuple[int, int], list[int]]:
    """Return the places of the edges between steps, by the first and last step that they pass."""
    home = _homes(scene)
    where = {box.id: home[box.column] for box in scene.boxes}
    found: dict[tuple[int, int], list[int]] = {}
    for place, edge in _crossing(scene).items():
        ends = sorted((where[edge.source], where[edge.target]))
        found.setdefault((ends[0], ends[1]), []).append(place)
    return found


def _crossing(scene: Scene) -> dict[int, Edge]:
    """Return the edges between steps by their place."""
    home = _homes(scene)
    where = {box.id: home[box.column] for box in scene.boxes}
    return {place: edge for place, edge in enumerate(scene.edges) if where[edge.source] != where[edge.target]}


def _homes(scene: Scene) -> dict[int, int]:
    """Return for every column the one it stands in: states given from outside stand in the first or last step."""
    steps = [column.index for column in scene.columns if column.kind != "initial"]
    return {
        column.index: column.index if column.kind != "initial" else steps[0 if column.index < steps[0] else -1]
        for column in scene.columns
    }


def _digraph(**attributes: str) -> graphviz.Digraph:
    node = {"label": "", "fixedsize": "true", "shape": "box"}
    return graphviz.Digraph(graph_attr=attributes, node_attr=node, edge_attr={"arrowhead": "none"})


def _nodes(graph: graphviz.Digraph, boxes: Iterable[tuple[int, Box]], pins: Mapping[str, str] | None = None) -> None:
    for place, box in boxes:
        wide, high = _outer(box)
        pin = {} if pins is None else {"pos": f"{pins[f'n{place}']}!"}
        shape = _SHAPES.get(box.role, "box")
        graph.node(f"n{place}", width=_inches(wide), height=_inches(high), shape=shape, **pin)


def _header(graph: graphviz.Digraph, column: Column, **pin: str) -> None:
    """Keep a place for what is said of hidden steps."""
    graph.node(f"g{column.index}", width=_inches(width(column.header, TEXT) + 2 * ROUND), height=_inches(TEXT), **pin)


def _edge(graph: graphviz.Digraph, source: int, target: int, place: int, **attributes: str) -> None:
    graph.edge(f"n{source}", f"n{target}", id=f"e{place}", **attributes)


def _outer(box: Box) -> tuple[float, float]:
    """Return the width and height that Graphviz is told: with room all round, and for the words beside the box."""
    wide, high = (side + 2 * ROUND for side in box_size(box))
    if box.note and box.role == "loss":
        high += 2 * (NOTE + 4)
    if box.note and box.role == "output":
        wide += 2 * (width(box.note, NOTE) + 8)
    return wide, high


def _inches(points: float) -> str:
    return f"{points / 72:.5f}"


def _lines(answer: Answer) -> dict[str, list[Point]]:
    return {each["id"]: _points(each["pos"]) for each in answer.get("edges", ()) if "id" in each}


def _middles(answer: Answer) -> dict[str, Point]:
    return {each["name"]: _points(each["pos"])[0] for each in answer["objects"] if "pos" in each}


def _points(said: str) -> list[Point]:
    """Return the points Graphviz lists.

    >>> _points("1,2 3.5,-4")
    [(1.0, 2.0), (3.5, -4.0)]
    """
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in said.split())]


def _body(scene: Scene, steps: Answer, lines: Mapping[str, Sequence[Point]]) -> Body:
    wide, high = (float(side) for side in steps["bb"].split(",")[2:])
    ends = [x for line in lines.values() for x, _ in line] + [0.0, wide]
    left, wide = min(ends) - SIDE, max(ends) - min(ends) + 2 * SIDE
    heights = [y for line in lines.values() for _, y in line] + [0.0, high]
    top, tall = max(heights) + HEAD, max(heights) - min(heights) + HEAD

    def at(point: Point) -> Point:
        return (point[0] - left, top - point[1])

    corners = {each["name"]: each["bb"] for each in steps["objects"] if "bb" in each}
    middles = {name: at(point) for name, point in _middles(steps).items()}
    found = Body(wide, tall + (FOOT if corners else HEAD))
    for place, box in enumerate(scene.boxes):
        _box(found, box, Spot(*middles[f"n{place}"], *box_size(box)), scene.columns[box.column])
    spots = {box.id: (spot, box) for box, spot in found.boxes}
    for place, edge in enumerate(scene.edges):
        points = _reaching([at(point) for point in lines[f"e{place}"]], *spots[edge.source])
        points = _reaching(points[::-1], *spots[edge.target])[::-1]
        curves = [points[i : i + 4] for i in range(0, len(points) - 1, 3)]
        route = _route(curves, spots[edge.source][0], spots[edge.target][0])
        found.wires.append((edge, Placed(route, 0.0)))
    for column in scene.columns:
        if f"cluster_{column.index}" in corners:
            near, _, far, _ = (float(side) for side in corners[f"cluster_{column.index}"].split(","))
            found.bands.append((column, Spot((near + far) / 2 - left, 0.0, far - near, 0.0)))
        if column.kind == "gap":
            x, y = middles[f"g{column.index}"]
            found.words.append(Word(column.header, x, y + 0.35 * TEXT, TEXT, "middle", "header"))
    return found


def _box(found: Body, box: Box, spot: Spot, column: Column) -> None:
    """Place a box with its tags and the words beside it."""
    found.boxes.append((box, spot))
    words = f"{box.id} words"
    if box.tags and box.role == "op":
        chips, start = op_row(box, spot)
        found.words.append(Word(box.label, start, spot.y + 5, OP, "start", "label", words))
    else:
        chips = chip_row(box, spot)
    found.chips += zip(box.tags, chips, strict=True)
    if box.note and box.role == "loss":
        found.words.append(Word(box.note, spot.x, spot.top - 7, NOTE, "middle", "note", words))
    if box.note and box.role == "output":
        side = ("start", spot.right + 8) if column.kind == "end" else ("end", spot.left - 8)
        found.words.append(Word(box.note, side[1], spot.y + NOTE * 0.35, NOTE, side[0], "note", words))


def _reaching(points: list[Point], spot: Spot, box: Box) -> list[Point]:
    """Return a line whose start is led on, through the room round its box, to the box."""
    (x, y), (u, v) = points[:2]
    if box.role in _SHAPES:
        across, down = (inner / outer for inner, outer in zip((spot.w, spot.h), _outer(box), strict=True))
        at = (spot.x + (x - spot.x) * across, spot.y + (y - spot.y) * down)
    else:
        at = (min(max(x, spot.left), spot.right), min(max(y, spot.top), spot.bottom))
    return [at, (u + at[0] - x, v + at[1] - y), *points[2:]]


def _route(curves: Sequence[Curve], source: Spot, target: Spot) -> Route:
    """Return the edge along cubic curves that join each other, and its gradient beside it."""
    last = curve_arrow(curves[-1], 7.0)
    forward = Arrow(Path(curves[0][0], (*_steps(curves[:-1]), *last.path.steps)), last.head)
    beside = [curve[::-1] for curve in reversed(_aside(curves, BESIDE))]
    beside[0] = outside(beside[0][::-1], target, CLEAR)[::-1]
    end = curve_arrow(outside(beside[-1], source, CLEAR))
    return Route(forward, Arrow(Path(beside[0][0], (*_steps(beside[:-1]), *end.path.steps)), end.head))


def _steps(curves: Sequence[Curve]) -> tuple[tuple[Point, ...], ...]:
    return tuple(tuple(curve[1:]) for curve in curves)


def _aside(curves: Sequence[Curve], distance: float) -> list[list[Point]]:
    """Return `curves` moved `distance` to the left of the direction of travel, still joined.

    The legs of each control polygon are moved and cut with each other (Tiller and Hanson, 1984).
    """
    ends = [(_along(curve), _along(curve[::-1])) for curve in curves]
    joints = [ends[0][0]]
    for (_, (x, y)), ((u, v), _) in itertools.pairwise(ends):
        joints.append(_unit(u - x, v - y))
    joints.append((-ends[-1][1][0], -ends[-1][1][1]))
    moved = []
    for curve, before, after in zip(curves, joints, joints[1:], strict=False):
        middle = _along(curve[1:]) if math.dist(curve[1], curve[2]) > 1e-6 else before
        ways = (before, before), (before, middle), (middle, after), (after, after)
        moved.append([_beside(point, *way, distance) for point, way in zip(curve, ways, strict=True)])
    return moved


def _beside(point: Point, before: Point, after: Point, distance: float) -> Point:
    """Return where a corner, come to and left in these directions, is on a way `distance` to the left."""
    (x, y), (u, v) = before, after
    far = distance / max(0.5, 1 + x * u + y * v)
    return point[0] + (y + v) * far, point[1] - (x + u) * far


def _along(curve: Curve) -> Point:
    """Return the direction in which a curve starts."""
    start = curve[0]
    other = next((point for point in curve[1:] if math.dist(start, point) > 1e-6), (start[0], start[1] - 1))
    return _unit(other[0] - start[0], other[1] - start[1])


def _unit(x: float, y: float) -> Point:
    size = math.hypot(x, y) or 1.0
    return x / size, y / size
