"""RNN, LSTM and GRU side by side, on one scale."""

from __future__ import annotations

from collections.abc import Mapping

import minigrad as mg
import rnn

from ..charts import compare, lines, triangle
from ..charts.ledger import counted
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "GRU, LSTM, RNN side by side"
TEXT = "hello hello hello"
CELLS = (rnn.RNN, rnn.LSTM, rnn.GRU)


def lesson() -> Lesson:
    """Return the lesson."""
    readings = {cell.__name__: rnn.read(TEXT, cell) for cell in CELLS}
    short = {cell.__name__: rnn.read(TEXT[:3], cell) for cell in CELLS}
    tables = {name: rnn.bptt(each.losses, _weight(each), each.unrolled) for name, each in readings.items()}
    found = {name: rnn.jacobians(each.unrolled) for name, each in readings.items()}
    sorted_out = {name: rnn.lanes(each.loss, _weight(each), each.unrolled).by_lane for name, each in readings.items()}
    weights = {name: sum(p.size for p in each.unrolled.model.parameters.values()) for name, each in readings.items()}
    counts = {name: mg.flow(each.loss, _weight(each)).count() for name, each in readings.items()}
    rows = []
    for name, jacobian in found.items():
        said = jacobian.diagnosis()
        paths = counted(str(counts[name]))
        rows.append((name, str(weights[name]), paths, number(said.decades), said.cause or "—"))
    straight = {"RNN": ("h", ""), "LSTM": ("c", "h"), "GRU": ("carry", "gates")}
    lanes = []
    for name, parts in sorted_out.items():
        percent = [_percent(parts, lane) for lane in ("within", *straight[name], "changing")]
        lanes.append((name, *percent))
    worst = max(table.proof().relative for table in tables.values())
    sums = max(abs(sum(part.share for part in parts.values()) - 1) for parts in sorted_out.values())
    hidden = next(iter(readings.values())).unrolled.model.hidden_size
    return Lesson(
        TITLE,
        (
            f"Three nets of the same size, {hidden} hidden units, fresh and untrained, read “{TEXT[:-1]}”. They differ "
            "in what carries the state from one step to the next:",
            Formula("RNN:  h_t = tanh(W_ih x_t + W_hh h_{t−1} + b)"),
            Formula("LSTM:  c_t = f ⊙ c_{t−1} + i ⊙ g"),
            Formula("GRU:  h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n"),
            "The RNN has no way round its matrix. The LSTM keeps a state beside h for the purpose; the GRU has only h, "
            "but lets a share z of it pass untouched, and what it keeps and what it takes in always sum to 1.",
            Shown(
                compare({name: drawn(each) for name, each in short.items()}, theme="auto"),
                "The three cells on their first steps, gradient arrows on one scale.",
            ),
            Numbers(("cell", "weights", "paths of ∂L/∂W_hh", "decades a step", "because of"), tuple(rows)),
            "Gates make paths: every gate is one more way from a step to the next. Hence the count, which nobody could "
            "list; the gradient is the sum over all of them nonetheless.",
            Shown(
                lines(
                    "How much of the gradient is left, by distance",
                    {name: list(enumerate(each.log10_state_norm.tolist())) for name, each in found.items()},
                    across="lag n: steps back in time",
                    up="norm of the state's Jacobian, T to T−n",
                    powers=True,
                    theme="auto",
                ),
                "Fresh gates stand near ½, so the gated cells forget too. What they have over the RNN is that they can "
                "learn not to: one bias decides it (see the lesson on the conveyor belt).",
            ),
            Shown(
                compare({name: triangle(table, theme="auto") for name, table in tables.items()}, theme="auto"),
                "What loss t sends through the use of W_hh at step k, all three on one colour scale.",
            ),
            Numbers(("cell", "within a step", "on the straight lane", "on the other", "changing"), tuple(lanes)),
            "Shares of the gradient by the lane on which its paths cross from step to step: the "
            "straight one is h in the RNN, c in the LSTM and the carry z ⊙ h in the GRU; the other is h in the LSTM "
            "and "
            "what goes through the gates in the GRU.",
            Claim(
                f"In all three the table's entries sum to the gradient: largest relative difference {number(worst)}.",
                worst < 1e-13,
            ),
            Claim(f"In all three the shares of the lanes sum to 1, within {number(sums)}.", sums < 1e-12),
            Claim(
                f"The LSTM has four times the weights of the RNN and the GRU three times: {weights['LSTM']} and "
                f"{weights['GRU']} against {weights['RNN']}.",
                weights["LSTM"] == 4 * weights["RNN"] and weights["GRU"] == 3 * weights["RNN"],
            ),
        ),
    )


def _weight(reading: rnn.Reading) -> mg.Parameter:
    return reading.unrolled.model.parameters["weight_hh_l0"]


def _percent(parts: Mapping[str, mg.paths.Part], lane: str) -> str:
    return f"{100 * parts[lane].share:.1f} %" if lane in parts else "—"
