"""The equations of one step, read off its graph: what every named value is computed from, block by block.

Cells make the products of all their gates at once and slice them apart; written down, a gate has weights of its own.
That is done by pushing a slice of the last axis down through sums and products with weights to the parameters, whose
blocks are then called after the gate that takes them, as torch does: rows of W_ih taken by f are W_if. Nothing is known
of any cell by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minigrad import Node, Parameter
from minigrad import Run as RunOfGraph
from minigrad.node import Array

from . import formula
from .formula import ATOM, POWER, Piece
from .groups import Kinds
from .labels import above, name_of
from .timeline import PLUMBING, cell_of
from .words import NO_BREAK, Rich, Run

Cut = tuple[int, int] | None
"""Which elements of the last axis: from, to; None for all."""

Part = tuple[Node, Cut]

SPARE = "vwpqs"
"""Letters for values that have no name and are used more than once."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows (of a matrix used transposed), or some columns or elements, of a parameter."""

    parameter: Parameter
    axis: int
    cut: Cut
    transposed: bool

    def of(self, value: Array) -> Array:
        """Return the block of an array like the parameter."""
        return value if self.cut is None else np.take(value, range(*self.cut), self.axis)


class Equations:
    """The equations of step `t`.

    Attributes:
        heads: the nodes that are defined, in the order in which they were made.
        blocks: what the blocks of parameters are called.
        columns: whether vectors are written as columns (`W x`): where every weight is used transposed.
    """

    def __init__(self, kinds: Kinds, t: int, losses: Sequence[Node], layers: bool) -> None:
        self.kinds, self.timeline, self.t, self.layers = kinds, kinds.timeline, t, layers
        self.losses = set(losses)
        self.made = sorted(self.timeline.steps[t], key=lambda node: node.id)
        self.columns = all(block.transposed for node in self.made if (block := self._weight_of(node)) is not None)
        taken = {node.name for node in self.made}
        self.spare = next((letter for letter in SPARE if letter not in taken), SPARE[0])
        self.blocks: dict[tuple[Parameter, int, Cut], Rich] = {}
        self.gates: dict[tuple[int, int], dict[str, list[tuple[int, Rich]]]] = {}
        self.heads = [node for node in self.made if self._is_head(node)]
        self.head = set(self.heads)
        self.letters = {
            node: place + 1 for place, node in enumerate(n for n in self.heads if n.name is None and not self._known(n))
        }
        self.primes = self._primes()
        self.texts: dict[Node, dict[Part, Piece]] = {}
        for node in self.heads:
            self.texts[node] = self._written(node)

    def formula(self, head: Node) -> Rich:
        """Return `head = ...`."""
        return (*self.name(head), Run(" = "), *formula.shortened(self.texts[head][head, None][0]))

    def name(self, node: Node) -> Rich:
        """Return what `node` is called: its name with step, layer and direction."""
        block = self.block(node)
        if block is not None:
            return self._block_name(block, None)
        if not node.args and node.name is None:
            return self._leaf(node)
        t = self.timeline.step.get(node)
        base = node.name or (self._lane_name(node) if node in self.timeline.lane else "")
        if not base and node in self.letters:
            return (Run(self.spare), Run(f"{self.letters[node]}", "sub"))
        if not base:
            base = "L" if node in self.losses else "x" if self.kinds.is_input(node) else node.op.name
        label = name_of(base)
        label = (Run(label[0].text + "′" * self.primes.get(node, 0)), *label[1:])
        if t is None or len(label) != 1:
            return label
        return (*label, Run(str(t + 1), "sub"), *self._above(node))

    def summands(self, head: Node) -> list[Part]:
        """Return the terms that `head` adds up, or that the one function it is of adds up; none if it adds nothing."""
        inside = head.args[:1] if len(head.args) == 1 and formula.is_curved(head) else (head,)
        stack: list[Part] = [(node, None) for node in inside]
        found: list[Part] = []
        while stack:
            node, cut = stack.pop()
            known = self.block(node, cut) is not None or self._stops(node, head)
            sliced = _last_axis(node) is not None and self._divides(node.args[0], head) if not known else False
            if not known and (sliced or node.op.name in ("add", "add_n")):
                stack += reversed(self._below((node, cut), head))
            else:
                found.append((node, cut))
        return found if len(found) > 1 else []

    def text(self, head: Node, part: Part) -> Rich:
        """Return how `part` is written in the equation of `head`."""
        piece = self.texts[head].get(part)
        return self.name(part[0]) if piece is None else piece[0]

    def functions(self, head: Node) -> list[Node]:
        """Return the functions of one argument inside the equation of `head`, in the order in which they act."""
        inside = {node for node, _ in self.texts[head] if node is head or not self._stops(node, head)}
        return sorted(
            (node for node in inside if len(node.args) == 1 and formula.is_curved(node)), key=lambda node: node.id
        )

    def value(self, part: Part, run: RunOfGraph) -> Array:
        """Return the numbers of `part` in a run."""
        node, cut = part
        block = self.block(node, cut)
        array = np.asarray(run[block.parameter if block else node])
        if block is not None:
            return block.of(array)
        return array if cut is None else array[..., cut[0] : cut[1]]

    def block(self, node: Node, cut: Cut = None) -> Block | None:
        """Return which block of which parameter `node`, cut on its last axis, is; None if it is none."""
        axis, transposed, ndim = len(node.shape) - 1, False, len(node.shape)
        while node.args:
            name = node.op.name
            if name == "transpose" and ndim == 2 and node.args[0] in self.kinds.weight:
                axis, transposed = 1 - axis, not transposed
            elif name == "slice" and node.args[0] in self.kinds.weight and len(node.args[0].shape) == ndim:
                found = _sliced(node, axis)
                if found is None or (cut is not None and found[0] != axis):
                    return None
                axis, taken = found
                cut = taken if cut is None else (taken[0] + cut[0], taken[0] + cut[1])
            else:
                return None
            node = node.args[0]
        if not isinstance(node, Parameter):
            return None
        whole = cut is None or cut == (0, node.shape[axis])
        return Block(node, axis if not whole else 0, None if whole else cut, transposed)

    def _weight_of(self, node: Node) -> Block | None:
        """Return the weight that a product multiplies with from the right."""
        if node.op.name != "matmul" or node.args[1] not in self.kinds.weight:
            return None
        return self.block(node.args[1])

    def _known(self, node: Node) -> bool:
        return node in self.timeline.lane or node in self.losses

    def _lane_name(self, node: Node) -> str:
        return next(lane.name for lane in self.timeline.lanes if lane.key == self.timeline.lane[node])

    def _primes(self) -> dict[Node, int]:
        """Return how many primes tell nodes of one name apart: none for the one that is made last."""
        named: dict[tuple[str, object], list[Node]] = {}
        for node in self.heads:
            if node.name is not None:
                named.setdefault((node.name, cell_of(node)), []).append(node)
        return {node: place for same in named.values() for place, node in enumerate(reversed(same))}

    def _above(self, node: Node) -> Rich:
        _, layer, reverse = cell_of(node)
        return above(layer, reverse, layers=self.layers)

    def _is_head(self, node: Node) -> bool:
        """Tell whether `node` gets an equation of its own."""
        if not node.args or node in self.kinds.weight or self.kinds.is_input(node):
            return False
        users = [use.user for use in self.timeline.users[node]]
        if self._known(node):
            return True
        affine = node in self.kinds.affine
        if affine and users and all(_last_axis(user) is not None for user in users):
            return False
        if affine and len(users) == 1 and len(users[0].args) == 1 and formula.is_curved(users[0]):
            return False
        if node.name is not None:
            return True
        short = node.dtype.kind == "b" or node.op.name in PLUMBING or node.op.name == "stop_gradient"
        return len(set(users)) > 1 and not affine and not short

    def _stops(self, node: Node, head: Node) -> bool:
        """Tell whether `node` is written by name inside the equation of `head`."""
        if node is head:
            return False
        outside = self.timeline.step.get(node) != self.t
        return node in self.head or not node.args or outside or self.kinds.is_input(node)

    def _below(self, part: Part, head: Node) -> list[Part]:
        """Return what `part` is written in terms of."""
        node, cut = part
        if self.block(node, cut) is not None:
            return []
        if self._stops(node, head):
            return [] if cut is None else [(node, None)]
        inner = _last_axis(node)
        if inner is not None and self._divides(node.args[0], head):
            low = inner[0]
            return [(node.args[0], inner if cut is None else (low + cut[0], low + cut[1]))]
        if cut is None:
            return [(arg, None) for arg in node.args]
        if not self._divides(node, head):
            return [(node, None)]
        if node.op.name == "matmul":
            return [(node.args[0], None), (node.args[1], cut)]
        return [(arg, None if arg.shape[-1:] in ((), (1,)) else cut) for arg in node.args]

    def _divides(self, node: Node, head: Node) -> bool:
        """Tell whether a slice of `node` is the same of slices of its arguments."""
        if self.block(node) is not None:
            return True
        if self._stops(node, head) or node not in self.kinds.affine:
            return False
        return node.op.name in ("add", "add_n", "matmul") or _last_axis(node) is not None

    def _written(self, head: Node) -> dict[Part, Piece]:
        """Return every part of the equation of `head` as text."""
        below: dict[Part, list[Part]] = {}
        stack: list[Part] = [(head, None)]
        while stack:
            part = stack.pop()
            if part not in below:
                below[part] = self._below(part, head)
                stack += below[part]
        texts: dict[Part, Piece] = {}
        for part in sorted(below, key=lambda part: (part[0].id, part[1] is not None, part[1] or ())):
            piece = self._piece(part, [texts[arg] for arg in below[part]], head)
            if sum(len(run.text) for run in piece[0]) > 2 * formula.LONGEST:
                piece = (formula.shortened(piece[0]), ATOM)
            texts[part] = piece
        return texts

    def _piece(self, part: Part, args: list[Piece], head: Node) -> Piece:
        node, cut = part
        block = self.block(node, cut)
        if block is not None:
            name = self._block_name(block, head)
            turned = len(block.parameter.shape) > 1 and block.transposed is not self.columns
            return ((*name, Run("T", "sup")) if turned else name), ATOM
        if not args:
            return self.name(node), ATOM
        inner = _last_axis(node)
        if inner is not None and self._divides(node.args[0], head) and not self._stops(node, head):
            return args[0]
        if cut is not None and not (self._divides(node, head) and not self._stops(node, head)):
            return (*formula.within(args[0], ATOM), Run(f"[{cut[0]}:{cut[1]}]")), ATOM
        if self._weight_of(node) is not None:
            left, right = formula.within(args[0], POWER), formula.within(args[1], POWER)
            first, second = (right, left) if self.columns else (left, right)
            return (*first, Run(NO_BREAK + second[0].text, second[0].shift), *second[1:]), POWER
        return formula.apply(node, args)

    def _block_name(self, block: Block, head: Node | None) -> Rich:
        """Return what a block is called: after the gate that takes it, or by its rows."""
        key = (block.parameter, block.axis, block.cut)
        if key in self.blocks:
            return self.blocks[key]
        whole = name_of(block.parameter.name or "W", layers=self.layers)
        if block.cut is None:
            return whole
        low, high = block.cut
        name: Rich = (*whole, Run(f"[{':, ' * block.axis}{low}:{high}]"))
        gate = "" if head is None or head.name is None or len(head.name) > 2 else head.name
        if gate and len(whole) > 1 and whole[1].shift == "sub" and len(whole[1].text) == 2:
            after = (whole[0], Run(whole[1].text[0] + gate, "sub"), *whole[2:])
            if after != whole and after not in self.blocks.values():
                name = after
                self.gates.setdefault(block.cut, {}).setdefault(gate, []).append((block.parameter.id, whole))
        self.blocks[key] = name
        return name

    def _leaf(self, node: Node) -> Rich:
        found = formula.constant(node)
        if found or node.op.name != "constant" or node.size != 1:
            return found or formula.name(node)
        return (Run(f"{node.eval().item():g}"),)


def _last_axis(node: Node) -> tuple[int, int] | None:
    """Return from where to where a slice goes that takes a part of the last axis and nothing else."""
    if node.op.name != "slice" or len(node.shape) != len(node.args[0].shape):
        return None
    found = _sliced(node, len(node.shape) - 1)
    return found[1] if found is not None and found[0] == len(node.shape) - 1 else None


def _sliced(node: Node, axis: int) -> tuple[int, tuple[int, int]] | None:
    """Return the one axis that a slice shortens, `axis` if none, and from where to where; None for other slices."""
    found = None
    for place, (entry, size) in enumerate(zip(node.params["index"], node.args[0].shape, strict=True)):
        if isinstance(entry, int) or entry[2] != 1:
            return None
        if entry[:2] != (0, size):
            if found is not None:
                return None
            found = (place, (entry[0], entry[1]))
    return found or (axis, (0, node.args[0].shape[axis]))
