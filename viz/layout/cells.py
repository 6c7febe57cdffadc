"""Layout of a recurrent cell as a lecturer draws it.

The lanes that a step only scales and adds to (the cell state of an LSTM) run straight across the
top. What multiplies or adds hangs below its place on such a lane, gates in one row under it, and
under the gates the affine map that feeds them, at the height of the lane that enters it (the
hidden state). A cell without such a lane is drawn in a line. Which lanes are which is read from
the edges that run from step to step, not from names.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ..scene import Scene
from ..words import width
from .routes import Arrow, Point, arrow, beside, hopped, passed, shortened
from .sizes import (
    BESIDE,
    NOTE,
    TEXT,
    block_size,
    box_size,
    chip_block,
    chip_row,
)
from .spot import Spot
from .stamp import Body, Local, Route, Stamp, Word, locals_of, press

MARGIN = 5.0
INSIDE = 8.0
TRACK_GAP = 7.0
LEVEL = 54.0
RISER = 25.0
BESIDE_RISER = 6.5
STOREY = 58.0
APART = 28.0
GAP_WORDS = 26.0


class NotACell(Exception):
    """The step has a shape this layout does not know; the layered layout takes it."""


@dataclass(slots=True)
class Frame:
    """Heights and widths all columns of a figure share."""

    pill: float
    top: float
    carry: float
    gates: float
    lane: float
    bottom: float
    inputs: float
    height: float
    carries: frozenset[str]

    @property
    def tail(self) -> float:
        """Distance from a state's centre to the right end of its column."""
        return self.pill / 2 + RISER + BESIDE_RISER


def arrange(scene: Scene) -> Body:
    """Return the columns of a cell-level `scene` with their coordinates."""
    columns = locals_of(scene)
    plans = {local.signature(): Plan(local) for local in columns if local.column.kind == "step"}
    frame = _frame(scene, list(plans.values()))
    body, stamps = Body(height=frame.height), {}
    for local in columns:
        signature = local.signature()
        if signature not in stamps:
            plan = plans.get(signature)
            other = _end_column if local.column.kind == "end" else _edge_column
            stamps[signature] = Step(plan, frame).stamp() if plan else other(local, frame)
        stamp = stamps[signature]
        body.bands.append((local.column, Spot(body.width + stamp.width / 2, 0, stamp.width, 0)))
        press(body, local, stamp)
    return body


