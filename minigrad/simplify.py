"""An explicit pass that makes a graph smaller without changing one bit of what it computes.

A rule is here only if it holds for NaN, inf and both zeros: `x * 1` is x, but `x + 0` is not (-0 + 0 is +0) and `x * 0`
is not 0. Leaves are never merged, equal or not, and a node with a name stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from . import ops
from .collector import uncollected
from .node import Node, key_of, walk
from .ops.core import Op
from .ops.leaves import Leaf, constant, constant_op
from .origin import placed


@overload
def simplify(outputs: Node) -> Node: ...
@overload
def simplify(outputs: Sequence[Node]) -> list[Node]: ...
def simplify(outputs: Node | Sequence[Node]) -> Node | list[Node]:
    """`outputs` as an equivalent, smaller graph: equal computations merged, no-ops dropped, constants folded.

    Values are the same bit for bit, NaN, inf and signed zeros included. The given graph is not changed; see both with
    `listing`.

    >>> import minigrad as mg
    >>> x = mg.input((3,), name="x")
    >>> y = mg.tanh(x) * mg.tanh(x) * 1.0
    >>> print(mg.listing(mg.simplify(y)))
    x  = input       (3,) float64
    %1 = tanh(x)     (3,) float64  used 2 times
    %2 = mul(%1, %1) (3,) float64
    """
    targets = [outputs] if isinstance(outputs, Node) else list(outputs)
    new: dict[Node, Node] = {}
    known: dict[Any, Node] = {}
    with uncollected():
        for node in reversed(list(walk(targets))):
            args = tuple([new[arg] for arg in node.args])
            result = _reduced(node, args)
            key = (result.op, tuple(map(_identity, result.args)), key_of(result.params), result.dtype, result.shape)
            if result.args and result.name is None:
                result = known.setdefault(key, result)
            new[node] = result
    results = [new[node] for node in targets]
    return results[0] if isinstance(outputs, Node) else results


def _reduced(node: Node, args: tuple[Node, ...]) -> Node:
    """The node on its new arguments, or something simpler that is equal to it."""
    if node.name is None and args:
        with placed(node.scope, node.of, node._site):
            rule = _RULES.get(node.op)
            simpler = rule(node, args) if rule else None
            if simpler is None:
                simpler = _folded(node, args)
        if simpler is not None and (simpler.shape, simpler.dtype) == (node.shape, node.dtype):
            return simpler
    if args == node.args:
        return node
    with placed(node.scope, node.of, node._site):
        rebuilt = node.op.build(args, node.params)
    return rebuilt if node.name is None else rebuilt.named(node.name)


def _identity(arg: Node) -> Any:
    # Two constants are two leaves, yet the same thing computed from equal ones is computed once.
    if arg.op is constant_op:
        return arg.dtype, arg.shape, arg._value.tobytes()
    return arg


def _folded(node: Node, args: tuple[Node, ...]) -> Node | None:
    """The value of a node whose arguments are constants, unless it is larger than they are."""
    if not all(arg.op is constant_op for arg in args) or node.size > max(arg.size for arg in args):
        return None
    if isinstance(node.op, Leaf) or node.op is ops.stop_gradient:
        return None
    with np.errstate(all="ignore"):
        return constant(node.op.kernel(*[arg._value for arg in args], **node.params))


def _is(node: Node, number: float, sign: bool = False) -> bool:
    """Whether the node is a constant, all of it this number with this sign bit."""
    if node.op is not constant_op or not node.size:
        return False
    return bool(np.all(node._value == number) and np.all(np.signbit(node._value) == sign))


def _mul(node: Node, args: tuple[Node, ...]) -> Node | None:
    return args[0] if _is(args[1], 1) else args[1] if _is(args[0], 1) else None


def _add(node: Node, args: tuple[Node, ...]) -> Node | None:
    return args[0] if _is(args[1], 0, sign=True) else args[1] if _is(args[0], 0, sign=True) else None


def _sub(node: Node, args: tuple[Node, ...]) -> Node | None:
    return args[0] if _is(args[1], 0) else None


def _by_one(node: Node, args: tuple[Node, ...]) -> Node | None:
    return args[0] if _is(args[1], 1) else None


def _neg(node: Node, args: tuple[Node, ...]) -> Node | None:
    return args[0].args[0] if args[0].op is ops.neg and args[0].name is None else None


def _reshape(node: Node, args: tuple[Node, ...]) -> Node | None:
    x = args[0]
    while x.op is ops.reshape and x.name is None:
        x = x.args[0]
    if x.shape == node.shape:
        return x
    return None if x is args[0] else ops.reshape(x, shape=node.shape)


def _transpose(node: Node, args: tuple[Node, ...]) -> Node | None:
    x, axes = args[0], node.params["axes"]
    while x.op is ops.transpose and x.name is None:
        x, axes = x.args[0], tuple([x.params["axes"][axis] for axis in axes])
    if axes == tuple(range(len(axes))):
        return x
    return None if x is args[0] else ops.transpose(x, axes=axes)


def _same(node: Node, args: tuple[Node, ...]) -> Node | None:
    return args[0]  # `_reduced` takes it only where shape and dtype are the same


_RULES: dict[Op, Callable[[Node, tuple[Node, ...]], Node | None]] = {
    ops.mul: _mul,
    ops.add: _add,
    ops.sub: _sub,
    ops.div: _by_one,
    ops.power: _by_one,
    ops.neg: _neg,
    ops.reshape: _reshape,
    ops.transpose: _transpose,
    ops.broadcast_to: _same,
    ops.cast: _same,
}
