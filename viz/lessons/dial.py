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
    dials = np.linspace(0.4, 2.0, 17).tolist()
    swept = [(dial, turned(dial)) for dial in dials]
    rates = {
        "bound, log_{10} of the dial": [(dial, float(np.log10(jacobian.bound or np.nan))) for dial, jacobian in swept],
        "tanh net, measured": [(dial, jacobian.decades) for dial, jacobian in swept],
    }
    rows = []
    for dial, jacobian in found.items():
        said = jacobian.diagnosis()
        rows.append((f"{dial:g}", number(said.decades, 3), number(np.log10(dial), 3), said.verdict, said.cause or "—"))
    worst = max(excess(jacobian) for jacobian in [*found.values(), *(jacobian for _, jacobian in swept)])
    tight = max(float(np.max(np.abs(_gap(jacobian)))) for jacobian in linear.values())
    lowest, highest = found[SETTINGS[0]], found[SETTINGS[-1]]
    return Lesson(
        TITLE,
        (
            "To reach a step n steps back, a gradient is multiplied by n Jacobians, one a step. For a plain net each "
            "is "
            "the slope of the activation times the recurrent weights:",
            Formula("∂h_t/∂h_{t−1} = diag(f′(a_t)) W_hh"),
            "No slope of tanh is above 1, and no matrix stretches a vector by more than its largest singular value, σ. "
            "So a step multiplies the gradient by at most γσ, where γ is the largest slope of the activation (1 for "
            "tanh, ¼ for the sigmoid), and n steps by at most its n-th power (Pascanu, Mikolov and Bengio 2013):",
            Formula("|∂h_T/∂h_{T−n}| ≤ (γσ)^n"),
            f"That is a dial. We take a net of {HIDDEN} units whose W_hh is a rotation, all of whose singular values "
            "are 1, and multiply it by the dial; then σ is the dial. It reads small random inputs for "
            f"{STEPS} steps.",
            Shown(
                lines(
                    "How much of the gradient is left, by distance",
                    curves,
                    across="lag n: steps back in time",
                    up="norm of ∂h_T/∂h_{T−n}",
                    powers=True,
                    theme="auto",
                ),
                "A straight line on this scale is a constant factor a step. Below 1 the gradient vanishes, and nothing "
                "can be done about it: the bound forbids more. Above 1 it may grow.",
            ),
            Numbers(("dial", "decades a step", "bound", "the gradient", "because of"), tuple(rows)),
            f"At {SETTINGS[0]:g} the gradient of {STEPS} steps ago is {number(10 ** lowest.log10_norm[-1])} of what it "
            f"was, at {SETTINGS[-1]:g} it is {number(10 ** highest.log10_norm[-1])} times as large. But the two sides "
            "are not alike. Vanishing is certain once γσ < 1. Exploding is only allowed when γσ > 1: states that grow "
            "reach the flat ends of tanh, and saturation takes back part of what the weights gave.",
            Shown(
                lines(
                    "Decades a step, as the dial is turned",
                    rates,
                    across="dial: largest singular value of W_hh",
                    up="decades the gradient gains a step back in time",
                    theme="auto",
                ),
                "Below 1 the net follows its bound closely. Above it, the more the weights grow the more tanh "
                "saturates.",
            ),
            Claim(
                f"The bound holds for every dial and every lag up to {STEPS}: the measured norm exceeds it by at most "
                f"{number(worst)} decades, which is rounding.",
                worst < ROUNDING,
            ),
            Claim(
                "Without an activation the bound is met exactly, since a rotation stretches all vectors alike: largest "
                f"difference {number(tight)} decades.",
                tight < ROUNDING,
            ),
            Claim(
                f"At {SETTINGS[0]:g} the gradient {lowest.diagnosis().verdict}, at {SETTINGS[-1]:g} it "
                f"{highest.diagnosis().verdict}.",
                (lowest.diagnosis().verdict, highest.diagnosis().verdict) == ("vanishes", "explodes"),
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
