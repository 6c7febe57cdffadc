"""Passes that move work out of a recurrence by regrouping sums and products.

What does not depend on the step before can be computed for all steps at once, but only if it is a term of its own:
`(x W + b) + h U + c` has to become `(x W + (b + c)) + h U`, and the chain rule's `(dc * g) * slope(a)` has to become
`dc * (g * slope(a))`.

Regrouped products agree to rounding as long as nothing overflows on the way: they are left alone unless both inner
factors are bounded (see `bounds.py`). Regrouped sums are as exact as the sums a matrix product makes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..node import Node
from .bounds import ORDINARY, Bounds
from .roles import Roles, find_roles
from .terms import Graph, Rewriter, Term


def regroup(graph: Graph, passes: Collection[str]) -> Graph:
    """The graph after those of the passes `regroup_sums` and `regroup_products` that are among `passes`, in one go."""
    if not {"regroup_sums", "regroup_products"} & set(passes):
        return graph
    roles, count = find_roles(graph), graph.uses
    sums: dict[Term, list[Term]] = {}
    products: dict[Term, _Product] = {}
    guarded: frozenset[Node] = frozenset()
    if "regroup_sums" in passes:
        sums = _regrouped_sums(graph, roles, count)
    if "regroup_products" in passes:
        bounds = Bounds(graph)
        products = _regrouped_products(graph, bounds, roles, count)
        guarded = bounds.leaves_behind({factor for _, b, c in products.values() for factor in (b, c)})
    rewriter = Rewriter(graph)
    for term, (first, *others, last) in sums.items():
        total = first
        for x in others:
            total = rewriter.make(term, "add", (total, x), _joint(total, x))
        term.become("add", (total, last))
    for term, (a, b, c) in products.items():
        term.become("mul", (a, rewriter.make(term, "mul", (b, c), term.shape)))
    return rewriter.graph(guarded)


def _regrouped_sums(graph: Graph, roles: Roles, count: Sequence[int]) -> dict[Term, list[Term]]:
    """The sums to add up in another order, and the order: first what is small, then what is outside the recurrence, and
    last what the step before is needed for."""
    # The terms each nested sum would open up to; a sum is opened where it has one user, itself a sum.
    absorbed = {
        arg
        for term in graph.terms
        if term.op == "add"
        for arg in term.args
        if arg.op == "add" and count[arg.number] == 1 and arg.dtype == term.dtype
    }
    addends: dict[Term, list[Term]] = {}
    found: dict[Term, list[Term]] = {}
    for term in graph.terms:
        if term.op != "add":
            continue
        parts = [x for arg in term.args for x in (addends.pop(arg) if arg in absorbed else [arg])]
        if term in absorbed:
            addends[term] = parts
            continue
        if len(parts) < 3:
            continue
        inside = [x for x in parts if roles.recurrence(x) is not None]
        order = sorted(parts, key=lambda x: (x in inside, x.size))
        if inside and order != parts and all(x.dtype == term.dtype for x in order):
            found[term] = order
    return found


class _Product(NamedTuple):
    """a * (b * c), for what is written (a * b) * c."""

    a: Term
    b: Term
    c: Term


def _regrouped_products(graph: Graph, bounds: Bounds, roles: Roles, count: Sequence[int]) -> dict[Term, _Product]:
    """The products whose factors that the step before is not needed for, b and c, are to be multiplied first."""

    def regrouped(term: Term) -> _Product | None:
        here = roles.recurrence(term)
        if here is None:
            return None
        for inner, c in (term.args, term.args[::-1]):
            if inner.op != "mul" or count[inner.number] != 1 or roles.recurrence(inner) != here:
                continue
            for a, b in (inner.args, inner.args[::-1]):
                outside = roles.recurrence(b) != here and roles.recurrence(c) != here
                bounded = bounds[c] <= 1 and bounds[b] <= ORDINARY**2
                same = {a.shape, b.shape, c.shape} == {term.shape} and {a.dtype, b.dtype, c.dtype} == {term.dtype}
                if outside and bounded and same and roles.recurrence(a) == here:
                    return _Product(a, b, c)
        return None

    candidates = (term for term in graph.terms if term.op == "mul")
    return {term: product for term in candidates if (product := regrouped(term)) is not None}


def _joint(x: Term, y: Term) -> tuple[int, ...]:
    from ..ops.core import joint_shape

    return joint_shape((x.shape, y.shape))
