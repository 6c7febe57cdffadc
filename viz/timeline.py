"""A graph sorted into time steps: which node belongs to which step, and what runs from step to step.

Steps are read from the scope label `t`; where time starts again, phases stand one behind the other. Lanes are read from
the edges that cross from one step to the next; two steps match node by node where they were made in the same order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import minigrad as mg
from minigrad import Edge, Node

from .phases import PLUMBING, CellKey, cell_name, cell_of, phases
from .sequences import Gathered, gathered, handed_on

__all__ = ["PLUMBING", "CellKey", "Gathered", "LaneNodes", "Timeline", "cell_name", "cell_of"]


ENCODER = "encoder"


@dataclass(slots=True)
class LaneNodes:
    """A state as it passes through the steps: its node before step 0, and after each.

    A state that is `reverse` passes them from the last to the first.
    """

    key: str
    nodes: dict[int, Node] = field(default_factory=dict)
    reverse: bool = False

    @property
    def name(self) -> str:
        """What the state is called: its node's name, or its op's."""
        return self.last.name or self.last.op.name

    @property
    def first(self) -> Node:
        """The state before any step."""
        return self.nodes[max(self.nodes) if self.reverse else min(self.nodes)]

    @property
    def last(self) -> Node:
        """The state after all steps."""
        return self.nodes[min(self.nodes) if self.reverse else max(self.nodes)]

    def before(self, t: int) -> int:
        """Return the step whose state step `t` takes up."""
        return t + 1 if self.reverse else t - 1

    def after(self, t: int) -> int:
        """Return the step that takes up the state of step `t`."""
        return t - 1 if self.reverse else t + 1


class Timeline:
    """The nodes of a graph by step.

    Attributes:
        steps: step -> its nodes in the order they were made.
        step: node -> its step, for nodes that have one.
        key: node -> its name within its step, the same in every step that is made alike.
        lanes: what runs from step to step.
        users: node -> the edges that use it.
        timed: whether any node has a step; a graph without is one step.
        times: the steps at which something is computed, in order.
        after: what is computed outside of the steps from something in them.
        sequences: what gathers one node of every step.
        end: the step after the last, of what is computed from the last states alone; None if there is no such thing.
    """

    def __init__(self, outputs: Node | Iterable[Node]) -> None:
        self.nodes = list(mg.walk(outputs))[::-1]
        self.users: dict[Node, list[Edge]] = defaultdict(list)
        self.step: dict[Node, int] = {}
        self.key: dict[Node, str] = {}
        steps: dict[int, list[Node]] = defaultdict(list)
        taken: dict[Node, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for arg in node.args:
                taken[arg].append(node)
        self.phases = phases(self.nodes, taken)
        self.alias = self.phases.alias
        for node in self.nodes:
            for slot, arg in enumerate(self.args(node)) if node not in self.alias else ():
                self.users[arg].append(Edge(node, slot))
            t = self.phases.place.get(node)
            if t is not None:
                self.step[node] = t
                steps[t].append(node)
        self.timed = any(t >= 0 for t in steps)
        self.times = sorted(t for t in steps if t >= 0 and not self.between(t))
        self._given_at_the_end(steps)
        self._follow(steps)
        if not self.timed:
            steps, self.times = {0: self.nodes}, [0]
            self.step = dict.fromkeys(self.nodes, 0)
        self.steps = {t: steps[t] for t in sorted(steps)}
        self.end: int | None = None
        self.merged: dict[CellKey, CellKey] = {}
        self._keys()
        self.sequences: list[Gathered] = []
        if self.timed:
            self.sequences = gathered(self.nodes, self.step, self.alias, self.users)
            self.sequences += handed_on(self.nodes, self.step, self.users)
        self.lanes = self._lanes()
        self.merged = self._merged()
        self.lane = {node: lane.key for lane in self.lanes for node in lane.nodes.values()}
        self._end()

    def args(self, node: Node) -> tuple[Node, ...]:
        """Return the arguments of `node`; for what only passes on a value from an earlier step, that value."""
        return tuple(self.alias.get(arg, arg) for arg in node.args) if self.alias else node.args

    def told(self, place: int) -> tuple[int, int]:
        """Return the phase that a place belongs to, and its step there; where one net goes on, so does the count."""
        if len(self.phases.starts) > 1 and self.phase_names[0] != ENCODER:
            return 0, self.counted(place) - self.between(place) if place >= 0 else place
        phase, t = self.phases.told.get(place, (0, place))
        return phase, t

    def counted(self, place: int) -> int:
        """Return how many steps of any phase come before a place; where time runs once, that is the step's number."""
        return place if len(self.phases.starts) < 2 else sum(t < place for t in self.times)

    def between(self, place: int) -> bool:
        """Tell whether a place stands between two phases, for what makes the states the later one is given."""
        return place >= 0 > self.phases.told.get(place, (0, place))[1]

    def with_turns(self, shown: Iterable[int]) -> list[int]:
        """Return the places `shown`, in place of some of them those where one phase ends and the next begins."""
        shown, starts = list(shown), self.phases.starts[1:] if self.timed else ()
        if not starts:
            return shown
        ends = (max((t for t in self.times if t < start), default=start) for start in starts)
        kept = {*starts, *ends, shown[0], shown[-1]}
        for place in (place for pair in zip(shown, reversed(shown), strict=True) for place in pair):
            kept |= {place} if len(kept) < len(shown) else set()
        return sorted(kept)

    def cell(self, node: Node) -> CellKey:
        """Return the cell that `node` belongs to; one that takes over the states of another stands in its place."""
        cell = cell_of(node)
        return self.merged.get(cell, cell)

    def _merged(self) -> dict[CellKey, CellKey]:
        """Return for the cells of later phases those of earlier phases whose states they carry on."""
        found: dict[CellKey, CellKey] = {}
        for lane in self.lanes:
            nodes = [lane.nodes[t] for t in sorted(lane.nodes) if t in self.times]
            cells = list(dict.fromkeys(cell_of(node) for node in nodes))
            found |= {cell: cells[0] for cell in cells[1:] if cell[2] == cells[0][2]}
        return found

    def said(self, place: int) -> str:
        """Return what a step is called: its number, after the name of its phase if there are several."""
        phase, t = self.told(place)
        return f"{self.phase_names[phase]} t = {t + 1}".strip()

    @cached_property
    def phase_names(self) -> tuple[str, ...]:
        """Return encoder and decoder for two phases with different weights, otherwise no names."""
        if len(self.phases.starts) < 2:
            return ("",)
        used: dict[int, set[Node]] = defaultdict(set)
        for node, place in self.step.items():
            used[self.phases.told.get(place, (0, 0))[0]] |= {arg for arg in node.args if isinstance(arg, mg.Parameter)}
        if len(self.phases.starts) == 2 and used[1] - used[0]:
            return ENCODER, "decoder"
        return ("",) * len(self.phases.starts)

    def _given_at_the_end(self, steps: dict[int, list[Node]]) -> None:
        """Move the states a reverse net starts from behind the last step."""
        after = self.times[-1] + 1 if self.times else 0
        for node in [node for node in steps.get(-1, ()) if cell_of(node)[2]]:
            steps[-1].remove(node)
            steps[after].append(node)
            self.step[node] = after

    def _follow(self, steps: dict[int, list[Node]]) -> None:
        """Give the loss of a step, made outside of any step from that step's nodes alone, to the step."""
        found: dict[Node, int] = {}
        known, times = self.step, set(self.times)
        for node in self.nodes:
            if node in known:
                continue
            args = self.args(node)
            behind = {found.get(arg, known.get(arg)) for arg in args if arg in found or arg in known}
            t = behind.pop() if len(behind) == 1 else None
            if t is not None and t in times and node not in self.alias:
                found[node] = t
        if len(set(found.values())) < 2:
            return
        leading: set[Node] = set()
        for node in reversed(self.nodes):
            if node in found and (node.shape == () or any(edge.user in leading for edge in self.users[node])):
                leading.add(node)
        for node in self.nodes:
            if node in leading:
                self.step[node] = found[node]
                steps[found[node]].append(node)

    def _keys(self) -> None:
        """Name every node within its step. Keys start with a dot: layouts put marks of their own in front of others."""
        prefix: dict[CellKey, str] = {}
        for nodes in self.steps.values():
            seen: dict[str, int] = {}
            for node in nodes:
                cell = self.cell(node)
                if cell not in prefix:
                    prefix[cell] = f".{cell_name(cell)}"
                label = prefix[cell] + (node.name or node.op.name)
                count = seen[label] = seen.get(label, 0) + 1
                self.key[node] = label if count == 1 else f"{label}#{count}"

    def _lanes(self) -> list[LaneNodes]:
        """Return the lanes, in the order in which their first node was made."""
        entries: dict[tuple[str, int], dict[int, Node]] = defaultdict(dict)
        handed = {sequence.node for sequence in self.sequences if not sequence.stacked}
        back: set[tuple[str, int]] = set()
        for user, t in self.step.items():
            for slot, arg in enumerate(self.args(user)):
                at = self.step.get(arg)
                if arg in handed:
                    continue
                if at == t - 1 or (at == t + 1 and cell_of(arg)[2]):
                    entries[self.key[user], slot][at] = arg
                    back |= {(self.key[user], slot)} if at > t else set()
                elif at == t - 2 and self.between(t - 1):
                    entries[self.key[user], slot] |= {at: arg, t - 1: arg}  # past what is made between two phases
        self._add_given(entries)
        lanes: list[LaneNodes] = []
        known: dict[Node | str, LaneNodes] = {}
        for entry, nodes in entries.items():
            # A step may take up the state in a way of its own (cut off from the past, say): it is the same state.
            named = (node for t, node in nodes.items() if node in self.key and (t >= 0 or node.name is not None))
            ways: list[Node | str] = [*nodes.values(), *(self.key[node] for node in named)]
            lane = next((known[way] for way in ways if way in known), None)
            if lane is None:
                lane = LaneNodes("", reverse=entry in back)
                lanes.append(lane)
            for t, node in nodes.items():
                lane.nodes.setdefault(t, node)
            for way in ways:
                known.setdefault(way, lane)
        for lane in lanes:
            self._finish(lane)
        lanes = _joined(lanes)
        lanes.sort(key=lambda lane: min(node.id for node in lane.nodes.values()))
        for lane in lanes:
            lane.key = self._lane_key(lane)
        return lanes

    def _end(self) -> None:
        """Find the operations that follow the last step, if they take up its states and nothing else of time.

        What only puts states together or in another shape is no such thing.
        """
        last = self.times[-1] if self.times else -1
        stacks = [sequence for sequence in self.sequences if sequence.stacked]
        whole = {node for sequence in stacks for node in (sequence.node, *sequence.derived)}
        found: set[Node] = set()
        other: set[Node] = set()  # outside of time, but made of something in it
        for node in self.nodes:
            if node in self.step or node in self.alias or node in whole:
                continue
            timed = [arg for arg in self.args(node) if arg in self.step or arg in found or arg in other or arg in whole]
            states = (arg in found or arg in whole or (arg in self.lane and self.step[arg] == last) for arg in timed)
            if timed:
                (found if all(states) else other).add(node)
        self.after = found | other | whole
        if self.merged:
            self._keys()
        if self.timed and any(node.op.name not in PLUMBING for node in found):
            self.end = max(self.steps) + 1
            self.steps[self.end] = sorted(found, key=lambda node: node.id)
            for node in self.steps[self.end]:
                self.step[node] = self.end
            self._keys()

    def _add_given(self, entries: dict[tuple[str, int], dict[int, Node]]) -> None:
        """Complete lanes whose state before the first step carries no label of its own."""
        first = min((t for t in self.steps if t >= 0), default=0)
        for user in self.steps.get(first, ()):
            for slot, arg in enumerate(self.args(user)):
                nodes = entries.get((self.key[user], slot))
                if nodes and arg not in self.step:
                    nodes.setdefault(first - 1, arg)

    def _finish(self, lane: LaneNodes) -> None:
        """Add the state after the last step, which no step consumes."""
        ahead = range(max(lane.nodes) + 1, self.times[-1] + 1 if self.times else 0)
        for t in reversed(range(min(lane.nodes))) if lane.reverse else ahead:
            before = lane.nodes.get(lane.before(t))
            if before is None:
                break
            found = [n for n in self.steps.get(t, ()) if self.key[n] == self.key.get(before)]
            if not found and before.name is not None:
                alike = [n for n in self.steps.get(t, ()) if n.name == before.name]
                found = [n for n in alike if cell_of(n) == cell_of(before)]
                found = found or [n for n in alike if cell_of(n)[1:] == cell_of(before)[1:]]
            if found:
                lane.nodes[t] = found[0]

    def _lane_key(self, lane: LaneNodes) -> str:
        return self.key.get(lane.last, lane.last.op.name)


def _joined(lanes: list[LaneNodes]) -> list[LaneNodes]:
    """Return lanes that share a node as one: the last state of an encoder is the first of its decoder."""
    kept: list[LaneNodes] = []
    owner: dict[Node, LaneNodes] = {}
    for lane in sorted(lanes, key=lambda lane: min(lane.nodes)):
        same = next((owner[n] for n in lane.nodes.values() if n in owner and owner[n].reverse == lane.reverse), None)
        if same is None:
            kept.append(same := lane)
        for t, node in lane.nodes.items():
            owner.setdefault(same.nodes.setdefault(t, node), same)
    return kept
