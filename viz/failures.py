"""A failed gradient check, drawn: the graph with the wrong edges marked.

An entry point of the group `minigrad.failure`: pytest's report and `minigrad check` name the file that it saves.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .drawing import draw
from .figure import Figure
from .labels import name_of
from .scene import Box, Mark, Scene
from .words import Rich, Run

if TYPE_CHECKING:
    from minigrad import Node
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
    return f"the graph, its wrong edges marked: {path}" if finding.edges else f"the graph: {path}"


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
    said = dataclasses.replace(
        scene,
        boxes=tuple(_by_its_name(box, behind.members[box.id]) for box in scene.boxes),
        edges=edges,
        title=(Run(f"Gradient check failed: {finding.subject}"),),
        subtitle=(Run(finding.law),),
        sentence=_numbers(finding),
        proof=(),
        note=(),
    )
    return Figure(said, figure.theme, behind)


def _by_its_name(box: Box, nodes: Sequence[Node]) -> Box:
    """An input by the name that the failure calls it, not by its step."""
    named = [node.name for node in nodes if node.op.name == "input" and node.name]
    return dataclasses.replace(box, label=name_of(named[0])) if len(named) == 1 and box.role == "input" else box


def _numbers(finding: Finding) -> Rich:
    """The element that is wrong, and by how much."""
    if finding.got is None or finding.expected is None:
        return (Run(finding.element or finding.detail),)
    got, expected = (f"{float(number):.6g}" for number in (finding.got, finding.expected))
    return (Run(f"{finding.element or 'the sum'}: got {got}, expected {expected}."),)
