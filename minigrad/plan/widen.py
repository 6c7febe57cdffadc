"""A unary op on neighbouring slices of one term becomes the op on the slice that spans them: two or three gates of one
step in one call, and their values side by side."""

from __future__ import annotations

from typing import Any

from .terms import Graph, Rewriter, Term

# Slopes are not among them: they are computed for all steps at once, where a call more costs nothing, and lie best
# where the products they go into will be.
_UNARY = frozenset({"sigmoid", "exp_neg", "inverse_1p", "tanh", "exp", "relu", "neg", "sin", "cos", "abs"})

# Larger parts are better off dense, each on its own, than side by side in one wide array.
_LARGEST = 512


def widen(graph: Graph) -> Graph:
    """Join like ops on slices of one term that differ in one range."""
    families: dict[Any, list[Term]] = {}
    for term in graph.terms:
        if term.op in _UNARY and term.args[0].op == "slice" and term.size <= _LARGEST:
            source = term.args[0].args[0]
            for axis, entry in enumerate(term.args[0].params["index"]):
                if _is_part(entry, source.shape[axis]):
                    families.setdefault((source, *_rest(term, axis)), []).append(term)
                    break
    spans: dict[Term, tuple[int, tuple[int, int]]] = {}
    for (_, _, axis, *_), members in families.items():
        for run in _runs(members, axis):
            for member in run:
                spans[member] = axis, (_start(run[0], axis), max(_stop(m, axis) for m in run))
    if not spans:
        return graph
    rewriter = Rewriter()
    wide: dict[Any, Term] = {}

    def rule(term: Term, old: Term) -> Term:
        if old not in spans:
            return term
        axis, (start, stop) = spans[old]
        index = term.args[0].params["index"]
        source = term.args[0].args[0]
        key = old.args[0].args[0], term.op, axis, start, _rest(old, axis)
        if key not in wide:
            around = (*index[:axis], (start, stop, 1), *index[axis + 1 :])
            shape = tuple([len(range(*entry)) for entry in around if isinstance(entry, tuple)])
            part = rewriter.make(term, "slice", (source,), shape, index=around)
            wide[key] = rewriter.add(
                Term(term.op, (part,), {}, shape, term.dtype, kernel=term.kernel, origin=term.origin)
            )
        kept = sum(isinstance(entry, tuple) for entry in index[:axis])
        own = [(0, size, 1) for size in wide[key].shape]
        own[kept] = (index[axis][0] - start, index[axis][1] - start, 1)
        return rewriter.make(term, "slice", (wide[key],), term.shape, index=tuple(own))

    return rewriter.run(graph, rule)


def _is_part(entry: Any, size: int) -> bool:
    return isinstance(entry, tuple) and entry[2] == 1 and 0 <= entry[0] < entry[1] and (entry[0], entry[1]) != (0, size)


def _rest(term: Term, axis: int) -> tuple[Any, ...]:
    index = term.args[0].params["index"]
    return term.op, axis, index[:axis], index[axis + 1 :], term.dtype


def _start(term: Term, axis: int) -> int:
    start: int = term.args[0].params["index"][axis][0]
    return start


def _stop(term: Term, axis: int) -> int:
    stop: int = term.args[0].params["index"][axis][1]
    return stop


def _runs(members: list[Term], axis: int) -> list[list[Term]]:
    """Members whose ranges touch, two or more at a time."""
    runs: list[list[Term]] = []
    for term in sorted(members, key=lambda m: _start(m, axis)):
        if runs and _start(term, axis) == max(_stop(m, axis) for m in runs[-1]):
            runs[-1].append(term)
        else:
            runs.append([term])
    return [run for run in runs if len(run) > 1]