class Plan:
    """Tracks and levels of one step: which box stands left of which, and above which."""

    def __init__(self, local: Local) -> None:
        self.local = local
        self.inputs: dict[str, list[str]] = {key: [] for key in local.boxes}
        self.users: dict[str, list[str]] = {key: [] for key in local.boxes}
        for source, target, _ in local.edges:
            self.inputs[target].append(source)
            self.users.setdefault(source, []).append(target)
        self.states = [key for key, box in local.boxes.items() if box.role == "state"]
        self.inside = [key for key, box in local.boxes.items() if box.cell]
        affine = [key for key in self.inside if local.boxes[key].role == "affine"]
        if len(affine) != 1 or len(local.cells) != 1:
            raise NotACell
        self.bar = affine[0]
        self.given = [key for key, box in local.boxes.items() if box.role == "input"]
        self.above = [key for key, box in local.boxes.items() if not box.cell and box.role in ("output", "loss")]
        self.carry = self._carries()
        self.hidden = [key for key in self.states if key not in self.carry]
        self.track: dict[str, int] = {}
        self.level: dict[str, int] = {}
        self._check()
        self.inline = not self.carry
        if self.inline:
            self._line()
        else:
            self._hang()

    def _check(self) -> None:
        known = {self.bar, *self.inside, *self.states, *self.given, *self.above}
        entered = [key for key in self.users if key.startswith("<")]
        if (
            known != set(self.local.boxes)
            or len(self.carry) > 1
            or len(self.hidden) != 1
            or len(self.given) > 1
            or any(len(self.users[key]) != 1 for key in entered)
        ):
            raise NotACell

    def _carries(self) -> dict[str, list[str]]:
        """Return, for every state reached from the step before by scaling and adding, that path."""
        found = {}
        for state in self.states:
            paths = [[user] for user in self.users.get("<" + state, [])]
            while paths:
                path = paths.pop(0)
                if path[-1] == state:
                    found[state] = path[:-1]
                    break
                if self.local.boxes[path[-1]].role in ("pointwise", "junction"):
                    paths += [[*path, user] for user in self.users[path[-1]]]
        return found

    def _line(self) -> None:
        place, at = 0, self.bar
        while at not in self.states:
            self.track[at], self.level[at] = place, 0
            if len(self.users[at]) != 1:
                raise NotACell
            place, at = place + 1, self.users[at][0]
        if set(self.track) != set(self.inside):
            raise NotACell

    def _hang(self) -> None:
        lane = next(iter(self.carry.values()))
        self.lane = lane
        self.fed = fed = [k for k in self.inside if set(self.inputs[k]) <= set(lane) and k not in lane]
        tracks = 0

        def below(key: str) -> list[str]:
            skip = {self.bar, *lane, *fed}
            return [k for k in self.inputs[key] if k not in skip and not k.startswith("<")]

        ends = [key for state in self.hidden for key in self.inputs[state]]
        for root in [*lane, *ends]:
            stack = [root]
            while stack:
                key = stack[-1]
                waiting = [k for k in below(key) if k not in self.track]
                if waiting:
                    stack.append(waiting[0])
                    continue
                stack.pop()
                if key in self.track:
                    continue
                if below(key):
                    first = below(key)[0]
                    self.track[key] = self.track[first]
                    self.level[key] = 1 + max(self.level[k] for k in below(key))
                elif key not in lane:
                    self.track[key], self.level[key] = tracks, 0
                    tracks += 1
        for key in fed:
            user = self.users[key][0]
            self.track[key], self.level[key] = self.track[user], self.level[user] + 1
        top = 1 + max(self.level.values())
        for key in lane:
            self.level[key] = top
            if key not in self.track:
                hanging = [k for k in self.users[key] if k in fed]
                if not hanging:
                    raise NotACell
                self.track[key] = self.track[hanging[0]]
        self.tracks, self.top = tracks, top
        order = [self.track[key] for key in lane]
        if order != sorted(set(order)) or set(self.track) | {self.bar} != set(self.inside):
            raise NotACell


def _frame(scene: Scene, plans: Sequence[Plan]) -> Frame:
    """Return the heights that fit every step of the figure."""
    pill = max((box_size(box)[0] for box in scene.boxes if box.role == "state"), default=40.0)
    above = [len(plan.above) for plan in plans]
    top = 20.0 + STOREY * max(above, default=0) + (10.0 if any(above) else 0.0)
    if all(plan.inline for plan in plans):
        carry = gates = lane = top + 64.0
        bottom = lane + 48.0
    else:
        carry = top + 36.0
        gates = carry + LEVEL * max(plan.top for plan in plans if not plan.inline)
        lane = gates + 78.0
        bottom = lane + 32.0
    inputs = bottom + 50.0 if any(plan.given for plan in plans) else bottom
    carries = frozenset(state for plan in plans for state in plan.carry)
    return Frame(pill, top, carry, gates, lane, bottom, inputs, inputs + 56.0, carries)


