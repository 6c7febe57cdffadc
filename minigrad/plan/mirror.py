"""The slope of a sigmoid from its value: sigmoid'(x) = sigmoid(x) * sigmoid(-x), whose first factor is known already.

As exact as the op's own kernel, where s * (1 - s) would be 0 from x = 37 on, and half the work.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .terms import KERNELS, Graph, Rewriter, Term


def mirror(graph: Graph) -> Graph:
    """Write `sigmoid_slope(x)` as a product wherever `sigmoid(x)` is a term of the graph."""
    rewriter = Rewriter()
    known: dict[Term, Term] = {}

    def rule(term: Term, old: Term) -> Term:
        if term.op == "sigmoid":
            known[term.args[0]] = term
        if term.op != "sigmoid_slope" or term.args[0] not in known or term.dtype != term.args[0].dtype:
            return term
        reflected = rewriter.make(term, "sigmoid_mirrored", term.args, term.shape)
        return rewriter.make(term, "mul", (known[term.args[0]], reflected), term.shape)

    return rewriter.run(graph, rule)


def _kernel(x: Any) -> Any:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(x))


KERNELS["sigmoid_mirrored"] = _kernel
