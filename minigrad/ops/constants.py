"""Numbers and arrays among nodes: the dtype they take there, the constants they become, and which numbers are known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ..node import Node


def lift(values: Sequence[Any]) -> tuple[Node, ...]:
    """Numbers and arrays among nodes become constants. A Python number takes the dtype of the nodes beside it, as
    in NumPy: `x * 2.0` stays float32 where x is."""
    nodes = [value for value in values if isinstance(value, Node)]
    beside = result_type(*(node.dtype for node in nodes))
    return tuple([value if isinstance(value, Node) else constant_beside(value, beside) for value in values])


def constant_beside(value: Any, beside: np.dtype[Any]) -> Node:
    from .leaves import constant

    if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
        kind = "bool" if isinstance(value, bool) else "float" if isinstance(value, float) else "int"
        return constant(np.array(value, dtype=_dtype_beside(kind, beside)))
    return constant(value)


@cache
def _dtype_beside(kind: str, beside: np.dtype[Any]) -> np.dtype[Any]:
    return np.result_type(beside, {"bool": False, "int": 0, "float": 0.0}[kind])


@cache
def result_type(*dtypes: np.dtype[Any]) -> np.dtype[Any]:
    """NumPy's promotion of real dtypes."""
    return np.result_type(*dtypes)


def known(value: Any) -> float | None:
    """The number that `value` always is: a Python number, or a constant node of one element. Else None."""
    if isinstance(value, Node):
        return float(value._value.item()) if value.op.name == "constant" and value._value.size == 1 else None
    return float(value) if isinstance(value, (int, float)) else None
