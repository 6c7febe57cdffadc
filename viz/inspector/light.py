"""What the reader can light up: a (t, k) cell, a lag, a gate, a path; which edges that is, and their shares.

The share of an edge in a cell (t, k) is what loss t sends back over it, times the tangent that the use of the
source at step k pushes forward to it: one stacked sweep each way gives it for all cells. Shares of the edges that
any cut crosses sum to the share of the cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import Edge, GradientError, Node
from minigrad.paths import Cotangents, Flow, Paths, Polynomials, Ranking, Rows, Tangents, sweep
from rnn.table import Table

from .. import formula
from ..groups import Kinds
from ..labels import name_of, symbol
from ..study import Study
from ..words import Rich, Run, plain, plural
from .facts import digits, rich

Json = Any
Floats = NDArray[np.float64]
Cells = dict[tuple[int, int], float]

LONGEST = 32
"""Steps up to which single (t, k) cells can be lit edge by edge."""
TABLED = 100
"""Steps up to which the table, the lags and the gates are listed; beyond, only the largest paths."""
LISTED = 8
BUDGET = 20_000
"""Paths listed, and edges tried in the search for them."""


@dataclass(slots=True)
class Light:
    """A flow, and what can be asked about it edge by edge.

    Attributes:
        flow: the paths from the source to the loss.
        table: the (t, k) table, or None where the uses of the source belong to no steps.
        cells: use -> {(t, k): share}, for every (t, k) with a path over this use; empty for long sequences.
        ranking: the largest paths.
        layers: whether the net has more than one, so that names say which.
        long: whether there are too many steps for a table.
    """

    flow: Flow
    ranking: Ranking
    table: Table | None = None
    cells: dict[Edge, Cells] = field(default_factory=dict)
    layers: bool = False
    long: bool = False

    @property
    def source(self) -> Node:
        """Where the paths begin."""
        return self.flow.sources[0]

    def gates(self) -> dict[str, list[Node]]:
        """Return the named nodes of the steps that lie on a path, those of one name, layer and direction together."""
        groups: dict[str, list[Node]] = {}
        for node in self.flow.paths.nodes:
            if node.name is not None and node.args and isinstance(node.scope.get("t"), int):
                groups.setdefault(plain(self.called(node)), []).append(node)
        return groups

    def called(self, node: Node) -> Rich:
        """Return the name of `node` without its step."""
        return formula.name(node, self.layers, step=False)

    def met(self, groups: Sequence[Sequence[Node]]) -> dict[Edge, int]:
        """Return for every use on a path the bits of the groups that some path over this use meets.

        A path meets a group at a node of it; the source itself is met by every path.
        """
        own: dict[Node, int] = {}
        for place, nodes in enumerate(groups):
            for node in nodes:
                own[node] = own.get(node, 0) | 1 << place
        paths = self.flow.paths
        behind, ahead = _reached(paths, own, forward=True), _reached(paths, own)
        return {edge: behind.get(edge.argument, 0) | ahead.get(edge.user, 0) for edge in paths.edges}


def light(study: Study, flow: Flow) -> Light:
    """Return what can be lit of `flow` over the graph of `study`."""
    steps = study.timeline.times[-1] + 1 if study.timeline.timed else 1
    found = Light(flow, flow.top(LISTED, budget=BUDGET), layers=several(study.kinds), long=steps > TABLED)
    losses = study.losses if study.loss is flow.y else [flow.y]
    assert study.run is not None
    if found.long:
        return found
    known = study.run if flow.y in study.run else None
    try:
        found.table = Table(losses, found.source, steps, run=known)
    except GradientError:
        return found
    if steps <= LONGEST:
        with np.errstate(all="ignore"):
            found.cells = _cells(found.table, study.run.values)
    return found


def several(kinds: Kinds) -> bool:
    """Tell whether a net has more than one layer, so that its names have to say which."""
    return len({cell[1] for cell in kinds.cells}) > 1


def _reached(paths: Paths, own: Mapping[Node, int], *, forward: bool = False) -> dict[Node, int]:
    """Return for every node the bits of the nodes that paths come from, or, backward, lead to; its own with them."""
    bits = dict(own)
    for node in paths.nodes if forward else reversed(paths.nodes):
        for edge in paths.into[node] if forward else paths.out[node]:
            bits[node] = bits.get(node, 0) | bits.get(edge.argument if forward else edge.user, 0)
    return bits


def _cells(table: Table, values: Mapping[Node, Any]) -> dict[Edge, Cells]:
    source = table.source
    paths = Paths(table.losses, source, "inspect")
    start = _direction(table.total)
    tangents = Tangents(values)
    forward, backward = Polynomials(tangents, _unmarked), _Recording(Polynomials(Cotangents(values), _unmarked))
    seeds: dict[Node, list[Rows]] = {}
    for edge in paths.out[source]:
        pushed = np.asarray(tangents.along(edge, start))
        seeds.setdefault(edge.user, []).append(Rows(edge.user.scope["t"], pushed[None]))
    begun = {node: rows[0] if len(rows) == 1 else forward.join(node, rows) for node, rows in seeds.items()}
    tangent = dict(sweep(paths, forward, begun, forward=True))
    ends = {loss: Rows(t, np.ones(1, loss.dtype)) for t, loss in enumerate(table.losses) if loss in paths.out}
    uses = {use.user: 0 for use in paths.out[source]}
    for use in paths.out[source]:
        uses[use.user] |= 1 << use.user.scope["t"]
    begins = _reached(paths, uses, forward=True)
    leads = _reached(paths, {loss: 1 << t for t, loss in enumerate(table.losses)})
    cells: dict[Edge, Cells] = {}
    for _ in sweep(paths, backward, ends):
        for edge, sent in backward.carried.items():
            first = edge.user.scope["t"] if edge.argument is source else 0
            come = Rows(first, start[None]) if edge.argument is source else tangent[edge.argument]
            shares = _flat(sent.stack) @ _flat(come.stack).T
            steps = 1 << first if edge.argument is source else begins[edge.argument]
            cells[edge] = {
                (t, k): float(shares[t - sent.start, k - come.start])
                for t in _bits(leads[edge.user])
                for k in _bits(steps)
            }
        backward.carried.clear()
    return cells


def _bits(word: int) -> list[int]:
    return [place for place in range(word.bit_length()) if word >> place & 1]


def _flat(stack: Any) -> Any:
    return stack.reshape(len(stack), -1)


def _direction(gradient: Any) -> Floats:
    """Return g / |g|^2, not a number where g is 0."""
    unit = np.asarray(gradient, float)
    largest = float(np.max(np.abs(unit), initial=0.0))
    if not largest:
        return np.full(unit.shape, np.nan)
    unit = unit / largest
    return np.asarray(unit / np.vdot(unit, unit) / largest)


def _unmarked(_: Edge) -> int:
    return 0


class _Recording:
    """An algebra that keeps what every edge carried."""

    def __init__(self, inner: Polynomials) -> None:
        self.inner = inner
        self.join = inner.join
        self.carried: dict[Edge, Rows] = {}

    def along(self, edge: Edge, value: Rows) -> Rows | None:
        carried = self.inner.along(edge, value)
        if carried is not None:
            self.carried[edge] = carried
        return carried


def tell(found: Light) -> Json:
    """Return the table, the lags, the gates and the paths that the panel lists."""
    source = found.source
    shown: dict[str, Json] = {
        "source": rich(name_of(source.name or source.op.name, layers=found.layers)),
        "long": found.long,
    }
    if found.table is not None:
        shown["table"] = {
            "norm": [[digits(float(entry)) for entry in row] for row in found.table.norm],
            "share": [[digits(float(entry)) for entry in row] for row in found.table.share],
            "present": [[bool(entry) for entry in row] for row in found.table.present],
            "lit": bool(found.cells),
        }
        shown["lags"] = [
            {"lag": lag, "share": digits(part.share), "norm": digits(part.norm)}
            for lag, part in found.table.by_lag().items()
        ]
    shown["gates"] = [
        {"name": rich(found.called(nodes[0])), "steps": plural(len(nodes), "step"), **_part(found.flow, nodes)}
        for nodes in found.gates().values()
        if len(nodes) <= TABLED
    ]
    shown["paths"] = [
        {
            "words": words,
            "length": len(path.edges),
            "share": digits(path.share),
            "norm": digits(path.norm),
        }
        for path, words in zip(found.ranking.paths, _ways(found), strict=True)
    ]
    shown["all"] = _counted(found.flow.count())
    return shown


def _ways(found: Light) -> list[list[Json]]:
    """Return the named nodes along each of the largest paths; all nodes where these alone do not tell two apart."""
    paths = found.ranking.paths
    named = [[formula.name(node, found.layers) for node in path.nodes if node.name is not None] for path in paths]
    shown = []
    for path, words in zip(paths, named, strict=True):
        if named.count(words) > 1:
            words = [formula.name(node, found.layers) if node.name else (Run(symbol(node)),) for node in path.nodes]
        shown.append([rich(word) for word in words])
    return shown


def _counted(count: int) -> str:
    """Return a count of any size in words of a line.

    >>> _counted(12_345), _counted(10**400)
    ('12,345', '1.00e400')
    """
    if count < 10**15:
        return f"{count:,}"
    known = Decimal(count)
    return f"{known.scaleb(-known.adjusted()):.2f}e{known.adjusted()}"


def _part(flow: Flow, nodes: Sequence[Node]) -> Json:
    part = flow.through(list(nodes))
    return {"share": digits(part.share), "norm": digits(part.norm)}
