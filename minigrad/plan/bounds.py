"""How large a value can get, given leaves of ordinary size: what proves that regrouping a product cannot overflow."""

from __future__ import annotations

import math

import numpy as np

from ..node import Node
from .merge import constant_value
from .terms import VIEWS, Graph, Term

# Inputs and parameters are taken to be at most this large; a plan that relies on it checks it at each call.
ORDINARY = 1e6

_AT_MOST_ONE = frozenset(
    {
        "tanh",
        "sigmoid",
        "inverse_1p",
        "times_finite",
        "sech2",
        "sech2_of_exp",
        "sin",
        "cos",
        "sign",
        "step",
        "exceeds",
        "not_equal_as",
    }
)
_SAME = VIEWS | {"neg", "abs", "relu", "place", "assemble", "concat", "stop_gradient", "maximum", "where_zero"}


class Bounds:
    """`bounds[term]` is a bound on |term|, inf where there is none."""

    def __init__(self, graph: Graph) -> None:
        self._bound: list[float] = []
        for term in graph.terms:
            self._bound.append(self._of(term))

    def __getitem__(self, term: Term) -> float:
        return self._bound[term.number]

    def leaves_behind(self, terms: set[Term]) -> frozenset[Node]:
        """The inputs and parameters whose size the bounds of `terms` rely on."""
        found: set[Node] = set()
        seen = set(terms)
        stack = list(terms)
        while stack:
            term = stack.pop()
            if term.leaf is not None and constant_value(term) is None:
                found.add(term.leaf)
            if term.op in _AT_MOST_ONE or term.op == "sigmoid_slope":
                continue
            for arg in term.args:
                if arg not in seen:
                    seen.add(arg)
                    stack.append(arg)
        return frozenset(found)

    def _of(self, term: Term) -> float:
        if not term.args:
            return _leaf_bound(term)
        if term.op in _AT_MOST_ONE:
            return 1.0
        if term.op == "sigmoid_slope":
            return 0.25
        of_args = [self._bound[arg.number] for arg in term.args]
        if term.op in ("add", "sub", "add_n"):
            return sum(of_args)
        if term.op in ("mul", "matmul"):
            inner = term.args[0].shape[-1] if term.op == "matmul" else 1
            product = of_args[0] * of_args[1] * inner
            return math.inf if math.isnan(product) else product
        return max(of_args) if term.op in _SAME else math.inf


def _leaf_bound(term: Term) -> float:
    value = constant_value(term)
    if value is None:
        return ORDINARY
    if not value.size:
        return 0.0
    bound = float(np.max(np.abs(value)))
    return math.inf if math.isnan(bound) else bound
