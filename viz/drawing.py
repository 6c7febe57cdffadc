"""`draw`: a graph, unrolled in time, with the gradient that flows back along every edge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import minigrad as mg
from minigrad import Edge, Node, Run
from minigrad.paths import Flow
from rnn import Reading, Unrolled

from . import engines, shares, words
from .assemble import Assembly, Names
from .figure import Figure
from .groups import Kinds
from .labels import character
from .measure import Sweep, backward, evaluate, norm
from .proof import Proof, prove
from .scene import Measure, Scene
from .timeline import Timeline
from .words import Rich, number, plural, rich

Level = Literal["cell", "op"]
Subject = Node | Sequence[Node] | Unrolled | Reading

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
    shared: Flow | None = None
    """The gradient whose shares the arrows show; None where they show norms."""


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
    flow: Flow | None = None,
    edges: Measure | None = None,
    level: Level = "cell",
    engine: engines.Engine = "lanes",
    theme: str = "light",
    steps: int | None = None,
) -> Figure:
    """Draw `subject` unrolled in time, with its gradient if it has a loss.

    `subject` is a scalar node (its gradient is drawn), a list of nodes, an `rnn.Unrolled` (no loss,
    so no gradient), or what `rnn.read` returns. `level` is `"cell"`, as one draws by hand, or
    `"op"`, every operation. Long sequences show their first and last steps; `steps` says how many
    steps to show at most.

    `edges` says what the gradient arrows show: `"magnitude"`, the norm of what comes back, or `"share"`, the signed
    share of all paths of `flow` through the edge, whose widths add up at every box. By default it is the share where
    a flow is given, which may be of another target or source than the loss and its recurrent weight.

    `engine` says who lays the figure out: `"lanes"`, or `"dot"`, Graphviz, in the same inks.

    Raises ValueError for a level, theme, measure or engine that does not exist, for a flow of another graph, and for
    shares of a subject without a loss; MissingGraphviz where `dot` is not installed, TimeoutError where it takes a
    minute.

    >>> import minigrad as mg, rnn, viz
    >>> reading = rnn.read("hello", rnn.LSTM)
    >>> viz.draw(reading)
    <Figure cell: 5 columns, 66 boxes, 80 edges>
    >>> weight = reading.unrolled.model.parameters["weight_hh_l0"]
    >>> viz.words.plain(viz.draw(reading, flow=mg.flow(reading.loss, weight)).scene.sentence).split(". ")[1]
    'Of what passes from step to step, 74 % on c, 26 % on h'
    """
    if level not in WHOLE:
        raise ValueError(f'level must be "cell" or "op", got {level!r}')
    engines.check(engine)
    return figure_of(study(subject, flow, edges), level, theme, steps, flow=flow, engine=engine)


def study(subject: Subject, flow: Flow | None = None, edges: Measure | None = None) -> Study:
    """Evaluate `subject` and carry its gradient back; where `edges` show shares, that of the target of `flow`.

    Raises ValueError where there are no shares to show.
    """
    if edges not in (None, "magnitude", "share"):
        raise ValueError(f'edges must be "magnitude" or "share", got {edges!r}')
    share = edges == "share" or (edges is None and flow is not None)
    outputs, loss, losses, kind, text = _subject(subject)
    read = losses
    if flow is not None and share and flow.y is not loss:
        outputs, loss = shares.seen(outputs, flow.y), flow.y
        losses = _terms(loss)
    timeline = Timeline(outputs)
    kinds = Kinds(timeline)
    kind = _described(kind or _kind(kinds), kinds)
    found = Study(outputs, loss, losses, evaluate(outputs, flow), None, timeline, kinds, kind, text)
    weight = _recurrent_weight(kinds)
    if loss is not None and loss.shape == () and found.run is not None and (flow is None or flow.seed == 1):
        given = [lane.first for lane in timeline.lanes]
        leaves = [n for n in timeline.nodes if isinstance(n, mg.Parameter) and n.dtype.kind == "f"]
        sources = flow.sources if flow is not None and share else ()
        found.sweep = backward(loss, [*leaves, *given, *sources], found.run)
        if weight is not None:
            found.proof = prove(losses, weight, timeline.times[-1] + 1, found.sweep)
        found.remarks = _remarks(found, read or losses)
    if share:
        known = None if loss is None or found.run is None else loss
        found.shared = flow or shares.default_flow(known, None if found.proof is None else weight, timeline.nodes)
        if found.shared is None:
            raise ValueError(
                "draw: shares are of a gradient, and there is none; give a flow, like mg.flow(loss, weight)"
            )
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


def _remarks(found: Study, losses: Sequence[Node]) -> dict[int, Rich]:
    """Return what stands beside each of `losses`: the probability of the character that came next, or its value."""
    remarks: dict[int, Rich] = {}
    assert found.run is not None
    for place, loss in enumerate(losses):
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
    flow: Flow | None = None,
    engine: engines.Engine = "lanes",
) -> Figure:
    """Return the figure of `found` at `level`, which knows the nodes behind its boxes and edges."""
    scene, parts = _assembled(found, level, steps, sites)
    picture = None if engine == "lanes" else engines.placed(scene)
    return Figure(scene, theme, Behind(found, parts.members, parts.uses, sites, flow or found.shared), picture)


def _assembled(found: Study, level: Level, steps: int | None, sites: bool) -> tuple[Scene, Assembly]:
    timeline = found.timeline
    times = timeline.times
    level = level if timeline.timed else "op"
    shown = _shown(times, level, steps)
    names = Names({t: found.text[t] for t in times} if found.text else {}, found.remarks, sites)
    flow = found.shared
    parts = Assembly(found.kinds, level, found.run, found.sweep, names, None if flow is None else flow.edge_shares)
    parts.build(shown)
    count = len(times) if timeline.timed else 0
    scene = Scene(
        level,
        _title(found, count),
        _subtitle(found, level),
        _sentence(found, count)
        if flow is None
        else shares.sentence(flow, _label(found), timeline, layers=found.kinds.layered),
        _proof(found)
        if flow is None
        else shares.proof(flow, _label(found), parts.boxes, parts.edges, parts.members, parts.uses),
        _hidden(times, shown) if flow is None else shares.hidden(_hidden(times, shown)),
        _note(found, parts.undrawn),
        _measured(found),
        parts.reference,
        tuple(parts.columns),
        parts.lanes(),
        tuple(parts.cells),
        tuple(parts.boxes),
        tuple(parts.edges),
        parts.docked(),
        "magnitude" if flow is None else "share",
    )
    return scene, parts


def _label(found: Study) -> Rich:
    """Return the name of what the gradient is taken in whose shares are shown."""
    return () if found.shared is None else shares.label_of(found.shared, layers=found.kinds.layered)


def _proof(found: Study) -> Rich:
    return () if found.proof is None else (words.Run("✓ " if found.proof.holds else "✗ "), *found.proof.sentence)


def _measured(found: Study) -> Rich:
    """Return what the width of an arrow is."""
    if found.shared is not None:
        return (words.Run("share of ∂L/∂"), *_label(found), words.Run(":"))
    return rich("gradient norm |∂L/∂·| (Frobenius):") if found.sweep else ()


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
    what = "Backpropagation through" if found.sweep or found.shared else "Forward pass of"
    return (words.Run(f"{what} {article} {kind}, {plural(count, 'step')}" if count else f"{what} a graph"),)


def _subtitle(found: Study, level: Level) -> Rich:
    detail = "" if level == "cell" else "Every operation is a box. "
    if found.shared is not None:
        summed = (words.Run(" "), *_loss_sum(len(found.losses))) if len(found.losses) > 1 else ()
        return (words.Run(detail), *shares.subtitle(_label(found)), *summed)
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
    if found.sweep is None and found.shared is None:
        notes.append("No gradient: the backward pass was not run.")
    if undrawn:
        notes.append(f"Not drawn: {plural(undrawn, 'edge')} that {'skips' if undrawn == 1 else 'skip'} a step.")
    outside = [node for node in _outside(found) if len(found.losses) < 2 or node is not found.loss]
    if outside:
        names = ", ".join(dict.fromkeys(node.op.name for node in outside))
        notes.append(f"Not drawn: {plural(len(outside), 'operation')} outside the steps ({words.one_line(names, 60)}).")
    return (words.Run(" ".join(notes)),) if notes else ()
