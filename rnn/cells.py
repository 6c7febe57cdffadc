"""The recurrent cells: what one step of one layer computes, written from primitives.

A cell is the equations of one time step and nothing else. `Recurrent` (below) gives it weights, layers and a name for
every weight; `unroll` (unroll.py) applies it along time. To write a cell of your own, subclass `Recurrent`, say how
many blocks of `hidden_size` rows its weights have, which states it carries, and write `step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

import minigrad as mg
from minigrad import Node, Parameter

Rng = int | np.random.Generator | None

# The nodes of one step by their names in the equations: "h", "c", the gates.
Named = dict[str, Node]

ACTIVATIONS: dict[str, Callable[[Node], Node]] = {
    "tanh": mg.tanh,
    "relu": mg.relu,
    "sigmoid": mg.sigmoid,
    "identity": lambda x: x,
}


class Weights:
    """The four weights of one layer: `ih (G*H, I)`, `hh (G*H, H)` and the biases `b_ih`, `b_hh (G*H,)`."""

    __slots__ = ("b_hh", "b_ih", "hh", "ih")

    def __init__(self, parameters: Mapping[str, Parameter], suffix: str) -> None:
        self.ih = parameters[f"weight_ih_{suffix}"]
        self.hh = parameters[f"weight_hh_{suffix}"]
        self.b_ih = parameters[f"bias_ih_{suffix}"]
        self.b_hh = parameters[f"bias_hh_{suffix}"]

    def preactivation(self, x: Node, h: Node) -> Node:
        """`x W_ih^T + b_ih + h W_hh^T + b_hh`, shape (B, G*H). Uses each weight once: T steps make T uses."""
        return x @ self.ih.T + self.b_ih + h @ self.hh.T + self.b_hh


class Recurrent:
    """Weights and layers around a cell's `step`.

    Attributes:
        kind: the cell's name, the first label of the scope of every node it makes.
        states: the names of the states it carries from step to step; the first is the output.
        blocks: how many blocks of `hidden_size` rows the weights have, one a gate.
        parameters: name -> parameter, with torch's names in torch's order (weight_ih_l0, weight_hh_l0, bias_ih_l0,
            bias_hh_l0, weight_ih_l1 ...).
    """

    kind: ClassVar[str]
    states: ClassVar[tuple[str, ...]]
    blocks: ClassVar[int]

    def __init__(
        self, input_size: int, hidden_size: int, *, layers: int = 1, rng: Rng = None, dtype: DTypeLike = float
    ) -> None:
        for what, size in (("input_size", input_size), ("hidden_size", hidden_size), ("layers", layers)):
            if not isinstance(size, (int, np.integer)) or size < 1:
                raise ValueError(f"{type(self).__name__}: {what} must be a whole number of 1 or more, got {size!r}")
        self.input_size = int(input_size)
        self.hidden_size = int(hidden_size)
        self.layers = int(layers)
        self.dtype = np.dtype(dtype)
        self.parameters: dict[str, Parameter] = {}
        generator = np.random.default_rng(rng)
        bound = 1 / np.sqrt(hidden_size)
        rows = self.blocks * self.hidden_size
        for layer in range(layers):
            columns = self.input_size if layer == 0 else self.hidden_size
            for name, shape in (
                ("weight_ih", (rows, columns)),
                ("weight_hh", (rows, self.hidden_size)),
                ("bias_ih", (rows,)),
                ("bias_hh", (rows,)),
            ):
                full_name = f"{name}_l{layer}"
                value = generator.uniform(-bound, bound, shape).astype(self.dtype)
                self.parameters[full_name] = mg.parameter(value, name=full_name)

    def weights(self, layer: int) -> Weights:
        """The weights of one layer."""
        return Weights(self.parameters, f"l{layer}")

    def step(self, x: Node, state: Named, weights: Weights) -> Named:
        """One step: the input `x (B, I)` and the states before it -> the named nodes of the step, states included."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}, layers={self.layers})"


class RNN(Recurrent):
    """The plain recurrent net: `h_t = activation(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)` (Elman 1990).

    `activation` is "tanh", "relu", "sigmoid" or "identity".

    >>> import rnn
    >>> {name: p.shape for name, p in rnn.RNN(3, 5, rng=0).parameters.items()}
    {'weight_ih_l0': (5, 3), 'weight_hh_l0': (5, 5), 'bias_ih_l0': (5,), 'bias_hh_l0': (5,)}
    """

    kind = "rnn"
    states = ("h",)
    blocks = 1

    def __init__(self, input_size: int, hidden_size: int, *, activation: str = "tanh", **options: Any) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"RNN: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        self.activation = activation
        super().__init__(input_size, hidden_size, **options)

    def step(self, x: Node, state: Named, weights: Weights) -> Named:
        a = weights.preactivation(x, state["h"])
        if self.activation == "identity":
            return {"h": a.named("h")}
        return {"a": a.named("a"), "h": ACTIVATIONS[self.activation](a).named("h")}


class LSTM(Recurrent):
    """Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    The weights hold the gates in the order i, f, g, o:

        i = sigmoid(.), f = sigmoid(.), g = tanh(.), o = sigmoid(.)    of  W_ih x_t + b_ih + W_hh h_{t-1} + b_hh
        c_t = f * c_{t-1} + i * g
        h_t = o * tanh(c_t)

    >>> import rnn
    >>> rnn.LSTM(3, 5, rng=0).parameters["weight_hh_l0"].shape
    (20, 5)
    """

    kind = "lstm"
    states = ("h", "c")
    blocks = 4
    gates = (("i", mg.sigmoid), ("f", mg.sigmoid), ("g", mg.tanh), ("o", mg.sigmoid))

    def step(self, x: Node, state: Named, weights: Weights) -> Named:
        a = weights.preactivation(x, state["h"]).named("a")
        size = state["h"].shape[-1]
        made: Named = {}
        for block, (gate, squash) in enumerate(
            (("i", mg.sigmoid), ("f", mg.sigmoid), ("g", mg.tanh), ("o", mg.sigmoid))
        ):
            with mg.scope(role=gate):
                made[gate] = squash(a[:, block * size : (block + 1) * size]).named(gate)
        with mg.scope(role="c"):
            c = (made["f"] * state["c"] + made["i"] * made["g"]).named("c")
        with mg.scope(role="h"):
            h = (made["o"] * mg.tanh(c)).named("h")
        return {"a": a, **made, "c": c, "h": h}
