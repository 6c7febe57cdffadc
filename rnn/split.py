"""Which lane did the gradient take through time: the cell state, the hidden state, or both by turns.

A path from a use of a weight to the loss crosses from step to step on one of the carried states. Read there, at the
step boundaries, its lanes are a partition of all paths, and the parts sum to the gradient exactly. The forget gates'
product, which often stands for "the gradient along c", is the part that stays on c all along.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import minigrad as mg
from minigrad import Edge, Node
from minigrad.paths import Flow, Part

from .cells import Named
from .unroll import Unrolled


class Lanes:
    """The paths of a gradient sorted by lane, by crossings and by gate. See `lanes`.

    Attributes:
        flow: the flow whose paths are sorted.
    """

    def __init__(self, flow: Flow, unrolled: Unrolled) -> None:
        self.flow = flow
        self._carried = _carried_states(unrolled)
        self._carries = {layer["carry"] for layer in _all_layers(unrolled) if "carry" in layer}
        self._gates = {layer[gate]: gate for layer in _all_layers(unrolled) for gate in _gates(unrolled, layer)}
        self._kind = unrolled.model.kind

    @cached_property
    def by_lane(self) -> dict[str, Part]:
        """The paths by the lane on which they cross from step to step.

        LSTM: "c" all along, "h" all along, "changing". GRU, whose one state is made of two terms: "carry" (z * h) all
        along, "gates" all along, "changing". "within": the paths that cross no boundary, from a use to the loss of the
        same step. Only lanes that have a path; together they are the gradient.
        """
        parts = self.flow.sorted_by(self._next_lane, "within")
        return {lane: parts[lane] for lane in ("within", "c", "h", "carry", "gates", "changing") if lane in parts}

    @cached_property
    def by_crossings(self) -> dict[int, Part]:
        """The paths by how often they go from one step's hidden state into the gates of the next."""
        return self.flow.classes(self._enters_gates)

    @cached_property
    def by_gate(self) -> dict[str, Part]:
        """The paths by the first gate they take from the source on; "none" for those that meet no gate."""
        parts = self.flow.sorted_by(lambda gate, edge: self._gates.get(edge.argument, gate), "none")
        return {gate: parts[gate] for gate in sorted(parts)}

    @property
    def detach_ratio(self) -> float:
        """The norm of what h-detach would stop (every path that goes from a hidden state into the next step's gates)
        over the norm of what it would keep (Arpit et al. 2019). Above 1 the paths over h drown those that stay on the
        linear lane; inf where nothing else is left."""
        stopped, kept = self.flow.through(self._enters_gates).norm, self.flow.avoiding(self._enters_gates).norm
        return stopped / kept if kept else float("inf")

    def __str__(self) -> str:
        shares = ", ".join(f"{lane} {100 * part.share:.3g} %" for lane, part in self.by_lane.items())
        return f"{self._kind}: {shares} of the gradient; h-detach ratio {self.detach_ratio:.2g}"

    def _crossed(self, edge: Edge) -> str | None:
        """The name of the state on which the edge crosses from one step into another, None if it does not."""
        state = self._carried.get(edge.argument)
        if state is None:
            return None
        name, step = state
        user_step = edge.user.scope.get("t")
        return None if user_step is None or user_step == step else name

    def _lane_of(self, edge: Edge) -> str | None:
        name = self._crossed(edge)
        if name is None or not self._carries:
            return name
        return "carry" if self._is_carry(edge) else "gates"

    def _next_lane(self, lane: str, edge: Edge) -> str:
        crossed = self._lane_of(edge)
        if crossed is None or crossed == lane:
            return lane
        return crossed if lane == "within" else "changing"

    def _enters_gates(self, edge: Edge) -> bool:
        return self._crossed(edge) == "h" and not self._is_carry(edge)

    def _is_carry(self, edge: Edge) -> bool:
        # A sequence that has ended hands its state on as it is.
        return edge.user in self._carries or edge.user in self._carried


def lanes(
    loss: Node, source: Node | list[Node], unrolled: Unrolled, feed: Mapping[Node, ArrayLike] | None = None
) -> Lanes:
    """Sort the paths of d loss / d source by the lane they take through time.

    `source` is a parameter, an initial state or any node of the net, or a list of them. Raises what `mg.flow` raises.

    >>> import numpy as np
    >>> import minigrad as mg, rnn
    >>> net = rnn.unroll(rnn.LSTM(2, 3, rng=0), np.ones((6, 1, 2)))
    >>> split = rnn.lanes(mg.sum(net.steps[-1].h), net.model.parameters["weight_hh_l0"], net)
    >>> list(split.by_lane), round(sum(part.share for part in split.by_lane.values()), 12)
    (['within', 'c', 'h', 'changing'], 1.0)
    >>> list(split.by_gate), list(split.by_crossings)
    (['f', 'g', 'i', 'o'], [0, 1, 2, 3, 4, 5])
    """
    if not isinstance(unrolled, Unrolled):
        raise TypeError(f"lanes: expects what rnn.unroll returned, got {type(unrolled).__name__}")
    return Lanes(mg.flow(loss, source, feed), unrolled)


def forced(unrolled: Unrolled, gate: str, value: float = 1.0) -> dict[Node, Any]:
    """A feed that holds a gate at `value` in every step and layer: "what if the forget gate were open?".

    Pass it, with the rest of the feed, to `rnn.bptt`, `rnn.lanes` or `mg.flow`: nothing is built anew. The gate is
    then a constant, so no gradient goes through it. Raises ValueError if the net has no such gate.

    >>> import numpy as np
    >>> import minigrad as mg, rnn
    >>> net = rnn.unroll(rnn.LSTM(2, 3, rng=0), np.ones((6, 1, 2)))
    >>> start = net.initial[0]["c"]
    >>> loss = mg.sum(net.steps[-1].c)
    >>> float(rnn.lanes(loss, start, net, feed=rnn.forced(net, "f")).by_lane["c"].gradient[0, 0])
    1.0
    """
    known = sorted({name for layer in _all_layers(unrolled) for name in _gates(unrolled, layer)})
    if gate not in known:
        raise ValueError(
            f"forced: {unrolled.model!r} has no gate {gate!r}; "
            + (f"it has {', '.join(known)}" if known else "it has no gates")
        )
    return {layer[gate]: np.full(layer[gate].shape, value, layer[gate].dtype) for layer in _all_layers(unrolled)}


def _all_layers(unrolled: Unrolled) -> list[Named]:
    return [layer for step in unrolled.steps for layer in (*step.layers, *step.reverse)]


def _gates(unrolled: Unrolled, layer: Named) -> list[str]:
    return [gate for gate in unrolled.model.gates if gate in layer and gate not in unrolled.model.states]


def _carried_states(unrolled: Unrolled) -> dict[Node, tuple[str, int]]:
    """Each carried state's node -> (its name, the step it stands at)."""
    states = unrolled.model.states
    carried = {row[name]: (name, -1) for row in unrolled.initial for name in states}
    for step in unrolled.steps:
        for layer in (*step.layers, *step.reverse):
            carried.update({layer[name]: (name, step.t) for name in states})
    return carried
