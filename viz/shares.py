"""Shares on the edges of a graph: the conserved flow of one gradient, as marks on what is drawn and as words.

The share of an edge is that of all paths from the source to the target through it. One drawn edge may stand for many
edges of the graph, and carries the sum of theirs. What goes into a box comes out of it, so widths add up at every box.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import minigrad as mg
from minigrad import Edge as Use
from minigrad import GradientError, Node, Parameter
from minigrad import Run as Evaluated
from minigrad.paths import Flow

from .labels import state_name, weight_name
from .measure import norm
from .scene import Box, Edge, Mark
from .timeline import Timeline
from .words import Rich, Run, number, one_line, percent, plural, tick

Shares = Mapping[Use, float]
Members = Mapping[str, Sequence[Node]]
Drawn = Mapping[str, Sequence[Use]]

LISTED = 4
"""Most uses of a source told one by one."""
TOLERANCE = 1e-12
"""How far a sum of shares may be off, relative to the sum of their sizes."""
UNDEFINED: Rich = (Run(f"{tick(False)} The shares are not numbers, so nothing can be checked."),)
"""The proof line of shares of nothing, or of a gradient that is not finite."""


def seen(outputs: list[Node], target: Node) -> list[Node]:
    """Return what to draw to see the paths to `target`: `outputs`, if it lies behind them, or else itself.

    Raises ValueError if the two have no operation in common.
    """
    inside = set(mg.walk(outputs))
    if target in inside:
        return outputs
    if any(node.args and node in inside for node in mg.walk(target)):
        return [target]
    raise ValueError("draw: the flow is of another graph: its target has no operation in common with the subject")


def default_flow(
    loss: Node | None, weight: Parameter | None, nodes: Iterable[Node], run: Evaluated | None = None
) -> Flow | None:
    """Return the flow from `weight`, or else from the first parameter that `loss` depends on; None without any."""
    parameters = [node for node in nodes if isinstance(node, Parameter) and node.dtype.kind == "f"]
    if loss is None:
        return None
    for source in parameters if weight is None else [weight, *parameters]:
        try:
            return mg.flow(loss, source, run=run)
        except GradientError:
            continue
    return None


def shared(found: Mark | None, uses: Iterable[Use], flow: Flow) -> Mark | None:
    """Return the mark of an edge that stands for `uses`: `found`, the mark of its norm, with the share that passes.

    None where no path runs over the edge.
    """
    shares = flow.edge_shares
    if found is not None and found.state == "cut":
        return found
    taken = [use for use in dict.fromkeys(uses) if use in shares]
    if not taken:
        return None
    share = math.fsum(shares[use] for use in taken) if all(math.isfinite(shares[use]) for use in taken) else math.nan
    if min(use.user.id for use in taken) <= max(use.argument.id for use in taken) and math.isfinite(share):
        share = flow.through(taken).share  # a path may take several of them, and counts once
    size, gain = (math.nan, math.nan) if found is None else (found.norm, found.gain)
    if not math.isfinite(share):
        return Mark("nonfinite", size, gain, share)
    if share:
        return Mark("measured", size, gain, share)
    stops = found is not None and found.state == "structural"
    return Mark("structural" if stops else "zero", size, gain, share)


def summed(marks: Iterable[Mark | None]) -> Mark | None:
    """Return the mark of an edge that stands for one edge of every step: its share is the sum of theirs.

    A path counts each time that it passes, so what goes in still comes out. None where no path passes.
    """
    found = [each for each in marks if each is not None and each.share is not None]
    if not found:
        return None
    shares = [each.share for each in found if each.share is not None]
    size = norm([each.norm for each in found])
    if not all(map(math.isfinite, shares)):
        return Mark("nonfinite", size, math.nan, math.nan)
    share = math.fsum(shares)
    stops = all(each.state == "structural" for each in found)
    return Mark("measured" if share else "structural" if stops else "zero", size, math.nan, share)


def noted(found: Mark | None) -> Rich:
    """Return the share of `found` in the few characters that fit beside a name.

    >>> from viz.words import plain
    >>> [plain(noted(Mark("measured", share=share))) for share in (0.336, 0.002, -0.0004, -0.08)]
    ['34 %', '<1 %', '>−1 %', '−8 %']
    """
    if found is None or found.share is None:
        return ()
    share = found.share
    if share == 0 or not math.isfinite(share):
        return (Run("NaN" if math.isnan(share) else number(share)),)
    if abs(share) < 0.005:
        return (Run("<1 %" if share > 0 else ">−1 %"),)
    return (Run(f"{round(100 * share)} %".replace("-", "−")),)


def label_of(flow: Flow) -> Rich:
    """Return the name of what the gradient of `flow` is taken in, with its layer where there are several."""
    return weight_name(flow.sources[0], flow.y) if len(flow.sources) == 1 else (Run("all sources"),)


def sentence(flow: Flow, timeline: Timeline, *, layers: bool = False) -> Rich:
    """Return what share of the gradient passes on which lane, or, without lanes, leaves through which use."""
    across: dict[str, list[float]] = {}
    inside = set(timeline.times)
    for edge, share in flow.edge_shares.items():
        ends = [timeline.step.get(edge.argument, -1), timeline.step.get(edge.user, -1)]
        if ends[0] != ends[1] and inside.issuperset(ends):
            across.setdefault(timeline.lane.get(edge.argument, ""), []).append(share)
    lanes: list[tuple[Rich, str]] = [((Run("other edges"),), "")]
    for lane in timeline.lanes:
        _, layer, reverse = timeline.cell(lane.last)
        lanes.append((state_name(lane.name, layer, reverse, layers=layers), lane.key))
    carried = [(name, math.fsum(across[key])) for name, key in reversed(lanes) if any(across.get(key, ()))]
    words = begun(flow, label_of(flow))
    if not defined(flow):
        return words
    return (*words, *passed(carried)) if timeline.timed else (*words, *_leaving(flow))


def defined(flow: Flow) -> bool:
    """Tell whether there are shares: the gradient is neither 0 nor infinite nor not a number."""
    gradients = flow.gradient if isinstance(flow.gradient, list) else [flow.gradient]
    return 0 < norm(*gradients) < math.inf


def begun(flow: Flow, label: Rich) -> Rich:
    """Return the size of the gradient in words, and where it has no shares, that."""
    gradients = flow.gradient if isinstance(flow.gradient, list) else [flow.gradient]
    words = (Run("|∂L/∂"), *label, Run(f"| = {number(norm(*gradients))}. "))
    return words if defined(flow) else (*words, Run("Shares of it are not defined, so nothing flows."))


def passed(carried: Sequence[tuple[Rich, float]], *, every_step: bool = True) -> Rich:
    """Return how the shares that pass from step to step are split between lanes, and over how many steps they run.

    `carried` is the name of each lane and the sum of its shares over all boundaries between steps.
    """
    total = math.fsum(share for _, share in carried)
    words: list[Run] = []
    if len(carried) > 1 and total > 0 and min(share for _, share in carried) >= 0:
        words.append(Run("Of what passes from step to step, "))
        for place, (label, share) in enumerate(carried):
            words += [Run(f"{', ' if place else ''}{percent(share / total)} on "), *label]
        words.append(Run(". "))
    elif len(carried) > 1:
        words.append(Run("Summed over all boundaries between steps, the share that passes is "))
        for place, (label, share) in enumerate(carried):
            words += [Run(f"{', ' if place else ''}{number(share)} on "), *label]
        words.append(Run(". "))
    if total > 0 and every_step:
        words.append(Run(f"Weighted by share, a path runs over {number(total)} steps."))
    if total < 0:
        words.append(Run("What passes from step to step works against the rest: its shares sum to less than 0."))
    return tuple(words)


def _leaving(flow: Flow) -> Rich:
    """Return through which uses of its source the gradient leaves, the largest first."""
    uses = sorted(flow.uses, key=lambda use: -abs(use.share))
    told = ", ".join(f"{percent(use.share)} in {one_line(use.user.op.name, 20)}" for use in uses[:LISTED])
    more = f", and {plural(len(uses) - LISTED, 'more use')}" if len(uses) > LISTED else ""
    return (Run(f"It leaves through {plural(len(uses), 'use')} of "), *label_of(flow), Run(f": {told}{more}."))


def subtitle(flow: Flow, tags: bool) -> Rich:
    """Return what the arrows show, and the `tags`, if there are any."""
    leaves = "; a tag says what leaves through that use." if tags else "."
    return (
        Run("Gradient arrows run backward beside the forward edges: width is the share of ∂L/∂"),
        *label_of(flow),
        Run(f" that passes, colour its sign. Widths add up at every box{leaves}"),
    )


def hidden(said: Rich) -> Rich:
    """Return what is said of hidden steps, and why widths do not add up there."""
    lost = Run(" What hidden steps take from their losses and give to their uses is not drawn.")
    return (*said, lost) if said else ()


def proof(flow: Flow, boxes: Sequence[Box], edges: Sequence[Edge], members: Members, drawn: Drawn) -> Rich:
    """Return the line that says that the uses sum to 1, and that boxes pass on what they take in.

    `members` are the nodes of every box, `drawn` the uses of every edge and tag.
    """
    if not defined(flow):
        return UNDEFINED
    uses = [use.share for use in flow.uses]
    off, size, whole = [abs(math.fsum(uses) - 1)], [1.0, math.fsum(map(abs, uses))], 0
    for into, out in balances(flow, boxes, edges, members, drawn):
        whole += 1
        off.append(abs(math.fsum(into) - math.fsum(out)))
        size.append(math.fsum(map(abs, (*into, *out))))
    holds = max(off) <= TOLERANCE * max(size)
    many = "1 box passes" if whole == 1 else f"{whole} boxes pass"
    said = f" sum to 1 and {many} on what comes in" if holds else f" do NOT sum to 1, or one of {whole} boxes leaks"
    return (
        Run(f"{tick(holds)} Shares of {plural(len(uses), 'use')} of "),
        *label_of(flow),
        Run(f"{said}, max difference {number(max(off))}"),
    )


def balances(
    flow: Flow, boxes: Sequence[Box], edges: Sequence[Edge], members: Members, drawn: Drawn
) -> Iterable[tuple[list[float], list[float]]]:
    """Yield the shares that come into and go out of every box between source and target, if all its edges are drawn.

    Not all are drawn of a loss whose sum is left out, or of the state that stands for hidden steps.
    """
    shares, ends = flow.edge_shares, {flow.y, *flow.sources}
    into: dict[str, list[tuple[str, Mark | None]]] = {box.id: [(tag.id, tag.mark) for tag in box.tags] for box in boxes}
    out: dict[str, list[tuple[str, Mark | None]]] = {box.id: [] for box in boxes}
    for edge in edges:
        out[edge.source].append((edge.id, edge.mark))
        into[edge.target].append((edge.id, edge.mark))
    users: dict[Node, set[Use]] = {}
    for use in shares:
        users.setdefault(use.argument, set()).add(use)
    for box in boxes:
        nodes = set(members[box.id])
        entered, left = (
            {use for line, _ in side[box.id] for use in drawn[line] if use in shares} for side in (into, out)
        )
        if box.role in ("state", "junction"):
            whole = bool(left) and entered == left
        else:
            leaving = {use for node in nodes for use in users.get(node, ()) if use.user not in nodes}
            args = [Use(node, slot) for node in nodes for slot, arg in enumerate(node.args) if arg not in nodes]
            whole = not nodes & ends and bool(left) and left == leaving and entered == shares.keys() & args
        if whole:
            yield _sizes(into[box.id]), _sizes(out[box.id])


def _sizes(lines: Iterable[tuple[str, Mark | None]]) -> list[float]:
    return [found.share for _, found in lines if found is not None and found.share is not None]
