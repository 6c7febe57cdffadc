"""`graphs`: random well-typed programs with the numbers to run them on, which shrink and print as code.

A program is a list of arrays and a list of steps, each an op on earlier values. Its values are computed while it is
drawn, so that every step is defined where it stands: nothing overflows, and a failure is never NaN against NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ..node import Array, Node, walk
from ..ops import input as input_node
from ..ops.core import REGISTRY, Op
from .strategies import arrays, shapes
from .written import graph_code

LARGEST = 50.0
UNARY = ("tanh", "sigmoid", "sin", "neg", "relu", "abs", "softplus", "exp", "log", "sqrt", "cos", "expm1", "log1p")
BINARY = ("mul", "add", "sub", "div", "maximum", "minimum", "logaddexp")
MOVING = ("sum", "transpose", "reshape", "slice", "cumsum", "logsumexp", "max", "prod", "concat", "matmul")


class Instruction(NamedTuple):
    """One step: an op's name, which earlier values it takes, and its parameters."""

    op: str
    args: tuple[int, ...]
    params: dict[str, Any]


@dataclass(frozen=True)
class Program:
    """A graph with numbers for its inputs; `str` and `repr` give the code that builds it.

    Attributes:
        values: the arrays of the inputs.
        steps: the operations in order; value number i is input i, then step i - len(values).
    """

    values: tuple[Array, ...]
    steps: tuple[Instruction, ...]

    @cached_property
    def _nodes(self) -> list[Node]:
        nodes = [input_node(value.shape, value.dtype, name=f"x{i}") for i, value in enumerate(self.values)]
        for step in self.steps:
            nodes.append(REGISTRY[step.op](*[nodes[i] for i in step.args], **step.params))
        return nodes

    @property
    def output(self) -> Node:
        """The last value."""
        return self._nodes[-1]

    @property
    def inputs(self) -> list[Node]:
        """The inputs that the output depends on."""
        used = set(walk(self.output))
        return [node for node in self._nodes[: len(self.values)] if node in used]

    @property
    def feed(self) -> dict[Node, Array]:
        """The numbers of the inputs, for `run`."""
        used = set(self.inputs)
        return {node: value for node, value in zip(self._nodes, self.values, strict=False) if node in used}

    @property
    def nodes(self) -> list[Node]:
        """What the output depends on, inputs first."""
        return list(walk(self.output))[::-1]

    def __str__(self) -> str:
        written = graph_code(self.output, self.feed)
        return "\n".join([*written.statements, f"feed = {written.feed}"])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis prints of a program that fails."""
        for i, statement in enumerate(str(self).splitlines()):
            if i:
                printer.break_()
            printer.text(statement)

    __repr__ = __str__


@st.composite
def graphs(
    draw: st.DrawFn,
    *,
    max_steps: int = 12,
    smooth: bool = False,
    ops: Sequence[str | Op] = (),
    max_dims: int = 2,
) -> Program:
    """Random programs of up to `max_steps` operations over one to three inputs.

    Values stay finite and below 50 in size. `smooth` leaves out what has kinks; `ops`, registered ones that take no
    parameters, are drawn besides the usual ones (an elementwise op of your own, or one with a mutant planted in it).
    Shrinks to few steps, then to inputs used directly, then to plain numbers.

    >>> from hypothesis import find, settings
    >>> found = find(graphs(), lambda p: any(n.op.name == "mul" for n in p.nodes), settings=settings(database=None))
    >>> len(found.nodes) <= 3
    True
    """
    names = [op if isinstance(op, str) else op.name for op in ops]
    values = [draw(_leaf(max_dims)) for _ in range(draw(st.integers(1, 3)))]
    inputs = tuple(values)
    steps: list[Instruction] = []
    for _ in range(draw(st.integers(1, max_steps))):
        step = draw(_instruction(values, tuple(names), smooth))
        value = _value(step, values)
        if value is None:
            step = Instruction("tanh", step.args[:1], {})
            value = _value(step, values)
        if value is not None:
            steps.append(step)
            values.append(value)
    return Program(inputs, tuple(steps))


@st.composite
def _leaf(draw: st.DrawFn, max_dims: int) -> Array:
    array: Array = draw(arrays(shapes(0, max_dims, 1, 3), layouts=False))
    return np.clip(array, -3, 3)


def _value(step: Instruction, values: Sequence[Array]) -> Array | None:
    """The step's value, or None where it is not one that a program may hold."""
    with np.errstate(all="ignore"):
        try:
            value = np.asarray(REGISTRY[step.op].kernel(*[values[i] for i in step.args], **step.params))
        except (ValueError, IndexError, TypeError):
            return None
    return value if value.dtype.kind == "f" and np.all(np.isfinite(value)) and np.all(np.abs(value) < LARGEST) else None


