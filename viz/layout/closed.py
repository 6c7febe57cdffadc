"""The layout of steps that are drawn closed: one box across all lanes, which run into it and out of it."""

from __future__ import annotations

from collections.abc import Callable

from ..words import width
from .block import route
from .sizes import PILL_HEIGHT, TEXT
from .spot import Spot
from .stamp import Local, Route, Stamp

LEAD = 34.0
BETWEEN = 30.0
AROUND = 24.0
NARROWEST = 62.0


def closed(local: Local, height: Callable[[str], float], pill: float, lead: float, channel: float) -> Stamp:
    """Return the stamp of a closed column; `height` tells that of a lane by the key of its state or bus.

    States stand `lead` before the right end of every column, buses in the middle of the last `channel`.
    """
    key = next(key for key, box in local.boxes.items() if box.role == "closed")
    states = {name: height(name) for name, box in local.boxes.items() if box.role == "state"}
    buses = {name for name, box in local.boxes.items() if box.role == "bus"}
    entered = [height(source[1:]) for source, target, _ in local.edges if source[0] in "<>" and target not in buses]
    heights = [*states.values(), *entered] or [30.0]
    low, high = min(heights) - AROUND, max(heights) + AROUND
    tail = BETWEEN + pill + lead if states else BETWEEN
    wide = max(NARROWEST, local.sizes[key][0], width(local.column.header, TEXT) + 8 - LEAD - tail)
    out = Stamp(LEAD + wide + tail)
    box = Spot(LEAD + wide / 2, (low + high) / 2, wide, max(high - low, PILL_HEIGHT + AROUND))
    out.spots[key] = box
    for state, y in states.items():
        out.spots[state] = Spot(out.width - lead - pill / 2, y, pill, local.sizes[state][1])
    for bus in buses:
        out.spots[bus] = Spot(out.width - channel / 2, height(bus), *local.sizes[bus])
    for edge in local.edges:
        source, target, _ = edge
        inward = source[0] in "<>"
        if target in buses:
            out.routes[edge] = _gathered(inward, box, out.spots[target], channel)
            continue
        y = height(source[1:] if inward else target)
        out.routes[edge] = route(
            [(-lead, y), (box.left, y)] if inward else [(box.right, y), (out.spots[target].left, y)]
        )
    out.spots = {name: out.spots[name] for name in local.boxes}
    return out


def _gathered(inward: bool, box: Spot, bus: Spot, channel: float) -> Route:
    """Return the route of a bus from the column before, or of what the closed steps give to it."""
    if inward:
        return route([(-channel / 2, bus.y), (bus.left, bus.y)])
    start, level = box.right - AROUND, (box.top + bus.bottom) / 2
    return route([(start, box.top), (start, level), (bus.x, level), (bus.x, bus.bottom)])
