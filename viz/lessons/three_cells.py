"""RNN, LSTM and GRU side by side, on one scale."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import minigrad as mg
import rnn

from ..charts import compare, lines, triangle
from ..charts.ledger import counted
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "GRU, LSTM, RNN side by side"
TEXT = "hello hello hello"
CELLS = (rnn.RNN, rnn.LSTM, rnn.GRU)
OPEN = 3.0


def lesson() -> Lesson:
    """Return the lesson."""
    readings = {cell.__name__: rnn.read(TEXT, cell) for cell in CELLS}
    opened = {name: rnn.read(TEXT, cell) for name, cell in _opened().items()}
    short = {cell.__name__: rnn.read(TEXT[:3], cell) for cell in CELLS}
    shown = {**readings, **{name: each for name, each in opened.items() if name.startswith("LSTM")}}
    tables = {name: rnn.bptt(each.losses, _weight(each), each.unrolled) for name, each in shown.items()}
    found = {name: rnn.jacobians(each.unrolled) for name, each in {**readings, **opened}.items()}
    sorted_out = {name: rnn.lanes(each.loss, _weight(each), each.unrolled).by_lane for name, each in readings.items()}
    weights = {name: sum(p.size for p in each.unrolled.model.parameters.values()) for name, each in readings.items()}
    counts = {name: mg.flow(each.loss, _weight(each)).count() for name, each in readings.items()}
    rows = []
    for name in readings:
        said = found[name].diagnosis()
        rows.append((name, str(weights[name]), counted(str(counts[name])), number(said.decades), said.cause or "—"))
    straight = {"RNN": ("h", ""), "LSTM": ("c", "h"), "GRU": ("carry", "gates")}
    lanes = []
    for name, parts in sorted_out.items():
        percent = [_percent(parts, lane) for lane in ("within", *straight[name], "changing")]
        lanes.append((name, *percent))
    worst = max(table.proof().relative for table in tables.values())
    sums = max(abs(sum(part.share for part in parts.values()) - 1) for parts in sorted_out.values())
    hidden = next(iter(readings.values())).unrolled.model.hidden_size
    far = len(TEXT) - 1
    left = {name: 10 ** float(each.log10_state_norm[-1]) for name, each in found.items()}
    return Lesson(
        TITLE,
        (
            f"Three nets of the same size, {hidden} hidden units, fresh and untrained, read “{TEXT[:-1]}”. They differ "
            "in what carries the state from one step to the next:",
            Formula("RNN:   h_t = tanh(W_ih x_t + W_hh h_{t−1} + b)"),
            Formula("LSTM:   c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t ,   h_t = o_t ⊙ tanh(c_t)"),
            Formula("GRU:   h_t = z_t ⊙ h_{t−1} + (1 − z_t) ⊙ n_t"),
            "The RNN has no way around its matrix. The LSTM keeps a second state, c, for the purpose. The GRU has only "
            "h, but lets a fraction z of it pass untouched, and takes in a fraction 1 − z of what is new.",
            Shown(
                compare({name: drawn(each) for name, each in short.items()}, columns=1, theme="auto"),
                "The three cells on their first two steps, gradient arrows on one scale.",
            ),
            Numbers(("cell", "weights", "paths of ∂L/∂W_hh", "decades a step", "because of"), tuple(rows)),
            "Gates make paths: each gate is one more way from a step to the next, and the ways multiply from step to "
            "step. Hence the counts, which nobody could list one by one; the gradient is the sum over all of these "
            "paths nonetheless.",
            Shown(
                lines(
                    "How much of the gradient is left, by distance",
                    {name: list(enumerate(each.log10_state_norm.tolist())) for name, each in found.items()},
                    across="lag n: steps back in time",
                    up="norm of the state’s Jacobian, T to T−n",
                    powers=True,
                    theme="auto",
                ),
                f"Fresh gates stand near ½, so fresh gated nets forget about as fast as the RNN. But a gate can be "
                f"opened, and a matrix cannot: with a bias of {OPEN:g} on f, or on z, the very same nets keep their "
                "gradient.",
            ),
            Shown(
                compare(
                    {name: triangle(table, theme="auto") for name, table in tables.items()}, columns=2, theme="auto"
                ),
                "What loss t sends through the use of W_hh at step k, all on one colour scale. A net that forgets has "
                "a bright diagonal that soon fades to the left; in a net with its forget gate open the gradient "
                "reaches far back.",
            ),
            "Which way does it take? These are the shares of the gradient, by the lane on which its paths cross from "
            "step to step. The straight lane is h in the RNN, c in the LSTM, and the carry z ⊙ h in the GRU; the other "
            "is h in the LSTM, and what goes through the gates in the GRU. Negative shares cancel others.",
            Numbers(("cell", "within a step", "on the straight lane", "on the other", "changing"), tuple(lanes)),
            Claim(
                f"In all tables the entries sum to the gradient: largest relative difference {number(worst)}.",
                worst < 1e-13,
            ),
            Claim(f"In all three cells the shares of the lanes sum to 1, within {number(sums)}.", sums < 1e-12),
            Claim(
                f"Over {far} steps the fresh nets keep "
                + ", ".join(f"{number(left[name])} ({name})" for name in readings)
                + " of the gradient; with an open gate they keep "
                + ", ".join(number(left[name]) for name in opened)
                + ".",
                max(left[name] for name in readings) < 0.01 < 0.1 < min(left[name] for name in opened),
            ),
            Claim(
                f"The LSTM has four times the weights of the RNN and the GRU three times: {weights['LSTM']} and "
                f"{weights['GRU']} against {weights['RNN']}.",
                weights["LSTM"] == 4 * weights["RNN"] and weights["GRU"] == 3 * weights["RNN"],
            ),
        ),
    )


def _opened() -> dict[str, Callable[..., rnn.Recurrent]]:
    """Return what makes gated nets whose gate on the straight lane is open."""

    def gru(*sizes: int, **options: Any) -> rnn.GRU:
        model = rnn.GRU(*sizes, **options)
        bias, size = model.parameters["bias_hh_l0"], model.hidden_size
        value = bias.value.copy()
        value[size : 2 * size] = OPEN
        bias.assign(value)
        return model

    lstm = functools.partial(rnn.LSTM, forget_bias=OPEN)
    return {f"LSTM, bias {OPEN:g} on f": lstm, f"GRU, bias {OPEN:g} on z": gru}


def _weight(reading: rnn.Reading) -> mg.Parameter:
    return reading.unrolled.model.parameters["weight_hh_l0"]


def _percent(parts: Mapping[str, mg.paths.Part], lane: str) -> str:
    return f"{100 * parts[lane].share:.1f} %" if lane in parts else "—"
