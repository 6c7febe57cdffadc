"""Which path did the gradient take: sweeps over a graph in an algebra, and the `Flow` built on them."""

from .algebras import (
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
from .sweep import Algebra, Paths, passes, sweep

__all__ = [
    "Algebra",
    "Best",
    "Cotangents",
    "Count",
    "Entropy",
    "MaxProduct",
    "Paths",
    "Polynomials",
    "Reach",
    "Rows",
    "Tangents",
    "Weights",
    "join_rows",
    "passes",
    "sweep",
]
