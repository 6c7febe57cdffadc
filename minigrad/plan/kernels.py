"""How each elementwise op is computed into its place: by ufuncs with `out`, in as few passes as its kernel makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .calls import Calls, Operand, number, repeated
from .terms import KERNELS, Term
from .view import coalesced

_Writer = Callable[[Calls, Sequence[Operand], Operand], None]


def write_elementwise(calls: Calls, term: Term, lead: int, args: Sequence[Operand], out: Operand) -> None:
    """`out = op(*args)`; every window has the shape of `out` already."""
    views = coalesced([*(arg.view for arg in args), out.view])
    flat = [Operand(view, arg.dtype) for view, arg in zip(views, (*args, out), strict=True)]
    args, out = flat[:-1], flat[-1]
    writer = ELEMENTWISE.get(term.op)
    floats = out.dtype.kind == "f" and all(arg.dtype == out.dtype for arg in args)
    if writer is not None and (floats or term.op in _ANY_DTYPE):
        writer(calls, args, out)
    elif isinstance(term.kernel, np.ufunc):
        calls.add(_OUT_BY_NAME.get(term.kernel, term.kernel), *args, out)
    else:
        kernel = KERNELS.get(term.op, term.kernel)
        assert kernel is not None
        calls.kernel(term.op, kernel, term.params, out, args)


def _add_n(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    calls.add(np.add, args[0], args[1], out)
    for arg in args[2:]:
        calls.add(np.add, out, arg, out)


def _sigmoid(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    _exp_neg(calls, args, out)
    _inverse_1p(calls, [out], out)


def _exp_neg(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    calls.add(np.negative, args[0], out)
    calls.add(np.exp, out, out)


def _inverse_1p(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    one = number(1, out.dtype)
    calls.add(np.add, args[0], one, out)
    calls.add(np.true_divide, one, out, out, name="divide")


def _times_finite(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    calls.add(minimum, args[0], repeated(float(np.finfo(out.dtype).max), out.view.shape, out.dtype), out)
    calls.add(np.multiply, out, args[1], out)


def _slope(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    # e / (1 + e)^2 with e = exp(-|x|), as the op's kernel has it.
    r = calls.scratch(out.view.shape, out.dtype)
    one = number(1, out.dtype)
    calls.add(np.abs, args[0], out)
    calls.add(np.negative, out, out)
    calls.add(np.exp, out, out)
    calls.add(np.add, out, one, r)
    calls.add(np.true_divide, one, r, r, name="divide")
    calls.add(np.multiply, out, r, out)
    calls.add(np.multiply, out, r, out)


def _sech2(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    calls.add(np.exp, args[0], out)
    _sech2_of_exp(calls, [out], out)


def _sech2_of_exp(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    # (2 / (q + 1/q))^2 with q = exp(x) or exp(-x): nothing cancels, and where q is 0 or inf the sum is inf, rightly.
    r = calls.scratch(out.view.shape, out.dtype) if out.view.buffer == args[0].view.buffer else out
    calls.add(np.true_divide, number(1, out.dtype), args[0], r, name="divide")
    calls.add(np.add, args[0], r, out)
    calls.add(np.true_divide, number(2, out.dtype), out, out, name="divide")
    calls.add(np.multiply, out, out, out)


def _relu(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    calls.add(maximum, args[0], repeated(0, out.view.shape, out.dtype), out)


def _maximum(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    calls.add(maximum, *args, out)


def maximum(x: Any, y: Any, out: Any) -> None:
    """np.maximum, which wants `out` by name where other ufuncs take it by position."""
    np.maximum(x, y, out=out)


def minimum(x: Any, y: Any, out: Any) -> None:
    """np.minimum, likewise."""
    np.minimum(x, y, out=out)


def _step(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    calls.add(np.heaviside, args[0], number(0, out.dtype), out)


def _compare(ufunc: np.ufunc) -> _Writer:
    def write(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
        calls.add(ufunc, *args, out)

    return write


def _where(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    if args[0].dtype != np.dtype(bool):
        calls.kernel("where", np.where, {}, out, args)
        return
    calls.add(np.copyto, out, args[2])
    calls.add(np.copyto, out, args[1], "same_kind", args[0])


def _cast(calls: Calls, args: Sequence[Operand], out: Operand) -> None:
    calls.add(_store_as, out, args[0], name="copyto_unsafe")


_OUT_BY_NAME: dict[Any, Callable[..., None]] = {np.maximum: maximum, np.minimum: minimum}
_store_as = partial(np.copyto, casting="unsafe")
_COMPARISONS = {
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
}
ELEMENTWISE: dict[str, _Writer] = {
    "add_n": _add_n,
    "sigmoid": _sigmoid,
    "exp_neg": _exp_neg,
    "inverse_1p": _inverse_1p,
    "times_finite": _times_finite,
    "sigmoid_slope": _slope,
    "sech2": _sech2,
    "sech2_of_exp": _sech2_of_exp,
    "relu": _relu,
    "maximum": _maximum,
    "step": _step,
    "where": _where,
    "cast": _cast,
    **{name: _compare(ufunc) for name, ufunc in _COMPARISONS.items()},
}
# Writers that are right whatever the dtypes; the others are for floats of one dtype.
_ANY_DTYPE = frozenset({"add_n", "maximum", "where", "cast", *_COMPARISONS})
