"""Which path did the gradient take: sweeps over a graph in an algebra, and the `Flow` built on them."""

from ..derivative import passes
from .algebras import (
    Automaton,
    Best,
    Cotangents,
    Count,
    Entropy,
    MaxProduct,
    Polynomials,
    Reach,
    Rows,
    Tangents,
    Weights,
    join_rows,
)
from .flow import Flow, Part, Use, flow
from .measure import dispersion
from .sweep import Algebra, Paths, sweep
from .top import Path, Ranking

__all__ = [
    "Algebra",
    "Automaton",
    "Best",
    "Cotangents",
    "Count",
    "Entropy",
    "Flow",
    "MaxProduct",
    "Part",
    "Path",
    "Paths",
    "Polynomials",
    "Ranking",
    "Reach",
    "Rows",
    "Tangents",
    "Use",
    "Weights",
    "dispersion",
    "flow",
    "join_rows",
    "passes",
    "sweep",
]
