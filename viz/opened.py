"""One step open: its operations, the steps before and after closed, and its equations with the numbers of the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from minigrad import Node
from minigrad.derivative import pull_edge
from minigrad.node import Array

from .assemble import Assembly
from .equations import Equations
from .formula import FUNCTIONS
from .measure import handed_on, mark, norm
from .scene import Box, Equation, OpenScene, Scene
from .timeline import LaneNodes
from .words import NO_BREAK, Rich, Run, number, one_line, plural, unbroken

FEW = 4
"""Numbers that are written one by one; of more, the mean and the range are told."""

FLAT = 0.05
"""A unit is saturated where the local derivative of its function is smaller."""

SQUASHING = frozenset({"sigmoid", "tanh", "relu", "erf", "softplus", "clip"})
"""Functions whose derivative is at most 1: a small one says that the unit has stopped to learn."""

MOST_TERMS = 6


class Opened(Assembly):
    """Assembles one step operation by operation, what comes before and after it as a closed box each."""

    def build(self, shown: Sequence[int]) -> None:
        """Add the given states, the steps before, the step `shown`, the steps after, and what follows the last."""
        (self.open,) = shown
        times = self.timeline.times
        before, after = [t for t in times if t < self.open], [t for t in times if t > self.open]
        self.add_states("initial", times[0] - 1)
        self._closed(before)
        self.add_step(self.open)
        self._closed(after)
        self.add_states("initial", times[-1] + 1, reverse=True)
        self._from_the_right(after)
        if self.timeline.end is not None:
            self.add_step(self.timeline.end, "end")
        self.steps = (len(before), len(times), len(after))

    def finish(self, scene: Scene) -> OpenScene:
        """Return `scene` with the words and the equations of the open step."""
        before, count, after = self.steps
        shut = [f"{plural(many, 'step')} {where}" for many, where in ((before, "before"), (after, "after")) if many]
        hidden = (
            f"Closed, inputs and losses inside: {' and '.join(shut)}; their edges carry what passes." if shut else ""
        )
        said = f"Step {self.open + 1} of {count}, every operation a box; beside it its equations"
        said += " with the numbers of this run." if self.run is not None else "."
        self.maths = Equations(self.kinds, self.open, self.losses, self.layers)
        return OpenScene.of(
            scene,
            level="open",
            title=(*scene.title, Run(f", step {self.open + 1} open")),
            subtitle=(Run(said),),
            hidden=(Run(hidden),) if hidden else (),
            equations=tuple(map(self._equation, self.maths.heads)),
            key=tuple(self._key()),
        )

    def _closed(self, steps: Sequence[int]) -> None:
        """Add the column of the steps that are drawn as one box, with the states that leave it."""
        if not steps:
            return
        first, last = steps[0], steps[-1]
        ends = [first + 1] if last == first else [first + 1, last + 1]
        between = ", " if last == first + 1 else " … "
        column = self.add_column("closed", (Run("t = " + between.join(map(str, ends))),), len(steps))
        box = f"closed@{first}"
        kinds = sorted({cell[0][0] for cell in self.kinds.cells if cell[0]})
        title = one_line(f"{plural(len(steps), 'step')} of {', '.join(kinds) or 'the net'}, closed", 120)
        self.boxes.append(Box(box, column, ".closed", "closed", (Run(f"×{len(steps)}"),), title))
        left = [lane.nodes[last] for lane in self.timeline.lanes if last in lane.nodes and not lane.reverse]
        left += [lane.nodes[first] for lane in self.timeline.lanes if first in lane.nodes and lane.reverse]
        self.members[box] = left or [self.timeline.steps[last][-1]]
        for lane in self.timeline.lanes:
            if lane.reverse:
                self._leave(lane, box, column, first)
                continue
            self._enter(lane, box, first - 1, last)
            self._leave(lane, box, column, last)
        for bus in self.buses:
            bus.pass_by(first, last, box)

    def _from_the_right(self, after: Sequence[int]) -> None:
        """Bring states that run from right to left to the boxes of closed steps; their pills come later."""
        before = [t for t in self.timeline.times if t < self.open]
        for lane in self.timeline.lanes:
            for steps in (before, after) if lane.reverse else ():
                if steps:
                    self._enter(lane, f"closed@{steps[0]}", steps[-1] + 1, steps[0])

    def _enter(self, lane: LaneNodes, box: str, at: int, leaving: int) -> None:
        """Join the state of step `at` to the closed steps that take it up and leave the state of step `leaving`."""
        node, target = lane.nodes.get(at), lane.nodes.get(leaving)
        if node is None or node not in self.pills:
            return
        uses = self.taken_up(node, at)
        sent = self.sent(uses)
        after = None if target is None else self.sent(self.taken_up(target, leaving))
        self.add_edge(self.pills[node], box, mark(sent, after if after else sent or 0.0), node, uses)

    def _leave(self, lane: LaneNodes, box: str, column: int, t: int) -> None:
        node = lane.nodes.get(t)
        if node is None:
            return
        self.add_state(column, lane, node, t)
        uses = self.taken_up(node, t)
        self.add_edge(box, self.pills[node], handed_on(self.sent(uses)), node, uses)

    @property
    def losses(self) -> list[Node]:
        """The scalars of the open step that nothing in it uses."""
        made = set(self.timeline.steps[self.open])
        return [
            node
            for node in made
            if node.shape == ()
            and node.dtype.kind == "f"
            and node.args
            and all(use.user not in made for use in self.timeline.users[node])
        ]

    def _equation(self, head: Node) -> Equation:
        cell = self.timeline.key[head].rsplit("/", 1)[0].lstrip(".") if "/" in self.timeline.key[head] else ""
        box = f"{self.timeline.key[head]}@{self.open}"
        return Equation(box, cell, self.maths.formula(head), tuple(self._numbers(head)))

    def _numbers(self, head: Node) -> Iterable[Rich]:
        """Yield the lines of numbers under an equation: value and gradient, terms, local derivatives."""
        if self.run is None or head not in self.run or head.dtype.kind not in "fiu":
            return
        line = list(told(self.run[head]))
        if self.sweep is not None and head in self.sweep.adjoints:
            size = number(norm(self.sweep.adjoints[head]))
            line += [Run("; |∂L/∂"), *self.maths.name(head), Run(f"| = {size}")]
        yield tuple(line)
        terms = self.maths.summands(head)
        if 1 < len(terms) <= MOST_TERMS:
            sizes: list[Run] = []
            for place, part in enumerate(terms):
                size = number(norm(self.maths.value(part, self.run)))
                term = [Run(unbroken(run.text), run.shift) for run in self.maths.text(head, part)]
                sizes += [Run(", |" if place else "|"), *term, Run(f"|{NO_BREAK}{size}")]
            yield tuple(sizes)
        for node in self.maths.functions(head):
            yield self._slope(node)

    def _slope(self, node: Node) -> Rich:
        """Return the local derivative of a function of one argument, and how many units it leaves without gradient."""
        assert self.run is not None
        with np.errstate(all="ignore"):
            ones = np.ones(node.shape, node.dtype)
            slope = np.asarray(pull_edge(node, 0, ones, self.run[node], [self.run[node.args[0]]]))
        line = [Run(f"{FUNCTIONS.get(node.op.name, node.op.name)}′ "), *told(slope)]
        if node.op.name in SQUASHING:
            flat = int(np.count_nonzero(np.abs(slope) < FLAT))
            line.append(Run(f"; {flat or 'none'} of {slope.size} saturated"))
        return tuple(line)

    def _key(self) -> Iterable[Rich]:
        """Yield what the blocks are, and what counts as saturated."""
        gates = sorted(self.maths.gates.items())
        if gates:
            labels = {made: label for _, taken in gates for pairs in taken.values() for made, label in pairs}
            line: list[Run] = [Run("Rows of ")]
            for place, (_, label) in enumerate(sorted(labels.items())):
                line += [Run(", ")] * bool(place) + [*label]
            spans = (f"{gate} {low + 1}–{high}" for (low, high), taken in gates for gate in taken)
            rows = ", ".join(map(unbroken, spans))
            yield (*line, Run(f": {rows}."))
        functions = [node for head in self.maths.heads for node in self.maths.functions(head)]
        if self.run is not None and any(node.op.name in SQUASHING for node in functions):
            yield (Run(f"Saturated: local derivative below {FLAT:g}."),)


def told(array: Array) -> Rich:
    """Return the numbers of an array: each, if they are few, else mean and range.

    >>> from viz.words import plain
    >>> plain(told(np.array([0.5, -0.25]))), plain(told(np.arange(10.0)))
    ('(0.50, -0.25)', 'mean 4.5, from 0 to 9.0')
    """
    flat = np.asarray(array, dtype=float).ravel()
    if flat.size == 1:
        return (Run(number(float(flat[0]), 3)),)
    if flat.size <= FEW:
        return (Run(f"({', '.join(number(float(entry)) for entry in flat)})"),)
    low, mean, high = (number(float(entry)) for entry in (flat.min(), flat.mean(), flat.max()))
    return (Run(f"mean {mean}, from {low} to {high}" if low != high else f"all {low}"),)
