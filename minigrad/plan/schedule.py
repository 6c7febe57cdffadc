"""The order of execution: groups of independent like terms, each of which may become one call.

A role outside every recurrence is one group, over all steps. Inside a recurrence, terms of one step that are alike and
equally deep (the gates) form a group. Groups with one member are common; groups are never wrong, only more or less
useful: lowering cuts each into the fewest calls its members' storage allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from .roles import Roles, find_roles
from .terms import Graph, Term

# Joining groups compares all pairs of them: irregular graphs, with more groups than this, do without.
_MANY = 1000

Group = list[Term]


def schedule(graph: Graph, batch: bool = True) -> list[Group]:
    """Every computed term once, arguments first."""
    roles = find_roles(graph)
    if not batch:
        return [[term] for term in graph.terms if term in roles.role]
    blocks: dict[int, list[Term]] = {}
    for term in graph.terms:
        if term in roles.role:
            blocks.setdefault(roles.component[roles.role[term]], []).append(term)
    numbers = sorted(blocks)
    vertex = {number: k for k, number in enumerate(numbers)}
    members = [blocks[number] for number in numbers]
    recurrent = [number in roles.recurrent for number in numbers]
    owner = {term: vertex[roles.component[role]] for term, role in roles.role.items()}
    users = _quotient(owner, len(members), roles)
    if len(members) <= _MANY:
        members, recurrent, users = _joined(members, recurrent, users, roles)
    groups: list[Group] = []
    for k in _topological(members, users, {term: k for k, term in enumerate(graph.terms)}):
        groups += _levels(members[k], roles) if recurrent[k] else [members[k]]
    return groups


def _quotient(owner: dict[Term, int], count: int, roles: Roles) -> list[set[int]]:
    users: list[set[int]] = [set() for _ in range(count)]
    for term, v in owner.items():
        for arg in term.args:
            source = roles.base[arg]
            if source.args and owner[source] != v:
                users[owner[source]].add(v)
    return users


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
            alike.setdefault(roles.kind[members[v][0]], []).append(v)
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


def _topological(members: list[list[Term]], users: list[set[int]], position: dict[Term, int]) -> Iterable[int]:
    waiting = [0] * len(members)
    for targets in users:
        for w in targets:
            waiting[w] += 1
    first = [min(position[term] for term in group) for group in members]
    ready = [(first[v], v) for v in range(len(members)) if not waiting[v]]
    heapify(ready)
    while ready:
        _, v = heappop(ready)
        yield v
        for w in users[v]:
            waiting[w] -= 1
            if not waiting[w]:
                heappush(ready, (first[w], w))


def _levels(terms: list[Term], roles: Roles) -> list[Group]:
    """The terms of a recurrence, those of one level and one kind together."""
    level: dict[Term, int] = {}
    groups: dict[tuple[int, bool, int], Group] = {}
    for term in terms:
        depth = max((level.get(roles.base[arg], -1) for arg in term.args), default=-1) + 1
        level[term] = depth
        # Who reads a part of a value comes before who reads it whole, and may then write in its place.
        whole = all(arg.op != "slice" for arg in term.args)
        groups.setdefault((depth, whole, roles.kind[term]), []).append(term)
    return [groups[key] for key in sorted(groups)]
