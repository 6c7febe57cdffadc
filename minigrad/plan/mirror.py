"""The slope of a sigmoid from what the sigmoid computed on the way.

With e = exp(-x), sigmoid(x) is s = 1 / (1 + e), and sigmoid(-x) is e * s; the slope is their product. It is as exact as
the op's own kernel, where s * (1 - s) would be 0 from x = 37 on, and needs no second exponential. Where e is infinite
s is 0, and so is the slope: e is cut to the largest number first, lest inf * 0 be NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .terms import KERNELS, Graph, Rewriter, Term


def mirror(graph: Graph) -> Graph:
    """Write `sigmoid_slope(x)` with the parts of `sigmoid(x)` wherever both are terms of the graph."""
    both = {term.args[0] for term in graph.terms if term.op == "sigmoid"}
    both &= {term.args[0] for term in graph.terms if term.op == "sigmoid_slope"}
    if not both:
        return graph
    rewriter = Rewriter()
    known: dict[Term, tuple[Term, Term]] = {}

    def rule(term: Term, old: Term) -> Term:
        if term.op not in ("sigmoid", "sigmoid_slope") or old.args[0] not in both or term.dtype != term.args[0].dtype:
            return term
        if old.args[0] not in known:
            e = rewriter.make(term, "exp_neg", term.args, term.shape)
            known[old.args[0]] = e, rewriter.make(term, "inverse_1p", (e,), term.shape)
        e, s = known[old.args[0]]
        if term.op == "sigmoid":
            return s
        reflected = rewriter.make(term, "times_finite", (e, s), term.shape)
        return rewriter.make(term, "mul", (s, reflected), term.shape)

    return rewriter.run(graph, rule)


def _exp_neg(x: Any) -> Any:
    return np.exp(-x)


def _inverse_1p(e: Any) -> Any:
    return 1 / (1 + e)


def _times_finite(e: Any, s: Any) -> Any:
    return np.minimum(e, np.finfo(e.dtype).max) * s


KERNELS |= {"exp_neg": _exp_neg, "inverse_1p": _inverse_1p, "times_finite": _times_finite}
