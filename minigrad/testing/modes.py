"""The ways in which an op's rules are run: on nodes, on arrays, on stacks, forward and backward. All must agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..derivative import backprop, pull_edge, push_edge
from ..derivative import jvp as graph_jvp
from ..derivative import vjp as graph_vjp
from ..node import Array, Node, walk
from ..ops import constant
from ..ops.core import Stacked
from ..run import run
from .call import Call
from .graphs import graph_subject
from .laws import check, compare
from .oracles import Oracle
from .rounding import ROUNDING
from .subject import Subject


def check_modes(call: Call, y: Node) -> None:
    """Rules run on nodes, on arrays and on stacks of either: all give the same contributions, and push is the adjoint
    of pull; the graph of the gradient is what it declares to be."""
    s = call.subject(y)
    feed = dict(zip(call.leaves, call.case.args, strict=True))
    _check_declared(s, y, feed)
    check_both_ways(s, y, feed)
    seeds = np.stack([s.seed(), s.seed()])
    for slot, leaf in enumerate(call.leaves):
        _check_stacked_argument(call, s, slot)
        if leaf.dtype.kind == "f":
            pulled = _pull_all(call, s, y, slot, seeds)
            _check_push(call, s, y, slot, seeds, pulled)


def _check_declared(s: Subject, y: Node, feed: dict[Node, Array]) -> None:
    """Every node of the gradient has the shape and dtype it declares, and a float32 op's has none of float64."""
    floats = [leaf for leaf in feed if leaf.dtype.kind == "f"]
    sweep = backprop(y, floats, seed=np.ones(y.shape, y.dtype))
    values = run(list(sweep.adjoints.values()), feed)
    known = {leaf.dtype for leaf in (*floats, y)}
    for node in walk(sweep.adjoints.values()):
        value = values[node]
        if (value.shape, value.dtype) != (node.shape, node.dtype):
            detail = f"{node} gives {value.shape} {value.dtype}"
            raise s.fail("the nodes of a gradient have the shapes and dtypes they declare", detail=detail)
        if node.dtype.kind == "f" and node.dtype not in known:
            detail = f"{node} stands in the gradient of {', '.join(map(str, known))}"
            raise s.fail("a gradient stays in the dtypes of its op", detail=detail)


def _check_stacked_argument(call: Call, s: Subject, slot: int) -> None:
    """The op itself, called with a stack in one slot, is a loop over the members of the stack."""
    array = np.asarray(call.case.args[slot])
    members = [array, array if array.dtype.kind != "f" else (array * array.dtype.type(0.9375)).astype(array.dtype)]
    before, after = call.case.args[:slot], call.case.args[slot + 1 :]
    want = [np.asarray(call.op(*before, member, *after, **call.case.params)) for member in members]
    stacked = call.op(*before, Stacked(np.stack(members)), *after, **call.case.params)
    on_nodes = call.op(*before, Stacked(constant(np.stack(members))), *after, **call.case.params)
    for how, got in (("an array", np.asarray(stacked.value)), ("a node", run(on_nodes.value)[on_nodes.value])):
        law = f"the op on a stack that is {how} is a loop over its members"
        if got.shape != (2, *want[0].shape):
            raise s.fail(law, detail=f"shape {got.shape}, expected {(2, *want[0].shape)}")
        with np.errstate(all="ignore"):
            gap = np.abs(np.asarray(got, complex) - np.stack(want))
            close = (gap <= ROUNDING * s.eps * _largest_product(call)) | (got == np.stack(want))
            wrong = ~close & np.isfinite(np.stack(want))
        for at in map(tuple, np.argwhere(wrong)):
            raise s.fail(law, element=f"member {at[0]}", got=got[at], expected=np.stack(want)[at])


def _largest_product(call: Call) -> float:
    """What rounding may be relative to where an op adds up products of its arguments."""
    sizes = [float(np.max(np.abs(np.where(np.isfinite(a), a, 0)), initial=1)) for a in (*call.case.args, call.value)]
    return max(math.prod(sizes[:-1]), sizes[-1])


def _pull_all(call: Call, s: Subject, y: Node, slot: int, seeds: Array) -> list[Array] | None:
    kept = [np.array(a) for a in (*call.case.args, seeds, call.value)]
    leaf = call.leaves[slot]
    with np.errstate(all="ignore"):
        single = [pull_edge(y, slot, w.copy(), call.value, call.case.args) for w in seeds]
        lent = seeds.copy()
        on_arrays = pull_edge(y, slot, lent[0], call.value, call.case.args)
        stacked = pull_edge(y, slot, Stacked(seeds), call.value, call.case.args)
    named = [*s.labels, "the seed", "the value"]
    for what, before, after in zip(named, kept, (*call.case.args, lent, call.value), strict=True):
        if before.tobytes() != np.ascontiguousarray(after).tobytes():
            raise s.fail("nothing is written into", element=what, detail=f"{what} was changed by the rule")
    feed = dict(zip(call.leaves, call.case.args, strict=True))
    graphs = [graph_vjp(y, leaf, w, unreachable="zero") for w in seeds]
    values = run(graphs, feed)
    if on_arrays is None or stacked is None:
        if on_arrays is not stacked:
            raise s.fail("pull answers None on arrays and on stacks alike", element=f"edge to {leaf.name}")
        return None
    for i, w in enumerate(seeds):
        want = values[graphs[i]]
        for how, got in (("arrays", np.asarray(single[i])), ("stacks", np.asarray(stacked.value)[i])):
            if got.shape != want.shape:
                detail = f"{got.shape} on {how}, {want.shape} on nodes"
                raise s.fail("pull gives one shape on nodes, arrays and stacks", detail=detail)
            compare(s, f"pull gives one number on nodes and on {how}", slot, got, want, np.abs(w), "on nodes")
    return [np.asarray(g) for g in single]


