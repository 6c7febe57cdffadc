"""Unrolling, and the five shapes: which steps read, and which steps answer."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

import minigrad as mg
import rnn

from ..words import plural
from .lesson import Claim, Lesson, Numbers, Shown, drawn

TITLE = "Unrolling, and the five shapes"
STEPS = 4
# The steps that read, the steps that answer, and what it is good for.
SHAPES = {
    "one to one": (1, {0}, {0}, "no time at all: a picture in, a class out"),
    "one to many": (STEPS, {0}, set(range(STEPS)), "captioning: a picture in, words out"),
    "many to one": (STEPS, set(range(STEPS)), {STEPS - 1}, "sentiment: words in, one judgement out"),
    "many to many, delayed": (STEPS, {0, 1}, {2, 3}, "translation: read the sentence, then answer"),
    "many to many, aligned": (STEPS, set(range(STEPS)), set(range(STEPS)), "tagging, forecasting: an answer a step"),
}


def lesson() -> Lesson:
    """Return the lesson."""
    model = rnn.RNN(2, 3, rng=0)
    losses = {name: net(model, steps, reads, answers) for name, (steps, reads, answers, _) in SHAPES.items()}
    counts = {name: _count(loss, model) for name, loss in losses.items()}
    by_hand = {name: _ways(answers) for name, (_, _, answers, _) in SHAPES.items()}
    rows = [(name, SHAPES[name][3], str(_uses(losses[name], model)), str(counts[name])) for name in SHAPES]
    least, most = counts["many to one"], counts["many to many, aligned"]
    translated, looks = attended(3, 2)
    sums = [float(np.sum(look.eval())) for look in looks]
    return Lesson(
        TITLE,
        (
            "A recurrent net is drawn as a loop: a cell whose output is its own input, one step later. To compute, the "
            "loop is unrolled: one copy of the cell a step, all copies with the same weights. What was a loop becomes "
            "an ordinary graph without loops, and backpropagation needs no new rule. Run over such a graph it is "
            "called backpropagation through time.",
            "Which steps read an input and which give an answer is a choice, and there are five usual ones. The cell "
            "and its weights are the same in all of them; a step that reads nothing is given zeros.",
            *(Shown(drawn(losses[name]), f"{name.capitalize()}: {SHAPES[name][3]}.") for name in SHAPES),
            "The shape decides where gradient enters. Each answer sends a gradient back through all the steps before "
            "it; a step that gives no answer only passes on what comes from later ones. Counting the ways from all "
            f"losses to all uses of W_hh says how much there is to add up in {plural(STEPS, 'step')}:",
            Numbers(("shape", "good for", "uses of W_hh", "ways from a loss to a use"), tuple(rows)),
            Claim(
                "Counted by hand, an answer at step t reaches every use up to step t, in one way each: "
                + ", ".join(str(by_hand[name]) for name in SHAPES)
                + ". The graphs have just as many.",
                counts == by_hand,
            ),
            "Translation is rarely left to one net. An encoder reads, a decoder answers, and it starts from the "
            "state the encoder ends in. That state has to hold the whole sentence, and a gradient on its way to the "
            "first word has to pass every step in between. Attention is the way round: before each answer the decoder "
            "looks at all states of the encoder and takes a weighted mean, the context, as a second input. On the "
            "figure the states are gathered on the line at the top; each look has a number for each of them. The "
            "gradient comes back along that line, to every state directly.",
            Shown(drawn(translated), "Encoder, decoder and attention: a translation of three words into two."),
            Claim(
                f"The weights of a look are shares: they sum to 1 in each of the {len(looks)} looks.",
                all(abs(total - 1) < 1e-12 for total in sums),
            ),
            Claim(
                f"One answer at the end of {plural(STEPS, 'step')} makes {plural(least, 'way')}, one a step makes "
                f"{most}: with T steps it is T against T (T + 1) / 2.",
                least == STEPS and most == STEPS * (STEPS + 1) // 2,
            ),
        ),
    )


def net(model: rnn.Recurrent, steps: int, reads: Collection[int], answers: Collection[int]) -> mg.Node:
    """Return the loss of a plain net that reads an input at the steps `reads` and answers at the steps `answers`."""
    weights, generator = model.weights(0), np.random.default_rng(0)
    readout = mg.parameter(generator.normal(size=(2, model.hidden_size)), name="weight_hy")
    xs = mg.constant(generator.normal(size=(steps, 1, model.input_size)))
    nothing = mg.constant(np.zeros((1, model.input_size)))
    with mg.scope("rnn", layer=0, t=-1):
        h = mg.constant(np.zeros((1, model.hidden_size))).named("h")
    losses = []
    for t in range(steps):
        with mg.scope(t=t):
            x = xs[t].named("x") if t in reads else nothing
        with mg.scope("rnn", layer=0, t=t):
            h = mg.tanh(weights.preactivation(x, h).named("a")).named("h")
        if t in answers:
            with mg.scope("readout", t=t):
                losses.append(rnn.cross_entropy((h @ readout.T).named("y"), [0]).named("L"))
    return losses[0] if len(losses) == 1 else mg.ops.add_n(*losses).named("L")


def attended(steps: int, answers: int) -> tuple[mg.Node, list[mg.Node]]:
    """Return the loss of an encoder and a decoder that looks back before each answer, and the weights of the looks."""
    size, generator = 4, np.random.default_rng(0)
    encoder, decoder = rnn.RNN(2, size, rng=generator), rnn.RNN(2 + size, size, rng=generator)
    attention = rnn.Attention(queries=size, keys=size, size=size, rng=generator)
    readout = rnn.Linear(size, 3, rng=generator)
    net, before = rnn.unroll(encoder, generator.normal(size=(steps, 1, 2))), generator.normal(size=(answers, 1, 2))
    projected, h, losses, looks = attention.project(net.outputs), net.steps[-1].h, [], []
    for t in range(answers):
        with mg.scope("decoder", t=t):
            context, look = attention(h, projected, net.outputs, mg.constant(np.ones((steps, 1), bool)))
            x = mg.concatenate([mg.constant(before[t]), context], axis=-1)
            h = rnn.unroll(decoder, x[None], h[None]).steps[0].h
            losses.append(rnn.cross_entropy(readout(h), [t]))
        looks.append(look)
    return mg.ops.add_n(*losses), looks


def _uses(loss: mg.Node, model: rnn.Recurrent) -> int:
    return len(mg.flow(loss, model.parameters["weight_hh_l0"]).uses)


def _count(loss: mg.Node, model: rnn.Recurrent) -> int:
    """Return how many ways lead from the losses to the uses of the recurrent weight."""
    return mg.flow(loss, model.parameters["weight_hh_l0"]).count()


def _ways(answers: Collection[int]) -> int:
    """Return the ways counted by hand: an answer at step t reaches the uses at the steps 0 to t."""
    return sum(t + 1 for t in answers)
