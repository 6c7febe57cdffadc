"""The river: the conserved flow of a gradient from the losses through the lanes of a recurrent net to a weight."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from minigrad import Edge, Node
from minigrad.paths import Flow

from ..chart import WIDTH, Chart
from ..ink import Sheet
from ..labels import name_of
from ..shares import TOLERANCE, UNDEFINED, begun, defined, label_of, passed
from ..timeline import Timeline
from ..words import Rich, Run, number, one_line, plural, tick

MOST_STEPS = 64
"""Most steps with a place of their own; longer sequences are shown in blocks of steps."""

SOURCE, LOSS = -1, -2


@dataclass(frozen=True, slots=True)
class Lane:
    """A state that runs from step to step."""

    key: str
    label: Rich
    kind: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A step, or a block of them, numbered from 0: what comes in from its losses, and what leaves to the weight."""

    first: int
    last: int
    loss: float
    use: float


@dataclass(frozen=True, slots=True)
class Band:
    """The share of all paths that run from stage `source` to stage `target` on one lane."""

    source: int
    target: int
    lane: str
    share: float


@dataclass(frozen=True, slots=True)
class River(Chart):
    """The conserved flow between the steps. `direct` is the share of the paths that pass no step."""

    kind: ClassVar[str] = "river"

    label: Rich
    block: int
    lanes: tuple[Lane, ...]
    stages: tuple[Stage, ...]
    bands: tuple[Band, ...]
    direct: float
    widest: tuple[float, float]
    """Largest share of a lane, and of a loss or use: what the one scale of all widths is made for."""
    unit: float = 0.0
    """Width of a share of 1, where it is given: shared by compared rivers."""

    @property
    def summary(self) -> str:
        """Size of the chart in a few words."""
        return f"{plural(len(self.stages), 'stage')}, {plural(len(self.lanes), 'lane')}"

    def sheet(self, wide: float = WIDTH) -> Sheet:
        """Return the chart as ink."""
        from .river_sheet import lay

        return lay(self, wide)


