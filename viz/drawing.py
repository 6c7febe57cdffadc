"""`draw`: a graph, unrolled in time, with the gradient that flows back along every edge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import minigrad as mg
from minigrad import Edge, Node, Run
from minigrad.paths import Flow
from rnn import Reading, Unrolled

from . import words
from .assemble import Assembly, Names
from .figure import Figure
from .groups import Kinds
from .labels import character
from .measure import Sweep, backward, norm
from .opened import Opened
from .proof import Proof, prove
from .rolled import Rolled
from .scene import Scene
from .timeline import Timeline
from .words import Rich, number, plural, rich

Level = Literal["cell", "op", "rolled", "open"]
Subject = Node | Sequence[Node] | Unrolled | Reading

LEVELS: tuple[Level, ...] = get_args(Level)
WHOLE = {"cell": 8, "op": 5}
"""How many steps fit on a slide with text one can read; longer sequences show head and tail."""
ENDS = {"cell": 3, "op": 2}
NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(slots=True)
class Study:
    """A subject looked at once: its graph in time, its numbers, and the proof."""

    outputs: list[Node]
    loss: Node | None
    losses: list[Node]
    run: Run | None
    sweep: Sweep | None
    timeline: Timeline
    kinds: Kinds
    kind: str = ""
    text: str = ""
    remarks: dict[int, Rich] = field(default_factory=dict)
    proof: Proof | None = None


@dataclass(slots=True)
class Behind:
    """What a figure was drawn of.

    Attributes:
        members: id of a box or of a parameter -> the nodes it stands for.
        uses: id of an edge or of a tag -> the uses of nodes it stands for.
        sites: whether source lines are told.
        flow: the gradient to be followed path by path; None for the one of the proof.
    """

    study: Study
    members: Mapping[str, Sequence[Node]]
    uses: Mapping[str, Sequence[Edge]]
    sites: bool = True
    flow: Flow | None = None


def draw(
    subject: Subject,
    *,
    level: Level = "cell",
    theme: str = "light",
    steps: int | None = None,
    step: int | None = None,
) -> Figure:
    """Draw `subject` unrolled in time, with its gradient if it has a loss.

    `subject` is a scalar node (its gradient is drawn), a list of nodes, an `rnn.Unrolled` (no loss,
    so no gradient), or what `rnn.read` returns. `level` is `"cell"`, as one draws by hand; `"op"`,
    every operation; `"rolled"`, one cell whose states loop back to it, for all steps; or `"open"`,
    every operation of one step, the others closed, and its equations with the numbers of this run.
    Long sequences show their first and last steps; `steps` says how many steps to show at most.
    `step` says which one is open, counted from 0 as in the scope label `t`; without it the middle one.
    Raises ValueError for a level, theme or step that does not exist, and where a rolled or open view is
    asked of a graph without steps.

    >>> import rnn, viz
    >>> viz.draw(rnn.read("hello", rnn.LSTM))
    <Figure cell: 5 columns, 66 boxes, 80 edges>
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    return figure_of(study(subject), level, theme, steps, step=step)


def study(subject: Subject) -> Study:
    """Evaluate `subject` and carry its gradient back."""
    outputs, loss, losses, kind, text = _subject(subject)
    timeline = Timeline(outputs)
    run = None if any(node.op.name == "input" for node in timeline.nodes) else mg.run(outputs)
    kinds = Kinds(timeline)
    kind = _described(kind or _kind(kinds), kinds)
    found = Study(outputs, loss, losses, run, None, timeline, kinds, kind, text)
    if loss is not None and run is not None:
        given = [lane.first for lane in timeline.lanes]
        leaves = [n for n in timeline.nodes if isinstance(n, mg.Parameter) and n.dtype.kind == "f"]
        found.sweep = backward(loss, [*leaves, *given], run)
        weight = _recurrent_weight(kinds)
        if weight is not None:
            found.proof = prove(losses, weight, timeline.times[-1] + 1, found.sweep)
        found.remarks = _remarks(found)
    return found


def _kind(kinds: Kinds) -> str:
    """Return what the cells of the graph call themselves, if they agree."""
    labels = {label for cell in kinds.cells for label in cell[0][:1]}
    name = labels.pop() if len(labels) == 1 else ""
    return name.upper() if name in ("rnn", "lstm", "gru") else words.one_line(name, 20)


def _described(kind: str, kinds: Kinds) -> str:
    """Return the kind of net with its layers and directions, where there are more than one."""
    found = kinds.cells
    layers = len({cell[:2] for cell in found}) if len({cell[0] for cell in found}) == 1 else 1
    both = "bidirectional " if any(cell[2] for cell in found) else ""
    return (f"{layers}-layer " if layers > 1 else "") + both + (kind or "network")


