"""The words around a figure: title, subtitle, proof line, what the gradient does, what is hidden and what is not drawn.

All are generated from the `Study` that is drawn. Where arrows show shares, what is said of them comes from `shares`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

import minigrad as mg
from minigrad import Node

from . import shares
from .assemble import Assembly
from .labels import above, name_of, short
from .measure import norm
from .phases import passed_on
from .scene import Level
from .study import Study
from .telling import Telling
from .timeline import ENCODER, Timeline
from .words import Rich, Run, number, one_line, plural, rich, tick, unbroken

MOST_DERIVATIVES = 4
"""Most derivatives told in the sentence of a graph without time."""
LEAST_RATE = 0.0005
"""Decades a step from which on a gradient is said to shrink or grow."""


def title(found: Study) -> Rich:
    """Return what is drawn: the kind of net, what it reads, or how many steps it takes."""
    kind = found.kind
    article = "an" if kind in ("RNN", "LSTM", "HMM") or kind[0] in "aeio" else "a"
    names = found.timeline.phase_names
    if len(names) > 1:
        starts = [*found.timeline.phases.starts[1:], found.timeline.times[-1] + 1]
        counts = [sum(a <= t < b for t in found.timeline.times) for a, b in itertools.pairwise([0, *starts])]
        kind = f"{kind} encoder and decoder" if names[0] == ENCODER else f"{kind} in {len(names)} parts"
        what = "Backpropagation through" if found.sweep else "Forward pass of"
        return (Run(f"{what} {article} {kind}, {' + '.join(map(str, counts))} steps"),)
    if found.text:
        read, said = (one_line(part, 24) for part in (found.text[:-1], found.text[1:]))
        return (Run(f"Backpropagation through {article} {kind} reading “{read}”, predicting “{said}”"),)
    what = "Backpropagation through" if found.sweep or found.shared else "Forward pass of"
    count = found.count
    return (Run(f"{what} {article} {kind}, {plural(count, 'step')}" if count else f"{what} a graph"),)


def subtitle(found: Study, level: Level) -> Rich:
    """Return what boxes and arrows are, and what the loss is the sum of."""
    detail = "" if level == "cell" else "Every operation is a box. "
    if not found.timeline.timed and found.run is not None:
        under = "its value, after ∂ the derivative of the result by it; of arrays the shape"
        detail = f"Every operation is a box, below its name {under if found.sweep else 'its value or its shape'}. "
    if found.shared is not None:
        summed = (Run(" "), *_loss_sum(found)) if len(found.losses) > 1 else ()
        return (Run(detail), *shares.subtitle(found.shared, found.timeline.timed), *summed)
    if not found.sweep:
        return (Run(detail + ("Edges run forward in time." if found.timeline.timed else "Edges run forward.")),)
    parts = (
        detail
        + "Gradient arrows run backward beside the forward edges: "
        + "width is how much arrives, colour what the edge did to it"
    )
    return (Run(parts + "." if len(found.losses) < 2 else f"{parts}. "), *_loss_sum(found))


def _loss_sum(found: Study) -> Rich:
    """Return what the loss is the sum of, in one piece that no line break parts."""
    count = len(found.losses)
    if count < 2:
        return ()
    steps = (found.timeline.step.get(found.losses[place], place % count) for place in (0, -1))
    first, last = (found.timeline.told(t)[1] + 1 for t in steps)
    between = "+" if count == 2 else "+ … +"
    said = f"L = L_{{{first}}} {between} L_{{{last}}}"
    return rich(unbroken(said))


def sentence(found: Study) -> Rich:
    """Return the generated sentence: of shares, where the gradient goes, or else what it does from step to step."""
    if found.shared is not None:
        return shares.sentence(found.shared, found.timeline, layers=found.kinds.layered)
    return _decades(found) if found.count else _result(found)


def _decades(found: Study) -> Rich:
    """Return what the gradient does from the last step back to the first."""
    count = found.count
    opening = f"{count}-step {found.kind}"
    lanes = found.timeline.lanes
    hidden = next((n.shape[-1] for lane in lanes for n in lane.nodes.values() if n.shape), None)
    opening += f", hidden size {hidden}" if hidden else ""
    sweep = found.sweep
    if sweep is None or not lanes or count < 2:
        return (Run(opening + "."),)
    lane = lanes[0].nodes
    steps = [t for t in sorted(lane) if t >= 0 and lane[t] in sweep.adjoints]
    if len(steps) < 2:
        return (Run(opening + "."),)
    first, last = steps[0], steps[-1]
    sizes = [norm(sweep.adjoints[lane[t]]) for t in (first, last)]
    name = one_line(lanes[0].name, 8)
    told = [found.timeline.told(t) for t in (first, last)]
    place = above(found.timeline.cell(lanes[0].last)[1], lanes[0].reverse, layers=found.kinds.layered)
    ends = [(Run(f"|∂L/∂{name}{'′' * phase}"), Run(str(t + 1), "sub"), *place, Run("|")) for phase, t in told]
    if not all(0 < size < math.inf for size in sizes):
        return (Run(f"{opening}; "), *ends[0], Run(f" is {number(sizes[0])}."))
    ratio = sizes[0] / sizes[1]
    decades = abs(math.log10(ratio))
    rate = decades / (last - first)
    if rate >= LEAST_RATE:
        trend = f"{'shrinks' if ratio < 1 else 'grows'} by {number(rate)} decades a step"
    else:
        trend = "hardly changes from step to step" if decades > 0.1 else "keeps its size"
    return (
        Run(f"{opening}; "),
        *ends[0],
        Run(f" is {number(ratio)} times "),
        *ends[1],
        Run(f": going back it {trend}."),
    )


def _result(found: Study) -> Rich:
    """Return the sentence of a graph without time: how large it is, its result, and the derivatives by parameters."""
    count = sum(bool(node.args) for node in found.timeline.nodes)
    said = [Run(plural(count, "operation"))]
    if found.sweep is None or found.run is None or found.loss is None:
        return (*said, Run("."))
    said.append(Run(f"; result {short(float(found.run[found.loss]))}"))
    cause = None if math.isfinite(float(found.run[found.loss])) else mg.why_nan(found.loss)
    if cause is not None and cause.node.args:
        operands = (short(float(value)) if np.ndim(value) == 0 else "…" for _, value in cause.operands)
        said.append(Run(f", which began as {cause.node.op.name}({', '.join(operands)}) = {short(cause.value)}"))
    leaves = [n for n in found.timeline.nodes if isinstance(n, mg.Parameter) and n in found.sweep.adjoints]
    for place, node in enumerate(leaves[:MOST_DERIVATIVES]):
        adjoint = found.sweep.adjoints[node]
        size, bar = (norm(adjoint), "|") if node.shape else (float(adjoint), "")
        opening = ", derivatives: " if not place else ", "
        said += [Run(f"{opening}{bar}∂/∂"), *name_of(node.name or "w"), Run(f"{bar} = {short(size)}")]
    rest = len(leaves) - MOST_DERIVATIVES
    return (*said, Run(f", and {rest} more." if rest > 0 else "."))


def proof(found: Study, parts: Assembly) -> Rich:
    """Return the proof line: of shares, that they sum to 1 on all of `parts`, or else that contributions make dL/dW."""
    if found.shared is not None:
        return shares.proof(found.shared, parts.boxes, parts.edges, parts.members, parts.uses)
    return () if found.proof is None else (Run(f"{tick(found.proof.holds)} "), *found.proof.sentence)


def measured(found: Study) -> Rich:
    """Return what the width of an arrow is."""
    if found.shared is not None:
        return (Run("share of ∂L/∂"), *shares.label_of(found.shared), Run(":"))
    return rich("gradient norm |∂L/∂·| (Frobenius):") if found.sweep else ()


def hidden(found: Study, shown: Sequence[int], told: Sequence[Telling]) -> Rich:
    """Return which steps are not `shown`, and why those `told` between the gaps are."""
    timeline = found.timeline
    once = len(timeline.phases.starts) < 2
    said = _hidden(timeline.times, shown, told) if once else _hidden_between(timeline, shown)
    return said if found.shared is None else shares.hidden(said)


def _hidden(times: Sequence[int], shown: Sequence[int], told: Sequence[Telling]) -> Rich:
    """Return what is left out, and why the steps between the gaps are not."""
    gaps = [(a, b) for a, b in itertools.pairwise(shown) if any(a < t < b for t in times)]
    if not gaps:
        return ()
    spans = ", ".join(f"t = {a + 2} to {b}" if b > a + 2 else f"t = {b}" for a, b in gaps)
    missing = len(times) - len(shown)
    across = "the gap carry what passes it" if len(gaps) == 1 else "a gap carry what passes it"
    said = [Run(f"Hidden: {plural(missing, 'step')} ({spans}); the arrows across {across}.")]
    opening = " Of the steps in between, as far as the gradient is on the scale, those are shown that change it most, "
    opening += "going back: "
    for place, each in enumerate(sorted(told, key=lambda each: each.t)):
        said += [Run(", " if place else opening), *each.sentence]
    return (*said, *([Run(".")] if told else []))


def _hidden_between(timeline: Timeline, shown: Sequence[int]) -> Rich:
    """Return what is left out of a net that starts again, by the steps' own names."""
    gaps = [[t for t in timeline.times if a < t < b] for a, b in itertools.pairwise(shown)]
    gaps = [gap for gap in gaps if gap]
    spans = ", ".join(
        timeline.said(gap[0]) + (f" to {timeline.told(gap[-1])[1] + 1}" if len(gap) > 1 else "") for gap in gaps
    )
    missing = plural(sum(map(len, gaps)), "step")
    return (Run(f"Hidden: {missing} ({spans}); the arrows across a gap carry what passes it."),) if gaps else ()


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


def note(found: Study, parts: Assembly) -> Rich:
    """Return what is not drawn: the backward pass, undrawn edges, operations outside of the steps."""
    undrawn = parts.undrawn
    notes = []
    if found.sweep is None and found.shared is None:
        notes.append("No gradient: the backward pass was not run.")
    if undrawn:
        notes.append(f"Not drawn: {plural(undrawn, 'edge')} that {'skips' if undrawn == 1 else 'skip'} a step.")
    outside = [node for node in _outside(found) if len(found.losses) < 2 or node is not found.loss]
    if parts.level == "op":  # an attention shown as one box has these inside
        outside += [node for s in found.timeline.sequences for node in s.derived if not passed_on(node)]
    if outside:
        names = ", ".join(dict.fromkeys(node.op.name for node in outside))
        notes.append(f"Not drawn: {plural(len(outside), 'operation')} outside the steps ({one_line(names, 60)}).")
    return (Run(" ".join(notes)),) if notes else ()
