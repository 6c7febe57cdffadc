"""Which terms play the same role in different steps of a loop, and which of them depend on the step before.

An unrolled loop is many copies of a few statements. Terms are sorted into classes of one role each, and the classes
form a small graph: class A -> B where some member of B uses some member of A. A class that lies on no cycle of that
graph has independent members, and all of them can be computed in one call; the strongly connected components are the
true recurrences, computed step by step. That is loop distribution (Allen and Kennedy, 1987) on an unrolled graph.

Roles start coarse (op, shapes, what kind of arguments) and are told apart further, by the roles of the arguments, only
where terms still lie on a cycle. The scopes that cells set are a hint (see `terms.from_nodes`), never relied on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..node import key_of
from .terms import VIEWS, Graph, Term

_ROUNDS = 4

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Roles:
    """The classes of a graph's computed terms (neither leaves nor views).

    Attributes:
        terms: the computed terms, in order.
        base: each term's base, see `Graph.bases`.
        kind: term number -> number of its kind; terms of one kind can be computed in one call: equal op, parameters,
            shapes. -1 for leaves and views, here and below.
        component: term number -> the strongly connected component of roles that the term is of.
        users: component -> the components that use it; numbered in topological order.
        recurrent: the components that are true recurrences.
    """

    terms: list[Term]
    base: list[Term]
    kind: list[int]
    component: list[int]
    users: list[set[int]]
    recurrent: frozenset[int]

    def recurrence(self, term: Term) -> int | None:
        """The recurrence that the term is part of, or None."""
        component = self.component[self.base[term.number].number]
        return component if component in self.recurrent else None


def find_roles(graph: Graph) -> Roles:
    """Sort the terms into roles and find the recurrences among them."""
    told = _Told(graph)
    place = np.full(len(graph.terms), -1)
    place[[term.number for term in told.terms]] = np.arange(len(told.terms))
    edges, role = _edges(told, place, graph.bases), np.array(told.signature, np.int64)
    rounds = []
    for _ in range(_ROUNDS):
        component, users, recurrent = _components(role, edges)
        bound = np.isin(component, list(recurrent))[role]
        rounds.append((int(bound.sum()), component[role], users, recurrent))
        if not rounds[-1][0]:
            break
        # Refining also peels the first steps off a loop: no further than it frees terms in earnest.
        if len(rounds) > 1 and rounds[-1][0] > 0.95 * rounds[-2][0]:
            break
        role = _refined(role, bound, np.array(told.paths, np.int64), edges)
    least = min(entry[0] for entry in rounds)
    _, of_terms, users, recurrent = next(entry for entry in rounds if entry[0] <= 1.1 * least)
    return Roles(told.terms, graph.bases, _spread(told.kind, place), _spread(of_terms, place), users, recurrent)


def _spread(values: Any, place: Numbers) -> list[int]:
    """What is known of the computed terms as a list of all; -1 for the others."""
    # A place of -1 is the last one.
    return np.append(np.asarray(values, np.int64), -1)[place].tolist()


class _Told:
    """What can be told of each computed term by itself and its arguments, numbers for equal things.

    Attributes:
        terms: the computed terms, in order; the other lists have an entry for each of them.
        kind: see `Roles`.
        signature: kind, origin, and what kind of values the arguments are, or are views of.
        paths: how the arguments view what they are views of.
        args: the numbers of the arguments of all terms, one after the other.
        arity: how many of them each term has.
    """

    def __init__(self, graph: Graph) -> None:
        self.terms: list[Term] = []
        self.kind: list[int] = []
        self.signature: list[int] = []
        self.paths: list[int] = []
        self.args: list[int] = []
        self.arity: list[int] = []
        types, looks, views, kinds, signatures, paths = [_numbers() for _ in range(6)]
        # Of every term: its type, how it looks to its users, how it views its base.
        of_type: list[int] = []
        look: list[int] = []
        view: list[int] = []
        # In one loop: a long graph is in no cache, and every time it is gone through costs.
        for term, base in zip(graph.terms, graph.bases, strict=True):
            op = term.op
            of_type.append(types[term.shape, term.dtype])
            # A leaf is told from other leaves by identity, so the weights of different layers part at once.
            look.append(looks[op, base.op if base.args else base, base.shape])
            if op in VIEWS:
                step = _ranges(term.params["index"]) if op == "slice" else op
                view.append(views[step, view[term.args[0].number]])
                continue
            view.append(-1)
            if not term.args:
                continue
            args = [arg.number for arg in term.args]
            kind = kinds[(op, of_type[-1], _loosened(term), *[of_type[arg] for arg in args])]
            self.terms.append(term)
            self.kind.append(kind)
            self.signature.append(signatures[(kind, term.origin, *[look[arg] for arg in args])])
            self.paths.append(paths[tuple([view[arg] for arg in args])])
            self.args += args
            self.arity.append(len(args))


def _numbers() -> defaultdict[Any, int]:
    """Numbers for keys, as they are asked for: 0 for the first, the same one for equal keys."""
    return defaultdict(count().__next__)


class _Edges(NamedTuple):
    """The edges between computed terms, by place among them: from `source` to `user`, as argument `slot`, in order of
    users."""

    source: Numbers
    user: Numbers
    slot: Numbers


def _edges(told: _Told, place: Numbers, base: Sequence[Term]) -> _Edges:
    arity = np.array(told.arity, np.int64)
    of_base = place[np.array([term.number for term in base], np.int64)]
    source = of_base[np.array(told.args, np.int64)]
    user = np.repeat(np.arange(len(arity)), arity)
    slot = np.arange(len(user)) - np.repeat(np.cumsum(arity) - arity, arity)
    computed = source >= 0
    return _Edges(source[computed], user[computed], slot[computed])


def _loosened(term: Term) -> Any:
    if term.op == "assemble":
        return tuple([_ranges(index) for index in term.params["indices"]])
    return key_of(term.params)


def _ranges(index: Iterable[Any]) -> tuple[Any, ...]:
    # Step t is an integer in an index, a gate is a range: the range tells the role.
    return tuple([entry if isinstance(entry, tuple) else None for entry in index])


def _refined(role: Numbers, bound: NDArray[np.bool_], paths: Numbers, edges: _Edges) -> Numbers:
    """Split the roles of the terms in recurrences by the roles, and the slices, of their arguments.

    Terms are told apart by 64-bit hashes: two that collide keep one role, which costs a call and breaks nothing.
    """
    of_args = np.zeros(len(role), np.uint64)
    if len(edges.user):
        hashes = _mixed(role[edges.source].astype(np.uint64) * np.uint64(2**20) + edges.slot.astype(np.uint64))
        starts = np.flatnonzero(np.diff(edges.user, prepend=-1))
        of_args[edges.user[starts]] = np.add.reduceat(hashes, starts)
    inside = _mixed(of_args + _mixed(paths.astype(np.uint64) + np.uint64(1)))
    keys = _mixed(role.astype(np.uint64)) + np.where(bound, inside, np.uint64(0))
    _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    refined: Numbers = rank[numbers]
    return refined


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers whose every bit depends on every bit of x (the finaliser of splitmix64, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _components(role: Numbers, edges: _Edges) -> tuple[Numbers, list[set[int]], frozenset[int]]:
    """The strongly connected component of each role, which components use which, and those that hold a cycle."""
    size = int(role.max(initial=-1)) + 1
    users: list[list[int]] = [[] for _ in range(size)]
    for pair in np.unique(role[edges.source] * size + role[edges.user]).tolist():
        users[pair // size].append(pair % size)
    component = strongly_connected(users)
    members = Counter(component)
    joined: list[set[int]] = [set() for _ in members]
    cyclic = {number for number, size in members.items() if size > 1}
    for k, of_role in enumerate(users):
        joined[component[k]].update(component[user] for user in of_role)
        if k in of_role:
            cyclic.add(component[k])
    for number, of_component in enumerate(joined):
        of_component.discard(number)
    return np.array(component, np.int64), joined, frozenset(cyclic)


def strongly_connected(users: list[list[int]]) -> list[int]:
    """The component of each vertex, numbered in topological order (Tarjan 1972, without recursion)."""
    count = len(users)
    index = [-1] * count
    low = [0] * count
    component = [-1] * count
    stack: list[int] = []
    clock = found = 0
    for root in range(count):
        if index[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            v, at = work.pop()
            if at == 0:
                index[v] = low[v] = clock
                clock += 1
                stack.append(v)
            for k in range(at, len(users[v])):
                w = users[v][k]
                if index[w] < 0:
                    work += [(v, k + 1), (w, 0)]
                    break
                if component[w] < 0:
                    low[v] = min(low[v], index[w])
            else:
                if low[v] == index[v]:
                    while component[v] < 0:
                        component[stack.pop()] = found
                    found += 1
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[v])
    return [found - 1 - number for number in component]
