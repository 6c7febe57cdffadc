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
    factors = _factors(reading)
    off = max(abs(norms[t] - adjoint * state) for t, (adjoint, state) in factors.items())
    rows = [
        (f"step {t}", number(factors[t][0], 3), number(factors[t][1], 3), number(norms[t], 3)) for t in sorted(norms)
    ]
    return Lesson(
        TITLE,
        (
            f"A recurrent net reads “{TEXT[:-1]}” one character at a time. At every step it does the same thing with "
            f"the same weights: there is one matrix W_hh, and it is used {steps} times, once a step.",
            Formula("h_t = tanh(W_ih x_t + W_hh h_{t−1} + b)"),
            Shown(
                drawn(reading),
                "The net unrolled in time. W_hh stands once, in the list of weights at the left; each step carries a "
                "small tag where it uses it. The thick arrows that run backward are the gradient.",
            ),
            "What is the gradient of a weight that is used more than once? Pretend, for a moment, that every step had "
            f"a matrix of its own, W_1, W_2 … W_{{{steps}}}, and that these merely happen to be equal. Each has a "
            "gradient of its own. Tying them together again makes L a function of W through all of its arguments, and "
            "the chain rule adds the gradients up:",
            Formula(
                r"\frac{∂L}{∂W} = \frac{∂L}{∂W_1} + \frac{∂L}{∂W_2} + … + "
                rf"\frac{{∂L}}{{∂W_{{{steps}}}}}"
            ),
            Shown(
                ledger(flow, dict(sorted(by_step.items())), by="use at step", theme="auto"),
                "One line for each use. The norms do not add up to the norm of the whole, since the terms point in "
                "different directions. The signed shares do: the share of a term is its component along the whole "
                "gradient, as a fraction of the whole.",
            ),
            "Each term has a simple form. Let a_t stand for the argument of tanh at step t. W_hh enters it in the "
            "product W_hh h_{t−1}, so its term is an outer product: the gradient that comes back to a_t, times the "
            "state that W_hh was multiplied with.",
            Formula(r"\frac{∂L}{∂W_t} = \frac{∂L}{∂a_t} h_{t−1}^T"),
            Numbers(("use of W_hh", "|∂L/∂a_t|", "|h_{t−1}|", "norm of the term"), tuple(rows)),
            "That is why the first use contributes nothing: it meets the initial state h_0 = 0, and a weight that "
            f"multiplies zero has no influence. The norms of the terms sum to {number(sum(norms.values()) / size)} "
            "times the norm of the gradient, so adding norms would be a wrong way to say what each step contributes.",
            Claim(
                f"The {steps} terms sum to ∂L/∂W_hh as one backward pass computes it: largest difference "
                f"{number(difference)}.",
                difference <= 1e-14 * size,
            ),
            Claim(
                f"A net with {steps} separate matrices, one a step, has exactly these gradients, matrix by matrix: "
                f"largest difference {number(apart)}.",
                apart <= 1e-14 * size,
            ),
            Claim(
                f"The norm of each term is the product of the two norms beside it: largest difference {number(off)}.",
                off <= 1e-14 * size,
            ),
            Claim(f"The term of step 1 is exactly 0 (norm {number(norms.get(1, 0.0))}).", norms.get(1, 0.0) == 0),
        ),
    )


def _factors(reading: rnn.Reading) -> dict[int, tuple[float, float]]:
    """Return, by step, the norm of the gradient that comes back to a_t, and of the state that W_hh multiplies there."""
    net = reading.unrolled
    inner = [step.h.args[0] for step in net.steps]
    before = [net.initial[0]["h"], *(step.h for step in net.steps)]
    adjoints = mg.grad(reading.loss, inner)
    run = mg.run([*adjoints, *before])
    sizes = [
        (float(np.linalg.norm(run[back])), float(np.linalg.norm(run[state])))
        for back, state in zip(adjoints, before, strict=False)
    ]
    return dict(enumerate(sizes, start=1))


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
