"""The order of execution: groups of independent like terms, each of which may become one call.

A role outside every recurrence is one group, over all steps. Inside a recurrence, terms of one step that are alike and
equally deep (the gates) form a group. Groups with one member are common; groups are never wrong, only more or less
useful: lowering cuts each into the fewest calls its members' storage allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from .roles import Roles, find_roles
from .terms import VIEWS, Graph, Term

# Joining groups compares all pairs of them: irregular graphs, with more groups than this, do without.
_MANY = 1000

Group = list[Term]


def schedule(graph: Graph, batch: bool = True) -> list[Group]:
    """Every computed term once, arguments first."""
    if not batch:
        return [[term] for term in graph.terms if term.args and term.op not in VIEWS]
    roles = find_roles(graph)
    members: list[list[Term]] = [[] for _ in roles.users]
    for term in roles.terms:
        members[roles.component[term.number]].append(term)
    recurrent = [number in roles.recurrent for number in range(len(members))]
    users = roles.users
    if len(members) <= _MANY:
        members, recurrent, users = _joined(members, recurrent, users, roles)
    groups: list[Group] = []
    level = [-1] * len(graph.terms)
    for k in _topological(members, users):
        groups += _levels(members[k], roles, level) if recurrent[k] else [members[k]]
    return groups


def _joined(
    members: list[list[Term]], recurrent: list[bool], users: list[set[int]], roles: Roles
) -> tuple[list[list[Term]], list[bool], list[set[int]]]:
    """Join alike groups with no path between them; the first steps of a loop, peeled off, come back this way."""
    count = len(members)
    below = [1 << v for v in range(count)]  # bit w of below[v]: a path leads from v to w
    for v in reversed(range(count)):  # components are numbered in topological order
        for w in users[v]:
            below[v] |= below[w]
    into = list(range(count))
    alike: dict[int, list[int]] = {}
    for v in range(count):
        if not recurrent[v]:
            alike.setdefault(roles.kind[members[v][0].number], []).append(v)
    for bucket in alike.values():
        kept: list[int] = []
        for v in bucket:
            for u in kept:
                if not (below[u] >> v & 1 or below[v] >> u & 1):
                    into[v] = u
                    both = below[u] | below[v]
                    mask = 1 << u | 1 << v
                    below = [b | both if b & mask else b for b in below]
                    break
            else:
                kept.append(v)
    left = [v for v in range(count) if into[v] == v]
    place = {v: k for k, v in enumerate(left)}
    new_members = [list(members[v]) for v in left]
    new_users: list[set[int]] = [set() for _ in left]
    for v in range(count):
        k = place[into[v]]
        if into[v] != v:
            new_members[k] += members[v]
        new_users[k] |= {place[into[w]] for w in users[v]} - {k}
    return new_members, [recurrent[v] for v in left], new_users


def _topological(members: list[list[Term]], users: list[set[int]]) -> Iterable[int]:
    waiting = [0] * len(members)
    for targets in users:
        for w in targets:
            waiting[w] += 1
    first = [min([term.number for term in group]) for group in members]
    ready = [(first[v], v) for v in range(len(members)) if not waiting[v]]
    heapify(ready)
    while ready:
        _, v = heappop(ready)
        yield v
        for w in users[v]:
            waiting[w] -= 1
            if not waiting[w]:
                heappush(ready, (first[w], w))


def _levels(terms: list[Term], roles: Roles, level: list[int]) -> list[Group]:
    """The terms of a recurrence, those of one level and kind together; `level` is -1 for every term, and left so."""
    groups: dict[tuple[int, bool, int], Group] = {}
    for term in terms:
        depth = max([level[roles.base[arg.number].number] for arg in term.args], default=-1) + 1
        level[term.number] = depth
        # Who reads a part of a value comes before who reads it whole, and may then write in its place.
        whole = all(arg.op != "slice" for arg in term.args)
        groups.setdefault((depth, whole, roles.kind[term.number]), []).append(term)
    for term in terms:
        level[term.number] = -1
    return [groups[key] for key in sorted(groups)]
