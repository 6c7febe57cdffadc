"""What a figure shows, before anyone decides where: the one source every renderer reads.

A scene is plain frozen data (strings, numbers, tuples), so it can be written as JSON, compared and
hashed. Boxes stand in time columns; edges join boxes; a mark on an edge is the gradient that runs
back along it. Layout adds coordinates, renderers add ink; neither adds facts.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from .facts import Facts
from .words import Rich

Role = Literal[
    "input",
    "state",
    "affine",
    "gate",
    "function",
    "pointwise",
    "junction",
    "output",
    "loss",
    "constant",
    "op",
    "bus",
    "attention",
    "parameter",
    "delay",
    "closed",
]
Level = Literal["cell", "op", "rolled", "open"]
"""How much of a step is shown: gates and states, every operation, one drawing of all steps, or one step in full."""
LEVELS: tuple[Level, ...] = get_args(Level)
State = Literal["measured", "zero", "structural", "nonfinite", "cut", "wrong"]
ColumnKind = Literal["initial", "step", "gap", "closed", "end"]
Measure = Literal["magnitude", "share"]
"""What the width of a gradient arrow says: the norm of what arrives, or the share of one gradient that passes."""

GAIN_BINS = (0.25, 0.8, 1.25, 4.0)
"""Bounds of the five bins of local gain, |contribution| / |adjoint of the user|."""

DECADES = 6
FLOOR = 1e-6
"""Range of the width scale; what lies below it is drawn as a dashed hairline."""

WIDEST, THINNEST = 12.0, 0.5
"""Widths of the arrows that carry the largest share, and of those too thin to be drawn as wide as they are."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The gradient that runs back along an edge: its norm at the argument, and the local gain.

    Where arrows show shares, also the signed share of one gradient that runs over the edge.
    """

    state: State
    norm: float = 0.0
    gain: float = 1.0
    share: float | None = None

    @property
    def size(self) -> float:
        """What the width of the arrow says: the size of the share where there is one, or the norm."""
        return self.norm if self.share is None else abs(self.share)

    @property
    def bin(self) -> int:
        """Index of the colour: of the gain, 0 (shrinks most) to 4 (grows most), or of a share's sign, 0 (plus) or 4."""
        if self.share is not None:
            return 0 if self.share >= 0 else 4
        return sum(self.gain > bound for bound in GAIN_BINS)


@dataclass(frozen=True, slots=True)
class Scale:
    """Log scale from a norm to the width of its arrow."""

    reference: float

    def share(self, norm: float) -> float:
        """Return where `norm` lies on the scale: 1 at the reference, 0 six decades below it."""
        if not 0 < norm < math.inf or not self.reference:
            return 0.0
        decades = math.log10(norm) - math.log10(self.reference)
        return min(1.0, max(0.0, 1 + decades / DECADES))

    def width(self, norm: float) -> float:
        """Return the width of the arrow that carries `norm`."""
        return 0.5 + 5.5 * self.share(norm)

    def below(self, norm: float) -> bool:
        """Tell whether `norm` is too small for the scale."""
        return norm < self.reference * FLOOR

    def ruler(self) -> tuple[float, ...]:
        """Return three values to show with their widths."""
        return tuple(self.reference * 10.0**-power for power in (0, 2, 4))


@dataclass(frozen=True, slots=True)
class Linear(Scale):
    """Linear scale from the size of a share to the width of its arrow: where shares add up, so do widths."""

    def share(self, norm: float) -> float:
        """Return where a share of size `norm` lies on the scale: 1 at the reference, 0 at nothing."""
        return norm / self.reference if 0 < norm < math.inf and self.reference else 0.0

    def width(self, norm: float) -> float:
        """Return the width of the arrow that carries a share of size `norm`."""
        return WIDEST * self.share(norm)

    def below(self, norm: float) -> bool:
        """Tell whether the arrow of a share of size `norm` is too thin to be drawn to scale."""
        return self.width(norm) < THINNEST

    @property
    def least(self) -> float:
        """The smallest share that is drawn to scale."""
        return self.reference * THINNEST / WIDEST

    def ruler(self) -> tuple[float, ...]:
        """Return three round shares to show with their widths."""
        power = math.floor(math.log10(self.reference)) if self.reference else 0
        values = [base * 10.0**place for place in (power, power - 1) for base in (5, 2, 1)]
        return tuple([value for value in values if value <= self.reference][:3])


