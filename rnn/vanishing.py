"""How the gradient shrinks or grows from step to step: the Jacobians of the state, and a diagnosis in words.

d state_t / d state_{t-1} is computed for every step at once; d h_T / d h_k is the product of those between, whose size
is kept as a logarithm, since it leaves the range of floats long before it stops mattering.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import minigrad as mg
from minigrad import Edge, Node
from minigrad.node import Array
from minigrad.ops import Stacked
from minigrad.paths import Cotangents, Paths, sweep
from minigrad.paths.measure import Floats

from .cells import LSTM, RNN, Named
from .unroll import Unrolled

# The largest slope of each activation, the gamma of Pascanu et al. (2013), section 2.2.
_STEEPEST = {"tanh": 1.0, "relu": 1.0, "identity": 1.0, "sigmoid": 0.25}
# Less than this many decades a step (a half-life of 60 steps) counts as holding.
_HOLDS = 0.005


class Jacobians:
    """The Jacobians of a layer's state from step to step. See `jacobians`.

    Sizes: T steps, B sequences, S the size of the state: H for one carried state, 2H for an LSTM (h, then c).

    Attributes:
        step: (T, B, S, S), d state_t / d state_{t-1}; step 0 is with respect to the initial state.
    """

    def __init__(self, unrolled: Unrolled, feed: Mapping[Node, ArrayLike] | None, layer: int) -> None:
        self._unrolled = unrolled
        self._layer = range(unrolled.model.layers)[layer]
        self._steps: list[Named] = [step.layers[self._layer] for step in unrolled.steps]
        self._start = unrolled.initial[self._layer * unrolled.model.directions]
        self._names = unrolled.model.states
        states = [nodes[name] for nodes in self._steps for name in self._names]
        fed = dict(feed or {})
        self._values = mg.run(states, fed).values
        paths = Paths(states, list(self._start.values()), "jacobians", fed=fed)
        self.step: Floats = self._collect(paths)

    @cached_property
    def singular_values(self) -> Floats:
        """(T, B, S), those of every step's Jacobian, the largest first."""
        return np.asarray(np.linalg.svd(self.step, compute_uv=False), float)

    @cached_property
    def log10_norm(self) -> Floats:
        """(T+1,), log10 of the spectral norm of d h_T / d h_k by lag T - k: 0 at lag 0, the initial state last. The
        largest in the batch; -inf where it is exactly 0."""
        return self._product_norms(self._size)

    @cached_property
    def log10_state_norm(self) -> Floats:
        """(T+1,), the same for the whole carried state: (h, c) of an LSTM."""
        return self._product_norms(self.step.shape[-1])

    @property
    def decades(self) -> float:
        """How many powers of ten |d h_T / d h_k| gains a step back in time, fitted over the lags from 1 on: negative
        where the gradient vanishes, -inf where it is exactly 0 from some lag on."""
        return _slope(self.log10_norm)

    @property
    def half_life(self) -> float:
        """After how many steps half of it is left; inf where it does not shrink."""
        return math.log10(2) / -self.decades if self.decades < 0 else math.inf

    @property
    def bound(self) -> float | None:
        """What Pascanu et al. (2013) bound a step's factor by: the largest slope of the activation times the largest
        singular value of W_hh. None for gated cells, which the bound does not cover."""
        model = self._unrolled.model
        if not isinstance(model, RNN):
            return None
        return _STEEPEST[model.activation] * float(np.linalg.norm(self._recurrent_weight, 2))

    def diagnosis(self) -> Diagnosis:
        """Whether the gradient vanishes or explodes, and because of what.

        A plain RNN's Jacobian is diag(f') W: the decades of the powers of W alone are laid to the weights, the rest to
        saturation. A gated cell's are laid to the gates as far as the product of the forget gates (the update gates of
        a GRU) accounts for them, the rest to the weights, by which the other paths go.
        """
        if isinstance(self._unrolled.model, RNN):
            decades = self.decades
            weights = _slope(_log10_powers(self._recurrent_weight, len(self._steps)))
            parts = {"weights": weights, "saturation": decades - weights if math.isfinite(weights) else 0.0}
            slopes = self._slopes()
            words = f"the mean slope of {self._unrolled.model.activation} is {slopes.mean():.2g}"
        else:
            decades = _slope(self.log10_state_norm)
            gate = "f" if isinstance(self._unrolled.model, LSTM) else "z"
            values = np.stack([self._values[nodes[gate]] for nodes in self._steps])
            parts = {"gates": _slope(_log10_gates(values))}
            parts["weights"] = decades - parts["gates"] if math.isfinite(parts["gates"]) else 0.0
            words = f"the mean of gate {gate} is {values.mean():.2g}"
        return Diagnosis(decades, parts, words)

    @property
    def _size(self) -> int:
        return self._unrolled.model.hidden_size

    @property
    def _recurrent_weight(self) -> Array:
        node = self._unrolled.model.weights(self._layer, 0).hh
        value: Array = self._values[node]
        return value

    def _collect(self, paths: Paths) -> Floats:
        size, names = self._size, self._names
        width, batch = size * len(names), self._start[names[0]].shape[0]
        previous = [self._start, *self._steps[:-1]]
        step: Floats = np.zeros((len(self._steps), batch, width, width))
        blocks = {
            nodes[name]: (t, slice(number * size, (number + 1) * size))
            for t, nodes in enumerate(previous)
            for number, name in enumerate(names)
        }
        seeds: dict[Node, Any] = {}
        for nodes in self._steps:
            for number, name in enumerate(names):
                # Sequences of a batch do not mix: one seed a unit serves all of them.
                seed = np.zeros((width, batch, size))
                seed[number * size : (number + 1) * size] = np.eye(size)[:, None, :]
                if nodes[name] in paths.out:
                    seeds[nodes[name]] = Stacked(seed)
        with np.errstate(all="ignore"):
            for _ in sweep(paths, _OneStep(Cotangents(self._values), blocks, step), seeds):
                pass
        return step

    def _product_norms(self, width: int) -> Floats:
        product = np.broadcast_to(np.eye(self.step.shape[-1]), self.step.shape[1:])
        logs, scale = [0.0], np.zeros(len(product))
        for jacobian in self.step[::-1]:
            product = product @ jacobian
            largest = np.abs(product).max(axis=(1, 2), initial=0.0)
            factor = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
            product, scale = product / factor[:, None, None], scale + np.log10(factor)
            logs.append(float(np.max(_log10(_spectral(product[:, :width, :width])) + scale, initial=-np.inf)))
        return np.array(logs)

    def _slopes(self) -> Floats:
        """f'(a) of every unit at every step of a plain RNN."""
        cotangents = Cotangents(self._values)
        model = self._unrolled.model
        if isinstance(model, RNN) and model.activation == "identity":
            return np.ones(1)
        slopes = []
        for node in [nodes["h"] for nodes in self._steps]:
            while node.op.name == "where":  # a sequence that has ended keeps its state
                node = node.args[1]
            slopes.append(np.asarray(cotangents.along(Edge(node, 0), np.ones(node.shape, node.dtype))))
        return np.stack(slopes)


