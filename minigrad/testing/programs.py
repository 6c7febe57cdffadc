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

from ..node import Array, Node, Shape, walk
from ..ops import input as input_node
from ..ops.core import REGISTRY, Op
from .strategies import arrays
from .written import graph_code

LARGEST = 50.0
UNARY = ("tanh", "sigmoid", "sin", "neg", "relu", "abs", "softplus", "exp", "log", "sqrt", "cos", "expm1", "log1p")
BINARY = ("mul", "add", "sub", "div", "maximum", "minimum", "logaddexp")
REDUCING = ("sum", "max", "min", "logsumexp", "prod")
MOVING = ("slice", "concat", "reshape", "cumsum", "cumprod")
_KNOWN = {*UNARY, *BINARY, *REDUCING, *MOVING, "transpose", "matmul", "gather"}
_SHAPES = ((), (2, 2), (2,), (2, 3), (3,), (3, 2), (1,), (1, 2), (3, 1))


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

    Values stay finite and below 50 in size. `smooth` leaves out what has kinks; `ops` are drawn in
    half of the steps: registered ones that take no parameters, like an elementwise op of your own, or any of the usual
    ones that is under suspicion.
    Shrinks to few steps, then to inputs used directly, then to plain numbers.

    >>> from hypothesis import find, settings
    >>> found = find(graphs(), lambda p: any(n.op.name == "mul" for n in p.nodes), settings=settings(database=None))
    >>> len(found.nodes) <= 3
    True
    """
    names = tuple([op if isinstance(op, str) else op.name for op in ops])
    shape = draw(st.sampled_from([shape for shape in _SHAPES if len(shape) <= max_dims]))
    # Inputs that fit together: of the same shape, turned, without the first axis, a number.
    related = st.sampled_from((shape, shape[::-1], shape[1:], ()))
    values = [draw(_leaf(shape)), *draw(st.lists(related.flatmap(_leaf), max_size=2))]
    if shape and draw(st.booleans()):
        values = [draw(_index()), *values]
    inputs = tuple(values)
    steps: list[Instruction] = []
    # A number of steps drawn at once would be 1 in most programs: Hypothesis likes the ends of a range.
    for i in range(max_steps):
        if i and draw(st.integers(0, 99)) < 15:
            break
        step = draw(_instruction(values, names, smooth))
        value = _value(step, values)
        if value is None:
            step = Instruction("tanh", step.args[:1], {})
            value = _value(step, values)
        if value is not None:
            steps.append(step)
            values.append(value)
    return Program(inputs, tuple(steps))


def _leaf(shape: Shape) -> st.SearchStrategy[Array]:
    return arrays(shape, layouts=False).map(lambda x: np.clip(x, -3, 3))


def _index() -> st.SearchStrategy[Array]:
    """Positions that every axis has; with two to choose from, repeats are the rule."""
    return arrays(st.sampled_from(((2,), (3,))), int, elements=st.sampled_from((0, -1)), layouts=False)


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
    # An early position is an input: references shrink towards the inputs, and what they skipped drops out of the graph.
    # Half of them point at the latest value, or programs would be wide and shallow.
    floats = [i for i, value in enumerate(values) if value.dtype.kind == "f"]
    position = st.one_of(st.sampled_from(floats), st.just(floats[-1]))
    first = draw(position)
    partners = _partners(first, floats, values)
    kinds = _applicable(values[first], partners, smooth)
    wanted = [name for name in names if name not in _KNOWN or any(name in kind for kind in kinds)]
    suspected = bool(wanted) and draw(st.booleans())
    op: str = draw(st.sampled_from(wanted if suspected else draw(st.sampled_from(kinds))))
    if op not in _KNOWN:
        count = len(getattr(REGISTRY[op], "partials", (0,)))
        return Instruction(op, (first, *[draw(position) for _ in range(count - 1)]), {})
    if op in UNARY:
        return Instruction(op, (first,), {})
    others = partners.get("binary" if op in BINARY else op, [])
    args = (first, draw(st.sampled_from(others))) if others else (first,)
    return Instruction(op, args, {} if op in BINARY or op == "matmul" else _params(draw, op, values[first]))


def _partners(first: int, floats: Sequence[int], values: Sequence[Array]) -> dict[str, list[int]]:
    """The values that may be the second argument, by what is done with them."""
    x = values[first]
    # (N,) with (N, 1) is left out: the engine warns of it, and it makes values grow.
    return {
        "binary": [i for i in floats if _broadcasts(x.shape, values[i].shape)],
        "concat": [i for i in floats if x.ndim and values[i].shape == x.shape],
        "matmul": [i for i in floats if x.ndim == values[i].ndim == 2 and values[i].shape[0] == x.shape[1]],
        "gather": [i for i, value in enumerate(values) if x.ndim and value.dtype.kind == "i"],
    }


def _broadcasts(x: Shape, y: Shape) -> bool:
    return len(x) >= len(y) and x[len(x) - len(y) :] == y


def _applicable(x: Array, partners: dict[str, list[int]], smooth: bool) -> list[list[str]]:
    """The ops that take x first: the plain ones, then those of two arguments, the reductions, and so on."""
    kinds: list[Sequence[str]] = [UNARY, BINARY]
    if x.ndim:
        kinds += [REDUCING, (*MOVING, *(("transpose",) if x.ndim > 1 else ()))]
    kinds += [(op,) for op in ("matmul", "gather") if partners[op]]
    return [[op for op in kind if not smooth or REGISTRY[op].analytic] for kind in kinds]


def _params(draw: st.DrawFn, op: str, x: Array) -> dict[str, Any]:
    """Parameters for an op that rearranges or reduces."""
    if op == "transpose":
        return {"axes": tuple(reversed(range(x.ndim)))}
    if op == "reshape":
        return {"shape": draw(st.sampled_from(((x.size,), x.shape[::-1], (1, *x.shape))))}
    if op == "gather":
        return {"lead": draw(st.integers(0, x.ndim - 1))}
    if op in ("prod", "cumprod"):
        return {"reverse": draw(st.booleans())} if op == "cumprod" else {}
    if op == "slice":
        return {
            "index": tuple([(n - 1, -1, -1) if draw(st.booleans()) else draw(st.integers(0, n - 1)) for n in x.shape])
        }
    axis = draw(st.integers(0, x.ndim - 1))
    if op in REDUCING:
        axes = draw(st.sampled_from((tuple(range(x.ndim)), (axis,))))
        return {"axes": axes, "keepdims": draw(st.booleans())}
    return {"axis": axis, "reverse": draw(st.booleans())} if op == "cumsum" else {"axis": axis}
