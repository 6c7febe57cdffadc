"""`function`: a graph compiled into a flat list of NumPy calls."""

from .function import Function, function

__all__ = ["Function", "function"]
