"""One level of detail as the inspector shows it: the drawing, and what stands behind its boxes and edges."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import minigrad as mg
from minigrad import Edge as Use
from minigrad import Node

from ..figure import Figure
from ..layout.spot import Spot
from ..measure import mark, norm
from ..scene import Edge, Mark, Scale, Scene, Tag
from ..shares import shared
from ..study import Study
from ..svg import render
from ..words import one_line, plain
from .facts import digits
from .light import Cells, Light

Json = Any

MOST_BITS = 8_000_000
"""Boxes times edges up to which the file holds, for every box, the edges of all paths through it."""

SHUT = Spot(0, 0, 184, 104)
"""Size of a closed cell where the drawing gives cells no frame."""


@dataclass(slots=True)
class View:
    """A figure with the nodes behind its boxes and the uses behind its edges."""

    figure: Figure
    scene: Scene
    members: Mapping[str, Sequence[Node]]
    uses: Mapping[str, Sequence[Use]]
    study: Study

    def nodes(self) -> Iterable[Node]:
        """Yield every node that stands behind a box, or is a parameter of one, repeats included."""
        for box in self.scene.boxes:
            yield from self.members[box.id]
        for item in self.scene.dock:
            yield from self.members[item.id]

    def svg(self) -> str:
        """The drawing, every part of which the page can find and the keyboard can reach."""
        boxes = [*(box.id for box in self.scene.boxes), *(item.id for item in self.scene.dock)]
        marks = {box: f' data-box="{place}" role="button" tabindex="-1"' for place, box in enumerate(boxes)}
        marks |= {f"{box} words": f' data-words="{place}"' for place, box in enumerate(boxes)}
        marks |= {edge.id: f' data-edge="{place}"' for place, edge in enumerate(self.scene.edges)}
        marks |= {cell.id: f' data-cell="{place}"' for place, cell in enumerate(self.scene.cells)}
        marks |= {tag.id: f' data-tag="{place}"' for place, (_, tag) in enumerate(self.tags())}
        return render(self.figure.sheet, "auto", marks).replace('role="img"', 'role="group"', 1)

    def tags(self) -> list[tuple[int, Tag]]:
        """Return every use of a parameter with the place of its box."""
        return [(place, tag) for place, box in enumerate(self.scene.boxes) for tag in box.tags]


def view(figure: Figure) -> View | None:
    """Return `figure` with what is behind it, if anything is: of its scene, what the layout had a place for."""
    behind = figure.behind
    if behind is None or not isinstance(figure.scene, Scene):
        return None
    return View(figure, figure.picture.scene, behind.members, behind.uses, behind.study)


def tell(shown: View, numbers: Mapping[Node, int], found: Light | None) -> Json:
    """Return what the page needs to know of `shown`, nodes by their `numbers`."""
    shares = {} if found is None else found.flow.edge_shares
    scene, picture = shown.scene, shown.figure.picture
    scale = scene.scale
    spots = {box.id: spot for box, spot in picture.body.boxes}
    cells = {(cell.key, cell.column): place for place, cell in enumerate(scene.cells)}
    places = {box.id: place for place, box in enumerate(scene.boxes)}
    owner = {box.id: cells.get((box.cell, box.column), -1) for box in scene.boxes}
    edges = [
        {"from": places[edge.source], "to": places[edge.target], **_flow(shown.uses[edge.id], shares, edge.mark, scale)}
        for edge in scene.edges
    ]
    docked = {item.id: len(scene.boxes) + place for place, item in enumerate(scene.dock)}
    tags = [
        {"box": place, "dock": docked[tag.parameter], **_flow(shown.uses[tag.id], shares, None, scale)}
        for place, tag in shown.tags()
    ]
    if found is not None:
        groups = [shown.members[box.id] for box in scene.boxes]
        lines = [*(edge.id for edge in scene.edges), *(tag.id for _, tag in shown.tags())]
        uses = [shown.uses[line] for line in lines]
        for told, lit in zip([*edges, *tags], _lit(found, groups, uses), strict=True):
            told.update(lit)
    return {
        "level": scene.level,
        "identity": shown.figure.sheet.identity,
        "origin": [round(at, 1) for at in picture.origin],
        "boxes": [*_boxes(shown, numbers, owner, spots), *_dock(shown, numbers)],
        "edges": edges,
        "tags": tags,
        "cells": _cells(shown, owner, spots),
        "bundles": _bundles(shown, places, owner, shares),
        "order": order(shown),
    }


def _boxes(
    shown: View, numbers: Mapping[Node, int], owner: Mapping[str, int], spots: Mapping[str, Spot]
) -> Iterable[Json]:
    """Yield what the page needs to know of every box; `owner` is the place of its cell, -1 for none."""
    for box in shown.scene.boxes:
        yield {
            "label": plain(box.label) or plain(box.note) or "·",
            "role": box.role,
            "t": plain(shown.scene.columns[box.column].header),
            "cell": owner[box.id],
            "nodes": [numbers[node] for node in _main_last(shown.members[box.id])],
            "spot": corners(spots[box.id]),
        }


def _dock(shown: View, numbers: Mapping[Node, int]) -> Iterable[Json]:
    """Yield the same of every parameter in the dock."""
    picture = shown.figure.picture
    for item, spot in picture.dock:
        yield {
            "label": plain(item.label),
            "role": "parameter",
            "t": "",
            "cell": -1,
            "nodes": [numbers[node] for node in shown.members[item.id]],
            "spot": corners(spot.moved(-picture.origin[0], -picture.origin[1])),
        }


def _main_last(members: Sequence[Node]) -> list[Node]:
    """Return the nodes of a box, the one it is named after at the end."""
    named = [node for node in members if node.name is not None and node.args]
    main = named[-1] if named else members[-1]
    return [*(node for node in members if node is not main), main]


def corners(spot: Spot) -> list[float]:
    """Return left, top, width and height."""
    return [round(value, 1) for value in (spot.left, spot.top, spot.w, spot.h)]


def order(shown: View) -> list[int]:
    """Return the places of the boxes in the order in which they are computed, what is given first.

    A box comes after what feeds it; among those that could be next, the one whose node was made first.
    """
    places = {box.id: place for place, box in enumerate(shown.scene.boxes)}
    made = [max((node.id for node in shown.members[box.id] if node.args), default=-1) for box in shown.scene.boxes]
    waits = Counter(places[edge.target] for edge in shown.scene.edges)
    users: dict[int, list[int]] = {}
    for edge in shown.scene.edges:
        users.setdefault(places[edge.source], []).append(places[edge.target])
    ready = [(made[place], place) for place in range(len(made)) if not waits[place]]
    heapq.heapify(ready)
    found: list[int] = []
    while ready:
        _, place = heapq.heappop(ready)
        found.append(place)
        for user in users.get(place, ()):
            waits[user] -= 1
            if not waits[user]:
                heapq.heappush(ready, (made[user], user))
    rest = sorted(set(range(len(made))) - set(found), key=lambda place: (made[place], place))
    return [*found, *rest]


def _lit(found: Light, boxes: Sequence[Sequence[Node]], edges: Sequence[Sequence[Use]]) -> Iterable[Json]:
    """Yield for every edge what lights it: the boxes (`met`, bits in hexadecimal), gates, paths and (t, k) cells."""
    gates = list(found.gates().values())
    small = len(boxes) * len(edges) <= MOST_BITS
    met = found.met([*gates, *(boxes if small else ())])
    ways = [set(path.edges) for path in found.ranking.paths]
    for uses in edges:
        bits = reduce(or_, (met.get(use, 0) for use in uses), 0)
        told: dict[str, Json] = {"gates": [place for place in range(len(gates)) if bits >> place & 1]}
        if small:
            told["met"] = f"{bits >> len(gates):x}"
        told["paths"] = [place for place, way in enumerate(ways) if any(use in way for use in uses)]
        if found.cells and found.table is not None:
            told["cells"] = _sparse([found.cells[use] for use in uses if use in found.cells], found.table.steps)
        yield told


def _sparse(uses: Sequence[Cells], steps: int) -> list[Json]:
    """Return the sums of the shares of several uses: place t * steps + k, share, place, share ..."""
    sums: dict[tuple[int, int], float] = {}
    for cells in uses:
        for cell, share in cells.items():
            sums[cell] = sums.get(cell, 0.0) + share
    return [part for (t, k), share in sorted(sums.items()) for part in (t * steps + k, digits(share))]


def _flow(uses: Sequence[Use], shares: Mapping[Use, float], found: Mark | None, scale: Scale) -> Json:
    told: dict[str, Json] = {}
    if found is not None:
        told = {"state": found.state, "norm": digits(found.norm), "gain": digits(found.gain)}
    if found is not None and found.state == "measured":
        told["width"] = round(scale.width(found.size), 1)
        told["style"] = "below" if scale.below(found.size) else f"g{found.bin}"
    on_path = [shares[use] for use in uses if use in shares]
    if on_path:
        told["share"] = digits(sum(on_path))
    return told


def _cells(shown: View, owner: Mapping[str, int], spots: Mapping[str, Spot]) -> list[Json]:
    frames = {cell.id: spot for cell, spot in shown.figure.picture.body.frames}
    inside: dict[int, list[str]] = {}
    for identity, place in owner.items():
        inside.setdefault(place, []).append(identity)
    timeline = shown.study.timeline
    told = []
    for place, cell in enumerate(shown.scene.cells):
        boxes = inside.get(place, [])
        spot = frames.get(cell.id) or _middle([spots[identity] for identity in boxes])
        nodes = {node for identity in boxes for node in shown.members[identity] if node.args}
        told.append(
            {
                "title": cell.title,
                "name": one_line(cell.title.split(" cell")[0], 16),
                "key": cell.key,
                "t": plain(shown.scene.columns[cell.column].header),
                "spot": corners(spot),
                "framed": cell.id in frames,
                "steps": len(timeline.times),
                "operations": len(nodes),
            }
        )
    return told


def _middle(spots: Sequence[Spot]) -> Spot:
    if not spots:
        return SHUT
    left, right = min(spot.left for spot in spots), max(spot.right for spot in spots)
    top, bottom = min(spot.top for spot in spots), max(spot.bottom for spot in spots)
    return SHUT.moved((left + right) / 2, (top + bottom) / 2)


def _bundles(shown: View, places: Mapping[str, int], owner: Mapping[str, int], shares: Mapping[Use, float]) -> Json:
    """Return the summed flow between every two ends of which at least one is a closed cell.

    A box's place is its number, a cell's is `c` and its number; the key is `from>to`.
    """
    together: dict[str, list[Edge]] = {}
    for edge in shown.scene.edges:
        from_cell, to_cell = owner[edge.source], owner[edge.target]
        if from_cell == to_cell:
            continue
        starts = [str(places[edge.source])] + ([f"c{from_cell}"] if from_cell >= 0 else [])
        ends = [str(places[edge.target])] + ([f"c{to_cell}"] if to_cell >= 0 else [])
        for start in starts:
            for end in ends:
                if start[0] == "c" or end[0] == "c":
                    together.setdefault(f"{start}>{end}", []).append(edge)
    scale = shown.scene.scale
    return {key: _bundle(shown, edges, shares, scale) for key, edges in together.items()}


def _bundle(shown: View, edges: Sequence[Edge], shares: Mapping[Use, float], scale: Scale) -> Json:
    uses = list(dict.fromkeys(use for edge in edges for use in shown.uses[edge.id]))
    found = edges[0].mark if len(edges) == 1 else _summed(uses, shown.study)
    return {**_flow(uses, shares, found, scale), "edges": len(edges)}


def _summed(uses: Sequence[Use], study: Study) -> Mark | None:
    """Return what `uses` send back together, summed for every argument."""
    if study.sweep is None:
        return None
    sums: dict[Node, Any] = {}
    for use in uses:
        term = study.sweep.sent.get(use)
        if term is not None:
            known = sums.get(use.argument)
            sums[use.argument] = term if known is None else mg.ops.add(known, term)
    if not sums:
        return None
    adjoints = [study.sweep.adjoints[use.user] for use in uses if use.user in study.sweep.adjoints]
    found = mark(norm(*sums.values()), norm(*adjoints))
    return found if study.shared is None else shared(found, uses, study.shared)
