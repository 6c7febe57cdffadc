"""One weight used T times: its gradient is a sum of T terms."""

from __future__ import annotations

import numpy as np

import minigrad as mg
import rnn

from ..charts import ledger
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "One weight, used T times"
TEXT = "hello!"


def lesson() -> Lesson:
    """Return the lesson."""
    reading = rnn.read(TEXT, rnn.RNN)
    steps = len(reading.unrolled.steps)
    weight = reading.unrolled.model.parameters["weight_hh_l0"]
    flow = mg.flow(reading.loss, weight)
    gradient = np.asarray(mg.grad(reading.loss, weight).eval())
    by_step = {use.user.scope["t"] + 1: use for use in flow.uses}
    difference = float(np.max(np.abs(sum(use.gradient for use in by_step.values()) - gradient)))
    norms = {t: float(np.linalg.norm(use.gradient)) for t, use in sorted(by_step.items())}
    size = float(np.linalg.norm(gradient))
    untied = _untied(reading)
    apart = max(float(np.max(np.abs(untied[t] - by_step[t].gradient))) for t in by_step)
    rows = [(f"step {t}", number(norms[t], 3), number(by_step[t].share, 3)) for t in norms]
    whole = ("sum", number(size, 3), number(sum(use.share for use in by_step.values()), 3))
    return Lesson(
        TITLE,
        (
            f"A recurrent net reads “{TEXT[:-1]}” one character at a time. At every step it does the same thing with "
            f"the same weights: there is one W_hh, and it is used {steps} times, once a step.",
            Formula("h_t = tanh(W_ih x_t + W_hh h_{t−1} + b)"),
            Shown(
                drawn(reading),
                "The net unrolled. W_hh stands once in the dock at the left; each step carries a small tag where it "
                "uses it. The arrows that run backward are the gradient.",
            ),
            "What is the gradient of a weight that is used more than once? Pretend, for a moment, that every step had "
            f"a weight of its own: W_1, W_2 … W_{{{steps}}}, which happen to be equal. Each has a gradient, and the "
            "chain rule for a function of several arguments adds them up.",
            Formula(f"∂L/∂W = ∂L/∂W_1 + ∂L/∂W_2 + … + ∂L/∂W_{{{steps}}}"),
            Shown(
                ledger(flow, {f"use at step {t}": use for t, use in sorted(by_step.items())}, by="use", theme="auto"),
                "One line a use. Norms do not add up, since the terms point in different directions; the signed "
                "shares, the part of each along the whole gradient, do.",
            ),
            Numbers(("use of W_hh", "norm", "share of ∂L/∂W_hh"), (*rows, whole)),
            "The first use contributes nothing: it meets the initial state h_0 = 0, and a weight that multiplies zero "
            f"has no influence. The norms of the parts sum to {number(sum(norms.values()) / size)} times the norm of "
            "the whole, so adding norms would be a wrong way to say what each step contributes.",
            Claim(
                f"The {steps} contributions sum to ∂L/∂W_hh, the gradient computed in one backward pass: largest "
                f"difference {number(difference)}.",
                difference <= 1e-14 * size,
            ),
            Claim(
                f"A net with {steps} weights of its own has, weight by weight, these very gradients: largest "
                f"difference {number(apart)}.",
                apart <= 1e-14 * size,
            ),
            Claim(
                f"The contribution of step 1 is exactly 0 (norm {number(norms.get(1, 0.0))}).", norms.get(1, 0.0) == 0
            ),
        ),
    )


def _untied(reading: rnn.Reading) -> dict[int, np.ndarray]:
    """Return, by step, the gradient of the same loss in a net whose every step has its own recurrent weight."""
    p = reading.unrolled.model.parameters
    own = [mg.parameter(p["weight_hh_l0"].value, name=f"W_{t + 1}") for t in range(len(reading.losses))]
    h: mg.Node = mg.constant(np.zeros((1, reading.unrolled.model.hidden_size)))
    losses = []
    labels = reading.vocabulary.encode(reading.text[1:])
    for x, w, label in zip(reading.vocabulary.one_hot(reading.text[:-1]), own, labels, strict=True):
        h = mg.tanh(x[None] @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ w.T + p["bias_hh_l0"])
        losses.append(rnn.cross_entropy(h @ reading.readout["weight_hy"].T + reading.readout["bias_y"], [label]))
    gradients = mg.grad(mg.ops.add_n(*losses), own)
    return {t + 1: np.asarray(gradient.eval()) for t, gradient in enumerate(gradients)}