@st.composite
def _instruction(draw: st.DrawFn, values: Sequence[Array], names: tuple[str, ...], smooth: bool) -> Instruction:
    # Position 0 is an input: references shrink towards the inputs, and what they skipped drops out of the graph. Half
    # of them point at the latest value, or programs would be wide and shallow.
    position = st.one_of(st.integers(0, len(values) - 1), st.just(len(values) - 1))
    first = draw(position)
    x = values[first]
    kind = draw(st.sampled_from(("own" if names else "binary", "unary", "binary", "moving")))
    if kind == "own":
        op = draw(st.sampled_from(names))
        count = len(getattr(REGISTRY[op], "partials", (0,)))
        return Instruction(op, (first, *[draw(position) for _ in range(count - 1)]), {})
    if kind == "unary":
        return Instruction(draw(st.sampled_from(_allowed(UNARY, smooth))), (first,), {})
    if kind == "binary":
        fitting = [i for i, value in enumerate(values) if _broadcasts(x, value)]
        return Instruction(draw(st.sampled_from(_allowed(BINARY, smooth))), (first, draw(st.sampled_from(fitting))), {})
    return _move(draw, draw(st.sampled_from(_allowed(MOVING, smooth))), first, values)


def _allowed(names: tuple[str, ...], smooth: bool) -> list[str]:
    return [name for name in names if not smooth or REGISTRY[name].analytic]


def _broadcasts(x: Array, y: Array) -> bool:
    # (N,) with (N, 1) is left out: the engine warns of it, and it makes values grow.
    return x.shape == y.shape or not x.ndim or not y.ndim


def _move(draw: st.DrawFn, op: str, first: int, values: Sequence[Array]) -> Instruction:
    x = values[first]
    if op == "transpose":
        return Instruction(op, (first,), {"axes": tuple(reversed(range(x.ndim)))})
    if op == "reshape":
        return Instruction(op, (first,), {"shape": draw(st.sampled_from(((x.size,), x.shape[::-1], (1, *x.shape))))})
    if not x.ndim:
        return Instruction("tanh", (first,), {})
    axis = draw(st.integers(0, x.ndim - 1))
    if op in ("sum", "logsumexp", "max"):
        axes = draw(st.sampled_from((tuple(range(x.ndim)), (axis,))))
        return Instruction(op, (first,), {"axes": axes, "keepdims": draw(st.booleans())})
    if op == "cumsum":
        return Instruction(op, (first,), {"axis": axis, "reverse": draw(st.booleans())})
    if op == "slice":
        index = tuple([(n - 1, -1, -1) if draw(st.booleans()) else draw(st.integers(0, n - 1)) for n in x.shape])
        return Instruction(op, (first,), {"index": index})
    if op == "concat":
        same = [i for i, value in enumerate(values) if value.shape == x.shape]
        return Instruction(op, (first, draw(st.sampled_from(same))), {"axis": axis})
    if op == "matmul":
        right = [i for i, value in enumerate(values) if x.ndim == value.ndim == 2 and value.shape[0] == x.shape[1]]
        return (
            Instruction(op, (first, draw(st.sampled_from(right))), {}) if right else Instruction("tanh", (first,), {})
        )
    return Instruction(op, (first,), {})
