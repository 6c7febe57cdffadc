"""Where nodes stand in time when time starts again: an encoder and its decoder, or one piece after another.

A step label alone does not say when a node is computed: a decoder counts its steps from 0 as its encoder did. A net
that takes up what a later step made begins a new phase, and phases stand one behind the other. What only passes a
value on from one place to another (a state stacked, then taken out of the stack again) is that value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from minigrad import Node

CellKey = tuple[tuple[str, ...], object, bool]
"""Labels, layer, and whether the net reads from right to left."""

ROUNDS = 4
"""Most times that the places of what stands between two phases are looked at anew."""

PLUMBING = frozenset({"slice", "reshape", "transpose", "broadcast_to", "cast", "concat"})
"""Operations that compute nothing: they put what is there in another place or shape."""


@dataclass(frozen=True, slots=True)
class _Reach:
    """The latest step behind a node, in which phase, and the earliest step of that phase it came from."""

    phase: int
    t: int
    low: int

    def starts_again(self, node: Node, t: int) -> bool:
        """Tell whether a node of step `t` that takes this up begins a new phase: time passed step t, and went on."""
        if node.of is not None or node.scope.get("direction") == "reverse":
            return False
        return self.t > t and self.low <= max(t, 0)


@dataclass(slots=True)
class Phases:
    """The place of every node that has a step; places are whole numbers, one a step, in the order of time.

    Attributes:
        place: node -> its place; -1 for what is given before the first step.
        told: place -> its phase, and the step it is there; step -1 is what a later phase is given before it starts.
        alias: node -> the node of an earlier place whose value it is.
        starts: the first places of the phases.
    """

    place: dict[Node, int] = field(default_factory=dict)
    told: dict[int, tuple[int, int]] = field(default_factory=dict)
    alias: dict[Node, Node] = field(default_factory=dict)
    starts: tuple[int, ...] = (0,)


def phases(nodes: Sequence[Node], users: Mapping[Node, Sequence[Node]]) -> Phases:
    """Return the places of `nodes`, which come in the order in which they were made."""
    clock = _Clock()
    between: dict[Node, int] = {}
    for _ in range(ROUNDS):
        reach, free = _reached(nodes, clock, between)
        phase_of = {node: reach[node].phase for node in nodes if clock.of(node) is not None}
        if any(phase_of.values()):
            _postponed(nodes, users, reach, free, phase_of)
        before, between = between, _between(nodes, phase_of, reach)
        if between == before:
            break
    found = _numbered({node: reach[node] for node in phase_of}, phase_of, between)
    found.alias = _aliases(nodes, found.place)
    return found


def _reached(nodes: Sequence[Node], clock: _Clock, between: Mapping[Node, int]) -> tuple[dict[Node, _Reach], set[Node]]:
    """Return what every node reaches back to, and the nodes of a step that depend on no other."""
    reach: dict[Node, _Reach] = {}
    free: set[Node] = set()
    for node in nodes:
        t = clock.of(node)
        behind = [reach[arg] for arg in node.args if arg in reach]
        if t is not None:
            anchored = any(arg in reach and (arg not in free or reach[arg].t not in (-1, t)) for arg in node.args)
            phase = max((found.phase + found.starts_again(node, t) for found in behind), default=0)
            low = min([t, *(found.low for found in behind if found.phase == phase)])
            reach[node] = _Reach(phase, t, low)
            free |= set() if anchored else {node}
        elif node in between:
            reach[node] = _Reach(between[node], -1, -1)
        elif behind:
            reach[node] = max(behind, key=lambda found: (found.phase, found.t))
    return reach, free


class _Clock:
    """Reads step labels: where blocks are nested the outermost counts, as a loop round a net of one step does."""

    def __init__(self) -> None:
        self.known: dict[int, int | None] = {}

    def of(self, node: Node) -> int | None:
        """Return the step of `node`, or None."""
        scope = node.scope
        if id(scope) not in self.known:
            steps = (value for key, value in scope.frames if key == "t" and isinstance(value, int))
            self.known[id(scope)] = next(steps, None)
        return self.known[id(scope)]


def _postponed(
    nodes: Sequence[Node],
    users: Mapping[Node, Sequence[Node]],
    reach: Mapping[Node, _Reach],
    free: set[Node],
    phase_of: dict[Node, int],
) -> None:
    """Move what depends on no other step (an input, a given state) to the phase that first uses it."""
    due: dict[Node, int] = {}
    for node in reversed(nodes):
        wanted = []
        for user in users.get(node, ()):
            if user in phase_of:
                again = node in reach and reach[node].starts_again(user, reach[user].t)
                wanted.append(phase_of[user] - again)
            elif user in due:
                wanted.append(due[user])
        if node in free and wanted:
            phase_of[node] = max(phase_of[node], min(wanted))
        elif node not in phase_of and wanted:
            due[node] = min(wanted)


def _between(nodes: Sequence[Node], phase_of: Mapping[Node, int], reach: Mapping[Node, _Reach]) -> dict[Node, int]:
    """Return the operations between two phases, each with the later one: what makes its given states."""
    if not any(phase_of.values()):
        return {}
    leads: dict[Node, int] = {}
    for node in reversed(nodes):
        for arg in () if passed_on(node) else node.args:
            leads[root(arg)] = max(leads.get(root(arg), 0), phase_of.get(node, leads.get(node, 0)))
    gathered: set[Node] = set()
    found: dict[Node, int] = {}
    for node in nodes:
        behind = max((_phase(root(arg), phase_of, reach, found) for arg in node.args), default=0)
        if node in phase_of or node not in reach or leads.get(node, 0) <= behind:
            continue
        stack = node.op.name == "concat" and len(node.args) > 1 and _one_a_step(node, phase_of, reach)
        if stack or any(root(arg) in gathered for arg in node.args):
            gathered.add(node)
        else:
            found[node] = leads[node]
    for node in reversed(nodes):
        for arg in node.args if node in found else ():
            if arg not in found and arg not in phase_of and root(arg) in found:
                found[arg] = found[node]
    return found


def _phase(node: Node, phase_of: Mapping[Node, int], reach: Mapping[Node, _Reach], between: Mapping[Node, int]) -> int:
    """Return the phase that `node` ends: for what stands between two, the earlier."""
    if node in between:
        return between[node] - 1
    return phase_of.get(node, reach[node].phase if node in reach else 0)


def _one_a_step(node: Node, phase_of: Mapping[Node, int], reach: Mapping[Node, _Reach]) -> bool:
    roots = [root(arg) for arg in node.args]
    steps = [reach[one].t for one in roots if one in phase_of]
    return len(set(steps)) == len(roots) and len({cell_of(one) for one in roots}) == 1


def _numbered(timed: Mapping[Node, _Reach], phase_of: Mapping[Node, int], between: Mapping[Node, int]) -> Phases:
    """Give the steps of one phase after the other consecutive places, with one before a phase for what it is given."""
    steps: dict[int, set[int]] = defaultdict(set)
    for node, found in timed.items():
        if found.t >= 0:
            steps[phase_of[node]].add(found.t)
    passed = {
        n for n, found in timed.items() if found.t < 0 and passed_on(n) and (root(n) in timed or root(n) in between)
    }
    given = {phase_of[n] for n, found in timed.items() if found.t < 0 and n not in passed} | set(between.values())
    result = Phases()
    offset: dict[int, int] = {}
    starts: list[int] = []
    after = 0
    for phase in sorted(steps):
        first = min(steps[phase])
        offset[phase] = after + (phase in given) - first if starts else 0
        starts.append(offset[phase] + first)
        after = offset[phase] + max(steps[phase]) + 1
        for t in steps[phase]:
            result.told[offset[phase] + t] = len(starts) - 1, t
        if phase in given and len(starts) > 1:
            result.told[starts[-1] - 1] = len(starts) - 1, -1
    for node, found in timed.items():
        if node in passed:
            continue
        phase = phase_of[node]
        start = starts[sorted(steps).index(phase)] if phase in steps else 0
        result.place[node] = (start - 1 if phase else -1) if found.t < 0 else offset[phase] + found.t
    for node, phase in between.items():
        if phase in steps:
            result.place[node] = starts[sorted(steps).index(phase)] - 1
    result.starts = tuple(starts) or (0,)
    return result


def _aliases(nodes: Sequence[Node], place: dict[Node, int]) -> dict[Node, Node]:
    found = {}
    for node in nodes:
        if not passed_on(node):
            continue
        first = root(node)
        if place.get(first, -1) >= 0 and place.get(node) != place[first] and first is not node:
            found[node] = first
            place.pop(node, None)
    return found


def cell_of(node: Node) -> CellKey:
    """Return the layer of the net that `node` belongs to: its scope's labels, layer and direction."""
    return node.scope.labels, node.scope.get("layer"), node.scope.get("direction") == "reverse"


