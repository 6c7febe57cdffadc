"""The dock of a figure: every parameter once, and a tag wherever it is used, with what leaves through that use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import minigrad as mg
from minigrad import Edge as Use
from minigrad import Node

from .buses import prepared
from .groups import Group
from .labels import name_of, shape_text
from .measure import mark, norm
from .scene import DockItem, Tag
from .shares import noted, shared
from .words import Run, number, one_line, percent, plain

if TYPE_CHECKING:
    from .assemble import Assembly

PRODUCTS = ("matmul", "mul")


class Dock:
    """The parameters that the boxes of `parts` use."""

    def __init__(self, parts: Assembly) -> None:
        self.parts = parts
        self._item: dict[Node, DockItem] = {}

    @property
    def items(self) -> tuple[DockItem, ...]:
        """The parameters shown, in the order in which they were made."""
        return tuple(self._item[node] for node in sorted(self._item, key=lambda node: node.id))

    def tags(self, group: Group, owner: Mapping[Node, Group], t: int) -> tuple[Tag, ...]:
        """Return the parameters used by the group, those of the states first, biases last."""
        parts = self.parts
        found: list[tuple[int, str, int, Tag]] = []
        early = prepared(group, parts)
        for member in [*group.members, *early] if parts.timeline.timed else ():
            when = "used once for all steps" if member in early else f"use at {parts.timeline.said(t)}"
            for slot, used in enumerate(member.args):
                parameter = self._parameter(used)
                if parameter is None:
                    continue
                item = self._docked(parameter)
                operand, rank = self._operand(member, owner)
                tag = self._tag(f"{group.key}@{t} {len(found)}", item, Use(member, slot), operand, when)
                found.append((rank, plain(item.label), len(found), tag))
        return tuple(tag for *_, tag in sorted(found, key=lambda item: item[:3]))

    def _tag(self, identity: str, item: DockItem, use: Use, operand: str, when: str) -> Tag:
        """Return the tag of one use of a parameter; with what it sends back, or the share that leaves through it."""
        parts, called = self.parts, plain(item.label)
        parts.uses[identity] = [use]
        title = f"{called}, {when}"
        sent = parts.sent([use])
        if sent is not None:
            title += f"; contributes {number(sent, 3)} to |dL/d{called}|"
        leaves = None
        if parts.flow is not None:
            leaves = shared(mark(sent, parts.adjoint([use.user]) or 0.0), [use], parts.flow)
        if leaves is not None and leaves.share is not None:
            title += f"; {percent(leaves.share, 3)} of the gradient leaves here"
        return Tag(identity, item.id, item.label, title, operand, leaves, noted(leaves))

    def _operand(self, member: Node, owner: Mapping[Node, Group]) -> tuple[str, int]:
        """Return the key of what a weight multiplies, and 0 for a state, 1 for anything else, 2 for a bias."""
        kinds, timeline = self.parts.kinds, self.parts.timeline
        product = member
        if member in kinds.weight:
            product = next((use.user for use in timeline.users[member] if use.user.op.name in PRODUCTS), member)
        if product.op.name not in PRODUCTS:
            return "", 2
        other = next((arg for arg in product.args if arg not in kinds.weight), product)
        if other in timeline.lane and owner.get(other) is None:
            return timeline.lane[other], 0
        return (owner[other].key, 1) if other in owner else ("", 1)

    def _parameter(self, used: Node) -> mg.Parameter | None:
        """Return the parameter that `used` is, or what was made of it before the steps (its transpose, say)."""
        while used.args and used in self.parts.kinds.weight and used not in self.parts.timeline.step:
            used = used.args[0]
        return used if isinstance(used, mg.Parameter) else None

    def _docked(self, parameter: mg.Parameter) -> DockItem:
        """Return what stands in the dock for `parameter`; of two that are called alike the second is primed."""
        if parameter not in self._item:
            identity = f"parameter {len(self._item)}"
            name = parameter.name or "w"
            label = name_of(name, layers=self.parts.layers)
            while any(item.label == label for item in self._item.values()):
                label = (Run(label[0].text + "′"), *label[1:])
            title = f"{one_line(name, 80)}, {shape_text(parameter.shape)}, |value| {number(norm(parameter.value), 3)}"
            sweep = self.parts.sweep
            if sweep is not None and parameter in sweep.adjoints:
                title += f", |dL/d{plain(label)}| {number(norm(sweep.adjoints[parameter]), 3)}"
            self.parts.members[identity] = [parameter]
            self._item[parameter] = DockItem(identity, label, shape_text(parameter.shape), title)
        return self._item[parameter]
