"""The reference interpreter: computes every node a graph needs, in order, and keeps every value.

Small on purpose: whatever runs faster elsewhere is tested against this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .errors import FeedError
from .node import Array, Node, describe, walk
from .ops.leaves import input_op


class Run:
    """The numbers of one evaluation: `run[node]` is the value of any node the outputs depend on, read-only."""

    __slots__ = ("values",)

    def __init__(self, values: dict[Node, Array]) -> None:
        self.values = values

    def __getitem__(self, node: Node) -> Array:
        if node not in self.values:
            raise KeyError(f"{describe(node)} was not needed for the outputs of this run; add it to the outputs")
        view = self.values[node].view()
        view.flags.writeable = False
        return view

    def __contains__(self, node: Node) -> bool:
        return node in self.values


def run(outputs: Node | Iterable[Node], feed: Mapping[Node, ArrayLike] | None = None) -> Run:
    """Evaluate `outputs` and everything they depend on.

    `feed` maps inputs to arrays of their shape; a parameter or any other node may be fed too and is then not
    computed. Complex arrays are taken as they are, so that a complex step can be pushed through any graph.
    Raises FeedError for an input without a value, or a value of another shape.

    >>> import minigrad as mg
    >>> x = mg.input((2,), name="x"); y = x * x; z = mg.sum(y)
    >>> values = mg.run(z, {x: [1.0, 2.0]})
    >>> values[y], values[z]
    (array([1., 4.]), array(5.))
    """
    fed = {node: fit(node, value) for node, value in (feed or {}).items()}
    values: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node in reversed(list(needed(outputs, fed))):
            if node in fed:
                values[node] = fed[node]
            elif node.args:
                value = node.op.kernel(*[values[arg] for arg in node.args], **node.params)
                values[node] = value if type(value) is np.ndarray else np.asarray(value)
            else:
                values[node] = leaf_value(node)
    return Run(values)


def values_of(
    outputs: Node | Iterable[Node], feed: Mapping[Node, ArrayLike] | None, known: Run | None, what: str
) -> dict[Node, Array]:
    """The values that `outputs` need: those of the run `known`, which was made with the same feed, or computed now.

    Raises FeedError where `known` lacks a node, or holds another value for one that is fed.
    """
    if known is None:
        return run(outputs, feed).values
    fed = {node: fit(node, value) for node, value in (feed or {}).items()}
    for node in needed(outputs, fed):
        if node not in known.values:
            raise FeedError(
                f"{what}: the run that was given lacks {describe(node)}; pass a run of these outputs, or none"
            )
        if node in fed and not np.array_equal(known.values[node], fed[node], equal_nan=node.dtype.kind in "fc"):
            raise FeedError(f"{what}: the run that was given was made with another value of {describe(node)} than feed")
    return known.values


def needed(outputs: Node | Iterable[Node], fed: Mapping[Node, Any]) -> Iterable[Node]:
    """The nodes to evaluate, users first: what lies only behind a fed node is left out."""
    if all(not node.args for node in fed):
        return walk(outputs)
    stack = [outputs] if isinstance(outputs, Node) else list(outputs)
    seen = set(stack)
    for node in stack:
        for arg in () if node in fed else node.args:
            if arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return sorted(seen, key=lambda node: -node.id)


def leaf_value(node: Node) -> Array:
    """The value that a parameter or a constant holds."""
    if node.op is input_op:
        raise FeedError(f"no value was fed for the input {describe(node)}, {node.shape}: pass feed={{x: array}}")
    return node._value


def fit(node: Node, value: Any) -> Array:
    """A fed value as an array of the node's shape and dtype; complex arrays stay complex."""
    if isinstance(value, Node):
        raise FeedError(f"feed: {describe(node)} expects an array, got the node {describe(value)}; evaluate it first")
    array = np.asarray(value)
    if array.shape != node.shape:
        raise FeedError(f"feed: {describe(node)} has shape {node.shape}, got an array of shape {array.shape}")
    if array.dtype.kind == "c" or array.dtype == node.dtype:
        return array
    if not np.can_cast(array.dtype, node.dtype, casting="same_kind"):
        raise FeedError(f"feed: {describe(node)} has dtype {node.dtype}, got an array of dtype {array.dtype}")
    return array.astype(node.dtype)
