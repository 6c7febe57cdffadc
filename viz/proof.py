"""The proof on a figure: the gradient of a recurrent weight is the sum of its (t, k) contributions."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import GradientError, Node, Parameter, Run
from rnn import Table

from . import words
from .labels import weight_name
from .measure import Sweep, norm, rounding
from .words import Rich, number, plural

LARGEST = 2000
"""Most nodes of a graph without time whose uses are summed up anew for a proof."""
GROUPS = 64
"""Most losses told apart: a longer sequence adds its losses up in as many groups, or the proof would cost T^2."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How far the contributions of every loss t through every use k of `weight` are from dL/dW.

    `label` is the weight's name as it is set on the figure, `groups` how many groups of losses are told apart, 0 if
    every loss is; `size` the sum of the norms of the contributions.
    """

    weight: Parameter
    label: Rich
    contributions: int
    difference: float
    size: float
    groups: int = 0
    uses: bool = False

    @property
    def holds(self) -> bool:
        """Whether the difference is rounding of the contributions, by the sum of their norms."""
        return self.difference <= rounding(self.weight.dtype, self.size)

    @property
    def sentence(self) -> Rich:
        """The proof as printed."""
        if self.uses:
            return (
                words.Run(f"Sum of what {plural(self.contributions, 'use')} of "),
                *self.label,
                words.Run(f" {'sends' if self.contributions == 1 else 'send'} back = ∂/∂"),
                *self.label,
                words.Run(f", max difference {number(self.difference)}"),
            )
        grouped = f", losses in {self.groups} groups" if self.groups else ""
        return (
            words.Run(f"Sum of {plural(self.contributions, 'contribution')} (t, k){grouped} = ∂L/∂"),
            *self.label,
            words.Run(f", max difference {number(self.difference)}"),
        )


def prove_uses(loss: Node, sweep: Sweep, run: Run | None = None) -> Proof | None:
    """Sum what every use of a parameter sends back, that with the most uses, and compare with the whole gradient.

    The terms are those of `mg.flow`, the whole is that of the sweep the figure shows. None for a large graph, or where
    a gradient is not finite.
    """
    uses: Counter[Node] = Counter()
    nodes = list(mg.walk(loss))
    for node in nodes:
        uses.update(arg for arg in node.args if isinstance(arg, Parameter) and arg in sweep.adjoints)
    if not uses or len(nodes) > LARGEST or not all(np.isfinite(sweep.adjoints[weight]).all() for weight in uses):
        return None
    weight = max(uses, key=lambda node: (uses[node], -node.id))
    assert isinstance(weight, Parameter)
    flow = mg.flow(loss, weight, run=run)
    terms = [np.asarray(use.gradient) for use in flow.uses]
    whole = sweep.adjoints[weight]
    difference = float(np.max(np.abs(sum(terms) - whole), initial=0.0))
    size = sum(norm(term) for term in terms)
    return Proof(weight, weight_name(weight, loss), len(terms), difference, size, uses=True)


def prove(losses: Sequence[Node], weight: Parameter, steps: int, sweep: Sweep, run: Run) -> Proof | None:
    """Sum what every loss sends through every use of `weight`, and compare with the whole gradient.

    The terms are those of `rnn.bptt`, whose one sweep carries a cotangent for each loss; the whole is that of the sweep
    the figure shows. None where the weight has no gradient, or is used outside of the steps.
    """
    if weight not in sweep.adjoints:
        return None
    groups = list(losses)
    if len(losses) > GROUPS:
        bounds = [len(losses) * place // GROUPS for place in range(GROUPS + 1)]
        groups = [mg.ops.add_n(*losses[a:b]) for a, b in itertools.pairwise(bounds)]
        run = Run(run.values | mg.run(groups, {loss: run[loss] for loss in losses}).values)
    try:
        table = Table(groups, weight, steps, run=run)
    except GradientError:
        return None
    difference = float(np.max(np.abs(table.total - sweep.adjoints[weight]), initial=0.0))
    told = GROUPS if len(losses) > GROUPS else 0
    label = weight_name(weight, sweep.output)
    return Proof(weight, label, int(table.present.sum()), difference, float(table.norm.sum()), told)
