"""A gated unit with one state: its lane is scaled by one gate and added to, as in the GRU.

The state runs across the top, where a bus hands it to the cell; the update gate stands under the product it makes, the
new content rises in one track at the right. Whether the reset gate acts after or before the product with the recurrent
weights is read from what the reset product feeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .block import INSIDE, Block, Inside, Measure, NotACell, route
from .plan import carries
from .routes import Point
from .sizes import chip_row
from .spot import Spot

TOP = 36.0
PORT = 9.0
GAP = 10.0
BUS = 14.0
SKIP = 20.0
LEADING = 10.0


def _only(found: Sequence[str]) -> str:
    if len(found) != 1:
        raise NotACell
    return found[0]


class Gated:
    """Which box plays which part; raises NotACell if any is missing or one is left over."""

    levels = 0

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.state = _only(inside.states)
        found = carries(inside)
        if self.state not in found or len(found[self.state]) != 3:
            raise NotACell
        self.fork, self.carry, self.plus = found[self.state]
        inputs, bar = inside.inputs, inside.bar
        self.fresh = _only([k for k in inputs[self.plus] if k != self.carry])
        self.update = _only([k for k in inputs[self.carry] if k != self.fork])
        self.rest = _only([k for k in inputs[self.fresh] if inputs.get(k) == [self.update]])
        self.new = _only([k for k in inputs[self.fresh] if k != self.rest])
        self.sum = _only(inputs[self.new])
        self.recall = _only([k for k in inputs[self.sum] if k != bar])
        self.after = self.fork not in inputs[self.recall]
        self.reset = _only([k for k in inputs[self.recall] if k not in (bar, self.fork)])
        parts = {self.fork, self.carry, self.plus, self.fresh, self.update, self.rest, self.new, self.sum}
        if parts | {self.recall, self.reset, bar} != set(inside.keys):
            raise NotACell

    def _tracks(self) -> dict[str, float]:
        """Return the middles of the four tracks and, last, where the widest of bar and tracks ends."""
        size = self.inside.sizes
        update = max(size[self.update][0], 2 * PORT + 22)
        wide = {
            "update": update,
            "reset": size[self.reset][0],
            "rest": size[self.rest][0],
            "new": max(size[self.new][0], size[self.sum][0]),
        }
        if self.after:
            wide["reset"] = wide["rest"] = max(wide["reset"], wide["rest"])
            order = ["update", "reset", "new"]
        else:
            order = ["reset", "update", "rest", "new"]
        left = BUS + GAP + 2 + (LEADING if self.after else 0.0)
        skip = SKIP if self.after else 0.0
        need = sum(wide[name] for name in order) + GAP * (len(order) - 1) + skip
        spare = max(0.0, size[self.inside.bar][0] - need) / len(order)
        found = {}
        for name in order:
            found[name] = left + (wide[name] + spare) / 2
            left += wide[name] + spare + GAP
        found.setdefault("rest", found["reset"])
        found["end"] = left - GAP + skip
        return found

    def width(self) -> float:
        """The width the frame needs."""
        return self._tracks()["end"] + INSIDE + 4

    def block(self, measure: Measure) -> Block:
        """Return the cell with coordinates."""
        inside, x = self.inside, self._tracks()
        fresh, new = TOP + 56.0, TOP + 112.0
        middle = new + 56.0
        gates = middle + 54.0
        bar = gates + 62.0
        out = Block(Spot(measure.frame / 2, (bar + 32.0) / 2, measure.frame, bar + 32.0), inside.bar)
        reach = x["reset"] + 2 if not self.after else BUS + 2
        rows = {
            self.carry: (x["update"] - PORT, TOP),
            self.plus: (x["new"], TOP),
            self.fresh: (x["new"], fresh),
            self.rest: (x["rest"], fresh),
            self.new: (x["new"], new),
            self.sum: (x["new"], middle),
            self.update: (x["update"], gates),
            self.reset: (x["reset"], gates),
            self.recall: (x["new"], gates) if self.after else (x["reset"], middle),
        }
        out.spots = {key: Spot(*at, *inside.sizes[key]) for key, at in rows.items()}
        out.spots[self.fork] = Spot((BUS - 2 + reach) / 2, TOP, reach - BUS + 2, inside.sizes[self.fork][1])
        start = BUS + GAP + 2 + (LEADING if self.after else 0.0)
        out.spots[inside.bar] = Spot((start + x["end"]) / 2, bar, x["end"] - start, inside.sizes[inside.bar][1])
        out.chips[inside.bar] = chip_row(inside.boxes[inside.bar], out.spots[inside.bar])
        if inside.boxes[self.sum].tags:
            out.chips[self.sum] = chip_row(inside.boxes[self.sum], out.spots[self.sum])
        pill = measure.frame + 6 + measure.pill / 2
        out.spots[self.state] = Spot(pill, TOP, measure.pill, inside.sizes[self.state][1])
        out.lanes[self.state], out.under = TOP, frozenset({self.state})
        paths = self._paths(out.spots, x, measure.lead)
        for name, pair in inside.edges.items():
            if pair not in paths:
                raise NotACell
            hops = [middle] if pair in ((self.update, self.carry), (self.update, self.rest)) and not self.after else []
            # Between two cells it returns below the lane: above it comes what leaves the state for other boxes.
            out.routes[name] = route(paths[pair], -1 if pair[1] == self.fork else 1, hops)
        return out

    def _paths(self, at: Mapping[str, Spot], x: Mapping[str, float], lead: float) -> dict[tuple[str, str], list[Point]]:
        """Return the corners of every edge there may be."""
        bar = self.inside.bar

        def level(a: str, b: str) -> list[Point]:
            return [(at[a].right, at[b].y), (at[b].left, at[b].y)]

        def up(a: str, b: str, x: float) -> list[Point]:
            return [(x, at[a].top), (x, at[b].bottom)]

        across = x["update"] + PORT
        found = {
            ("<" + self.state, self.fork): [(-lead, TOP), (at[self.fork].left, TOP)],
            (self.fork, bar): [(BUS, TOP), (BUS, at[bar].y), (at[bar].left, at[bar].y)],
            (self.update, self.rest): [
                (across, at[self.update].top),
                (across, at[self.rest].y),
                (at[self.rest].left, at[self.rest].y),
            ],
            (self.update, self.carry): up(self.update, self.carry, x["update"] - PORT),
        }
        for a, b in (
            (self.fork, self.carry),
            (self.carry, self.plus),
            (self.plus, self.state),
            (self.rest, self.fresh),
        ):
            found[a, b] = level(a, b)
        for a, b in ((self.fresh, self.plus), (self.new, self.fresh), (self.sum, self.new)):
            found[a, b] = up(a, b, x["new"])
        for gate in (self.update, self.reset):
            found[bar, gate] = up(bar, gate, at[gate].x)
        if self.after:
            side = x["end"] - SKIP / 2
            found[bar, self.recall] = up(bar, self.recall, x["new"])
            found[self.recall, self.sum] = up(self.recall, self.sum, x["new"])
            found[self.reset, self.recall] = level(self.reset, self.recall)
            found[bar, self.sum] = [(side, at[bar].top), (side, at[self.sum].y), (at[self.sum].right, at[self.sum].y)]
        else:
            found[bar, self.sum] = up(bar, self.sum, x["new"])
            found[self.reset, self.recall] = up(self.reset, self.recall, x["reset"])
            found[self.recall, self.sum] = level(self.recall, self.sum)
            found[self.fork, self.recall] = [(x["reset"], TOP), (x["reset"], at[self.recall].top)]
        return found