def scene(flow: Flow) -> River:
    """Return what the river of `flow` shows."""
    timeline = Timeline(flow.y)
    shares = flow.edge_shares
    regions = _regions(flow, timeline)
    steps = sorted({region for region in regions.values() if region >= 0})
    if not steps:
        raise ValueError("river: the graph has no time steps; build each step inside `with mg.scope(t=...)`")
    block = max(1, -(-len(steps) // MOST_STEPS))
    place = {t: order // block for order, t in enumerate(steps)} | {SOURCE: SOURCE, LOSS: LOSS}
    sums = _sums(shares, {node: place[region] for node, region in regions.items()}, timeline.lane)
    stages = tuple(
        Stage(
            timeline.counted(steps[number * block]),
            timeline.counted(steps[min(number * block + block, len(steps)) - 1]),
            sums.get((number, LOSS, ""), 0.0),
            sums.get((SOURCE, number, ""), 0.0),
        )
        for number in range(place[steps[-1]] + 1)
    )
    bands = tuple(Band(*key, share) for key, share in sorted(sums.items()) if min(key[:2]) >= 0)
    lanes = _lanes(timeline, bands)
    direct = sums.get((SOURCE, LOSS, ""), 0.0)
    label = label_of(flow)
    sides = [abs(value) for stage in stages for value in (stage.loss, stage.use) if math.isfinite(value)]
    across = [abs(band.share) for band in bands if math.isfinite(band.share)]
    return River(
        (Run("How the gradient of "), *label, Run(" flows back through time")),
        (
            Run("It comes in at every loss, runs back from step to step, and leaves through every use of "),
            *label,
            Run(". Width: signed share."),
        ),
        _sentence(flow, label, stages, bands, lanes),
        _proof(stages, bands, direct),
        label,
        block,
        lanes,
        stages,
        bands,
        direct,
        (max(across, default=0.0), max(sides, default=0.0)),
    )


def _regions(flow: Flow, timeline: Timeline) -> dict[Node, int]:
    """Return for every node on a path the step it belongs to, or on which side of all steps it lies.

    The steps of a decoder follow those of its encoder; what stands between belongs to the step it follows.
    """
    places = {node: place for node, place in timeline.phases.place.items() if not timeline.between(place)}
    leading: set[Node] = set()
    for node in sorted(flow.paths.nodes, key=lambda node: -node.id):
        if places.get(node, -1) >= 0 or node in leading:
            leading |= {edge.argument for edge in flow.paths.into[node]}
    regions: dict[Node, int] = dict.fromkeys(flow.sources, SOURCE)
    for node in sorted(flow.paths.nodes, key=lambda node: node.id):
        t = places.get(node)
        if node in regions:
            continue
        if t is not None and t >= 0 and node is not flow.y:
            regions[node] = t
        else:
            before = {regions[edge.argument] for edge in flow.paths.into[node]}
            side = max(before) if node in leading else LOSS
            regions[node] = SOURCE if before == {SOURCE} and node is not flow.y else side
    return regions


def _sums(
    shares: Mapping[Edge, float], place: Mapping[Node, int], lane: Mapping[Node, str]
) -> dict[tuple[int, int, str], float]:
    """Return the share that runs from each place to each other one, by lane where both are steps."""
    sums: dict[tuple[int, int, str], float] = defaultdict(float)
    for edge, share in shares.items():
        source, target = place[edge.argument], place[edge.user]
        if source != target:
            between = min(source, target) >= 0
            sums[source, target, lane.get(edge.argument, "") if between else ""] += share
    return sums


def _lanes(timeline: Timeline, bands: tuple[Band, ...]) -> tuple[Lane, ...]:
    """Return the lanes that carry something: cell states above hidden states, later layers above earlier ones."""
    used = {band.lane for band in bands}
    found = [Lane(lane.key, name_of(lane.name), _kind(lane.name)) for lane in timeline.lanes if lane.key in used]
    found.reverse()
    found.sort(key=lambda lane: lane.kind != "c")
    if "" in used:
        found.append(Lane("", (Run("other"),), "y"))
    return tuple(found)


def _kind(name: str) -> str:
    return name if name in ("h", "c") else "h"


def _sentence(flow: Flow, label: Rich, stages: tuple[Stage, ...], bands: tuple[Band, ...], lanes: Any) -> Rich:
    words = begun(flow, label)
    if not defined(flow):
        return words
    carried = [(lane.label, math.fsum(band.share for band in bands if band.lane == lane.key)) for lane in lanes]
    return (*words, *passed(carried, every_step=stages[-1].last - stages[0].first + 1 == len(stages)))


def _proof(stages: tuple[Stage, ...], bands: tuple[Band, ...], direct: float) -> Rich:
    """Return the line that says that the flow is conserved at every stage and sums to 1 over every cut."""
    off, size = [0.0], [1.0, abs(direct)]
    for place, stage in enumerate(stages):
        out = [stage.loss, *(band.share for band in bands if band.source == place)]
        into = [stage.use, *(band.share for band in bands if band.target == place)]
        before = [stage.loss for stage in stages[:place]]
        after = [stage.use for stage in stages[place:]]
        forward = [band.share for band in bands if band.source < place <= band.target]
        backward = [-band.share for band in bands if band.target < place <= band.source]
        off.append(abs(math.fsum(out) - math.fsum(into)))
        off.append(abs(math.fsum((*before, *after, *forward, *backward, direct)) - 1))
        size.append(math.fsum(map(abs, (*out, *into, *before, *after))))
    if not all(map(math.isfinite, (*off, *size))):
        return UNDEFINED
    difference = max(off)
    holds = difference <= TOLERANCE * max(size)
    said = "goes in and out alike at every step, and sums to 1 between any two" if holds else "is NOT conserved"
    return (Run(one_line(f"{tick(holds)} The flow {said}, max difference {number(difference)}", 200)),)
