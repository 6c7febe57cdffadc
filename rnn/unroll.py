"""Applying a cell along time: one explicit node for every quantity of every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import minigrad as mg
from minigrad import Node, describe
from minigrad.collector import uncollected
from minigrad.node import Array

from .cells import Named, Recurrent, Rng

State = Node | tuple[Node, ...]


class Step:
    """The named nodes of one time step: `step.h`, `step.c`, the gates, and `step.x`, of the top layer.

    `step.layers[l]` is the dict of layer l's nodes, its input `x` included; `step.reverse[l]` that of the direction
    that reads backward, an empty list where there is none. `step.output` is what the step shows to the outside: h, or
    both directions joined, and exactly 0 where the sequence has ended.
    """

    __slots__ = ("layers", "output", "reverse", "t")

    def __init__(self, t: int, layers: list[Named], reverse: list[Named], output: Node) -> None:
        self.t = t
        self.layers = layers
        self.reverse = reverse
        self.output = output

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
        initial: the named states before the first step, a dict a row of the state: l0, l0_reverse, l1 ...
        steps: one `Step` a time step; steps[t].h, (B, H), is the very node that step t+1 consumes.
        outputs: the top layer's hidden states, (T, B, output_size).
        state: the states after the last step: h, or (h, c), each (layers*directions, B, H).
        lengths: how long each sequence of the batch is, (B,), or None: all are T long.
    """

    model: Recurrent
    xs: Node
    initial: list[Named]
    steps: list[Step]
    outputs: Node
    state: State
    lengths: Node | None = None

    def __repr__(self) -> str:
        return f"<{self.model!r} unrolled over {len(self.steps)} steps>"


def unroll(
    model: Recurrent,
    xs: Node | ArrayLike,
    state: Any = None,
    lengths: Node | ArrayLike | None = None,
    *,
    dropout: Node | ArrayLike | None = None,
) -> Unrolled:
    """Apply `model` to the sequence `xs` of shape (T, B, I), an array or a node.

    `state` is the state before the first step: h, or (h, c), each (layers*directions, B, H), arrays or nodes; zeros by
    default. `lengths` (B,) says how many steps of each sequence count. What lies behind its end is padding and reaches
    no value and no gradient, even if it is NaN: outputs there are exactly 0, the state is each sequence's own last, and
    the reverse direction starts at each sequence's end. `dropout` is what the outputs of every layer but the last are
    multiplied by, of shape (layers-1, T, B, output_size); 1 in place of T or B repeats a mask (see `dropout_masks`).
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
    count, batch, _ = xs.shape
    initial = _initial(model, state, batch)
    ends = None if lengths is None else _lengths(lengths, count, batch)
    alive = None if ends is None else _alive(ends, count)
    masks = None if dropout is None else _masks(model, dropout, count, batch)
    with uncollected():
        inputs = [_input(xs, t, alive) for t in range(count)]
        final: list[Named] = []
        sweeps: list[list[list[Named]]] = []  # sweeps[layer][direction][t] are the nodes of that step
        for layer in range(model.layers):
            both = []
            for direction in range(model.directions):
                start = initial[len(final)]
                nodes = _sweep(model, layer, direction, inputs, start, alive)
                both.append(nodes)
                last = nodes[0 if direction else -1] if nodes else start
                final.append({name: last[name] for name in model.states})
            sweeps.append(both)
            inputs = [_merged(model, t, [nodes[t] for nodes in both]) for t in range(count)]
            if masks is not None and layer < model.layers - 1:
                inputs = [_dropped(x, masks, layer, t) for t, x in enumerate(inputs)]
    if alive is not None:
        inputs = [_padded(x, t, alive) for t, x in enumerate(inputs)]
    steps = [
        Step(t, [both[0][t] for both in sweeps], [both[1][t] for both in sweeps if len(both) > 1], inputs[t])
        for t in range(count)
    ]
    outputs = mg.stack(inputs) if inputs else mg.constant(np.zeros((0, batch, model.output_size), model.dtype))
    return Unrolled(model, xs, initial, steps, outputs, _final(model, final), ends)


def dropout_masks(model: Recurrent, steps: int, batch: int, rate: float, rng: Rng = None) -> Array:
    """Masks for `unroll(..., dropout=...)`: 0 with probability `rate`, else 1/(1 - rate), so that the mean is kept.

    Shape (layers-1, steps, batch, output_size). One mask for all steps (Gal and Ghahramani 2016): `steps=1`.

    >>> import rnn
    >>> rnn.dropout_masks(rnn.LSTM(3, 2, layers=2, rng=0), 1, 2, rate=0.5, rng=0).tolist()
    [[[[2.0, 0.0], [0.0, 0.0]]]]
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout_masks: rate must be at least 0 and below 1, got {rate}")
    shape = (model.layers - 1, steps, batch, model.output_size)
    kept = np.random.default_rng(rng).random(shape) >= rate
    masks: Array = (kept / (1 - rate)).astype(model.dtype)
    return masks


