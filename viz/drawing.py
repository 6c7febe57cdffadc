"""`draw`: a graph, unrolled in time, with the gradient that flows back along every edge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

import minigrad as mg
from minigrad import Edge, Node, Run
from minigrad.paths import Flow
from rnn import Reading, Unrolled

from . import engines, shares, words
from .assemble import Assembly, Names
from .collector import uncollected
from .figure import Figure
from .groups import Kinds
from .labels import character, name_of, short
from .measure import Sweep, backward, evaluate, norm
from .opened import Opened
from .phases import passed_on
from .proof import Proof, prove, prove_uses
from .rolled import Rolled
from .scene import Measure, Scene
from .telling import Telling, telling
from .timeline import ENCODER, Timeline
from .words import Rich, number, plural, rich

Level = Literal["cell", "op", "rolled", "open"]
Subject = Node | Sequence[Node] | Unrolled | Reading

LEVELS: tuple[Level, ...] = get_args(Level)
WHOLE = {"cell": 8, "op": 5}
"""How many steps fit on a slide with text one can read; longer sequences show head, tail and the most telling steps."""
FEW = {"cell": 6, "op": 4}
"""How many steps a longer sequence shows of its two ends, if it shows nothing between."""
ROOM = 1.5
"""How many of these a step between them takes the place of, with the gap beside it."""
MOST_TELLING = 4
MOST_DERIVATIVES = 4
"""Most derivatives told in the sentence of a graph without time."""


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
    step: int | None = None,
) -> Figure:
    """Draw `subject` unrolled in time, with its gradient if it has a loss.

    A graph whose nodes have no step (see `mg.scope`) is drawn operation by operation, with values and derivatives.
    A net that reads what a later step of another made, as a decoder does, stands behind it in columns of its own.

    `subject` is a scalar node (its gradient is drawn), a list of nodes, an `rnn.Unrolled` (no loss,
    so no gradient), or what `rnn.read` returns. `level` is `"cell"`, as one draws by hand; `"op"`,
    every operation; `"rolled"`, one cell whose states loop back to it, for all steps; or `"open"`,
    every operation of one step, the others closed, and its equations with the numbers of this run.
    Long sequences show their first and last steps and those that change the gradient most; `steps` says
    how many steps to show at most. `step` says which one is open, counted from 0 as in the scope label
    `t`; without it the middle one.

    `edges` says what the gradient arrows show: `"magnitude"`, the norm of what comes back, or `"share"`, the signed
    share of all paths of `flow` through the edge, whose widths add up at every box. By default it is the share where
    a flow is given, which may be of another target or source than the loss and its recurrent weight.

    `engine` says who lays the figure out: `"lanes"`, or `"dot"`, Graphviz, in the same inks.

    Raises ValueError for a level, theme, measure or engine that does not exist, for a rolled or an open view of a graph
    without steps or of several nets in a row, for a flow of another graph, and for shares of a subject without a loss;
    MissingGraphviz where `dot` is not installed, TimeoutError where it takes a minute.

    >>> import minigrad as mg, rnn, viz
    >>> reading = rnn.read("hello", rnn.LSTM)
    >>> viz.draw(reading)
    <Figure cell: 5 columns, 66 boxes, 80 edges>
    >>> weight = reading.unrolled.model.parameters["weight_hh_l0"]
    >>> viz.words.plain(viz.draw(reading, flow=mg.flow(reading.loss, weight)).scene.sentence).split(". ")[1]
    'Of what passes from step to step, 74 % on c, 26 % on h'
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    engines.check(engine)
    return figure_of(study(subject, flow, edges), level, theme, steps, flow=flow, engine=engine, step=step)


