"""What the inspector tells about one node: op, shape, numbers, maths, source line, and what flows in and out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import Edge, Node, Run
from minigrad.node import Array

from .. import formula, words
from ..measure import Sweep, norm
from ..words import Rich, clean, one_line

Json = Any

MOST_NUMBERS = 200_000
"""Numbers of values and adjoints in one file; beyond it every array shows fewer of its own."""
FEWEST, MOST = 4, 256


@dataclass(slots=True)
class Facts:
    """Looks up what is known of the nodes of one graph, each written once and referred to by its number."""

    run: Run | None
    sweep: Sweep | None
    shares: Mapping[Edge, float]
    users: Mapping[Node, list[Edge]]
    sites: bool = True
    layers: bool = False

    def of(self, nodes: Mapping[Node, int]) -> list[Json]:
        """Return the facts of `nodes`, in the order of their numbers."""
        room = max(FEWEST, min(MOST, MOST_NUMBERS // max(1, 2 * len(nodes))))
        return [self._node(node, nodes, room) for node in nodes]

    def _node(self, node: Node, numbers: Mapping[Node, int], room: int) -> Json:
        found: dict[str, Json] = {
            "name": rich(formula.name(node, self.layers)),
            "op": node.op.name,
            "shape": list(node.shape),
            "dtype": str(node.dtype),
            "site": one_line(node.site, 80) if self.sites else "",
            "scope": one_line(str(node.scope), 120),
        }
        if node.name is not None:
            found["called"] = clean(node.name[:200])
        if isinstance(t := node.scope.get("t"), int) and t >= 0:
            found["t"] = t + 1
        if node.args:
            found["computes"] = rich(formula.computes(node, self.layers))
        if self.run is not None and node in self.run:
            found["value"] = numbers_of(self.run[node], room)
        if self.sweep is not None and node in self.sweep.adjoints:
            found["adjoint"] = numbers_of(self.sweep.adjoints[node], room)
        names = formula.argument_names(node, self.layers)
        found["into"] = [self._edge(Edge(node, slot), names, numbers) for slot in range(len(node.args))]
        found["out"] = [self._use(use, numbers) for use in self.users.get(node, ())]
        return found

    def _use(self, use: Edge, numbers: Mapping[Node, int]) -> Json:
        """Return a use by the number of its user, whose own facts tell the rest; or the rest, if that is not shown."""
        if use.user in numbers:
            return {"node": numbers[use.user], "slot": use.slot}
        return {"label": rich(formula.name(use.user, self.layers)), **self._flow(use)}

    def _flow(self, use: Edge) -> dict[str, Json]:
        """Return the size of what comes back over a use, and its share."""
        sent = None if self.sweep is None else self.sweep.sent.get(use)
        found = {} if sent is None else {"norm": digits(norm(sent))}
        return found | ({"share": digits(self.shares[use])} if use in self.shares else {})

    def _edge(self, edge: Edge, names: formula.Names, numbers: Mapping[Node, int]) -> Json:
        node, slot = edge
        arg = edge.argument
        found: dict[str, Json] = {"label": rich(names[arg]), "op": arg.op.name}
        if arg in numbers:
            found["node"] = numbers[arg]
        flow = self._flow(edge)
        if "norm" in flow:
            found["local"] = rich(formula.local(node, slot, self.layers))
            above = (words.Run("∂L/∂"), *formula.name(node, self.layers))
            found["sends"] = rich(formula.sends(node, slot, above, self.layers))
        return found | flow


def rich(text: Rich) -> Json:
    """Return `text` for JSON: a string, or a list of strings and [text, 1 for below or 2 for above the line]."""
    if all(not run.shift for run in text):
        return clean("".join(run.text for run in text))
    return [[clean(run.text), 1 if run.shift == "sub" else 2] if run.shift else clean(run.text) for run in text]


def digits(value: float) -> Json:
    """Return `value` with 4 significant digits; what JSON has no number for as a word.

    >>> digits(0.123456), digits(float("nan")), digits(float("-inf")), digits(3.0)
    (0.1235, 'NaN', '-∞', 3)
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == int(value) and abs(value) < 1e15:
        return int(value)
    return float(f"{value:.4g}")


def numbers_of(array: Array, room: int) -> Json:
    """Return an array's norm, range, and its first numbers, `room` at most."""
    flat = np.asarray(array).ravel()
    found: dict[str, Json] = {"size": int(flat.size), "first": [digits(float(entry)) for entry in flat[:room]]}
    if flat.size and array.dtype.kind in "fiub":
        values = flat.astype(float)
        found |= {"norm": digits(norm(values)), "low": digits(float(values.min())), "high": digits(float(values.max()))}
        found["odd"] = int(np.count_nonzero(~np.isfinite(values)))
    return found
