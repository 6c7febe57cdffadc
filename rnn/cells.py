"""The recurrent cells: what one step of one layer computes, written from primitives.

A cell is the equations of one time step and nothing else. `Recurrent` (below) gives it weights, layers, directions and
a name for every weight; `unroll` (unroll.py) applies it along time. To write a cell of your own, subclass `Recurrent`,
say which gates its weights hold, one block of `hidden_size` rows each, and which states it carries, and write `step`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

import minigrad as mg
from minigrad import Node, Parameter
from minigrad.node import Shape

from .initial import INITIALISERS

Rng = int | np.random.Generator | None

# The nodes of one step by their names in the equations: "h", "c", the gates.
Named = dict[str, Node]

ACTIVATIONS: dict[str, Callable[[Node], Node]] = {
    "tanh": mg.tanh,
    "relu": mg.relu,
    "sigmoid": mg.sigmoid,
    "identity": lambda x: x,
}

MERGES = ("concat", "sum", "mean")


class Weights:
    """The four weights of one layer: `ih (G*H, I)`, `hh (G*H, H)` and the biases `b_ih`, `b_hh (G*H,)`.

    A step calls each of its methods at most once, so that T steps make T uses of every parameter.
    """

    __slots__ = ("b_hh", "b_ih", "hh", "ih")

    def __init__(self, parameters: Mapping[str, Parameter], suffix: str) -> None:
        self.ih = parameters[f"weight_ih_{suffix}"]
        self.hh = parameters[f"weight_hh_{suffix}"]
        self.b_ih = parameters[f"bias_ih_{suffix}"]
        self.b_hh = parameters[f"bias_hh_{suffix}"]

    def preactivation(self, x: Node, h: Node) -> Node:
        """`x W_ih^T + b_ih + h W_hh^T + b_hh`, shape (B, G*H)."""
        return x @ self.ih.T + self.b_ih + h @ self.hh.T + self.b_hh

    def from_input(self, x: Node) -> Node:
        """`x W_ih^T + b_ih`, shape (B, G*H)."""
        return x @ self.ih.T + self.b_ih

    def from_state(self, h: Node) -> Node:
        """`h W_hh^T + b_hh`, shape (B, G*H)."""
        return h @ self.hh.T + self.b_hh


class Recurrent:
    """Weights, layers and directions around a cell's `step`.

    Attributes:
        kind: the cell's name, the first label of the scope of every node it makes.
        states: the names of the states it carries from step to step; the first is the output.
        gates: the gates in the order in which the weights hold them, a block of `hidden_size` rows each.
        directions: 2 if bidirectional, else 1.
        output_size: features of the output: hidden_size, or twice that where two directions are concatenated.
        parameters: name -> parameter, with torch's names in torch's order (weight_ih_l0, weight_hh_l0, bias_ih_l0,
            bias_hh_l0, weight_ih_l0_reverse ..., weight_ih_l1 ...).

    Options of every cell:
        layers: how many are stacked; each reads the hidden states of the one below.
        bidirectional: a second net reads every layer's input backward; `merge` ("concat", "sum" or "mean") joins the
            two hidden states of each step.
        init: "uniform" (±1/sqrt(H)), "glorot" or "orthogonal".
        rng: None, a seed or a Generator.
        dtype: of the parameters and of the default states.
    """

    kind: ClassVar[str]
    states: ClassVar[tuple[str, ...]]
    gates: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        merge: str = "concat",
        init: str = "uniform",
        rng: Rng = None,
        dtype: DTypeLike = float,
    ) -> None:
        for what, size in (("input_size", input_size), ("hidden_size", hidden_size), ("layers", layers)):
            if not isinstance(size, (int, np.integer)) or size < 1:
                raise ValueError(f"{type(self).__name__}: {what} must be a whole number of 1 or more, got {size!r}")
        self._expect("merge", merge, MERGES)
        self._expect("init", init, INITIALISERS)
        self.dtype = np.dtype(dtype)
        if self.dtype.kind != "f":
            raise TypeError(f"{type(self).__name__}: dtype must be a float, got {self.dtype}")
        self.input_size = int(input_size)
        self.hidden_size = int(hidden_size)
        self.layers = int(layers)
        self.directions = 2 if bidirectional else 1
        self.merge = merge
        self.output_size = self.hidden_size * (2 if bidirectional and merge == "concat" else 1)
        self.parameters: dict[str, Parameter] = {}
        generator = np.random.default_rng(rng)
        for name, shape in self._shapes():
            value = INITIALISERS[init](generator, shape, self.hidden_size)
            self.parameters[name] = mg.parameter(value.astype(self.dtype), name=name)

    def _expect(self, what: str, given: str, choices: Any) -> None:
        if given not in choices:
            raise ValueError(f"{type(self).__name__}: {what} must be one of {', '.join(choices)}, got {given!r}")

    def _shapes(self) -> Iterator[tuple[str, Shape]]:
        rows = len(self.gates) * self.hidden_size
        for layer in range(self.layers):
            columns = self.output_size if layer else self.input_size
            for direction in range(self.directions):
                suffix = suffix_of(layer, direction)
                yield f"weight_ih_{suffix}", (rows, columns)
                yield f"weight_hh_{suffix}", (rows, self.hidden_size)
                yield f"bias_ih_{suffix}", (rows,)
                yield f"bias_hh_{suffix}", (rows,)

    @property
    def rows(self) -> list[tuple[int, int]]:
        """The (layer, direction) of each row of a state, in order: l0, l0_reverse, l1 ..."""
        return [(layer, direction) for layer in range(self.layers) for direction in range(self.directions)]

    def weights(self, layer: int, direction: int = 0) -> Weights:
        """The weights of one layer; direction 1 is the reverse one."""
        return Weights(self.parameters, suffix_of(layer, direction))

    def share(self, name: str, parameter: Parameter) -> None:
        """Tie a weight: use `parameter`, of another layer or another net, in place of the one called `name`.

        Raises KeyError for a name this net lacks and ValueError where the shapes differ.

        >>> import rnn
        >>> net = rnn.RNN(4, 4, layers=2, rng=0)
        >>> net.share("weight_hh_l1", net.parameters["weight_hh_l0"])
        >>> len(set(net.parameters.values()))
        7
        """
        if name not in self.parameters:
            raise KeyError(f"{self!r} has the parameters {', '.join(self.parameters)}, not {name!r}")
        own = self.parameters[name]
        if parameter.shape != own.shape or parameter.dtype != own.dtype:
            raise ValueError(
                f"share: {name} is {own.shape} {own.dtype}, {parameter.name} is {parameter.shape} {parameter.dtype}"
            )
        self.parameters[name] = parameter

    def step(self, x: Node, state: Named, weights: Weights) -> Named:
        """One step: the input `x (B, I)` and the states before it -> the named nodes of the step, states included."""
        raise NotImplementedError

    def __repr__(self) -> str:
        both = ", bidirectional" if self.directions == 2 else ""
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}, layers={self.layers}{both})"


def suffix_of(layer: int, direction: int) -> str:
    """How torch ends the names of a layer's parameters: l0, l0_reverse, l1 ..."""
    return f"l{layer}" + ("_reverse" if direction else "")


