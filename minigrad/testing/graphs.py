"""Graphs as subjects of the ladder: their values by the reference interpreter, their vjp by the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..derivative import Edge, pull_edge
from ..derivative import vjp as graph_vjp
from ..node import Array, Node, describe, walk
from ..ops import constant, mul, sum_
from ..ops import input as input_node
from ..run import leaf_value, run
from .failure import GradientFailure, indexed
from .gradients import degenerated
from .laws import check, compare
from .oracles import Oracle
from .rounding import ROUNDING
from .smallest import attempt, smallest
from .subject import Subject
from .written import Reference, code, graph_code, home_of, line, name_of, reference


def graph_subject(
    y: Node,
    leaves: Sequence[Node],
    arrays: Sequence[Array],
    *,
    name: str,
    reproduce: str | Callable[[], str] = "",
    edges: tuple[Edge, ...] = (),
    output: str = "y",
    strict: bool = True,
    subgradients: bool = False,
    singular: bool = False,
    exact: bool = False,
    random: int = 0,
    f: Callable[[Sequence[Array]], Array] | None = None,
) -> Subject:
    """The node `y` as a function of `leaves` at `arrays`, differentiated by the engine."""
    floats = [leaf for leaf in leaves if leaf.dtype.kind == "f"]
    w = input_node(y.shape, y.dtype, name="seed")
    pulled = graph_vjp(y, floats, w, unreachable="zero") if y.dtype.kind == "f" else []

    # A gradient may not be coarser than the graph it belongs to.
    coarsest = max([float(np.finfo(n.dtype).eps) for n in walk(y) if n.dtype.kind == "f"], default=1.0)

    def in_slots(values: Sequence[Array]) -> list[Any]:
        found = iter(values)
        return [next(found) if leaf.dtype.kind == "f" else None for leaf in leaves]

    def value(at: Sequence[Array]) -> Array:
        return run(y, dict(zip(leaves, at, strict=True)))[y]

    def pull(at: Sequence[Array], seed: Array) -> list[Any]:
        values = run(pulled, {**dict(zip(leaves, at, strict=True)), w: seed})
        return in_slots([values[g] for g in pulled])

    def jitter(at: Sequence[Array], seed: Array, rng: np.random.Generator, size: float | None) -> list[Any]:
        return in_slots(run_jittered(pulled, {**dict(zip(leaves, at, strict=True)), w: seed}, rng, size, coarsest))

    return Subject(
        name=name,
        labels=_labels(leaves),
        arrays=list(arrays),
        f=value if f is None else f,
        vjp=pull,
        reproduce=reproduce,
        strict=strict,
        jitter=jitter,
        graph=y,
        edges=edges,
        output=output,
        subgradients=subgradients,
        singular=singular,
        exact=exact,
        random=random,
    )


def _labels(leaves: Sequence[Node]) -> list[str]:
    names = [leaf.name or f"x{i}" for i, leaf in enumerate(leaves)]
    return [f"{name} ({i})" if names.count(name) > 1 else name for i, name in enumerate(names)]


# Ops that move or choose numbers do not round them, and what asks afterwards which one was chosen must find it again.
_EXACT = ("constant", "reshape", "transpose", "slice", "place", "broadcast_to", "concat", "gather", "where", "neg")


def run_jittered(
    outputs: Sequence[Node],
    feed: Mapping[Node, Array],
    rng: np.random.Generator,
    size: float | None = None,
    coarsest: float = 1.0,
) -> list[Array]:
    """Evaluate with every float result moved at random: by a unit in the last place, or by `size` relative to itself.

    How far the results of several such runs lie apart is what rounding may do to them, cancellation included (Monte
    Carlo arithmetic; Parker, 1997); units above `coarsest` are not granted. With a `size` zeros move too, by as much
    as 1 would, and ties part.
    """
    values: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node in reversed(list(walk(outputs))):
            if node in feed:
                value = np.asarray(feed[node])
            elif node.args:
                value = np.asarray(node.op.kernel(*[values[arg] for arg in node.args], **node.params))
            else:
                value = leaf_value(node)
            if value.dtype.kind in "fc" and node.op.analytic and node.op.name not in _EXACT:
                eps = min(float(np.finfo(value.dtype).eps), coarsest) if size is None else size
                unit = np.abs(value) if size is None else np.where(value == 0, 1, np.abs(value))
                draw = rng.integers(-1, 2, value.shape) if size is None else rng.uniform(-1, 1, value.shape)
                value = (value + eps * unit * draw).astype(value.dtype)
            values[node] = value
    return [values[node] for node in outputs]


def check_graph(
    y: Node,
    feed: Mapping[Node, Any],
    *,
    name: str = "graph",
    reproduce: str | Callable[[Mapping[Node, Array]], str] | None = None,
    second: bool = True,
    strict: bool = True,
    subgradients: bool = False,
    singular: bool = False,
    exact: bool = False,
    random: int = 0,
    shrink: bool = True,
    f: Callable[[Sequence[Array]], Array] | None = None,
    progress: Callable[[str], None] = lambda law: None,
) -> None:
    """The ladder for the engine's gradient of `y` with respect to the float leaves in `feed`, then for the gradient's
    own gradient. Raises GradientFailure naming the law, the rule that is wrong by itself, and (`shrink`) the simplest
    numbers that show it.

    >>> import minigrad as mg
    >>> x = mg.input((2,), name="x")
    >>> check_graph(mg.sum(mg.tanh(x) * x), {x: [0.5, 25.0]})
    """
    leaves = list(feed)
    arrays = [
        np.asarray(feed[leaf]) if _fits(leaf, feed[leaf]) else np.asarray(feed[leaf], leaf.dtype) for leaf in leaves
    ]
    __tracebackhide__ = True

    def checked(at: Sequence[Array], progress: Callable[[str], None] = lambda law: None) -> None:
        feed = dict(zip(leaves, at, strict=True))
        writer = partial(_reproduce, y, strict=strict) if reproduce is None else reproduce
        written = writer if isinstance(writer, str) else partial(writer, feed)
        options: dict[str, Any] = {"strict": strict, "subgradients": subgradients, "singular": singular, "exact": exact}
        subject = graph_subject(y, leaves, at, name=name, reproduce=written, random=random, f=f, **options)
        check(subject, progress)
        if second and subject.slots and subject.value.size:
            check(_second_order(subject, y, leaves, at), progress)

    try:
        checked(arrays, progress)
    except GradientFailure as failure:
        found = smallest(arrays, failure, attempt(checked)) if shrink else failure
        at = [found.finding.inputs.get(label, a) for label, a in zip(_labels(leaves), arrays, strict=True)]
        raise located(found, y, dict(zip(leaves, at, strict=True))) from None


# A longer graph is not code that anyone pastes.
_MOST_STATEMENTS = 100


def _reproduce(y: Node, feed: Mapping[Node, Array], strict: bool) -> str:
    if sum(1 for _ in walk(y)) > _MOST_STATEMENTS:
        return ""
    written = graph_code(y, feed)
    call = f"check_graph({written.output}, {written.feed}{'' if strict else ', strict=False'})"
    declared = [Reference("", needs=home) for home in dict.fromkeys(home_of(n.op) for n in walk(y)) if home]
    return line([*written.statements, call], "check_graph", of=declared)


def located(failure: GradientFailure, y: Node, feed: Mapping[Node, Array]) -> GradientFailure:
    """The failure with the graph and those of its edges whose rule is wrong by itself, named in the message."""
    finding = failure.finding
    finding.graph, finding.edges = y, tuple(wrong_edges(y, feed))
    if finding.edges and len(y.args) != len(list(walk(y))) - 1:  # for a single op the failure says it already
        named = [f"argument {edge.slot} of {describe(edge.user)}" for edge in finding.edges[:3]]
        finding.detail = "\n".join(filter(None, [finding.detail, f"the wrong rule: {', '.join(named)}"]))
    return GradientFailure(finding)


def wrong_edges(y: Node, feed: Mapping[Node, Array]) -> Iterator[Edge]:
    """The edges of the graph of `y` whose contribution, taken alone, is not the derivative of the op they lead into.

    >>> import minigrad as mg
    >>> from minigrad.testing import mutants
    >>> x = mg.input((), name="x")
    >>> y = mg.exp(mutants(mg.ops.tanh)[0](x))
    >>> [(edge.user.op.name, edge.slot) for edge in wrong_edges(y, {x: 0.5})]
    [('tanh', 0)]
    """
    values = run(y, feed)
    rng = np.random.default_rng(0)
    for node in reversed(list(walk(y))):
        if node.dtype.kind != "f":
            continue
        args = [values[arg] for arg in node.args]
        for slot, arg in enumerate(node.args):
            if arg.dtype.kind == "f" and not _edge_is_right(node, slot, values[node], args, rng):
                yield Edge(node, slot)


def _edge_is_right(node: Node, slot: int, out: Array, args: Sequence[Array], rng: np.random.Generator) -> bool:
    def kernel(moved: Sequence[Array]) -> Array:
        return np.asarray(node.op.kernel(*args[:slot], *moved, *args[slot + 1 :], **node.params))

    w = rng.uniform(0.5, 1.5, node.shape).astype(node.dtype)
    v = rng.uniform(0.5, 1.0, args[slot].shape)
    with np.errstate(all="ignore"):
        oracle = Oracle(kernel, [args[slot]], rng)
        try:
            pulled = pull_edge(node, slot, w, out, args)
        except Exception:
            return False
        if pulled is not None and np.shape(pulled) != args[slot].shape:
            return False
        got = np.zeros(()) if pulled is None else np.asarray(pulled) * v
        want = w * oracle.push([v])
        gap = abs(float(np.sum(got)) - float(np.sum(want)))
        scale = float(np.sum(np.abs(got)) + np.sum(np.abs(want)))
        return not gap > 1e-6 * scale or not oracle.is_smooth([v])


def _fits(leaf: Node, value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == leaf.dtype


def _second_order(subject: Subject, y: Node, leaves: Sequence[Node], arrays: Sequence[Array]) -> Subject:
    """<u, vjp(w)> as a function of the leaves, for constant random u and w: its gradient is the second derivative."""
    floats = [leaf for leaf in leaves if leaf.dtype.kind == "f"]
    fresh = replace(subject)  # the same u and w for every graph of this shape
    w = constant(fresh.seed())
    gradients = graph_vjp(y, floats, w, unreachable="zero")
    total: Any = None
    for g, u in zip(gradients, [d for d in fresh.direction() if d is not None], strict=True):
        term = sum_(mul(constant(u.astype(g.dtype)), g), axes=tuple(range(len(g.shape))), keepdims=False)
        total = term if total is None else total + term
    return graph_subject(
        total,
        leaves,
        arrays,
        name=subject.name,
        reproduce=subject.reproduce,
        output="<u, gradient>",
        strict=subject.strict,
        random=subject.random,
    )


def assert_same_function(
    f: Callable[..., Any], g: Callable[..., Any], *x: Any, degenerate: bool = True, seed: int = 0
) -> None:
    """Two spellings of one function: the same values, and the same first and second derivatives.

    `f` and `g` take as many nodes as there are arrays `x` and give a node each. They are compared at x and, with
    `degenerate`, at zeros, ties and saturated versions of it, to rounding; not where the second is not finite, and the
    derivatives not at kinks. Raises GradientFailure with the first element that differs.

    >>> import numpy as np
    >>> import minigrad as mg
    >>> assert_same_function(mg.tanh, lambda x: 2 * mg.sigmoid(2 * x) - 1, np.array([0.5, -1.0]))
    """
    __tracebackhide__ = True
    arrays = [np.asarray(a) for a in x]
    rng = np.random.default_rng(seed)

    def compared(at: Sequence[Array]) -> None:
        _compare_at(f, g, at, seed)

    for point in [arrays, *(degenerated(arrays, rng) if degenerate else ())]:
        try:
            compared(point)
        except GradientFailure as failure:
            raise smallest(point, failure, attempt(compared)) from None


def _compare_at(f: Callable[..., Any], g: Callable[..., Any], arrays: Sequence[Array], seed: int) -> None:
    names = [f"x{i}" for i in range(len(arrays))] if len(arrays) > 1 else ["x"]
    leaves = [input_node(a.shape, a.dtype, name=n) for a, n in zip(arrays, names, strict=True)]
    ours, theirs = f(*leaves), g(*leaves)

    def written() -> str:
        of = (reference(f, "f"), reference(g, "g"))
        call = ", ".join([*(r.expression for r in of), *map(code, arrays), *([f"seed={seed}"] if seed else [])])
        return line([f"assert_same_function({call})"], "assert_same_function", of=of)

    labels: dict[str, Any] = {"reproduce": written, "random": seed, "strict": False}
    labels["name"] = f"{name_of(f)} and {name_of(g)}"
    # Which of the two is wrong is not known: there is no graph to draw.
    subject = replace(graph_subject(ours, leaves, arrays, **labels), graph=None)
    other = replace(graph_subject(theirs, leaves, arrays, **labels), graph=None)
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        detail = f"{ours.shape} {ours.dtype} and {theirs.shape} {theirs.dtype}"
        raise subject.fail("both give one shape and dtype", detail=detail)
    if not np.all(np.isfinite(other.value)):
        return
    _same_values(subject, ours, theirs, dict(zip(leaves, arrays, strict=True)), name_of(g))
    if ours.dtype.kind != "f":
        return
    _same_gradients(subject, other, name_of(g))
    second, other_second = (_second_order(s, y, leaves, arrays) for s, y in ((subject, ours), (other, theirs)))
    if np.all(np.isfinite(other_second.value)):
        _same_gradients(replace(second, graph=None), other_second, name_of(g))


def _same_gradients(ours: Subject, theirs: Subject, source: str) -> None:
    w = ours.seed()
    got, want = ours.pull(w), theirs.pull(w)
    for slot in ours.slots:
        try:
            # Both may round in their own way: the wider scatter of the two is allowed.
            compare(theirs, "", slot, got[slot], want[slot], np.abs(w))
        except GradientFailure:
            if not theirs.oracle.is_smooth([np.ones(x.shape) if x.dtype.kind == "f" else None for x in theirs.arrays]):
                continue
            compare(
                ours, f"both give the same derivative of {ours.output}", slot, got[slot], want[slot], abs(w), source
            )


def _same_values(s: Subject, ours: Node, theirs: Node, feed: Mapping[Node, Array], source: str) -> None:
    got, want = run(ours, feed)[ours], run(theirs, feed)[theirs]
    rng = np.random.default_rng(s.random)
    spread = np.zeros(want.shape)
    for y in (ours, theirs) if want.dtype.kind == "f" else ():
        samples = [run_jittered([y], feed, rng)[0] for _ in range(8)]
        spread = np.maximum(spread, np.max(samples, axis=0) - np.min(samples, axis=0))
    with np.errstate(all="ignore"):
        allowed = ROUNDING * s.eps * np.abs(want.astype(float)) + 8 * spread
        wrong = ~((np.abs(got.astype(float) - want) <= allowed) | (got == want))
    for at in map(tuple, np.argwhere(wrong)):
        raise s.fail(
            "both give the same value", element=indexed("y", at), got=got[at], expected=want[at], source=source
        )
