"""From a graph and its numbers to a scene: columns, boxes, edges with their gradients.

Sequences (buses.py) and parameters (dock.py) add their own. The rolled and the open view assemble the same parts in
another order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minigrad import Edge as Use
from minigrad import Node, Run
from minigrad.paths import Flow

from . import words
from .buses import Bus, looks
from .dock import Dock
from .groups import Group, Grouping, Kinds, cells, ops, tangled
from .labels import above, at_step, character, name_of, shape_text
from .measure import Sweep, handed_on, mark, norm, told
from .scene import Box, Cell, Column, ColumnKind, Edge, Lane, Mark, Scene
from .shares import shared
from .timeline import CellKey, LaneNodes, cell_name
from .values import finite, without_time
from .words import Rich, number, one_line, plain, plural, rich


@dataclass(frozen=True, slots=True)
class Names:
    """What the reader calls things: the characters read, by step, a remark beside each loss, source lines or none."""

    inputs: Mapping[int, str]
    remarks: Mapping[int, Rich]
    sites: bool = True


class Assembly:
    """The parts of a scene, gathered column by column.

    Attributes:
        members: id of a box -> the nodes it stands for; of a dock item -> its parameter.
        uses: id of an edge or a tag -> the uses of nodes it stands for.
        rows: whether a step takes its own states from the boxes that make them, as rows of boxes are drawn; or
            from the states, on which then all of their gradient arrives.

    Given a `flow`, arrows show its shares, or else the norm of what comes back.
    """

    def __init__(
        self,
        kinds: Kinds,
        level: str,
        run: Run | None,
        sweep: Sweep | None,
        names: Names,
        flow: Flow | None = None,
    ) -> None:
        timeline, self.flow = kinds.timeline, flow
        self.kinds, self.timeline, self.run, self.sweep, self.names = kinds, timeline, run, sweep, names
        self.grouping: Grouping = cells if level == "cell" else ops
        self.level, self.rows = level, level == "op"
        self.columns: list[Column] = []
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.cells: list[Cell] = []
        self.undrawn = 0
        self.pills: dict[Node, str] = {}
        self.members: dict[str, list[Node]] = {}
        self.uses: dict[str, list[Use]] = {}
        self.layers = kinds.layered
        self.lane = {lane.key: lane for lane in timeline.lanes}
        self.buses = [Bus(sequence, self) for sequence in timeline.sequences]
        self.dock = Dock(self)

    def build(self, shown: Sequence[int]) -> None:
        """Add the initial states, the steps `shown`, and a gap wherever steps are left out."""
        self.add_states("initial", shown[0] - 1 if shown else -1)
        for place, t in enumerate(shown):
            given = self.timeline.between(t - 1)
            if place and shown[place - 1] < t - 1 - given:
                self._gap(shown[place - 1], t - 1 - given)
            if given:
                self.add_step(t - 1, "end")
            self.add_step(t)
        if shown:
            columns = len(self.columns)
            self.add_states("initial", shown[-1] + 1, reverse=True)
            for bus in self.buses if len(self.columns) > columns else ():
                bus.stop(shown[-1] + 1, None)
        if self.timeline.end is not None and shown:
            self.add_step(self.timeline.end, "end")
        known = {box.id for box in self.boxes}
        drawn = [edge for edge in self.edges if {edge.source, edge.target} <= known]
        self.undrawn += len(self.edges) - len(drawn)
        self.edges = drawn

    def finish(self, scene: Scene) -> Scene:
        """Return `scene`, made of these parts, with the words of the view that it shows."""
        return scene

    @property
    def reference(self) -> float:
        """The largest norm, or share, on any edge or tag shown."""
        marks = [edge.mark for edge in self.edges] + [tag.mark for box in self.boxes for tag in box.tags]
        return max((found.size for found in marks if found and found.state == "measured"), default=0.0)

    def lanes(self) -> tuple[Lane, ...]:
        """The states that run from step to step."""
        return tuple(Lane(lane.key, name_of(lane.name), _kind(lane)) for lane in self.timeline.lanes)

    def add_column(self, kind: ColumnKind, header: Rich, hidden: int = 0) -> int:
        """Add a column and return its index."""
        index = len(self.columns)
        self.columns.append(Column(index, kind, header, hidden))
        return index

    def add_states(self, kind: ColumnKind, t: int, reverse: bool = False) -> None:
        """Add a column of the states at `t`, of the lanes that run that way."""
        found = [(lane, lane.nodes[t]) for lane in self.timeline.lanes if t in lane.nodes and lane.reverse == reverse]
        if found:
            index = self.add_column(kind, ())
            for lane, node in found:
                self.add_state(index, lane, node, t)

    def state_label(self, lane: LaneNodes, t: int) -> Rich:
        """Return the name of the state of step `t`, with its layer and direction."""
        layer = self.timeline.cell(lane.last)[1]
        return (*self.named_at(lane.name, t), *above(layer, lane.reverse, layers=self.layers))

    def named_at(self, name: str, place: int) -> Rich:
        """Return `name` with its step; the second time that time starts, primed."""
        phase, t = self.timeline.told(place)
        return at_step(name + "′" * min(phase, 3), t)

    def add_state(self, column: int, lane: LaneNodes, node: Node, t: int) -> None:
        """Add the box of `node`, the state of `lane` at `t`."""
        identity = self.pills[node] = f"{lane.key}.state@{t}"
        self.members[identity] = [node]
        label = self.state_label(lane, t)
        title = self.title_of(node, plain(label))
        key = f"{lane.key}.state"
        self.boxes.append(Box(identity, column, key, "state", label, title, kind=_kind(lane), lane=lane.key))

    def _gap(self, before: int, last: int) -> None:
        """Add the column that stands for the steps after `before` up to `last`."""
        hidden = sum(before < t <= last for t in self.timeline.times)
        index = self.add_column("gap", rich(f"… {plural(hidden, 'step')} …"), hidden)
        for bus in self.buses:
            bus.stop(last, None, hidden)
        for lane in self.timeline.lanes:
            enter, leave = (last + 1, before + 1) if lane.reverse else (before, last)
            if enter not in lane.nodes or leave not in lane.nodes:
                continue
            source, target = lane.nodes[enter], lane.nodes[leave]
            self.add_state(index, lane, target, leave)
            uses = self.taken_up(source, enter)
            sent, after = self.sent(uses), self.sent(self.crossing(target, leave))
            found = mark(sent, after or 0.0) if sent is not None else None
            if found and found.state == "structural":
                found = Mark("zero", 0.0, 0.0)
            self.add_edge(f"{lane.key}.state@{enter}", self.pills[target], found, source, uses, hidden=hidden)

    def crossing(self, node: Node, t: int) -> list[Use]:
        """Return the uses of `node`, made in step `t`, outside of that step."""
        return [use for use in self.timeline.users[node] if self.timeline.step.get(use.user, t + 1) != t]

    def taken_up(self, node: Node, t: int) -> list[Use]:
        """Return the uses of a state, made in step `t`, by other steps; what gathers it takes it by way of a bus."""
        return [use for use in self.crossing(node, t) if self.bus_of(use.user) is None]

    def add_step(self, t: int, kind: ColumnKind = "step") -> None:
        """Add the column of step `t`: its cells, boxes and states, and the edges that end in them."""
        header = rich(self.timeline.said(t)) if kind == "step" and self.timeline.timed else ()
        column = self.add_column(kind, header)
        groups = self.grouping(self.kinds, t)
        groups = ops(self.kinds, t) if tangled(groups, self.timeline) else groups
        owner = {member: group for group in groups for member in group.members}
        for cell in sorted({g.cell for g in groups if g.cell is not None}, key=_storey):
            key = cell_name(cell)
            title = f"{' '.join(cell[0]).upper()} cell" + (f", layer {cell[1]}" if self.layers else "")
            title += ", right to left" if cell[2] else ""
            self.cells.append(Cell(f"{key}cell@{t}", column, f"{key}cell", f"{title}, {self.timeline.said(t)}"))
        for group in groups:
            self._group_box(group, column, t, owner)
        for lane in self.timeline.lanes:
            node = lane.nodes.get(t)
            if node in owner:
                self.add_state(column, lane, node, t)
            elif node is not None and node is lane.nodes.get(t - 1) and node in self.pills:
                before, uses = self.pills[node], self.crossing(node, self.timeline.step[node])
                self.add_state(column, lane, node, t)
                self.add_edge(before, self.pills[node], handed_on(self.sent(uses)), node, uses)
        for bus in self.buses:
            bus.stop(t, self._maker(bus.sequence.parts.get(t), owner, t))
        self._fork(groups, column, t)
        self._fan(groups, owner, column, t)
        for group in groups:
            self._inflow(group, owner, t)

    def _group_box(self, group: Group, column: int, t: int, owner: Mapping[Node, Group]) -> None:
        last = group.members[-1]
        self.members[f"{group.key}@{t}"] = group.members
        label, note = group.label, group.note
        if not self.timeline.timed:
            label, note = without_time(group, self.run, self.sweep)
        elif group.role == "input":
            shown = self.names.inputs.get(t)
            label, note = self.named_at("x", t) if shown is None else (words.Run(character(shown)),), ()
        elif group.role == "loss":
            label = rich("L") if t == self.timeline.end else at_step("L", self.timeline.told(t)[1])
            note = self.names.remarks.get(t, ())
        elif group.role == "output":
            label = rich("y") if t == self.timeline.end else self.named_at(last.name or "y", t)
            note = label
        self.boxes.append(
            Box(
                f"{group.key}@{t}",
                column,
                group.key,
                group.role,
                label,
                self.title_of(last, self._called(group, t)),
                note,
                group.kind if self.timeline.timed or finite(last, self.run) else "nan",
                "" if group.cell is None else f"{cell_name(group.cell)}cell",
                tags=self.dock.tags(group, owner, t),
                looks=looks(group, self),
            )
        )

    def _called(self, group: Group, t: int) -> str:
        named = group.members[-1].name
        if named and not self.timeline.timed:
            return plain(name_of(named))
        return plain(self.named_at(named, t)) if named else plain(group.label)

    def title_of(self, node: Node, called: str) -> str:
        """Return name, op, shape, norms and source line of `node`, for the tooltip."""
        parts = [f"{called} = {node.op.name}", shape_text(node.shape)]
        if self.run is not None and node in self.run and node.dtype.kind == "f":
            parts.append(f"|value| {number(norm(self.run[node]), 3)}")
        if self.sweep is not None and node in self.sweep.adjoints:
            parts.append(f"|adjoint| {number(norm(self.sweep.adjoints[node]), 3)}")
        if self.names.sites:
            parts.append(node.site)
        return one_line(", ".join(parts), 200)

    def _fork(self, groups: Sequence[Group], column: int, t: int) -> None:
        """Bring a state of the step before that several boxes of its cell use to a junction they share."""
        self.forks: dict[tuple[Node, CellKey | None], str] = {}
        for lane in self.timeline.lanes:
            at = lane.before(t)
            node = lane.nodes.get(at)
            cell = None if node is None else self.timeline.cell(lane.last)
            users = [] if node is None else [g for g in groups if g.cell == cell and self._uses(g, node)]
            if node is None or len(users) < 2 or self.level == "op":
                continue
            fork = f"{lane.key}.fork@{t}"
            members = {member for group in users for member in group.members}
            uses = [use for use in self.timeline.users[node] if use.user in members]
            title = self.title_of(node, plain(self.state_label(lane, at)))
            cell_key = "" if cell is None else f"{cell_name(cell)}cell"
            self.boxes.append(Box(fork, column, f"{lane.key}.fork", "junction", (), title, cell=cell_key))
            self.members[fork] = [node]
            self.add_edge(f"{lane.key}.state@{at}", fork, handed_on(self.sent(uses)), node, uses)
            self.forks[node, cell] = fork

    def _fan(self, groups: Sequence[Group], owner: Mapping[Node, Group], column: int, t: int) -> None:
        """Join every state of step `t` to the box that makes it, by way of a dot if the cell uses it too."""
        self.fans: dict[Node, str] = {}
        for lane in self.timeline.lanes:
            node = lane.nodes.get(t)
            if node is None or node not in owner:
                continue
            maker = owner[node]
            source, adjoint, uses = f"{maker.key}@{t}", self.adjoint([node]), self.timeline.users[node]
            inside = [g for g in groups if g is not maker and g.cell == maker.cell and self._uses(g, node)]
            if inside and self.level != "op":
                fan = f"{lane.key}.fan@{t}"
                title = self.title_of(node, plain(self.state_label(lane, t)))
                cell = f"{cell_name(self.timeline.cell(node))}cell"
                self.boxes.append(Box(fan, column, f"{lane.key}.fan", "junction", (), title, cell=cell))
                self.fans[node], self.members[fan] = fan, [node]
                self.add_edge(source, fan, handed_on(adjoint), node, uses)
                # Outside of any cell, what uses the state takes it from the pill.
                near = (maker, *inside) if maker.cell is not None else (maker,)
                taken = {member for group in near for member in group.members}
                uses = [use for use in uses if use.user not in taken]
                source, adjoint = fan, self.sent(uses)
            if self.rows:
                uses = self.crossing(node, t)
                adjoint = self.sent(uses)
            self.add_edge(source, self.pills[node], handed_on(adjoint), node, uses)

    def _uses(self, group: Group, node: Node) -> bool:
        return any(arg is node for member in group.members for arg in self.timeline.args(member))

    def bus_of(self, node: Node) -> Bus | None:
        """Return the bus that shows `node`, if one does."""
        return next((bus for bus in self.buses if node in bus.whole), None)

    def _maker(self, node: Node | None, owner: Mapping[Node, Group], t: int) -> str | None:
        """Return the box that shows `node` in the column of step `t`: its state, or what makes it."""
        if node is None:
            return None
        return self.pills.get(node) or (f"{owner[node].key}@{t}" if node in owner else None)

    def _inflow(self, group: Group, owner: Mapping[Node, Group], t: int) -> None:
        """Add the edges that end in `group`, each with what it sends back."""
        members = set(group.members)
        uses: dict[tuple[str, int], list[Use]] = {}
        for member in group.members:
            for slot, arg in enumerate(self.timeline.args(member)):
                source = None if arg in members else self._source(arg, group, owner, t)
                if source is not None:
                    place = slot if self.level == "op" else 0
                    uses.setdefault((source, place), []).append(Use(member, slot))
        adjoint = self.adjoint(self.leaving(group.members))
        for (source, _), found in uses.items():
            sent = self.sent(found)
            cut = self.sweep is not None and all(use.user.op.name == "stop_gradient" for use in found)
            shown = Mark("cut", 0.0, 0.0) if cut else mark(sent, adjoint or 0.0)
            self.add_edge(source, f"{group.key}@{t}", shown, found[0].argument, found)

    def _source(self, arg: Node, group: Group, owner: Mapping[Node, Group], t: int) -> str | None:
        """Return the box an edge from `arg` to `group` starts at, or None if it is not drawn."""
        bus = self.bus_of(arg)
        if bus is not None and arg not in owner:
            return bus.enter or None
        if arg in owner:
            same = self.rows or (owner[arg].cell is not None and owner[arg].cell == group.cell)
            if arg in self.pills and not same:
                return self.pills[arg]
            return self.fans.get(arg, f"{owner[arg].key}@{t}")
        if (arg, group.cell) in self.forks:
            return self.forks[arg, group.cell]
        if arg in self.timeline.lane:
            lane, at = self.lane[self.timeline.lane[arg]], self.timeline.step.get(arg, t - 1)
            if lane.nodes.get(t) is arg and lane.nodes.get(t - 1) is arg:
                return f"{lane.key}.state@{t - 1}"
            if lane.reverse and at == t + 1:
                return f"{lane.key}.state@{at}"
            if arg in self.pills and (at == t - 1 or lane.nodes.get(t - 1) is arg):
                return self.pills[arg]
        if arg in self.timeline.step and arg.args and arg not in self.kinds.weight:
            self.undrawn += 1
        return None

    def leaving(self, members: Sequence[Node]) -> list[Node]:
        """Return the nodes of a box that others use, or its last."""
        inside = set(members)
        found = [m for m in members if any(use.user not in inside for use in self.timeline.users[m])]
        return found or list(members[-1:])

    def adjoint(self, nodes: Iterable[Node]) -> float | None:
        """Return the norm of the adjoints of `nodes` together; None where no gradient arrives."""
        if self.sweep is None:
            return None
        found = [self.sweep.adjoints[node] for node in nodes if node in self.sweep.adjoints]
        return norm(*found) if found else None

    def sent(self, uses: Sequence[Use]) -> float | None:
        """Return the norm of what `uses` send back together; None where no gradient can pass."""
        if self.sweep is None:
            return None
        sums: dict[Node, np.ndarray] = {}
        for use in uses:
            bus = self.bus_of(use.argument)
            term = self.sweep.sent.get(use) if bus is None else bus.sent([use])
            target = self.timeline.alias.get(use.argument, use.argument) if bus is None else bus.sequence.node
            if term is not None:
                sums[target] = term if target not in sums else sums[target] + np.reshape(term, sums[target].shape)
        return norm(*sums.values()) if sums else None

    def add_edge(
        self, source: str, target: str, found: Mark | None, node: Node, uses: Sequence[Use], hidden: int = 0
    ) -> None:
        """Add an edge that stands for `uses` of `node`; `found` is what comes back, where no shares are shown."""
        called = plain(self.named_at(node.name, self.timeline.step.get(node, -1))) if node.name else node.op.name
        title = f"{called}, {shape_text(node.shape)}"
        found = found if self.flow is None else shared(found, uses, self.flow)
        title += f"; {told(found)}" if found else ""
        if hidden:
            title += f"; over {plural(hidden, 'hidden step')}"
        identity = f"{source} to {target} {len(self.edges)}"
        self.edges.append(Edge(identity, source, target, one_line(title, 200), found, hidden))
        self.uses[identity] = list(uses)


def _storey(cell: CellKey) -> tuple[tuple[str, ...], int, bool]:
    return cell[0], cell[1] if isinstance(cell[1], int) else 0, cell[2]


def _kind(lane: LaneNodes) -> str:
    return lane.name if lane.name in ("h", "c") else ""
