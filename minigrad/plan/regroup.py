"""Passes that move work out of a recurrence by regrouping sums and products.

What does not depend on the step before can be computed for all steps at once, but only if it is a term of its own:
`(x W + b) + h U + c` has to become `(x W + (b + c)) + h U`, and the chain rule's `(dc * g) * slope(a)` has to become
`dc * (g * slope(a))`.

Regrouped products agree to rounding as long as nothing overflows on the way: they are left alone unless both inner
factors are bounded (see `bounds.py`). Regrouped sums are as exact as the sums a matrix product makes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .bounds import ORDINARY, Bounds
from .roles import Roles, find_roles
from .terms import Graph, Rewriter, Rule, Term, uses


def regroup(graph: Graph, passes: Collection[str]) -> Graph:
    """The graph after those of the passes `regroup_sums` and `regroup_products` that are among `passes`, in one go."""
    if not {"regroup_sums", "regroup_products"} & set(passes):
        return graph
    roles, count, rewriter = find_roles(graph), uses(graph), Rewriter()
    made: dict[Term, Term] = {}
    relied: set[Term] = set()
    bounds = Bounds(graph) if "regroup_products" in passes else None
    rules: list[Rule] = []
    if "regroup_sums" in passes:
        rules.append(_regroup_sums(graph, roles, count, rewriter, made))
    if bounds is not None:
        rules.append(_regroup_products(bounds, roles, count, rewriter, made, relied))

    def rule(term: Term, old: Term) -> Term:
        for each in rules:
            term = each(term, old)
        made[old] = term
        return term

    result = rewriter.run(graph, rule)
    guarded = bounds.leaves_behind(relied) if bounds is not None else frozenset()
    return Graph(result.terms, result.outputs, graph.guarded | guarded)


def _regroup_sums(
    graph: Graph, roles: Roles, count: Mapping[Term, int], rewriter: Rewriter, made: Mapping[Term, Term]
) -> Rule:
    """Add first what is small, then what is outside the recurrence, and last what the step before is needed for."""
    # The terms each nested sum would open up to; a sum is opened where it has one user, itself a sum.
    absorbed = {
        arg
        for term in graph.terms
        if term.op == "add"
        for arg in term.args
        if arg.op == "add" and count[arg] == 1 and arg.dtype == term.dtype
    }
    addends: dict[Term, list[Term]] = {}

    def rule(term: Term, old: Term) -> Term:
        if old.op != "add":
            return term
        addends[old] = [x for arg in old.args for x in (addends.pop(arg) if arg in absorbed else [arg])]
        if old in absorbed or len(addends[old]) < 3:
            return term
        inside = [x for x in addends[old] if roles.recurrence(x) is not None]
        order = sorted(addends[old], key=lambda x: (x in inside, x.size))
        if not inside or order == addends[old] or any(x.dtype != term.dtype for x in order):
            return term
        total = made[order[0]]
        for x in order[1:]:
            shape = _joint(total, made[x])
            total = rewriter.make(term, "add", (total, made[x]), shape)
        return total

    return rule


def _regroup_products(
    bounds: Bounds,
    roles: Roles,
    count: Mapping[Term, int],
    rewriter: Rewriter,
    made: Mapping[Term, Term],
    relied: set[Term],
) -> Rule:
    """Multiply the factors that the step before is not needed for with each other first; `relied` collects the factors
    whose bounds that needs."""

    def regrouped(old: Term) -> tuple[Term, Term, Term] | None:
        """(a, b, c) where old is (a * b) * c, a in the recurrence, b and c outside and bounded."""
        here = roles.recurrence(old)
        if old.op != "mul" or here is None:
            return None
        for inner, c in (old.args, old.args[::-1]):
            if inner.op != "mul" or count[inner] != 1 or roles.recurrence(inner) != here:
                continue
            for a, b in (inner.args, inner.args[::-1]):
                outside = roles.recurrence(b) != here and roles.recurrence(c) != here
                bounded = bounds[c] <= 1 and bounds[b] <= ORDINARY**2
                same = {a.shape, b.shape, c.shape} == {old.shape} and {a.dtype, b.dtype, c.dtype} == {old.dtype}
                if outside and bounded and same and roles.recurrence(a) == here:
                    return a, b, c
        return None

    def rule(term: Term, old: Term) -> Term:
        found = regrouped(old)
        if found is None:
            return term
        a, b, c = found
        relied.add(b)
        factor = rewriter.make(term, "mul", (made[b], made[c]), old.shape)
        return rewriter.make(term, "mul", (made[a], factor), old.shape)

    return rule


def _joint(x: Term, y: Term) -> tuple[int, ...]:
    from ..ops.core import joint_shape

    return joint_shape((x.shape, y.shape))
