"""From nodes to boxes: what one step shows at each level of detail.

At level "op" every operation is a box. At level "cell" the linear plumbing (products with weights,
biases, slices) is joined into one affine box a layer, everything between the last layer and the
loss into an output and a loss; what is left are the gates and signs a lecturer draws. Decided by
what the operations are and how they hang together, so that it holds for any cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import minigrad as mg
from minigrad import Edge, Node

from .labels import constant_text, name_of, symbol
from .scene import Role
from .timeline import PLUMBING, CellKey, Timeline
from .words import Rich, Run

SIGNS = frozenset({"add", "add_n", "mul", "sub", "div"})
GATES = frozenset("figorzn")


@dataclass(slots=True)
class Group:
    """The nodes one box stands for."""

    key: str
    role: Role
    label: Rich
    members: list[Node]
    note: Rich = ()
    kind: str = ""
    cell: CellKey | None = None
    weights: list[Edge] = field(default_factory=list)


class Kinds:
    """What the nodes of a timeline are to a figure: weights, affine maps, cells."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.cells: list[CellKey] = []
        for lane in timeline.lanes:
            for node in lane.nodes.values():
                cell = timeline.cell(node)
                if cell not in self.cells and any(cell[0]):
                    self.cells.append(cell)
        self.handed = {sequence.node for sequence in timeline.sequences if not sequence.stacked}
        self.weight: set[Node] = set()
        self.affine: set[Node] = set()
        self.stage: dict[Node, int] = {}
        """For every node of a step how many affine maps of its cell, each behind something else, lie behind it."""
        for node in timeline.nodes:
            self._classify(node)
        self.feeds: set[Node] = set()
        """What a step computes before its cells: a path leads from there into a cell of the same step."""
        self.making: set[Node] = set()
        """What leads to a state within its step, states included."""
        self.losing: set[Node] = set()
        """What leads to a number within its step."""
        for node in reversed(timeline.nodes):
            at = timeline.step.get(node, -1)
            users = [edge.user for edge in timeline.users[node] if timeline.step.get(edge.user, -1) == at]
            if node in timeline.lane or any(user in self.making for user in users):
                self.making.add(node)
            leads = any(user in self.feeds or self.inside(user) for user in users)
            if leads or timeline.between(at) or node in self.making:
                self.feeds.add(node)
            if not node.shape or any(user in self.losing for user in users):
                self.losing.add(node)

    def _classify(self, node: Node) -> None:
        name, args = node.op.name, node.args
        if isinstance(node, mg.Parameter) or (args and name in PLUMBING and all(a in self.weight for a in args)):
            self.weight.add(node)
        elif (
            (name == "matmul" and any(arg in self.weight for arg in args))
            or (name == "mul" and self.timeline.timed and sum(arg in self.weight for arg in args) == 1)
            or (name in PLUMBING and args and args[0] in self.affine and self._together(node, args[0]))
            or (name in ("add", "add_n") and self._sum_of_affine(node))
        ):
            self.affine.add(node)
        self._stage(node)

    def _stage(self, node: Node) -> None:
        behind = [arg for arg in node.args if arg.args and arg in self.stage and self._together(node, arg)]
        rising = node in self.affine
        self.stage[node] = max((self.stage[a] + (rising and a not in self.affine) for a in behind), default=0)

    @property
    def layered(self) -> bool:
        """Whether the net has several layers, so that names say which."""
        return len({cell[1] for cell in self.cells}) > 1

    def inside(self, node: Node) -> bool:
        """Tell whether `node` belongs to a cell: a loss made in the cell's own block stands outside."""
        return self.timeline.cell(node) in self.cells and (node in self.making or node not in self.losing)

    def is_merge(self, node: Node) -> bool:
        """Tell whether `node` joins the two directions of a net."""
        return node.scope.get("role") == "merge" and self.timeline.cell(node) not in self.cells

    def _sum_of_affine(self, node: Node) -> bool:
        parts = [arg for arg in node.args if arg not in self.weight]
        return bool(parts) and all(arg in self.affine and self._together(node, arg) for arg in parts)

    def _together(self, a: Node, b: Node) -> bool:
        step = self.timeline.step
        return step.get(a) == step.get(b) and self.timeline.cell(a) == self.timeline.cell(b)

    def looks(self, node: Node) -> bool:
        """Tell whether `node` belongs to an attention."""
        return "attention" in node.scope.labels

    def is_given(self, node: Node) -> bool:
        """Tell whether `node` is a constant that a cell reads as it reads an input."""
        if node.op.name != "constant" or node.dtype.kind != "f" or node in self.timeline.lane:
            return False
        if not node.shape and node.name is None:
            return False
        return any(
            edge.user.op.name in ("concat", "matmul", "mul") and (edge.user in self.feeds or edge.user in self.affine)
            for edge in self.timeline.users[node]
        )

    def is_input(self, node: Node) -> bool:
        """Tell whether `node` only picks out a piece of what was given from outside of time."""
        if not node.args:
            return node.op.name == "input"
        if node in self.timeline.alias:
            return False
        args, step = self.timeline.args(node), self.timeline.step
        if node.op.name == "slice" and args[0] in self.handed and step.get(args[0]) != step.get(node):
            return True
        made = [arg for arg in args if arg.op.name != "constant"]
        outside = all(arg not in step and arg not in self.timeline.after for arg in made)
        return outside and node.op.name in PLUMBING and not any(arg in self.weight for arg in node.args)