def cell_name(cell: CellKey) -> str:
    """Return `cell` as a prefix for keys."""
    labels, layer, reverse = cell
    parts = (*labels, *(() if layer is None else (f"l{layer}",)), *(("reverse",) if reverse else ()))
    return "".join(f"{part}/" for part in parts)


def passed_on(node: Node) -> bool:
    """Tell whether `node` is what another node is, in another shape."""
    return _passed(node) is not None


def root(node: Node) -> Node:
    """Return the node whose value `node` is, in another shape perhaps."""
    before = _passed(node)
    while before is not None:
        node, before = before, _passed(before)
    return node


def _passed(node: Node) -> Node | None:
    """Return the argument `node` passes on whole, or the piece of a stack it takes out again."""
    if node.op.name == "reshape" or (node.op.name == "concat" and len(node.args) == 1):
        return node.args[0]
    if node.op.name != "slice":
        return None
    (whole,) = node.args
    if node.size == whole.size:
        return whole
    return _piece(node, whole) if whole.op.name == "concat" else None


def _piece(node: Node, stack: Node) -> Node | None:
    """Return the argument of `stack` that the slice `node` takes out, if it takes out just that."""
    axis = stack.params["axis"]
    first = 0
    for arg in stack.args:
        size = arg.shape[axis]
        entry = node.params["index"][axis]
        whole = (first, first + size, 1) == entry or (size == 1 and entry == first)
        if whole and node.size == arg.size:
            return arg
        first += size
    return None
