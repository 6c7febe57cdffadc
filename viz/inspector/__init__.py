"""`inspect`: a graph one can walk through, in one HTML file.

The page holds the drawing and one at another level of detail, where the graph has one, and everything that is known of
every node and edge they show.
"""

from __future__ import annotations

from typing import Any

from minigrad.paths import Flow

from ..drawing import figure_of
from ..figure import Figure
from ..scene import LEVELS, Level, Measure, Scene
from ..shares import default_flow
from ..study import Study, Subject, study
from ..svg import render
from ..telling import WHOLE
from ..words import plain
from . import document, light, views
from .facts import Facts, rich

__all__ = ["inspect", "page"]


def inspect(
    subject: Subject,
    *,
    flow: Flow | None = None,
    edges: Measure = "magnitude",
    level: Level = "cell",
    theme: str = "auto",
    steps: int | None = None,
    step: int | None = None,
) -> Figure:
    """Return a figure whose `html` is the inspector of `subject`: one file that works without a network.

    `subject` is what `viz.draw` takes. `flow` says which gradient can be lit up path by path; by default it is that
    of the loss in the recurrent weight. `edges` says what the arrows of the drawings show, as in `viz.draw`. `level`
    is the one shown first, `steps` how many steps are shown at most, `step` the one that is open where `level` is
    `"open"`.
    Raises ValueError for a level, theme, step or measure that does not exist, and for shares of a subject without a
    loss.

    >>> import rnn, viz
    >>> figure = viz.inspect(rnn.read("hello", rnn.LSTM))
    >>> figure.html[:15], "//" in figure.html.replace("http://www.w3.org/2000/svg", "").split("<script")[0]
    ('<!DOCTYPE html>', False)
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    found = study(subject, flow, edges)
    if found.loss is None and flow is not None:
        found = study(flow.y, flow, edges)
    return figure_of(found, level, theme, steps, flow=flow, step=step)


def page(figure: Figure) -> str:
    """Return the page of `figure`: the inspector if it was drawn of a graph, else a page to pan and zoom."""
    shown = _views(figure)
    title, about = figure.sheet.title, figure.sheet.about
    if not shown:
        drawing = (figure.sheet.identity, render(figure.sheet, "auto"))
        return document.html(title, about, [drawing], {"title": title, "theme": figure.theme, "views": [_NOTHING]})
    behind = figure.behind
    assert behind is not None
    seen = behind.study
    flow = behind.flow or _flow(seen)
    found = None if flow is None else light.light(seen, flow)
    numbers = {node: place for place, node in enumerate(dict.fromkeys(n for v in shown for n in v.nodes()))}
    shares = {} if flow is None else flow.edge_shares
    layers = light.several(seen.kinds)
    facts = Facts(seen.run, seen.sweep, shares, seen.timeline.users, behind.sites, layers)
    scene = shown[0].scene
    data: dict[str, Any] = {
        "title": rich(scene.title),
        "sentence": rich(scene.sentence),
        "proof": rich(scene.proof),
        "theme": figure.theme,
        "nodes": facts.of(numbers),
        "views": [views.tell(each, numbers, found) for each in shown],
        "flow": None if found is None else light.tell(found),
    }
    about = " ".join(plain(text) for text in (scene.subtitle, scene.sentence, scene.proof) if text)
    return document.html(title, about, [(each.figure.sheet.identity, each.svg()) for each in shown], data)


_NOTHING: dict[str, Any] = {
    "level": "", "origin": [0, 0], "boxes": [], "edges": [], "tags": [], "cells": [], "bundles": {}, "order": [],
}  # fmt: skip


def _views(figure: Figure) -> list[views.View]:
    """Return `figure` and the other level of detail, where it has one, with as many steps if more were asked for."""
    first = views.view(figure)
    if first is None or figure.behind is None:
        return []
    other: Level = "op" if first.scene.level == "cell" else "cell"
    shown = sum(column.kind == "step" for column in first.scene.columns)
    asked = shown if shown > WHOLE.get(first.scene.level, shown) else None
    second = views.view(figure_of(figure.behind.study, other, figure.theme, asked, sites=figure.behind.sites))
    different = second is not None and isinstance(second.scene, Scene) and second.scene.level != first.scene.level
    return [first, second] if second is not None and different else [first]


def _flow(found: Study) -> Flow | None:
    """Return the flow from the recurrent weight, or the first parameter that the loss depends on."""
    weight = None if found.proof is None else found.proof.weight
    return default_flow(None if found.sweep is None else found.loss, weight, found.timeline.nodes, found.run)
