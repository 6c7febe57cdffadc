"""Layers, order and positions of a small acyclic graph: what draws a step whose shape is not known.

Sugiyama's scheme: rows by longest path, order within a row by repeated barycentres, positions by
Brandes and Köpf (2002), whose four alignments keep long edges straight. Rows count upward, as data
does. Sizes are those of one step, a few dozen boxes, and ties are broken by the order in which
boxes are given, so the result is the same everywhere.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SWEEPS = 12
BEND = "/"
"""Marks the places where a long edge passes a row; no key contains it at its front."""


@dataclass(slots=True)
class Layers:
    """Rows of names from below, bends included; `above` and `below` are the links between rows."""

    rows: list[list[str]]
    row: dict[str, int]
    above: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    below: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    chains: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def layers(
    names: Sequence[str],
    edges: Sequence[tuple[str, str]],
    anchors: frozenset[str],
    first: frozenset[str],
) -> Layers:
    """Return `names` in rows, ordered with few crossings.

    Rows are counted from `anchors`; names in `first` come first in their row.
    """
    row = _rows(names, edges, anchors)
    found = Layers([[] for _ in range(1 + max(row.values(), default=-1))], row)
    for name in names:
        found.rows[row[name]].append(name)
    for source, target in dict.fromkeys(edges):
        chain = [source]
        for level in range(row[source] + 1, row[target]):
            bend = f"{BEND}{source}{BEND}{target}{BEND}{level}"
            found.row[bend] = level
            found.rows[level].append(bend)
            chain.append(bend)
        chain.append(target)
        found.chains[source, target] = chain
        for low, high in itertools.pairwise(chain):
            found.above[low].append(high)
            found.below[high].append(low)
    _order(found, first)
    return found


def _rows(names: Sequence[str], edges: Sequence[tuple[str, str]], anchors: frozenset[str]) -> dict[str, int]:
    """Return rows by longest path from below; what hangs on no anchor stands just under its first user.

    `names` come in topological order.
    """
    inputs: dict[str, list[str]] = defaultdict(list)
    users: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        inputs[target].append(source)
        users[source].append(target)
    row: dict[str, int] = {}
    held: dict[str, bool] = {}
    for name in names:
        row[name] = max((row[source] + 1 for source in inputs[name]), default=0)
        held[name] = name in anchors or any(held[source] for source in inputs[name])
    for name in reversed(names):
        if users[name] and not held[name]:
            row[name] = min(row[user] for user in users[name]) - 1
    lowest = min(row.values(), default=0)
    return {name: level - lowest for name, level in row.items()}


def _order(found: Layers, first: frozenset[str]) -> None:
    for row in found.rows:
        row.sort(key=lambda name: name not in first)
    best = [list(row) for row in found.rows]
    fewest = None
    for sweep in range(SWEEPS):
        upward = sweep % 2 == 0
        near = found.below if upward else found.above
        levels = range(1, len(found.rows)) if upward else range(len(found.rows) - 2, -1, -1)
        for level in levels:
            beside = found.rows[level - 1 if upward else level + 1]
            place = {name: at for at, name in enumerate(beside)}
            weight = {
                name: (name not in first, _mean([place[other] for other in near[name]], at), at)
                for at, name in enumerate(found.rows[level])
            }
            found.rows[level].sort(key=weight.__getitem__)
        crossings = sum(_crossings(found, level) for level in range(len(found.rows) - 1))
        if fewest is None or crossings < fewest:
            fewest, best = crossings, [list(row) for row in found.rows]
    found.rows = best


def _mean(places: Sequence[int], otherwise: int) -> float:
    return sum(places) / len(places) if places else float(otherwise)


def _crossings(found: Layers, level: int) -> int:
    place = {name: at for at, name in enumerate(found.rows[level + 1])}
    ends = [sorted(place[other] for other in found.above[name]) for name in found.rows[level]]
    flat = [end for row in ends for end in row]
    return sum(a > b for at, a in enumerate(flat) for b in flat[at + 1 :])


def positions(found: Layers, widths: Mapping[str, float], gap: float) -> dict[str, float]:
    """Return the middle of every name, at least `gap` between neighbours: the mean of four alignments."""
    marked = _conflicts(found)
    if not found.row:
        return {}
    sides = itertools.product((False, True), (False, True))
    layouts = [_aligned(found, widths, gap, marked, down, right) for down, right in sides]
    narrow = min(layouts, key=_breadth)
    low = min(narrow.values(), default=0.0)
    for at, layout in enumerate(layouts):
        right = at % 2 == 1
        shift = (max(narrow.values()) - max(layout.values())) if right else low - min(layout.values())
        layouts[at] = {name: x + shift for name, x in layout.items()}
    return {name: sum(sorted(layout[name] for layout in layouts)[1:3]) / 2 for name in found.row}


def _breadth(layout: Mapping[str, float]) -> float:
    return max(layout.values()) - min(layout.values())


def _conflicts(found: Layers) -> set[tuple[str, str]]:
    """Return the links that cross a link between two bends; these give way to it."""
    marked = set()
    for level in range(len(found.rows) - 1):
        low = {name: at for at, name in enumerate(found.rows[level])}
        high = {name: at for at, name in enumerate(found.rows[level + 1])}
        links = [(a, b) for a in found.rows[level] for b in found.above[a]]
        inner = [(a, b) for a, b in links if a[0] == BEND and b[0] == BEND]
        for a, b in links:
            if (a, b) not in inner:
                crossed = any((low[a] - low[c]) * (high[b] - high[d]) < 0 for c, d in inner)
                marked |= {(a, b)} if crossed else set()
    return marked


def _aligned(
    found: Layers,
    widths: Mapping[str, float],
    gap: float,
    marked: set[tuple[str, str]],
    down: bool,
    right: bool,
) -> dict[str, float]:
    """Return one of the four extreme layouts: blocks aligned from above or below, packed left or right."""
    rows = [list(reversed(row)) if right else list(row) for row in found.rows]
    if down:
        rows.reverse()
    near = found.above if down else found.below
    root, follow = _blocks(rows, near, marked, down)
    x = _packed(rows, root, follow, widths, gap)
    return {name: -at if right else at for name, at in x.items()}


def _blocks(
    rows: Sequence[Sequence[str]],
    near: Mapping[str, Sequence[str]],
    marked: set[tuple[str, str]],
    down: bool,
) -> tuple[dict[str, str], dict[str, str]]:
    root = {name: name for row in rows for name in row}
    follow = dict(root)
    for before, row in itertools.pairwise(rows):
        place = {name: at for at, name in enumerate(before)}
        limit = -1
        for name in row:
            linked = sorted((other for other in near[name]), key=place.__getitem__)
            if not linked:
                continue
            for middle in dict.fromkeys(((len(linked) - 1) // 2, len(linked) // 2)):
                other = linked[middle]
                link = (name, other) if down else (other, name)
                if follow[name] == name and link not in marked and limit < place[other]:
                    follow[other], root[name] = name, root[other]
                    follow[name] = root[name]
                    limit = place[other]
    return root, follow


def _packed(
    rows: Sequence[Sequence[str]],
    root: Mapping[str, str],
    follow: Mapping[str, str],
    widths: Mapping[str, float],
    gap: float,
) -> dict[str, float]:
    """Return the leftmost positions that keep blocks straight and neighbours apart (longest path)."""
    left: dict[str, list[tuple[str, float]]] = defaultdict(list)
    order: dict[str, int] = {}
    waiting: dict[str, int] = defaultdict(int)
    right: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for at, name in enumerate(row):
            order.setdefault(root[name], len(order))
            if at:
                other = row[at - 1]
                apart = (widths[name] + widths[other]) / 2 + gap
                left[root[name]].append((root[other], apart))
                right[root[other]].append(root[name])
                waiting[root[name]] += 1
    x: dict[str, float] = {}
    ready = [block for block in order if not waiting[block]]
    while ready:
        block = ready.pop(0)
        x[block] = max((x[other] + apart for other, apart in left[block]), default=0.0)
        for other in right[block]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    _pull(x, order, right, left)
    return {name: x[block] for name, block in root.items()}


def _pull(
    x: dict[str, float],
    order: Mapping[str, int],
    right: Mapping[str, Sequence[str]],
    left: Mapping[str, Sequence[tuple[str, float]]],
) -> None:
    """Move blocks that nothing holds at the left toward their right neighbours."""
    for block in sorted(x, key=lambda b: (-x[b], order[b])):
        if left[block] or not right[block]:
            continue
        reach = (x[other] - apart for other in right[block] for before, apart in left[other] if before == block)
        x[block] = max(x[block], min(reach))
