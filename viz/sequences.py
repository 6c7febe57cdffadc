"""Sequences: one node of every step, put together for something that looks at all of them.

What an attention reads, or a readout of all outputs at once, is a stack of states. On a figure it is a line that
gathers one state a step and runs on to what takes it up. What runs back along it is measured place by place: the
gradient of the stack, split by who sent it and by which state it reaches.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from minigrad import Edge, Node, Run
from minigrad.derivative import pull_edge
from minigrad.node import Array

from .phases import cell_of, passed_on

MOST_HANDED = 2
"""Most things that are handed on to several later steps, each by a line of its own; more would be a tangle."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A stack of one node a step; or, with a single part, what one place hands on to several.

    Attributes:
        key: what it is called on the figure, and the front of its boxes' names.
        node: the stack.
        parts: place -> the node of that step that the stack holds.
        derived: what is computed from the stack before any step uses it (the keys of an attention).
    """

    key: str
    node: Node
    parts: Mapping[int, Node]
    derived: frozenset[Node] = field(default_factory=frozenset)

    @property
    def stacked(self) -> bool:
        """Whether it holds a part of every step, and not one thing that many steps use."""
        return len(self.parts) > 1


def gathered(
    nodes: Iterable[Node], step: Mapping[Node, int], alias: Mapping[Node, Node], users: Mapping[Node, Sequence[Edge]]
) -> list[Gathered]:
    """Return the sequences among `nodes`, which come in the order in which they were made."""
    nodes = list(nodes)
    leads: set[Node] = set()
    for node in reversed(nodes):
        if any(edge.user in step or edge.user in leads for edge in users.get(node, ())):
            leads.add(node)
    found: list[Gathered] = []
    for node in nodes:
        parts = _parts(node, step, alias)
        if parts is not None:
            derived = _derived(node, nodes, step, leads, alias)
            found.append(Gathered(f".sequence{len(found) or ''}", node, parts, derived))
    return found


def handed_on(nodes: Iterable[Node], step: Mapping[Node, int], users: Mapping[Node, Sequence[Edge]]) -> list[Gathered]:
    """Return what one place makes and several later ones use, apart from the one behind it: few things, or none."""
    found: list[Gathered] = []
    for node in nodes:
        at = step.get(node)
        if at is None or at < 0 or not node.args:
            continue
        later = {step[edge.user] for edge in users.get(node, ()) if step.get(edge.user, -1) > at}
        if len(later) > 1 and max(later) > at + 1:
            found.append(Gathered(f".handed{len(found) or ''}", node, {at: node}))
    return found if len(found) <= MOST_HANDED else []


def _parts(node: Node, step: Mapping[Node, int], alias: Mapping[Node, Node]) -> dict[int, Node] | None:
    if node in step or node in alias or node.op.name != "concat" or len(node.args) < 2:
        return None
    parts = [alias.get(arg, arg) for arg in node.args]
    places = [step.get(part, -1) for part in parts]
    rising = all(a + 1 == b for a, b in itertools.pairwise(places))
    if places[0] < 0 or not rising or len({cell_of(part) for part in parts}) > 1:
        return None
    return dict(zip(places, parts, strict=True))


def _derived(
    stack: Node, nodes: Iterable[Node], step: Mapping[Node, int], leads: set[Node], alias: Mapping[Node, Node]
) -> frozenset[Node]:
    found = {stack}
    still: set[Node] = set()  # what depends on nothing that any step computes
    for node in nodes:
        if node in step or node in alias:
            continue
        if any(arg in found for arg in node.args):
            if (node in leads or passed_on(node)) and all(arg in found or arg in still for arg in node.args):
                found.add(node)
        elif node is not stack and all(arg in still for arg in node.args):
            still.add(node)
    return frozenset(found - {stack})


def sent_back(sequence: Gathered, uses: Iterable[Edge], sent: Mapping[Edge, Array], run: Run) -> Array | None:
    """Return what `uses` of the sequence send back to the stack, in its shape; None where no gradient can pass."""
    pending: dict[Node, Array] = {}
    for use in uses:
        if use in sent:
            pending[use.argument] = pending[use.argument] + sent[use] if use.argument in pending else sent[use]
    for node in sorted(sequence.derived, key=lambda node: -node.id):
        if node not in pending:
            continue
        adjoint, values = pending.pop(node), [run[arg] for arg in node.args]
        for slot, arg in enumerate(node.args):
            if arg in sequence.derived or arg is sequence.node:
                term = pull_edge(node, slot, adjoint, run[node], values)
                if term is not None:
                    pending[arg] = pending[arg] + term if arg in pending else term
    return pending.get(sequence.node)


def pieces(sequence: Gathered, whole: Array, until: int) -> list[Array]:
    """Return what of `whole`, which has the stack's shape, belongs to the parts up to the place `until`."""
    if not sequence.stacked:
        return [np.asarray(whole)]
    axis = sequence.node.params["axis"]
    ends = list(itertools.accumulate(arg.shape[axis] for arg in sequence.node.args))[:-1]
    split = np.split(np.asarray(whole), ends, axis=axis)
    return [piece for place, piece in zip(sequence.parts, split, strict=True) if place <= until]
