"""Eigenvalue is not singular value: a gradient that is bound to vanish may grow first."""

from __future__ import annotations

import itertools

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
    sizes = [float(np.linalg.norm(each.eval())) for each in mg.grad(loss, [step.h for step in reversed(short.steps)])]
    gains = [after / before for before, after in itertools.pairwise(sizes)]
    rows = tuple((str(n), number(10 ** logs[n], 4), number(radius**n, 3), number(stretch**n, 3)) for n in SHOWN)
    said = jacobian.diagnosis()
    return Lesson(
        TITLE,
        (
            "“The gradient explodes if the largest eigenvalue of W_hh is above 1, and it vanishes if it is below 1.” "
            "One hears this often, and for many matrices it is nearly so. To see the matrix alone, take a net of two "
            "units without an activation. Each of its Jacobians is W_hh itself:",
            Formula(
                r"h_t = W_hh h_{t−1} + W_ih x_t   with   "
                rf"W_hh = \matrix{{{W[0, 0]:g} & {W[0, 1]:g} ; {W[1, 0]:g} & {W[1, 1]:g}}}"
            ),
            f"Both eigenvalues of this matrix are {radius:g}, so its powers tend to 0. But its largest singular value "
            f"is {number(stretch, 5)}: there is a direction that a single step stretches tenfold. Eigenvalues say what "
            "becomes of a product of many equal matrices in the end. Singular values say what one step can do now.",
            Shown(
                lines(
                    "Growing before vanishing",
                    {
                        "|∂h_T/∂h_{T−n}|, measured": list(enumerate(logs.tolist())),
                        "largest eigenvalue to the power n": [
                            (n, n * float(np.log10(radius))) for n in range(STEPS + 1)
                        ],
                        "largest singular value to the power n": [(n, n * float(np.log10(stretch))) for n in range(5)],
                    },
                    across="lag n: steps back in time",
                    up="norm",
                    powers=True,
                    theme="auto",
                ),
                "The gradient starts out along the line of the singular value and in the end falls about as fast as "
                "the line of the eigenvalue. In between it follows neither.",
            ),
            Numbers(("lag n", "|∂h_T/∂h_{T−n}|", f"{radius:g}^n", f"{number(stretch, 5)}^n"), rows),
            f"The n-th power of the matrix has n · {W[0, 1]:g} · {radius:g}^{{n−1}} in its upper right corner. The "
            f"factor n grows while the power shrinks, and it takes {below} steps until the norm is below 1. A net that "
            "is trained on shorter sequences than that never gets to see its gradient vanish.",
            Shown(
                drawn(loss, title="A gradient that grows on its way back, through weights that will make it vanish"),
                "Six steps of this net; the loss is the sum of the two units of the last state. The first step back "
                f"multiplies the gradient by {number(gains[0])}, the next ones shrink it.",
            ),
            "All this happens because W_hh is not a normal matrix: W W^T and W^T W differ (here by a matrix of norm "
            f"{number(normal)}). For normal matrices, such as orthogonal and symmetric ones, the singular values are "
            "the sizes of the eigenvalues, and for a net without an activation the saying is right. The matrices of "
            "trained nets are seldom normal.",
            Claim(
                f"The gradient grows although no eigenvalue is above {radius:g}: at lag {peak} its norm is "
                f"{number(10 ** logs[peak], 5)}, the largest singular value.",
                radius < 1 and peak == 1 and abs(10 ** logs[peak] / stretch - 1) < 1e-12,
            ),
            Claim(
                f"In the end it vanishes: at lag {STEPS} its norm is {number(10 ** logs[-1], 3)}, and the diagnosis "
                f"says that it {said.verdict} because of the {said.cause}.",
                logs[-1] < -2 and said.verdict == "vanishes",
            ),
            Claim(
                f"The products of the Jacobians are the powers of W_hh: largest relative difference {number(apart)}.",
                apart < 1e-12,
            ),
            Claim(
                f"The corner of the n-th power is the number given above, for every n up to {STEPS}: largest "
                f"difference {number(max(abs(a - b) for a, b in zip(entry, found, strict=True)))}.",
                np.allclose(entry, found, rtol=1e-12, atol=0),
            ),
            Claim(
                "In the figure the gradient is multiplied, step by step, by "
                + ", ".join(number(gain, 2) for gain in gains)
                + ".",
                gains[0] > 1 and max(gains[1:]) < 1,
            ),
        ),
    )


def _net(steps: int) -> rnn.Unrolled:
    model = rnn.RNN(1, 2, activation="identity", rng=0)
    model.parameters["weight_hh_l0"].assign(W)
    return rnn.unroll(model, np.ones((steps, 1, 1)))
