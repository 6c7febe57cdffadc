"""The cotangents of many losses at once, caught where they arrive at the uses of a source.

The sweep behind `bptt`. Its values are stacks, one member a loss. What is done to every member alike is put off: a
local derivative waits, unstacked, until the stack is written anyway, and the gates of an LSTM write into one array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from minigrad import Edge, Elementwise, GradientError, Node, describe
from minigrad.node import Array, Shape
from minigrad.ops import Stacked
from minigrad.ops.core import zero_is_strong
from minigrad.ops.indexing import Index, as_numpy_index
from minigrad.paths import Cotangents, Paths, Rows

# Ops that only move elements, so that they change no norm.
_REARRANGEMENTS = (mg.ops.transpose, mg.ops.reshape)


# What a use multiplies its cotangents by, from the left, and whether they are transposed first.
Factor = tuple[Array, bool]


@dataclass(frozen=True)
class Use:
    """One use of the source: the edges from it to where its cotangents are read, source first."""

    step: int
    chain: tuple[Edge, ...]

    @property
    def exit(self) -> Edge:
        """The edge across which cotangents would enter the chain."""
        return self.chain[-1]

    def factor(self, values: Mapping[Node, Array]) -> Factor | None:
        """(F, flipped) where the contribution has the norm of F @ cotangent, or of F @ cotangent^T if flipped; None
        where it is not such a product."""
        user, slot = self.exit
        if user.op is not mg.ops.matmul or any(len(arg.shape) != 2 for arg in user.args):
            return None
        if any(edge.user.op not in _REARRANGEMENTS for edge in self.chain[:-1]):
            return None
        return (values[user.args[0]].T, False) if slot == 1 else (values[user.args[1]], True)


def uses_of(paths: Paths, source: Node, steps: int) -> list[Use]:
    """The uses of `source` with their steps. Raises GradientError for one made outside every step."""
    uses = []
    targets = set(paths.targets)
    for edge in paths.out[source]:
        step: Any = edge.user.scope.get("t")
        if not isinstance(step, int) or not 0 <= step < steps:
            raise GradientError(
                f"bptt: the use of {describe(source)} by {describe(edge.user)} belongs to no step from 0 to "
                f"{steps - 1}; make it inside `with mg.scope(t=step)`"
            )
        chain = [edge]
        # Up to the first node that is more than the source rearranged.
        while chain[-1].user.op in _REARRANGEMENTS and chain[-1].user not in targets:
            onward = paths.out[chain[-1].user]
            if len(onward) != 1:
                break
            chain.append(onward[0])
        uses.append(Use(step, tuple(chain)))
    return uses


class Pending(NamedTuple):
    """Cotangents, and what is still to be done to every member: `stack * factor`, put at `place` among zeros."""

    start: int
    stack: Array
    factor: Array | None = None
    place: Index | None = None

    @property
    def stop(self) -> int:
        """The first loss after the last."""
        return self.start + len(self.stack)

    def write(self, whole: Array, *, add: bool) -> None:
        """Write into, or add to, `whole`, which has a member for each of these losses."""
        target = whole if self.place is None else whole[(slice(None), *as_numpy_index(self.place))]
        if add:
            target += self.stack if self.factor is None else self.stack * self.factor
        elif self.factor is None:
            target[...] = self.stack
        else:
            np.multiply(self.stack, self.factor, out=target)


class Arrivals:
    """The algebra of the table: carries `Pending` and keeps in `arrived` what comes to a use of the source."""

    def __init__(self, cotangents: Cotangents, uses: Mapping[Edge, Use]) -> None:
        self._cotangents = cotangents
        self._uses = uses
        self._may_wait = not zero_is_strong()
        self.arrived: list[tuple[Use, Rows]] = []

    def along(self, edge: Edge, value: Pending) -> Pending | None:
        user, slot = edge
        use = self._uses.get(edge)
        if use is not None:
            self.arrived.append((use, _settled(user, value)))
            return None
        if self._may_wait and value.place is None:
            if isinstance(user.op, Elementwise) and user.args[slot].shape == user.shape:
                waiting = _times(value, self._cotangents.partial(edge))
                if waiting is not None:
                    return waiting
            elif user.op is mg.ops.slice_:
                return Pending(value.start, value.stack, value.factor, user.params["index"])
        rows = _settled(user, value)
        carried = self._cotangents.along(edge, Stacked(rows.stack))
        if carried is None:
            return None
        # Losses that read the outputs of all steps stacked into one node are told apart here: what a loss sends to a
        # step it does not read is exactly 0 after the stack is taken apart.
        arrived = Pending(rows.start, carried.value)
        return _trimmed(arrived) if user.op is mg.ops.concat else arrived

    def join(self, node: Node, values: Sequence[Pending]) -> Pending:
        starts, stops = {value.start for value in values}, {value.stop for value in values}
        start, stop = min(starts), max(stops)
        total = _empty((stop - start, *node.shape), node.dtype)
        first = max(
            (value for value in values if value.place is None), key=lambda value: len(value.stack), default=None
        )
        tiled = first is None and len(starts) == len(stops) == 1 and _tile(node.shape, tuple([v.place for v in values]))
        if first is not None:
            first.write(total[first.start - start : first.stop - start], add=False)
            total[: first.start - start] = total[first.stop - start :] = 0
        elif not tiled:
            total[...] = 0
        for value in values:
            if value is not first:
                value.write(total[value.start - start : value.stop - start], add=not tiled)
        return Pending(start, total)


def _times(value: Pending, partial: Any) -> Pending | None:
    """`value` with a local derivative put off, or None where the product of those put off might leave the floats."""
    if isinstance(partial, int) and partial == 1:
        return value
    if value.factor is None:
        return Pending(value.start, value.stack, np.asarray(partial, value.stack.dtype))
    factor = value.factor * partial
    sizes, limits = np.abs(factor), np.finfo(factor.dtype)
    safe = sizes.size == 0 or (sizes.min() > limits.tiny / limits.eps and sizes.max() < limits.max * limits.eps)
    return Pending(value.start, value.stack, factor) if safe else None


def _settled(node: Node, value: Pending) -> Rows:
    if value.factor is None and value.place is None:
        return Rows(value.start, value.stack)
    whole = _empty((len(value.stack), *node.shape), value.stack.dtype)
    if value.place is not None:
        whole[...] = 0
    value.write(whole, add=False)
    return Rows(value.start, whole)


def _empty(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Memory for a stack. One that is a loss longer than the last finds no room where that was, and new memory costs a
    page fault every 4 KB: so lengths are rounded up to a power of 2, and the end that is not used is never touched."""
    count, *rest = shape
    return np.empty((1 << (count - 1).bit_length(), *rest), dtype)[:count]


@lru_cache
def _tile(shape: Shape, places: tuple[Index, ...]) -> bool:
    """Whether the places cover an array of this shape once, without gap or overlap."""
    cover = np.zeros(shape, np.intp)
    for place in places:
        cover[as_numpy_index(place)] += 1
    return bool((cover == 1).all())


def _trimmed(value: Pending) -> Pending | None:
    """Without the members at both ends that are exactly 0; None if all are."""
    filled = np.flatnonzero(np.reshape(value.stack != 0, (len(value.stack), -1)).any(1))
    if not len(filled):
        return None
    return Pending(value.start + int(filled[0]), value.stack[filled[0] : filled[-1] + 1])
