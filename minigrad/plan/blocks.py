"""Elementwise groups in a row, on more memory than the cache holds, are cut into blocks: all groups on the first steps,
then all on the next, so that what one group wrote the next one finds in the cache."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from ..ops.core import REGISTRY, Elementwise
from .kernels import ELEMENTWISE
from .schedule import Group
from .terms import Graph, Term

# What one block of one group writes, in bytes: a few of them fit in any second-level cache.
_BLOCK_BYTES = 1 << 16


def blocked(groups: Sequence[Group], graph: Graph) -> list[Group]:
    """The same terms in an order of smaller groups."""
    base = graph.bases
    result: list[Group] = []
    run: list[Group] = []
    inside: set[Term] = set()
    for group in groups:
        if _is_large(group):
            run.append(group)
            inside.update(group)
        elif run and any(base[arg.number] in inside for term in group for arg in term.args):
            result += _cut(run, base)
            run, inside = [], set()
            result.append(group)
        else:
            result.append(group)  # it needs nothing of the run, and may as well come before it
    return result + _cut(run, base)


def _is_large(group: Group) -> bool:
    if len(group) < 3:  # most are: with a result that fits in a block, they are not large
        return False
    elementwise = isinstance(REGISTRY.get(group[0].op), Elementwise) or group[0].op in ELEMENTWISE
    return elementwise and len(group) * group[0].nbytes > 2 * _BLOCK_BYTES and group[0].nbytes <= _BLOCK_BYTES


def _cut(run: list[Group], base: Sequence[Term]) -> list[Group]:
    if not run:
        return run
    family = _families(run, base)
    # Families that read what the same step computed come together, whichever way the steps of a group run.
    latest: dict[int, int] = {}
    for term in chain.from_iterable(run):
        read = [base[arg.number].number for arg in term.args]
        given = [number for number in read if number not in family]
        own = family[term.number]
        latest[own] = max([latest.get(own, -1), *given])
    place = {own: k for k, own in enumerate(sorted(latest, key=lambda own: (latest[own], own)))}
    largest = max(len(group) * group[0].nbytes for group in run) // len(place)
    width = max(1, _BLOCK_BYTES // max(1, largest))
    if len(place) < 2 * width:
        return run
    blocks: list[dict[int, Group]] = [{} for _ in range(-(-len(place) // width))]
    for k, group in enumerate(run):
        for term in group:
            blocks[place[family[term.number]] // width].setdefault(k, []).append(term)
    return [group for block in blocks for group in block.values()]


def _families(run: Iterable[Group], base: Sequence[Term]) -> dict[int, int]:
    """The number of each term of the run -> its family, which terms that need each other, directly or not, have in
    common."""
    parent = {term.number: term.number for group in run for term in group}
    for term in chain.from_iterable(run):
        for arg in term.args:
            read = base[arg.number].number
            if read in parent:
                parent[_root(parent, read)] = _root(parent, term.number)
    return {number: _root(parent, number) for number in parent}


def _root(parent: dict[int, int], number: int) -> int:
    while (above := parent[number]) != number:
        parent[number] = number = parent[above]
    return number