@dataclass(frozen=True, slots=True)
class Tag:
    """One use of a parameter, shown where it is used.

    `parameter` is the id of its dock item, `operand` the key of the box it multiplies, if any. Where arrows show
    shares, the mark is the share that leaves through this use, and `note` says it in figures.
    """

    id: str
    parameter: str
    label: Rich
    title: str
    operand: str = ""
    mark: Mark | None = None
    note: Rich = ()


@dataclass(frozen=True, slots=True)
class Look:
    """How much of one step of a sequence an attention takes: a weight from 0 to 1."""

    label: Rich
    weight: float


@dataclass(frozen=True, slots=True)
class Box:
    """Something that is computed, or given, at one time step.

    `key` names it within its column: boxes with the same key in two columns are the same thing one
    step later. `lane` is set on states, `kind` repeats in colour what the label says in letters,
    `looks` is set on attentions.
    """

    id: str
    column: int
    key: str
    role: Role
    label: Rich
    title: str
    note: Rich = ()
    kind: str = ""
    cell: str = ""
    lane: str = ""
    tags: tuple[Tag, ...] = ()
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` feeds `target`; the mark is what flows back from `target` to `source`."""

    id: str
    source: str
    target: str
    title: str
    mark: Mark | None = None
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A time column: the initial states, a step, a gap that stands for hidden steps, steps drawn as one closed box,
    or what follows the last."""

    index: int
    kind: ColumnKind
    header: Rich
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """A state that runs from step to step."""

    key: str
    label: Rich
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A container for the boxes of one layer at one step."""

    id: str
    column: int
    key: str
    title: str


@dataclass(frozen=True, slots=True)
class DockItem:
    """A parameter, shown once for all its uses."""

    id: str
    label: Rich
    shape: str
    title: str


@dataclass(frozen=True, slots=True)
class Scene(Facts):
    """Everything one figure shows. Words are complete sentences, numbers in them are computed."""

    level: Level
    title: Rich
    subtitle: Rich
    sentence: Rich
    proof: Rich
    hidden: Rich = ()
    note: Rich = ()
    norm: Rich = ()
    reference: float = 0.0
    columns: tuple[Column, ...] = ()
    lanes: tuple[Lane, ...] = ()
    cells: tuple[Cell, ...] = ()
    boxes: tuple[Box, ...] = ()
    edges: tuple[Edge, ...] = ()
    dock: tuple[DockItem, ...] = ()
    shows: Measure = "magnitude"

    @classmethod
    def of(cls, scene: Scene, **fields: Any) -> Self:
        """Return `scene` as one of this class, with `fields` of its own or in place of those of `scene`."""
        kept = {field.name: getattr(scene, field.name) for field in dataclasses.fields(scene)}
        return cls(**(kept | fields))

    @property
    def scale(self) -> Scale:
        """Scale of the gradient arrows, one for the whole figure: linear for shares, or a log scale of norms."""
        return Linear(self.reference) if self.shows == "share" else Scale(self.reference)


@dataclass(frozen=True, slots=True)
class Equation:
    """What one value of the open step is computed from, and its numbers; `box` is the box that makes it."""

    box: str
    cell: str
    formula: Rich
    numbers: tuple[Rich, ...]


@dataclass(frozen=True, slots=True)
class OpenScene(Scene):
    """A scene with the equations of the step that is open, and a key to the blocks of weights in them."""

    equations: tuple[Equation, ...] = ()
    key: tuple[Rich, ...] = ()


@dataclass(frozen=True, slots=True)
class RolledScene(Scene):
    """A scene in which every step is one drawing, and a table of what its edges do not tell: what arrives when.

    The first row of the table names its columns.
    """

    table: tuple[tuple[Rich, ...], ...] = ()