Grouping = Callable[[Kinds, int], list[Group]]


def ops(kinds: Kinds, t: int) -> list[Group]:
    """Return one group for every operation of step `t`."""
    groups = []
    for node in kinds.timeline.steps.get(t, []):
        leaf = _leaf(kinds, node)
        if leaf is not None:
            groups += leaf
            continue
        role: Role = "input" if kinds.is_input(node) else "op"
        label: Rich = (Run(symbol(node)),)
        if node.name is not None:
            label = (*name_of(node.name), Run(" = "), *label)
        group = _group(kinds, role, label, [node])
        if node.op.name == "transpose" and any(isinstance(arg, mg.Parameter) for arg in node.args):
            group.kind = "postfix"
        elif node.name in GATES or node.name in ("h", "c", "L"):
            group.kind = str(node.name)
        groups.append(group)
    return groups


def _leaf(kinds: Kinds, node: Node) -> list[Group] | None:
    """Return the box of a parameter or constant, if it has one; None for other nodes.

    In time, parameters stand in the dock and constants in no place. A graph without time shows what it is made of.
    """
    if node.op.name not in ("parameter", "constant"):
        return None
    if kinds.timeline.timed:
        return []
    if node.op.name == "parameter":
        return [_group(kinds, "parameter", name_of(node.name or "w"), [node])]
    if node.name is not None:
        return [_group(kinds, "input", name_of(node.name), [node])]
    return [_group(kinds, "constant", (Run(constant_text(node)),), [node])] if node.shape else []


def cells(kinds: Kinds, t: int) -> list[Group]:
    """Return the groups of step `t` as a lecturer would draw them."""
    timeline = kinds.timeline
    groups: dict[Node, Group] = {}
    found: list[Group] = []
    for node in timeline.steps.get(t, []):
        given = kinds.is_given(node)
        if node.op.name == "parameter" or (node.op.name == "constant" and not given) or node in kinds.weight:
            continue
        if _cuts(timeline, node, t):
            continue
        inside = kinds.inside(node)
        joins = _neighbours(kinds, node, groups, inside or node in kinds.feeds)
        if joins and not _circular(joins, node):
            _join(joins, node, groups, found)
            continue
        role = "input" if given else _role(kinds, node, inside or node in kinds.feeds)
        label = (Run(symbol(node)),)
        group = _group(kinds, role, label, [node])
        found.append(group)
        groups[node] = group
    for node in reversed(timeline.steps.get(t, [])):
        if (node in kinds.weight and node.args) or _cuts(timeline, node, t):
            user = next((groups[e.user] for e in timeline.users[node] if e.user in groups), None)
            if user is not None:
                groups[node] = user
                user.members.insert(0, node)
    for group in found:
        _finish(kinds, group)
    return found


def _cuts(timeline: Timeline, node: Node, t: int) -> bool:
    """Tell whether `node` cuts the gradient at an edge into step `t`, and is drawn as the bar across it."""
    return node.op.name == "stop_gradient" and any(timeline.step.get(e.user) == t for e in timeline.users[node])


