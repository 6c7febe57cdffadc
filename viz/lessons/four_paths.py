"""dE_3/dW as four paths: the sum over the steps at which W was used, each path traced."""

from __future__ import annotations

import math

import minigrad as mg
import rnn

from ..charts import ledger
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn, from_zero

TITLE = "∂E_3/∂W as four paths"
W, U, START = 0.9, 0.5, 0.4
INPUTS = (0.5, -0.3, 0.8, 0.1)
TARGET = 1.0


def lesson() -> Lesson:
    """Return the lesson."""
    errors, weight = _net()
    flow = mg.flow(errors[3], weight)
    table = rnn.Table([errors[3]], weight, 4)
    whole = float(flow.gradient.item())
    terms = _by_hand()
    found = [float(table.gradient[0][k].item()) for k in range(4)]
    apart = max(abs(a - b) for a, b in zip(found, terms, strict=True))
    slope = _numeric()
    twice = sum(_total_partials())
    factors = _factors()
    swapped = found[2] / _states(W)[2] * _states(W)[1]
    rows = [_row(k, found[k], float(table.share[0, k])) for k in range(4)]
    return Lesson(
        TITLE,
        (
            "Take a net with a single unit, so that every number fits on a line. Its states are s_0, s_1, s_2 and s_3, "
            "and we ask how the error of the last step, E_3, depends on the recurrent weight W.",
            Formula(r"s_t = tanh(W s_{t−1} + U x_t)   and   E_t = \frac{1}{2} (s_t − y)^2"),
            f"W is {number(W, 1)} and U is {number(U, 1)}; the state before the first step, s_{{−1}}, is "
            f"{number(START, 1)}; the inputs are {', '.join(number(x, 1) for x in INPUTS)}; the target y is "
            f"{number(TARGET, 1)}. On the way to E_3 the weight W was used four times, once to make each state.",
            Shown(
                drawn(errors[3], "op", title="From E_3 back to the four uses of W", first=0),
                "Every operation is a box. Follow the thick arrows from E_3 back to each tag W: there is exactly one "
                "way to each of the four.",
            ),
            "The gradient is the sum over these four ways. The way to the use at step k first goes from E_3 to s_3, "
            "then from state to state down to s_k, and from there to the weight:",
            Formula(
                r"\frac{∂E_3}{∂W} = \sum{k=0}{3} \frac{∂E_3}{∂s_3} ( \prod{j=k+1}{3} \frac{∂s_j}{∂s_{j−1}} ) "
                r"\frac{∂^{+}s_k}{∂W}"
            ),
            "The plus matters. ∂^{+}s_k/∂W is the immediate partial derivative: how s_k changes with W when s_{k−1} is "
            "held fixed. The total derivative of s_k would contain the earlier uses of W once more, and they would be "
            "counted twice.",
            Shown(
                from_zero(ledger(flow, theme="auto")),
                "The four paths by size, and how they add up to the gradient (L in this figure is E_3). Here there is "
                "but one number for each path, and all have the same sign, so the norms happen to add up too.",
            ),
            Numbers(
                ("the use that made", "factors between", "contribution", "share"),
                (*rows, ("sum", "", number(whole, 4), number(1.0, 3))),
            ),
            "Each factor is ∂s_j/∂s_{j−1} = W (1 − s_j^2); for j from 1 to 3 they are "
            + ", ".join(number(factor, 3) for factor in factors.values())
            + ". All are below 1: the farther back a use lies, the more of them its term has to pass, and the smaller "
            "it tends to be. It need not be smaller each time: the term of s_2 is smaller than that of s_1, because "
            f"the weight met a smaller state there, s_1 = {number(_states(W)[2], 3)} and not s_0 = "
            f"{number(_states(W)[1], 3)}.",
            Claim(
                f"There are {flow.count()} paths from W to E_3, and their contributions sum to ∂E_3/∂W = "
                f"{number(whole, 6)}: difference {number(table.proof().difference)}.",
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
                f"With total instead of immediate partial derivatives the sum would be {number(twice, 6)}, "
                f"{number(twice / whole, 3)} times the gradient.",
                abs(twice / whole) > 1.1,
            ),
            Claim(
                "All factors are below 1. The term of s_2 is smaller than that of s_1, and with the state that the "
                f"other met it would be larger: {number(abs(swapped), 3)}.",
                max(factors.values()) < 1 and abs(found[2]) < abs(found[1]) < abs(swapped),
            ),
        ),
    )


def _row(k: int, term: float, share: float) -> tuple[str, str, str, str]:
    between = " · ".join(f"∂s_{j}/∂s_{j - 1}" for j in range(3, k, -1)) or "none"
    return f"s_{k}", between, number(term, 4), number(share, 3)


def _net() -> tuple[list[mg.Node], mg.Parameter]:
    """Return the errors of all steps and the recurrent weight."""
    w, u = mg.parameter([W], name="W"), mg.parameter([U], name="U")
    with mg.scope("rnn", layer=0, t=-1):
        s: mg.Node = mg.constant([START]).named("s")
    errors = []
    for t, x in enumerate(INPUTS):
        with mg.scope(t=t):
            read = mg.constant([x]).named("x")
        with mg.scope("rnn", layer=0, t=t):
            s = mg.tanh(w * s + u * read).named("s")
        with mg.scope("error", t=t):
            errors.append((0.5 * mg.sum((s - TARGET) ** 2)).named("E"))
    return errors, w


def _factors() -> dict[int, float]:
    """The factors from state to state, ∂s_j/∂s_{j-1}, by j."""
    return {j: W * (1 - _states(W)[j + 1] ** 2) for j in (1, 2, 3)}


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
