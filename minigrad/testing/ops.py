"""`check_op`: the whole ladder for one op, its three ways of being called included."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from ..derivative import Edge, pull_edge, push_edge
from ..derivative import jvp as graph_jvp
from ..derivative import vjp as graph_vjp
from ..errors import BroadcastWarning
from ..node import Array, Node
from ..ops import input as input_node
from ..ops.core import REGISTRY, Elementwise, Op, Stacked
from ..run import run
from .cases import Case, cases_for_op, cases_of, some_cases
from .failure import GradientFailure, indexed
from .graphs import check_graph, graph_subject
from .laws import Subject, check, compare
from .oracles import Oracle
from .profiles import current
from .written import code, code_of_param, home_of, line

# Its gradient is zero by definition, whatever its derivative.
_STOPS = ("stop_gradient",)


def check_op(
    op: Op | str,
    *,
    args: Sequence[Any] | None = None,
    params: dict[str, Any] | None = None,
    cases: st.SearchStrategy[Case] | None = None,
    reference: Callable[..., Any] | None = None,
    max_examples: int | None = None,
    shrink: bool = True,
    second: bool = True,
    seed: int = 0,
    progress: Callable[[str], None] = lambda law: None,
) -> None:
    """Check an op, its own or one of yours, from its shape rule to its second derivative.

    `op` is an Op or the name of a registered one. Arguments are drawn (degenerate ones among them) and shrink to the
    smallest that fail; `args` and `params` check one call instead, `cases` draws from a strategy of `Case`s.
    `reference` is a NumPy function the values must agree with. The number of cases is that of the profile (`quick`,
    `ci`, `deep`) unless `max_examples` is given; `shrink=False` stops at the first failing case, `second=False` leaves
    out the gradient's own gradient.

    The ladder: shape and dtype rules against the kernel; the value against the reference; the contract and the laws of
    the seed; dot test and one-hot seeds against the complex step; pull on nodes, arrays and stacks alike; push against
    pull; one node in two slots; the policy at kinks; the gradient's own gradient. Raises GradientFailure.

    >>> check_op("tanh", args=[25.0])
    >>> check_op("matmul", max_examples=5)
    """
    __tracebackhide__ = True
    op = REGISTRY[op] if isinstance(op, str) else op
    for row in op.kinks:
        _check_policy(op, row)
    if args is not None:
        check_case(op, Case(tuple(np.asarray(a) for a in args), params or {}), reference, seed, progress, second)
        return
    count = current().examples if max_examples is None else max_examples
    drawn = cases_for_op(op, count, seed) if cases is None else some_cases(cases, count, seed)
    try:
        for case in drawn:
            check_case(op, case, reference, seed, progress, second)
    except GradientFailure as failure:
        found = _smallest(op, cases_of(op) if cases is None else cases, count, reference, seed) if shrink else None
        raise found or failure from None


def _smallest(
    op: Op, strategy: st.SearchStrategy[Case], count: int, reference: Callable[..., Any] | None, seed: int
) -> GradientFailure | None:
    """Draw the same cases again under Hypothesis, which ends with the smallest that fails."""

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
    )
    @hypothesis_seed(seed)
    @given(strategy)
    def ladder(case: Case) -> None:
        check_case(op, case, reference, seed)

    try:
        ladder()
    except GradientFailure as failure:
        return GradientFailure(failure.finding)  # without what Hypothesis has to add
    return None


def check_case(
    op: Op,
    case: Case,
    reference: Callable[..., Any] | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda law: None,
    second: bool = True,
) -> None:
    """The ladder for one call of `op`. Raises GradientFailure."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", BroadcastWarning)  # such arguments are drawn on purpose
        _check_case(op, case, reference, seed, progress, second)


