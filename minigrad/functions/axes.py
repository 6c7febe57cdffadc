"""How the functions read what they are given: values that may be nodes or not, axes, shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..node import Node
from ..ops.core import Value

Axis = int | Sequence[int] | None
Sizes = int | Sequence[int]


def as_node(x: Value) -> Node:
    """x itself if it is a node, else a constant."""
    return x if isinstance(x, Node) else ops.constant(x)


def as_float(x: Value) -> Node:
    """x as a node of a float dtype: integers and booleans become float64."""
    x = as_node(x)
    return x if x.dtype.kind == "f" else ops.cast(x, dtype=np.dtype(float))


def normal_axes(axis: Axis, rank: int) -> tuple[int, ...]:
    """`axis` as ascending non-negative axes; None means all."""
    if axis is None:
        return tuple(range(rank))
    given = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    axes = sorted(normal_axis(a, rank) for a in given)
    if len(set(axes)) != len(axes):
        raise ValueError(f"an axis is given twice in {given}")
    return tuple(axes)


def normal_axis(axis: int, rank: int) -> int:
    """`axis` counted from the front."""
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for {rank} axes")
    return int(axis) % rank


def as_tuple(sizes: Any) -> tuple[int, ...]:
    """One size or several, as a tuple of integers."""
    return (int(sizes),) if isinstance(sizes, (int, np.integer)) else tuple(int(size) for size in sizes)
