"""`function`: a graph compiled into a plan of NumPy calls, the fast path beside the reference interpreter `run`.

The way from nodes to calls, a module each:

    terms      the graph in a form that passes may rewrite
    passes     rewriting it: merge (fold, tidy), sums, widen, mirror, regroup (bounds)
    schedule   groups of like, independent terms, in order of execution (roles finds the recurrences)
    blocks     groups on more memory than the cache holds, cut
    layout     where every value lies (view, spent), so that joining values costs nothing
    lower      the NumPy calls (calls, kernels, products), as few as the layout allows
    memory     buffers that are never in use together share memory
    program    the calls as a Python function, its loops rolled up

`checkpoint` stands before all of them: it trades time for memory by rewriting the nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..collector import uncollected
from ..node import Array, Node
from ..run import fit, leaf_value, needed, run
from . import checkpoint
from .blocks import blocked
from .bounds import ORDINARY
from .calls import Operand
from .layout import Layout
from .lower import Lowering
from .memory import pack
from .merge import constant_value
from .passes import PASSES, rewritten
from .program import Program, Windows
from .schedule import schedule
from .terms import VIEWS, Graph


class _Plan:
    """One compiled form of a graph: a program and the memory it runs in.

    A workspace belongs to one call at a time; calls that overlap, in threads or nested, get workspaces of their own.
    """

    def __init__(self, graph: Graph, passes: Collection[str]) -> None:
        self.guarded = tuple(graph.guarded)
        groups = schedule(graph, "batch" in passes)
        if "blocks" in passes:
            groups = blocked(groups, graph)
        layout = Layout(graph, groups, in_place="in_place" in passes, slabs="slabs" in passes)
        lowering = Lowering(graph, layout)
        lowering.write(groups, graph.outputs)
        calls = lowering.calls.calls
        self._outputs = [lowering.operand(term) for term in graph.outputs]
        self._constants: list[tuple[Array, Operand]] = []
        fed: dict[int, list[tuple[Node, Operand]]] = {}
        for term in graph.terms:
            value, place = constant_value(term), lowering.operand(term)
            if value is not None:
                self._constants.append((value, place))
            elif term.leaf is not None:
                fed.setdefault(place.view.buffer, []).append((term.leaf, place))
        tenants = Counter(layout.view[term.number].buffer for term in graph.terms if term.op not in VIEWS)
        kept = {x.view.buffer for x in (*self._outputs, *(place for _, place in self._constants))}
        self.program = Program(calls, {buffer for buffer in fed if tenants[buffer] == 1 and buffer not in kept})
        # What a run is given is read where the caller has it; the other leaves are copied to their places first.
        self._given = [(fed[x.view.buffer][0][0], x) for x in self.program.given]
        outside = {x.view.buffer for x in self.program.given}
        self._copied = [pair for buffer, pairs in fed.items() if buffer not in outside for pair in pairs]
        self._memory = pack(
            calls,
            layout.size,
            [*(x.view.buffer for _, x in self._copied), *(x.view.buffer for _, x in self._constants)],
            kept,
            outside,
            share="share" in passes,
        )
        self.nbytes = self._memory.nbytes
        self._spare: list[_Workspace] = []

    def __call__(self, values: Mapping[Node, Array]) -> list[Array]:
        try:
            workspace = self._spare.pop()
        except IndexError:
            workspace = self._workspace()
        for node, place in workspace.copied:
            place[...] = values[node]
        given = [
            np.ndarray(view.shape, dtype, np.ascontiguousarray(values[node]), view.offset, view.strides)
            for node, (view, dtype) in self._given
        ]
        workspace.run(*given)
        results = [np.array(place) for place in workspace.outputs]
        self._spare.append(workspace)
        return results

    def _workspace(self) -> _Workspace:
        windows = Windows(np.empty(self.nbytes + 64, np.uint8), self._memory)
        for value, place in self._constants:
            windows.array(place)[...] = value
        return _Workspace(
            [(node, windows.array(place)) for node, place in self._copied],
            self.program.bind(windows),
            [windows.array(place) for place in self._outputs],
        )


class _Workspace(NamedTuple):
    copied: list[tuple[Node, Array]]
    run: Callable[..., None]
    outputs: list[Array]


class Function:
    """A compiled graph; call it with one array an input. See `function`.

    Attributes:
        inputs: the nodes whose values the call takes, in order.
        passes: the names of the passes that made the plan.
        peak_bytes: the memory that a call works in, known before it runs: every intermediate value, the results, and
            copies of those inputs and parameters that it cannot read where they are.
        calls: the names of the NumPy functions that a run calls.
        source: the Python that runs, for reading.
    """

    def __init__(
        self,
        inputs: Sequence[Node],
        outputs: Any,
        passes: Collection[str] = PASSES,
        checkpoints: Collection[Node] | None = None,
    ) -> None:
        unknown = [name for name in passes if name not in PASSES]
        if unknown:
            raise ValueError(f"function: no pass is called {unknown[0]!r}; there are {', '.join(PASSES)}")
        self.inputs = tuple(inputs)
        possible = PASSES if checkpoints is None else checkpoint.PASSES
        self.passes = tuple(name for name in PASSES if name in passes and name in possible)
        self._outputs = outputs
        self._targets = _flatten(outputs)
        with uncollected():
            computed = self._targets
            if checkpoints is not None:
                computed = checkpoint.recomputed(self._targets, {*checkpoints, *self.inputs})
            self._computed = computed
            order = _needed(computed, self.inputs)
            fed = set(self.inputs)
            self._held = [node for node in order if not node.args and node not in fed]
            self._plan = self._compiled(order, self.passes)
        self._careful: _Plan | None = None
        self.peak_bytes = self._plan.nbytes + sum(target.size * target.dtype.itemsize for target in self._targets)

    @property
    def calls(self) -> list[str]:
        """The names of the NumPy functions that a run calls, in order, loops written out."""
        return list(self._plan.program.names)

    @property
    def source(self) -> str:
        """The Python that runs: NumPy functions on numbered windows of one block of memory."""
        return self._plan.program.source

    def __call__(self, *arrays: ArrayLike) -> Any:
        if len(arrays) != len(self.inputs):
            raise TypeError(f"function: expects {len(self.inputs)} arrays, one an input, got {len(arrays)}")
        values = {node: fit(node, array) for node, array in zip(self.inputs, arrays, strict=True)}
        if any(value.dtype.kind == "c" for value in values.values()):
            computed = run(self._targets, values)
            return _unflatten(self._outputs, [np.array(computed[node]) for node in self._targets])
        for leaf in self._held:
            values[leaf] = leaf_value(leaf)
        with np.errstate(all="ignore"):
            return _unflatten(self._outputs, self._choose(values)(values))

    def _choose(self, values: Mapping[Node, Array]) -> _Plan:
        """The plan, or one without regrouped products where a number is too large to prove them equal."""
        for leaf in self._plan.guarded:
            # Written so that NaN, which nothing is smaller than, counts as too large.
            if not np.abs(values[leaf]).max(initial=0) <= ORDINARY:
                if self._careful is None:
                    passes = [name for name in self.passes if name != "regroup_products"]
                    with uncollected():
                        self._careful = self._compiled(_needed(self._computed, self.inputs), passes)
                return self._careful
        return self._plan

    def _compiled(self, order: Sequence[Node], passes: Collection[str]) -> _Plan:
        return _Plan(rewritten(order, self.inputs, self._computed, passes), passes)


def function(
    inputs: Node | Sequence[Node],
    outputs: Any,
    *,
    passes: Collection[str] = PASSES,
    checkpoints: Collection[Node] | None = None,
) -> Function:
    """Compile `outputs` (a node, or a list, tuple or dict of nodes) into a function of `inputs`.

    Parameters that are not inputs are read at each call. The results are fresh arrays in the structure of `outputs`.
    `passes` names the passes to use, all by default; results are those of `run`, to rounding, whichever are used.

    With `checkpoints`, a collection of nodes, gradients keep no other intermediate values: they are computed a second
    time, one segment between checkpoints after the other. That takes about a third more time and, with the states of
    every sqrt(T)-th step as checkpoints, memory that grows with sqrt(T) instead of T. Passes that would keep values or
    join steps are then left out.

    >>> import minigrad as mg
    >>> x = mg.input((2,))
    >>> f = mg.function([x], {"square": x * x})
    >>> f([1.0, 3.0])
    {'square': array([1., 9.])}
    """
    return Function([inputs] if isinstance(inputs, Node) else list(inputs), outputs, passes, checkpoints)


def _needed(targets: Sequence[Node], inputs: Sequence[Node]) -> list[Node]:
    """The nodes to compute, arguments first; what lies only behind an input is left out."""
    return list(needed(targets, dict.fromkeys(inputs)))[::-1]


def _flatten(outputs: Any) -> list[Node]:
    if isinstance(outputs, Node):
        return [outputs]
    members = list(outputs.values()) if isinstance(outputs, Mapping) else list(outputs)
    for member in members:
        if not isinstance(member, Node):
            raise TypeError(f"function: expects nodes as outputs, got {type(member).__name__}")
    return members


def _unflatten(outputs: Any, results: list[Array]) -> Any:
    if isinstance(outputs, Node):
        return results[0]
    if isinstance(outputs, Mapping):
        return dict(zip(outputs, results, strict=True))
    return type(outputs)(results)
