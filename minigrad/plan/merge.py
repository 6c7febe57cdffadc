"""Passes that only remove: equal terms are computed once, views of views become one, constants are folded.

None of them changes a bit of any value. They look at one term at a time, so one sweep does all three.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import Array, key_of
from .terms import VIEWS, Rule, Term

# Constants above this many bytes are not compared with each other, nor is a larger one made by folding.
_SMALL = 1 << 16


def merge() -> Rule:
    """One term for all terms of the same op, parameters and arguments. Inputs and parameters are never merged."""
    # By the hash of the key: to keep half a million keys would take more memory than the terms do.
    seen: dict[int, Term] = {}
    of_equal_hash: dict[Any, Term] = {}

    def rule(term: Term) -> Term:
        key = _key(term)
        if key is None:
            return term
        first = seen.setdefault(hash(key), term)
        if first is term or _key(first) == key:
            return first
        return of_equal_hash.setdefault(key, term)

    return rule


def _key(term: Term) -> Any:
    if term.leaf is not None:
        value = constant_value(term)
        if value is None or value.nbytes > _SMALL:
            return None
        return "constant", value.shape, value.dtype, value.tobytes()
    # Most parameters are those of views, whole numbers all of them.
    params = tuple(term.params.items()) if term.op in VIEWS else key_of(term.params)
    return term.op, term.args, params, term.dtype


def tidy() -> Rule:
    """Views that undo each other, or that change nothing, are taken out."""

    def rule(term: Term) -> Term:
        if term.op not in ("transpose", "reshape", "broadcast_to"):
            return term
        inner, params = term.args[0], term.params
        if inner.op == term.op:
            if term.op == "transpose":
                params = {"axes": tuple([inner.params["axes"][axis] for axis in params["axes"]])}
            inner = inner.args[0]
        nothing = (
            params["axes"] == tuple(range(len(term.shape))) if term.op == "transpose" else inner.shape == term.shape
        )
        if nothing:
            return inner
        if inner is term.args[0]:
            return term
        return Term(term.op, (inner,), params, term.shape, term.dtype, kernel=term.kernel, origin=term.origin)

    return rule


def fold() -> Rule:
    """What depends on constants alone is computed now, by the op's own kernel."""
    from ..ops.leaves import constant

    known: dict[Term, Array] = {}

    def rule(term: Term) -> Term:
        if not term.args:
            value = constant_value(term)
            if value is not None:
                known[term] = value
            return term
        for arg in term.args:
            if arg not in known:
                return term
        if term.nbytes > _SMALL and term.op not in VIEWS:
            return term
        assert term.kernel is not None
        with np.errstate(all="ignore"):
            computed = np.asarray(term.kernel(*[known[arg] for arg in term.args], **term.params))
        if term.op in VIEWS:
            known[term] = computed
            return term
        leaf = Term("constant", (), {}, term.shape, term.dtype, leaf=constant(computed), origin=term.origin)
        known[leaf] = computed
        return leaf

    return rule


def constant_value(term: Term) -> Array | None:
    """The value of a constant; None for every other term."""
    return None if term.leaf is None or term.op != "constant" else term.leaf._value
