"""Results in the place of operands that everybody has read: the gradient of the gates where the gates' sums were.

A term is written by its first writers: itself, or what is computed in place at the bottom of it, one for each piece of
a concatenation. It may lie in a *host*, a term computed before, if every first writer reads, element by element, just
the part of the host that it overwrites, and every other reader of that part has run already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .schedule import Group
from .terms import VIEWS, Graph, Term

# Where in a whole a part lies, an entry an axis; None is the whole.
Index = tuple[Any, ...]
Parents = dict[Term, tuple[Term, Index | None]]

# Ops whose result may overwrite these arguments: every element is read before it is written.
_BINARY = ("add", "sub", "mul", "div", "maximum", "add_n", "power")
_UNARY = ("neg", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "relu", "abs")
_GATES = ("sigmoid", "sigmoid_slope", "sech2", "exp_neg", "inverse_1p", "times_finite")
IN_PLACE: dict[str, int] = {**dict.fromkeys(_BINARY, 2), **dict.fromkeys(_UNARY + _GATES, 1)}


class _Use(NamedTuple):
    user: Term
    part: Index | None


def spent_places(graph: Graph, groups: Sequence[Group], base: Mapping[Term, Term], nested: Parents) -> Parents:
    """Which terms can lie in which hosts, given those `nested` in others already."""
    search = _Search(graph, groups, base, nested)
    for term in graph.terms:
        search.place(term)
    return search.found


class _Search:
    def __init__(self, graph: Graph, groups: Sequence[Group], base: Mapping[Term, Term], nested: Parents) -> None:
        self.base = base
        self.nested = nested
        self.found: Parents = {}
        self.when = {term: k for k, group in enumerate(groups) for term in group}
        self.below = {whole: part for part, (whole, index) in nested.items() if index is None}
        self.pieces: dict[Term, list[tuple[Term, Index | None]]] = {}
        for part, (whole, index) in nested.items():
            if index is not None:
                self.pieces.setdefault(whole, []).append((part, index))
        self.kept = {base[term] for term in graph.outputs} | set(self.pieces)
        # Who reads which part of each term, and of what lies in it.
        self.uses: dict[Term, list[_Use]] = {}
        for user in self.when:
            for arg in user.args:
                shown, region = self._part(arg)
                self.uses.setdefault(shown, []).append(_Use(user, region))

    def _part(self, arg: Term) -> tuple[Term, Index | None]:
        """The base that an argument shows, and which part of it (the whole if that cannot be said)."""
        source = self.base[arg]
        if arg.op == "slice" and arg.args[0] is source and _plain(arg.params["index"]):
            return source, arg.params["index"]
        return source, None

    def place(self, term: Term) -> None:
        """Find a host for the term, if it lies nowhere else and may lie in one."""
        if term in self.nested or term not in self.when or term.op in ("concat", "place"):
            return
        parts = self.pieces.get(term, [(term, None)])
        if term.op == "assemble" and len(parts) < len(term.args):
            return
        writers: list[Term] = []
        hosts: set[tuple[Term, Index | None] | None] = set()
        for part, index in parts:
            first = part
            while first in self.below:
                first = self.below[first]
            writers.append(first)
            spot = self._read_by(first, index)
            hosts.add(spot if index is None else (spot[0], None) if spot and spot[1] == index else None)
        spot = hosts.pop()
        if hosts or spot is None or not self._allowed(spot, term, writers):
            return
        host, index = spot
        self.found[term] = host, index
        if term in self.kept:
            self.kept.add(host)  # an output that lies in it is read after everything else
        for tenant in (term, *(part for part, _ in self.pieces.get(term, []))):
            self.uses[host] += [_Use(use.user, index) for use in self.uses.get(tenant, [])]

    def _read_by(self, writer: Term, index: Index | None) -> tuple[Term, Index | None] | None:
        """The host and the part of it that `writer` reads element by element, where it reads nothing else of it."""
        for arg in writer.args[: IN_PLACE.get(writer.op, 0)]:
            if arg.shape != writer.shape or arg.dtype != writer.dtype:
                continue
            spot = self._located(arg)
            if spot and sum(self._host(other) is spot[0] for other in writer.args) == 1:
                return spot
        return None

    def _host(self, arg: Term) -> Term:
        source = self.base[arg]
        return self.found[source][0] if source in self.found else source

    def _located(self, arg: Term) -> tuple[Term, Index | None] | None:
        source, part = self._part(arg)
        if arg is not source and part is None:
            return None
        if source not in self.found:
            return source, part
        host, around = self.found[source]
        if part is None or around is None:
            return host, part or around
        return host, tuple([(a[0] + b[0], a[0] + b[1], 1) for a, b in zip(around, part, strict=True)])

    def _allowed(self, spot: tuple[Term, Index | None], term: Term, writers: Sequence[Term]) -> bool:
        host, index = spot
        if not host.args or host.op in VIEWS or host in self.kept or host in self.nested or host in self.found:
            return False
        shape = host.shape if index is None else tuple([stop - start for start, stop, _ in index])
        if host.dtype != term.dtype or shape != term.shape:
            return False
        begin = min(self.when[writer] for writer in writers)
        own = set(writers)
        return all(
            use.user in own or (self.when[use.user] < begin and use.user.op != "concat") or _apart(use.part, index)
            for use in self.uses[host]
        )


def _plain(index: Index) -> bool:
    return all(isinstance(entry, tuple) and entry[2] == 1 and 0 <= entry[0] <= entry[1] for entry in index)


def _apart(x: Index | None, y: Index | None) -> bool:
    """Whether two parts of one term have no element in common."""
    if x is None or y is None:
        return False
    return any(a[1] <= b[0] or b[1] <= a[0] for a, b in zip(x, y, strict=True))