@uncollected()
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
    losses = losses if timeline.timed or loss is None else [loss]
    run = evaluate(outputs, flow)
    kinds = Kinds(timeline)
    kind = _described(kind or _kind(kinds), kinds)
    found = Study(outputs, loss, losses, run, None, timeline, kinds, kind, text)
    weight = _recurrent_weight(kinds)
    if loss is not None and loss.shape == () and run is not None and (flow is None or flow.seed == 1):
        given = [lane.first for lane in timeline.lanes]
        leaves = [n for n in timeline.nodes if isinstance(n, mg.Parameter) and n.dtype.kind == "f"]
        sources = flow.sources if flow is not None and share else ()
        found.sweep = backward(loss, [*leaves, *given, *sources], run)
        if not timeline.timed:
            found.proof = prove_uses(loss, found.sweep, run)
        elif weight is not None:
            found.proof = prove(losses, weight, timeline.times[-1] + 1, found.sweep, run)
        found.remarks = _remarks(found, read or losses)
    if share:
        known, proved = None if run is None else loss, None if found.proof is None else found.proof.weight
        found.shared = flow or shares.default_flow(known, proved, timeline.nodes, run)
        if found.shared is None:
            raise ValueError(
                "draw: shares are of a gradient, and there is none; give a flow, like mg.flow(loss, weight)"
            )
    return found


def _kind(kinds: Kinds) -> str:
    """Return what the cells of the graph call themselves, if they agree."""
    labels = {label for cell in kinds.cells for label in cell[0][-1:]}
    name = labels.pop() if len(labels) == 1 else ""
    return name.upper() if name in ("rnn", "lstm", "gru", "hmm", "crf") else words.one_line(name, 20)


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
        if node.op.name not in ("matmul", "mul"):
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


@uncollected()
def figure_of(
    found: Study,
    level: Level,
    theme: str = "light",
    steps: int | None = None,
    *,
    sites: bool = True,
    flow: Flow | None = None,
    engine: engines.Engine = "lanes",
    step: int | None = None,
) -> Figure:
    """Return the figure of `found` at `level`, which knows the nodes behind its boxes and edges."""
    scene, parts = _assembled(found, level, steps, sites, step)
    picture = None if engine == "lanes" else engines.placed(scene)
    return Figure(scene, theme, Behind(found, parts.members, parts.uses, sites, flow or found.shared), picture)