def _check_case(
    op: Op,
    case: Case,
    reference: Callable[..., Any] | None,
    seed: int,
    progress: Callable[[str], None],
    second: bool,
) -> None:
    labels = [f"x{i}" for i in range(len(case.args))] if len(case.args) > 1 else ["x"]
    leaves = [input_node(np.shape(a), np.asarray(a).dtype, name=n) for a, n in zip(case.args, labels, strict=True)]
    call = _Call(op, case, leaves, reproduce=lambda: _reproduce(op, case, seed), seed=seed)
    progress("shape and dtype rules, value")
    y = call.build()
    call.check_value(y, reference)
    if y.dtype.kind != "f" or op.name in _STOPS or not any(leaf.dtype.kind == "f" for leaf in leaves):
        call.check_no_gradient(y)
        return
    if not np.all(np.isfinite(call.value)):
        return
    check_graph(
        y,
        dict(zip(leaves, case.args, strict=True)),
        name=call.name,
        reproduce=lambda feed: call.reproduce(),
        subgradients=True,
        singular=bool(op.singular),
        second=second,
        random=seed,
        shrink=False,
        f=call.kernel,
        progress=progress,
    )
    progress("pull and push agree on nodes, arrays and stacks")
    call.check_modes(y)
    progress("one node in two slots")
    call.check_repeated()


def _reproduce(op: Op, case: Case, seed: int) -> str:
    mutation = getattr(op, "mutation", None)
    chosen = f"next(m for m in mutants(mg.ops.REGISTRY[{op.name!r}]) if m.mutation == {mutation!r})"
    params = ", ".join(f"{key!r}: {code_of_param(value)}" for key, value in case.params.items())
    options = [f"params={{{params}}}"] if params else []
    options += [f"seed={seed}"] if seed else []
    given = ", ".join([chosen if mutation else repr(op.name), f"args=({', '.join(map(code, case.args))},)", *options])
    home = home_of(op)
    return line([*([home] if home else []), f"check_op({given})"], "check_op, mutants" if mutation else "check_op")


