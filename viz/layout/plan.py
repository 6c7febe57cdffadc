"""A cell as a lecturer draws it, read from how its boxes hang together, not from names.

The lanes that a step only scales and adds to (the cell state of an LSTM) run straight across the
top. What multiplies or adds hangs below its place on such a lane, gates in one row under it, and
under the gates the affine map that feeds them, at the height of the lane that enters it (the
hidden state). A cell without such a lane is drawn in a line.
"""

from __future__ import annotations

from .block import INSIDE, Block, Inside, Measure, NotACell, route
from .routes import Point
from .sizes import block_size, chip_block, chip_row
from .spot import Spot
from .stamp import Route

TRACK_GAP = 7.0
LEVEL = 54.0
APART = 28.0
LANE = 64.0


def carries(inside: Inside) -> dict[str, list[str]]:
    """Return, for every state reached from the step before by scaling and adding, that path."""
    found = {}
    for state in inside.states:
        paths = [[user] for user in inside.users.get("<" + state, [])]
        while paths:
            path = paths.pop(0)
            if path[-1] == state:
                found[state] = path[:-1]
                break
            if inside.boxes[path[-1]].role in ("pointwise", "junction"):
                paths += [[*path, user] for user in inside.users[path[-1]]]
    return found


class Line:
    """A cell whose boxes follow each other along the hidden lane."""

    levels = 0

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.chain = [inside.bar]
        while inside.users[self.chain[-1]] != inside.states:
            if len(inside.users[self.chain[-1]]) != 1:
                raise NotACell
            self.chain += inside.users[self.chain[-1]]
        if set(self.chain) != set(inside.keys) or len(inside.states) != 1:
            raise NotACell

    def _sizes(self) -> list[tuple[float, float]]:
        boxes = self.inside.boxes
        return [block_size(boxes[key]) if boxes[key].tags else self.inside.sizes[key] for key in self.chain]

    def width(self) -> float:
        """The width the frame needs."""
        return INSIDE + sum(wide + APART for wide, _ in self._sizes()) - APART + 2 * INSIDE

    def block(self, measure: Measure) -> Block:
        """Return the cell with coordinates."""
        out = Block(Spot(measure.frame / 2, (LANE + 48.0) / 2, measure.frame, LANE + 48.0), self.inside.bar)
        x = INSIDE
        for key, (wide, high) in zip(self.chain, self._sizes(), strict=True):
            out.spots[key] = Spot(x + wide / 2, LANE, wide, high)
            if self.inside.boxes[key].tags:
                out.chips[key] = chip_block(self.inside.boxes[key], out.spots[key])
            x += wide + APART
        (state,) = self.inside.states
        out.lanes[state], out.under = LANE, frozenset({state})
        out.spots[state] = Spot(measure.frame + 6 + measure.pill / 2, LANE, measure.pill, self.inside.sizes[state][1])
        for name, (source, target) in self.inside.edges.items():
            start = -measure.lead if source[0] == "<" else out.spots[source].right
            out.routes[name] = route([(start, LANE), (out.spots[target].left, LANE)], side=-1)
        return out


