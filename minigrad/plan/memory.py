"""When each buffer is in use, and where in one block of memory it lies: buffers never in use together share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from .calls import Call, Operand

_ALIGNMENT = 64
# Packing compares each buffer with those placed before it: beyond this many, buffers only reuse equal sizes.
_MANY = 2000


class Memory(NamedTuple):
    """`offset[buffer]` in a block of `nbytes`; buffers that no call touches have no offset."""

    offset: dict[int, int]
    nbytes: int


def pack(
    calls: Sequence[Call],
    sizes: Sequence[int],
    first: Iterable[int],
    last: Iterable[int],
    outside: Collection[int] = (),
    *,
    share: bool = True,
) -> Memory:
    """Place the buffers. Those in `first` are filled before the first call, those in `last` read after the last one,
    those `outside` are not in this memory at all."""
    spans: dict[int, tuple[int, int]] = dict.fromkeys(first, (-1, -1))
    for k, call in enumerate(calls):
        for operand in call.operands:
            if isinstance(operand, Operand) and operand.view.buffer not in outside:
                buffer = operand.view.buffer
                spans[buffer] = (spans[buffer][0], k) if buffer in spans else (k, k)
    for buffer in last:
        spans[buffer] = (spans[buffer][0], len(calls)) if buffer in spans else (-1, len(calls))
    if not share:
        return _side_by_side({buffer: _aligned(sizes[buffer]) for buffer in spans})
    registers, where = _registers(spans, sizes)
    starts, nbytes = _packed(registers)
    return Memory({buffer: starts[register] for buffer, register in where.items()}, nbytes)


def _aligned(nbytes: int) -> int:
    return -(-nbytes // _ALIGNMENT) * _ALIGNMENT


def _side_by_side(sizes: dict[int, int]) -> Memory:
    at = 0
    offset = {}
    for buffer, nbytes in sizes.items():
        offset[buffer] = at
        at += nbytes
    return Memory(offset, at)


def _registers(
    spans: dict[int, tuple[int, int]], sizes: Sequence[int]
) -> tuple[list[tuple[int, int, int]], dict[int, int]]:
    """Buffers of equal size that follow each other become one register, (bytes, first use, last use).

    The one freed last is taken first, so a loop's temporaries are the same in every step, and warm.
    """
    free: dict[int, list[int]] = {}
    ending: list[tuple[int, int]] = []
    registers: list[tuple[int, int, int]] = []
    where: dict[int, int] = {}
    for buffer, (begin, end) in sorted(spans.items(), key=lambda item: item[1][0]):
        while ending and ending[0][0] < begin:
            _, ended = heappop(ending)
            free.setdefault(registers[ended][0], []).append(ended)
        nbytes = _aligned(sizes[buffer])
        if free.get(nbytes):
            register = free[nbytes].pop()
            registers[register] = (nbytes, registers[register][1], end)
        else:
            register = len(registers)
            registers.append((nbytes, begin, end))
        where[buffer] = register
        heappush(ending, (end, register))
    return registers, where


def _packed(registers: list[tuple[int, int, int]]) -> tuple[list[int], int]:
    """The lowest place for each register, the largest first."""
    starts = [0] * len(registers)
    if len(registers) > _MANY:
        at = 0
        for k, (nbytes, _, _) in enumerate(registers):
            starts[k] = at
            at += nbytes
        return starts, at
    placed: list[tuple[int, int, int, int]] = []  # start, end, first use, last use; by start
    for k in sorted(range(len(registers)), key=lambda k: -registers[k][0]):
        nbytes, begin, end = registers[k]
        at = 0
        for start, stop, other_begin, other_end in sorted(placed):
            if other_begin <= end and begin <= other_end:
                if start - at >= nbytes:
                    break
                at = max(at, stop)
        starts[k] = at
        placed.append((at, at + nbytes, begin, end))
    return starts, max((stop for _, stop, _, _ in placed), default=0)