def tangled(groups: list[Group], timeline: Timeline) -> bool:
    """Tell whether the groups feed each other in a circle, so that no order of their boxes shows what feeds what."""
    owner = {member: place for place, group in enumerate(groups) for member in group.members}
    behind = [
        {owner[arg] for member in group.members for arg in timeline.args(member) if arg in owner} - {place}
        for place, group in enumerate(groups)
    ]
    done: set[int] = set()
    while ready := [place for place in range(len(groups)) if place not in done and behind[place] <= done]:
        done |= set(ready)
    return len(done) < len(groups)


def _neighbours(kinds: Kinds, node: Node, groups: dict[Node, Group], inside: bool) -> list[Group]:
    """Return the groups that `node` belongs to: of its arguments, or none if it starts one."""
    near = []
    for arg in node.args:
        group = groups.get(arg)
        if group is None or group in near or kinds.timeline.cell(arg) != kinds.timeline.cell(node):
            continue
        affine = node in kinds.affine and arg in kinds.affine and kinds.stage[node] == kinds.stage[arg]
        merge = kinds.is_merge(arg)
        tail = not inside and (kinds.is_merge(node) if merge else group.role == "loss")
        same = kinds.looks(node) or (node in kinds.feeds and node.op.name in PLUMBING and len(node.args) == 1)
        if affine or tail or (same and group.cell is None):
            near.append(group)
    return near


def _circular(joins: Sequence[Group], node: Node) -> bool:
    """Tell whether `node` and the groups `joins`, as one box, would feed something that feeds that box again."""
    inside = {node, *(member for group in joins for member in group.members)}
    oldest = min(member.id for member in inside)
    stack = [arg for member in inside for arg in member.args if arg not in inside]
    seen = set(stack)
    while stack:
        for arg in stack.pop().args:
            if arg in inside:
                return True
            if arg.id > oldest and arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return False


def _join(joins: list[Group], node: Node, groups: dict[Node, Group], found: list[Group]) -> None:
    first = joins[0]
    for other in joins[1:]:
        first.members += other.members
        for member in other.members:
            groups[member] = first
        found.remove(other)
    first.members.append(node)
    groups[node] = first


def _role(kinds: Kinds, node: Node, inside: bool) -> Role:
    if kinds.is_input(node):
        return "input"
    if kinds.looks(node):
        return "attention"
    if node in kinds.affine:
        return "affine" if inside else "output"
    if kinds.is_merge(node) or (node.op.name == "concat" and kinds.timeline.cell(node) not in kinds.cells):
        return "function"
    if not inside and node in kinds.losing:
        return "loss"
    if node.op.name in SIGNS and len(symbol(node)) == 1:
        return "op" if any(isinstance(arg, mg.Parameter) for arg in node.args) else "pointwise"
    if len(node.args) == 1 and node.name is not None and node not in kinds.timeline.lane:
        return "gate"
    return "function" if len(node.args) == 1 or node.op.name in SIGNS else "op"


def _group(kinds: Kinds, role: Role, label: Rich, members: list[Node]) -> Group:
    node = members[0]
    cell: CellKey | None = kinds.timeline.cell(node)
    cell = cell if kinds.inside(node) and role != "input" else None
    return Group(kinds.timeline.key[node], role, label, members, cell=cell)


def _finish(kinds: Kinds, group: Group) -> None:
    """Order the members, and name the group after what leaves it."""
    group.members.sort(key=lambda node: node.id)
    last = group.members[-1]
    named = next((node for node in reversed(group.members) if node.name is not None), last)
    group.key = kinds.timeline.key[named]
    if group.role == "affine" and not any(isinstance(a, mg.Parameter) for m in group.members for a in m.args):
        group.label = _weights_of(kinds, group)
    if group.role == "attention":
        group.label = (Run("attention"),)
    if group.role == "gate":
        group.note, group.label = group.label, name_of(named.name or "")
        group.kind = named.name if named.name in GATES else ""


def _weights_of(kinds: Kinds, group: Group) -> Rich:
    """Return the names of the parameters whose pieces, taken elsewhere, an affine map multiplies with."""
    found: dict[Node, None] = {}
    for member in group.members:
        for arg in member.args:
            while arg in kinds.weight and arg.args:
                arg = arg.args[0]
            if isinstance(arg, mg.Parameter):
                found[arg] = None
    label: list[Run] = []
    for place, parameter in enumerate(found):
        label += [Run(" ")] if place else []
        label += name_of(parameter.name or "w", layers=kinds.layered)
    return tuple(label) or (Run("affine"),)
