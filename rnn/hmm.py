"""Hidden Markov models: the forward algorithm as a graph.

In the log semiring (add is logsumexp, multiply is +) the forward recursion ends in log Z, the log-likelihood, and its
gradient in the log-probabilities is what forward-backward computes: the expected counts of every start, transition and
emission. In the max semiring (add is max) the same recursion ends in the score of the best path, and its gradient
counts the steps of that path (Eisner 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

import minigrad as mg
from minigrad import Node
from minigrad.node import Array

from .cells import Rng

# How a semiring adds, along axis 1.
SEMIRINGS: dict[str, Callable[[Node], Node]] = {
    "log": lambda scores: mg.logsumexp(scores, axis=1),
    "max": lambda scores: scores.max(axis=1),
}


@dataclass(frozen=True)
class Forward:
    """The forward recursion over observations (T, B).

    Attributes:
        alphas: one node (B, S) a step: the semiring's sum over all paths that end in each state.
        total: (B,), the sum over all paths: log Z, or the best path's score.
    """

    alphas: list[Node]
    total: Node


class HMM:
    """A hidden Markov model over `states` states and `symbols` symbols.

    Attributes:
        parameters: the unnormalised scores `start (S,)`, `transition (S, S)` and `emission (S, V)`.
        start, transition, emission: the same as log-probabilities, nodes; their gradients are the expected counts.

    >>> import minigrad as mg
    >>> import rnn
    >>> model = rnn.HMM(2, 3, rng=0)
    >>> log_z = mg.sum(model.forward([[0], [2], [1], [0]]).total)
    >>> counts = mg.grad(log_z, [model.transition, model.emission])
    >>> [round(float(mg.sum(c).eval()), 12) for c in counts]
    [3.0, 4.0]
    """

    def __init__(self, states: int, symbols: int, *, rng: Rng = None) -> None:
        generator = np.random.default_rng(rng)
        shapes = {"start": (states,), "transition": (states, states), "emission": (states, symbols)}
        self.parameters = {
            name: mg.parameter(generator.standard_normal(shape), name=name) for name, shape in shapes.items()
        }
        self.start, self.transition, self.emission = (mg.log_softmax(p) for p in self.parameters.values())

    def assign(self, start: ArrayLike, transition: ArrayLike, emission: ArrayLike) -> None:
        """Take these probabilities; zeros are allowed."""
        with np.errstate(divide="ignore"):
            for parameter, chances in zip(self.parameters.values(), (start, transition, emission), strict=True):
                parameter.assign(np.log(chances))

    def forward(
        self, observations: Node | ArrayLike, lengths: Node | ArrayLike | None = None, semiring: str = "log"
    ) -> Forward:
        """The forward recursion over symbols (T, B), T at least 1; `lengths` (B,) of at least 1 ends each sequence."""
        if semiring not in SEMIRINGS:
            raise ValueError(f"HMM: semiring must be one of {', '.join(SEMIRINGS)}, got {semiring!r}")
        seen = observations if isinstance(observations, Node) else mg.constant(np.asarray(observations))
        if seen.ndim != 2 or not seen.shape[0] or seen.dtype.kind not in "iu":
            raise ValueError(f"HMM: expects symbols of shape (T, B), T 1 or more, got {seen.shape} of {seen.dtype}")
        ends = lengths if lengths is None or isinstance(lengths, Node) else mg.constant(np.asarray(lengths))
        add = SEMIRINGS[semiring]
        alphas: list[Node] = []
        for t in range(seen.shape[0]):
            with mg.scope("hmm", t=t):
                before = self.start[None] if t == 0 else add(alphas[-1][:, :, None] + self.transition[None])
                alpha = before + self.emission.T[seen[t]]
                if ends is not None and t:
                    alpha = mg.where(mg.greater(ends, t)[:, None], alpha, alphas[-1])
                alphas.append(alpha.named("alpha"))
        return Forward(alphas, add(alphas[-1]).named("log Z" if semiring == "log" else "best"))

    def viterbi(self, observations: ArrayLike) -> tuple[Array, Array]:
        """The likeliest states (T, B) behind symbols (T, B), and the log-probability of both together, (B,)."""
        result = self.forward(observations, semiring="max")
        run = mg.run([*result.alphas, result.total, self.transition])
        alphas, transition = [run[alpha] for alpha in result.alphas], run[self.transition]
        path = [alphas[-1].argmax(axis=1)]
        for alpha in alphas[-2::-1]:
            path.append((alpha + transition[:, path[-1]].T).argmax(axis=1))
        return np.array(path[::-1]), np.array(run[result.total])

    def sample(self, steps: int, batch: int, rng: Rng = None) -> tuple[Array, Array]:
        """States and the symbols they emit, each (T, B)."""
        generator = np.random.default_rng(rng)
        start, transition, emission = (np.exp(node.eval()) for node in (self.start, self.transition, self.emission))
        states = np.empty((steps, batch), dtype=np.intp)
        symbols = np.empty_like(states)
        for t in range(steps):
            chances = np.broadcast_to(start, (batch, len(start))) if t == 0 else transition[states[t - 1]]
            states[t] = _draw(chances, generator)
            symbols[t] = _draw(emission[states[t]], generator)
        return states, symbols


def _draw(chances: Array, generator: np.random.Generator) -> Array:
    """One number a row, with the row's chances."""
    ladder = np.cumsum(chances, axis=1)
    drawn: Array = (generator.random((len(ladder), 1)) * ladder[:, -1:] >= ladder).sum(axis=1)
    return drawn
