"""What rounding may do to a gradient: asked when two numbers differ, and only then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..node import Array
from .monte_carlo import rounded
from .oracles import unit
from .subject import Gradients, Subject

# 4096 units in the last place: 9e-13 in float64, 5e-4 in float32.
ROUNDING = 4096
MOST_ROWS = 64
# How many times further apart than eight samples of their rounding two numbers may lie.
SCATTER = 32


def rows_of(s: Subject) -> list[Gradients] | None:
    """The vjp of every one-hot seed, None where they are too many."""
    if s.value.size > MOST_ROWS:
        return None
    return [s.pull(unit(s.value, index).astype(s.value.dtype)) for index in np.ndindex(s.value.shape)]


def floor_of(s: Subject, weights: Array) -> float:
    """What is granted beyond relative rounding: that of f's own value, unless the subject is strict."""
    if s.strict:
        return s.tiny
    with np.errstate(all="ignore"):
        total = float(np.sum(weights * np.abs(s.value.astype(float))))
    return 16 * s.eps * total + s.tiny if np.isfinite(total) else s.tiny


def is_lost(s: Subject, weights: Array, slot: int | None, gap: float) -> bool:
    """Whether `gap` is no more than the rounding of f's own value, as it reaches the gradient of argument `slot`.

    To first order that rounding is |J| |x|, which cancellation in f does not make smaller; and what multiplies it on
    its way are the other arguments: of tanh(W x) the gradient is W^T (1 - h^2), its rounding at saturation that of h.
    """
    if s.strict:
        return False
    terms = np.abs(np.asarray(weights) * s.value)
    if np.size(weights) > MOST_ROWS:
        rows = [s.pull(np.asarray(weights, dtype=s.value.dtype))]
    else:
        rows = [s.pull(unit(s.value, at) * weights[at]) for at in np.ndindex(s.value.shape) if weights[at]]
    total = float(np.sum(terms)) + sum(_absolute_terms(s, row) for row in rows)
    others = [other for other in s.slots if other != slot and len(s.slots) > 1]
    loudest = max([float(np.max(np.abs(s.arrays[other]), initial=1.0)) for other in others], default=1.0)
    return gap <= 16 * s.eps * total * loudest < np.inf


def _absolute_terms(s: Subject, row: Gradients) -> float:
    return sum(float(np.sum(np.abs(row[slot] * s.arrays[slot]))) for slot in s.slots)


def is_explained(s: Subject, w: Array, v: Sequence[Any], got: float, want: float) -> bool:
    """Whether numbers that differ only in rounding scatter as widely as got and want lie apart."""
    values = [got, *(dot(g, v) for g in jittered(s, w))]
    spread = max(values) - min(values) if np.all(np.isfinite(values)) else 0.0
    return abs(got - want) <= SCATTER * spread


def jittered(s: Subject, w: Array, size: float | None = None) -> Iterator[Gradients]:
    """Eight samples of the gradient with its rounding, or `size`, moved at random."""
    rng = np.random.default_rng(s.random)
    for _ in range(8):
        with np.errstate(all="ignore"):
            if s.jitter is not None and not (s.exact and size is None):
                yield s.jitter(s.arrays, w, rng, size)
            else:
                yield [or_zeros(g, x) for g, x in zip(_moved(s, w, rng), s.arrays, strict=True)]


def _moved(s: Subject, w: Array, rng: np.random.Generator) -> Gradients:
    """The vjp with the input moved by its last digits, and unless nothing excuses that, each value on the way too."""
    moved = [nudge(x, rng) if x.dtype.kind == "f" else x for x in s.arrays]
    if not (s.strict or s.exact):
        with suppress(Exception):  # not every function takes arrays of another kind
            return s.vjp([rounded(x, rng) if x.dtype.kind == "f" else x for x in moved], w)
    return s.vjp(moved, w)


def nudge(x: Array, rng: np.random.Generator) -> Array:
    """x with each element moved by at most two units in the last place."""
    return np.asarray(x * (1 + np.finfo(x.dtype).eps * rng.integers(-2, 3, x.shape)), dtype=x.dtype)


def dot(gradients: Gradients, v: Sequence[Any]) -> float:
    """<gradients, v>."""
    with np.errstate(all="ignore"):
        return float(
            sum(np.sum(np.asarray(g) * d) for g, d in zip(gradients, v, strict=True) if d is not None and g is not None)
        )


def or_zeros(g: Any, x: Array) -> Array:
    """The gradient with respect to x; zeros where it is absent."""
    return np.zeros(x.shape) if g is None else np.asarray(g)