def _sweep(
    model: Recurrent, layer: int, direction: int, inputs: list[Node], start: Named, alive: list[Node] | None
) -> list[Named]:
    """One layer in one direction: the nodes of every step, in the order of time."""
    weights = model.weights(layer, direction)
    labels = {"direction": "reverse"} if direction else {}
    nodes: list[Named] = [{}] * len(inputs)
    current = start
    for t in reversed(range(len(inputs))) if direction else range(len(inputs)):
        with mg.scope(model.kind, layer=layer, t=t, **labels):
            made = model.step(inputs[t], current, weights)
            if alive is not None:
                # A sequence that has ended keeps its state; one read backward keeps it until its end is reached.
                made = made | {name: mg.where(alive[t], made[name], current[name]).named(name) for name in model.states}
        nodes[t] = {"x": inputs[t], **made}
        current = made
    return nodes


def _initial(model: Recurrent, state: Any, batch: int) -> list[Named]:
    """The states before the first step. They stand at t = -1, so that figures print them as h_0 and c_0."""
    shape = (len(model.rows), batch, model.hidden_size)
    if state is None:
        given: Sequence[Any] = [None] * len(model.states)
    else:
        given = [state] if len(model.states) == 1 else list(state)
    if len(given) != len(model.states):
        raise ValueError(f"unroll: {model!r} carries the states {', '.join(model.states)}, got {len(given)}")
    rows: list[Named] = [{} for _ in model.rows]
    for name, value in zip(model.states, given, strict=True):
        whole = value if value is None or isinstance(value, Node) else mg.constant(np.asarray(value, dtype=model.dtype))
        if whole is not None and whole.shape != shape:
            raise ValueError(f"unroll: the initial {name} of {model!r} must have shape {shape}, got {whole.shape}")
        for row, (layer, direction) in enumerate(model.rows):
            labels = {"direction": "reverse"} if direction else {}
            with mg.scope(model.kind, layer=layer, t=-1, **labels):
                start = mg.constant(np.zeros(shape[1:], model.dtype)) if whole is None else whole[row]
                rows[row][name] = start.named(name)
    return rows


def _lengths(lengths: Node | ArrayLike, count: int, batch: int) -> Node:
    if isinstance(lengths, Node):
        if lengths.shape != (batch,) or lengths.dtype.kind not in "iu":
            raise ValueError(
                f"unroll: lengths must be whole numbers of shape ({batch},), one a sequence, got {describe(lengths)} "
                f"of shape {lengths.shape} and dtype {lengths.dtype}"
            )
        return lengths
    array = np.asarray(lengths)
    if array.shape != (batch,) or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"unroll: lengths must be {batch} whole numbers, one a sequence, got {lengths!r}")
    if array.size and (array.min() < 0 or array.max() > count):
        raise ValueError(f"unroll: lengths must lie between 0 and the {count} steps of xs, got {array.tolist()}")
    return mg.constant(array.astype(np.intp))


def _alive(lengths: Node, count: int) -> list[Node]:
    """For each step which sequences still run, (B, 1)."""
    column = mg.reshape(lengths, (-1, 1))
    alive = []
    for t in range(count):
        with mg.scope(t=t):
            alive.append(mg.greater(column, t))
    return alive


def _masks(model: Recurrent, dropout: Node | ArrayLike, count: int, batch: int) -> Node:
    masks = dropout if isinstance(dropout, Node) else mg.constant(np.asarray(dropout, dtype=model.dtype))
    fits = len(masks.shape) == 4 and masks.shape[0] == model.layers - 1 and masks.shape[3] == model.output_size
    if not fits or masks.shape[1] not in (1, count) or masks.shape[2] not in (1, batch):
        wanted = (model.layers - 1, count, batch, model.output_size)
        raise ValueError(f"unroll: dropout masks of {model!r} must have shape {wanted}, got {masks.shape}")
    return masks


def _input(xs: Node, t: int, alive: list[Node] | None) -> Node:
    with mg.scope(t=t):
        # The choice is made before the cell, so that a NaN in the padding meets no arithmetic.
        return xs[t].named("x") if alive is None else mg.where(alive[t], xs[t], 0.0).named("x")


def _merged(model: Recurrent, t: int, both: list[Named]) -> Node:
    """The hidden states of one step, of one or both directions, as the layer above sees them."""
    hs = [nodes[model.states[0]] for nodes in both]
    if len(hs) == 1:
        return hs[0]
    with mg.scope(t=t, role="merge"):
        if model.merge == "concat":
            return mg.concatenate(hs, axis=-1)
        return hs[0] + hs[1] if model.merge == "sum" else (hs[0] + hs[1]) * 0.5


def _dropped(x: Node, masks: Node, layer: int, t: int) -> Node:
    with mg.scope(t=t, role="dropout"):
        return x * masks[layer, t if masks.shape[1] > 1 else 0]


def _padded(x: Node, t: int, alive: list[Node]) -> Node:
    with mg.scope(t=t, role="padding"):
        shown: Node = mg.where(alive[t], x, 0.0)
        return shown


def _final(model: Recurrent, final: list[Named]) -> State:
    states = tuple(mg.stack([row[name] for row in final]) for name in model.states)
    return states[0] if len(states) == 1 else states
