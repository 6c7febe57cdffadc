"""A graph sorted into time steps: which node belongs to which step, and what runs from step to step.

Steps are read from the scope label `t`. Lanes are read from the edges that cross from one step to
the next; two steps match node by node where they were made in the same order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import minigrad as mg
from minigrad import Edge, Node

PLUMBING = frozenset({"slice", "reshape", "transpose", "broadcast_to", "cast", "concat"})
"""Operations that move numbers and compute none."""

CellKey = tuple[tuple[str, ...], object, bool]
"""Labels, layer, and whether the net reads from right to left."""


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
        end: the step after the last, of what is computed from the last states alone; None if there is no such thing.
    """

    def __init__(self, outputs: Node | Iterable[Node]) -> None:
        self.nodes = list(mg.walk(outputs))[::-1]
        self.users: dict[Node, list[Edge]] = defaultdict(list)
        self.step: dict[Node, int] = {}
        self.key: dict[Node, str] = {}
        steps: dict[int, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for slot, arg in enumerate(node.args):
                self.users[arg].append(Edge(node, slot))
            t = node.scope.get("t")
            if isinstance(t, int):
                self.step[node] = t
                steps[t].append(node)
        self.timed = any(t >= 0 for t in steps)
        self.times = sorted(t for t in steps if t >= 0)
        self._given_at_the_end(steps)
        self._follow(steps)
        if not self.timed:
            steps, self.times = {0: self.nodes}, [0]
            self.step = dict.fromkeys(self.nodes, 0)
        self.steps = {t: steps[t] for t in sorted(steps)}
        self.end: int | None = None
        self._keys()
        self.lanes = self._lanes()
        self.lane = {node: lane.key for lane in self.lanes for node in lane.nodes.values()}
        self._end()

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
        for node in self.nodes:
            behind = {found.get(arg, self.step.get(arg)) for arg in node.args if arg in found or arg in self.step}
            t = behind.pop() if len(behind) == 1 else None
            if t is not None and t in self.times and node not in self.step:
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
        for nodes in self.steps.values():
            seen: Counter[str] = Counter()
            for node in nodes:
                label = f".{cell_name(cell_of(node))}{node.name or node.op.name}"
                seen[label] += 1
                self.key[node] = label if seen[label] == 1 else f"{label}#{seen[label]}"

    def _lanes(self) -> list[LaneNodes]:
        """Return the lanes, in the order in which their first node was made."""
        entries: dict[tuple[str, int], dict[int, Node]] = defaultdict(dict)
        back: set[tuple[str, int]] = set()
        for user, t in self.step.items():
            for slot, arg in enumerate(user.args):
                at = self.step.get(arg)
                if at == t - 1 or (at == t + 1 and cell_of(arg)[2]):
                    entries[self.key[user], slot][at] = arg
                    back |= {(self.key[user], slot)} if at > t else set()
        self._add_given(entries)
        lanes: list[LaneNodes] = []
        known: dict[Node | str, LaneNodes] = {}
        for entry, nodes in entries.items():
            keys = [self.key[node] for node in nodes.values() if node in self.key]
            names: list[Node | str] = [*nodes.values(), *keys]
            lane = next((known[name] for name in names if name in known), None)
            if lane is None:
                lane = LaneNodes("", reverse=entry in back)
                lanes.append(lane)
            for t, node in nodes.items():
                lane.nodes.setdefault(t, node)
                known.setdefault(node, lane)
                known.setdefault(self.key.get(node, node), lane)
        for lane in lanes:
            self._finish(lane)
        lanes.sort(key=lambda lane: min(node.id for node in lane.nodes.values()))
        for lane in lanes:
            lane.key = self._lane_key(lane)
        return lanes

    def _end(self) -> None:
        """Find the operations that follow the last step, if they take up its states and nothing else of time.

        What only puts states together or in another shape is no such thing.
        """
        last = self.times[-1] if self.times else -1
        found: set[Node] = set()
        for node in self.nodes:
            timed = [arg for arg in node.args if arg in self.step or arg in found]
            if node in self.step or not timed:
                continue
            states = (arg in found or (arg in self.lane and self.step[arg] == last) for arg in timed)
            if all(states):
                found.add(node)
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
            for slot, arg in enumerate(user.args):
                nodes = entries.get((self.key[user], slot))
                if nodes and arg not in self.step:
                    nodes.setdefault(first - 1, arg)

    def _finish(self, lane: LaneNodes) -> None:
        """Add the state after the last step, which no step consumes."""
        ahead = range(max(lane.nodes) + 1, self.times[-1] + 1 if self.times else 0)
        for t in reversed(range(min(lane.nodes))) if lane.reverse else ahead:
            before = lane.nodes.get(t + 1 if lane.reverse else t - 1)
            if before is None:
                break
            found = [n for n in self.steps.get(t, ()) if self.key[n] == self.key.get(before)]
            if not found and before.name is not None:
                found = [n for n in self.steps.get(t, ()) if n.name == before.name and cell_of(n) == cell_of(before)]
            if found:
                lane.nodes[t] = found[0]

    def _lane_key(self, lane: LaneNodes) -> str:
        return self.key.get(lane.last, lane.last.op.name)


def cell_of(node: Node) -> CellKey:
    """Return the layer of the net that `node` belongs to: its scope's labels, layer and direction."""
    return node.scope.labels, node.scope.get("layer"), node.scope.get("direction") == "reverse"


def cell_name(cell: CellKey) -> str:
    """Return `cell` as a prefix for keys."""
    labels, layer, reverse = cell
    parts = (*labels, *(() if layer is None else (f"l{layer}",)), *(("reverse",) if reverse else ()))
    return "".join(f"{part}/" for part in parts)
