"""Bidirectional and stacked nets: how many ways lead from a loss to an input."""

from __future__ import annotations

import functools
import math

import rnn
from minigrad import flow

from ..charts import compare, triangle
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
            "In a net of one layer there is a single path from a loss to an earlier input: down into the hidden state, "
            "and back along it. Put a second layer on top, and at every step the gradient may go down or go on. Each "
            "path is then a staircase, and the paths fan out.",
            Shown(
                drawn(stacked[2], title="Two layers: down at any step"),
                "From the last loss to the first input a path goes back in time and, at one of the steps, down from "
                "the upper layer to the lower. The number above a name is its layer.",
            ),
            "How many staircases are there? To go n steps back through a stack of D layers, one has to go down D − 1 "
            "times from one layer to the next, each time at any of n + 1 steps, and several times at the same step if "
            "one likes. That is the number of ways to put D − 1 steps down among n steps back:",
            Formula(r"paths = \binom{n + D − 1}{D − 1}"),
            Numbers(heads, rows),
            f"These are the paths from the last loss, L_{steps}, to each input, counted in the graph itself. With "
            "depth the fan opens faster and faster, and the gradient is the sum over all of it.",
            "A bidirectional net has a second net that reads from right to left; at each step the two hidden states "
            "are put side by side. Now every loss hears of every input, also of those to its right.",
            Shown(
                drawn(both, title="Two directions: the past and the future"),
                "The lower net reads forward, the upper one backward (its names carry an arrow). The gradient of the "
                "upper net runs to the right, against its own direction of reading.",
            ),
            Shown(
                compare(
                    {
                        "reading forward": triangle(tables[0], theme="auto"),
                        "reading backward": triangle(tables[1], theme="auto"),
                    },
                    theme="auto",
                ),
                "What loss t sends to the use of W_ih at step k. In the net that reads forward there is nothing above "
                "the diagonal: a state knows nothing of what comes later. In the net that reads backward it is the "
                "other way round. Only on the diagonal do both have a say.",
            ),
            "This is also why a bidirectional net cannot write text: the character that it should predict is one that "
            "it has already read. It is made for tagging, translation and speech, where all of the input is there "
            "before the first answer.",
            Claim(
                "The paths counted in the graphs are the binomial coefficients, for "
                + ", ".join(str(layers) for layers in LAYERS)
                + " layers and every input.",
                ways == lattice,
            ),
            Claim(
                f"In the bidirectional net each of the {steps} losses reaches each of the {plural(steps, 'input')}: by "
                "one path where the steps differ, by two where they are the same.",
                facing == expected,
            ),
            Claim(
                f"Of {steps * steps} pairs (t, k) the forward net has {int(ahead.sum())} and the backward net "
                f"{int(behind.sum())}. They are mirror images of each other and have {int((ahead & behind).sum())} in "
                "common, the diagonal.",
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
