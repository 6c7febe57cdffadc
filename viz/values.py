"""What stands in the boxes of a graph without time: names, and below them values and derivatives, or shapes."""

from __future__ import annotations

import numpy as np

from minigrad import Node, Run

from . import words
from .groups import Group
from .labels import extent, name_of, short
from .measure import Sweep
from .words import Rich


def finite(node: Node, run: Run | None) -> bool:
    """Tell whether the value of `node` is known to hold neither NaN nor infinity."""
    return run is None or node.dtype.kind != "f" or bool(np.isfinite(run[node]).all())


def without_time(group: Group, run: Run | None, sweep: Sweep | None) -> tuple[Rich, Rich]:
    """Return the label of a box, and below it value and derivative of a scalar, or the shape of an array."""
    node = group.members[-1]
    label = name_of(node.name) if group.role == "input" and node.name else group.label
    value = None if run is None else run[node]
    if node.shape or value is None:
        return label, (words.Run(extent(node.shape) + ("" if finite(node, run) else ", not finite")),)
    said = short(float(value))
    if sweep is not None and node in sweep.adjoints:
        said += f", ∂ {short(float(sweep.adjoints[node]))}"
    return label, (words.Run(said),)
