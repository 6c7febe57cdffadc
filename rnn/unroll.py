"""Applying a cell along time: one explicit node for every quantity of every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import minigrad as mg
from minigrad import Node

from .cells import Named, Recurrent

State = Node | tuple[Node, ...]


class Step:
    """The named nodes of one time step: `step.h`, `step.c`, the gates, and `step.x`, of the top layer.

    `step.layers[l]` is the dict of layer l's nodes, its input `x` included.
    """

    __slots__ = ("layers", "t")

    def __init__(self, t: int, layers: list[Named]) -> None:
        self.t = t
        self.layers = layers

    def __getattr__(self, name: str) -> Node:
        if name.startswith("__"):
            raise AttributeError(name)
        top = self.layers[-1]
        if name not in top:
            raise AttributeError(f"step {self.t} has the nodes {', '.join(sorted(top))}, not {name!r}")
        return top[name]

    def __repr__(self) -> str:
        return f"<step {self.t}: {', '.join(self.layers[-1])}>"


@dataclass(frozen=True)
class Unrolled:
    """A recurrent net applied to a sequence.

    Attributes:
        model: the net.
        xs: the input sequence, (T, B, I).
        initial: the named states before the first step, a dict a layer.
        steps: one `Step` a time step; steps[t].h, (B, H), is the very node that step t+1 consumes.
        outputs: the top layer's hidden states, (T, B, H).
        state: the states after the last step: h, or (h, c), each (layers, B, H).
    """

    model: Recurrent
    xs: Node
    initial: list[Named]
    steps: list[Step]
    outputs: Node
    state: State

    def __repr__(self) -> str:
        return f"<{self.model!r} unrolled over {len(self.steps)} steps>"


def unroll(model: Recurrent, xs: Node | ArrayLike, state: Any = None) -> Unrolled:
    """Apply `model` to the sequence `xs` of shape (T, B, I), an array or a node.

    `state` is the state before the first step: h, or (h, c), each (layers, B, H), arrays or nodes; zeros by default.
    Raises ValueError for shapes that do not fit the model.

    >>> import numpy as np
    >>> import rnn
    >>> net = rnn.unroll(rnn.LSTM(3, 5, rng=0), np.ones((4, 2, 3)))
    >>> net.outputs.shape, net.steps[2].c
    ((4, 2, 5), <c = add (2, 5) float64, <doctest rnn.unroll.unroll[2]>:1, lstm layer=0 t=2 role=c>)
    """
    xs = xs if isinstance(xs, Node) else mg.constant(np.asarray(xs, dtype=model.dtype))
    if len(xs.shape) != 3 or xs.shape[2] != model.input_size:
        raise ValueError(
            f"unroll: {model!r} expects a sequence of shape (T, B, {model.input_size}), got {xs.shape}; "
            "time comes first, then batch, then features"
        )
    initial = _initial(model, state, batch=xs.shape[1])
    weights = [model.weights(layer) for layer in range(model.layers)]
    current = [dict(states) for states in initial]
    steps = []
    for t in range(xs.shape[0]):
        nodes: list[Named] = []
        with mg.scope(t=t):
            x = xs[t].named("x")
        for layer in range(model.layers):
            with mg.scope(model.kind, layer=layer, t=t):
                made = model.step(x, current[layer], weights[layer])
            current[layer] = {name: made[name] for name in model.states}
            nodes.append({"x": x, **made})
            x = made[model.states[0]]
        steps.append(Step(t, nodes))
    return Unrolled(model, xs, initial, steps, _outputs(model, steps, xs.shape[1]), _final(model, current))


def _initial(model: Recurrent, state: Any, batch: int) -> list[Named]:
    """The states before the first step. They stand at t = -1, so that figures print them as h_0 and c_0."""
    shape = (model.layers, batch, model.hidden_size)
    if state is None:
        given: Sequence[Any] = [None] * len(model.states)
    else:
        given = [state] if len(model.states) == 1 else list(state)
    if len(given) != len(model.states):
        raise ValueError(f"unroll: {model!r} carries the states {', '.join(model.states)}, got {len(given)}")
    layers: list[Named] = [{} for _ in range(model.layers)]
    for name, value in zip(model.states, given, strict=True):
        whole = value if value is None or isinstance(value, Node) else mg.constant(np.asarray(value, dtype=model.dtype))
        if whole is not None and whole.shape != shape:
            raise ValueError(f"unroll: the initial {name} of {model!r} must have shape {shape}, got {whole.shape}")
        for layer in range(model.layers):
            with mg.scope(model.kind, layer=layer, t=-1):
                start = mg.constant(np.zeros(shape[1:], model.dtype)) if whole is None else whole[layer]
                layers[layer][name] = start.named(name)
    return layers


def _outputs(model: Recurrent, steps: list[Step], batch: int) -> Node:
    if not steps:
        return mg.constant(np.zeros((0, batch, model.hidden_size), model.dtype))
    return mg.stack([step.layers[-1][model.states[0]] for step in steps])


def _final(model: Recurrent, current: list[Named]) -> State:
    states = tuple(mg.stack([layer[name] for layer in current]) for name in model.states)
    return states[0] if len(states) == 1 else states
