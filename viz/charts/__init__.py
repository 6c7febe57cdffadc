"""Charts: figures of numbers about a gradient, where `draw` shows the graph itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minigrad.paths import Flow
from rnn import Table

from ..figure import Figure
from . import compare as _compare
from . import ledger as _ledger
from . import lines as _lines
from . import river as _river
from . import triangle as _triangle


def triangle(table: Table, *, theme: str = "light") -> Figure:
    """Draw a table of `rnn.bptt`: what each loss t sends through the use of a weight at each step k.

    A heat map of the norms on a log scale, the signed shares by t, by k and by lag, and the half-life of a
    contribution.

    >>> import rnn, viz
    >>> reading = rnn.read("hello", rnn.RNN)
    >>> weight = reading.unrolled.model.parameters["weight_hh_l0"]
    >>> viz.triangle(rnn.bptt(reading.losses, weight, reading.unrolled))
    <Figure triangle: 4 losses by 4 steps>
    """
    return Figure(_triangle.scene(table), theme)


def river(flow: Flow, *, theme: str = "light") -> Figure:
    """Draw the conserved flow of a gradient: from every loss, back through the lanes, to every use of the source.

    The width of a band is the signed share of all paths that run through it; at every step what comes in goes out.
    Raises ValueError for a graph without time steps.

    >>> import minigrad as mg, rnn, viz
    >>> reading = rnn.read("hello", rnn.LSTM)
    >>> viz.river(mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"]))
    <Figure river: 4 stages, 2 lanes>
    """
    return Figure(_river.scene(flow), theme)


def ledger(
    flow: Flow,
    parts: Mapping[Any, Any] | None = None,
    *,
    by: str = "part",
    top: int = 12,
    budget: int = 100_000,
    theme: str = "light",
) -> Figure:
    """Draw what adds up to a gradient: its largest paths, or the given parts, with counts, norms and shares.

    `parts` is any partition of the paths with a key for each part: `flow.classes(...)`, `flow.sorted_by(...)`,
    `rnn.lanes(...).by_lane`, `table.by_lag()`; `by` says what the keys are. `top` lines are shown, the rest is summed
    in one; `budget` bounds the search for the largest paths.

    >>> import minigrad as mg, rnn, viz
    >>> reading = rnn.read("hello", rnn.LSTM)
    >>> flow = mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])
    >>> viz.ledger(flow, top=5)
    <Figure ledger: 6 entries>
    """
    return Figure(_ledger.scene(flow, parts, by, top, budget), theme)


def lines(
    title: str,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    *,
    across: str,
    up: str,
    sentence: str = "",
    powers: bool = False,
    dots: Iterable[str] = (),
    limits: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    limit: str = "limit",
    theme: str = "light",
) -> Figure:
    """Draw up to five curves, each a list of points, over one axis; what is not finite is left out.

    Where `powers`, heights are powers of ten: give their logarithms. The curves named in `dots` are marked point by
    point. `limits` gives a curve, by name, a thin line in its colour, which the legend calls `limit`. Raises
    ValueError for no curve, too many, one without a finite point, or a limit for a curve that is not there.

    >>> from viz import charts
    >>> charts.lines("squares", {"x^2": [(x, x * x) for x in range(5)]}, across="x", up="height")
    <Figure lines: 1 curve>
    """
    return Figure(_lines.scene(title, curves, across, up, sentence, powers, dots, limits, limit), theme)


def compare(
    figures: Mapping[str, Figure] | Sequence[Figure], *, columns: int | None = None, theme: str = "light"
) -> Figure:
    """Show figures of one kind side by side on one scale: RNN | LSTM | GRU, or before | after training.

    `figures` are given with their names, or as a list, and are then numbered. Graphs stand in lanes, whatever engine
    laid the figures out. They stand in so many `columns`, by default as many as fill a slide best. Raises ValueError
    for fewer than two figures, figures of different kinds, or a number of columns that they cannot fill.

    >>> import rnn, viz
    >>> viz.compare({cell.__name__: viz.draw(rnn.read("hello", cell)) for cell in (rnn.RNN, rnn.LSTM)})
    <Figure comparison: 2 figures>
    """
    if not isinstance(figures, Mapping):
        figures = {str(place): figure for place, figure in enumerate(figures, start=1)}
    return Figure(_compare.scene({str(name): figure.scene for name, figure in figures.items()}, columns), theme)
