"""From a graph and its numbers to a scene: columns, boxes, edges with their gradients, dock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import Edge as Use
from minigrad import Node, Run

from . import words
from .groups import Group, Grouping, Kinds, cells, ops
from .labels import at_step, character, name_of, shape_text
from .measure import Sweep, mark, norm
from .scene import Box, Cell, Column, DockItem, Edge, Lane, Mark, Scene, Tag
from .timeline import CellKey, LaneNodes, cell_name, cell_of
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
    """

    def __init__(self, kinds: Kinds, level: str, run: Run | None, sweep: Sweep | None, names: Names) -> None:
        timeline = kinds.timeline
        self.kinds, self.timeline, self.run, self.sweep, self.names = kinds, timeline, run, sweep, names
        self.grouping: Grouping = cells if level == "cell" else ops
        self.level = level
        self.columns: list[Column] = []
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.cells: list[Cell] = []
        self.dock: dict[str, DockItem] = {}
        self.numbers: dict[Node, str] = {}
        self.undrawn = 0
        self.pills: dict[Node, str] = {}
        self.members: dict[str, list[Node]] = {}
        self.uses: dict[str, list[Use]] = {}
        self.layers = len({cell[1] for cell in self.kinds.cells}) > 1
        self.lane = {lane.key: lane for lane in timeline.lanes}

    def build(self, shown: Sequence[int]) -> None:
        """Add the initial states, the steps `shown`, and a gap wherever steps are left out."""
        self._states("initial", shown[0] - 1 if shown else -1)
        for place, t in enumerate(shown):
            if place and shown[place - 1] < t - 1:
                self._gap(shown[place - 1], t - 1)
            self._step(t)
        if shown:
            self._states("initial", shown[-1] + 1, reverse=True)
        if self.timeline.end is not None and shown:
            self._step(self.timeline.end, "end")

    def finish(self, scene: Scene) -> Scene:
        """Return `scene`, made of these parts, with the words of the view that it shows."""
        return scene

    @property
    def reference(self) -> float:
        """The largest norm on any edge shown."""
        return max((e.mark.norm for e in self.edges if e.mark and e.mark.state == "measured"), default=0.0)

    def docked(self) -> tuple[DockItem, ...]:
        """The parameters shown, in the order in which they were made."""
        made = sorted(self.numbers, key=lambda node: node.id)
        return tuple(self.dock[self.numbers[node]] for node in made)

    def lanes(self) -> tuple[Lane, ...]:
        """The states that run from step to step."""
        return tuple(Lane(lane.key, name_of(lane.name), _kind(lane)) for lane in self.timeline.lanes)

    def _column(self, kind: str, header: Rich, hidden: int = 0) -> int:
        index = len(self.columns)
        self.columns.append(Column(index, kind, header, hidden))  # type: ignore[arg-type]
        return index

    def _states(self, kind: str, t: int, reverse: bool = False) -> None:
        """Add a column of the states at `t`, of the lanes that run that way."""
        found = [(lane, lane.nodes[t]) for lane in self.timeline.lanes if t in lane.nodes and lane.reverse == reverse]
        if found:
            index = self._column(kind, ())
            for lane, node in found:
                self._pill(index, lane, node, t)

    def _state_label(self, lane: LaneNodes, t: int) -> Rich:
        layer = cell_of(lane.last)[1]
        above = str(layer) if self.layers and isinstance(layer, int) else ""
        above = ("←" if lane.reverse else "") + above
        return (*at_step(lane.name, t), *((words.Run(above, "sup"),) if above else ()))

    def _pill(self, column: int, lane: LaneNodes, node: Node, t: int) -> None:
        identity = self.pills[node] = f"{lane.key}.state@{t}"
        self.members[identity] = [node]
        label = self._state_label(lane, t)
        title = self._title(node, plain(label))
        key = f"{lane.key}.state"
        self.boxes.append(Box(identity, column, key, "state", label, title, kind=_kind(lane), lane=lane.key))

    def _gap(self, before: int, last: int) -> None:
        """Add the column that stands for the steps after `before` up to `last`."""
        hidden = last - before
        index = self._column("gap", rich(f"… {plural(hidden, 'step')} …"), hidden)
        for lane in self.timeline.lanes:
            enter, leave = (last + 1, before + 1) if lane.reverse else (before, last)
            if enter not in lane.nodes or leave not in lane.nodes:
                continue
            source, target = lane.nodes[enter], lane.nodes[leave]
            self._pill(index, lane, target, leave)
            uses = self._crossing(source, enter)
            sent, after = self._sent(uses), self._sent(self._crossing(target, leave))
            found = mark(sent, after or 0.0) if sent is not None else None
            if found and found.state == "structural":
                found = Mark("zero", 0.0, 0.0)
            self._edge(f"{lane.key}.state@{enter}", self.pills[target], found, source, uses, hidden=hidden)

    def _crossing(self, node: Node, t: int) -> list[Use]:
        """Return the uses of `node`, made in step `t`, outside of that step."""
        return [use for use in self.timeline.users[node] if self.timeline.step.get(use.user, t + 1) != t]

    def _step(self, t: int, kind: str = "step") -> None:
        header = rich(f"t = {t + 1}") if kind == "step" and self.timeline.timed else ()
        column = self._column(kind, header)
        groups = self.grouping(self.kinds, t)
        owner = {member: group for group in groups for member in group.members}
        for cell in sorted({g.cell for g in groups if g.cell is not None}, key=_storey):
            key = cell_name(cell)
            title = f"{' '.join(cell[0]).upper()} cell" + (f", layer {cell[1]}" if self.layers else "")
            title += ", right to left" if cell[2] else ""
            self.cells.append(Cell(f"{key}cell@{t}", column, f"{key}cell", f"{title}, t = {t + 1}"))
        for group in groups:
            self._group_box(group, column, t, owner)
        for lane in self.timeline.lanes:
            node = lane.nodes.get(t)
            if node in owner:
                self._pill(column, lane, node, t)
        self._fork(groups, column, t)
        self._fan(groups, owner, column, t)
        for group in groups:
            self._inflow(group, owner, t)

    def _group_box(self, group: Group, column: int, t: int, owner: Mapping[Node, Group]) -> None:
        last = group.members[-1]
        self.members[f"{group.key}@{t}"] = group.members
        label, note = group.label, group.note
        if group.role == "input":
            shown = self.names.inputs.get(t)
            label, note = at_step("x", t) if shown is None else (words.Run(character(shown)),), ()
        elif group.role == "loss":
            label = rich("L") if t == self.timeline.end else at_step("L", t)
            note = self.names.remarks.get(t, ())
        elif group.role == "output":
            label = rich("y") if t == self.timeline.end else at_step(last.name or "y", t)
            note = label
        self.boxes.append(
            Box(
                f"{group.key}@{t}",
                column,
                group.key,
                group.role,
                label,
                self._title(last, self._called(group, t)),
                note,
                group.kind,
                "" if group.cell is None else f"{cell_name(group.cell)}cell",
                tags=tuple(self._tags(group, owner, t)),
            )
        )

    def _called(self, group: Group, t: int) -> str:
        named = group.members[-1].name
        return plain(at_step(named, t)) if named else plain(group.label)

    def _title(self, node: Node, called: str) -> str:
        """Return name, op, shape, norms and source line of `node`, for the tooltip."""
        parts = [f"{called} = {node.op.name}", shape_text(node.shape)]
        if self.run is not None and node in self.run and node.dtype.kind == "f":
            parts.append(f"|value| {number(norm(self.run[node]), 3)}")
        if self.sweep is not None and node in self.sweep.adjoints:
            parts.append(f"|adjoint| {number(norm(self.sweep.adjoints[node]), 3)}")
        if self.names.sites:
            parts.append(node.site)
        return one_line(", ".join(parts), 200)

    def _tags(self, group: Group, owner: Mapping[Node, Group], t: int) -> Iterable[Tag]:
        """Return the parameters used by the group, those of the states first, biases last."""
        found: list[tuple[int, str, int, Tag]] = []
        for member in group.members:
            for slot, arg in enumerate(member.args):
                if not isinstance(arg, mg.Parameter):
                    continue
                name = arg.name or "w"
                label = name_of(name, layers=self.layers)
                identity = self._dock(arg, name, label)
                operand, rank = self._operand(member, owner)
                title = f"{plain(label)}, use at t = {t + 1}"
                sent = self._sent([Use(member, slot)])
                if sent is not None:
                    title += f"; contributes {number(sent, 3)} to |dL/d{plain(label)}|"
                tag = Tag(f"{group.key}@{t} {len(found)}", identity, label, title, operand)
                self.uses[tag.id] = [Use(member, slot)]
                found.append((rank, plain(label), len(found), tag))
        return [tag for *_, tag in sorted(found, key=lambda item: item[:3])]

    def _operand(self, member: Node, owner: Mapping[Node, Group]) -> tuple[str, int]:
        """Return the key of what a weight multiplies, and 0 for a state, 1 for anything else, 2 for a bias."""
        product = member
        if member in self.kinds.weight:
            product = next((use.user for use in self.timeline.users[member] if use.user.op.name == "matmul"), member)
        if product.op.name != "matmul":
            return "", 2
        other = next((arg for arg in product.args if arg not in self.kinds.weight), product)
        if other in self.timeline.lane and owner.get(other) is None:
            return self.timeline.lane[other], 0
        return (owner[other].key, 1) if other in owner else ("", 1)

    def _dock(self, parameter: mg.Parameter, name: str, label: Rich) -> str:
        identity = self.numbers.setdefault(parameter, f"parameter {len(self.numbers)}")
        if identity not in self.dock:
            title = f"{one_line(name, 80)}, {shape_text(parameter.shape)}, |value| {number(norm(parameter.value), 3)}"
            if self.sweep is not None and parameter in self.sweep.adjoints:
                title += f", |dL/d{plain(label)}| {number(norm(self.sweep.adjoints[parameter]), 3)}"
            self.members[identity] = [parameter]
            self.dock[identity] = DockItem(identity, label, shape_text(parameter.shape), title)
        return identity

    def _fork(self, groups: Sequence[Group], column: int, t: int) -> None:
        """Bring a state of the step before that several boxes of its cell use to a junction they share."""
        self.forks: dict[tuple[Node, CellKey | None], str] = {}
        for lane in self.timeline.lanes:
            at = t + 1 if lane.reverse else t - 1
            node = lane.nodes.get(at)
            cell = None if node is None else cell_of(lane.last)
            users = [] if node is None else [g for g in groups if g.cell == cell and _uses(g, node)]
            if node is None or len(users) < 2 or self.level == "op":
                continue
            fork = f"{lane.key}.fork@{t}"
            members = {member for group in users for member in group.members}
            uses = [use for use in self.timeline.users[node] if use.user in members]
            sent = self._sent(uses)
            title = self._title(node, plain(self._state_label(lane, at)))
            cell_key = "" if cell is None else f"{cell_name(cell)}cell"
            self.boxes.append(Box(fork, column, f"{lane.key}.fork", "junction", (), title, cell=cell_key))
            self.members[fork] = [node]
            self._edge(f"{lane.key}.state@{at}", fork, mark(sent, sent or 0.0), node, uses)
            self.forks[node, cell] = fork

    def _fan(self, groups: Sequence[Group], owner: Mapping[Node, Group], column: int, t: int) -> None:
        """Join every state of step `t` to the box that makes it, by way of a dot if the cell uses it too."""
        self.fans: dict[Node, str] = {}
        for lane in self.timeline.lanes:
            node = lane.nodes.get(t)
            if node is None or node not in owner:
                continue
            maker = owner[node]
            source, adjoint, uses = f"{maker.key}@{t}", self._adjoint([node]), self.timeline.users[node]
            if self.level == "op":
                uses = self._crossing(node, t)
                sent = self._sent(uses)
                self._edge(source, self.pills[node], mark(sent, sent or 0.0), node, uses)
                continue
            inside = [g for g in groups if g is not maker and g.cell == maker.cell and _uses(g, node)]
            if inside:
                fan = f"{lane.key}.fan@{t}"
                title = self._title(node, plain(self._state_label(lane, t)))
                cell = f"{cell_name(cell_of(node))}cell"
                self.boxes.append(Box(fan, column, f"{lane.key}.fan", "junction", (), title, cell=cell))
                self.fans[node], self.members[fan] = fan, [node]
                self._edge(source, fan, mark(adjoint, adjoint or 0.0), node, uses)
                uses = [use for use in uses if not self._same_cell(use.user, node)]
                source, adjoint = fan, self._sent(uses)
            self._edge(source, self.pills[node], mark(adjoint, adjoint or 0.0), node, uses)

    def _same_cell(self, a: Node, b: Node) -> bool:
        return self.timeline.step.get(a) == self.timeline.step.get(b) and cell_of(a) == cell_of(b)

    def _inflow(self, group: Group, owner: Mapping[Node, Group], t: int) -> None:
        """Add the edges that end in `group`, each with what it sends back."""
        members = set(group.members)
        uses: dict[tuple[str, int], list[Use]] = {}
        for member in group.members:
            for slot, arg in enumerate(member.args):
                source = None if arg in members else self._source(arg, group, owner, t)
                if source is not None:
                    place = slot if self.level == "op" else 0
                    uses.setdefault((source, place), []).append(Use(member, slot))
        adjoint = self._adjoint(self._leaving(group.members))
        for (source, _), found in uses.items():
            sent = self._sent(found)
            cut = self.sweep is not None and all(use.user.op.name == "stop_gradient" for use in found)
            shown = Mark("cut", 0.0, 0.0) if cut else mark(sent, adjoint or 0.0)
            self._edge(source, f"{group.key}@{t}", shown, found[0].argument, found)

    def _source(self, arg: Node, group: Group, owner: Mapping[Node, Group], t: int) -> str | None:
        """Return the box an edge from `arg` to `group` starts at, or None if it is not drawn."""
        if arg in owner:
            same = self.level == "op" or (owner[arg].cell is not None and owner[arg].cell == group.cell)
            if arg in self.pills and not same:
                return self.pills[arg]
            return self.fans.get(arg, f"{owner[arg].key}@{t}")
        if (arg, group.cell) in self.forks:
            return self.forks[arg, group.cell]
        if arg in self.timeline.lane:
            lane, at = self.lane[self.timeline.lane[arg]], self.timeline.step.get(arg, t - 1)
            if lane.reverse and at == t + 1:
                return f"{lane.key}.state@{at}"
            if arg in self.pills and at == t - 1:
                return self.pills[arg]
        if arg in self.timeline.step and arg.args and arg not in self.kinds.weight:
            self.undrawn += 1
        return None

    def _leaving(self, members: Sequence[Node]) -> list[Node]:
        """Return the nodes of a box that others use, or its last."""
        inside = set(members)
        found = [m for m in members if any(use.user not in inside for use in self.timeline.users[m])]
        return found or list(members[-1:])

    def _adjoint(self, nodes: Iterable[Node]) -> float | None:
        if self.sweep is None:
            return None
        found = [self.sweep.adjoints[node] for node in nodes if node in self.sweep.adjoints]
        return norm(*found) if found else None

    def _sent(self, uses: Sequence[Use]) -> float | None:
        """Return the norm of what `uses` send back together; None where no gradient can pass."""
        if self.sweep is None:
            return None
        sums: dict[Node, np.ndarray] = {}
        for use in uses:
            term = self.sweep.sent.get(use)
            if term is not None:
                sums[use.argument] = term if use.argument not in sums else sums[use.argument] + term
        return norm(*sums.values()) if sums else None

    def _edge(
        self, source: str, target: str, found: Mark | None, node: Node, uses: Sequence[Use], hidden: int = 0
    ) -> None:
        called = plain(at_step(node.name, self.timeline.step.get(node, -1))) if node.name else node.op.name
        title = f"{called}, {shape_text(node.shape)}"
        if found and found.state == "measured":
            title += f"; gradient {number(found.norm, 3)} comes back"
            title += f", gain {number(found.gain, 3)}" if math.isfinite(found.gain) else ""
        elif found:
            reason = {
                "zero": "the gradient that arrives is exactly 0",
                "structural": "the gradient stops here: a factor is 0",
                "nonfinite": "the gradient is NaN or infinite",
                "cut": "the gradient is cut here by stop_gradient",
            }
            title += f"; {reason.get(found.state, found.state)}"
        if hidden:
            title += f"; over {plural(hidden, 'hidden step')}"
        identity = f"{source} to {target} {len(self.edges)}"
        self.edges.append(Edge(identity, source, target, one_line(title, 200), found, hidden))
        self.uses[identity] = list(uses)


def _uses(group: Group, node: Node) -> bool:
    return any(arg is node for member in group.members for arg in member.args)


def _storey(cell: CellKey) -> tuple[tuple[str, ...], int, bool]:
    return cell[0], cell[1] if isinstance(cell[1], int) else 0, cell[2]


def _kind(lane: LaneNodes) -> str:
    return lane.name if lane.name in ("h", "c") else ""
