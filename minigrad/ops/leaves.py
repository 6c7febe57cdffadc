"""The leaves of every graph: inputs, parameters and constants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..errors import DtypeError
from ..node import Array, Node, Parameter, Shape, make, make_holder
from .core import Op


class Leaf(Op):
    """An op without arguments; the interpreter looks its value up instead of computing it."""

    def __init__(self, name: str, latex: str, doc: str) -> None:
        self.name = name
        self.latex = latex
        self.__doc__ = doc
        super().__init__()


input_op = Leaf("input", r"\text{input}", "A value that is fed when the graph is evaluated.")
parameter_op = Leaf("parameter", r"\text{parameter}", "A value that the leaf holds and `assign` replaces.")
constant_op = Leaf("constant", r"\text{constant}", "A value that never changes.")


def input(shape: int | Shape, dtype: DTypeLike = float, name: str | None = None) -> Node:
    """An unknown of the given shape, fed when the graph is evaluated.

    >>> import minigrad as mg
    >>> x = mg.input((2, 3), name="x")
    >>> x.shape, x.dtype
    ((2, 3), dtype('float64'))
    """
    sizes = (shape,) if isinstance(shape, int) else tuple(int(size) for size in shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"input: a shape has sizes of 0 or more, got {sizes}")
    node = make(input_op, (), {}, sizes, _real(np.dtype(dtype), "input"))
    return node if name is None else node.named(name)


def parameter(value: ArrayLike, name: str | None = None) -> Parameter:
    """A leaf that holds a copy of `value`; read when the graph is evaluated, replaced by `assign`.

    >>> import minigrad as mg
    >>> w = mg.parameter([[1.0, 2.0]], name="w")
    >>> (w * 3).eval()
    array([[3., 6.]])
    """
    node: Parameter = make_holder(Parameter, parameter_op, _frozen(value, "parameter"))
    if name is not None:
        node.named(name)
    return node


def constant(value: ArrayLike) -> Node:
    """A leaf whose value is part of the graph; a copy of `value` is kept.

    >>> import minigrad as mg
    >>> mg.constant([1, 2]).eval()
    array([1, 2])
    """
    return make_holder(Node, constant_op, _frozen(value, "constant"))


def _frozen(value: Any, what: str) -> Array:
    if isinstance(value, Node):
        raise TypeError(f"{what}: expects numbers, got the node {value!r}; use the node itself")
    array = np.array(value)
    _real(array.dtype, what)
    array.flags.writeable = False
    return array


def _real(dtype: np.dtype[Any], what: str) -> np.dtype[Any]:
    if dtype.kind not in "fiub":
        raise DtypeError(f"{what}: expects real numbers or booleans, got dtype {dtype}")
    return dtype
