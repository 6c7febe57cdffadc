"""A failed gradient check, drawn: the graph with the wrong edges marked.

An entry point of the group `minigrad.failure`: pytest's report and `minigrad check` name the file that it saves.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .drawing import draw
from .figure import Figure
from .scene import Mark, Scene

if TYPE_CHECKING:
    from minigrad.testing import Finding

FOLDER = "minigrad-failures"


def save_failure(finding: Finding, folder: str | Path = FOLDER) -> str | None:
    """Save the graph of a failed check as an SVG in `folder`, and say where; None where there is no graph to draw.

    One failure has one file: a check that fails again in the same way writes the same one.
    """
    figure = marked(finding)
    if figure is None:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9]+", "-", finding.subject).strip("-")[:40] or "graph"
    scene = figure.scene
    path = figure.save(Path(folder) / f"{name}-{scene.digest()}.svg")
    return f"the graph, its wrong edges marked: {path}"


def marked(finding: Finding) -> Figure | None:
    """The graph of a failed check, every operation a box, with a double line back along each wrong edge."""
    if finding.graph is None:
        return None
    figure = draw(finding.graph, level="op")
    scene, behind = figure.scene, figure.behind
    if not isinstance(scene, Scene) or behind is None:
        return None
    box_of = {node: box for box, nodes in behind.members.items() for node in nodes}
    wrong = {(box_of.get(edge.argument), box_of.get(edge.user)) for edge in finding.edges}
    edges = tuple(
        dataclasses.replace(edge, mark=Mark("wrong"), title=f"{edge.title}, wrong gradient")
        if (edge.source, edge.target) in wrong
        else edge
        for edge in scene.edges
    )
    return Figure(dataclasses.replace(scene, edges=edges), figure.theme, behind)
