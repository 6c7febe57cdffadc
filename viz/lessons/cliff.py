"""The cliff and clipping: where a gradient explodes, a step has to be held back."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import minigrad as mg
import rnn

from ..charts import lines
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown

TITLE = "The cliff, and clipping"
STEPS = 50
START, BIAS, TARGET = 0.5, -0.3, 0.8
RATE = 0.05
LARGEST = 1.0
# How far from the cliff the descent has come to stand.
EDGE = 1e-5


def lesson() -> Lesson:
    """Return the lesson."""
    weight, gradient, at = _net()
    cliff = (math.atanh(START) - BIAS) / START
    grid = sorted(
        {*np.linspace(1.4, 2.3, 181).tolist(), *(cliff + side * 10.0**-k for side in (-1, 1) for k in range(2, 11))}
    )
    values = [at(w) for w in grid]
    edge = cliff + EDGE
    before, slope = at(edge)
    free = edge - RATE * slope
    weight.assign([[edge]])
    clipped = np.array(gradient.eval())
    norm = rnn.clip_norm([clipped], LARGEST)
    held = edge - RATE * float(clipped.item())
    after, kept = at(free)[0], at(held)[0]
    growth = abs(cliff * (1 - START**2))
    rows = (
        ("where the descent stands", number(edge, 5), number(before, 3)),
        ("after a plain step", number(free, 5), number(after, 3)),
        ("after a clipped step", number(held, 5), number(kept, 3)),
    )
    return Lesson(
        TITLE,
        (
            f"One unit, {STEPS} steps, no input. The only thing to learn is its weight w, and the loss asks the last "
            f"state to be {number(TARGET, 1)}:",
            Formula("h_t = tanh(w h_{t−1} + b),   L = (h_T − y)^2"),
            f"The state starts at {number(START, 1)}, and b is {number(BIAS, 1)}. With a small w the state falls to a "
            "negative resting point, with a larger one it rises to a positive one. Between the two there is a w for "
            f"which the start itself is a resting point, one that does not hold: w = {number(cliff, 5)}. To either "
            "side "
            f"of it the {STEPS} steps multiply the smallest difference by up to {number(growth, 3)} each.",
            Shown(
                lines(
                    f"The loss after {STEPS} steps, by weight",
                    {
                        "loss": [(w, loss) for w, (loss, _) in zip(grid, values, strict=True)],
                        "where the descent stands": [(edge, before)],
                        "after a clipped step": [(held, kept)],
                    },
                    across="w",
                    up="loss",
                    dots=("where the descent stands", "after a clipped step"),
                    theme="auto",
                ),
                "A plateau, a wall, and a valley just behind it: the cliff of Pascanu, Mikolov and Bengio (2013).",
            ),
            Shown(
                lines(
                    "The size of the gradient, by weight",
                    {
                        "|∂L/∂w|": [
                            (w, math.log10(abs(slope))) for w, (_, slope) in zip(grid, values, strict=True) if slope
                        ]
                    },
                    across="w",
                    up="|∂L/∂w|",
                    powers=True,
                    theme="auto",
                ),
                "The same points. The gradient is small nearly everywhere and huge on the wall. (The dip on the right "
                "is the bottom of the valley, where it passes through 0.)",
            ),
            f"Now let gradient descent, with a learning rate of {RATE:g}, arrive at the foot of the wall, at a "
            "distance of "
            f"{number(EDGE)} from it. The gradient there is {number(slope, 3)}. It points the right way, farther into "
            "the "
            f"valley, but its size says nothing of how far that is. A plain step goes to w = {number(free, 5)}, where "
            f"the loss is {number(after, 3)}: out of the valley and onto the far side. Clipping keeps the direction "
            "and "
            f"limits the norm to {LARGEST:g}; that step ends at w = {number(held, 5)}.",
            Numbers(("", "w", "loss"), rows),
            "Clipping by norm changes the length of a gradient, never its direction. It cures exploding gradients "
            "only: "
            "one that has vanished has no direction left to keep.",
            Claim(
                f"The clipped step goes down, from {number(before, 3)} to {number(kept, 3)}; the plain step is "
                f"{number(abs(free - edge) / abs(held - edge), 3)} times as long and ends at {number(after, 3)}.",
                kept < before < after,
            ),
            Claim(
                f"Clipping makes of a gradient of norm {number(norm, 3)} one of norm "
                f"{number(float(np.linalg.norm(clipped)), 3)} in the same direction.",
                math.isclose(float(np.linalg.norm(clipped)), LARGEST, rel_tol=1e-12)
                and math.copysign(1.0, clipped.item()) == math.copysign(1.0, slope),
            ),
            Claim(
                "At the cliff the start is a resting point: tanh(w h_0 + b) − h_0 is "
                f"{number(math.tanh(cliff * START + BIAS) - START)}, and its slope there, {number(growth, 3)}, is "
                "above 1.",
                abs(math.tanh(cliff * START + BIAS) - START) < 1e-15 and growth > 1,
            ),
        ),
    )


def _net() -> tuple[mg.Parameter, mg.Node, Callable[[float], tuple[float, float]]]:
    """Return the weight, the node of its gradient, and what gives loss and gradient at any weight."""
    model = rnn.RNN(1, 1, rng=0)
    for name, value in (("weight_ih_l0", 0.0), ("bias_ih_l0", BIAS), ("bias_hh_l0", 0.0)):
        model.parameters[name].assign(np.full(model.parameters[name].shape, value))
    net = rnn.unroll(model, np.zeros((STEPS, 1, 1)), state=np.full((1, 1, 1), START))
    loss = mg.sum((net.steps[-1].h - TARGET) ** 2)
    weight = model.parameters["weight_hh_l0"]
    gradient = mg.grad(loss, weight)
    both = mg.function([weight], [loss, gradient])

    def at(w: float) -> tuple[float, float]:
        value, slope = both(np.array([[w]]))
        return float(value), float(slope.item())

    return weight, gradient, at
