"""Figures as objects of other libraries."""

from __future__ import annotations

import graphviz

from .drawing import draw
from .figure import Figure
from .formats import picture_of
from .graph import digraph
from .scene import Level
from .study import Subject


def to_graphviz(
    subject: Subject | Figure, *, level: Level = "cell", theme: str = "light", steps: int | None = None
) -> graphviz.Digraph:
    """Return a figure, or what `draw` makes of `subject`, as a `graphviz.Digraph` with every position pinned.

    Making it starts no program; its own `render` and `pipe` call Graphviz's `dot`, which then has to be installed.
    Raises what `draw` raises, and UnsupportedFormat for a chart.

    >>> import rnn, viz
    >>> graph = viz.to_graphviz(rnn.read("hello", rnn.LSTM))
    >>> "layout=neato" in graph.source, graph.source.count("!")
    (True, 72)
    """
    figure = subject if isinstance(subject, Figure) else draw(subject, level=level, theme=theme, steps=steps)
    return digraph(picture_of(figure, "a graphviz.Digraph"), figure.theme)
