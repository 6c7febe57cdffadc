"""Elementwise calls in a row on large slabs go through memory once: block by block, all calls on a block while it is in
the cache. What a block needs besides (scratch) is then the size of a block too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .calls import Call, Operand
from .view import View

_BLOCK_BYTES = 1 << 16


def blocked(calls: Sequence[Call], scratch: range, sizes: list[int]) -> list[Call]:
    """The same calls, large runs of elementwise ones cut into blocks along their first axis.

    `scratch` are the buffers that only the calls of one term touch; their `sizes` shrink with the blocks.
    """
    result: list[Call] = []
    run = _Run()
    for call in calls:
        large = _elementwise(call) and _nbytes(_windows(call)[-1]) > 2 * _BLOCK_BYTES
        if not (large and run.takes(call)):
            result += _cut(run.calls, scratch)
            run = _Run()
        if large and run.takes(call):
            run.add(call)
        else:
            result.append(call)
    result += _cut(run.calls, scratch)
    needed = dict.fromkeys(scratch, 0)
    for call in result:
        for x in _windows(call):
            if x.view.buffer in needed:
                needed[x.view.buffer] = max(needed[x.view.buffer], x.view.offset + x.view.extent + x.dtype.itemsize)
    for buffer, nbytes in needed.items():
        sizes[buffer] = nbytes
    return result


def _elementwise(call: Call) -> bool:
    return isinstance(call.function, np.ufunc) and call.function.signature is None


def _windows(call: Call) -> list[Operand]:
    return [x for x in call.operands if isinstance(x, Operand)]


def _nbytes(x: Operand) -> int:
    return math.prod(x.view.shape) * x.dtype.itemsize


class _Run:
    """Calls of which each block needs no other block of the calls before it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._seen: dict[int, set[View]] = {}
        self._written: set[int] = set()

    def takes(self, call: Call) -> bool:
        """Whether `call` may join: where one call writes and another reads or writes, they mean the same window."""
        own = _windows(call)
        if self.calls and own[-1].view.shape != _windows(self.calls[0])[-1].view.shape:
            return False
        out = own[-1].view
        return all(
            self._seen.get(view.buffer, {view}) == {view} and (view.buffer != out.buffer or view == out)
            for view, _ in own
            if view.buffer == out.buffer or view.buffer in self._written
        )

    def add(self, call: Call) -> None:
        """Take the call in."""
        self.calls.append(call)
        for view, _ in _windows(call):
            self._seen.setdefault(view.buffer, set()).add(view)
        self._written.add(_windows(call)[-1].view.buffer)


def _cut(run: list[Call], scratch: range) -> list[Call]:
    if not run:
        return run
    out = _windows(run[0])[-1]
    rows = out.view.shape[0]
    row_bytes = math.prod(out.view.shape[1:]) * out.dtype.itemsize
    block = max(1, _BLOCK_BYTES // max(1, row_bytes))
    if rows < 2 * block or len(run) < 2:
        return run
    return [
        Call(
            call.name, call.function, tuple([_rows(x, start, min(start + block, rows), scratch) for x in call.operands])
        )
        for start in range(0, rows, block)
        for call in run
    ]


def _rows(operand: Any, start: int, stop: int, scratch: range) -> Any:
    if not isinstance(operand, Operand):
        return operand
    view = operand.view
    offset = view.offset if view.buffer in scratch else view.offset + start * view.strides[0]
    return Operand(View(view.buffer, offset, (stop - start, *view.shape[1:]), view.strides), operand.dtype)
