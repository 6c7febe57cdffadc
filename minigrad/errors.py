"""The errors of this package, and how their messages speak of nodes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .node import Node, Shape, describe
from .origin import here


class ShapeError(ValueError):
    """Arguments whose shapes do not fit together."""


class DtypeError(TypeError):
    """A dtype that the operation, or differentiation, has no meaning for."""


class GradientError(ValueError):
    """A derivative that does not exist as asked: not a scalar, not reachable, not a float."""


class BroadcastWarning(UserWarning):
    """Both operands grew under broadcasting, and they differ in rank: (N,) with (N, 1) gives (N, N).

    Turn it into an error with `warnings.simplefilter("error", mg.BroadcastWarning)`.
    """


class FeedError(ValueError):
    """An input without a value, or a value that does not fit its input."""


class StorageError(ValueError):
    """A file that does not hold a graph, or no longer does."""


class Misuse(Exception):
    """Wrong use of the console command, said in one sentence."""


def listing(values: Sequence[Any]) -> str:
    """`a = h (train.py:12, lstm t=3) with shape (4, 8), b = ...`: the operands of a failed operation."""
    parts = []
    for letter, value in zip("abcdefghijklmnopqrstuvwxyz", values, strict=False):
        what = describe(value) if isinstance(value, Node) else "an array"
        shape = value.shape if isinstance(value, Node) else np.shape(value)
        parts.append(f"{letter} = {what} with shape {shape}")
    return ", ".join(parts)


def warn_of_broadcast(name: str, nodes: Sequence[Node], shape: Shape) -> None:
    """Say that broadcasting made every operand larger."""
    path, line = here()
    warnings.warn_explicit(
        f"{name}: both operands grow to {shape} under broadcasting; {listing(nodes)}. "
        "Give them the same number of axes if that is meant, say x[None, :] and y",
        BroadcastWarning,
        path,
        line,
    )
