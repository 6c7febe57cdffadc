"""A backward pass in frames, one slide each: the gradient comes back step by step."""

from __future__ import annotations

import dataclasses

from .figure import Figure
from .formats import picture_of
from .layout.picture import Picture, compose
from .scene import Box, Scene
from .words import Run, plain


def frames(figure: Figure) -> list[Figure]:
    """Return the frames of the backward pass that `figure` draws, all laid out alike: first the forward pass alone.

    Each further frame adds the gradient that flows inside one more column, from the last to the first, on the
    figure's own scale. Raises UnsupportedFormat for a chart, ValueError for a figure without a gradient, and for a
    rolled one, whose steps are one drawing.

    >>> import rnn, viz
    >>> shown = viz.frames(viz.draw(rnn.read("hello", rnn.RNN)))
    >>> len(shown), sum(edge.mark is not None for edge in shown[0].scene.edges)
    (5, 0)
    """
    placed = picture_of(figure, "a series of frames")
    whole = figure.scene
    assert isinstance(whole, Scene)
    if whole.level == "rolled":
        raise ValueError("frames: a rolled figure draws all steps as one; draw the net at another level")
    column = {box.id: box.column for box in whole.boxes}
    reached = sorted({column[edge.target] for edge in whole.edges if edge.mark}, reverse=True)
    if not reached:
        raise ValueError("frames: the figure has no gradient; draw a scalar loss whose inputs are all known")
    both = any(column[edge.source] > column[edge.target] for edge in whole.edges)
    said = ", column by column: the gradient of" if both else ": the gradient has come back to"
    found = [_frame(whole, placed, figure.theme, "Forward pass: no gradient yet.", set())]
    for number, at in enumerate(reached, 1):
        words = f"Backward pass, frame {number} of {len(reached)}{said} {plain(whole.columns[at].header)}."
        back = {box for box, place in column.items() if place in reached[:number]}
        found.append(_frame(whole, placed, figure.theme, words, back))
    return found


def _frame(whole: Scene, placed: Picture, theme: str, said: str, back: set[str]) -> Figure:
    """Return the figure with the gradient inside the boxes `back` and on the edges that end there, and nowhere else."""
    edges = {edge.id: edge if edge.target in back else dataclasses.replace(edge, mark=None) for edge in whole.edges}
    boxes = {box.id: box if box.id in back else _waiting(box) for box in whole.boxes}
    scene = dataclasses.replace(whole, subtitle=(Run(said),), edges=tuple(edges.values()), boxes=tuple(boxes.values()))
    picture = compose(dataclasses.replace(placed.scene, subtitle=(Run(said),)), placed.body)
    tags = {tag.id: tag for box in boxes.values() for tag in box.tags}
    body = dataclasses.replace(
        placed.body,
        wires=[(edges[edge.id], route) for edge, route in placed.body.wires],
        chips=[(tags[tag.id], spot) for tag, spot in placed.body.chips],
    )
    return Figure(scene, theme, picture=dataclasses.replace(picture, scene=scene, body=body))


def _waiting(box: Box) -> Box:
    """Return `box` before the gradient has come: no share leaves through its tags, which keep the room for it."""
    room = (Run(" "),)
    tags = (dataclasses.replace(tag, mark=None, note=room if tag.note else ()) for tag in box.tags)
    return dataclasses.replace(box, tags=tuple(tags))
