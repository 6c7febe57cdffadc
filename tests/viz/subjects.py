"""Graphs that figures are tested on: nets after nets, attention, losses of all outputs, and graphs without time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

import minigrad as mg
import rnn

HIDDEN = 4


def sequence(steps: int, features: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(steps, 1, features))


def total(terms: Iterable[mg.Node]) -> mg.Node:
    return mg.ops.add_n(*terms)


def squares(*nets: rnn.Unrolled) -> mg.Node:
    return total(mg.sum(step.h * step.h) for net in nets for step in net.steps)


def encoder_decoder(cell=rnn.RNN, steps=3, answers=3, **options) -> mg.Node:
    """The encoder's last states are the decoder's first; a loss a step, made outside of time."""
    encoder = rnn.unroll(cell(2, HIDDEN, rng=0, **options), sequence(steps))
    with mg.scope("decoder"):
        decoder = rnn.unroll(cell(2, HIDDEN, rng=1, **options), sequence(answers, seed=1), encoder.state)
    readout = rnn.Linear(HIDDEN, 3, rng=2)
    return total(rnn.cross_entropy(readout(step.h), [step.t % 3]) for step in decoder.steps)


def bridge(cell=rnn.RNN) -> mg.Node:
    """Something is computed between encoder and decoder; a cell state is handed over as it is."""
    encoder, between = rnn.unroll(cell(2, HIDDEN, rng=0), sequence(3)), rnn.Linear(HIDDEN, HIDDEN, rng=5)
    given = encoder.state if isinstance(encoder.state, tuple) else (encoder.state,)
    first = mg.tanh(between(given[0]))
    state = (first, given[1]) if len(given) > 1 else first
    return squares(rnn.unroll(cell(2, HIDDEN, rng=1), sequence(3, seed=1), state))


def chunks(cut: bool = True) -> mg.Node:
    """One net in two pieces, the gradient cut in between: truncated backpropagation through time."""
    model, xs = rnn.RNN(2, HIDDEN, rng=0), sequence(4)
    first = rnn.unroll(model, xs[:2])
    state = mg.stop_gradient(first.state) if cut else first.state
    return squares(first, rnn.unroll(model, xs[2:], state))


def handed_on() -> mg.Node:
    """The encoder's last state stands beside every input of the decoder."""
    encoder = rnn.unroll(rnn.RNN(2, HIDDEN, rng=0), sequence(3))
    context = mg.broadcast_to(encoder.state, (3, 1, HIDDEN))
    xs = mg.concatenate([mg.constant(sequence(3, seed=1)), context], axis=-1)
    return squares(rnn.unroll(rnn.RNN(2 + HIDDEN, HIDDEN, rng=1), xs))


def attended(steps: int = 3, answers: int = 2, moved: list[mg.Parameter] | None = None) -> mg.Node:
    """Bahdanau's decoder: it looks at the encoder's states before each step.

    `moved` holds what is added to the sequence for each look apart.
    """
    encoder, decoder = rnn.RNN(2, HIDDEN, rng=0), rnn.RNN(2 + HIDDEN, HIDDEN, rng=1)
    attention, readout = rnn.Attention(queries=HIDDEN, keys=HIDDEN, size=3, rng=2), rnn.Linear(2 * HIDDEN, 3, rng=3)
    net, xs = rnn.unroll(encoder, sequence(steps)), sequence(answers, seed=1)
    projected, h, losses = attention.project(net.outputs), net.steps[-1].h, []
    for t in range(answers):
        seen, keys = net.outputs, projected
        if moved is not None:
            seen = seen + moved[t]
            keys = attention.project(seen)
        with mg.scope("decoder", t=t):
            context, _ = attention(h, keys, seen, np.ones((steps, 1), bool))
            x = mg.concatenate([mg.constant(xs[t]), context], axis=-1)
            h = rnn.unroll(decoder, x[None], h[None]).steps[0].h
            losses.append(rnn.cross_entropy(readout(mg.concatenate([h, context], axis=-1)), [t % 3]))
    return total(losses)


def attended_after() -> mg.Node:
    """Luong's decoder: it looks at the encoder's states after each step."""
    encoder, decoder = rnn.LSTM(2, HIDDEN, rng=0), rnn.LSTM(2, HIDDEN, rng=1)
    attention, readout = rnn.Attention(queries=HIDDEN, keys=HIDDEN, size=3, rng=2), rnn.Linear(2 * HIDDEN, 3, rng=3)
    net = rnn.unroll(encoder, sequence(3))
    answers, projected, losses = rnn.unroll(decoder, sequence(2, seed=1), net.state), attention.project(net.outputs), []
    for step in answers.steps:
        with mg.scope(t=step.t):
            context, _ = attention(step.h, projected, net.outputs, np.ones((3, 1), bool))
            losses.append(rnn.cross_entropy(readout(mg.concatenate([step.h, context], axis=-1)), [0]))
    return total(losses)


def all_outputs(cell=rnn.LSTM, steps: int = 4, **options) -> mg.Node:
    """One loss of all outputs at once, as a batch is trained."""
    net = rnn.unroll(cell(2, HIDDEN, rng=0, **options), sequence(steps))
    readout = rnn.Linear(net.outputs.shape[-1], 3, rng=1)
    return rnn.cross_entropy(readout(net.outputs), np.arange(steps).reshape(steps, 1) % 3)