class Hung:
    """A cell whose gates hang below a carry lane: which box stands left of which, and above which."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.carry = carries(inside)
        self.hidden = [key for key in inside.states if key not in self.carry]
        if len(self.carry) != 1 or len(self.hidden) != 1:
            raise NotACell
        if any(len(users) != 1 for key, users in inside.users.items() if key[0] == "<"):
            raise NotACell
        (self.lane,) = self.carry.values()
        self.track: dict[str, int] = {}
        self.level: dict[str, int] = {}
        self._hang()

    def _below(self, key: str) -> list[str]:
        skip = {self.inside.bar, *self.lane, *self.fed}
        return [k for k in self.inside.inputs[key] if k not in skip and k[0] != "<"]

    def _hang(self) -> None:
        inside, lane = self.inside, self.lane
        self.fed = [k for k in inside.keys if set(inside.inputs[k]) <= set(lane) and k not in (*lane, inside.bar)]
        self.tracks = 0
        ends = [key for state in self.hidden for key in inside.inputs[state]]
        for root in (*lane, *ends):
            self._climb(root)
        for key in self.fed:
            user = inside.users[key][0]
            if user not in self.track:
                raise NotACell
            self.track[key], self.level[key] = self.track[user], self.level[user] + 1
        self.levels = 1 + max(self.level.values(), default=0)
        for key in lane:
            self.level[key] = self.levels
            if key not in self.track:
                hanging = [k for k in inside.users[key] if k in self.fed]
                if not hanging:
                    raise NotACell
                self.track[key] = self.track[hanging[0]]
        order = [self.track[key] for key in lane]
        if order != sorted(set(order)) or set(self.track) | {inside.bar} != set(inside.keys):
            raise NotACell

    def _climb(self, root: str) -> None:
        """Give everything under `root` a track and a level, gates first."""
        stack = [root]
        while stack:
            key = stack[-1]
            below = self._below(key)
            waiting = [k for k in below if k not in self.track]
            if waiting:
                if waiting[0] in stack:
                    raise NotACell
                stack.append(waiting[0])
                continue
            stack.pop()
            if key in self.track:
                continue
            if below:
                self.track[key] = self.track[below[0]]
                self.level[key] = 1 + max(self.level[k] for k in below)
            elif key not in self.lane:
                self.track[key], self.level[key] = self.tracks, 0
                self.tracks += 1

    def _tracks(self) -> list[float]:
        wide = [0.0] * self.tracks
        for key, track in self.track.items():
            if key not in self.fed:  # those hang above everything else in their track, with free room beside them
                wide[track] = max(wide[track], self.inside.sizes[key][0])
        need = sum(wide) + TRACK_GAP * (self.tracks - 1)
        spare = max(0.0, self.inside.sizes[self.inside.bar][0] - need) / self.tracks
        return [one + spare for one in wide]

    def width(self) -> float:
        """The width the frame needs."""
        return INSIDE + sum(self._tracks()) + TRACK_GAP * (self.tracks - 1) + 18.0

    def block(self, measure: Measure) -> Block:
        """Return the cell with coordinates."""
        inside, carry = self.inside, 36.0
        gates = carry + LEVEL * measure.levels
        lane = gates + 78.0
        out = Block(Spot(measure.frame / 2, (lane + 32.0) / 2, measure.frame, lane + 32.0), inside.bar)
        left, centre = INSIDE, []
        for wide in self._tracks():
            centre.append(left + wide / 2)
            left += wide + TRACK_GAP
        end = left - TRACK_GAP
        out.spots[inside.bar] = bar = Spot((INSIDE + end) / 2, lane, end - INSIDE, inside.sizes[inside.bar][1])
        out.chips[inside.bar] = chip_row(inside.boxes[inside.bar], bar)
        for key, track in self.track.items():
            lift = (gates - carry) * self.level[key] / self.levels
            out.spots[key] = Spot(centre[track], gates - lift, *inside.sizes[key])
        out.under = frozenset(self.hidden)
        for state in inside.states:
            y = out.lanes[state] = carry if state in self.carry else lane
            pill = measure.frame + 6 + measure.pill / 2
            out.spots[state] = Spot(pill, y, measure.pill, inside.sizes[state][1])
        for name, (source, target) in inside.edges.items():
            out.routes[name] = self._route(out, source, target, end + 7, measure.lead)
        return out

    def _route(self, out: Block, source: str, target: str, descent: float, lead: float) -> Route:
        """Return how one edge runs, by where its two ends stand."""
        end = out.spots[target]
        if source[0] == "<":
            return route([(-lead, end.y), (end.left, end.y)], side=1 if target in self.track else -1)
        start = out.spots[source]
        if start.y == end.y:
            return route([(start.right, start.y), (end.left, end.y)])
        if target in self.inside.states:
            return route([(start.right, start.y), (descent, start.y), (descent, end.y), (end.left, end.y)])
        if source == self.inside.bar:
            return route([(end.x, start.top), (end.x, end.bottom)])
        if start.x == end.x:
            first, last = (start.top, end.bottom) if start.y > end.y else (start.bottom, end.top)
            return route([(start.x, first), (start.x, last)])
        near: Point = (end.right if start.x > end.x else end.left, end.y)
        return route([(start.x, start.top), (start.x, end.y), near])
