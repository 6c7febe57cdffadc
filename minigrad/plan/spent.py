"""Results in the place of operands that everybody has read: the gradient of the gates where the gates' sums were.

A term is written by its first writers: itself, or what is computed in place at the bottom of it, one for each piece of
a concatenation. It may lie in a *host*, a term computed before, if every first writer reads, element by element, just
the part of the host that it overwrites, or nothing of the host, and every other reader of that part has run already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from .schedule import Group
from .terms import VIEWS, Graph, Term

# Where in a whole a part lies, an entry an axis; None is the whole.
Index = tuple[Any, ...]
# A term, or a part of it.
Spot = tuple[Term, Index | None]
# What each term lies in, by its number.
Parents = list[Spot | None]

# Ops whose result may overwrite these arguments: every element is read before it is written.
_BINARY = ("add", "sub", "mul", "div", "maximum", "add_n", "power")
_UNARY = ("neg", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "relu", "abs")
_GATES = ("sigmoid", "sigmoid_slope", "sech2", "sech2_of_exp", "exp_neg", "inverse_1p", "times_finite")
IN_PLACE: dict[str, int] = {**dict.fromkeys(_BINARY, 2), **dict.fromkeys(_UNARY + _GATES, 1)}


# Who reads a term, and which part of it (None: the whole, or it cannot be said).
_Use = tuple[Term, Index | None]


def nest_spent(graph: Graph, groups: Sequence[Group], base: Sequence[Term], nested: Parents) -> None:
    """Nest terms in hosts, where those `nested` in others already leave room."""
    search = _Search(graph, groups, base, nested)
    for term in graph.terms:
        search.place(term)
    for term, host in zip(graph.terms, search.host, strict=True):
        if host is not term:
            nested[term.number] = (host, None)


class _Search:
    def __init__(self, graph: Graph, groups: Sequence[Group], base: Sequence[Term], nested: Parents) -> None:
        self.base = base
        self.nested = nested
        # What each term lies in that this search found; the term itself where it is nothing.
        self.host = list(graph.terms)
        # In which group each term is computed, by its number; -1 for leaves and views.
        self.when = [-1] * len(graph.terms)
        for k, group in enumerate(groups):
            for term in group:
                self.when[term.number] = k
        self.below = {
            parent[0]: term for term, parent in zip(graph.terms, nested, strict=True) if parent and parent[1] is None
        }
        self.pieces: dict[Term, list[Spot]] = {}
        for term in graph.terms:
            if term.op == "assemble":
                places = zip(term.args, term.params["indices"], strict=True)
                if pieces := [(piece, index) for piece, index in places if nested[piece.number] == (term, index)]:
                    self.pieces[term] = pieces
        # What is read after everything else, as an output is, or in pieces as well.
        self.kept = {base[term.number] for term in graph.outputs} | set(self.pieces)
        # Which part of its base a term shows, and the uses of each base and of what lies in it.
        self.part: list[Index | None] = [None] * len(graph.terms)
        self.uses: defaultdict[Term, list[_Use]] = defaultdict(list)
        for term in graph.terms:
            if term.op not in VIEWS:
                for arg in term.args:
                    self.uses[base[arg.number]].append((term, self.part[arg.number]))
            elif term.op == "slice" and term.args[0] is base[term.number] and _plain(term.params["index"]):
                self.part[term.number] = term.params["index"]

    def place(self, term: Term) -> None:
        """Find a host for the term, if it lies nowhere else and may lie in one."""
        if self.when[term.number] < 0 or self.nested[term.number]:
            return
        pieces = self.pieces.get(term, [])
        if term.op == "assemble" and len(pieces) < len(term.args):
            return
        if not pieces:
            first = self._chain(term)[0]
            for host, part in self._read_by(first):
                if self._fits(term, host) and self._free(host, part, first):
                    self._settle(term, host)
                    return
            return
        chains = [([(w, self._read_by(w)) for w in self._chain(piece)], index) for piece, index in pieces]
        wanted = [spot for chain, index in chains for _, spots in chain for spot in spots if spot[1] == index]
        for host in dict.fromkeys(host for host, _ in wanted):
            if not self._fits(term, host):
                continue
            writers = [self._first_writer(chain, host, index) for chain, index in chains]
            if all(writer is not None for writer in writers):
                for writer in writers:
                    # What was computed at the bottom of the piece, but came too early, gets a place of its own.
                    inner = self.below.pop(writer, None) if writer is not None else None
                    if inner is not None:
                        self.nested[inner.number] = None
                self._settle(term, host)
                return

    def _chain(self, term: Term) -> list[Term]:
        """The terms that are computed one over the other in the place of `term`, which is the last."""
        chain = [term]
        while chain[-1] in self.below:
            chain.append(self.below[chain[-1]])
        return chain[::-1]

    def _first_writer(self, chain: Sequence[tuple[Term, list[Spot]]], host: Term, index: Index | None) -> Term | None:
        """The first of the chain that may write its part of the host: it reads just that part, or nothing of it."""
        for writer, spots in chain:
            blind = all(self.host[self.base[arg.number].number] is not host for arg in writer.args)
            if (blind or (host, index) in spots) and self._free(host, index, writer):
                return writer
        return None

    def _settle(self, term: Term, host: Term) -> None:
        self.host[term.number] = host
        self.uses[host] += self.uses[term]
        if term in self.kept:
            self.kept.add(host)

    def _read_by(self, writer: Term) -> list[Spot]:
        """The hosts, and the part of each, that `writer` reads element by element and reads nothing else of."""
        spots = []
        hosts = [self.host[self.base[arg.number].number] for arg in writer.args]
        for arg, host in zip(writer.args[: IN_PLACE.get(writer.op, 0)], hosts, strict=False):
            part = self.part[arg.number]
            seen = part is not None or arg.op not in VIEWS
            if seen and arg.shape == writer.shape and hosts.count(host) == 1:
                spots.append((host, part))
        return spots

    def _fits(self, term: Term, host: Term) -> bool:
        """Whether the term has the shape of the host, and the host can have a tenant."""
        if not host.args or host in self.kept or self.nested[host.number]:
            return False
        return host.dtype == term.dtype and host.shape == term.shape

    def _free(self, host: Term, index: Index | None, writer: Term) -> bool:
        """Whether the host is there and everybody but `writer` has read that part of it when it writes."""
        begin = self.when[writer.number]
        if begin <= self.when[host.number]:
            return False
        for user, part in self.uses[host]:
            read = user is writer or (self.when[user.number] < begin and user.op != "concat")
            if not read and not _apart(part, index):
                return False
        return True


def _plain(index: Index) -> bool:
    return all(isinstance(entry, tuple) and entry[2] == 1 and 0 <= entry[0] <= entry[1] for entry in index)


def _apart(x: Index | None, y: Index | None) -> bool:
    """Whether two parts of one term have no element in common."""
    if x is None or y is None:
        return False
    return any(a[1] <= b[0] or b[1] <= a[0] for a, b in zip(x, y, strict=True))
