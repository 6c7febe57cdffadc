"""A graph told in other words: a text listing, LaTeX, NumPy source code, a networkx graph."""

from .latex import latex, latex_paths
from .listing import listing
from .network import to_networkx
from .source import source

__all__ = ["latex", "latex_paths", "listing", "source", "to_networkx"]
