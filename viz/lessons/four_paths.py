"""dE_3/dW as four paths: the sum over the steps at which W was used, each path traced."""

from __future__ import annotations

import math

import numpy as np

import minigrad as mg
import rnn

from ..charts import ledger, triangle
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "∂E_3/∂W as four paths"
W, U, START = 0.9, 0.5, 0.4
INPUTS = (0.5, -0.3, 0.8, 0.1)
TARGET = 1.0


def lesson() -> Lesson:
    """Return the lesson."""
    net, errors, weight = _net()
    flow = mg.flow(errors[3], weight)
    table = rnn.bptt([errors[3]], weight, net)
    whole = float(flow.gradient.item())
    terms = _by_hand()
    found = [float(table.gradient[0][k].item()) for k in range(4)]
    apart = max(abs(a - b) for a, b in zip(found, terms, strict=True))
    slope = _numeric()
    twice = sum(_total_partials())
    between = [" · ".join(f"∂s_{j}/∂s_{j - 1}" for j in range(3, k, -1)) or "—" for k in range(4)]
    rows = [(f"s_{k}", between[k], number(found[k], 4), number(table.share[0, k], 3)) for k in range(4)]
    return Lesson(
        TITLE,
        (
            "A net with a single unit, so that every number fits on a line. Its states are s_0 to s_3, and we ask "
            "how the error of the last step, E_3, depends on W.",
            Formula("s_t = tanh(W s_{t−1} + U x_t)  and  E_t = ½ (s_t − y)^2"),
            f"W = {number(W, 1)} and U = {number(U, 1)}; before the first step the state is {number(START, 1)}; the "
            f"inputs are {', '.join(number(x, 1) for x in INPUTS)}, the target y is {number(TARGET, 1)}. W was used "
            "four times on the way to E_3, once to make each state. So there are four ways in which W reaches E_3, and "
            "the gradient is the sum over them:",
            Formula(
                "∂E_3/∂W = Σ_k  ∂E_3/∂s_3 · (∏_j ∂s_j/∂s_{j−1}) · ∂^{+}s_k/∂W,  with k from 0 to 3 and j from k+1 to 3"
            ),
            "The plus matters. ∂^{+}s_k/∂W is the immediate partial: how s_k changes with W if s_{k−1} is held fixed. "
            "The total derivative of s_k would contain the earlier uses again, and they would count twice.",
            Shown(
                drawn(errors[3], "op"),
                "Every operation. Follow the arrows from E_3 back to each tag W_hh: there is one way to each of the "
                "four. (The columns are numbered from 1: column 1 makes s_0.)",
            ),
            Shown(ledger(flow, theme="auto"), "The four paths by size, and how they add up to the gradient."),
            Numbers(
                ("through", "factors between", "contribution", "share"), (*rows, ("sum", "", number(whole, 4), "1"))
            ),
            f"With W = {number(W, 1)} the factors ∂s_j/∂s_{{j−1}} = W (1 − s_j^2) are all below 1, so the farther back "
            "a use lies, the more of them its term has to pass.",
            Shown(
                triangle(rnn.bptt(errors, weight, net), theme="auto"),
                "The same for all four errors at once: entry (t, k) is what E_t sends through the use of W at step k. "
                "The four paths of this lesson are the last row.",
            ),
            Claim(
                f"There are {flow.count()} paths from W to E_3; their contributions sum to ∂E_3/∂W = "
                f"{number(whole, 6)}, largest difference {number(table.proof().difference)}.",
                flow.count() == 4 and table.proof().relative < 1e-14 and abs(math.fsum(found) - whole) < 1e-15,
            ),
            Claim(
                "The formula, worked out in plain numbers, gives the same four terms: largest difference "
                f"{number(apart)}.",
                apart < 1e-15,
            ),
            Claim(
                f"A difference quotient of E_3 in W gives {number(slope, 6)}: it differs by "
                f"{number(abs(slope - whole))}.",
                abs(slope - whole) < 1e-8,
            ),
            Claim(
                "With total instead of immediate partials the sum would be "
                f"{number(twice, 6)}, {number(twice / whole, 3)} times the gradient.",
                abs(twice / whole) > 1.1,
            ),
        ),
    )


def _net() -> tuple[rnn.Unrolled, list[mg.Node], mg.Parameter]:
    model = rnn.RNN(1, 1, rng=0)
    values = {"weight_hh_l0": W, "weight_ih_l0": U, "bias_ih_l0": 0.0, "bias_hh_l0": 0.0}
    for name, value in values.items():
        model.parameters[name].assign(np.full(model.parameters[name].shape, value))
    net = rnn.unroll(model, np.reshape(INPUTS, (4, 1, 1)), state=np.full((1, 1, 1), START))
    errors = []
    for step in net.steps:
        with mg.scope("error", t=step.t):
            errors.append((0.5 * mg.sum((step.h - TARGET) ** 2)).named("E"))
    return net, errors, model.parameters["weight_hh_l0"]


def _states(w: float) -> list[float]:
    """The state before the first step, and s_0 to s_3."""
    states = [START]
    for x in INPUTS:
        states.append(math.tanh(w * states[-1] + U * x))
    return states


def _by_hand() -> list[float]:
    """The four terms of the formula."""
    before, s = _states(W)[:-1], _states(W)[1:]
    factor = [W * (1 - state**2) for state in s]
    return [(s[3] - TARGET) * math.prod(factor[k + 1 :]) * (1 - s[k] ** 2) * before[k] for k in range(4)]


def _total_partials() -> list[float]:
    """The four terms with d s_k / dW, the total derivative, where the immediate partial belongs."""
    before, s = _states(W)[:-1], _states(W)[1:]
    factor = [W * (1 - state**2) for state in s]
    total, terms = 0.0, []
    for k in range(4):
        total = (1 - s[k] ** 2) * before[k] + factor[k] * total
        terms.append((s[3] - TARGET) * math.prod(factor[k + 1 :]) * total)
    return terms


def _numeric() -> float:
    step = 1e-5
    above, below = (0.5 * (_states(W + sign * step)[4] - TARGET) ** 2 for sign in (1, -1))
    return (above - below) / (2 * step)
