"""A subject looked at once: its graph in time, its numbers, its gradient and the proof of it.

Every drawing of a subject, at any level of detail, is made of one `Study`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import minigrad as mg
from minigrad import Node
from minigrad import Run as Evaluated
from minigrad.collector import uncollected
from minigrad.paths import Flow
from rnn import Reading, Unrolled

from . import shares
from .groups import Kinds
from .labels import character
from .measure import Sweep, backward, evaluate
from .proof import Proof, prove, prove_uses
from .scene import Measure
from .timeline import Timeline
from .words import Rich, Run, number, one_line

Subject = Node | Sequence[Node] | Unrolled | Reading


@dataclass(slots=True)
class Study:
    """A subject looked at once: its graph in time, its numbers, and the proof."""

    outputs: list[Node]
    loss: Node | None
    losses: list[Node]
    run: Evaluated | None
    sweep: Sweep | None
    timeline: Timeline
    kinds: Kinds
    kind: str = ""
    text: str = ""
    remarks: dict[int, Rich] = field(default_factory=dict)
    proof: Proof | None = None
    shared: Flow | None = None
    """The gradient whose shares the arrows show; None where they show norms."""

    @property
    def count(self) -> int:
        """How many steps there are; none in a graph without time."""
        return len(self.timeline.times) if self.timeline.timed else 0


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
    return name.upper() if name in ("rnn", "lstm", "gru", "hmm", "crf") else one_line(name, 20)


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
            remarks[t] = (Run(f"p({following}) = {number(math.exp(-value))}"),)
        else:
            remarks[t] = (Run(number(value, 3)),)
    return remarks