@dataclass(frozen=True)
class Diagnosis:
    """What becomes of the gradient through time.

    Attributes:
        decades: powers of ten gained a step back in time.
        parts: what of it is laid to "weights", "saturation" or "gates"; they sum to `decades`.
        words: what was seen.
    """

    decades: float
    parts: dict[str, float]
    words: str

    @property
    def verdict(self) -> str:
        """ "vanishes", "explodes", "holds", or "is exactly 0"."""
        if self.decades == -math.inf:
            return "is exactly 0"
        if math.isnan(self.decades):
            return "is not a number"
        if abs(self.decades) < _HOLDS:
            return "holds"
        return "vanishes" if self.decades < 0 else "explodes"

    @property
    def cause(self) -> str | None:
        """The part that pulls hardest in the direction of the verdict; None where the gradient holds."""
        if self.verdict == "holds" or math.isnan(self.decades):
            return None
        sign = 1.0 if self.decades > 0 else -1.0
        return max(self.parts, key=lambda part: sign * self.parts[part])

    def __str__(self) -> str:
        parts = ", ".join(f"{value:+.2g} to the {part}" for part, value in self.parts.items())
        cause = f" because of the {self.cause}" if self.cause else ""
        return f"the gradient {self.verdict}{cause}: {self.decades:+.2g} decades a step, {parts}; {self.words}"


