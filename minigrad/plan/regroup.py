"""Passes that move work out of a recurrence by regrouping sums and products.

What does not depend on the step before can be computed for all steps at once, but only if it is a term of its own:
`(x W + b) + h U + c` has to become `(x W + (b + c)) + h U`, and the chain rule's `(dc * g) * slope(a)` has to become
`dc * (g * slope(a))`.

Regrouped products agree to rounding as long as nothing overflows on the way: they are left alone unless both inner
factors are bounded (see `bounds.py`). Regrouped sums are as exact as the sums a matrix product makes.
"""

from __future__ import annotations

from .bounds import ORDINARY, Bounds
from .roles import find_roles
from .terms import Graph, Rewriter, Term, uses


def regroup_sums(graph: Graph) -> Graph:
    """Add first what is small, then what is outside the recurrence, and last what the step before is needed for."""
    roles = find_roles(graph)
    count = uses(graph)
    # The terms each nested sum would open up to; a sum is opened where it has one user, itself a sum.
    absorbed = {
        arg
        for term in graph.terms
        if term.op == "add"
        for arg in term.args
        if arg.op == "add" and count[arg] == 1 and arg.dtype == term.dtype
    }
    addends: dict[Term, list[Term]] = {}
    rewriter = Rewriter()
    made: dict[Term, Term] = {}

    def rule(term: Term, old: Term) -> Term:
        made[old] = term
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
        made[old] = total
        return total

    return rewriter.run(graph, rule)


def regroup_products(graph: Graph) -> Graph:
    """Multiply the factors that the step before is not needed for with each other first."""
    roles = find_roles(graph)
    count = uses(graph)
    bounds = Bounds(graph)
    rewriter = Rewriter()
    relied: set[Term] = set()

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

    made: dict[Term, Term] = {}

    def rule(term: Term, old: Term) -> Term:
        made[old] = term
        found = regrouped(old)
        if found is not None:
            a, b, c = found
            relied.add(b)
            factor = rewriter.make(term, "mul", (made[b], made[c]), old.shape)
            made[old] = rewriter.make(term, "mul", (made[a], factor), old.shape)
        return made[old]

    result = rewriter.run(graph, rule)
    return Graph(result.terms, result.outputs, graph.guarded | bounds.leaves_behind(relied))


def _joint(x: Term, y: Term) -> tuple[int, ...]:
    from ..ops.core import joint_shape

    return joint_shape((x.shape, y.shape))
