"""Calls become a Python function: repeated stretches are rolled into loops, and the source is compiled once.

The source names NumPy functions and numbered arrays, like

    add(a0, a1, a2)
    for b0, b1, b2 in loop_0:
        dot(b0, a3, b1)
        tanh(b1, b2)

so that running it costs a local look-up and a call, and a curious reader can print it (`Function.source`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..node import Array, Shape
from .calls import Call, Operand
from .memory import Memory
from .view import View

# A stretch repeats if it recurs within this many calls; longer periods are left unrolled.
_LONGEST_PERIOD = 2000
# Beyond this many arrays, a loop makes its windows as it goes instead of keeping them.
_KEPT_WINDOWS = 200_000
# This many calls that do not repeat are run from a list: compiling them would cost more than it saves.
_LISTED = 400


class Stretch(NamedTuple):
    """`calls[start : start + period * repeats]`, of which each period makes the same calls on other arrays."""

    start: int
    period: int
    repeats: int


def roll(calls: Sequence[Call]) -> list[Stretch]:
    """Cut the calls into stretches; what does not repeat has `repeats` 1."""
    numbers: dict[Any, int] = {}
    keys = [numbers.setdefault(_shape_of(call), len(numbers)) for call in calls]
    following = _recurrences(keys)
    stretches: list[Stretch] = []
    at = plain = 0
    while at < len(keys):
        period, repeats = _longest_repeat(keys, at, following)
        if repeats < 2 or period * repeats < 8:
            at += 1
            continue
        if plain < at:
            stretches.append(Stretch(plain, at - plain, 1))
        stretches.append(Stretch(at, period, repeats))
        at = plain = at + period * repeats
    if plain < len(keys):
        stretches.append(Stretch(plain, len(keys) - plain, 1))
    return stretches


def _shape_of(call: Call) -> Any:
    return call.name, tuple([None if isinstance(x, Operand) else _identity(x) for x in call.operands])


def _recurrences(keys: list[int], length: int = 4) -> list[int]:
    """For each place, the next one where the same few calls stand; -1 if there is none."""
    following = [-1] * len(keys)
    last: dict[tuple[int, ...], int] = {}
    for k in reversed(range(len(keys))):
        gram = tuple(keys[k : k + length])
        following[k] = last.get(gram, -1)
        last[gram] = k
    return following


def _longest_repeat(keys: list[int], at: int, following: list[int]) -> tuple[int, int]:
    best = (0, 0)
    other = at
    for _ in range(4):
        other = following[other]
        period = other - at
        if other < 0 or period > _LONGEST_PERIOD:
            break
        matched = 0
        while other + matched < len(keys) and keys[at + matched] == keys[other + matched]:
            matched += 1
        repeats = matched // period + 1
        if repeats >= 2 and period * repeats > 1.5 * best[0] * best[1]:
            best = (period, repeats)
    return best


class Program:
    """The compiled plan; `bind` ties it to a block of memory.

    Attributes:
        names: the names of what it calls, in order.
        source: the Python that runs.
        given: the windows that each run is given arrays for, in order: those of the buffers `from_outside` that no loop
            steps through.
        copied: the other buffers `from_outside`, which need a place in the block of memory.
    """

    def __init__(self, calls: Sequence[Call], from_outside: set[int]) -> None:
        self.names = [call.name for call in calls]
        self._calls = calls
        self._functions: dict[str, Callable[..., Any]] = {}
        self._names: dict[Any, str] = {}
        self._fixed: list[Any] = []
        self._loops: list[list[Rows]] = []
        self._lists: list[Sequence[Call]] = []
        stretches = roll(calls)
        self.given: list[Operand] = []
        self.copied = from_outside & self._stepped_through(stretches)
        self._outside = from_outside - self.copied
        lines: list[str] = []
        for stretch in stretches:
            if stretch.repeats > 1:
                lines += self._loop(stretch)
            elif stretch.period > _LISTED:
                lines += [f"for f, args in list_{len(self._lists)}:", "    f(*args)"]
                self._lists.append(self._of(stretch, 0))
            else:
                lines += [self._line(call, [self._name(x) for x in call.operands]) for call in self._of(stretch, 0)]
        self.source = self._written(lines)
        namespace: dict[str, Any] = dict(self._functions)
        exec(compile(self.source, "<minigrad plan>", "exec"), namespace)
        self._make: Callable[..., Callable[..., None]] = namespace["make"]
        del self._calls  # of a long plan they are most of the memory, and nobody needs them any more

    def _stepped_through(self, stretches: Sequence[Stretch]) -> set[int]:
        """The buffers of which a loop takes another window in each repeat."""
        found: set[int] = set()
        for stretch in stretches:
            first = self._of(stretch, 0)
            for repeat in range(1, stretch.repeats):
                for call, other in zip(first, self._of(stretch, repeat), strict=True):
                    if call.operands != other.operands:
                        for x, y in zip(call.operands, other.operands, strict=True):
                            if isinstance(x, Operand) and x != y:
                                found |= {x.view.buffer, y.view.buffer}
            if stretch.repeats == 1 and stretch.period > _LISTED:
                found.update(x.view.buffer for call in first for x in call.operands if isinstance(x, Operand))
        return found

    def bind(self, windows: Windows) -> Callable[..., None]:
        """A function that runs the plan on `windows` and the arrays `given`. It must not run twice at the same time."""
        fixed = [windows.array(x) for x in self._fixed]
        loops = [windows.rows(columns) for columns in self._loops]
        lists = [
            [(call.function, tuple([windows.array(x) for x in call.operands])) for call in calls]
            for calls in self._lists
        ]
        return self._make(*fixed, *loops, *lists)

    def _of(self, stretch: Stretch, repeat: int) -> Sequence[Call]:
        start = stretch.start + repeat * stretch.period
        return self._calls[start : start + stretch.period]

    def _written(self, lines: list[str]) -> str:
        names = [f"a{k}" for k in range(len(self._fixed))]
        names += [f"loop_{k}" for k in range(len(self._loops))] + [f"list_{k}" for k in range(len(self._lists))]
        body = "".join(f"        {line}\n" for line in lines) or "        pass\n"
        given = ", ".join(f"p{k}" for k in range(len(self.given)))
        return f"def make({', '.join(names)}):\n    def plan({given}):\n{body}    return plan\n"

    def _line(self, call: Call, names: Sequence[str]) -> str:
        self._functions[call.name] = call.function
        return f"{call.name}({', '.join(names)})"

    def _name(self, operand: Any) -> str:
        if isinstance(operand, (tuple, bool, str)) and not isinstance(operand, Operand):
            return repr(operand)
        key = _identity(operand)
        if key not in self._names and isinstance(operand, Operand) and operand.view.buffer in self._outside:
            self._names[key] = f"p{len(self.given)}"
            self.given.append(operand)
        if key not in self._names:
            self._names[key] = f"a{len(self._fixed)}"
            self._fixed.append(operand)
        return self._names[key]

    def _loop(self, stretch: Stretch) -> list[str]:
        periods = [self._of(stretch, k) for k in range(stretch.repeats)]
        columns: dict[tuple[Operand, ...], str] = {}
        body = []
        for at, call in enumerate(periods[0]):
            names = []
            for slot, operand in enumerate(call.operands):
                if not isinstance(operand, Operand):
                    names.append(self._name(operand))
                    continue
                column = tuple([period[at].operands[slot] for period in periods])
                if column.count(operand) == len(column):
                    names.append(self._name(operand))
                else:
                    names.append(columns.setdefault(column, f"b{len(columns)}"))
            body.append("    " + self._line(call, names))
        if not columns:
            return [f"for _ in range({stretch.repeats}):", *body]
        self._loops.append([_rows_of(column) for column in columns])
        return [f"for {', '.join(columns.values())}, in loop_{len(self._loops) - 1}:", *body]


class Slab(NamedTuple):
    """`repeats` windows like `first`, each `step` bytes after the one before."""

    first: Operand
    repeats: int
    step: int


# What a loop steps through.
Rows = Slab | Sequence[Operand]


def _rows_of(column: Sequence[Operand]) -> Rows:
    """The column as a slab where its windows lie at equal distances."""
    first, second = column[0], column[1]
    step = second.view.offset - first.view.offset
    like = (first.view.buffer, first.view.shape, first.view.strides, first.dtype)
    regular = bool(first.view.shape) and all(
        x.view.offset == first.view.offset + k * step and (x.view.buffer, x.view.shape, x.view.strides, x.dtype) == like
        for k, x in enumerate(column)
    )
    return Slab(first, len(column), step) if regular else column


def _identity(operand: Any) -> Any:
    return id(operand) if isinstance(operand, np.ndarray) else operand


class Windows:
    """The arrays that operands name, in one block of memory."""

    def __init__(self, block: Array, memory: Memory) -> None:
        self._block = block
        self._offset = memory.offset
        self._made: dict[Operand, Array] = {}

    def array(self, operand: Any) -> Any:
        """The operand's array; what is no window stands for itself."""
        if not isinstance(operand, Operand):
            return operand
        if operand not in self._made:
            view = operand.view
            self._made[operand] = self._window(view.offset, view, operand, (), ())
        return self._made[operand]

    def _window(self, offset: int, view: View, operand: Operand, count: Shape, step: tuple[int, ...]) -> Array:
        start = self._offset[view.buffer] + offset
        return np.ndarray(count + view.shape, operand.dtype, self._block, start, step + view.strides)

    def rows(self, columns: Sequence[Rows]) -> Iterable[tuple[Array, ...]]:
        """What a loop runs over: the arrays of each repeat."""
        slabs = [self._slab(column) for column in columns]
        repeats = columns[0].repeats if isinstance(columns[0], Slab) else len(columns[0])
        if len(columns) * repeats > _KEPT_WINDOWS:
            return _Lazy(slabs)
        return list(zip(*slabs, strict=True))

    def _slab(self, column: Rows) -> Iterable[Array]:
        """The column's arrays, a slab's as the rows of one array."""
        if isinstance(column, Slab):
            view = column.first.view
            return self._window(view.offset, view, column.first, (column.repeats,), (column.step,))
        return [self.array(x) for x in column]


class _Lazy:
    """Rows made anew at each pass: a very long loop keeps its slabs, not an array object a row."""

    def __init__(self, slabs: list[Iterable[Array]]) -> None:
        self._slabs = slabs

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        return zip(*self._slabs, strict=True)
