"""Eigenvalue is not singular value: a gradient that is bound to vanish may grow first."""

from __future__ import annotations

import numpy as np

import minigrad as mg
import rnn

from ..charts import lines
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "Eigenvalue is not singular value"
W = np.array([[0.5, 10.0], [0.0, 0.5]])
STEPS = 16
SHOWN = (0, 1, 2, 3, 4, 8, 16)


def lesson() -> Lesson:
    """Return the lesson."""
    net = _net(STEPS)
    jacobian = rnn.jacobians(net)
    logs = jacobian.log10_norm
    radius = float(np.max(np.abs(np.linalg.eigvals(W))))
    stretch = float(np.linalg.norm(W, 2))
    normal = float(np.linalg.norm(W @ W.T - W.T @ W))
    powers = [float(np.linalg.norm(np.linalg.matrix_power(W, n), 2)) for n in range(STEPS + 1)]
    apart = float(np.max(np.abs(10**logs / powers - 1)))
    peak = int(np.argmax(logs))
    below = next(n for n in range(1, STEPS + 1) if logs[n] < 0)
    # What the n-th power of a 2 x 2 matrix with one eigenvalue r and the entry s above it is, off the diagonal.
    entry = [n * W[0, 1] * radius ** (n - 1) for n in range(1, STEPS + 1)]
    found = [float(np.linalg.matrix_power(W, n)[0, 1]) for n in range(1, STEPS + 1)]
    short = _net(6)
    with mg.scope("readout", t=5):
        loss = mg.sum(short.steps[-1].h * np.array([1.0, 1.0])).named("L")
    rows = tuple((str(n), number(10 ** logs[n], 4), number(radius**n, 3), number(stretch**n, 3)) for n in SHOWN)
    return Lesson(
        TITLE,
        (
            "“The gradient explodes if the largest eigenvalue of W_hh is above 1 and vanishes if it is below.” One "
            "hears this often, and for many matrices it is nearly so. Here is one for which it is not:",
            Formula(f"W_hh = [ {W[0, 0]:g}  {W[0, 1]:g} ;  {W[1, 0]:g}  {W[1, 1]:g} ]"),
            f"Both eigenvalues are {number(radius)}, so the powers of W_hh end in 0. But its largest singular value is "
            f"{number(stretch, 5)}: there is a direction that one step stretches tenfold. Eigenvalues say what becomes "
            "of a product of many equal matrices in the end; singular values say what one step can do now.",
            Shown(
                lines(
                    "Growing before vanishing",
                    {
                        "|∂h_T/∂h_{T−n}|, measured": list(enumerate(logs.tolist())),
                        "eigenvalue to the n": [(n, n * float(np.log10(radius))) for n in range(STEPS + 1)],
                        "singular value to the n": [(n, n * float(np.log10(stretch))) for n in range(5)],
                    },
                    across="lag n: steps back in time",
                    up="norm",
                    powers=True,
                    theme="auto",
                ),
                "The gradient starts on the line of the singular value and ends parallel to the line of the "
                "eigenvalue. In between it follows neither.",
            ),
            Numbers(("lag n", "|∂h_T/∂h_{T−n}|", f"{number(radius)}^n", f"{number(stretch, 5)}^n"), rows),
            f"The n-th power of this matrix holds n · {W[0, 1]:g} · {number(radius)}^{{n−1}} in its corner. The "
            "factor n "
            f"grows, the power shrinks, and it takes {below} steps until the norm is below 1 again. A net trained on "
            "sequences shorter than that sees nothing but an exploding gradient.",
            Shown(
                drawn(loss),
                "The gradient of the sum of the last state's units, which grows at first on its way back through the "
                "same weights that will make it vanish.",
            ),
            f"This happens where W_hh is not normal, that is where W W^T and W^T W differ (here by {number(normal)}). "
            "For normal matrices, such as rotations and symmetric ones, singular values are the sizes of the "
            "eigenvalues and the saying is right. Trained weights are seldom normal.",
            Claim(
                f"The gradient grows although the spectral radius is {number(radius)}: at lag {peak} its norm is "
                f"{number(10 ** logs[peak], 5)}.",
                radius < 1 and logs[peak] > 0,
            ),
            Claim(
                f"In the end it vanishes: at lag {STEPS} the norm is {number(10 ** logs[-1], 3)}, and the diagnosis is "
                f"that it {jacobian.diagnosis().verdict} because of the {jacobian.diagnosis().cause}.",
                logs[-1] < -2 and jacobian.diagnosis().verdict == "vanishes",
            ),
            Claim(
                f"The Jacobians' products are the powers of W_hh: largest relative difference {number(apart)}.",
                apart < 1e-12,
            ),
            Claim(
                "The corner of the n-th power is the number given above, for every n: largest difference "
                f"{number(max(abs(a - b) for a, b in zip(entry, found, strict=True)))}.",
                np.allclose(entry, found, rtol=1e-12, atol=0),
            ),
        ),
    )


def _net(steps: int) -> rnn.Unrolled:
    model = rnn.RNN(1, 2, activation="identity", rng=0)
    model.parameters["weight_hh_l0"].assign(W)
    return rnn.unroll(model, np.ones((steps, 1, 1)))
