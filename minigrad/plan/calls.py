"""A plan's instructions: calls of NumPy functions on windows, each writing into one of its operands."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..node import Shape, key_of
from .view import View

Dtype = np.dtype[Any]


class Operand(NamedTuple):
    """An array a call reads or writes: a window and the dtype of what lies there."""

    view: View
    dtype: Dtype


class Call(NamedTuple):
    """`function(*operands)`; operands that are no `Operand` are passed as they are.

    `name` is what the generated source calls the function; equal names mean the same function.
    """

    name: str
    function: Callable[..., Any]
    operands: tuple[Any, ...]


class Calls:
    """The calls of a plan while it is written down, in order."""

    def __init__(self, sizes: list[int]) -> None:
        self.calls: list[Call] = []
        self.sizes = sizes
        self._constants: dict[tuple[float, Dtype], Operand] = {}
        self._others: dict[Any, tuple[str, Callable[..., Any]]] = {}

    def add(self, function: Any, *operands: Any, name: str = "") -> None:
        """Append a call."""
        self.calls.append(Call(name or function.__name__, function, operands))

    def scratch(self, shape: Shape, dtype: Dtype) -> Operand:
        """A window for a value that the next few calls need."""
        from .view import dense

        nbytes = int(np.prod(shape)) * dtype.itemsize
        self.sizes.append(nbytes)
        return Operand(dense(len(self.sizes) - 1, 0, shape, dtype.itemsize), dtype)

    def kernel(self, op: str, kernel: Callable[..., Any], params: dict[str, Any], out: Operand, args: Any) -> None:
        """Append a call of an op's own kernel, its result copied to its place."""
        key = op, kernel, key_of(params)
        if key not in self._others:
            word = re.sub(r"\W", "_", op)
            self._others[key] = f"{word}_{len(self._others)}", _storing(kernel, params)
        name, function = self._others[key]
        self.add(function, out, *args, name=name)


def _storing(kernel: Callable[..., Any], params: dict[str, Any]) -> Callable[..., None]:
    def store(out: Any, *args: Any) -> None:
        np.copyto(out, kernel(*args, **params))

    return store


@cache
def number(value: float, dtype: Dtype) -> Any:
    """A number as a 0-d array: cheaper to pass to a ufunc than a Python number."""
    array = np.array(value, dtype)
    array.flags.writeable = False
    return array


@lru_cache(maxsize=64)
def repeated(value: float, shape: Shape, dtype: Dtype) -> Any:
    """The number in every element along the last axis, for the ufuncs that are slow on a single one; a plain number
    where that would take memory to speak of."""
    if shape[-1] * dtype.itemsize > 1 << 16:
        return number(value, dtype)
    return np.broadcast_to(np.full(shape[-1:], value, dtype), shape)


def runs(offsets: Sequence[tuple[int, ...]]) -> list[tuple[int, tuple[int, ...], list[tuple[int, ...]]]]:
    """Cut members into grids: (first member, counts, steps an axis), up to two axes.

    `offsets[k]` says where each operand of member k lies; the members of a grid lie at equal distances.
    """
    lines: list[tuple[int, int, tuple[int, ...]]] = []
    at = 0
    while at < len(offsets):
        end = at + 1
        step = _difference(offsets[at + 1], offsets[at]) if end < len(offsets) else ()
        while end < len(offsets) and _difference(offsets[end], offsets[end - 1]) == step:
            end += 1
        lines.append((at, end - at, step if end - at > 1 else ()))
        at = end
    grids = []
    k = 0
    while k < len(lines):
        start, length, step = lines[k]
        last = k + 1
        apart: tuple[int, ...] = ()
        while last < len(lines) and lines[last][1:] == (length, step):
            distance = _difference(offsets[lines[last][0]], offsets[lines[last - 1][0]])
            if last > k + 1 and distance != apart:
                break
            apart = distance
            last += 1
        repeats = last - k
        axes = [(n, by) for n, by in ((repeats, apart), (length, step)) if n > 1]
        grids.append((start, tuple([n for n, _ in axes]), [by for _, by in axes]))
        k = last
    return grids


def _difference(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([a - b for a, b in zip(x, y, strict=True)])
