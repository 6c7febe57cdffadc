"""Layout by Graphviz: a scene goes out as DOT, its boxes and edges alone, and comes back with coordinates.

Only places and routes are Graphviz's. Boxes have the sizes of our own layouts and no label is sent, so no font is asked
for; everything is drawn with the same inks, and the gradient runs back beside each edge on the same side.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import graphviz

from ..scene import Box, Column, Scene
from ..words import width
from .routes import Arrow, Path, Point, curve_arrow, outside
from .sizes import BESIDE, NOTE, OP, TEXT, box_size, chip_row, op_row
from .spot import Spot
from .stamp import Body, Route, Word

Answer = Mapping[str, Any]
"""What Graphviz says, as its `-Tjson` writes it."""
Curve = Sequence[Point]

SIDE, HEAD, FOOT = 2.0, 8.0, 34.0
"""Room at the sides (Graphviz rounds), above everything, and under the steps for their headers."""
CLEAR = 2.5
"""Distance of a gradient arrow from the boxes at its ends."""
_SHAPES = {"input": "circle", "pointwise": "circle", "junction": "circle", "state": "ellipse", "loss": "diamond"}


def source(scene: Scene) -> str:
    """Return `scene` as DOT: data runs up, every step is a cluster, and what runs between steps moves no row.

    Graphviz puts clusters in an order of its own, which most often is that of time if the last comes first.
    """
    found = graphviz.Digraph(
        graph_attr={"rankdir": "BT", "nodesep": "0.25", "ranksep": "0.4"},
        node_attr={"label": "", "fixedsize": "true", "shape": "box"},
        edge_attr={"arrowhead": "none"},
    )
    home = _homes(scene)
    number = {box.id: f"n{place}" for place, box in enumerate(scene.boxes)}
    timed = len(set(home.values())) > 1
    for column in reversed(scene.columns):
        boxes = [box for box in scene.boxes if home[box.column] == column.index]
        if boxes and timed:
            with found.subgraph(name=f"cluster_{column.index}", graph_attr={"margin": "12"}) as step:
                _nodes(step, boxes, number)
                if column.kind == "gap":
                    step.node(f"g{column.index}", width=_inches(width(column.header, TEXT)), height=_inches(TEXT))
        else:
            _nodes(found, boxes, number)
    where = {box.id: home[box.column] for box in scene.boxes}
    for place, edge in enumerate(scene.edges):
        constraint = "true" if where[edge.source] == where[edge.target] else "false"
        found.edge(number[edge.source], number[edge.target], id=f"e{place}", constraint=constraint)
    return str(found.source)


def _homes(scene: Scene) -> dict[int, int]:
    """Return for every column the one it stands in: states given from outside stand in the first or last step."""
    steps = [column.index for column in scene.columns if column.kind != "initial"]
    return {
        column.index: column.index if column.kind != "initial" else steps[0 if column.index < steps[0] else -1]
        for column in scene.columns
    }


def _nodes(graph: graphviz.Digraph, boxes: Sequence[Box], number: Mapping[str, str]) -> None:
    for box in boxes:
        wide, high = box_size(box)
        beside = 2 * (width(box.note, NOTE) + 8) if _noted(box) else 0.0
        shape = _SHAPES.get(box.role, "box")
        graph.node(number[box.id], width=_inches(wide + beside), height=_inches(high), shape=shape)


def _noted(box: Box) -> bool:
    """Tell whether words stand at the left of the box."""
    return bool(box.note) and box.role in ("loss", "output")


def _inches(points: float) -> str:
    return f"{points / 72:.5f}"


def body(scene: Scene, answer: Answer) -> Body:
    """Return `scene` with the coordinates of `answer`, its mirror image if time would run left."""
    wide, high = (float(side) for side in answer["bb"].split(",")[2:])
    middles = {each["name"]: _points(each["pos"])[0] for each in answer["objects"] if "pos" in each}
    columns = [box.column for box in scene.boxes]
    turned = _falls(columns, [middles[f"n{place}"][0] for place in range(len(columns))])

    def at(point: Point) -> Point:
        return (SIDE + (wide - point[0] if turned else point[0]), HEAD + high - point[1])

    corners = {each["name"]: each["bb"] for each in answer["objects"] if "bb" in each}
    found = Body(wide + 2 * SIDE, HEAD + high + (FOOT if corners else HEAD))
    for place, box in enumerate(scene.boxes):
        _box(found, box, Spot(*at(middles[f"n{place}"]), *box_size(box)))
    lines = {each["id"]: each["pos"] for each in answer.get("edges", ()) if "pos" in each}
    spots = {box.id: spot for box, spot in found.boxes}
    for place, edge in enumerate(scene.edges):
        points = [at(point) for point in _points(lines[f"e{place}"])]
        curves = [points[i : i + 4] for i in range(0, len(points) - 1, 3)]
        found.wires.append((edge, _route(curves, spots[edge.source], spots[edge.target])))
    for column in scene.columns:
        if f"cluster_{column.index}" in corners:
            left, _, right, _ = (float(side) for side in corners[f"cluster_{column.index}"].split(","))
            found.bands.append((column, Spot(at(((left + right) / 2, 0.0))[0], 0.0, right - left, 0.0)))
            _header(found, column, middles, at)
    found.bands.sort(key=lambda band: band[1].x)
    return found


def _falls(columns: Sequence[int], x: Sequence[float]) -> bool:
    """Tell whether `x` falls, on the whole, from column to column."""
    mean = sum(columns) / max(1, len(columns))
    return sum((column - mean) * at for column, at in zip(columns, x, strict=True)) < 0


def _header(found: Body, column: Column, middles: Mapping[str, Point], at: Any) -> None:
    """Say, where steps are hidden, how many."""
    if column.kind == "gap":
        x, y = at(middles[f"g{column.index}"])
        found.words.append(Word(column.header, x, y + 0.35 * TEXT, TEXT, "middle", "header"))


def _points(said: str) -> list[Point]:
    """Return the points Graphviz lists.

    >>> _points("1,2 3.5,-4")
    [(1.0, 2.0), (3.5, -4.0)]
    """
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in said.split())]


def _box(found: Body, box: Box, spot: Spot) -> None:
    """Place a box with its tags and the words beside it."""
    found.boxes.append((box, spot))
    words = f"{box.id} words"
    if box.tags and box.role == "op":
        chips, start = op_row(box, spot)
        found.words.append(Word(box.label, start, spot.y + 5, OP, "start", "label", words))
    else:
        chips = chip_row(box, spot)
    found.chips += zip(box.tags, chips, strict=True)
    if _noted(box):
        found.words.append(Word(box.note, spot.left - 8, spot.y + NOTE * 0.35, NOTE, "end", "note", words))


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
