"""The rows and lanes that all steps of a figure share, where every operation is a box.

Each distinct step is put in layers once. A row is as high as its highest box in any step, with room below it for the
flattest link; a lane runs at the height of the row that takes it up in the next step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..scene import Scene
from .layered import BEND, Layers, layers, positions
from .sizes import PILL_HEIGHT, box_size
from .stamp import Local

GAP = 11.0
BENT = 14.0
NEAREST = 26.0
STEEP = 0.34
BROAD, STEEPER = 32.0, 0.6
"""Distance of rows, and slope of links, where arrows show shares: a broad band needs a gentle bend."""
FARTHEST = 64.0
LAID = ("step", "end")
RUNNING = ("state", "bus")
BUS = 38.0
CHANNEL = 18.0


class Grid:
    """Rows and their heights, shared by every step of a figure."""

    def __init__(self, scene: Scene, columns: Sequence[Local]) -> None:
        self.lanes = {box.key: box.lane for box in scene.boxes if box.role in RUNNING}
        self.buses = list(dict.fromkeys(box.lane for box in scene.boxes if box.role == "bus"))
        self.lead = 6.0 + (CHANNEL if self.buses else 0.0)
        self.pill = max((box_size(box)[0] for box in scene.boxes if box.role == "state"), default=40.0)
        self.steps: dict[object, Layers] = {}
        self.x: dict[object, dict[str, float]] = {}
        self.lane_row: dict[str, int] = {}
        for local in columns:
            signature = local.signature()
            if local.column.kind in LAID and signature not in self.steps:
                self._lay(local, signature)
        self.rows = max((len(found.rows) for found in self.steps.values()), default=1)
        self.nearest, self.steep = (BROAD, STEEPER) if scene.shows == "share" else (NEAREST, STEEP)
        self._heights(columns)

    def _lay(self, local: Local, signature: object) -> None:
        names = [key for key, box in local.boxes.items() if box.role not in RUNNING]
        maker = makers(local)
        edges = [(maker.get(a, a), b) for a, b, _ in local.edges if maker.get(a, a) in names and b in names]
        entered = {b: self.lanes[a[1:]] for a, b, _ in local.edges if a.startswith("<") and b in names}
        anchors = frozenset(key for key in names if local.boxes[key].role == "input")
        found = layers(_sorted(names, edges), edges, anchors, frozenset(entered))
        self.steps[signature] = found
        widths = {name: BENT if name[0] == BEND else local.sizes[name][0] for name in found.row}
        self.x[signature] = positions(found, widths, GAP)
        for name, lane in entered.items() if local.column.kind == "step" else ():
            if lane in self.buses:
                continue
            self.lane_row[lane] = min(self.lane_row.get(lane, found.row[name]), found.row[name])

    def _heights(self, columns: Sequence[Local]) -> None:
        """Give every row its height, with room for the flattest link below it."""
        reach = [self.nearest] * (self.rows + 1)
        for signature, found in self.steps.items():
            x = self.x[signature]
            for low, highs in found.above.items():
                far = max((abs(x[low] - x[high]) for high in highs), default=0.0)
                level = found.row[low]
                reach[level] = max(reach[level], min(FARTHEST, far * self.steep))
        self.high = [30.0] * self.rows
        for local in columns:
            laid = self.steps.get(local.signature())
            for name in local.boxes if laid else ():
                if laid and name in laid.row:
                    level = laid.row[name]
                    self.high[level] = max(self.high[level], local.sizes[name][1])
        self.row_y: list[float] = []
        y = 0.0
        for level, high in enumerate(self.high):
            self.row_y.append(y - high / 2)
            y -= high + reach[level]
        top = y + reach[self.rows - 1] - 24.0
        top -= BUS * len(self.buses)
        self.row_y = [at - top for at in self.row_y]
        self.height = self.row_y[0] + self.high[0] / 2 + 44.0 if self.row_y else 60.0
        self._spread()

    def _spread(self) -> None:
        """Give every lane a height of its own: of two that are taken up in one row, the second runs below the first."""
        self.level: dict[str, float] = {}
        for lane in dict.fromkeys(self.lanes.values()):
            if lane in self.buses:
                continue
            y = self.row_y[self.lane_row.get(lane, 0)] if self.row_y else 30.0
            while any(abs(y - other) < PILL_HEIGHT + 1 for other in self.level.values()):
                y += PILL_HEIGHT + 6
            self.level[lane] = y
        self.height = max([self.height, *(y + PILL_HEIGHT / 2 + 36.0 for y in self.level.values())])

    def lane_y(self, lane: str) -> float:
        """The height of a lane."""
        if lane in self.buses:
            return 24.0 + BUS * self.buses.index(lane)
        return self.level[lane]


def makers(local: Local) -> dict[str, str]:
    """Return for every state the box that makes it: what uses the state within its step starts there."""
    edges = ((source, target) for source, target, _ in local.edges if source[0] != "<")
    return {target: source for source, target in edges if local.boxes[target].role == "state"}


def _sorted(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[str]:
    """Return `names` in topological order, otherwise as given."""
    waiting = dict.fromkeys(names, 0)
    users: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        waiting[target] += 1
        users[source].append(target)
    order = [name for name in names if not waiting[name]]
    for name in order:
        for user in users[name]:
            waiting[user] -= 1
            if not waiting[user]:
                order.append(user)
    return order