def _check_push(call: Call, s: Subject, y: Node, slot: int, seeds: Array, pulled: list[Array] | None) -> None:
    x = call.case.args[slot]
    tangents = np.stack([s.rng.uniform(0.5, 1.0, x.shape), s.rng.uniform(-1.0, -0.5, x.shape)]).astype(x.dtype)
    with np.errstate(all="ignore"):
        single = [push_edge(y, slot, t.copy(), call.value, call.case.args) for t in tangents]
        stacked = push_edge(y, slot, Stacked(tangents), call.value, call.case.args)
    if pulled is None or stacked is None or single[0] is None:
        if not (pulled is None and stacked is None and single[0] is None):
            raise s.fail("push answers None where pull does", element=f"edge to {call.leaves[slot].name}")
        return
    for i, tangent in enumerate(tangents):
        pushed = [np.asarray(single[i]), np.broadcast_to(np.asarray(stacked.value)[i], y.shape)]
        for how, push in zip(("arrays", "stacks"), pushed, strict=True):
            law = f"push on {how} is the adjoint of pull: <w, push(v)> = <pull(w), v>"
            _check_adjoint(s, law, seeds[i] * push, pulled[i] * tangent, f"edge to {call.leaves[slot].name}")


def check_repeated(call: Call) -> None:
    """One node in every slot of its shape: each use counts."""
    first = next(i for i, leaf in enumerate(call.leaves) if leaf.dtype.kind == "f")
    like = call.leaves[first]
    same = [leaf is not like and leaf.shape == like.shape and leaf.dtype == like.dtype for leaf in call.leaves]
    if not any(same):
        return
    nodes = [like if twin else leaf for leaf, twin in zip(call.leaves, same, strict=True)]
    y = call.op(*nodes, **call.case.params)
    feed = {leaf: a for leaf, a in zip(call.leaves, call.case.args, strict=True) if leaf in nodes}
    name = f"{call.name}, one node in two slots"
    s = graph_subject(y, list(feed), list(feed.values()), name=name, reproduce=call.reproduce, random=call.seed)
    if np.all(np.isfinite(s.value)):
        check_both_ways(s, y, feed)
        if call.op.analytic or _smooth_at(call, first, same):
            check(s)


def _smooth_at(call: Call, first: int, same: Sequence[bool]) -> bool:
    # Where the arguments tie, an op with a kink there is another function of the one argument: nothing is owed.
    arrays = [call.case.args[first] if twin else a for a, twin in zip(call.case.args, same, strict=True)]
    rng = np.random.default_rng(call.seed)
    oracle = Oracle(call.kernel, arrays, rng)
    return oracle.is_differentiable([rng.uniform(0.5, 1, a.shape) if a.dtype.kind == "f" else None for a in arrays])


def check_both_ways(s: Subject, y: Node, feed: dict[Node, Array]) -> None:
    """Forward and reverse mode agree, at kinks too: both follow one policy."""
    floats = [leaf for leaf in feed if leaf.dtype.kind == "f"]
    w = s.seed()
    v = [d for d, leaf in zip(s.direction(), feed, strict=True) if leaf.dtype.kind == "f"]
    pushed = graph_jvp(y, floats, v)
    right = w * run(pushed, feed)[pushed]
    pulled = [g for g, leaf in zip(s.pull(w), feed, strict=True) if leaf.dtype.kind == "f"]
    left = np.concatenate([np.ravel(g * d) for g, d in zip(pulled, v, strict=True)])
    _check_adjoint(s, "reverse mode and forward mode agree", left, right, source="jvp")


def _check_adjoint(s: Subject, law: str, left: Array, right: Array, element: str = "", source: str = "") -> None:
    """Two sums are equal, to the rounding of the sum of their absolute terms."""
    got, want = float(np.sum(left)), float(np.sum(right))
    allowed = ROUNDING * s.eps * float(np.sum(np.abs(left)) + np.sum(np.abs(right))) + s.tiny
    if np.isfinite(got) and np.isfinite(want) and abs(got - want) > allowed:
        raise s.fail(law, element=element, got=got, expected=want, source=source)
