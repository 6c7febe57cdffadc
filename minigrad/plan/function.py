"""A graph as a flat plan: one call a node, values dropped after their last use, peak memory known before it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..node import Array, Node, walk
from ..run import fit, leaf_value

# (kernel, params, the places of the arguments, the place of the result, the places free after this call)
_Step = tuple[Callable[..., Any], dict[str, Any], tuple[int, ...], int, tuple[int, ...]]


class Function:
    """A compiled graph; call it with one array an input. See `function`.

    Attributes:
        inputs: the nodes whose values the call takes, in order.
        peak_bytes: the most memory that computed values take at one time, in bytes, inputs and parameters apart.
    """

    def __init__(self, inputs: Sequence[Node], outputs: Any) -> None:
        self.inputs = tuple(inputs)
        self._outputs = outputs
        self._targets = _flatten(outputs)
        order = list(walk(self._targets))[::-1]
        self._place = {node: place for place, node in enumerate(order)}
        self._leaves = [node for node in order if not node.args and node not in set(self.inputs)]
        self._plan, self.peak_bytes = self._schedule(order)

    def _schedule(self, order: list[Node]) -> tuple[list[_Step], int]:
        place = self._place
        keep = {place[node] for node in self._targets}
        last_use: dict[int, int] = {}
        for node in order:
            for arg in node.args:
                last_use[place[arg]] = place[node]
        plan: list[_Step] = []
        live = peak = 0
        for node in order:
            if not node.args or node in self.inputs:
                continue
            args = tuple(place[arg] for arg in node.args)
            freed = tuple(sorted({a for a in args if last_use[a] == place[node] and a not in keep}))
            plan.append((node.op.kernel, node.params, args, place[node], freed))
            live += _bytes(node)
            peak = max(peak, live)
            live -= sum(_bytes(order[a]) for a in freed if order[a].args)
        return plan, peak

    def __call__(self, *arrays: ArrayLike) -> Any:
        if len(arrays) != len(self.inputs):
            raise TypeError(f"function: expects {len(self.inputs)} arrays, one an input, got {len(arrays)}")
        values: list[Any] = [None] * len(self._place)
        for leaf in self._leaves:
            values[self._place[leaf]] = leaf_value(leaf)
        for node, array in zip(self.inputs, arrays, strict=True):
            if node in self._place:
                values[self._place[node]] = fit(node, array)
        with np.errstate(all="ignore"):
            for kernel, params, args, result, freed in self._plan:
                values[result] = kernel(*[values[a] for a in args], **params)
                for place in freed:
                    values[place] = None
        results = {node: np.array(values[self._place[node]]) for node in self._targets}
        return _unflatten(self._outputs, results)


def function(inputs: Node | Sequence[Node], outputs: Any) -> Function:
    """Compile `outputs` (a node, or a list, tuple or dict of nodes) into a function of `inputs`.

    Parameters that are not inputs are read at each call. The results are fresh arrays in the structure of `outputs`.

    >>> import minigrad as mg
    >>> x = mg.input((2,))
    >>> f = mg.function([x], {"square": x * x})
    >>> f([1.0, 3.0])
    {'square': array([1., 9.])}
    """
    return Function([inputs] if isinstance(inputs, Node) else list(inputs), outputs)


def _bytes(node: Node) -> int:
    return int(np.prod(node.shape)) * node.dtype.itemsize


def _flatten(outputs: Any) -> list[Node]:
    if isinstance(outputs, Node):
        return [outputs]
    members = list(outputs.values()) if isinstance(outputs, Mapping) else list(outputs)
    for member in members:
        if not isinstance(member, Node):
            raise TypeError(f"function: expects nodes as outputs, got {type(member).__name__}")
    return members


def _unflatten(outputs: Any, results: dict[Node, Array]) -> Any:
    if isinstance(outputs, Node):
        return results[outputs]
    if isinstance(outputs, Mapping):
        return {key: results[node].copy() for key, node in outputs.items()}
    return type(outputs)(results[node].copy() for node in outputs)
