"""Reverse mode and forward mode, as graphs.

`backprop` walks ids downward from the output. At each node it knows the adjoint (the cotangent of the output with
respect to that node); every edge to an argument contributes `pull(adjoint)`; the contributions to a node are collected
in a list, kept, and joined by one n-ary sum. So the gradient of a weight used T times is literally a sum of T terms.

Everything built here is made of the same nodes as the forward graph, so it can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from . import ops
from .errors import GradientError
from .node import Node, Shape, describe, differentiating, walk
from .ops.core import Value
from .ops.linear import reduced_shape


class Edge(NamedTuple):
    """The use of a node as argument number `slot` of `user`."""

    user: Node
    slot: int

    @property
    def argument(self) -> Node:
        """The node that is used."""
        return self.user.args[self.slot]


@dataclass(frozen=True)
class Backprop:
    """A reverse sweep, term by term.

    Attributes:
        output: the node that was differentiated.
        adjoints: node -> d output / d node, for every node between the sources and the output.
        contributions: edge -> what that edge sends back to its argument, before summing. The adjoint of a node is the
            sum of the contributions of its outgoing edges.
    """

    output: Node
    adjoints: dict[Node, Node]
    contributions: dict[Edge, Node]

    def uses(self, node: Node) -> list[Edge]:
        """The edges through which `node` is used on the way to the output, in the order of creation."""
        return sorted((e for e in self.contributions if e.argument is node), key=lambda e: (e.user.id, e.slot))


def backprop(y: Node, wrt: Node | Iterable[Node] | None = None, *, seed: Value | None = None) -> Backprop:
    """Differentiate `y` with respect to `wrt` (all its float inputs and parameters by default), keeping every term.

    `y` is a scalar unless a `seed` of its shape is given.

    >>> import minigrad as mg
    >>> x = mg.parameter(3.0, name="x")
    >>> sweep = mg.backprop(x * x)
    >>> [float(sweep.contributions[use].eval()) for use in sweep.uses(x)]
    [3.0, 3.0]
    """
    sources = _sources(y, wrt)
    adjoint = _seed(y, seed)
    order = [node for node in _between(sources, y) if node.dtype.kind == "f"]
    on_path = set(order)
    terms: dict[Node, list[Node]] = {y: [adjoint]}
    adjoints: dict[Node, Node] = {}
    contributions: dict[Edge, Node] = {}
    for node in order:
        if node not in terms:
            continue
        adjoint = adjoints[node] = join(terms.pop(node), node)
        if not node.args:
            continue
        with differentiating(node):
            for slot, arg in enumerate(node.args):
                if arg not in on_path:
                    continue
                term = pull_edge(node, slot, adjoint, node, node.args)
                if term is not None:
                    contributions[Edge(node, slot)] = term
                    terms.setdefault(arg, []).append(term)
    return Backprop(y, adjoints, contributions)


def join(terms: list[Node], node: Node) -> Node:
    """The sum of all contributions to `node`, as one n-ary sum."""
    if len(terms) == 1:
        return terms[0]
    with differentiating(node):
        return ops.add_n(*terms)


def pull_edge(user: Node, slot: int, ct: Value, out: Value, args: Sequence[Value]) -> Value | None:
    """What the cotangent `ct` of `user` contributes to its argument `slot`, in that argument's shape.

    `out` and `args` are the values of the user and its arguments: nodes, or arrays of a run; `ct` is of the same kind,
    or Stacked.
    """
    term = user.op.pull(ct, slot, out, args, user.params)
    return None if term is None else unbroadcast(term, user.args[slot].shape)


def push_edge(user: Node, slot: int, tangent: Value, out: Value, args: Sequence[Value]) -> Value | None:
    """What the tangent of argument `slot` contributes to the tangent of `user`, in the user's shape."""
    term = user.op.push(tangent, slot, out, args, user.params)
    if term is None or term.shape == user.shape:
        return term
    return ops.broadcast_to(term, shape=user.shape)


def unbroadcast(ct: Value, shape: Shape) -> Value:
    """Sum `ct` down to `shape`: the transpose of broadcasting `shape` up to it."""
    if ct.shape == shape:
        return ct
    lead = len(ct.shape) - len(shape)
    axes = tuple(axis for axis, size in enumerate(ct.shape) if axis < lead or (shape[axis - lead] == 1 and size != 1))
    total = ops.sum_(ct, axes=axes, keepdims=False)
    if len(reduced_shape(ct.shape, axes, False)) == len(shape):
        return total
    return ops.reshape(total, shape=shape)


Unreachable = Literal["raise", "zero"]


@overload
def grad(y: Node, wrt: Node, *, unreachable: Unreachable = "raise") -> Node: ...
@overload
def grad(y: Node, wrt: Sequence[Node], *, unreachable: Unreachable = "raise") -> list[Node]: ...
def grad(y: Node, wrt: Node | Sequence[Node], *, unreachable: Unreachable = "raise") -> Node | list[Node]:
    """The gradient of the scalar `y` with respect to a node, or to each of a list of nodes, as graphs.

    Raises GradientError if `y` is not a scalar, or if it does not depend on a source (`unreachable="zero"` gives zeros
    instead), or if a source is not of a float dtype.

    >>> import minigrad as mg
    >>> x = mg.input((), name="x")
    >>> y = x * x * x
    >>> mg.grad(mg.grad(y, x), x).eval({x: 2.0})
    array(12.)
    """
    return _gather(y, wrt, None, unreachable)


