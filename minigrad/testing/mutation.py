"""Checking the checkers: broken variants of an op's rule, and which of them a test notices.

A test that passes says little until one knows what would make it fail. `mutants(op)` breaks the rule in the ways in
which rules get broken; `kill_rate(test, op)` runs a test on each and names those it let pass.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ops
from ..derivative import unbroadcast
from ..node import Array, Node
from ..ops.core import Op, Stacked, Value
from .cases import Case, cases_for_op
from .profiles import current

# The rule as it should be, the call it gets, and room to remember earlier calls.
Rule = Callable[..., Value]


@dataclass
class Call:
    """One call of a pull rule: the cotangent, the slot, and the values around it (nodes, arrays or stacks)."""

    op: Op
    ct: Value
    slot: int
    out: Value
    args: Sequence[Value]
    params: dict[str, Any]


def _times(factor: float) -> Rule:
    return lambda rule, call, memory: _scaled(rule(call), factor)


def _scaled(term: Value, factor: float) -> Value:
    return None if term is None else ops.mul(term, np.asarray(factor, dtype=term.dtype))


def _absent(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    return None


def _ignore_seed(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    return rule(_with(call, ct=_filled(call.ct, 1.0)))


def _swap(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    floats = [slot for slot, arg in enumerate(call.args) if _is_float(arg)]
    other = floats[-1 - floats.index(call.slot)] if call.slot in floats else call.slot
    return rule(_with(call, slot=other))


def _drop_use(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    mine = call.args[call.slot]
    return None if any(arg is mine for arg in call.args[: call.slot]) else rule(call)


def _overwrite(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    """`g[i] = c` where `g[i] += c` is right: of several contributions to one element the last stays."""
    shape = call.ct.shape
    if not 1 < np.prod(shape, dtype=int) <= 16:
        return rule(call)
    total = None
    for index in np.ndindex(shape):
        mask = np.zeros(shape, dtype=call.ct.dtype)
        mask[index] = 1
        term = rule(_with(call, ct=ops.mul(call.ct, mask)))
        if term is None:
            return None
        term = unbroadcast(term, call.args[call.slot].shape)
        total = term if total is None else ops.where(ops.not_equal(term, 0), term, total)
    return total


def _unsummed(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    """Of a broadcast argument's copies only the first is heard."""
    term = rule(call)
    shape = call.args[call.slot].shape
    if term is None or term.shape == shape or not np.prod(term.shape, dtype=int):
        return term
    lead = len(term.shape) - len(shape)
    index = [
        0 if axis < lead else (0, 1, 1) if shape[axis - lead] == 1 else (0, size, 1)
        for axis, size in enumerate(term.shape)
    ]
    return ops.slice_(term, index=tuple(index))


