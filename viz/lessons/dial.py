"""The vanish/explode dial: how one number decides what reaches the past, and the bound that says so."""

from __future__ import annotations

import numpy as np

import rnn

from ..charts import lines
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown

TITLE = "The vanish/explode dial, and its bound"
SETTINGS = (0.5, 0.8, 1.0, 1.25, 1.6)
STEPS = 30
HIDDEN = 16
ROUNDING = 1e-9


def lesson() -> Lesson:
    """Return the lesson."""
    found = {dial: turned(dial) for dial in SETTINGS}
    linear = {dial: turned(dial, "identity") for dial in SETTINGS}
    curves = {f"dial at {dial:g}": list(enumerate(jacobian.log10_norm.tolist())) for dial, jacobian in found.items()}
    bounds = {f"dial at {dial:g}": [(n, n * float(np.log10(dial))) for n in (0, STEPS)] for dial in SETTINGS}
    dials = np.linspace(0.4, 2.0, 17).tolist()
    swept = [(dial, turned(dial)) for dial in dials]
    rates = {
        "bound, log_{10} of the dial": [(dial, float(np.log10(jacobian.bound or np.nan))) for dial, jacobian in swept],
        "tanh net, measured": [(dial, jacobian.decades) for dial, jacobian in swept],
    }
    rows = []
    for dial, jacobian in found.items():
        said = jacobian.diagnosis()
        left = 10 ** float(jacobian.log10_norm[-1])
        rows.append(
            (f"{dial:g}", number(said.decades, 2), number(np.log10(dial), 2), number(left, 2), number(dial**STEPS, 2))
        )
    worst = max(excess(jacobian) for jacobian in [*found.values(), *(jacobian for _, jacobian in swept)])
    tight = max(float(np.max(np.abs(_gap(jacobian)))) for jacobian in linear.values())
    kept = 10 ** float(linear[1.0].log10_norm[-1])
    lowest, highest = found[SETTINGS[0]], found[SETTINGS[-1]]
    return Lesson(
        TITLE,
        (
            "On its way to a step that lies n steps back, a gradient is multiplied by n Jacobians, one for each step. "
            "For a plain net each of them is the slope of the activation times the recurrent weights:",
            Formula(r"\frac{∂h_t}{∂h_{t−1}} = diag(f′(a_t)) W_hh"),
            "The slope of tanh is nowhere above 1, and no matrix stretches a vector by more than its largest singular "
            "value σ. So one step multiplies the gradient by at most γσ, where γ is the largest slope of the "
            "activation (1 for tanh, ¼ for the sigmoid), and n steps multiply it by at most the n-th power of that "
            "(Pascanu, Mikolov and Bengio 2013):",
            Formula(r"| \frac{∂h_T}{∂h_{T−n}} | ≤ (γσ)^n"),
            f"This makes σ a dial. Take a net of {HIDDEN} units whose W_hh is orthogonal: it turns vectors without "
            "changing their length, and all its singular values are 1. Multiply it by a number, and that number is σ. "
            f"The net reads small random inputs for {STEPS} steps.",
            Shown(
                lines(
                    "How much of the gradient is left, by distance",
                    curves,
                    across="lag n: steps back in time",
                    up="norm of ∂h_T/∂h_{T−n}",
                    powers=True,
                    limits=bounds,
                    limit="thin lines: the bound σ^n",
                    theme="auto",
                ),
                "On this scale a straight line is a constant factor for each step. No curve rises above the bound of "
                "its dial. Below 1 the bound itself falls, so the gradient must vanish; above 1 the bound allows it to "
                "explode, and does not force it to.",
            ),
            Numbers(
                ("dial σ", "decades a step", "its bound", f"left after {STEPS} steps", "at most"),
                tuple(rows),
            ),
            "A decade is a factor of ten: −0.3 decades a step means that each step halves the gradient. At "
            f"{SETTINGS[0]:g} the gradient that arrives {STEPS} steps back is {number(10 ** lowest.log10_norm[-1])} "
            f"of what it was; at {SETTINGS[-1]:g} it is {number(10 ** highest.log10_norm[-1])} times as large. The two "
            "sides are not alike, though. Vanishing is certain once γσ < 1. Exploding is only possible when γσ > 1: "
            "larger weights make larger states, larger states reach the flat ends of tanh, and this saturation takes "
            "back a part of what the weights gave. Even at 1, where the weights keep all lengths, saturation lets "
            f"the gradient shrink to {number(10 ** float(found[1.0].log10_norm[-1]))} of what it was.",
            Shown(
                lines(
                    "Decades a step, as the dial is turned",
                    rates,
                    across="dial: largest singular value of W_hh",
                    up="decades that the gradient gains with each step back",
                    theme="auto",
                ),
                "Below 1 the net follows its bound closely. Above 1 it falls behind: the larger the weights, the more "
                "of the units saturate.",
            ),
            Claim(
                f"The bound holds for every dial and every lag up to {STEPS}: "
                + (
                    f"the measured norm exceeds it by {number(worst)} decades, which is rounding."
                    if worst > 0
                    else "the measured norm never exceeds it."
                ),
                worst < ROUNDING,
            ),
            Claim(
                "Without an activation the bound is met exactly, since an orthogonal matrix stretches all vectors "
                f"alike: largest difference {number(tight)} decades.",
                tight < ROUNDING,
            ),
            Claim(
                f"At {SETTINGS[0]:g} the gradient {lowest.diagnosis().verdict} because of the "
                f"{lowest.diagnosis().cause}, at {SETTINGS[-1]:g} it {highest.diagnosis().verdict}.",
                (lowest.diagnosis().verdict, highest.diagnosis().verdict) == ("vanishes", "explodes")
                and lowest.diagnosis().cause == "weights",
            ),
            Claim(
                f"At 1 it is saturation alone that shrinks the gradient: without an activation {number(kept, 3)} of it "
                f"would be left after {STEPS} steps.",
                abs(kept - 1) < ROUNDING and found[1.0].log10_norm[-1] < 0,
            ),
            Claim(
                f"Turning the dial from {SETTINGS[-1]:g} to {dials[-1]:g} raises the bound and lowers the measured "
                "rate: saturation more than makes up for the weights.",
                swept[-1][1].decades < highest.decades,
            ),
        ),
    )


def turned(dial: float, activation: str = "tanh") -> rnn.Jacobians:
    """Return the Jacobians of a net whose recurrent weights are `dial` times a rotation."""
    model = rnn.RNN(4, HIDDEN, activation=activation, init="orthogonal", rng=0)
    weight = model.parameters["weight_hh_l0"]
    weight.assign(dial * weight.value)
    for name in ("bias_ih_l0", "bias_hh_l0"):
        model.parameters[name].assign(np.zeros(HIDDEN))
    xs = 0.1 * np.random.default_rng(1).normal(size=(STEPS, 1, 4))
    return rnn.jacobians(rnn.unroll(model, xs))


def excess(jacobian: rnn.Jacobians) -> float:
    """Return by how many decades the norm at any lag exceeds the bound; 0 or less where it never does."""
    return float(np.max(_gap(jacobian)))


def _gap(jacobian: rnn.Jacobians) -> np.ndarray:
    assert jacobian.bound is not None
    gap: np.ndarray = jacobian.log10_norm - np.arange(STEPS + 1) * np.log10(jacobian.bound)
    return gap