class Step:
    """Coordinates of one planned step."""

    def __init__(self, plan: Plan, frame: Frame) -> None:
        self.plan, self.frame = plan, frame
        self.boxes, self.sizes = plan.local.boxes, plan.local.sizes
        self.out = Stamp(0.0)
        self.spots = self.out.spots

    def stamp(self) -> Stamp:
        """Return the finished stamp."""
        right = self._line() if self.plan.inline else self._gated()
        (cell,) = self.plan.local.cells
        self.cell_right = right
        frame = self.frame
        middle, height = (frame.top + frame.bottom) / 2, frame.bottom - frame.top
        self.out.frames[cell] = Spot((MARGIN + right) / 2, middle, right - MARGIN, height)
        pill = right + 6 + frame.pill / 2
        self.out.width = pill + frame.tail
        for key in self.plan.states:
            y = frame.carry if key in self.plan.carry else frame.lane
            self.spots[key] = Spot(pill, y, frame.pill, self.sizes[key][1])
        self.riser = self.out.width - BESIDE_RISER
        self._around()
        for key, box in self.boxes.items():
            if box.tags and key not in self.out.chips:
                self.out.chips[key] = chip_row(box, self.spots[key])
        for name in self.plan.local.edges:
            self.out.routes[name] = self._route(*name[:2])
        return self.out

    def _line(self) -> float:
        """Place a cell whose boxes follow each other along the hidden lane."""
        x = MARGIN + INSIDE
        for key in sorted(self.plan.track, key=self.plan.track.__getitem__):
            box = self.boxes[key]
            wide, high = block_size(box) if box.tags else self.sizes[key]
            self.spots[key] = Spot(x + wide / 2, self.frame.lane, wide, high)
            if box.tags:
                self.out.chips[key] = chip_block(box, self.spots[key])
            x += wide + APART
        return x - APART + 2 * INSIDE

    def _gated(self) -> float:
        """Place a cell whose gates hang below a carry lane."""
        plan = self.plan
        wide = dict.fromkeys(range(plan.tracks), 0.0)
        for key, track in plan.track.items():
            if key in plan.fed:
                continue  # hangs above everything else in its track, with free room beside it
            wide[track] = max(wide[track], self.sizes[key][0])
        bar = self.sizes[plan.bar]
        need = sum(wide.values()) + TRACK_GAP * (plan.tracks - 1)
        spare = max(0.0, bar[0] - need) / plan.tracks
        left, centre = MARGIN + INSIDE, {}
        start = left
        for track in range(plan.tracks):
            centre[track] = left + (wide[track] + spare) / 2
            left += wide[track] + spare + TRACK_GAP
        end = left - TRACK_GAP
        self.spots[plan.bar] = Spot((start + end) / 2, self.frame.lane, end - start, bar[1])
        for key, track in plan.track.items():
            level = plan.level[key]
            lift = (self.frame.gates - self.frame.carry) * level / plan.top
            self.spots[key] = Spot(centre[track], self.frame.gates - lift, *self.sizes[key])
        self.descent = end + 7
        return self.descent + 11

    def _around(self) -> None:
        """Place what stands below and above the cell."""
        for key in self.plan.given:
            tags = self.boxes[self.plan.bar].tags
            chips = self.out.chips.get(self.plan.bar) or chip_row(self.boxes[self.plan.bar], self.spots[self.plan.bar])
            weight = next((spot for tag, spot in zip(tags, chips, strict=True) if tag.operand == key), None)
            x = weight.x if weight else self.spots[self.plan.bar].x
            self.spots[key] = Spot(x, self.frame.inputs, *self.sizes[key])
        y = self.frame.top - 40
        wide = max((self.sizes[key][0] for key in self.plan.above), default=0.0)
        for key in self.plan.above:
            box = self.boxes[key]
            self.spots[key] = spot = Spot(self.riser + 6 - wide / 2, y, *box_size(box))
            if box.note:
                word = Word((), spot.left - 8, y + NOTE * 0.35, NOTE, "end", "note")
                self.out.words[key] = [word]
            y -= STOREY

    def _route(self, source: str, target: str) -> Route:
        """Return how one edge runs, by where its two ends stand."""
        end = self.spots[target]
        if source.startswith("<"):
            return route(
                [(-self.frame.tail + self.frame.pill / 2, end.y), (end.left, end.y)],
                side=1 if target in self.plan.track and not self.plan.inline else -1,
            )
        start = self.spots[source]
        if source in self.plan.states:
            corners = [(start.right, start.y), (self.riser, start.y), (self.riser, end.bottom)]
            over = [self.frame.carry] if self.plan.local.onward & set(self.plan.carry) else []
            return route(corners, over=over)
        if start.y == end.y:
            side = -1 if self.plan.inline else 1
            return route([(start.right, start.y), (end.left, end.y)], side=side)
        if target in self.plan.states:
            x = self.descent
            corners = [(start.right, start.y), (x, start.y), (x, end.y), (end.left, end.y)]
            return route(corners)
        if source == self.plan.bar or source in self.plan.given:
            upright = end.x if source == self.plan.bar else start.x
            return route([(upright, start.top), (upright, end.bottom)])
        if start.x == end.x or source in self.plan.above:
            below = start.y > end.y
            first, last = (start.top, end.bottom) if below else (start.bottom, end.top)
            return route([(start.x, first), (start.x, last)])
        near = end.right if start.x > end.x else end.left
        return route([(start.x, start.top), (start.x, end.y), (near, end.y)])


