"""Unrolling, and the five shapes: which steps read, and which steps answer."""

from __future__ import annotations

import itertools
from collections.abc import Collection

import numpy as np

import minigrad as mg
import rnn

from ..figure import Figure
from ..scene import Level, Scene
from ..words import plain, plural, rich
from .lesson import Claim, Lesson, Numbers, Shown, drawn
from .sketch import NetShape, Sketch

TITLE = "Unrolling, and the five shapes"
STEPS = 4
ALIGNED = "many to many, aligned"
LOOP: tuple[tuple[Level, str], ...] = (
    ("rolled", "A net as a loop: one cell"),
    ("cell", f"The same net unrolled in {plural(STEPS, 'step')}"),
)
# The steps that read, the steps that answer, and what it is good for.
SHAPES = {
    "one to one": (1, {0}, {0}, "no time at all: a picture in, a class out"),
    "one to many": (STEPS, {0}, set(range(STEPS)), "captioning: a picture in, words out"),
    "many to one": (STEPS, set(range(STEPS)), {STEPS - 1}, "sentiment: words in, one judgement out"),
    "many to many, delayed": (STEPS, {0, 1}, {2, 3}, "translation: read the sentence, then answer"),
    ALIGNED: (STEPS, set(range(STEPS)), set(range(STEPS)), "tagging: an answer at every step"),
}


def lesson() -> Lesson:
    """Return the lesson."""
    model = rnn.RNN(2, 3, rng=0)
    losses = {name: net(model, steps, reads, answers) for name, (steps, reads, answers, _) in SHAPES.items()}
    counts = {name: _count(loss, model) for name, loss in losses.items()}
    by_hand = {name: _ways(answers) for name, (_, _, answers, _) in SHAPES.items()}
    rows = [(name, str(_uses(losses[name], model)), str(counts[name])) for name in SHAPES]
    least, most = counts["many to one"], counts[ALIGNED]
    rolled, unrolled = (drawn(losses[ALIGNED], level, title=title) for level, title in LOOP)
    loop, copies = (_tags(figure) for figure in (rolled, unrolled))
    translated, looks = attended(3, 2)
    sums = [float(np.sum(look.eval())) for look in looks]
    return Lesson(
        TITLE,
        (
            "A recurrent net is drawn as a loop: a cell whose output is its own input, one step later. To compute with "
            "it, the loop is unrolled: one copy of the cell for each step, all copies with the same weights. What was "
            "a loop becomes an ordinary graph without loops, and backpropagation needs no new rule. Run over such a "
            "graph it is called backpropagation through time.",
            Shown(
                rolled,
                "The loop. What the cell makes at step t comes back to it at step t + 1, and the black box is the "
                "step between. The gradient runs round the loop the other way; the table tells how much of it arrives "
                "at each step.",
            ),
            Shown(
                unrolled,
                f"The same net unrolled: {STEPS} copies of the cell side by side, an arrow from "
                "each to the next in place of the loop. The weights at the left are the same, each used at every step.",
            ),
            Claim(
                f"In the loop W_hh has one tag, which stands for {plural(len(loop[0]), 'use')}; unrolled it has "
                f"{plural(len(copies), 'tag')}, and these are the same uses, one a step.",
                len(loop) == 1
                and all(len(uses) == 1 for uses in copies)
                and sorted(itertools.chain(*copies)) == sorted(loop[0]),
            ),
            "Which steps read an input and which give an answer is a choice, and five choices are usual. The cell and "
            "its weights are the same in all of them; a step that reads nothing is given zeros.",
            Shown(
                Figure(_sketch(), "auto"),
                "The five shapes. Time runs to the right, data runs up: what is read below, the state in the middle, "
                "the answer above.",
            ),
            "The last of them is the net above; here are the others with their gradient. An answer is scored by a "
            "loss, so the shape decides where the gradient enters. From every loss it runs back through all the steps "
            "before it; a step that gives no answer only passes on what comes from later ones.",
            *(
                Shown(drawn(losses[name], title=name.capitalize()), f"{use[0].upper()}{use[1:]}.")
                for name, (_, _, _, use) in SHAPES.items()
                if name != ALIGNED
            ),
            "How much is there to add up? Count the ways from a loss back to a use of W_hh, in "
            f"{plural(STEPS, 'step')}:",
            Numbers(("shape", "uses of W_hh", "ways from a loss to a use"), tuple(rows)),
            Claim(
                "An answer at step t reaches the uses at the steps 1 to t, each in one way. Counted like this the five "
                "shapes have "
                + ", ".join(str(by_hand[name]) for name in SHAPES)
                + " ways, and the graphs have just as many.",
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
                f"One answer at the end of {plural(STEPS, 'step')} makes {plural(least, 'way')}, an answer at every "
                f"step makes {most}: T against T (T + 1) / 2.",
                least == STEPS and most == STEPS * (STEPS + 1) // 2,
            ),
        ),
    )


def _sketch() -> Sketch:
    shapes = [
        NetShape(name, steps, tuple(sorted(reads)), tuple(sorted(answers)), use)
        for name, (steps, reads, answers, use) in SHAPES.items()
    ]
    return Sketch(rich("The five shapes"), (), (), (), tuple(shapes))


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
    return mg.ops.add_n(*losses).named("L")


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


def _tags(figure: Figure) -> list[list[tuple[int, int]]]:
    """Return the uses of the recurrent weight behind each of its tags, as numbers that can be sorted."""
    assert figure.behind is not None
    assert isinstance(figure.scene, Scene)
    tags = [tag for box in figure.scene.boxes for tag in box.tags if plain(tag.label) == "W_hh"]
    return [[(use.user.id, use.slot) for use in figure.behind.uses[tag.id]] for tag in tags]


def _uses(loss: mg.Node, model: rnn.Recurrent) -> int:
    return len(mg.flow(loss, model.parameters["weight_hh_l0"]).uses)


def _count(loss: mg.Node, model: rnn.Recurrent) -> int:
    """Return how many ways lead from the losses to the uses of the recurrent weight."""
    return mg.flow(loss, model.parameters["weight_hh_l0"]).count()


def _ways(answers: Collection[int]) -> int:
    """Return the ways counted by hand: an answer at step t reaches the uses at the steps 0 to t."""
    return sum(t + 1 for t in answers)
