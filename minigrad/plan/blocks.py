"""Elementwise groups in a row, on more memory than the cache holds, are cut into blocks: all groups on the first steps,
then all on the next, so that what one group wrote the next one finds in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..ops.core import REGISTRY, Elementwise
from .kernels import ELEMENTWISE
from .schedule import Group
from .terms import Graph, Term, bases

# What one block of one group writes, in bytes: a few of them fit in any second-level cache.
_BLOCK_BYTES = 1 << 16


def blocked(groups: Sequence[Group], graph: Graph) -> list[Group]:
    """The same terms in an order of smaller groups."""
    base = bases(graph)
    position = {term: k for k, term in enumerate(graph.terms)}
    result: list[Group] = []
    run: list[Group] = []
    inside: set[Term] = set()
    for group in groups:
        if _is_large(group):
            run.append(group)
            inside.update(group)
        elif any(base[arg] in inside for term in group for arg in term.args):
            result += _cut(run, base, position)
            run, inside = [], set()
            result.append(group)
        else:
            result.append(group)  # it needs nothing of the run, and may as well come before it
    return result + _cut(run, base, position)


def _is_large(group: Group) -> bool:
    elementwise = isinstance(REGISTRY.get(group[0].op), Elementwise) or group[0].op in ELEMENTWISE
    return elementwise and len(group) * group[0].nbytes > 2 * _BLOCK_BYTES and group[0].nbytes <= _BLOCK_BYTES


def _cut(run: list[Group], base: dict[Term, Term], position: dict[Term, int]) -> list[Group]:
    if not run:
        return run
    family = _families(run, base)
    # Families that read what the same step computed come together, whichever way the steps of a group run.
    inside = {term for group in run for term in group}
    latest: dict[Term, int] = {}
    for term in inside:
        given = [position[base[arg]] for arg in term.args if base[arg] not in inside]
        latest[family(term)] = max([latest.get(family(term), -1), *given])
    number = {
        member: k for k, member in enumerate(sorted(latest, key=lambda member: (latest[member], position[member])))
    }
    largest = max(len(group) * group[0].nbytes for group in run) // len(number)
    width = max(1, _BLOCK_BYTES // max(1, largest))
    if len(number) < 2 * width:
        return run
    blocks: list[dict[int, Group]] = [{} for _ in range(-(-len(number) // width))]
    for k, group in enumerate(run):
        for term in group:
            blocks[number[family(term)] // width].setdefault(k, []).append(term)
    return [group for block in blocks for group in block.values()]


def _families(run: Iterable[Group], base: dict[Term, Term]) -> Callable[[Term], Term]:
    """Terms of the run that need each other, directly or not, are of one family, known by one of its members."""
    parent = {term: term for group in run for term in group}

    def find(term: Term) -> Term:
        while parent[term] is not term:
            parent[term] = parent[parent[term]]
            term = parent[term]
        return term

    for term in list(parent):
        for arg in term.args:
            if base[arg] in parent:
                parent[find(base[arg])] = find(term)
    return find
