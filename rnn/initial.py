"""Initialisers: the values weights start from, drawn from a seeded generator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minigrad.node import Array, Shape

Generator = np.random.Generator


def uniform(generator: Generator, shape: Shape, hidden_size: int) -> Array:
    """Uniform in ±1/sqrt(hidden_size), weights and biases alike: torch's default."""
    bound = 1 / np.sqrt(hidden_size)
    return generator.uniform(-bound, bound, shape)


def glorot(generator: Generator, shape: Shape, hidden_size: int) -> Array:
    """Each gate's matrix uniform in ±sqrt(6 / (rows + columns)), biases 0 (Glorot and Bengio 2010)."""
    if len(shape) == 1:
        return np.zeros(shape)
    bound = np.sqrt(6 / (hidden_size + shape[1]))
    return generator.uniform(-bound, bound, shape)


def orthogonal(generator: Generator, shape: Shape, hidden_size: int) -> Array:
    """Each gate's square matrix a random rotation or reflection, the others Glorot, biases 0 (Saxe et al. 2014)."""
    if len(shape) == 1 or shape[1] != hidden_size:
        return glorot(generator, shape, hidden_size)
    blocks = []
    for _ in range(shape[0] // hidden_size):
        q, r = np.linalg.qr(generator.standard_normal((hidden_size, hidden_size)))
        blocks.append(q * np.sign(np.diag(r)))  # without the signs QR's own convention would bias the draw
    return np.concatenate(blocks)


INITIALISERS: dict[str, Callable[[Generator, Shape, int], Array]] = {
    "uniform": uniform,
    "glorot": glorot,
    "orthogonal": orthogonal,
}
