"""`recurrent_nets`: random nets of every cell, from forgetful to exploding, saturated or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import minigrad as mg
import rnn
from minigrad import Node
from minigrad.node import Array

_CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "tanh": ("RNN", {"activation": "tanh"}),
    "relu": ("RNN", {"activation": "relu"}),
    "sigmoid": ("RNN", {"activation": "sigmoid"}),
    "identity": ("RNN", {"activation": "identity"}),
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {"reset": "after"}),
    "gru before": ("GRU", {"reset": "before"}),
}
CELLS = tuple(_CELLS)


@dataclass(frozen=True)
class Net:
    """A recurrent net with its input: what a property is tried on. `str` and `repr` give the code that builds it.

    Attributes:
        cell: one of `CELLS`.
        sizes: steps, batch, input and hidden size, layers.
        radius: the spectral radius of every block of the recurrent weights.
        saturation: what the biases are scaled by; 0 leaves none, 40 saturates gates.
        bidirectional, lengths: as for `rnn.unroll`.
        seed: of the numbers.
    """

    cell: str
    sizes: tuple[int, int, int, int, int]
    radius: float
    saturation: float
    bidirectional: bool
    lengths: tuple[int, ...] | None
    seed: int

    @cached_property
    def model(self) -> rnn.Recurrent:
        """The net, its recurrent weights at the spectral radius asked for."""
        _, _, inputs, hidden, layers = self.sizes
        kind, options = _CELLS[self.cell]
        rng = np.random.default_rng(self.seed)
        model: rnn.Recurrent = getattr(rnn, kind)(
            inputs, hidden, layers=layers, bidirectional=self.bidirectional, rng=rng, **options
        )
        for name, parameter in model.parameters.items():
            if name.startswith("weight_hh"):
                blocks = rng.standard_normal((len(parameter.value) // hidden, hidden, hidden))
                radii = [max(np.abs(np.linalg.eigvals(block))) for block in blocks]
                parameter.assign(np.concatenate([b * self.radius / r for b, r in zip(blocks, radii, strict=True)]))
            elif name.startswith("bias"):
                parameter.assign(self.saturation * rng.choice([-1.0, 0.5, 1.0], parameter.shape))
        return model

    @cached_property
    def xs(self) -> Array:
        """The input, (T, B, I)."""
        steps, batch, inputs, _, _ = self.sizes
        return np.random.default_rng(self.seed + 1).standard_normal((steps, batch, inputs))

    @cached_property
    def unrolled(self) -> rnn.Unrolled:
        """The net applied to its input."""
        return rnn.unroll(self.model, self.xs, lengths=None if self.lengths is None else np.array(self.lengths))

    @cached_property
    def losses(self) -> list[Node]:
        """One scalar a step, in which every output has its own weight."""
        weights = np.random.default_rng(self.seed + 2).uniform(0.5, 1.5, self.unrolled.outputs.shape[1:])
        return [mg.sum(step.output * weights) for step in self.unrolled.steps]

    @property
    def arrays(self) -> dict[str, Array]:
        """The parameters' values by name."""
        return {name: parameter.value for name, parameter in self.model.parameters.items()}

    def loss(self, xs: Any, params: Any) -> Array:
        """The losses as a function of arrays, complex ones too: what `check_bptt` takes."""
        xs, feed = np.asarray(xs), self._feed(params)
        net, losses = self._on(xs)
        if not losses:
            return np.zeros(0)
        values = mg.run(losses, {**feed, net: xs})
        return np.stack([values[node] for node in losses])

    def gradient(self, xs: Any, params: Any, seed: Any) -> dict[str, Array]:
        """The engine's gradient of seed . losses by reverse mode: the subject of `check_bptt`."""
        xs, feed = np.asarray(xs), self._feed(params)
        net, losses = self._on(xs)
        parameters = list(self.model.parameters.values())
        total = mg.sum(mg.stack(losses) * np.asarray(seed))
        gradients = mg.grad(total, parameters, unreachable="zero")
        values = mg.run(gradients, {**feed, net: xs})
        return {name: np.array(values[g]) for name, g in zip(self.model.parameters, gradients, strict=True)}

    def _feed(self, params: Any) -> dict[Node, Any]:
        return {self.model.parameters[name]: value for name, value in params.items()}

    def contributions(self, xs: Any, params: Any) -> dict[str, Array]:
        """What loss t sends through the use of each weight at step k: name -> (T, T, *shape), by `rnn.bptt`.

        For nets of one layer and direction without lengths.
        """
        xs = np.asarray(xs)
        node, losses = self._on(xs)
        unrolled = self._graphs[len(xs)].unrolled
        feed = {**self._feed(params), node: xs}
        found = {}
        for name, parameter in self.model.parameters.items():
            table = rnn.bptt(losses, parameter, unrolled, feed)
            whole = np.zeros((len(xs), len(xs), *parameter.shape))
            for t, k in zip(*np.nonzero(table.present), strict=True):
                whole[t, k] = table.gradient[t][k]
            found[name] = whole
        return found

    def _on(self, xs: Array) -> tuple[Node, Sequence[Node]]:
        """The graph for a sequence of this length: its input and its losses."""
        if len(xs) not in self._graphs:
            shorter = Net(**{name: getattr(self, name) for name in self.__dataclass_fields__})
            lengths = None if self.lengths is None else np.minimum(self.lengths, len(xs))
            unrolled = rnn.unroll(self.model, mg.input(xs.shape, name="xs"), lengths=lengths)
            shorter.__dict__.update(model=self.model, unrolled=unrolled)
            self._graphs[len(xs)] = shorter
        net = self._graphs[len(xs)]
        return net.unrolled.xs, net.losses

    @cached_property
    def _graphs(self) -> dict[int, Net]:
        return {}

    def __str__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
        return f"Net({fields})"

    __repr__ = __str__


@st.composite
def recurrent_nets(
    draw: st.DrawFn,
    *,
    cells: Sequence[str] = CELLS,
    max_steps: int = 6,
    max_hidden: int = 3,
    max_layers: int = 2,
    bidirectional: bool | None = None,
    lengths: bool | None = None,
) -> Net:
    """Random `Net`s: a cell of `cells`, 1 to `max_steps` steps, spectral radii of 0.5 to 1.5, biases up to saturation.

    `bidirectional` and `lengths` (sequences of unequal length, 0 among them) are drawn unless told. Shrinks to one step
    of one unit of the first cell named.

    >>> from hypothesis import find, settings
    >>> find(recurrent_nets(), lambda net: net.sizes[0] > 2, settings=settings(database=None)).sizes
    (3, 1, 1, 1, 1)
    """
    steps = draw(st.integers(1, max_steps))
    batch = draw(st.integers(1, 3))
    sizes = (steps, batch, draw(st.integers(1, 3)), draw(st.integers(1, max_hidden)), draw(st.integers(1, max_layers)))
    ragged = draw(st.booleans()) if lengths is None else lengths
    both = draw(st.booleans()) if bidirectional is None else bidirectional
    each = tuple(draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))) if ragged else None
    return Net(
        cell=draw(st.sampled_from(tuple(cells))),
        sizes=sizes,
        radius=draw(st.sampled_from((0.9, 0.5, 1.1, 1.5))),
        saturation=draw(st.sampled_from((0.0, 0.3, 40.0))),
        bidirectional=both,
        lengths=each,
        seed=draw(st.integers(0, 1000)),
    )