class _OneStep:
    """Cotangents that stop at the states of the step before, where they are entered into that step's Jacobian."""

    def __init__(self, cotangents: Cotangents, blocks: Mapping[Node, tuple[int, slice]], step: Floats) -> None:
        self._cotangents = cotangents
        self._blocks = blocks
        self._step = step

    def along(self, edge: Edge, value: Stacked) -> Stacked | None:
        carried: Any = self._cotangents.along(edge, value)
        t, block = self._blocks.get(edge.argument, (-1, slice(0)))
        if edge.user.scope.get("t") != t or edge.argument not in self._blocks:
            return carried
        self._step[t, :, :, block] += np.swapaxes(carried.value, 0, 1)
        return None

    def join(self, node: Node, values: Sequence[Stacked]) -> Stacked:
        return Stacked(sum(value.value for value in values))


def jacobians(unrolled: Unrolled, feed: Mapping[Node, ArrayLike] | None = None, layer: int = -1) -> Jacobians:
    """The Jacobians of a layer's carried state from step to step: singular values, decay by lag, half-life, diagnosis.

    Raises GradientError for a net of no steps, or whose state does not depend on the state before.

    >>> import numpy as np
    >>> import minigrad as mg, rnn
    >>> net = rnn.unroll(rnn.RNN(1, 2, rng=0), np.zeros((8, 1, 1)))
    >>> jacobian = rnn.jacobians(net)
    >>> jacobian.step.shape, jacobian.log10_norm.shape
    ((8, 1, 2, 2), (9,))
    >>> bool(10**jacobian.decades <= jacobian.bound), jacobian.diagnosis().verdict
    (True, 'vanishes')
    """
    if not isinstance(unrolled, Unrolled):
        raise TypeError(f"jacobians: expects what rnn.unroll returned, got {type(unrolled).__name__}")
    if not unrolled.steps:
        raise mg.GradientError(f"jacobians: {unrolled!r} has no step; give it a sequence of one step or more")
    return Jacobians(unrolled, feed, layer)


def _spectral(matrices: Array) -> Floats:
    finite = np.isfinite(matrices).all(axis=(1, 2))
    norms: Floats = np.full(len(matrices), np.nan)
    norms[finite] = np.linalg.norm(matrices[finite], 2, axis=(1, 2))
    return norms


def _log10(values: Array) -> Floats:
    with np.errstate(divide="ignore"):
        logs: Floats = np.log10(values)
    return logs


def _log10_powers(weight: Array, count: int) -> Floats:
    """log10 |W^n| for n = 0 ... count."""
    power, scale, logs = np.eye(len(weight)), 0.0, [0.0]
    for _ in range(count):
        power = power @ weight
        factor = float(np.abs(power).max(initial=0.0)) or 1.0
        power, scale = power / factor, scale + math.log10(factor)
        logs.append(float(_log10(_spectral(power[None]))[0]) + scale)
    return np.array(logs)


def _log10_gates(values: Array) -> Floats:
    """log10 of the largest product of a unit's gates over the last n steps, for n = 0 ... T; values (T, B, H)."""
    logs = np.cumsum(_log10(values[::-1].astype(float)), axis=0)
    return np.concatenate([[0.0], logs.reshape(len(values), -1).max(axis=1)])


def _slope(logs: Floats) -> float:
    """The slope of the line through the logarithms by lag, lag 0 apart where there are others to go by: the way from
    one state to another is not like the way from a state to itself. -inf where the last of them is."""
    logs = logs[1:] if len(logs) > 2 else logs
    if not np.isfinite(logs).all():
        return float(logs[-1]) if not np.isfinite(logs[-1]) else math.nan
    lags = np.arange(len(logs)) - (len(logs) - 1) / 2
    return float(lags @ logs / (lags @ lags))