class _Call:
    """One call of an op on input nodes, and on the arrays themselves."""

    def __init__(self, op: Op, case: Case, leaves: Sequence[Node], reproduce: Callable[[], str], seed: int) -> None:
        self.op, self.case, self.leaves, self.reproduce, self.seed = op, case, leaves, reproduce, seed
        mutation = getattr(op, "mutation", None)
        self.name = f"{op.name} (mutant: {mutation})" if mutation else op.name
        with np.errstate(all="ignore"):
            self.value = self.kernel(case.args)

    def kernel(self, arrays: Sequence[Array]) -> Array:
        """The op on arrays, without the interpreter."""
        return np.asarray(self.op.kernel(*arrays, **self.case.params))

    def subject(self, y: Node) -> Subject:
        edges = tuple(Edge(y, slot) for slot in range(len(y.args)))
        return graph_subject(
            y, self.leaves, self.case.args, name=self.name, reproduce=self.reproduce, random=self.seed, edges=edges
        )

    def build(self) -> Node:
        y: Node = self.op(*self.leaves, **self.case.params)
        return y

    def check_value(self, y: Node, reference: Callable[..., Any] | None) -> None:
        s = self.subject(y)
        if y.shape != self.value.shape:
            raise s.fail(
                "the shape rule agrees with the kernel", detail=f"{y.shape}, the kernel gives {self.value.shape}"
            )
        if y.dtype != self.value.dtype:
            raise s.fail(
                "the dtype rule agrees with the kernel", detail=f"{y.dtype}, the kernel gives {self.value.dtype}"
            )
        kinds = {a.dtype for a in self.case.args if a.dtype.kind == "f"}
        if kinds == {np.dtype(np.float32)} and y.dtype == np.dtype(float) and "dtype" not in self.case.params:
            raise s.fail("float32 stays float32", detail="the result is float64")
        if reference is None:
            return
        with np.errstate(all="ignore"):
            want = np.asarray(reference(*self.case.args, **self.case.params))
        if want.shape != self.value.shape:
            raise s.fail("the value is the reference's", detail=f"shape {self.value.shape}, reference {want.shape}")
        compare_to_reference(s, self.value, want)

    def check_no_gradient(self, y: Node) -> None:
        """Integer and boolean results, and values that stop gradients: every edge answers None, or zeros."""
        with np.errstate(all="ignore"):
            for slot in range(len(y.args)):
                ct = np.ones(y.shape, y.dtype if y.dtype.kind == "f" else float)
                term = self.op.pull(ct, slot, self.value, self.case.args, self.case.params)
                if np.any(ct != 1):
                    raise self.subject(y).fail("nothing is written into", element="the seed")
                if term is not None and np.any(np.asarray(term)):
                    edge = f"edge to {self.leaves[slot].name}"
                    raise self.subject(y).fail("no gradient passes here", element=edge, detail=f"pull gives {term!r}")

    def check_modes(self, y: Node) -> None:
        """Rules run on nodes, on arrays and on stacks of either: all give the same contributions, and push is the
        adjoint of pull."""
        s = self.subject(y)
        seeds = np.stack([s.seed(), s.seed()])
        floats = [slot for slot in range(len(self.leaves)) if self.leaves[slot].dtype.kind == "f"]
        for slot in floats:
            pulled = self._pull_all(s, y, slot, seeds)
            self._check_push(s, y, slot, seeds, pulled)

    def _pull_all(self, s: Subject, y: Node, slot: int, seeds: Array) -> list[Array] | None:
        kept = [np.array(a) for a in (*self.case.args, seeds, self.value)]
        leaf = self.leaves[slot]
        with np.errstate(all="ignore"):
            single = [pull_edge(y, slot, w.copy(), self.value, self.case.args) for w in seeds]
            lent = seeds.copy()
            on_arrays = pull_edge(y, slot, lent[0], self.value, self.case.args)
            stacked = pull_edge(y, slot, Stacked(seeds), self.value, self.case.args)
        named = [*s.labels, "the seed", "the value"]
        for what, before, after in zip(named, kept, (*self.case.args, lent, self.value), strict=True):
            if before.tobytes() != np.ascontiguousarray(after).tobytes():
                raise s.fail("nothing is written into", element=what, detail=f"{what} was changed by the rule")
        feed = dict(zip(self.leaves, self.case.args, strict=True))
        graphs = [graph_vjp(y, leaf, w, unreachable="zero") for w in seeds]
        values = run(graphs, feed)  # type: ignore[arg-type]
        if on_arrays is None or stacked is None:
            if on_arrays is not stacked:
                raise s.fail("pull answers None on arrays and on stacks alike", element=f"edge to {leaf.name}")
            return None
        for i, w in enumerate(seeds):
            want = values[graphs[i]]  # type: ignore[index]
            for how, got in (("arrays", np.asarray(single[i])), ("stacks", np.asarray(stacked.value)[i])):
                if got.shape != want.shape:
                    detail = f"{got.shape} on {how}, {want.shape} on nodes"
                    raise s.fail("pull gives one shape on nodes, arrays and stacks", detail=detail)
                compare(s, f"pull gives one number on nodes and on {how}", slot, got, want, np.abs(w), "on nodes")
        return [np.asarray(g) for g in single]

    def _check_push(self, s: Subject, y: Node, slot: int, seeds: Array, pulled: list[Array] | None) -> None:
        x = self.case.args[slot]
        tangents = np.stack([s.rng.uniform(0.5, 1.0, x.shape), s.rng.uniform(-1.0, -0.5, x.shape)]).astype(x.dtype)
        with np.errstate(all="ignore"):
            single = [push_edge(y, slot, t.copy(), self.value, self.case.args) for t in tangents]
            stacked = push_edge(y, slot, Stacked(tangents), self.value, self.case.args)
        if pulled is None or stacked is None or single[0] is None:
            if not (pulled is None and stacked is None and single[0] is None):
                raise s.fail("push answers None where pull does", element=f"edge to {self.leaves[slot].name}")
            return
        for i, tangent in enumerate(tangents):
            pushed = [np.asarray(single[i]), np.broadcast_to(np.asarray(stacked.value)[i], y.shape)]
            for how, push in zip(("arrays", "stacks"), pushed, strict=True):
                left, right = seeds[i] * push, pulled[i] * tangent
                got, want = float(np.sum(left)), float(np.sum(right))
                allowed = 4096 * s.eps * float(np.sum(np.abs(left)) + np.sum(np.abs(right)))
                if np.isfinite(got) and np.isfinite(want) and abs(got - want) > allowed:
                    law = f"push on {how} is the adjoint of pull: <w, push(v)> = <pull(w), v>"
                    raise s.fail(law, element=f"edge to {self.leaves[slot].name}", got=got, expected=want)

    def check_repeated(self) -> None:
        """One node in every slot of its shape: each use counts."""
        first = next(i for i, leaf in enumerate(self.leaves) if leaf.dtype.kind == "f")
        like = self.leaves[first]
        same = [leaf is not like and leaf.shape == like.shape and leaf.dtype == like.dtype for leaf in self.leaves]
        if not any(same):
            return
        nodes = [like if twin else leaf for leaf, twin in zip(self.leaves, same, strict=True)]
        y = self.op(*nodes, **self.case.params)
        feed = {leaf: a for leaf, a in zip(self.leaves, self.case.args, strict=True) if leaf in nodes}
        s = graph_subject(
            y,
            list(feed),
            list(feed.values()),
            name=f"{self.name}, one node in two slots",
            reproduce=self.reproduce,
            random=self.seed,
        )
        if np.all(np.isfinite(s.value)):
            _check_both_modes(s, y, feed)
            if self.op.analytic or self._smooth_at(first, same):
                check(s)

    def _smooth_at(self, first: int, same: Sequence[bool]) -> bool:
        # Where the arguments tie, an op with a kink there is another function of the one argument: nothing is owed.
        arrays = [self.case.args[first] if twin else a for a, twin in zip(self.case.args, same, strict=True)]
        rng = np.random.default_rng(self.seed)
        oracle = Oracle(self.kernel, arrays, rng)
        return oracle.is_differentiable([rng.uniform(0.5, 1, a.shape) if a.dtype.kind == "f" else None for a in arrays])


