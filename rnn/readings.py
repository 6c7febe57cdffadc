"""Norms and shares of contributions, read off the cotangents where they enter a use: no contribution is written out.

A contribution h^T delta has the norm of R delta, where R is the triangular factor of h, and an inner product with the
whole gradient D equal to that of delta with h D. Both are computed in double precision, where the squares of the
smallest float32 are numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigrad import Node
from minigrad.node import Array, Shape
from minigrad.paths import Cotangents, Tangents
from minigrad.paths.measure import Floats, norms

from .arrivals import Factor, Use


class Readings:
    """Reads shares and norms off stacks of up to `losses` cotangents, one use at a time; `direction` is D / |D|^2."""

    def __init__(self, uses: Iterable[Use], cotangents: Cotangents, direction: Floats, losses: int) -> None:
        self._factors = _factors(uses, cotangents.values)
        self._tangents = Tangents(cotangents.values, cotangents.partials)
        self._direction = direction
        self._doubles, self._products = _Room(losses), _Room(losses)

    def in_doubles(self, stack: Array) -> Floats:
        """The stack in double precision, until the next is asked for."""
        if stack.dtype == float:
            return stack
        doubles = self._doubles(stack.shape)
        doubles[...] = stack
        return doubles

    def shares(self, use: Use, stack: Floats) -> Floats:
        """What each member adds to the whole gradient, in its direction."""
        pushed: Any = self._direction
        for edge in use.chain:
            pushed = self._tangents.along(edge, pushed)
        shares: Floats = stack.reshape(len(stack), -1) @ np.ravel(pushed)
        return shares

    def norms(self, use: Use, stack: Floats) -> Floats | None:
        """The norm of each contribution, or None where the use is not such a product."""
        if use not in self._factors:
            return None
        other, flipped = self._factors[use]
        right = np.swapaxes(stack, 1, 2) if flipped else stack
        return norms(np.matmul(other, right, out=self._products((len(right), len(other), right.shape[2]))))


class _Room:
    """Memory for one stack after another, each of up to `most` members. Fresh memory costs a page fault every 4 KB,
    and these can take longer than the product that is written there."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._memory: Floats = np.empty(0)

    def __call__(self, shape: Shape) -> Floats:
        size = math.prod(shape)
        if size > self._memory.size:
            self._memory = np.empty(self._most * math.prod(shape[1:]))
        return self._memory[:size].reshape(shape)


def _factors(uses: Iterable[Use], values: Mapping[Node, Array]) -> dict[Use, Factor]:
    """What each use that is a product multiplies its cotangents by. A tall matrix is replaced by its triangular factor,
    which leaves norms as they are and is smaller; those of all steps are found in one call."""
    given = {use: factor for use in uses if (factor := use.factor(values)) is not None}
    factors = {use: (matrix.astype(float), flipped) for use, (matrix, flipped) in given.items()}
    tall: dict[tuple[int, ...], list[Use]] = {}
    for use, (matrix, _) in factors.items():
        if matrix.shape[0] > matrix.shape[1] and np.isfinite(matrix).all():
            tall.setdefault(matrix.shape, []).append(use)
    for alike in tall.values():
        triangles = np.linalg.qr(np.stack([factors[use][0] for use in alike]), mode="r")
        factors |= {use: (triangle, factors[use][1]) for use, triangle in zip(alike, triangles, strict=True)}
    return factors