class RNN(Recurrent):
    """The plain recurrent net: `h_t = activation(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)` (Elman 1990).

    `activation` is "tanh", "relu", "sigmoid" or "identity"; the other options are those of `Recurrent`.

    >>> import rnn
    >>> {name: p.shape for name, p in rnn.RNN(3, 5, rng=0).parameters.items()}
    {'weight_ih_l0': (5, 3), 'weight_hh_l0': (5, 5), 'bias_ih_l0': (5,), 'bias_hh_l0': (5,)}
    """

    kind = "rnn"
    states = ("h",)
    gates = ("h",)

    def __init__(self, input_size: int, hidden_size: int, *, activation: str = "tanh", **options: Any) -> None:
        self._expect("activation", activation, ACTIVATIONS)
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

    `forget_bias` is what the two biases of the forget gate add up to at the start; None leaves them as drawn. With 1
    the cell remembers by default (Jozefowicz et al. 2015). The other options are those of `Recurrent`.

    >>> import rnn
    >>> rnn.LSTM(3, 5, forget_bias=1.0, rng=0).parameters["bias_ih_l0"].value[5:10]
    array([1., 1., 1., 1., 1.])
    """

    kind = "lstm"
    states = ("h", "c")
    gates = ("i", "f", "g", "o")

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float | None = None, **options: Any) -> None:
        super().__init__(input_size, hidden_size, **options)
        if forget_bias is not None:
            for layer, direction in self.rows:
                weights = self.weights(layer, direction)
                for bias, value in ((weights.b_ih, forget_bias), (weights.b_hh, 0.0)):
                    changed = bias.value.copy()
                    changed[self.hidden_size : 2 * self.hidden_size] = value
                    bias.assign(changed)

    def step(self, x: Node, state: Named, weights: Weights) -> Named:
        a = weights.preactivation(x, state["h"]).named("a")
        size = state["h"].shape[-1]
        made: Named = {}
        for block, gate in enumerate(self.gates):
            with mg.scope(role=gate):
                squash = mg.tanh if gate == "g" else mg.sigmoid
                made[gate] = squash(_block(a, block, size)).named(gate)
        with mg.scope(role="c"):
            c = (made["f"] * state["c"] + made["i"] * made["g"]).named("c")
        with mg.scope(role="h"):
            h = (made["o"] * mg.tanh(c)).named("h")
        return {"a": a, **made, "c": c, "h": h}


class GRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014). The weights hold the gates in the order r, z, n:

        r = sigmoid(.), z = sigmoid(.)    of  W_ih x_t + b_ih + W_hh h_{t-1} + b_hh
        n = tanh(W_in x_t + b_in + r * (W_hn h_{t-1} + b_hn))      reset="after" the product, as in cuDNN and torch
        n = tanh(W_in x_t + b_in + W_hn (r * h_{t-1}) + b_hn)      reset="before" it, as in the paper
        h_t = (1 - z) * n + z * h_{t-1}

    The other options are those of `Recurrent`.

    >>> import rnn
    >>> rnn.GRU(3, 5, reset="before", rng=0).parameters["weight_hh_l0"].shape
    (15, 5)
    """

    kind = "gru"
    states = ("h",)
    gates = ("r", "z", "n")

    def __init__(self, input_size: int, hidden_size: int, *, reset: str = "after", **options: Any) -> None:
        self._expect("reset", reset, ("after", "before"))
        self.reset = reset
        super().__init__(input_size, hidden_size, **options)

    def step(self, x: Node, state: Named, weights: Weights) -> Named:
        h = state["h"]
        size = h.shape[-1]
        if self.reset == "after":
            seen, held = weights.from_input(x), weights.from_state(h)
        else:
            transposed = weights.hh.T  # two products need W_hh: one use of the parameter serves both
            seen, held = weights.from_input(x) + weights.b_hh, h @ transposed[:, : 2 * size]
        made: Named = {}
        for block, gate in enumerate(("r", "z")):
            with mg.scope(role=gate):
                made[gate] = mg.sigmoid(_block(seen, block, size) + _block(held, block, size)).named(gate)
        r, z = made["r"], made["z"]
        with mg.scope(role="n"):
            recalled = r * _block(held, 2, size) if self.reset == "after" else (r * h) @ transposed[:, 2 * size :]
            n = mg.tanh(_block(seen, 2, size) + recalled).named("n")
        with mg.scope(role="carry"):
            carry = (z * h).named("carry")
        with mg.scope(role="h"):
            new = ((1.0 - z) * n + carry).named("h")
        return {**made, "n": n, "carry": carry, "h": new}


def _block(rows: Node, block: int, size: int) -> Node:
    """The columns of one gate in `rows (B, G*H)`."""
    return rows[:, block * size : (block + 1) * size]
