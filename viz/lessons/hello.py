"""The "hello" model: a net that has to remember, before and after training."""

from __future__ import annotations

import itertools
import math

import numpy as np

import minigrad as mg
import rnn

from ..charts import compare, lines, triangle
from ..words import number
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "The “hello” model"
TEXT = "hello"
UPDATES = 30
RATE = 0.05


def lesson() -> Lesson:
    """Return the lesson."""
    fresh, trained = rnn.read(TEXT, rnn.RNN), rnn.read(TEXT, rnn.RNN)
    losses = train(trained)
    before, after = chances(fresh), chances(trained)
    rows = []
    for t, (read, said) in enumerate(itertools.pairwise(TEXT)):
        place = trained.vocabulary.characters.index(said)
        rows.append((read, said, number(float(before[t, place]), 3), number(float(after[t, place]), 3)))
    guessed = {"before": fresh.vocabulary.decode(before.argmax(1)), "after": trained.vocabulary.decode(after.argmax(1))}
    blind = 2 * math.log(2)
    beaten = next(n for n, loss in enumerate(losses) if loss < blind)
    first, second = (place for place, read in enumerate(TEXT[:-1]) if read == "l")
    run = mg.run([step.h for step in trained.unrolled.steps])
    apart = float(np.linalg.norm(run[trained.unrolled.steps[first].h] - run[trained.unrolled.steps[second].h]))
    tables = {
        name: rnn.bptt(each.losses, each.unrolled.model.parameters["weight_hh_l0"], each.unrolled)
        for name, each in (("before", fresh), ("after", trained))
    }
    worst = max(float(table.proof().difference) for table in tables.values())
    sizes = {name: float(np.linalg.norm(table.total)) for name, table in tables.items()}
    hidden = trained.unrolled.model.hidden_size
    return Lesson(
        TITLE,
        (
            f"The smallest language model of all reads “{TEXT[:-1]}” and should say “{TEXT[1:]}”: after each "
            "character, the next one. It is a good example, for a reason that one sees only at second sight. The "
            "letter l is followed by l the first time and by o the second time. A net that looks at the present "
            "character alone cannot get both right.",
            Shown(
                drawn(fresh, title=f"Before training: reading “{TEXT[:-1]}”, predicting “{TEXT[1:]}”"),
                "Beside every loss stands the probability that the net gives to the right character.",
            ),
            "At every step the hidden state is turned into a score for each character, and the scores into "
            "probabilities. The loss is the surprise at the character that came, the negative logarithm of its "
            "probability, summed over the steps:",
            Formula(r"y_t = W_hy h_t + b_y   and   L = − \sum{t}{} log softmax(y_t)[next character]"),
            "How well can a net without memory do? It can be sure of what follows h and e, but for the two l it has to "
            f"give the same answer twice, and the best is ½ for l and ½ for o. So its loss is at least 2 log 2 = "
            f"{number(blind, 4)}.",
            Shown(
                lines(
                    "Learning “hello”",
                    {
                        "loss": list(enumerate(losses)),
                        "the best without memory": [(0, blind), (len(losses) - 1, blind)],
                    },
                    across=f"updates (Adam, learning rate {RATE:g})",
                    up="loss, summed over the steps",
                    theme="auto",
                ),
                f"A net of {hidden} hidden units. After {beaten} updates it is better than any reader without memory.",
            ),
            Numbers(("reads", "should say", "probability before", "probability after"), tuple(rows)),
            f"Before training the likeliest answers read “{guessed['before']}”, after it “{guessed['after']}”.",
            Shown(
                drawn(trained, title=f"After {UPDATES} updates"),
                "The probabilities have grown, and little gradient is left: compare the three widths in the legend "
                "with those before training.",
            ),
            Shown(
                compare({name: triangle(table, theme="auto") for name, table in tables.items()}, theme="auto"),
                "What each loss sends to each use of W_hh, before and after training, on one colour scale. The whole "
                f"gradient has shrunk from a norm of {number(sizes['before'])} to one of {number(sizes['after'])}.",
            ),
            Claim(
                f"The trained net says “{guessed['after']}”, every character right.",
                guessed["after"] == TEXT[1:],
            ),
            Claim(
                f"Its loss, {number(losses[-1], 3)}, is below {number(blind, 4)}. No net without memory gets there.",
                losses[-1] < blind,
            ),
            Claim(
                f"It remembers: the hidden states after the two l differ by {number(apart, 3)}, though the character "
                "read is the same.",
                apart > 0.1,
            ),
            Claim(
                "Before and after training the entries of the table sum to the gradient: largest difference "
                f"{number(worst)}.",
                worst < 1e-14,
            ),
        ),
    )


def train(reading: rnn.Reading) -> list[float]:
    """Train the net to predict its text and return the loss before each update, and after the last."""
    parameters = [*reading.unrolled.model.parameters.values(), *reading.readout.values()]
    step = mg.function([], [reading.loss, *mg.grad(reading.loss, parameters)])
    optimiser = rnn.Adam(parameters, lr=RATE)
    losses = []
    for _ in range(UPDATES):
        loss, *gradients = step()
        losses.append(float(loss))
        optimiser.step(gradients)
    return [*losses, float(reading.loss.eval())]


def chances(reading: rnn.Reading) -> np.ndarray:
    """Return the probability of every character at every step, (T, V)."""
    found: np.ndarray = np.concatenate([mg.softmax(logits).eval() for logits in reading.logits])
    return found
