"""A backward pass in frames, one slide each: the gradient comes back step by step."""

from __future__ import annotations

import dataclasses

from .figure import Figure
from .formats import picture_of
from .layout.picture import Picture, compose
from .scene import Scene
from .words import Run, plain


def frames(figure: Figure) -> list[Figure]:
    """Return the frames of the backward pass that `figure` draws, all laid out alike: first the forward pass alone.

    Each further frame adds the gradient that flows inside one more column, from the last to the first, on the
    figure's own scale. Raises UnsupportedFormat for a chart, ValueError for a figure without a gradient.

    >>> import rnn, viz
    >>> shown = viz.frames(viz.draw(rnn.read("hello", rnn.RNN)))
    >>> len(shown), sum(edge.mark is not None for edge in shown[0].scene.edges)
    (5, 0)
    """
    placed = picture_of(figure, "a series of frames")
    whole = figure.scene
    assert isinstance(whole, Scene)
    column = {box.id: box.column for box in whole.boxes}
    reached = sorted({column[edge.target] for edge in whole.edges if edge.mark}, reverse=True)
    if not reached:
        raise ValueError("frames: the figure has no gradient; draw a scalar loss whose inputs are all known")
    found = []
    for number in range(len(reached) + 1):
        back = set(reached[:number])
        said = (
            "Forward pass: no gradient yet."
            if not number
            else f"to {plain(whole.columns[reached[number - 1]].header)}."
        )
        said = (
            said
            if not number
            else f"Backward pass, frame {number} of {len(reached)}: the gradient has come back {said}"
        )
        found.append(_frame(whole, placed, figure.theme, said, {e.id for e in whole.edges if column[e.target] in back}))
    return found


def _frame(whole: Scene, placed: Picture, theme: str, said: str, shown: set[str]) -> Figure:
    """Return the figure with the gradient on the edges `shown` alone, where the whole figure has it."""
    edges = {edge.id: edge if edge.id in shown else dataclasses.replace(edge, mark=None) for edge in whole.edges}
    scene = dataclasses.replace(whole, subtitle=(Run(said),), edges=tuple(edges.values()))
    picture = compose(dataclasses.replace(placed.scene, subtitle=(Run(said),)), placed.body)
    wires = [(edges[edge.id], route) for edge, route in placed.body.wires]
    return Figure(
        scene,
        theme,
        picture=dataclasses.replace(picture, scene=scene, body=dataclasses.replace(placed.body, wires=wires)),
    )
