"""Figures of graphs, most of them unrolled in time, with the gradient that flows back along every edge.

>>> import rnn, viz
>>> figure = viz.draw(rnn.read("hello", rnn.LSTM))
>>> figure
<Figure cell: 5 columns, 66 boxes, 80 edges>
"""

from .charts import compare, ledger, river, triangle
from .drawing import draw
from .engines import MissingGraphviz
from .export import to_graphviz
from .figure import Figure, MissingExtra, UnsupportedFormat
from .inspector import inspect
from .slides import frames

__all__ = [
    "Figure",
    "MissingExtra",
    "MissingGraphviz",
    "UnsupportedFormat",
    "compare",
    "draw",
    "frames",
    "inspect",
    "ledger",
    "river",
    "to_graphviz",
    "triangle",
]
