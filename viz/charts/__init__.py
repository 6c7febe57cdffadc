"""Charts: figures of numbers about a gradient, where `draw` shows the graph itself."""

from __future__ import annotations

from rnn import Table

from ..figure import Figure
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