def by_hand(*labels: str) -> mg.Node:
    """A scalar net written out: h = tanh(w h + u x), its losses in the same block."""
    w, u, h, losses = value(0.9, "w"), value(0.5, "u"), mg.constant(0.4).named("h"), []
    for t, x in enumerate((0.5, -0.3, 0.8)):
        with mg.scope(*labels, t=t):
            h = mg.tanh(w * h + u * mg.constant(x).named("x")).named("h")
            losses.append(((h - 1.0) ** 2).named("L"))
    return total(losses)


IN_TIME: dict[str, Callable[[], mg.Node]] = {
    "encoder decoder": encoder_decoder,
    "lstm encoder decoder": lambda: encoder_decoder(rnn.LSTM),
    "stacked encoder decoder": lambda: encoder_decoder(rnn.GRU, 2, 2, layers=2),
    "encoder of one step": lambda: encoder_decoder(rnn.GRU, 1, 2),
    "bridge": bridge,
    "lstm bridge": lambda: bridge(rnn.LSTM),
    "chunks": chunks,
    "handed on": handed_on,
    "attended": attended,
    "attended after": attended_after,
    "all outputs": all_outputs,
    "by hand": by_hand,
    "by hand in a cell": lambda: by_hand("rnn"),
    "long all outputs": lambda: all_outputs(rnn.RNN, 20),
    "bidirectional all outputs": lambda: all_outputs(rnn.GRU, 2, bidirectional=True),
}


def value(number, name: str) -> mg.Parameter:
    return mg.parameter(np.asarray(number, dtype=float), name=name)


def by_products() -> mg.Node:
    x, y = value(4, "x"), value(2, "y")
    return x * y + x / y


def perceptron() -> mg.Node:
    rng = np.random.default_rng(0)
    x = mg.constant(rng.normal(size=(5, 4))).named("x")
    first, second = rnn.Linear(4, 8, rng=0), rnn.Linear(8, 3, rng=1)
    return rnn.cross_entropy(second(mg.tanh(first(x))), [0, 1, 2, 0, 1])


def diamond() -> mg.Node:
    shared = mg.exp(value([1, 2], "x"))
    return mg.sum(mg.sin(shared) * mg.cos(shared))


def square() -> mg.Node:
    x = value(3, "x")
    return x * x


def thirty() -> mg.Node:
    rng = np.random.default_rng(3)
    nodes: list[mg.Node] = [value(0.3, "x"), value(1.2, "y"), value(-0.7, "z")]
    for place in range(28):
        a, b = (nodes[int(at)] for at in rng.integers(max(0, len(nodes) - 7), len(nodes), 2))
        nodes.append([a + b, a * b, mg.sin(a), mg.tanh(a), a - b][place % 5])
    return mg.ops.add_n(*nodes[-4:])


def stopped() -> mg.Node:
    x, y = value(4, "x"), value(2, "y")
    a = mg.exp(x * 0.1).named("a")
    return mg.stop_gradient(a) * y + a * mg.sin(y)


def not_a_number() -> mg.Node:
    x, y = value(-1, "x"), value(2, "y")
    return mg.log(x) * y + mg.sqrt(y) + mg.sum(mg.sqrt(value([1, -1], "z")))


def large() -> mg.Node:
    image = mg.constant(np.ones((16, 3, 32, 32))).named("image")
    return mg.mean(image * value(1, "scale") + value(np.zeros((3, 1, 1)), "shift"))


def long_names() -> mg.Node:
    x, y = value(1, "the_very_long_name_of_a_parameter"), value(2, "another & <b>long</b> name")
    return (mg.sin(x).named("an_activation_in_the_middle") * y).named("the_result_of_all_this")


def chain() -> mg.Node:
    node: mg.Node = value(0.5, "x")
    for _ in range(6):
        node = mg.tanh(node * 1.5)
    return node


def normalised() -> mg.Node:
    x = value(np.arange(10.0).reshape(2, 5) ** 2, "x")
    apart = x - mg.mean(x, axis=-1, keepdims=True)
    return mg.sum(apart / mg.sqrt(mg.mean(apart**2, axis=-1, keepdims=True) + 1e-5) * np.arange(5.0))


def gradients() -> list[mg.Node]:
    x, y = value(4, "x"), value(2, "y")
    result = x * y + x / y
    return [result, *mg.grad(result, [x, y])]


def second_order() -> mg.Node:
    x = value([1, 2, 3], "x")
    return mg.hessian(mg.sum(mg.tanh(x) * x), x)


def fed() -> mg.Node:
    return mg.sum(mg.input((3,), name="x") * value(np.ones(3), "w"))


def leaf() -> mg.Node:
    return value(3, "x")


def fan() -> mg.Node:
    return mg.ops.add_n(*(mg.sin(value(place, f"x_{place}")) for place in range(12)))


PLAIN: dict[str, Callable[[], mg.Node | list[mg.Node]]] = {
    make.__name__.replace("_", " "): make
    for make in (
        by_products,
        perceptron,
        diamond,
        square,
        thirty,
        stopped,
        not_a_number,
        large,
        long_names,
        chain,
        normalised,
        gradients,
        second_order,
        fed,
        leaf,
        fan,
    )
}
