"""The proof on a figure: the gradient of a recurrent weight is the sum of its (t, k) contributions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import Node, Parameter, Run
from minigrad.derivative import pull_edge
from minigrad.node import Array
from minigrad.ops.core import Stacked

from . import words
from .labels import name_of
from .measure import Sweep
from .words import Rich, number, plural


@dataclass(frozen=True, slots=True)
class Proof:
    """How far the contributions of every loss t through every use k of `weight` are from dL/dW.

    `size` is the sum of the absolute contributions to the entry of `weight` where it is largest.
    """

    weight: Parameter
    contributions: int
    difference: float
    size: float

    @property
    def holds(self) -> bool:
        """Whether the difference is rounding: 1e-13 of the sum of absolute terms, or less."""
        return self.difference <= 1e-13 * self.size

    @property
    def label(self) -> Rich:
        """The weight's name as it is set on the figure."""
        return name_of(self.weight.name or "W")

    @property
    def sentence(self) -> Rich:
        """The proof as printed."""
        return (
            words.Run(f"Sum of {plural(self.contributions, 'contribution')} (t, k) = ∂L/∂"),
            *self.label,
            words.Run(f", max difference {number(self.difference)}"),
        )


def prove(losses: Sequence[Node], weight: Parameter, run: Run, sweep: Sweep) -> Proof | None:
    """Sum what every loss sends through every use of `weight`, and compare with the whole gradient.

    The terms come from one sweep that carries a cotangent for each loss, the whole from the sweep of their sum.
    """
    if weight not in sweep.adjoints:
        return None
    total, magnitude, count = np.zeros(weight.shape), np.zeros(weight.shape), 0
    for reached, terms in _uses(losses, weight, run):
        count += reached
        total += terms.sum(axis=0)
        magnitude += np.abs(terms).sum(axis=0)
    difference = float(np.max(np.abs(total - sweep.adjoints[weight]), initial=0.0))
    return Proof(weight, count, difference, float(np.max(magnitude, initial=0.0)))


def _uses(losses: Sequence[Node], weight: Parameter, run: Run) -> Iterator[tuple[int, Array]]:
    """Yield for every use of `weight` how many losses it reaches, and what each loss sends through it, `(T, ...)`."""
    order = list(mg.walk(losses))
    behind: set[Node] = {weight}
    for node in reversed(order):
        if any(arg in behind for arg in node.args):
            behind.add(node)
    terms: dict[Node, list[Stacked]] = {}
    reaches: dict[Node, int] = defaultdict(int)
    for place, loss in enumerate(losses):
        seed = np.zeros((len(losses), *loss.shape))
        seed[place] = 1.0
        terms.setdefault(loss, []).append(Stacked(seed))
        reaches[loss] |= 1 << place
    for node in order:
        if node not in terms or node not in behind or not node.args or node.dtype.kind != "f":
            continue
        found = terms.pop(node)
        adjoint = found[0] if len(found) == 1 else mg.ops.add_n(*found)
        values = [run[arg] for arg in node.args]
        for slot, arg in enumerate(node.args):
            term = pull_edge(node, slot, adjoint, run[node], values) if arg in behind else None
            if term is None:
                continue
            if arg is weight:
                yield reaches[node].bit_count(), np.broadcast_to(term.value, (len(losses), *arg.shape))
            else:
                terms.setdefault(arg, []).append(term)
                reaches[arg] |= reaches[node]
