"""`draw`: a graph, with the gradient that flows back along every edge.

A subject is studied once (study.py), its boxes and edges are gathered at one level of detail (assemble.py, rolled.py,
opened.py), words are put round them (captions.py), and the scene that comes of it becomes a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minigrad import Edge, Node
from minigrad.collector import uncollected
from minigrad.paths import Flow

from . import captions, engines, layout
from .assemble import Assembly, Names
from .figure import Figure
from .opened import Opened
from .rolled import Rolled
from .scene import LEVELS, Level, Measure, Scene
from .study import Study, Subject, study
from .telling import WHOLE, Telling, shown, telling
from .words import plural


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
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    engines.check(engine)
    return figure_of(study(subject, flow, edges), level, theme, steps, flow=flow, engine=engine, step=step)


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
    picture = engines.placed(scene) if engine != "lanes" else layout.by_hand(scene) if scene.level == "cell" else None
    if engine == "lanes" and scene.level == "cell" and picture is None:
        scene, parts = _assembled(found, level, steps, sites, step, rows=True)
    return Figure(scene, theme, Behind(found, parts.members, parts.uses, sites, flow or found.shared), picture)


def _assembled(
    found: Study, level: Level, steps: int | None, sites: bool, step: int | None = None, rows: bool = False
) -> tuple[Scene, Assembly]:
    making, level, times, told = _chosen(found, level, steps, step)
    inputs = {t: found.text[t] for t in found.timeline.times} if found.text else {}
    parts = making(found.kinds, level, found.run, found.sweep, Names(inputs, found.remarks, sites), found.shared)
    parts.rows |= rows
    parts.build(times)
    scene = Scene(
        level,
        captions.title(found),
        captions.subtitle(found, level),
        captions.sentence(found),
        captions.proof(found, parts),
        captions.hidden(found, times, told),
        captions.note(found, parts),
        captions.measured(found),
        parts.reference,
        tuple(parts.columns),
        parts.lanes(),
        tuple(parts.cells),
        tuple(parts.boxes),
        tuple(parts.edges),
        parts.dock.items,
        "magnitude" if found.shared is None else "share",
    )
    return parts.finish(scene), parts


def _chosen(
    found: Study, level: Level, steps: int | None, step: int | None
) -> tuple[type[Assembly], Level, list[int], list[Telling]]:
    """Return what assembles a view, from boxes of which level, the steps it shows, and those told of among them."""
    timeline = found.timeline
    times = timeline.times
    if level in WHOLE:
        level = level if timeline.timed else "op"
        wide = any(lane.reverse for lane in timeline.lanes) or timeline.end is not None
        seen, told = shown(times, level, steps, telling(timeline, found.sweep), wide)
        return Assembly, level, timeline.with_turns(seen), told
    if not timeline.timed:
        raise ValueError(
            f'level "{level}" needs a graph made in steps (with mg.scope(t=0), mg.scope(t=1) ...); '
            'this one has none: draw it at level "op"'
        )
    phases = len(timeline.phases.starts)
    if phases > 1:
        raise ValueError(
            f'level "{level}" shows the steps of one net; this graph has {phases} in a row, each with its own steps, '
            'like an encoder and a decoder: draw it at level "cell" or "op"'
        )
    if level == "rolled":
        return Rolled, "cell", list(times), []
    open_step = times[len(times) // 2] if step is None else step
    if open_step not in times:
        last = plural(len(times), "step")
        raise ValueError(f"step must be one of the {last} of this graph, {times[0]} to {times[-1]}, got {open_step}")
    return Opened, "op", [open_step], []
