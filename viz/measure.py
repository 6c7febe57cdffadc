"""The numbers on a figure: values, adjoints, and what every edge sends back before summing.

One sweep on arrays with the engine's own rules; a figure shows no norm that is not computed here. Shares are those of
a flow (shares.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Edge, Node, Run
from minigrad.derivative import pull_edge
from minigrad.node import Array
from minigrad.paths import Flow

from .scene import Mark
from .words import number, percent


@dataclass(frozen=True, slots=True)
class Sweep:
    """One backward pass: the adjoint of every node between the sources and `output`, and every term of it."""

    output: Node
    adjoints: Mapping[Node, Array]
    sent: Mapping[Edge, Array]


def evaluate(outputs: Sequence[Node], flow: Flow | None = None) -> Run | None:
    """Evaluate `outputs`, inputs with what was fed to `flow`; None if an input has no value."""
    feed = {} if flow is None else {node: value for node, value in flow.feed.items() if not node.args}
    if any(node.op.name == "input" and node not in feed for node in mg.walk(outputs)):
        return None
    return mg.run(outputs, feed)


def backward(output: Node, sources: Iterable[Node], run: Run) -> Sweep:
    """Carry the cotangent 1 of the scalar `output` back to `sources`, keeping what every edge sends."""
    order = list(mg.walk(output))
    reached = set(sources)
    for node in reversed(order):
        if not reached.isdisjoint(node.args):
            reached.add(node)
    values = run.values
    terms: dict[Node, list[Array]] = {output: [np.ones(output.shape, output.dtype)]}
    adjoints: dict[Node, Array] = {}
    sent: dict[Edge, Array] = {}
    with np.errstate(all="ignore"):
        for node in order:
            if node not in terms or node.dtype.kind != "f":
                continue
            adjoint = adjoints[node] = np.asarray(mg.ops.add_n(*terms.pop(node)))
            if not node.args:
                continue
            args = [values[arg] for arg in node.args]
            for slot, arg in enumerate(node.args):
                term = pull_edge(node, slot, adjoint, values[node], args) if arg in reached else None
                if term is not None:
                    sent[Edge(node, slot)] = term
                    terms.setdefault(arg, []).append(term)
    return Sweep(output, adjoints, sent)


def norm(*arrays: Any) -> float:
    """Return the Frobenius norm of all the arrays together, safe against overflow and underflow.

    >>> norm(np.array([3e-200, 4e-200]))
    5e-200
    """
    parts = [np.asarray(array, dtype=float).ravel() for array in arrays]
    square = sum([float(np.vdot(part, part)) for part in parts])  # vdot: the one product that never warns
    if 1e-200 < square < 1e200:
        return math.sqrt(square)
    flat = np.concatenate(parts) if parts else np.zeros(0)
    largest = float(np.max(np.abs(flat), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.sum((flat / largest) ** 2)))


def rounding(dtype: np.dtype[Any], size: float) -> float:
    """Return how far a sum may be off by rounding, 512 units in the last place of `size`, its terms' norms summed."""
    return 512 * float(np.finfo(dtype).eps) * size


def mark(sent: float | None, adjoint: float) -> Mark | None:
    """Return how an edge is drawn that turns the norm `adjoint` of its user into the norm `sent`."""
    if sent is None:
        return None
    if not (math.isfinite(sent) and math.isfinite(adjoint)):
        return Mark("nonfinite", sent, math.nan)
    if sent == 0.0:
        return Mark("structural" if adjoint else "zero", 0.0, 0.0)
    return Mark("measured", sent, sent / adjoint if adjoint else math.inf)


def handed_on(size: float | None) -> Mark | None:
    """Return how an edge is drawn that hands on what arrives, of norm `size`: its gain is 1."""
    return mark(size, size or 0.0)


_REASONS = {
    "zero": "the gradient that arrives is exactly 0",
    "structural": "the gradient stops here: a factor is 0",
    "nonfinite": "the gradient is NaN or infinite",
    "cut": "the gradient is cut here by stop_gradient",
}


def told(found: Mark) -> str:
    """Return what the tooltip of an edge says of its gradient.

    >>> told(Mark("measured", 0.5, 2.0)), told(Mark("zero", 0.0, 0.0, 0.0))
    ('gradient 0.500 comes back, gain 2.00', 'none of the gradient passes')
    """
    if found.state == "zero" and found.share is not None:
        return "none of the gradient passes"
    if found.state != "measured":
        return _REASONS.get(found.state, found.state)
    parts = [] if found.share is None else [f"{percent(found.share, 3)} of the gradient passes"]
    parts += [f"gradient {number(found.norm, 3)} comes back"] if math.isfinite(found.norm) else []
    parts += [f"gain {number(found.gain, 3)}"] if math.isfinite(found.gain) else []
    return ", ".join(parts)