def vjp(y: Node, wrt: Node | Sequence[Node], seed: Value, *, unreachable: Unreachable = "raise") -> Node | list[Node]:
    """The vector-Jacobian product: the cotangent `seed` of `y` (its shape) carried back to `wrt`, as graphs.

    >>> import minigrad as mg
    >>> x = mg.input((2,))
    >>> mg.vjp(x * x, x, [1.0, 10.0]).eval({x: [3.0, 4.0]})
    array([ 6., 80.])
    """
    return _gather(y, wrt, seed, unreachable)


def _gather(y: Node, wrt: Node | Sequence[Node], seed: Value | None, unreachable: Unreachable) -> Node | list[Node]:
    sources = [wrt] if isinstance(wrt, Node) else list(wrt)
    adjoints = backprop(y, sources, seed=seed).adjoints
    gradients = []
    for source in sources:
        if source in adjoints:
            gradients.append(adjoints[source])
        elif unreachable == "zero":
            gradients.append(ops.constant(np.zeros(source.shape, source.dtype)))
        else:
            raise GradientError(
                f"grad: {describe(y)} does not depend on {describe(source)}; "
                'leave it out, or pass unreachable="zero" for a gradient of zeros'
            )
    return gradients[0] if isinstance(wrt, Node) else gradients


def jvp(y: Node, wrt: Node | Sequence[Node], tangents: Value | Sequence[Value]) -> Node:
    """The Jacobian-vector product: `tangents` of `wrt` (their shapes) pushed forward to `y`, as a graph.

    >>> import minigrad as mg
    >>> x = mg.input((2,))
    >>> mg.jvp(x * x, x, [1.0, 10.0]).eval({x: [3.0, 4.0]})
    array([ 6., 80.])
    """
    sources = [wrt] if isinstance(wrt, Node) else list(wrt)
    seeds = [tangents] if isinstance(wrt, Node) else list(tangents)
    if len(sources) != len(seeds):
        raise GradientError(f"jvp: expects one tangent a source, got {len(seeds)} for {len(sources)}")
    _sources(y, sources)
    known: dict[Node, list[Node]] = {}
    for source, seed in zip(sources, seeds, strict=True):
        known.setdefault(source, []).append(_like(source, seed, "jvp: the tangent of"))
    pushed: dict[Node, Node] = {}
    for node in reversed(list(_between(sources, y))):
        terms = known.get(node, [])
        with differentiating(node):
            for slot, arg in enumerate(node.args):
                if arg in pushed:
                    term = push_edge(node, slot, pushed[arg], node, node.args)
                    if term is not None:
                        terms.append(term)
        if terms:
            pushed[node] = join(terms, node)
    if y not in pushed:
        return ops.constant(np.zeros(y.shape, y.dtype))
    return pushed[y]


def _sources(y: Node, wrt: Node | Iterable[Node] | None) -> list[Node]:
    if wrt is None:
        return [node for node in walk(y) if not node.args and node.op.name != "constant" and node.dtype.kind == "f"]
    sources = [wrt] if isinstance(wrt, Node) else list(wrt)
    for source in sources:
        if not isinstance(source, Node):
            raise TypeError(f"grad: expects nodes to differentiate with respect to, got {type(source).__name__}")
        if source.dtype.kind != "f":
            raise GradientError(f"grad: {describe(source)} has dtype {source.dtype}; a derivative needs a float")
    return sources


def _seed(y: Node, seed: Value | None) -> Node:
    if y.dtype.kind != "f":
        raise GradientError(f"grad: {describe(y)} has dtype {y.dtype}; only a float has a derivative")
    with differentiating(y):
        if seed is not None:
            return _like(y, seed, "vjp: the seed of")
        if y.shape != ():
            raise GradientError(
                f"grad: expects a scalar, got {describe(y)} of shape {y.shape}; "
                "sum it, or use vjp with a seed, or jacobian"
            )
        return ops.constant(np.ones((), y.dtype))


def _like(node: Node, value: Value, what: str) -> Node:
    """`value` as a node of the shape and dtype of `node`."""
    given = value if isinstance(value, Node) else ops.constant(np.asarray(value))
    if given.shape != node.shape:
        raise GradientError(f"{what} {describe(node)} must have its shape {node.shape}, got {given.shape}")
    if given.dtype == node.dtype:
        return given
    return ops.cast(given, dtype=node.dtype)


def _between(sources: Sequence[Node], y: Node) -> list[Node]:
    """The nodes on a path from a source to y, users first."""
    order = list(walk(y))
    reached: set[Any] = set(sources)
    for node in reversed(order):
        if node not in reached and any(arg in reached for arg in node.args):
            reached.add(node)
    return [node for node in order if node in reached]
