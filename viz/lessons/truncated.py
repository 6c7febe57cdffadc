"""Truncated backpropagation through time: edges that are cut, and what is lost with them."""

from __future__ import annotations

import numpy as np

import minigrad as mg
import rnn

from ..charts import compare, lines, triangle
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "Truncated backpropagation, as cut edges"
STEPS, CHUNK = 6, 3
LONG = 24
LOOSE = 1e-4
"""The tolerance of a usual gradient check."""
WINDOWS = (1, 2, 4, 8, 12, 16, 20, LONG)


def lesson() -> Lesson:
    """Return the lesson."""
    model = rnn.RNN(2, 6, init="orthogonal", rng=0)
    weight = model.parameters["weight_hh_l0"]
    whole, cut = losses(model, 0), losses(model, CHUNK)
    tables = {"whole": rnn.Table(whole, weight, STEPS), f"cut every {CHUNK} steps": rnn.Table(cut, weight, STEPS)}
    table, short = tables.values()
    same = [np.array(table.gradient[t][k]) for t in range(STEPS) for k in range(t + 1) if t // CHUNK == k // CHUNK]
    apart = float(np.max(np.abs(np.sum(same, axis=0) - short.total)))
    size = float(np.linalg.norm(table.total))
    values = [float(np.max(np.abs(a.eval() - b.eval()))) for a, b in zip(whole, cut, strict=True)]
    lost = int(table.present.sum()) - int(short.present.sum())
    long = rnn.Table(losses(model, 0, LONG), weight, LONG)
    off = {window: _error(long, window) for window in range(1, LONG + 1)}
    wide = next(window for window, error in off.items() if error < LOOSE)
    rows = tuple((str(window), f"{_kept(window)} of {_kept(LONG)}", number(off[window])) for window in WINDOWS)
    return Lesson(
        TITLE,
        (
            "A sequence of a million steps cannot be unrolled as a whole. So one unrolls a chunk of it, hands the "
            "state over to the next chunk as if it were a given number, and never sends a gradient back across the "
            "border. In the graph that is one cut edge for each border:",
            Formula("h_t = tanh(W_ih x_t + W_hh stop(h_{t−1}) + b)   where a chunk begins"),
            Shown(
                drawn(mg.ops.add_n(*cut).named("L"), title=f"{STEPS} steps in chunks of {CHUNK}"),
                "The state runs on over the border; the gradient meets a bar there, right after h_3, and goes no "
                "farther back.",
            ),
            "The forward pass does not change at all: the losses are the same numbers. What changes is the gradient. "
            "It loses every contribution that would have to cross a border, from a loss in one chunk to a use of the "
            "weight in an earlier chunk.",
            Shown(
                compare({name: triangle(each, theme="auto") for name, each in tables.items()}, theme="auto"),
                f"What loss t sends to the use at step k. Cutting one edge takes {lost} of {int(table.present.sum())} "
                "entries away: the whole block below and to the left of the border.",
            ),
            "Another way to truncate gives every loss a window of its own, with the same number of steps for each. "
            "That takes more work, and it is fairer: in chunks the first loss of each chunk sees no past at all. How "
            f"wide must a window be? As wide as the gradient reaches. The same net over {LONG} steps:",
            Numbers(("window, in steps", "entries kept", "relative error of the gradient"), rows),
            Shown(
                lines(
                    "The error of truncation",
                    {
                        "|truncated − whole| / |whole|": [
                            (w, float(np.log10(e))) for w, e in off.items() if w < LONG - 1
                        ]
                    },
                    across="window, in steps",
                    up="relative error",
                    powers=True,
                    theme="auto",
                ),
                "The error falls as fast as the gradient of this net vanishes: where steps far back matter little, "
                "little is lost by leaving them out. A net that has learned to remember would lose more. (The use at "
                "the first step meets the state 0, so the farthest lag is empty, and the curve ends before it.)",
            ),
            "Truncation is a bias, not a noise. No number of examples averages it away, and what depends on steps "
            "beyond the window is never learned through the gradient. A gradient check with a tolerance does not "
            f"notice it when the cut part is small: here a window of {wide} steps passes a check to four digits. A "
            "check that goes lag by lag, each relative to its own size, does notice.",
            Claim(
                f"The losses are the same with and without the cut: largest difference {number(max(values))}.",
                max(values) == 0,
            ),
            Claim(
                f"The gradient of the cut net is the sum of the {int(short.present.sum())} entries that stay inside a "
                f"chunk: largest difference {number(apart)}.",
                apart <= 1e-14 * size,
            ),
            Claim(
                f"With a window of {wide} of {LONG} steps the gradient is off by {number(off[wide])}, less than "
                f"{number(LOOSE, 1)} of its size.",
                off[wide] < LOOSE,
            ),
            Claim(
                f"A window of all {LONG} steps keeps everything: relative error {number(off[LONG])}.",
                off[LONG] < 1e-14,
            ),
        ),
    )


def _kept(window: int) -> int:
    """Return how many entries (t, k) of a table a window keeps."""
    return sum(min(t + 1, window) for t in range(LONG))


def _error(table: rnn.Table, window: int) -> float:
    """Return how far the gradient of a window is from the whole, relative to the whole."""
    off = np.linalg.norm(table.truncated(window).gradient - table.total)
    return float(off / np.linalg.norm(table.total))


def losses(model: rnn.RNN, chunk: int, steps: int = STEPS) -> list[mg.Node]:
    """Return a loss a step; the state is cut from the past every `chunk` steps, never if that is 0."""
    generator = np.random.default_rng(3)
    xs = mg.constant(generator.normal(size=(steps, 1, 2)))
    readout = mg.parameter(generator.normal(size=(3, model.hidden_size)), name="weight_hy")
    with mg.scope("rnn", layer=0, t=-1):
        h = mg.constant(np.zeros((1, model.hidden_size))).named("h")
    found = []
    for t in range(steps):
        with mg.scope(t=t):
            x = xs[t].named("x")
        with mg.scope("rnn", layer=0, t=t):
            before = mg.stop_gradient(h) if chunk and t and t % chunk == 0 else h
            h = model.step(x, {"h": before}, model.weights(0))["h"]
        with mg.scope("readout", t=t):
            found.append(rnn.cross_entropy((h @ readout.T).named("y"), [t % 3]).named("L"))
    return found
