"""Buses: sequences on the way to what looks at all of their steps, as lines over the columns of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minigrad import Edge as Use
from minigrad import Node

from .groups import Group
from .labels import shape_text
from .measure import handed_on, norm
from .scene import Box, Look, Mark
from .sequences import Gathered, pieces, sent_back

if TYPE_CHECKING:
    from .assemble import Assembly


class Bus:
    """One sequence on a figure: where it has a box, and what comes back along it.

    The gradient that reaches place p runs back from all uses behind p, and belongs to the parts up to p.
    """

    def __init__(self, sequence: Gathered, parts: Assembly) -> None:
        self.sequence, self.parts = sequence, parts
        self.whole = {sequence.node, *sequence.derived}
        self.first = min(sequence.parts)
        step = parts.timeline.step
        self.uses: dict[int, list[Use]] = {}
        for node in self.whole:
            for use in parts.timeline.users[node]:
                if use.user in step and use.user not in self.whole:
                    self.uses.setdefault(step[use.user], []).append(use)
        self.last = max(self.uses, default=-1)
        self.at = self.enter = ""

    def stop(self, place: int, source: str | None, hidden: int = 0) -> None:
        """Add the box at `place` of the column last begun, fed by the column before and by the state `source`.

        `hidden` is the number of steps left out since the column before.
        """
        parts, before = self.parts, self.at
        self.enter = before
        if not self.first <= place < self.last:
            return
        self.at = f"{self.sequence.key}@{place}"
        held = min(place, max(self.sequence.parts)) - self.first + 1
        title = f"{held} of {len(self.sequence.parts)} states gathered, {shape_text(self.sequence.node.shape)} in all"
        if not self.sequence.stacked:
            title = f"handed on to later steps, {shape_text(self.sequence.node.shape)}"
        parts.boxes.append(
            Box(self.at, len(parts.columns) - 1, self.sequence.key, "bus", (), title, lane=self.sequence.key)
        )
        parts.members[self.at] = [self.sequence.node]
        if before:
            found = self._passing(place)
            parts.add_edge(before, self.at, found, self.sequence.node, self._onward(place), hidden)
        if source and place in self.sequence.parts:
            uses = [Use(self.sequence.node, place - self.first)] if self.sequence.stacked else self._behind(place)
            parts.add_edge(source, self.at, handed_on(parts.sent(uses)), self.sequence.parts[place], uses)

    def pass_by(self, first: int, last: int, source: str) -> None:
        """Add the box at the end of the steps `first` to `last`, which the box `source` stands for."""
        before = self.at
        self.stop(last, None)
        if self.at == before:
            return
        parts, node = self.parts, self.sequence.node
        if before:
            parts.edges.pop()  # it carries back what the parts before `first` get, not those before `last`
            parts.add_edge(before, self.at, self._passing(first), node, self._onward(first))
        inside = [at for at in self.sequence.parts if first <= at <= last]
        if inside:
            uses = [Use(node, at - self.first) for at in inside] if self.sequence.stacked else self._behind(last)
            parts.add_edge(source, self.at, handed_on(parts.sent(uses)), node, uses)

    def _onward(self, place: int) -> list[Use]:
        """Return uses of which every path that runs on to `place` takes one: what uses it there comes from before."""
        if self.sequence.stacked and all(at > place for at in self.uses):
            return self._slots(place - 1)
        return self._behind(place)

    def _slots(self, place: int) -> list[Use]:
        if not self.sequence.stacked:
            return self._behind(place)
        return [Use(self.sequence.node, at - self.first) for at in self.sequence.parts if at <= place]

    def _behind(self, place: int) -> list[Use]:
        return [use for at, uses in self.uses.items() if at > place for use in uses]

    def _passing(self, place: int) -> Mark | None:
        """Return the gradient that runs from the column of `place` back to the one before it."""
        whole = self.sent(self._behind(place - 1))
        if whole is None:
            return None
        return handed_on(norm(*pieces(self.sequence, whole, place - 1)))

    def sent(self, uses: Sequence[Use]) -> np.ndarray | None:
        """Return what `uses` send back to the whole sequence."""
        sweep, run = self.parts.sweep, self.parts.run
        if sweep is None or run is None:
            return None
        return sent_back(self.sequence, uses, sweep.sent, run)


def looks(group: Group, parts: Assembly) -> tuple[Look, ...]:
    """Return how much an attention takes of each step, for the first sequence of the batch; empty for other boxes."""
    weights = next((node for node in group.members if node.name == "attention"), None)
    if group.role != "attention" or weights is None or parts.run is None or weights not in parts.run:
        return ()
    read = {arg for member in group.members for arg in parts.timeline.args(member)}
    bus = next((bus for bus in parts.buses if bus.whole & read), None)
    if bus is None or not weights.shape or weights.shape[0] != len(bus.sequence.parts):
        return ()
    values = np.asarray(parts.run[weights], dtype=float).reshape(weights.shape[0], -1)[:, 0]
    labels = (parts.named_at(part.name or "h", place) for place, part in bus.sequence.parts.items())
    return tuple(Look(label, float(value)) for label, value in zip(labels, values, strict=True))


def prepared(group: Group, parts: Assembly) -> list[Node]:
    """Return what an attention makes of its sequence once for all steps, the product with the keys' weights."""
    if group.role != "attention":
        return []
    read = {arg for member in group.members for arg in parts.timeline.args(member)}
    found = (node for bus in parts.buses if bus.whole & read for node in bus.sequence.derived)
    return sorted(found, key=lambda node: node.id)
