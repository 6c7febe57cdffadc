"""`check_op`: the whole ladder for one op."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from ..derivative import vjp as graph_vjp
from ..errors import BroadcastWarning
from ..ops import input as input_node
from ..ops.core import REGISTRY, Elementwise, Op
from ..run import run
from .call import Call
from .cases import Case, cases_for_op, cases_of, some_cases
from .failure import GradientFailure
from .graphs import check_graph
from .modes import check_modes, check_repeated
from .profiles import current
from .written import line

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
    call = Call(op, case, leaves, seed)
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
        exact=True,
        second=second,
        random=seed,
        shrink=False,
        f=call.kernel,
        progress=progress,
    )
    progress("pull and push agree on nodes, arrays and stacks")
    check_modes(call, y)
    progress("one node in two slots")
    check_repeated(call)


def _check_policy(op: Op, row: Any) -> None:
    """The derivative at a kink is what the op's policy says. An op that reduces has its row's numbers in one vector."""
    elementwise = isinstance(op, Elementwise)
    args = [np.array(a) for a in row.args] if elementwise else [np.array(row.args)]
    case = Case(tuple(args), {} if elementwise else {"axes": (0,), "keepdims": False})
    leaves = [input_node(a.shape, name=f"x{i}") for i, a in enumerate(args)]
    call = Call(op, case, leaves, 0, lambda: line([f"check_op({op.name!r})"], "check_op"))
    y = call.build()
    graphs = graph_vjp(y, leaves, 1.0, unreachable="zero")
    values = run(graphs, dict(zip(leaves, args, strict=True)))
    got = np.concatenate([np.ravel(values[g]) for g in graphs])
    for i in np.flatnonzero(got != np.array(row.partials)):
        element = f"d y / d x{i}" if elementwise else f"d y / d x[{i}]"
        raise call.subject(y).fail(
            f"policy, {row.where}", element=element, got=got[i], expected=row.partials[i], source="policy"
        )
