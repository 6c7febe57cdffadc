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
UPDATES = 60
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
    (after, stuck), (kept, slow) = at(free), at(held)
    growth = abs(cliff * (1 - START**2))
    runs = {name: _descent(at, edge, largest) for name, largest in (("plain", math.inf), ("clipped", LARGEST))}
    rows = (
        ("where the descent stands", number(edge, 5), number(before, 2), number(slope, 2)),
        ("after a plain step", number(free, 5), number(after, 2), number(stuck, 2)),
        ("after a clipped step", number(held, 5), number(kept, 2), number(slow, 2)),
    )
    return Lesson(
        TITLE,
        (
            f"Take one unit, {STEPS} steps and no input. The only thing to learn is the weight w, and the loss asks "
            f"the last state to be {number(TARGET, 1)}:",
            Formula("h_t = tanh(w h_{t−1} + b)   and   L = (h_T − y)^2"),
            f"The state starts at {number(START, 1)}, and b is {number(BIAS, 1)}. With a small w the state falls to a "
            "negative resting point; with a larger one it rises to a positive resting point. Between the two there is "
            f"one w for which the start itself is a resting point, but an unstable one: w = {number(cliff, 5)}. Close "
            f"to it, a step multiplies the distance from that point by {number(growth, 3)}, and {STEPS} steps send "
            "the smallest difference in w to one side or to the other.",
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
                "A plateau, a wall, and a valley right behind it: the cliff of Pascanu, Mikolov and Bengio (2013). "
                f"(After a plain step w is {number(free, 3)}, far to the right of this figure.)",
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
                "The same weights. The gradient is moderate nearly everywhere and enormous on the wall. (The dip on "
                "the right is the bottom of the valley, where the gradient passes through 0.)",
            ),
            f"Now let gradient descent, with a learning rate of {RATE:g}, arrive at the foot of the wall, at a "
            f"distance of {number(EDGE, 1)} from it. The gradient there is {number(slope, 3)}. It points the right "
            "way, farther into the valley, but its size says nothing about how far to go. A plain step ends at w = "
            f"{number(free, 5)}, far beyond the valley, where the unit is saturated and the gradient is "
            f"{number(stuck, 2)}: the descent does not come back. Clipping keeps the direction and limits the norm to "
            f"{LARGEST:g}; that step ends at w = {number(held, 5)}, in the valley.",
            Numbers(("", "w", "loss", "∂L/∂w"), rows),
            Shown(
                lines(
                    "The descent goes on",
                    {
                        "plain": [(k, math.log10(loss)) for k, loss in enumerate(runs["plain"])],
                        "clipped": [(k, math.log10(loss)) for k, loss in enumerate(runs["clipped"])],
                    },
                    across="updates",
                    up="loss",
                    powers=True,
                    theme="auto",
                ),
                f"{UPDATES} updates from the foot of the wall, with and without clipping.",
            ),
            "Clipping by norm changes the length of a gradient, never its direction. It cures exploding gradients "
            "only: a gradient that has vanished has no length to be limited, and scaling it up would scale up its "
            "rounding errors.",
            Claim(
                f"The clipped step goes down, from {number(before, 2)} to {number(kept, 2)}. The plain step is "
                f"{number(abs(free - edge) / abs(held - edge), 3)} times as long and goes up, to {number(after, 2)}.",
                kept < before < after,
            ),
            Claim(
                f"After {UPDATES} updates the plain descent still has a loss of {number(runs['plain'][-1], 2)}; the "
                f"clipped one has {number(runs['clipped'][-1], 2)}.",
                runs["clipped"][-1] < 1e-9 < 0.03 < runs["plain"][-1],
            ),
            Claim(
                f"Clipping turns a gradient of norm {number(norm, 3)} into one of norm "
                f"{number(float(np.linalg.norm(clipped)), 3)} in the same direction.",
                math.isclose(float(np.linalg.norm(clipped)), LARGEST, rel_tol=1e-12)
                and math.copysign(1.0, clipped.item()) == math.copysign(1.0, slope),
            ),
            Claim(
                "At the cliff the start is a resting point: tanh(w h_0 + b) − h_0 is "
                f"{number(math.tanh(cliff * START + BIAS) - START)}. It is unstable: the slope there, "
                f"{number(growth, 3)}, is above 1.",
                abs(math.tanh(cliff * START + BIAS) - START) < 1e-15 and growth > 1,
            ),
        ),
    )


def _descent(at: Callable[[float], tuple[float, float]], w: float, largest: float) -> list[float]:
    """Return the losses of gradient descent from `w`, the gradient limited to `largest`."""
    losses = []
    for _ in range(UPDATES + 1):
        loss, slope = at(w)
        losses.append(loss)
        w -= RATE * max(-largest, min(largest, slope))
    return losses


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
