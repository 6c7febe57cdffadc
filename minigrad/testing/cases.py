"""Arguments for every op: what to call it on, degenerate cases included.

Elementwise ops need no entry: their arity and their domain are found by asking the kernel. Every other op has a row in
`CASES`, a strategy of the arguments and parameters it takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
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
    if op.name in CASES:
        return CASES[op.name]
    if isinstance(op, Elementwise):
        return elementwise_cases(op)
    raise LookupError(
        f"no cases are declared for the op {op.name!r}: add a row to minigrad/testing/cases.py, or pass check_op "
        "arguments of your own, check_op(op, args=(...), params={...}) or check_op(op, cases=strategy)"
    )


def some_cases(strategy: st.SearchStrategy[Case], count: int, seed: int = 0) -> list[Case]:
    """`count` cases, the same ones every time."""
    found: list[Case] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis_seed(seed)
    @given(strategy)
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


@cache
def arity(op: Elementwise) -> tuple[int, int]:
    """The fewest and the most arguments to try."""
    if len(op.partials) > 1:
        return len(op.partials), len(op.partials)
    try:
        parameters = list(inspect.signature(op.kernel).parameters.values())
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    except ValueError:  # ufuncs have no signature in older NumPys
        variadic = False
    return (2, 3) if variadic else (1, 1)


_PROBES = {
    "real": (-2.5, -0.7, 0.3, 1.9),
    "positive": (0.2, 0.9, 1.7),
    "unit": (-0.9, -0.3, 0.2, 0.8),
    "above one": (1.1, 2.5),
}


@cache
def domains(op: Elementwise) -> tuple[str, ...]:
    """For each argument the widest domain of `strategies.DOMAINS` on which the kernel is finite."""
    count = arity(op)[1]
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
    low, high = arity(op)
    count = draw(st.integers(low, high))
    dtype = draw(st.sampled_from((np.float64, np.float64, np.float64, np.float32)))
    sizes: Sequence[Shape] = (draw(shapes(0, 2, 0, 3)),) if count == 1 else draw(broadcastable_shapes(count, 2))
    chosen = domains(op)
    args = tuple([draw(arrays(s, dtype, domain=d)) for s, d in zip(sizes, chosen, strict=False)])
    return Case(args, {})


def _axes(draw: st.DrawFn, rank: int) -> tuple[int, ...]:
    return tuple([axis for axis in range(rank) if draw(st.booleans())])


def _float_array(draw: st.DrawFn, shape: Any, domain: str = "real") -> Array:
    dtype = draw(st.sampled_from((np.float64, np.float64, np.float64, np.float32)))
    array: Array = draw(arrays(shape, dtype, domain=domain))
    return array


@cases_for("sum")
def _reduction(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 0, 3))
    return Case((x,), {"axes": _axes(draw, x.ndim), "keepdims": draw(st.booleans())})


@cases_for("logsumexp")
def _logsumexp(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 1, 3))
    return Case((x,), {"axes": _axes(draw, x.ndim), "keepdims": draw(st.booleans())})


@cases_for("broadcast_to")
def _broadcast_to(draw: st.DrawFn) -> Case:
    small, other = draw(broadcastable_shapes(2))
    return Case((_float_array(draw, small),), {"shape": np.broadcast_shapes(small, other)})


@cases_for("reshape")
def _reshape(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 0, 3))
    choices = [(x.size,), x.shape[::-1], (1, *x.shape), (*x.shape, 1), x.shape]
    if x.size == 1:
        choices.append(())
    return Case((x,), {"shape": draw(st.sampled_from(choices))})


@cases_for("transpose")
def _transpose(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 0, 3))
    return Case((x,), {"axes": tuple(draw(st.permutations(range(x.ndim))))})


def _index(draw: st.DrawFn, shape: Shape) -> tuple[Any, ...]:
    entries: list[Any] = []
    for size in shape:
        if size and draw(st.booleans()):
            entries.append(draw(st.integers(0, size - 1)))
        else:
            bounds = st.one_of(st.none(), st.integers(-size - 1, size + 1))
            step = draw(st.sampled_from((1, 2, -1, -2)))
            entries.append(slice(draw(bounds), draw(bounds), step).indices(size))
    return tuple(entries)


@cases_for("slice")
def _slice(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 0, 4))
    return Case((x,), {"index": _index(draw, x.shape)})


@cases_for("place")
def _place(draw: st.DrawFn) -> Case:
    shape = draw(shapes(0, 3, 0, 4))
    index = _index(draw, shape)
    inner = tuple([len(range(*entry)) for entry in index if isinstance(entry, tuple)])
    return Case((_float_array(draw, inner),), {"shape": shape, "index": index})


@cases_for("concat")
def _concat(draw: st.DrawFn) -> Case:
    shape = draw(shapes(1, 3, 0, 3))
    axis = draw(st.integers(0, len(shape) - 1))
    sizes = draw(st.lists(st.integers(0, 2), min_size=1, max_size=3))
    args = [draw(arrays((*shape[:axis], size, *shape[axis + 1 :]))) for size in sizes]
    return Case(tuple(args), {"axis": axis})


@cases_for("matmul")
def _matmul(draw: st.DrawFn) -> Case:
    n, k, m = (draw(st.sampled_from((1, 2, 3, 0))) for _ in range(3))
    left, right = draw(broadcastable_shapes(2, max_dims=1))
    dtype = draw(st.sampled_from((np.float64, np.float64, np.float64, np.float32)))
    return Case((draw(arrays((*left, n, k), dtype)), draw(arrays((*right, k, m), dtype))), {})


@cases_for("where")
def _where(draw: st.DrawFn) -> Case:
    condition, x, y = draw(broadcastable_shapes(3, max_dims=2))
    return Case((draw(arrays(condition, bool)), draw(arrays(x)), draw(arrays(y))), {})


@cases_for("cast")
def _cast(draw: st.DrawFn) -> Case:
    source, target = draw(st.permutations((np.float64, np.float32)))
    return Case((draw(arrays(shapes(0, 2, 0, 3), source)),), {"dtype": np.dtype(target)})


@cases_for("cross_entropy")
def _cross_entropy(draw: st.DrawFn) -> Case:
    shape = draw(shapes(0, 2, 0, 2))
    classes = draw(st.integers(1, 4))
    labels = draw(arrays(shape, int, elements=st.integers(0, classes - 1)))
    return Case((_float_array(draw, (*shape, classes)), labels), {})


def explicit_cases(args: Sequence[Any], params: dict[str, Any]) -> Iterator[Case]:
    """The one case that a caller gives."""
    yield Case(tuple(np.asarray(arg) for arg in args), dict(params))