def _transpose(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    term = rule(call)
    if term is None or len(term.shape) < 1:
        return term
    if len(term.shape) == 1:
        return ops.slice_(term, index=((term.shape[0] - 1, -1, -1),)) if term.shape[0] else term
    turned = ops.transpose(term, axes=(*range(len(term.shape) - 2), len(term.shape) - 1, len(term.shape) - 2))
    return ops.reshape(turned, shape=term.shape)


def _x_for_fx(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    x = call.args[0]
    return rule(_with(call, out=x)) if x.shape == call.out.shape and _is_float(x) else rule(call)


def _fx_for_x(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    x = call.args[0]
    fits = x.shape == call.out.shape and _is_float(x)
    return rule(_with(call, args=(call.out, *call.args[1:]))) if fits else rule(call)


def _last_step(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    return rule(_with(call, out=_of_last_step(call.out), args=tuple(_of_last_step(arg) for arg in call.args)))


def _of_last_step(value: Value) -> Value:
    if not _is_float(value) or not value.shape or value.shape[0] < 2:
        return value
    count = value.shape[0]
    rest = tuple((0, size, 1) for size in value.shape[1:])
    return ops.broadcast_to(ops.slice_(value, index=((count - 1, count, 1), *rest)), shape=value.shape)


def _stale(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    key = (call.slot, type(call.out), tuple((type(arg), arg.shape, arg.dtype) for arg in call.args))
    out, args = memory.setdefault(key, (_kept(call.out), tuple(map(_kept, call.args))))
    return rule(_with(call, out=out, args=args))


def _kept(value: Value) -> Value:
    return value.copy() if isinstance(value, np.ndarray) else value


def _write_seed(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    seed = call.ct.value if isinstance(call.ct, Stacked) else call.ct
    if not isinstance(seed, np.ndarray) or not seed.flags.writeable:
        return rule(call)
    own = Stacked(seed.copy()) if isinstance(call.ct, Stacked) else seed.copy()
    seed *= 2
    return rule(_with(call, ct=own))


def _leak(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    term = rule(call)
    if term is None:
        return None
    return ops.cast(ops.cast(term, dtype=np.dtype(np.float32)), dtype=term.dtype)


def _drop_early(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    shape = call.ct.shape
    if not shape or shape[0] < 2:
        return rule(call)
    late = np.zeros(shape, dtype=call.ct.dtype)
    late[shape[0] // 2 :] = 1
    return rule(_with(call, ct=ops.mul(call.ct, late)))


def _as_it_is(rule: Rule, call: Call, memory: dict[Any, Any]) -> Value:
    return rule(call)


MUTATIONS: dict[str, Rule] = {
    "negate": _times(-1.0),
    "double": _times(2.0),
    "zero": _times(0.0),
    "absent": _absent,
    "ignore the seed": _ignore_seed,
    "swap arguments": _swap,
    "drop one use": _drop_use,
    "= for +=": _overwrite,
    "skip un-broadcasting": _unsummed,
    "transpose": _transpose,
    "x for f(x)": _x_for_fx,
    "f(x) for x": _fx_for_x,
    "last-step value": _last_step,
    "stale on second call": _stale,
    "mutate the seed": _write_seed,
    "float32 leak": _leak,
    "drop early steps": _drop_early,
    "negate the push": _as_it_is,
}


def mutants(op: Op, cases: Sequence[Case] | None = None) -> list[Any]:
    """Broken variants of `op`, each an op with the name of its `mutation`; those that change nothing are left out.

    A mutant is called and checked like any op; the registered one is left alone (see `planted`). Whether a mutation
    changes anything is tried on `cases`, those of the registry by default.

    >>> import minigrad as mg
    >>> [mutant.mutation for mutant in mutants(mg.ops.tanh)][:5]
    ['negate', 'double', 'zero', 'absent', 'ignore the seed']
    """
    if cases is None:
        try:
            cases = cases_for_op(op, current().examples)
        except LookupError:
            return [_mutant(op, name) for name in MUTATIONS]
    return [mutant for mutant in (_mutant(op, name) for name in MUTATIONS) if _differs(mutant, op, cases)]


def _mutant(op: Op, mutation: str) -> Any:
    memory: dict[Any, Any] = {}
    change = MUTATIONS[mutation]
    kind = type(op)  # as it is now: when the mutant is planted, type(op) is the mutant's

    def pull(self: Op, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value:
        def rule(call: Call) -> Value:
            return kind.pull(self, call.ct, call.slot, call.out, call.args, call.params)

        return change(rule, Call(op, ct, slot, out, args, params), memory)

    sound: Any = object.__new__(kind)  # for the push rule, which may be the pull rule under another name
    sound.__dict__.update(vars(op))
    sign = -1.0 if mutation == "negate the push" else 1.0
    members: dict[str, Any] = {"pull": pull, "mutation": mutation, "original": op}
    members["push"] = lambda self, *call: _scaled(kind.push(sound, *call), sign)
    broken: Any = type(kind.__name__, (kind,), members)
    variant = broken.__new__(broken)
    variant.__dict__.update(vars(op))
    return variant


@contextmanager
def planted(mutant: Any) -> Iterator[None]:
    """Inside the block the registered op itself is broken as `mutant` is, for tests that do not take an op.

    >>> import minigrad as mg
    >>> x = mg.parameter(1.0)
    >>> negated = mutants(mg.ops.exp)[0]
    >>> with planted(negated):
    ...     print(mg.grad(mg.exp(x), x).eval().round(3))
    -2.718
    """
    op = mutant.original
    kind = type(op)
    op.__class__ = type(mutant)
    try:
        yield
    finally:
        op.__class__ = kind


class KillRate(float):
    """The share of mutants that a test noticed, with the names of those it `killed` and of its `survivors`."""

    killed: list[str]
    survivors: list[str]

    def __str__(self) -> str:
        total = len(self.killed) + len(self.survivors)
        passed = f"; not noticed: {', '.join(self.survivors)}" if self.survivors else ""
        return f"{len(self.killed)} of {total} mutants killed{passed}"


def kill_rate(test: Callable[..., Any], op: Op, cases: Sequence[Case] | None = None) -> KillRate:
    """Which broken variants of `op` would `test` notice, by raising?

    `test` is called with each mutant; a test that takes no argument is called with the mutant planted in the op itself.

    >>> import numpy as np
    >>> import minigrad as mg
    >>> def test_slope_at_0():
    ...     x = mg.parameter(0.0)
    ...     assert mg.grad(mg.tanh(x), x).eval() == 1.0
    >>> rate = kill_rate(test_slope_at_0, mg.ops.tanh)
    >>> "double" in rate.killed, "float32 leak" in rate.survivors, rate < 0.95
    (True, True, True)
    """
    killed: list[str] = []
    survivors: list[str] = []
    for mutant in mutants(op, cases):
        (killed if notices(test, mutant) else survivors).append(mutant.mutation)
    rate = KillRate(len(killed) / (len(killed) + len(survivors)) if killed or survivors else 1.0)
    rate.killed, rate.survivors = killed, survivors
    return rate


def notices(test: Callable[..., Any], mutant: Any) -> bool:
    """Whether `test` raises when it meets the mutant."""
    try:
        if _takes_an_op(test):
            test(mutant)
        else:
            with planted(mutant):
                test()
    except Exception:
        return True
    return False


def _takes_an_op(test: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in kinds and p.default is p.empty for p in inspect.signature(test).parameters.values())


def _differs(mutant: Any, op: Op, cases: Sequence[Case]) -> bool:
    """Whether the mutant ever answers otherwise than the op, writes into its seed, or fails."""
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for case in cases:
            value = np.asarray(op.kernel(*case.args, **case.params))
            if value.dtype.kind != "f":
                continue
            ct = rng.uniform(0.5, 1.5, value.shape).astype(value.dtype)
            for args in (case.args, _repeated(case.args)):
                own = value if args is case.args else np.asarray(op.kernel(*args, **case.params))
                if own.shape == ct.shape and any(_answers_otherwise(mutant, op, case.params, ct, own, args)):
                    return True
    return False


def _answers_otherwise(
    mutant: Any, op: Op, params: dict[str, Any], ct: Array, out: Array, args: Sequence[Array]
) -> Iterator[bool]:
    for slot, arg in enumerate(args):
        if arg.dtype.kind != "f":
            continue
        for rule in ("pull", "push"):
            vector = ct.copy() if rule == "pull" else np.ones_like(arg)
            right = getattr(op, rule)(vector.copy(), slot, out, args, params)
            try:
                wrong = getattr(mutant, rule)(vector, slot, out, args, params)
            except Exception:
                yield True
                return
            if rule == "pull":
                yield vector.tobytes() != ct.tobytes()
            yield not _same(right, wrong, arg.shape, rule)


def _same(right: Any, wrong: Any, shape: tuple[int, ...], rule: str) -> bool:
    """Whether two answers mean the same: absent is zero, and what is not finite is not compared."""
    if right is None or wrong is None:
        return not np.any(np.asarray(0 if right is None and wrong is None else right if wrong is None else wrong))
    if rule == "pull":
        right, wrong = (unbroadcast(np.asarray(term), shape) for term in (right, wrong))
    if right.shape != wrong.shape or right.dtype != wrong.dtype:
        return False
    return not np.any((right != wrong) & np.isfinite(right))


def _repeated(args: Sequence[Array]) -> Sequence[Array]:
    """The first float argument in every slot of its shape and dtype."""
    first = next((arg for arg in args if arg.dtype.kind == "f"), None)
    return tuple(
        [first if first is not None and (arg.shape, arg.dtype) == (first.shape, first.dtype) else arg for arg in args]
    )


def _with(call: Call, **changes: Any) -> Call:
    return Call(**{**vars(call), **changes})


def _is_float(value: Value) -> bool:
    dtype: np.dtype[Any] = value.dtype
    return dtype.kind == "f"


def _filled(like: Value, number: float) -> Value:
    if isinstance(like, Stacked):
        return Stacked(_filled(like.value, number))
    full = np.full(like.shape, number, dtype=like.dtype)
    return ops.constant(full) if isinstance(like, Node) else full
