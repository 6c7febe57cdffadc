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
    both = {term.args[0] for term in graph.terms if term.op == "sigmoid" and term.dtype == term.args[0].dtype}
    both &= {term.args[0] for term in graph.terms if term.op == "sigmoid_slope"}
    if not both:
        return graph
    rewriter = Rewriter()
    # What each of the terms to rewrite is a function of: they are the same terms when their turn comes, their arguments
    # may be others by then.
    of: dict[Term, Term] = {}
    beside: dict[Term, list[tuple[Term, Term]]] = {}
    for term in graph.terms:
        if term.op in ("sigmoid", "sigmoid_slope") and term.args[0] in both and term.dtype == term.args[0].dtype:
            of[term] = term.args[0]
        elif term.op == "sech2" and _whole(term.args[0]) in both:
            beside.setdefault(_whole(term.args[0]), []).append((term, term.args[0]))
    known: dict[Term, tuple[Term, Term]] = {}
    slopes: dict[Term, Term] = {}

    def exponential(x: Term, term: Term) -> tuple[Term, Term]:
        if x not in known:
            e = rewriter.make(term, "exp_neg", term.args, term.shape)
            known[x] = e, rewriter.make(term, "inverse_1p", (e,), term.shape)
        return known[x]

    def rule(term: Term) -> Term:
        if term not in of:
            return slopes.get(term, term)
        x = of[term]
        e, s = exponential(x, term)
        if term.op == "sigmoid":
            return s
        # Made before the slope of the sigmoid, which may then overwrite e.
        for other, part in beside.pop(x, ()):
            slopes[other] = rewriter.make(other, "sech2_of_exp", (_part(rewriter, part, x, e),), other.shape)
        return rewriter.make(term, "mul", (s, rewriter.make(term, "times_finite", (e, s), term.shape)), term.shape)

    return rewriter.run(graph, rule)


def _whole(x: Term) -> Term:
    return x.args[0] if x.op == "slice" else x


def _part(rewriter: Rewriter, x: Term, whole: Term, of: Term) -> Term:
    """The part of `of` that `x` is of `whole`."""
    if x is whole:
        return of
    part = rewriter.make(x, "slice", (of,), x.shape, **x.params)
    part.kernel = x.kernel
    return part


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
