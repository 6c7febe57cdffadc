"""The rolled view: every step folded onto one, the states looping back over a delay of one step.

An edge of this drawing stands for one edge of every step. It may not show the norm of a sum: what the steps send
belongs to different nodes (h_1, h_2 ...), and adding it up would cancel where no gradient cancels. It shows the norm of
all of it side by side, which is the root of the sum over the steps of the squared norms; its gain is that, over the
same of what arrives at the users. Tooltips tell the smallest and the largest step.

Shares of one gradient do add up: where the arrows show them, an edge has the sum over the steps, in which a path counts
each time that it passes.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from minigrad import Edge as Use
from minigrad import Node

from .assemble import Assembly
from .folded import any_name, carried, extremes, general, span
from .labels import shape_text
from .measure import handed_on, mark, norm
from .scene import Box, Cell, Column, ColumnKind, Edge, Mark, RolledScene, Scene, Tag
from .shares import label_of, noted, shared, summed
from .timeline import LaneNodes
from .words import Rich, Run, number, one_line, percent, plain, plural, rich

STEP, BEFORE, AFTER, END = "@t", "@t-1", "@t+1", "@end"
"""Endings of ids: of what happens at a step, of the states that come from the step before or, read backward, after, and
of what follows the last step."""

MOST_LANES, MOST_ROWS = 4, 8
"""States and steps that the table beside the drawing tells of; of more steps, the first and the last."""

HANDED_ON = frozenset({"state", "junction"})
"""Roles of boxes that hand on what arrives: their edges have the gain 1."""


@dataclass(frozen=True, slots=True)
class Unrolled:
    """The parts of the unrolled drawing, and the step of each of its columns."""

    columns: Sequence[Column]
    cells: Sequence[Cell]
    boxes: Sequence[Box]
    edges: Sequence[Edge]
    step: Mapping[int, int]

    def ending(self, box: Box) -> str:
        """Return which part of the rolled drawing `box` is folded onto."""
        return {"step": STEP, "end": END}.get(self.columns[box.column].kind, BEFORE)


class Rolled(Assembly):
    """Assembles all steps, then puts each on the first."""

    def build(self, shown: Sequence[int]) -> None:
        """Add a column for what happens at every step, and columns for the states that come from its neighbours."""
        super().build(shown)
        times = iter(shown)
        step = {column.index: next(times) for column in self.columns if column.kind == "step"}
        self.flat = Unrolled(self.columns, self.cells, self.boxes, self.edges, step)
        self.box = {box.id: box for box in self.boxes}
        self.old, self.old_uses, self.members, self.uses = self.members, self.uses, {}, {}
        self.members |= {item.id: self.old[item.id] for item in self.dock.items}
        self.count, self.fewer, self.within = len(shown), 0, frozenset(shown)
        self.name: dict[str, str] = {}
        self.loops: Counter[str] = Counter()
        self._fold_columns()
        self._fold_cells()
        self._fold_boxes()
        self._given()
        self._fold_edges()
        for lane in self.timeline.lanes:
            self._loop(lane)

    def finish(self, scene: Scene) -> RolledScene:
        """Return `scene` with the words of a rolled drawing."""
        several = self.count > 1
        said = f"One drawing for {plural(self.count, 'step')}"
        said += "; each state comes back to its cell one step later." if self.loops else "."
        subtitle: Rich = (Run(said + " Gradient arrows run backward." * bool(scene.reference)),)
        if self.flow is not None:
            width = (Run(f"{said} Gradient arrows run backward: width is the share of ∂L/∂"), *label_of(self.flow))
            subtitle = (*width, Run(" that passes, colour its sign. Widths add up at every box."))
        hidden = f"Hidden: {plural(self.count - 1, 'step')}, folded onto the one drawn. " if several else ""
        if self.flow is not None and several:
            hidden += (
                f"Every edge stands for {self.count} uses: its share is the sum of theirs, in which a path counts each "
            )
            hidden += "time it passes; tooltips tell the smallest and the largest. "
        elif scene.reference and several:
            hidden += f"Every edge stands for {self.count} uses: width is the root of the sum of their squared norms, "
            hidden += "colour that over the same of what arrived; tooltips tell the smallest and the largest. "
        if self.fewer:
            hidden += f"{self.fewer} of the boxes stand for fewer steps than {self.count}. "
        return RolledScene.of(
            scene,
            level="rolled",
            title=(*scene.title, Run(", rolled")) if several else scene.title,
            subtitle=subtitle,
            hidden=(Run(hidden), *self._said_of_given()),
            norm=self._measured(scene),
            table=tuple(self._table()),
        )

    def _measured(self, scene: Scene) -> Rich:
        """Return what the width of an arrow is."""
        if self.flow is not None:
            return (Run("share of ∂L/∂"), *label_of(self.flow), Run(", all steps:"))
        return rich("√Σ_t |∂L/∂·|² over the steps:") if scene.norm else ()

    def title_of(self, node: Node, called: str) -> str:
        """Return the tooltip of a box that stays as it is: those of single steps would be thrown away."""
        return super().title_of(node, called) if node not in self.timeline.step or self._at_end(node) else ""

    def _at_end(self, node: Node) -> bool:
        return self.timeline.end is not None and self.timeline.step[node] == self.timeline.end

    def _table(self) -> Iterable[tuple[Rich, ...]]:
        """Yield what arrives at the states step by step, gradients or shares: the first and the last of a long
        sequence."""
        lanes = [lane for lane in self.timeline.lanes if lane.key in self.loops]
        times = self.timeline.times
        if (self.sweep is None and self.flow is None) or not 0 < len(lanes) <= MOST_LANES:
            return
        before, after = ("|∂L/∂", "|") if self.flow is None else ("share at ", "")
        yield (Run("t"),), *((Run(before), *self._label(lane, "t"), Run(after)) for lane in lanes)
        ends = times if len(times) <= MOST_ROWS else [*times[: MOST_ROWS // 2], -1, *times[-(MOST_ROWS // 2) :]]
        for t in ends:
            row = ((self._arrives(lane.nodes[t]) if t in lane.nodes else "") if t >= 0 else "…" for lane in lanes)
            yield (Run(str(t + 1) if t >= 0 else "…"),), *((Run(text),) for text in row)

    def _arrives(self, node: Node) -> str:
        """Return what arrives at a state from all that uses it: the norm of the gradient, or its share."""
        if self.flow is None:
            size = self.adjoint([node])
            return "" if size is None else number(size)
        shares = self.flow.edge_shares
        return percent(math.fsum(shares[use] for use in self.timeline.users[node] if use in shares))

    def _said_of_given(self) -> Rich:
        """Return which states are given, and at which step."""
        said: list[Run] = []
        times = self.timeline.times
        for reverse, t in ((False, times[0]), (True, times[-1])):
            given = [lane for lane in self.timeline.lanes if lane.reverse == reverse and lane.key in self.loops]
            for place, lane in enumerate(given):
                said.append(Run(", " if place else f"At t = {t + 1} the given "))
                said += self._label(lane, str(lane.before(t) + 1))
            if given:
                said.append(Run(f" {'comes' if len(given) == 1 else 'come'} in place of the loop. "))
        return tuple(said)

    def _fold_columns(self) -> None:
        lanes = self.timeline.lanes
        places = [BEFORE] * any(not lane.reverse for lane in lanes) + [STEP] + [AFTER] * any(la.reverse for la in lanes)
        places += [END] * any(column.kind == "end" for column in self.flat.columns)
        heads = {STEP: span(list(self.flat.step.values())), END: f"after t = {self.timeline.times[-1] + 1}"}
        kinds: dict[str, ColumnKind] = {STEP: "step", END: "end"}
        self.column = {place: at for at, place in enumerate(places)}
        self.columns = []
        for place in places:
            self.add_column(kinds.get(place, "initial"), (Run(heads[place]),) if place in heads else ())

    def _fold_cells(self) -> None:
        found: dict[str, list[Cell]] = defaultdict(list)
        for cell in self.flat.cells:
            found[cell.key].append(cell)
        self.cells = []
        for key, cells in found.items():
            title = cells[0].title.rsplit(", t = ", 1)[0]
            times = span([self.flat.step.get(cell.column, -1) for cell in cells])
            self.cells.append(Cell(f"{key}{STEP}", self.column[STEP], key, f"{title}, {times}"))

    def _fold_boxes(self) -> None:
        """Add every box of a step, and of what follows the last, once."""
        found: dict[tuple[str, str], list[Box]] = defaultdict(list)
        for box in self.flat.boxes:
            found[box.key, self._held_at(box) if box.role == "bus" else self.flat.ending(box)].append(box)
        self.boxes = []
        for (key, ending), boxes in found.items():
            if ending == BEFORE:
                continue
            identity = f"{key}{ending}"
            self.name |= {box.id: identity for box in boxes}
            self.members[identity] = [node for box in boxes for node in self.old[box.id]]
            self.boxes.append(self._folded_box(identity, ending, boxes))
            self.fewer += ending == STEP and len(boxes) < self.count

    def _held_at(self, bus: Box) -> str:
        """Return where the value of a bus stands, which folded onto one step has no columns to run over: beside what
        reads it."""
        read = {
            self.flat.ending(self.box[edge.target]) for edge in self.flat.edges if self.box[edge.source].key == bus.key
        }
        return END if END in read else STEP

    def _folded_box(self, identity: str, ending: str, boxes: Sequence[Box]) -> Box:
        first = boxes[0]
        t = self.flat.step.get(first.column)
        label, note = first.label, first.note
        if t is not None and first.role == "input":
            label = (Run("x"), Run("t", "sub"))
        elif t is not None and first.role in ("state", "output", "loss"):
            label = general(label, t)
            note = self._sum_of_losses(boxes) if first.role == "loss" else general(note, t)
        elif first.role == "bus":
            first = dataclasses.replace(first, role="function", lane="")
            label = rich("all steps" if ending == END else "held")
        nodes = {self.flat.step.get(box.column, -1): self.old[box.id][-1] for box in boxes}
        return dataclasses.replace(
            first,
            id=identity,
            column=self.column[ending],
            label=label,
            note=note,
            title=first.title if t is None else self._folded_title(any_name(first, label, nodes), nodes),
            tags=tuple(self._folded_tags(identity, boxes)),
        )

    def _sum_of_losses(self, boxes: Sequence[Box]) -> Rich:
        last = [self.old[box.id][-1] for box in boxes]
        if self.run is None or any(node.shape != () for node in last):
            return ()
        total = float(sum(float(self.run[node]) for node in last))
        return (Run("Σ L"), Run("t", "sub"), Run(f" = {number(total, 3)}"))

    def _folded_title(self, called: str, nodes: Mapping[int, Node]) -> str:
        """Return name, op, shape, uses, norms and source line of what `nodes`, one a step, stand for."""
        node = list(nodes.values())[-1]
        parts = [f"{called} = {node.op.name}", shape_text(node.shape), f"{plural(len(nodes), 'use')}"]
        if self.run is not None and node.dtype.kind == "f":
            parts.append(f"|value| {extremes({t: norm(self.run[n]) for t, n in nodes.items() if n in self.run})}")
        if self.sweep is not None:
            adjoints = self.sweep.adjoints
            sizes = {t: norm(adjoints[n]) for t, n in nodes.items() if n in adjoints}
            parts += [f"|adjoint| {extremes(sizes)}"] if sizes else []
        if self.names.sites:
            parts.append(node.site)
        return one_line(", ".join(parts), 240)

    def _folded_tags(self, identity: str, boxes: Sequence[Box]) -> list[Tag]:
        found: dict[tuple[str, int], list[Tag]] = defaultdict(list)
        for box in boxes:
            seen: Counter[str] = Counter()
            for tag in box.tags:
                found[tag.parameter, seen[tag.parameter]].append(tag)
                seen[tag.parameter] += 1
        tags = []
        for place, same in enumerate(found.values()):
            uses = [use for tag in same for use in self.old_uses[tag.id]]
            label = plain(same[0].label)
            title = f"{label}, {plural(len(uses), 'use')}"
            sent = self.sent(uses)
            if sent is not None:
                title += f"; together they contribute {number(sent, 3)} to |dL/d{label}|"
            leaves = summed([tag.mark for tag in same])
            if leaves is not None and leaves.share is not None:
                title += f"; {percent(leaves.share, 3)} of the gradient leaves here"
            name = f"{identity} {place}"
            tags.append(dataclasses.replace(same[0], id=name, title=title, mark=leaves, note=noted(leaves)))
            self.uses[tags[-1].id] = uses
        return tags

    def _given(self) -> None:
        """Add for every lane the state that comes from the step before: the given one at first, then the loop's."""
        pills = {box.lane: box for box in self.flat.boxes if box.role == "state"}
        for lane in self.timeline.lanes:
            pill = pills.get(lane.key)
            nodes = {t: lane.nodes[at] for t in self.flat.step.values() if (at := lane.before(t)) in lane.nodes}
            nodes = {t: n for t, n in nodes.items() if self._onward(lane, n, lane.before(t))}
            if pill is None or not nodes:
                continue
            if lane.reverse:
                label, ending = self._label(lane, "t+1"), AFTER
            else:
                label, ending = self._label(lane, "t−1"), BEFORE
            identity = f"{pill.key}{ending}"
            title = self._folded_title(plain(label), nodes)
            self.members[identity] = list(nodes.values())
            self.boxes.append(
                dataclasses.replace(pill, id=identity, column=self.column[ending], label=label, title=title)
            )

    def _label(self, lane: LaneNodes, step: str) -> Rich:
        t = self.timeline.times[0]
        return general(self.state_label(lane, t), t, step)

    def _onward(self, lane: LaneNodes, node: Node, t: int) -> list[Use]:
        """Return the uses of the state `node` of step `t` in the step that comes next."""
        after = lane.after(t)
        within = after in self.within
        return [use for use in self.timeline.users[node] if within and self.timeline.step.get(use.user) == after]

    def _fold_edges(self) -> None:
        found: dict[tuple[str, str, int], list[Edge]] = defaultdict(list)
        seen: Counter[tuple[str, str, int]] = Counter()
        for edge in self.flat.edges:
            source, target = self.box[edge.source], self.box[edge.target]
            if target.id not in self.name:
                continue
            start = self.name.get(source.id, "")
            if source.role == "bus" and source.column != target.column:
                if start == self.name[target.id]:
                    continue
            elif source.column != target.column and self.flat.ending(target) == STEP:
                start = f"{source.key}{AFTER if self.lane[source.lane].reverse else BEFORE}"
            if self.name[target.id].endswith(END) and start.endswith(STEP) and source.role != "state":
                self.undrawn += 1  # only states reach what follows the last step
                continue
            place = (start, self.name[target.id], target.column)
            found[(*place[:2], seen[place])].append(edge)
            seen[place] += 1
        self._leave_out_rounds(found)
        self.edges = []
        for (start, end, _), edges in found.items():
            uses = [use for edge in edges for use in self.old_uses[edge.id]]
            self._folded_edge(start, end, self._folded_mark(edges), edges, uses)

    def _leave_out_rounds(self, found: dict[tuple[str, str, int], list[Edge]]) -> None:
        """Leave out what fills a held value where that is read on the way to what fills it.

        What the first step makes and all later ones read would, folded onto one step, feed itself.
        """
        graph = nx.DiGraph((start, end) for start, end, _ in found)
        held = {self.name[box.id] for box in self.flat.boxes if box.role == "bus" and box.id in self.name}
        for start, end, place in list(found):
            if end in held and nx.has_path(graph, end, start):
                self.undrawn += len(found.pop((start, end, place)))

    def _folded_mark(self, edges: Sequence[Edge]) -> Mark | None:
        """Return the root of the sum of squares of what the edges send, over that of what arrives at their users."""
        marks = [edge.mark for edge in edges if edge.mark]
        if not marks:
            return None
        if all(found.state == "cut" for found in marks):
            return marks[0]
        if self.flow is not None:
            return summed(marks)
        sent = norm([found.norm for found in marks])
        if self.box[edges[0].target].role in HANDED_ON:
            return handed_on(sent)
        arrives = [self.adjoint(self.leaving(self.old[edge.target])) for edge in edges]
        return mark(sent, norm([size or 0.0 for size in arrives]))

    def _folded_edge(
        self, start: str, end: str, found: Mark | None, edges: Sequence[Edge], uses: Sequence[Use]
    ) -> None:
        called = next((box.label for box in self.boxes if box.id == start), ()) or self.box[edges[0].target].label
        sizes = {self.flat.step.get(self.box[e.target].column, -1): carried(e.mark) for e in edges if e.mark}
        shape = shape_text(uses[0].argument.shape) if uses else ""
        self._add(start, end, found, uses, f"{plain(called)}, {shape}", sizes)

    def _add(
        self, start: str, end: str, found: Mark | None, uses: Sequence[Use], title: str, sizes: Mapping[int, float]
    ) -> None:
        """Add an edge whose tooltip tells what comes back in all, and at the least and the most of its steps."""
        if found is not None and found.state == "measured":
            whole = f"gradient {number(found.norm, 3)} comes back in all (root of the sum of squares)"
            if found.share is not None:
                whole = f"{percent(found.share, 3)} of the gradient passes in all"
            title += f"; {whole}, {extremes(sizes, found.share is not None)}" if len(sizes) > 1 else f"; {whole}"
            title += f"; gain {number(found.gain, 3)}" if found.share is None else ""
        elif found is not None:
            title += f"; {found.state}"
        identity = f"{start} to {end} {len(self.edges)}"
        self.edges.append(Edge(identity, start, end, one_line(title, 240), found))
        self.uses[identity] = list(uses)

    def _loop(self, lane: LaneNodes) -> None:
        """Add the way back of a state: over a delay to where the next step takes it up."""
        uses: dict[int, list[Use]] = {}
        for t, node in lane.nodes.items():
            onward = self._onward(lane, node, t) if t in self.within else []
            if onward:
                uses[t] = onward
        here = f"{lane.key}.state{STEP}"
        if not uses or here not in self.members:
            return
        self.loops[lane.key] = len(uses)
        handed = {t: back for t in uses if (back := self._handed(uses[t])) is not None}
        sizes = {t: carried(back) for t, back in handed.items()}
        sent = norm(list(sizes.values())) if sizes else None
        shown = handed_on(sent) if self.flow is None else summed(list(handed.values()))
        delay, before = f"{lane.key}.delay{STEP}", f"{lane.key}.state{AFTER if lane.reverse else BEFORE}"
        label = plain(self._label(lane, "t"))
        title = f"{label} is handed on to the next step, {plural(len(uses), 'time')}"
        said = (Run(f"delay ×{len(uses)}"),)
        self.boxes.append(Box(delay, self.column[STEP], f"{lane.key}.delay", "delay", said, title))
        self.members[delay] = [lane.nodes[t] for t in uses]
        for start, end in ((here, delay), (delay, before)):
            found = [use for t in uses for use in uses[t]]
            self._add(start, end, shown, found, f"{label}, {plural(len(uses), 'loop')}", sizes)

    def _handed(self, uses: Sequence[Use]) -> Mark | None:
        """Return what comes back to a state from the step that takes it up by `uses`."""
        found = handed_on(self.sent(uses))
        return found if self.flow is None else shared(found, uses, self.flow)