def _check_both_modes(s: Subject, y: Node, feed: dict[Node, Array]) -> None:
    """Forward and reverse mode agree on a node used twice, at kinks too: both follow one policy."""
    floats = [leaf for leaf in feed if leaf.dtype.kind == "f"]
    w = s.seed()
    v = [d for d, leaf in zip(s.direction(), feed, strict=True) if leaf.dtype.kind == "f"]
    pushed = graph_jvp(y, floats, v)
    right = w * run(pushed, feed)[pushed]
    pulled = [g for g, leaf in zip(s.pull(w), feed, strict=True) if leaf.dtype.kind == "f"]
    left = [g * d for g, d in zip(pulled, v, strict=True)]
    got, want = float(sum(map(np.sum, left))), float(np.sum(right))
    allowed = 4096 * s.eps * (float(sum(np.sum(np.abs(term)) for term in left)) + float(np.sum(np.abs(right))))
    if np.isfinite(got) and np.isfinite(want) and abs(got - want) > allowed:
        raise s.fail("reverse mode and forward mode agree", got=got, expected=want, source="jvp")


def compare_to_reference(s: Subject, got: Array, want: Array) -> None:
    """The kernel's value against a NumPy reference, NaN and infinities in the same places."""
    with np.errstate(all="ignore"):
        close = np.abs(got - want) <= 4096 * s.eps * np.abs(want)
        wrong = ~(close | (got == want) | (np.isnan(got) & np.isnan(want)))
    for at in map(tuple, np.argwhere(wrong)):
        raise s.fail("the value is the reference's", element=indexed("y", at), got=got[at], expected=want[at])


def _check_policy(op: Op, row: Any) -> None:
    """The derivative at a kink is what the op's policy says. An op that reduces has its row's numbers in one vector."""
    elementwise = isinstance(op, Elementwise)
    args = [np.array(a) for a in row.args] if elementwise else [np.array(row.args)]
    case = Case(tuple(args), {} if elementwise else {"axes": (0,), "keepdims": False})
    leaves = [input_node(a.shape, name=f"x{i}") for i, a in enumerate(args)]
    call = _Call(op, case, leaves, reproduce=lambda: line([f"check_op({op.name!r})"], "check_op"), seed=0)
    y = call.build()
    graphs = graph_vjp(y, leaves, 1.0, unreachable="zero")
    values = run(graphs, dict(zip(leaves, args, strict=True)))
    got = np.concatenate([np.ravel(values[g]) for g in graphs])
    for i in np.flatnonzero(got != np.array(row.partials)):
        element = f"d y / d x{i}" if elementwise else f"d y / d x[{i}]"
        raise call.subject(y).fail(
            f"policy, {row.where}", element=element, got=got[i], expected=row.partials[i], source="policy"
        )
