"""The storeys of a figure of cells: how high each layer and direction stands, where lanes run, and the room between.

All columns are equally wide and storeys equally high, so lanes are straight and steps congruent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..scene import Scene
from .block import BESIDE_RISER, MARGIN, RISER, Block, Inside, Measure, NotACell
from .gated import Gated
from .plan import Hung, Line
from .sizes import box_size
from .stamp import Local

STOREY = 58.0
BETWEEN = 34.0
CHANNEL = 16.0
MERGE = 28.0
BUS = 34.0

Plan = Line | Hung | Gated


@dataclass(frozen=True, slots=True)
class Room:
    """Free room: right of the states, between storeys, and above and below all of them."""

    beside: float = RISER
    between: float = BETWEEN
    above: float = 0.0
    below: float = 0.0


@dataclass(frozen=True, slots=True)
class Lane:
    """The height of a lane, whether it runs from right to left, and on which side its gradient returns (1: above)."""

    y: float
    backward: bool
    side: int


def _plan(inside: Inside) -> Plan:
    for kind in (Hung, Gated):
        try:
            return kind(inside)
        except NotACell:
            pass
    return Line(inside)


class Building:
    """Storeys and their heights, from below, and the measures all columns of a figure share."""

    def __init__(self, scene: Scene, columns: Sequence[Local], room: Room) -> None:
        self.room = room
        self.plans: dict[tuple[int, str], Plan] = {}
        self.backward: set[str] = set()
        steps = [local for local in columns if local.column.kind == "step"]
        plans: dict[object, dict[str, Plan]] = {}
        for local in steps:
            signature = local.signature()
            if signature not in plans:
                plans[signature] = self._plans(local)
            self.plans |= {(local.column.index, cell): plan for cell, plan in plans[signature].items()}
        if not self.plans:
            raise NotACell
        self.pill = max((box_size(box)[0] for box in scene.boxes if box.role == "state"), default=40.0)
        self.channel = CHANNEL if self.backward else 0.0
        lead = self.channel + MARGIN + room.beside + BESIDE_RISER
        self.measure = Measure(
            max(plan.width() for plan in self.plans.values()),
            self.pill,
            lead,
            max(plan.levels for plan in self.plans.values()),
        )
        self.width = lead + self.measure.frame + 6 + self.pill
        self.buses = list(dict.fromkeys(box.key for box in scene.boxes if box.role == "bus"))
        self._stack(steps)
        self.lanes = self._lanes()
        self.lanes |= {key: Lane(20.0 + BUS * place, False, 1) for place, key in enumerate(self.buses)}

    def _plans(self, local: Local) -> dict[str, Plan]:
        found = {}
        for cell in local.cells:
            inside = Inside(local, cell)
            found[cell] = _plan(inside)
            if inside.from_right:
                self.backward.add(cell)
        return found

    def _stack(self, steps: Sequence[Local]) -> None:
        """Give every cell, and every merge of two directions, its height."""
        blocks: dict[int, Block] = {}
        for plan in self.plans.values():
            if id(plan) not in blocks:  # columns that are alike share their plans
                blocks[id(plan)] = plan.block(self.measure)
        self.blocks = {key: blocks[id(plan)] for key, plan in self.plans.items()}
        tall: dict[str, float] = {}
        for (_, cell), block in self.blocks.items():
            tall[cell] = max(tall.get(cell, 0.0), block.frame.h)
        order = list(tall)
        for local in steps:
            for key in self.merges(local):
                if key not in order:
                    made = [self._cell_of(local, state) for state, target, _ in local.edges if target == key]
                    if not made:
                        raise NotACell
                    order.insert(1 + max(order.index(cell) for cell in made), key)
                    tall[key] = MERGE
        self.order = order
        above = max((len(self.above(local)) for local in steps), default=0)
        given = any(self.given(local) for local in steps)
        y = 20.0 + STOREY * above + (10.0 if above else 0.0) + BUS * len(self.buses)
        self.crown, self.top = y, {}
        y += self.room.above
        for key in reversed(order):
            self.top[key] = y
            y += tall[key] + self.room.between
        self.bottom = y - self.room.between
        self.inputs = self.bottom + self.room.below + (50.0 if given else 0.0)
        self.height = self.inputs + 56.0

    def _cell_of(self, local: Local, state: str) -> str:
        for cell in local.cells:
            if state in self.plans[local.column.index, cell].inside.states:
                return cell
        raise NotACell

    def merges(self, local: Local) -> list[str]:
        """Return what joins two states of one step."""
        outer = [key for key, box in local.boxes.items() if not box.cell and box.role == "function"]
        states = {key for key, box in local.boxes.items() if box.role == "state"}
        return [key for key in outer if all(a in states for a, b, _ in local.edges if b == key)]

    def above(self, local: Local) -> list[str]:
        """Return what stands above all cells: outputs and losses, from below."""
        return [key for key, box in local.boxes.items() if not box.cell and box.role in ("output", "loss")]

    def given(self, local: Local) -> list[str]:
        """Return the inputs."""
        return [key for key, box in local.boxes.items() if box.role == "input"]

    def block(self, column: int, cell: str) -> Block:
        """Return a cell where it stands in its column."""
        block = self.blocks[column, cell].moved(self.channel + MARGIN, 0.0)
        if cell in self.backward:
            block = block.mirrored(self.width)
        return block.moved(0.0, self.top[cell])

    def _lanes(self) -> dict[str, Lane]:
        """Return how every state's lane runs."""
        found = {}
        for (_, cell), block in self.blocks.items():
            for state, y in block.lanes.items():
                side = -1 if state in block.under else 1
                found[state] = Lane(y + self.top[cell], cell in self.backward, side)
        return found