def _subject(subject: Subject) -> tuple[list[Node], Node | None, list[Node], str, str]:
    if isinstance(subject, Reading):
        kind = type(subject.unrolled.model).__name__
        return [subject.loss], subject.loss, subject.losses, kind, subject.text
    if isinstance(subject, Unrolled):
        states = subject.state if isinstance(subject.state, tuple) else (subject.state,)
        return [subject.outputs, *states], None, [], type(subject.model).__name__, ""
    outputs = [subject] if isinstance(subject, Node) else list(subject)
    if not outputs or not all(isinstance(node, Node) for node in outputs):
        raise TypeError("draw: expects a node, a list of nodes, an rnn.Unrolled or what rnn.read returns")
    loss = outputs[0] if len(outputs) == 1 and outputs[0].shape == () and outputs[0].dtype.kind == "f" else None
    losses = [] if loss is None else _terms(loss)
    return outputs, loss, losses, "", ""


def _terms(loss: Node) -> list[Node]:
    """Return the losses that `loss` adds up, one a step, or itself."""
    terms, stack = [], [loss]
    while stack:
        node = stack.pop()
        if node.op.name in ("add", "add_n") and not isinstance(node.scope.get("t"), int):
            stack += list(reversed(node.args))
        else:
            terms.append(node)
    return terms if all(term.shape == () for term in terms) else [loss]


def _recurrent_weight(kinds: Kinds) -> mg.Parameter | None:
    """Return the first parameter that multiplies a state of the step before."""
    timeline = kinds.timeline
    for node in timeline.nodes:
        if node.op.name != "matmul":
            continue
        t = timeline.step.get(node)
        before = [a for a in node.args if a in timeline.lane and timeline.step.get(a) != t]
        weights = [a for a in node.args if a in kinds.weight]
        if before and weights:
            found = weights[0]
            while found.args:
                found = found.args[0]
            if isinstance(found, mg.Parameter):
                return found
    return None


def _remarks(found: Study) -> dict[int, Rich]:
    """Return what stands beside each loss: the probability of the character that came next, or its value."""
    remarks: dict[int, Rich] = {}
    assert found.run is not None
    for place, loss in enumerate(found.losses):
        t = found.timeline.step.get(loss, place)
        value = float(found.run[loss])
        if found.text:
            following = character(found.text[place + 1])
            remarks[t] = (words.Run(f"p({following}) = {number(math.exp(-value))}"),)
        else:
            remarks[t] = (words.Run(number(value, 3)),)
    return remarks


def scene_of(found: Study, level: Level, steps: int | None = None, *, sites: bool = True) -> Scene:
    """Return the scene of `found` at `level`, tooltips with or without source lines."""
    return _assembled(found, level, steps, sites)[0]


def figure_of(
    found: Study,
    level: Level,
    theme: str = "light",
    steps: int | None = None,
    *,
    sites: bool = True,
    step: int | None = None,
) -> Figure:
    """Return the figure of `found` at `level`, which knows the nodes behind its boxes and edges."""
    scene, parts = _assembled(found, level, steps, sites, step)
    return Figure(scene, theme, Behind(found, parts.members, parts.uses, sites))


