"""The layout of steps that are drawn closed: one box across all lanes, which run into it and out of it."""

from __future__ import annotations

from collections.abc import Callable

from ..words import width
from .block import route
from .sizes import PILL_HEIGHT, TEXT
from .spot import Spot
from .stamp import Local, Stamp

LEAD = 34.0
BETWEEN = 30.0
AROUND = 24.0
NARROWEST = 62.0


def closed(local: Local, height: Callable[[str], float], pill: float) -> Stamp:
    """Return the stamp of a closed column; `height` tells that of a state's lane by the state's key."""
    key = next(key for key, box in local.boxes.items() if box.role == "closed")
    states = {name: height(name) for name, box in local.boxes.items() if box.role == "state"}
    entered = [height(source[1:]) for source, target, _ in local.edges if source[0] in "<>"]
    heights = [*states.values(), *entered] or [30.0]
    low, high = min(heights) - AROUND, max(heights) + AROUND
    tail = BETWEEN + pill + 6 if states else BETWEEN
    wide = max(NARROWEST, local.sizes[key][0], width(local.column.header, TEXT) + 8 - LEAD - tail)
    out = Stamp(LEAD + wide + tail)
    box = Spot(LEAD + wide / 2, (low + high) / 2, wide, max(high - low, PILL_HEIGHT + AROUND))
    out.spots[key] = box
    for state, y in states.items():
        out.spots[state] = Spot(out.width - 6 - pill / 2, y, pill, local.sizes[state][1])
    for edge in local.edges:
        source, target, _ = edge
        inward = source[0] in "<>"
        y = height(source[1:] if inward else target)
        out.routes[edge] = route(
            [(-6.0, y), (box.left, y)] if inward else [(box.right, y), (out.spots[target].left, y)]
        )
    out.spots = {name: out.spots[name] for name in local.boxes}
    return out
