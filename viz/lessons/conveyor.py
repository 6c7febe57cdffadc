"""The LSTM's conveyor belt: the cell state carries the gradient, and the forget bias says how far."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import minigrad as mg
import rnn

from ..charts import ledger, lines, river
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "The LSTM's conveyor belt, and the forget bias"
BIASES = (-2.0, 0.0, 1.0, 3.0, 5.0)
STEPS = 20
SHOWN = 4


def lesson() -> Lesson:
    """Return the lesson."""
    nets = {bias: _net(bias, STEPS) for bias in BIASES}
    found = {bias: rnn.jacobians(net) for bias, net in nets.items()}
    shares = {}
    for bias, net in nets.items():
        parts = rnn.lanes(_loss(net), net.model.parameters["weight_hh_l0"], net).by_lane
        shares[bias] = {lane: part.share for lane, part in parts.items()}
    rows = []
    for bias, net in nets.items():
        percent = [f"{100 * shares[bias][lane]:.0f} %" for lane in ("within", "c", "h", "changing")]
        rows.append((f"{bias:g}", number(_gates(net).mean()), number(found[bias].diagnosis().decades), *percent))
    net = nets[1.0]
    belt, product = _belt(net), _gates(net).prod(axis=0)
    apart = float(np.max(np.abs(belt / product - 1)))
    opened = _belt(net, rnn.forced(net, "f"))
    small = _net(1.0, SHOWN)
    flow = mg.flow(_loss(small), small.model.parameters["weight_hh_l0"])
    lanes = rnn.lanes(_loss(net), net.model.parameters["weight_hh_l0"], net)
    low, high = found[BIASES[0]].log10_state_norm[-1], found[BIASES[-1]].log10_state_norm[-1]
    off = abs(sum(shares[1.0].values()) - 1)
    few = lanes.by_lane["c"].count
    many = lanes.by_lane["h"].count + lanes.by_lane["changing"].count
    return Lesson(
        TITLE,
        (
            "A plain net squeezes its whole state through a matrix and a tanh at every step. An LSTM has a second "
            "state, c, which passes from step to step with nothing but a multiplication and an addition:",
            Formula("c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t   and   h_t = o_t ⊙ tanh(c_t)"),
            Shown(
                drawn(_loss(small), title=f"The belt: {SHOWN} steps of an LSTM, and a loss at the last one"),
                "The upper lane is the belt. On its way back along it a gradient meets the forget gate f, once a step, "
                "and nothing else. The lower lane, h, leads back through all four gates and W_hh.",
            ),
            "Along the belt alone, the gradient from c_T to c_0 is the product of the forget gates, unit by unit. A "
            "gate at 1 passes everything; a gate at ½ halves it, step after step.",
            Formula(r"\frac{∂c_T}{∂c_0} along c  =  f_T ⊙ f_{T−1} ⊙ … ⊙ f_1"),
            "With the usual random weights the gates of a fresh net stand near ½, and the belt forgets within a few "
            "steps. Hence an old trick: start the bias of the forget gate at 1 or more, so that the net remembers "
            "until it has learned to forget (Gers et al. 2000, Jozefowicz et al. 2015).",
            Shown(
                lines(
                    "How much of the gradient is left, by forget bias",
                    {
                        f"bias {bias:g}".replace("-", "−"): list(enumerate(each.log10_state_norm.tolist()))
                        for bias, each in found.items()
                    },
                    across="lag n: steps back in time",
                    up="norm of ∂(h, c)_T / ∂(h, c)_{T−n}",
                    powers=True,
                    theme="auto",
                ),
                "The same weights and inputs; only the bias of the forget gate differs. (With a large bias the curve "
                "even rises a little: what runs through the gates comes on top of what the belt carries.)",
            ),
            Numbers(
                ("forget bias", "mean of f", "decades a step", "within a step", "all on c", "all on h", "changing"),
                tuple(rows),
            ),
            "The last four columns say what share of ∂L/∂W_hh takes which way. Paths “within a step” go from the loss "
            "straight to the last use of W_hh and cross no border between steps. The others are sorted by the lane on "
            "which they cross: always on c, always on h, or now on the one and now on the other. The larger the bias, "
            "the more of the gradient rides on the belt.",
            Shown(
                river(flow, theme="auto"),
                f"The same as a river, for {SHOWN} steps and a bias of 1: the width of a band is the share of the "
                "gradient that flows there. It enters at the loss, and leaves through the uses of W_hh.",
            ),
            Shown(
                ledger(lanes.flow, lanes.by_lane, by="lane", theme="auto"),
                f"The lanes over {STEPS} steps, for a bias of 1. The few paths that stay on c carry more than the "
                "many that stay on h, or change.",
            ),
            Claim(
                "Along c alone the gradient from c_T to c_0 is the product of the forget gates: largest relative "
                f"difference {number(apart)}.",
                apart < 1e-13,
            ),
            Claim(
                f"With every forget gate held open it is exactly {number(float(opened.min()), 1)} in every unit, after "
                f"{STEPS} steps.",
                bool(np.all(opened == 1)),
            ),
            Claim(
                f"Over {STEPS} steps a bias of {BIASES[-1]:g} passes {number(10 ** (high - low))} times as much as a "
                f"bias of {BIASES[0]:g}.",
                bool(high > low + 6),
            ),
            Claim(
                "The larger the bias, the larger the share that stays on c: "
                + ", ".join(number(shares[bias]["c"]) for bias in BIASES)
                + ".",
                all(shares[a]["c"] < shares[b]["c"] for a, b in itertools.pairwise(BIASES)),
            ),
            Claim(
                f"With a bias of 1, {few} paths stay on c and carry {number(shares[1.0]['c'])} of the gradient; "
                f"{many:,} stay on h or change, and carry {number(shares[1.0]['h'] + shares[1.0]['changing'])}.",
                few < many and shares[1.0]["c"] > shares[1.0]["h"] + shares[1.0]["changing"],
            ),
            Claim(f"The shares of the lanes sum to 1: they miss it by {number(off)}.", off < 1e-12),
        ),
    )


def _net(bias: float, steps: int) -> rnn.Unrolled:
    model = rnn.LSTM(2, 8, forget_bias=bias, rng=0)
    return rnn.unroll(model, np.random.default_rng(1).normal(size=(steps, 1, 2)))


def _loss(net: rnn.Unrolled) -> mg.Node:
    with mg.scope("readout", t=len(net.steps) - 1):
        return mg.sum(net.steps[-1].h * np.random.default_rng(2).normal(size=(1, 8))).named("L")


def _gates(net: rnn.Unrolled) -> np.ndarray:
    """The forget gates, (T, H)."""
    run = mg.run([step.f for step in net.steps])
    gates: np.ndarray = np.stack([run[step.f][0] for step in net.steps])
    return gates


def _belt(net: rnn.Unrolled, feed: dict[mg.Node, Any] | None = None) -> np.ndarray:
    """The gradient of the last cell state in the first along c alone, unit by unit."""
    start = net.initial[0]["c"]
    part = rnn.lanes(mg.sum(net.steps[-1].c), start, net, feed=feed).by_lane["c"]
    belt: np.ndarray = np.asarray(part.gradient)[0]
    return belt
