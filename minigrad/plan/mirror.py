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
    """Write `sigmoid_slope(x)` with the parts of `sigmoid(x)` wherever both are terms of the graph, and `sech2` of x or
    of a part of x with the exponential that is there already."""
    gates = [
        term for term in graph.terms if term.op in ("sigmoid", "sigmoid_slope") and term.dtype == term.args[0].dtype
    ]
    both = {term.args[0] for term in gates if term.op == "sigmoid"}
    both &= {term.args[0] for term in gates if term.op == "sigmoid_slope"}
    if not both:
        return graph
    rewriter = Rewriter(graph)
    beside: dict[Term, list[Term]] = {}
    for term in graph.terms:
        if term.op == "sech2" and _whole(term.args[0]) in both:
            beside.setdefault(_whole(term.args[0]), []).append(term)
    # x -> exp(-x) and sigmoid(x).
    known: dict[Term, tuple[Term, Term]] = {}
    for term in gates:
        x = term.args[0]
        if x in both and term.op == "sigmoid":
            e = rewriter.make(term, "exp_neg", (x,), term.shape)
            term.become("inverse_1p", (e,))
            known[x] = e, term
        elif x in known:
            e, s = known[x]
            # Before the slope of the sigmoid, which may then overwrite e.
            for other in beside.pop(x, ()):
                if other.number > term.number:
                    other.become("sech2_of_exp", (_part(rewriter, term, other.args[0], e),))
                    rewriter.move(other, term)
            term.become("mul", (s, rewriter.make(term, "times_finite", (e, s), term.shape)))
    return rewriter.graph()


def _whole(x: Term) -> Term:
    return x.args[0] if x.op == "slice" else x


def _part(rewriter: Rewriter, at: Term, part: Term, of: Term) -> Term:
    """The part of `of` that `part` is of the whole argument."""
    if part.op != "slice":
        return of
    return rewriter.make(at, "slice", (of,), part.shape, **part.params)


def _exp_neg(x: Any) -> Any:
    return np.exp(-x)


def _inverse_1p(e: Any) -> Any:
    return 1 / (1 + e)


def _sech2_of_exp(e: Any) -> Any:
    return np.square(2 / (e + 1 / e))


def _times_finite(e: Any, s: Any) -> Any:
    return np.minimum(e, np.finfo(e.dtype).max) * s


KERNELS |= {
    "exp_neg": _exp_neg,
    "inverse_1p": _inverse_1p,
    "times_finite": _times_finite,
    "sech2_of_exp": _sech2_of_exp,
}