def route(corners: Sequence[Point], side: int = 1, over: Sequence[float] = ()) -> Route:
    """Return the forward edge through `corners` and its gradient beside it."""
    forward = arrow(corners, 7.0)
    if over:
        cut = [*corners[:-1], forward.path.end]
        forward = Arrow(hopped(cut, over), forward.head)
    back = arrow(shortened(beside(corners, side * BESIDE)[::-1], 2.0, 2.5))
    return Route(forward, back, passed(back.path, over))


def _end_column(local: Local, frame: Frame) -> Stamp:
    """Return the stamp of what follows the last step: a chain along the lane it takes up."""
    keys = list(local.boxes)
    chain = [name[:2] for name in local.edges]
    entered = [target for source, target in chain if source.startswith("<")]
    inner = [(source, target) for source, target in chain if not source.startswith("<")]
    if entered != keys[:1] or inner != list(itertools.pairwise(keys)):
        raise NotACell
    lane = next(source[1:] for source, _ in chain if source.startswith("<"))
    y = frame.carry if lane in frame.carries else frame.lane
    stamp, x = Stamp(0.0), 28.0
    for key, box in local.boxes.items():
        wide, high = local.sizes[key]
        stamp.spots[key] = Spot(x + wide / 2, y, wide, high)
        if box.tags:
            stamp.chips[key] = chip_row(box, stamp.spots[key])
        if box.note:
            stamp.words[key] = [Word((), x + wide / 2, y - high / 2 - 8, NOTE, "middle", "note")]
        x += wide + APART
    stamp.width = max(x - APART + 10, 100.0)
    starts = [(-frame.tail + frame.pill / 2, y), *((stamp.spots[key].right, y) for key in keys)]
    for name, start in zip(local.edges, starts, strict=False):
        stamp.routes[name] = route([start, (stamp.spots[name[1]].left, y)], side=-1)
    return stamp


def _edge_column(local: Local, frame: Frame) -> Stamp:
    """Return the stamp of the initial states, or of a gap that stands for hidden steps."""
    heights = {key: frame.carry if key in frame.carries else frame.lane for key in local.boxes}
    words = width(local.column.header, TEXT) + GAP_WORDS if local.column.kind == "gap" else 4.0
    stamp = Stamp(words + frame.pill + frame.tail - frame.pill / 2 + 4)
    pill = stamp.width - frame.tail
    for key in local.boxes:
        stamp.spots[key] = Spot(pill, heights[key], frame.pill, local.sizes[key][1])
    if local.column.kind == "gap":
        middle = (stamp.width - frame.pill - frame.tail + frame.pill / 2) / 2
        y = (min(heights.values()) + max(heights.values())) / 2
        y -= 24 if len(set(heights.values())) == 1 else 0
        key = next(iter(local.boxes))
        stamp.words[key] = [Word((), middle, y, TEXT, "middle", "header")]
    for name in local.edges:
        _source, target, _ = name
        end = stamp.spots[target]
        begin = -frame.tail + frame.pill / 2
        side = -1 if end.y == frame.lane else 1
        stamp.routes[name] = route([(begin, end.y), (end.left, end.y)], side)
    return stamp
