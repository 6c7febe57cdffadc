"""Arguments for every op: what to call it on, degenerate cases included.

Elementwise ops need no entry: their arity and their domain are found by asking the kernel. Every other op has a row in
`CASES`, a strategy of the arguments and parameters it takes; those of the engine's own ops are in `rows.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from ..node import Array, Shape
from ..ops.core import Elementwise, Op
from .strategies import DOMAINS, arrays, broadcastable_shapes, shapes


class Case(NamedTuple):
    """One call of an op: its arguments, float arrays or others, and its parameters."""

    args: tuple[Array, ...]
    params: dict[str, Any]


CASES: dict[str, st.SearchStrategy[Case]] = {}
Builder = Callable[..., Any]


def cases_for(*names: str) -> Callable[[Builder], Builder]:
    """Declare a composite strategy as the source of cases for the ops called `names`. Its first argument after `draw`
    is the op's name, where it wants one.

    >>> @cases_for("my_sum")
    ... def my_sum_cases(draw):
    ...     return Case((draw(arrays(shape=(2,))),), {"axes": (0,), "keepdims": False})
    >>> case = some_cases(CASES.pop("my_sum"), 1)[0]
    >>> case.args[0].shape
    (2,)
    """

    def declare(builder: Builder) -> Builder:
        takes_name = len(inspect.signature(builder).parameters) > 1
        for name in names:
            CASES[name] = st.composite(builder)(name) if takes_name else st.composite(builder)()
        return builder

    return declare


def cases_of(op: Op) -> st.SearchStrategy[Case]:
    """The strategy for `op`. Raises LookupError for an op that is not elementwise and has no row."""
    from . import rows  # noqa: F401  (it fills CASES, and needs this module to do so)

    if op.name in CASES:
        return CASES[op.name]
    if isinstance(op, Elementwise):
        return elementwise_cases(op)
    raise LookupError(
        f"no cases are declared for the op {op.name!r}: add a row to minigrad/testing/rows.py, or pass check_op "
        "arguments of your own, check_op(op, args=(...), params={...}) or check_op(op, cases=strategy)"
    )


def some_cases(strategy: st.SearchStrategy[Case], count: int, seed: int = 0) -> list[Case]:
    """Up to `count` different cases, the same ones every time."""
    found: dict[str, Case] = {}

    @settings(
        max_examples=2 * count,  # Hypothesis likes to repeat itself with small changes, or none
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis_seed(seed)
    @given(strategy)
    def collect(case: Case) -> None:
        found.setdefault(repr(case), case)

    collect()
    return list(found.values())[:count]


_drawn: dict[tuple[str, int, int], list[Case]] = {}


def cases_for_op(op: Op, count: int, seed: int = 0) -> list[Case]:
    """`count` cases of `op`, made once for the op and all its mutants: degenerate ones first, then drawn ones."""
    key = (op.name, count, seed)
    if key not in _drawn:
        drawn = cases_of(op)
        first = _degenerate(op) if isinstance(op, Elementwise) and op.name not in CASES else []
        _drawn[key] = [*first, *some_cases(drawn, count, seed)][:count]
    return _drawn[key]


def _degenerate(op: Elementwise) -> list[Case]:
    """Every degenerate value of the op's domain, whatever is drawn. Of several arguments all are equal in one case; in
    the others they differ, and all but one are broadcast."""
    values = [DOMAINS[name][1] for name in domains(op)]
    special = [np.resize(some, max(map(len, values))) for some in values]
    cases = [Case(tuple(special), {})]
    turned = [np.roll(x, 3 * k) for k, x in enumerate(special)]
    for k in (0, len(special) - 1) if len(special) > 1 else ():
        taller = np.stack([special[k], np.roll(special[k], 1)])
        cases.append(Case((*turned[:k], taller, *turned[k + 1 :]), {}))
    return cases


_PROBES = {
    "real": (-2.5, -0.7, 0.3, 1.9),
    "positive": (0.2, 0.9, 1.7),
    "unit": (-0.9, -0.3, 0.2, 0.8),
    "above one": (1.1, 2.5),
}


@cache
def domains(op: Elementwise) -> tuple[str, ...]:
    """For each argument the widest domain of `strategies.DOMAINS` on which the kernel is finite."""
    count = len(op.partials)
    choices = [("real",) * count, ("positive", *("real",) * (count - 1)), *((name,) * count for name in DOMAINS)]
    for choice in choices:
        grid = np.meshgrid(*(np.array(_PROBES[name]) for name in choice))
        with np.errstate(all="ignore"):
            if np.all(np.isfinite(np.asarray(op.kernel(*grid), dtype=float))):
                return choice
    return choices[0]


@st.composite
def elementwise_cases(draw: st.DrawFn, op: Elementwise) -> Case:
    """Broadcasting arguments from the op's domain, of float64, sometimes float32."""
    count = len(op.partials)
    dtype = draw(st.sampled_from((np.float64, np.float64, np.float64, np.float32)))
    sizes: Sequence[Shape] = (draw(shapes(0, 2, 0, 3)),) if count == 1 else draw(broadcastable_shapes(count, 2))
    chosen = domains(op)
    args = tuple([draw(arrays(s, dtype, domain=d)) for s, d in zip(sizes, chosen, strict=False)])
    return Case(args, {})
