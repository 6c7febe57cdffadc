"""Where everything on a figure stands: a scene goes in, a picture with coordinates comes out."""

from __future__ import annotations

from dataclasses import replace

from ..scene import Scene
from ..words import Run, plural
from . import cells, loops, panel, steps
from .picture import NARROWEST, Picture, compose
from .stamp import Body

SLIDE = 1600.0, 620.0
"""Room for the columns of a figure that has a slide for itself."""

__all__ = ["Picture", "arrange", "by_hand"]


def arrange(scene: Scene, narrowest: float = NARROWEST) -> Picture:
    """Return `scene` with coordinates, at least so wide; the same scene gives the same numbers on every machine."""
    if scene.level == "rolled":
        shown, body = loops.arrange(scene, _rows)
        return compose(shown, panel.beside(body, shown), narrowest)
    found = by_hand(scene, narrowest) if scene.level == "cell" else None
    if found is not None:
        return found
    scene, body = _rows(scene)
    return compose(scene, panel.beside(body, scene), narrowest)


def by_hand(scene: Scene, narrowest: float = NARROWEST) -> Picture | None:
    """Return `scene`, of cells, as one draws it by hand; None if its cells have another shape and stand in rows."""
    try:
        return compose(scene, cells.arrange(scene), narrowest)
    except cells.NotACell:
        return None


def _rows(scene: Scene) -> tuple[Scene, Body]:
    """Return what rows of boxes can show of `scene`, and where."""
    scene = _left_to_right(scene)
    body = steps.arrange(scene)
    if len(scene.columns) == 1 and not scene.columns[0].header and _fit(body) < 1:
        body = max(body, steps.arrange(scene, turned=True), key=_fit)
    return scene, body


def _fit(body: Body) -> float:
    """Return how large the columns can be shown on a slide, title and legend above and below them."""
    return min(SLIDE[0] / max(body.width, NARROWEST), SLIDE[1] / body.height)


def _left_to_right(scene: Scene) -> Scene:
    """Return what rows of operations can show of `scene`: states that run from right to left are left out and counted.

    Such a state would have to leave its step at the left, where the lanes of the other direction come in.
    """
    column = {box.id: box.column for box in scene.boxes}
    lane = {box.id: box.lane for box in scene.boxes}
    backward = {lane[edge.source] for edge in scene.edges if column[edge.source] > column[edge.target]}
    if not backward:
        return scene
    boxes = tuple(box for box in scene.boxes if box.lane not in backward)
    edges = tuple(edge for edge in scene.edges if not {lane[edge.source], lane[edge.target]} & backward)
    lost = sum(column[edge.source] > column[edge.target] for edge in scene.edges)
    kept = {box.column for box in boxes}
    said = Run(f"Not drawn: {plural(lost, 'edge')} from right to left; the level of cells shows them.")
    note = (*scene.note, Run(" "), said) if scene.note else (said,)
    columns = [old for old in scene.columns if old.index in kept]
    place = {old.index: at for at, old in enumerate(columns)}
    return replace(
        scene,
        columns=tuple(replace(old, index=at) for at, old in enumerate(columns)),
        cells=tuple(replace(cell, column=place[cell.column]) for cell in scene.cells),
        boxes=tuple(replace(box, column=place[box.column]) for box in boxes),
        edges=edges,
        note=note,
    )