def _making(found: Study, level: Level, step: int | None) -> tuple[type[Assembly], Level, list[int]]:
    """Return what assembles a rolled or an open view, from boxes of which level, and the steps it shows."""
    times = found.timeline.times
    if not found.timeline.timed:
        raise ValueError(
            f'level "{level}" needs a graph made in steps (with mg.scope(t=0), mg.scope(t=1) ...); '
            'this one has none: draw it at level "op"'
        )
    phases = len(found.timeline.phases.starts)
    if phases > 1:
        raise ValueError(
            f'level "{level}" shows the steps of one net; this graph has {phases} in a row, each with its own steps, '
            'like an encoder and a decoder: draw it at level "cell" or "op"'
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
    told = telling(timeline, found.sweep)
    making: type[Assembly] = Assembly
    chosen: list[int] = []
    if level in WHOLE:
        level = level if timeline.timed else "op"
        wide = any(lane.reverse for lane in timeline.lanes) or timeline.end is not None
        shown, chosen = _shown(times, level, steps, [each.t for each in told], wide)
        shown = timeline.with_turns(shown)
    else:
        making, level, shown = _making(found, level, step)
    names = Names({t: found.text[t] for t in times} if found.text else {}, found.remarks, sites)
    flow = found.shared
    parts = making(found.kinds, level, found.run, found.sweep, names, flow)
    parts.build(shown)
    count = len(times) if timeline.timed else 0
    unseen = (
        _hidden(times, shown, [each for each in told if each.t in chosen])
        if len(timeline.phases.starts) < 2
        else _hidden_between(timeline, shown)
    )
    scene = Scene(
        level,
        _title(found, count),
        _subtitle(found, level),
        _sentence(found, count) if flow is None else shares.sentence(flow, timeline, layers=found.kinds.layered),
        _proof(found) if flow is None else shares.proof(flow, parts.boxes, parts.edges, parts.members, parts.uses),
        shares.hidden(unseen) if flow is not None else unseen,
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
    return parts.finish(scene), parts


def _proof(found: Study) -> Rich:
    return () if found.proof is None else (words.Run("✓ " if found.proof.holds else "✗ "), *found.proof.sentence)


def _measured(found: Study) -> Rich:
    """Return what the width of an arrow is."""
    if found.shared is not None:
        return (words.Run("share of ∂L/∂"), *shares.label_of(found.shared), words.Run(":"))
    return rich("gradient norm |∂L/∂·| (Frobenius):") if found.sweep else ()


def _shown(
    times: Sequence[int], level: Level, steps: int | None, told: Sequence[int], wide: bool
) -> tuple[list[int], list[int]]:
    """Return the steps to show, all or the first, the last and the foremost of `told`; and which are these."""
    most = WHOLE[level] if steps is None else max(2, steps)
    if len(times) <= most:
        return list(times), []
    few, room = (FEW[level], ROOM) if steps is None else (most, 1)
    between = 1 if steps is None and wide else few // 3
    for extra in range(min(between, MOST_TELLING, len(told)), -1, -1):
        ends = int(few - room * extra)
        head, tail = times[: ends - ends // 2], times[len(times) - ends // 2 :]
        inner = [t for t in told if t not in head and t not in tail]
        if len(inner) >= extra:
            break
    chosen = inner[:extra]
    shown = sorted({*head, *tail, *chosen})
    # A gap is nearly as wide as a step: one that hides a single step hides it for nothing.
    single = [b - 1 for a, b in itertools.pairwise(shown) if b == a + 2 and b - 1 in times]
    return sorted([*shown, *single[: most - len(shown)]]), chosen


def _title(found: Study, count: int) -> Rich:
    kind = found.kind
    article = "an" if kind in ("RNN", "LSTM", "HMM") or kind[0] in "aeio" else "a"
    names = found.timeline.phase_names
    if len(names) > 1:
        starts = [*found.timeline.phases.starts[1:], found.timeline.times[-1] + 1]
        counts = [sum(a <= t < b for t in found.timeline.times) for a, b in itertools.pairwise([0, *starts])]
        kind = f"{kind} encoder and decoder" if names[0] == ENCODER else f"{kind} in {len(names)} parts"
        what = "Backpropagation through" if found.sweep else "Forward pass of"
        return (words.Run(f"{what} {article} {kind}, {' + '.join(map(str, counts))} steps"),)
    if found.text:
        read, said = (words.one_line(part, 24) for part in (found.text[:-1], found.text[1:]))
        return (words.Run(f"Backpropagation through {article} {kind} reading “{read}”, predicting “{said}”"),)
    what = "Backpropagation through" if found.sweep or found.shared else "Forward pass of"
    return (words.Run(f"{what} {article} {kind}, {plural(count, 'step')}" if count else f"{what} a graph"),)


def _subtitle(found: Study, level: Level) -> Rich:
    detail = "" if level == "cell" else "Every operation is a box. "
    if not found.timeline.timed and found.run is not None:
        under = "its value, after ∂ the derivative of the result by it; of arrays the shape"
        detail = f"Every operation is a box, below its name {under if found.sweep else 'its value or its shape'}. "
    if found.shared is not None:
        summed = (words.Run(" "), *_loss_sum(found)) if len(found.losses) > 1 else ()
        return (words.Run(detail), *shares.subtitle(found.shared, found.timeline.timed), *summed)
    if not found.sweep:
        return (words.Run(detail + ("Edges run forward in time." if found.timeline.timed else "Edges run forward.")),)
    parts = (
        detail
        + "Gradient arrows run backward beside the forward edges: "
        + "width is how much arrives, colour what the edge did to it"
    )
    return (words.Run(parts + "." if len(found.losses) < 2 else f"{parts}. "), *_loss_sum(found))


def _loss_sum(found: Study) -> Rich:
    """Return what the loss is the sum of, in one piece that no line break parts."""
    count = len(found.losses)
    if count < 2:
        return ()
    steps = (found.timeline.step.get(found.losses[place], place % count) for place in (0, -1))
    first, last = (found.timeline.told(t)[1] + 1 for t in steps)
    between = "+" if count == 2 else "+ … +"
    said = f"L = L_{{{first}}} {between} L_{{{last}}}".replace(" ", words.NO_BREAK)
    return rich(said)


def _sentence(found: Study, count: int) -> Rich:
    """Return the generated sentence: what the gradient does from the last step back to the first."""
    if not count:
        return _result(found)
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
    told = [found.timeline.told(t) for t in (first, last)]
    ends = [(words.Run(f"|∂L/∂{name}{'′' * phase}"), words.Run(str(t + 1), "sub"), words.Run("|")) for phase, t in told]
    if not all(0 < size < math.inf for size in sizes):
        return (words.Run(f"{opening}; "), *ends[0], words.Run(f" is {number(sizes[0])}."))
    ratio = sizes[0] / sizes[1]
    rate = round(abs(math.log10(ratio)) / (last - first), 3)
    trend = f"{'shrinks' if ratio < 1 else 'grows'} by {number(rate)} decades a step" if rate else "keeps its size"
    if not rate and abs(math.log10(ratio)) > 0.1:
        trend = "hardly changes from step to step"
    return (
        words.Run(f"{opening}; "),
        *ends[0],
        words.Run(f" is {number(ratio)} times "),
        *ends[1],
        words.Run(f": going back it {trend}."),
    )


def _result(found: Study) -> Rich:
    """Return the sentence of a graph without time: how large it is, its result, and the derivatives by parameters."""
    count = sum(bool(node.args) for node in found.timeline.nodes)
    said = [words.Run(plural(count, "operation"))]
    if found.sweep is None or found.run is None or found.loss is None:
        return (*said, words.Run("."))
    said.append(words.Run(f"; result {short(float(found.run[found.loss]))}"))
    cause = None if math.isfinite(float(found.run[found.loss])) else mg.why_nan(found.loss)
    if cause is not None and cause.node.args:
        operands = (short(float(value)) if np.ndim(value) == 0 else "…" for _, value in cause.operands)
        said.append(words.Run(f", which began as {cause.node.op.name}({', '.join(operands)}) = {short(cause.value)}"))
    leaves = [n for n in found.timeline.nodes if isinstance(n, mg.Parameter) and n in found.sweep.adjoints]
    for place, node in enumerate(leaves[:MOST_DERIVATIVES]):
        adjoint = found.sweep.adjoints[node]
        size, bar = (norm(adjoint), "|") if node.shape else (float(adjoint), "")
        opening = ", derivatives: " if not place else ", "
        said += [words.Run(f"{opening}{bar}∂/∂"), *name_of(node.name or "w"), words.Run(f"{bar} = {short(size)}")]
    rest = len(leaves) - MOST_DERIVATIVES
    return (*said, words.Run(f", and {rest} more." if rest > 0 else "."))


def _hidden(times: Sequence[int], shown: Sequence[int], told: Sequence[Telling]) -> Rich:
    """Return what is left out, and why the steps between the gaps are not."""
    gaps = [(a, b) for a, b in itertools.pairwise(shown) if any(a < t < b for t in times)]
    if not gaps:
        return ()
    spans = ", ".join(f"t = {a + 2} to {b}" if b > a + 2 else f"t = {b}" for a, b in gaps)
    missing = len(times) - len(shown)
    across = "the gap carry what passes it" if len(gaps) == 1 else "a gap carry what passes it"
    said = [words.Run(f"Hidden: {plural(missing, 'step')} ({spans}); the arrows across {across}.")]
    opening = " Of the steps in between, as far as the gradient is on the scale, those are shown that change it most, "
    opening += "going back: "
    for place, each in enumerate(sorted(told, key=lambda each: each.t)):
        said += [words.Run(", " if place else opening), *each.sentence]
    return (*said, *([words.Run(".")] if told else []))


def _hidden_between(timeline: Timeline, shown: Sequence[int]) -> Rich:
    """Return what is left out of a net that starts again, by the steps' own names."""
    gaps = [[t for t in timeline.times if a < t < b] for a, b in itertools.pairwise(shown)]
    gaps = [gap for gap in gaps if gap]
    spans = ", ".join(
        timeline.said(gap[0]) + (f" to {timeline.told(gap[-1])[1] + 1}" if len(gap) > 1 else "") for gap in gaps
    )
    missing = plural(sum(map(len, gaps)), "step")
    return (words.Run(f"Hidden: {missing} ({spans}); the arrows across a gap carry what passes it."),) if gaps else ()


def _outside(found: Study) -> list[Node]:
    """Return the operations that use a step's result and belong to none."""
    timeline, after = found.timeline, set(found.timeline.step)
    known = set(timeline.alias).union(*((s.node, *s.derived) for s in timeline.sequences))
    taken = {arg for node in timeline.nodes if node not in known for arg in timeline.args(node)}
    outside = []
    for node in timeline.nodes:
        if node in known or (node.op.name == "concat" and node not in taken):
            after.add(node)
        elif node not in timeline.step and any(arg in after for arg in node.args):
            after.add(node)
            outside += [] if passed_on(node) else [node]
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
