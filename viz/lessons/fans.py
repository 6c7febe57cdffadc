"""Bidirectional and stacked nets: how many ways lead from a loss to an input."""

from __future__ import annotations

import functools
import math

import rnn
from minigrad import flow

from ..charts import triangle
from ..words import number, plural
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "Bidirectional and stacked: fans of paths"
TEXT = "hello"
LAYERS = (1, 2, 3)


def lesson() -> Lesson:
    """Return the lesson."""
    stacked = {layers: rnn.read(TEXT, functools.partial(rnn.RNN, layers=layers)) for layers in LAYERS}
    both = rnn.read(TEXT, functools.partial(rnn.RNN, bidirectional=True))
    steps = len(both.losses)
    ways = {layers: [_ways(each, steps - 1, k) for k in range(steps)] for layers, each in stacked.items()}
    lattice = {layers: [math.comb(steps - 1 - k + layers - 1, layers - 1) for k in range(steps)] for layers in LAYERS}
    facing = [[_ways(both, t, k) for k in range(steps)] for t in range(steps)]
    expected = [[2 if t == k else 1 for k in range(steps)] for t in range(steps)]
    heads = ("layers", *(f"to x_{k + 1}" for k in range(steps)))
    rows = tuple((str(layers), *map(str, counts)) for layers, counts in ways.items())
    tables = [
        rnn.bptt(both.losses, both.unrolled.model.parameters[name], both.unrolled)
        for name in ("weight_ih_l0", "weight_ih_l0_reverse")
    ]
    ahead, behind = (table.present for table in tables)
    worst = max(table.proof().relative for table in tables)
    return Lesson(
        TITLE,
        (
            "In a net of one layer there is one road from a loss to an earlier input: down into the hidden state, and "
            "back along it. Put a second layer on top, and at every step the gradient may choose to go down or to go "
            "on. "
            "A road is then a staircase, and the roads fan out.",
            Shown(
                drawn(stacked[2]),
                "Two layers. From the last loss to the first input a road goes down once, at any of the steps.",
            ),
            "How many staircases are there? To go n steps back through a stack of l layers one has to go down l − 1 "
            "times from one layer to the next, at any of n + 1 steps, more than once at a step if one likes:",
            Formula("roads = (n + l − 1) over (l − 1), a binomial coefficient"),
            Numbers(heads, rows),
            f"These are the roads from the last loss, L_{steps}, counted in the graph itself. Depth in layers and "
            "depth "
            "in time multiply, and the gradient is the sum over all of them.",
            "A bidirectional net has a second net that reads from right to left; at each step the two hidden states "
            "are "
            "put side by side. Now every loss hears of every input, those to its right too.",
            Shown(
                drawn(both),
                "One net reads forward, the other backward. The gradient of the second runs with time.",
            ),
            Shown(
                triangle(tables[0], theme="auto"),
                "What loss t sends to the use of W_ih at step k, in the net that reads forward: nothing above the "
                "diagonal, for the past cannot see the future.",
            ),
            "In the net that reads backward it is the mirror image: nothing below the diagonal. Only on the diagonal "
            "do "
            "both have a say.",
            "That is why a bidirectional net cannot write text: to predict a character it has already read it. It is "
            "made for tagging, translation and speech, where all of the input is there before the first answer.",
            Claim(
                "The roads counted in the graphs are the binomial coefficients, for "
                + ", ".join(str(layers) for layers in LAYERS)
                + " layers and every input.",
                ways == lattice,
            ),
            Claim(
                f"In the bidirectional net every one of the {steps} losses reaches every one of the "
                f"{plural(steps, 'input')}: by one road where the steps differ, by two where they are the same.",
                facing == expected,
            ),
            Claim(
                f"Of {steps * steps} pairs (t, k) the forward net has {int(ahead.sum())} and the backward net "
                f"{int(behind.sum())}; they are each other's mirror image and share {int((ahead & behind).sum())}, "
                "the diagonal.",
                bool((ahead == behind.T).all()) and int((ahead & behind).sum()) == steps,
            ),
            Claim(
                f"In both tables the entries sum to the gradient: largest relative difference {number(worst)}.",
                worst < 1e-13,
            ),
        ),
    )


def _ways(reading: rnn.Reading, t: int, k: int) -> int:
    """Return how many paths lead from loss t to the input of step k."""
    return flow(reading.losses[t], reading.unrolled.steps[k].layers[0]["x"]).count()