def _making(found: Study, level: Level, step: int | None) -> tuple[type[Assembly], Level, list[int]]:
    """Return what assembles a rolled or an open view, from boxes of which level, and the steps it shows."""
    times = found.timeline.times
    if not found.timeline.timed:
        raise ValueError(
            f'level "{level}" needs a graph made in steps (with mg.scope(t=0), mg.scope(t=1) ...); '
            'this one has none: draw it at level "op"'
        )
    if level == "rolled":
        return Rolled, "cell", list(times)
    chosen = times[len(times) // 2] if step is None else step
    if chosen not in times:
        last = plural(len(times), "step")
        raise ValueError(f"step must be one of the {last} of this graph, {times[0]} to {times[-1]}, got {chosen}")
    return Opened, "op", [chosen]


def _assembled(
    found: Study, level: Level, steps: int | None, sites: bool, step: int | None = None
) -> tuple[Scene, Assembly]:
    timeline = found.timeline
    times = timeline.times
    making: type[Assembly] = Assembly
    if level in WHOLE:
        level = level if timeline.timed else "op"
        shown = _shown(times, level, steps)
    else:
        making, level, shown = _making(found, level, step)
    names = Names({t: found.text[t] for t in times} if found.text else {}, found.remarks, sites)
    parts = making(found.kinds, level, found.run, found.sweep, names)
    parts.build(shown)
    count = len(times) if timeline.timed else 0
    scene = Scene(
        level,
        _title(found, count),
        _subtitle(found, level),
        _sentence(found, count),
        () if found.proof is None else (words.Run("✓ " if found.proof.holds else "✗ "), *found.proof.sentence),
        _hidden(times, shown),
        _note(found, parts.undrawn),
        rich("gradient norm |∂L/∂·| (Frobenius):") if found.sweep else (),
        parts.reference,
        tuple(parts.columns),
        parts.lanes(),
        tuple(parts.cells),
        tuple(parts.boxes),
        tuple(parts.edges),
        parts.docked(),
    )
    return parts.finish(scene), parts


def _shown(times: Sequence[int], level: Level, steps: int | None) -> list[int]:
    most = WHOLE[level] if steps is None else max(2, steps)
    if len(times) <= most:
        return list(times)
    ends = ENDS[level] if steps is None else most // 2
    return [*times[: most - ends if steps is not None else ends], *times[-ends:]]


def _title(found: Study, count: int) -> Rich:
    kind = found.kind
    article = "an" if kind in ("RNN", "LSTM") or kind[0] in "aeio" else "a"
    if found.text:
        read, said = (words.one_line(part, 24) for part in (found.text[:-1], found.text[1:]))
        return (words.Run(f"Backpropagation through {article} {kind} reading “{read}”, predicting “{said}”"),)
    what = "Backpropagation through" if found.sweep else "Forward pass of"
    return (words.Run(f"{what} {article} {kind}, {plural(count, 'step')}" if count else f"{what} a graph"),)


def _subtitle(found: Study, level: Level) -> Rich:
    detail = "" if level == "cell" else "Every operation is a box. "
    if not found.sweep:
        return (words.Run(detail + "Edges run forward in time."),)
    parts = (
        detail
        + "Gradient arrows run backward beside the forward edges: "
        + "width is how much arrives, colour what the edge did to it"
    )
    return (words.Run(parts + "." if len(found.losses) < 2 else f"{parts}. "), *_loss_sum(len(found.losses)))


def _loss_sum(count: int) -> Rich:
    """Return what the loss is the sum of, in one piece that no line break parts."""
    if count < 2:
        return ()
    between = "+" if count == 2 else "+ … +"
    said = f"L = L_1 {between} L_{{{count}}}".replace(" ", NO_BREAK)
    return rich(said)


def _sentence(found: Study, count: int) -> Rich:
    """Return the generated sentence: what the gradient does from the last step back to the first."""
    if not count:
        nodes = sum(bool(node.args) for node in found.timeline.nodes)
        return (words.Run(f"{plural(nodes, 'operation')}."),)
    opening = f"{count}-step {found.kind}"
    lanes = found.timeline.lanes
    hidden = next((n.shape[-1] for lane in lanes for n in lane.nodes.values() if n.shape), None)
    opening += f", hidden size {hidden}" if hidden else ""
    sweep = found.sweep
    if sweep is None or not lanes or count < 2:
        return (words.Run(opening + "."),)
    lane = lanes[0].nodes
    steps = [t for t in sorted(lane) if t >= 0 and lane[t] in sweep.adjoints]
    if len(steps) < 2:
        return (words.Run(opening + "."),)
    first, last = steps[0], steps[-1]
    sizes = [norm(sweep.adjoints[lane[t]]) for t in (first, last)]
    name = words.one_line(lanes[0].name, 8)
    ends = [(words.Run(f"|∂L/∂{name}"), words.Run(str(t + 1), "sub"), words.Run("|")) for t in (first, last)]
    if not all(0 < size < math.inf for size in sizes):
        return (words.Run(f"{opening}; "), *ends[0], words.Run(f" is {number(sizes[0])}."))
    ratio = sizes[0] / sizes[1]
    rate = round(abs(math.log10(ratio)) / (last - first), 3)
    trend = f"{'shrinks' if ratio < 1 else 'grows'} by {number(rate)} decades a step" if rate else "keeps its size"
    return (
        words.Run(f"{opening}; "),
        *ends[0],
        words.Run(f" is {number(ratio)} times "),
        *ends[1],
        words.Run(f": going back it {trend}."),
    )


def _hidden(times: Sequence[int], shown: Sequence[int]) -> Rich:
    gaps = [(a, b) for a, b in itertools.pairwise(shown) if b > a + 1]
    if not gaps:
        return ()
    spans = ", ".join(f"t = {a + 2} to {b}" if b > a + 2 else f"t = {b}" for a, b in gaps)
    missing = len(times) - len(shown)
    return (
        words.Run(f"Hidden: {plural(missing, 'step')} ({spans}); the arrows across the gap carry what passes them."),
    )


def _outside(found: Study) -> list[Node]:
    """Return the operations that use a step's result and belong to none."""
    timeline, after = found.timeline, set(found.timeline.step)
    outside = []
    for node in timeline.nodes:
        if node not in timeline.step and any(arg in after for arg in node.args):
            after.add(node)
            outside.append(node)
    return outside


def _note(found: Study, undrawn: int) -> Rich:
    notes = []
    if found.sweep is None:
        notes.append("No gradient: the backward pass was not run.")
    if undrawn:
        notes.append(f"Not drawn: {plural(undrawn, 'edge')} that {'skips' if undrawn == 1 else 'skip'} a step.")
    outside = [node for node in _outside(found) if len(found.losses) < 2 or node is not found.loss]
    if outside:
        names = ", ".join(dict.fromkeys(node.op.name for node in outside))
        notes.append(f"Not drawn: {plural(len(outside), 'operation')} outside the steps ({words.one_line(names, 60)}).")
    return (words.Run(" ".join(notes)),) if notes else ()
