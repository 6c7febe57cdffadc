"""What many steps folded onto one are called, and the span of their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minigrad import Node

from .scene import Box, Mark
from .words import Rich, Run, number, one_line, percent, plain


def carried(found: Mark) -> float:
    """Return the number on an edge of one step: its share where there is one, or the norm."""
    return found.norm if found.share is None else found.share


def any_name(box: Box, label: Rich, nodes: Mapping[int, Node]) -> str:
    """Return what `box` is called at any step."""
    named = next(iter(nodes.values())).name
    return f"{one_line(named, 8)}_t" if named and box.role not in ("state", "input") else plain(label)


def general(label: Rich, t: int, step: str = "t") -> Rich:
    """Return `label`, made for step `t`, for any `step`."""
    return tuple(Run(step, "sub") if run == Run(str(t + 1), "sub") else run for run in label)


def span(times: Sequence[int]) -> str:
    """Return the steps as they are printed: `t = 1 … 4`."""
    low, high = min(times) + 1, max(times) + 1
    return f"t = {low}" if low == high else f"t = {low} … {high}"


def extremes(sizes: Mapping[int, float], shares: bool = False) -> str:
    """Return the smallest and the largest of the sizes by step."""
    said = percent if shares else number
    if not sizes:
        return "unknown"
    low, high = min(sizes, key=lambda t: sizes[t]), max(sizes, key=lambda t: sizes[t])
    if sizes[low] == sizes[high]:
        return said(sizes[low], 3)
    return f"{said(sizes[low], 3)} (t = {low + 1}) to {said(sizes[high], 3)} (t = {high + 1})"
