"""The errors of this package, and how their messages speak of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .node import Node, describe


class ShapeError(ValueError):
    """Arguments whose shapes do not fit together."""


class DtypeError(TypeError):
    """A dtype that the operation, or differentiation, has no meaning for."""


class GradientError(ValueError):
    """A derivative that does not exist as asked: not a scalar, not reachable, not a float."""


class FeedError(ValueError):
    """An input without a value, or a value that does not fit its input."""


def listing(values: Sequence[Any]) -> str:
    """`a = h (train.py:12, lstm t=3) with shape (4, 8), b = ...`: the operands of a failed operation."""
    parts = []
    for letter, value in zip("abcdefghijklmnopqrstuvwxyz", values, strict=False):
        what = describe(value) if isinstance(value, Node) else "an array"
        shape = value.shape if isinstance(value, Node) else np.shape(value)
        parts.append(f"{letter} = {what} with shape {shape}")
    return ", ".join(parts)
