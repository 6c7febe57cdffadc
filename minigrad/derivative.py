"""Reverse mode and forward mode, as graphs.

`backprop` walks ids downward from the output. At each node it knows the adjoint (the cotangent of the output with
respect to that node); every edge to an argument contributes `pull(adjoint)`; the contributions to a node are collected
in a list, kept, and joined by one n-ary sum. So the gradient of a weight used T times is literally a sum of T terms.

Everything built here is made of the same nodes as the forward graph, so it can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from . import ops
from .collector import uncollected
from .errors import GradientError
from .node import Node, Shape, describe, walk
from .ops.core import Stacked, Value
from .ops.linear import reduced_shape
from .origin import differentiating, sweeping


class Edge(NamedTuple):
    """The use of a node as argument number `slot` of `user`."""

    user: Node
    slot: int

    @property
    def argument(self) -> Node:
        """The node that is used."""
        return self.user.args[self.slot]


edge_of: Callable[[tuple[Node, int]], Edge] = partial(tuple.__new__, Edge)  # Edge(...) at half the cost


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
    return Backprop(y, *_sweep_back(y, sources, _seed(y, seed)))


def _sweep_back(y: Node, sources: Sequence[Node], seed: Value) -> tuple[dict[Node, Any], dict[Edge, Any]]:
    """Adjoints and contributions; of the kind of `seed`, a node or a Stacked node."""
    order = _between(sources, y)
    on_path = set(order)
    terms: dict[Node, list[Value]] = {y: [seed]}
    adjoints: dict[Node, Value] = {}
    contributions: dict[Edge, Value] = {}
    with uncollected(), sweeping() as at:
        for node in order:
            if node not in terms:
                continue
            at(node)
            arrived = terms.pop(node)
            # Most nodes have one; the call would be a twentieth of what a node of a gradient costs.
            adjoint = adjoints[node] = arrived[0] if len(arrived) == 1 else ops.add_n(*arrived)
            for slot, arg in enumerate(node.args):
                if arg in on_path:
                    term = pull_edge(node, slot, adjoint, node, node.args)
                    if term is not None:
                        contributions[edge_of((node, slot))] = term
                        if arg in terms:
                            terms[arg].append(term)
                        else:
                            terms[arg] = [term]
    return adjoints, contributions


def _sweep_forward(outputs: Sequence[Node], known: dict[Node, list[Value]]) -> dict[Node, Any]:
    """The tangent of every node between the sources, whose tangents are `known`, and the outputs."""
    pushed: dict[Node, Value] = {}
    with uncollected(), sweeping() as at:
        for node in reversed(_between(list(known), *outputs)):
            at(node)
            terms = known.get(node, [])
            for slot, arg in enumerate(node.args):
                if arg in pushed:
                    term = push_edge(node, slot, pushed[arg], node, node.args)
                    if term is not None:
                        terms.append(term)
            if terms:
                pushed[node] = ops.add_n(*terms)
    return pushed


def pull_edge(user: Node, slot: int, ct: Value, out: Value, args: Sequence[Value]) -> Value | None:
    """What the cotangent `ct` of `user` contributes to its argument `slot`, in that argument's shape.

    `out` and `args` are the values of the user and its arguments: nodes, or arrays of a run; `ct` is of the same kind,
    or Stacked.
    """
    term = user.op.pull(ct, slot, out, args, user.params)
    shape = user.args[slot].shape
    return term if term is None or term.shape == shape else unbroadcast(term, shape)


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


@overload
def vjp(y: Node, wrt: Node, seed: Value, *, unreachable: Unreachable = "raise") -> Node: ...
@overload
def vjp(y: Node, wrt: Sequence[Node], seed: Value, *, unreachable: Unreachable = "raise") -> list[Node]: ...
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
    return _tangents([y], wrt, tangents)[0]


def _tangents(ys: Sequence[Node], wrt: Node | Sequence[Node], tangents: Value | Sequence[Value]) -> list[Node]:
    sources = [wrt] if isinstance(wrt, Node) else list(wrt)
    seeds = [tangents] if isinstance(wrt, Node) else list(tangents)
    if len(sources) != len(seeds):
        raise GradientError(f"jvp: expects one tangent a source, got {len(seeds)} for {len(sources)}")
    _check_floats(sources)
    known: dict[Node, list[Value]] = {}
    for source, seed in zip(sources, seeds, strict=True):
        known.setdefault(source, []).append(_like(source, seed, "jvp: the tangent of"))
    pushed = _sweep_forward(ys, known)
    return [pushed[y] if y in pushed else ops.constant(np.zeros(y.shape, y.dtype)) for y in ys]


@overload
def jacobian(y: Node, wrt: Node) -> Node: ...
@overload
def jacobian(y: Node, wrt: Sequence[Node]) -> list[Node]: ...
def jacobian(y: Node, wrt: Node | Sequence[Node]) -> Node | list[Node]:
    """All derivatives of all elements of `y`, as a graph of shape `(*y.shape, *x.shape)` for each source x.

    One sweep carries all rows (or all columns, where they are fewer) as a stack. Where y does not depend on x the
    Jacobian is zeros.

    >>> import minigrad as mg
    >>> x = mg.input((2,))
    >>> mg.jacobian(x * x, x).eval({x: [3.0, 4.0]})
    array([[6., 0.],
           [0., 8.]])
    """
    sources = [wrt] if isinstance(wrt, Node) else list(wrt)
    _check_floats([y, *sources])
    known: dict[Node, Node] = {}
    if y.size and y.size <= max((x.size for x in sources), default=0):
        adjoints, _ = _sweep_back(y, sources, _unit_stack(y))
        with differentiating(y):
            known = {x: ops.reshape(adjoints[x].value, shape=y.shape + x.shape) for x in sources if x in adjoints}
    elif y.size:
        known = {x: column for x in sources if x.size and (column := _columns(y, x)) is not None}
    jacobians = [
        known[x] if x in known else ops.constant(np.zeros(y.shape + x.shape, np.result_type(x.dtype, y.dtype)))
        for x in sources
    ]
    return jacobians[0] if isinstance(wrt, Node) else jacobians


def _columns(y: Node, x: Node) -> Node | None:
    tangent = _sweep_forward([y], {x: [_unit_stack(x)]}).get(y)
    if tangent is None:
        return None
    with differentiating(y):
        last = ops.transpose(tangent.value, axes=(*range(1, y.ndim + 1), 0))
        return ops.reshape(last, shape=y.shape + x.shape)


def _unit_stack(node: Node) -> Stacked:
    """Every unit vector in the shape of `node`, stacked."""
    with differentiating(node):
        return Stacked(ops.constant(np.eye(node.size, dtype=node.dtype).reshape(node.size, *node.shape)))


def hessian(y: Node, x: Node) -> Node:
    """The second derivatives of the scalar `y`, as a graph of shape `(*x.shape, *x.shape)`.

    >>> import minigrad as mg
    >>> x = mg.input((2,))
    >>> mg.hessian(x[0] * x[1] ** 3, x).eval({x: [2.0, 1.0]})
    array([[ 0.,  3.],
           [ 3., 12.]])
    """
    return jacobian(grad(y, x), x)


@overload
def hvp(y: Node, wrt: Node, vector: Value) -> Node: ...
@overload
def hvp(y: Node, wrt: Sequence[Node], vector: Sequence[Value]) -> list[Node]: ...
def hvp(y: Node, wrt: Node | Sequence[Node], vector: Value | Sequence[Value]) -> Node | list[Node]:
    """The Hessian of the scalar `y` times a vector (of the sources' shapes), without forming the Hessian: the tangent
    of the gradient (Pearlmutter 1994).

    >>> import minigrad as mg
    >>> x = mg.input((2,))
    >>> mg.hvp(mg.sum(x**3), x, [1.0, 10.0]).eval({x: [1.0, 2.0]})
    array([  6., 120.])
    """
    gradients = grad(y, [wrt] if isinstance(wrt, Node) else wrt)
    products = _tangents(gradients, wrt, vector)
    return products[0] if isinstance(wrt, Node) else products


def _sources(y: Node, wrt: Node | Iterable[Node] | None) -> list[Node]:
    if wrt is None:
        return [node for node in walk(y) if not node.args and node.op.name != "constant" and node.dtype.kind == "f"]
    sources = [wrt] if isinstance(wrt, Node) else list(wrt)
    _check_floats(sources)
    return sources


def _check_floats(nodes: Iterable[Node]) -> None:
    for node in nodes:
        if not isinstance(node, Node):
            raise TypeError(f"grad: expects nodes to differentiate with respect to, got {type(node).__name__}")
        if node.dtype.kind != "f":
            raise GradientError(f"grad: {describe(node)} has dtype {node.dtype}; a derivative needs a float")


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


def passes(user: Node, slot: int) -> bool:
    """Whether a derivative passes from `user` to its argument `slot` at all, whatever the values are."""
    return user.dtype.kind == "f" and user.args[slot].dtype.kind == "f" and user.op.is_smooth_in(slot)


def _between(sources: Sequence[Node], *ys: Node) -> list[Node]:
    """The nodes on a differentiable path from a source to an output, users first."""
    order = list(walk(ys))
    reached: set[Any] = set(sources)
    for node in reversed(order):
        for slot, arg in enumerate(node.args):
            if arg in reached and passes(node, slot):
                reached.add(node)
                break
    return [node for node in order if node in reached]
