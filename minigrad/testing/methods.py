"""What the ways of testing a gradient see and what they miss, measured: the tables of the page in this package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..derivative import vjp
from ..node import Array
from ..ops import input as input_node
from ..ops.core import REGISTRY, Op
from ..run import run
from .cases import cases_for_op
from .mutation import MUTATIONS, mutants, notices
from .ops import check_op
from .oracles import Estimate, complex_direction, complex_step, difference

Function = Callable[[Any], Any]
Push = Callable[[Callable[[Sequence[Array]], Array], Sequence[Array], Sequence[Array]], Array]

_STEPS = 19


def _after_19_steps(h: Any) -> Any:
    """The state of a small recurrent net as a function of its state 19 steps before: a vanishing derivative."""
    for _ in range(_STEPS):
        h = np.tanh(0.6 * h + 0.3)
    return h


def _slope(h: Array) -> Array:
    """The derivative of `_after_19_steps`, multiplied up from sech^2."""
    total = np.ones_like(h)
    for _ in range(_STEPS):
        total *= 0.6 / np.cosh(0.6 * h + 0.3) ** 2
        h = np.tanh(0.6 * h + 0.3)
    return total


_DERIVATIVES: dict[str, Callable[[Function, Array], Any]] = {
    "one-sided difference": lambda f, x: (f(x + 1e-8) - f(x)) / 1e-8,
    "central difference": lambda f, x: (f(x + 6e-6) - f(x - 6e-6)) / 12e-6,
    "six-point difference": lambda f, x: difference(f, x, np.ones_like(x)),
    "complex step": lambda f, x: complex_step(f, x, np.ones_like(x)),
}


def digits_right() -> str:
    """How many decimal digits of a derivative of 6e-8 each method gets right: the median over 99 points.

    >>> print(digits_right().splitlines()[-1].split()[0])
    complex
    """
    points = np.linspace(0.1, 0.3, 99)
    lines = []
    for name, derivative in _DERIVATIVES.items():
        with np.errstate(divide="ignore"):
            found = np.array([float(derivative(_after_19_steps, point)) for point in points])
            digits = -np.log10(np.abs(found / _slope(points) - 1) + 1e-16)
        lines.append(f"{name:<22}{np.median(digits):>4.0f}")
    return "\n".join(lines)


# One call of an op of each kind, as a test by hand would make it: random numbers, distinct positions.
_CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "tanh": (((3,),), {}),
    "mul": (((3,), (3,)), {}),
    "sum": (((2, 3),), {"axes": (0,), "keepdims": False}),
    "max": (((4,),), {"axes": (0,), "keepdims": False}),
    "matmul": (((2, 3), (3, 2)), {}),
    "gather": (((4,), np.array([2, 0, 3])), {"lead": 0}),
}


_CASES = 20


def _one_sided(f: Callable[[Sequence[Array]], Array], x: Sequence[Array], v: Sequence[Array]) -> Array:
    return (f(_moved(x, v, 1e-6)) - f(x)) / 1e-6


def _central(f: Callable[[Sequence[Array]], Array], x: Sequence[Array], v: Sequence[Array]) -> Array:
    return (f(_moved(x, v, 1e-6)) - f(_moved(x, v, -1e-6))) / 2e-6


def _complex(f: Callable[[Sequence[Array]], Array], x: Sequence[Array], v: Sequence[Array]) -> Estimate:
    return complex_direction(f, x, [d if a.dtype.kind == "f" else None for a, d in zip(x, v, strict=True)])


def _moved(x: Sequence[Array], v: Sequence[Array], h: float) -> list[Array]:
    return [a + h * d if a.dtype.kind == "f" else a for a, d in zip(x, v, strict=True)]


def _compared(push: Push, rtol: float, atol: float, op: Op, args: Sequence[Array], params: dict[str, Any]) -> None:
    """One random direction and one random seed, <seed, J v> against <vjp(seed), v>: the usual check."""
    rng = np.random.default_rng(0)
    leaves = [input_node(a.shape, a.dtype) for a in args]
    y = op(*leaves, **params)
    floats = [leaf for leaf in leaves if leaf.dtype.kind == "f"]
    w, v = rng.uniform(0.5, 1.5, y.shape), [rng.uniform(0.5, 1.5, a.shape) for a in args]
    gradients = vjp(y, floats, w, unreachable="zero")
    values = run(gradients, dict(zip(leaves, args, strict=True)))
    along = [d for d, leaf in zip(v, leaves, strict=True) if leaf in floats]
    got = sum(np.sum(values[g] * d) for g, d in zip(gradients, along, strict=True))
    want = np.sum(w * np.asarray(push(lambda x: op.kernel(*x, **params), args, v)))
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


def _by_hand(push: Push, rtol: float, atol: float) -> Callable[[Op], None]:
    def test(op: Op) -> None:
        rng = np.random.default_rng(1)
        shapes, params = _CALLS[op.name]
        args = [rng.standard_normal(a) if isinstance(a, tuple) else a for a in shapes]
        _compared(push, rtol, atol, op, args, params)

    return test


def _degenerate(op: Op) -> None:
    for case in cases_for_op(op, _CASES):
        if op.analytic and all(a.size and a.dtype != np.float32 for a in case.args):
            _compared(_complex, 1e-9, 0.0, op, case.args, case.params)
    _by_hand(_complex, 1e-9, 0.0)(op)


def _ladder(op: Op) -> None:
    check_op(op, shrink=False, second=False, max_examples=_CASES)


METHODS: dict[str, Callable[[Op], None]] = {
    "one-sided": _by_hand(_one_sided, 1e-4, 1e-4),
    "central": _by_hand(_central, 1e-6, 1e-6),
    "complex": _by_hand(_complex, 1e-9, 0.0),
    "degenerate": _degenerate,
    "check_op": _ladder,
}


def what_methods_miss(methods: dict[str, Callable[[Op], None]] = METHODS) -> str:
    """How many broken rules of six ops (tanh, mul, sum, max, matmul, gather) each method lets pass, slip by slip.

    `one-sided` and `central` differences are compared within 1e-4 and 1e-6, the `complex` step within 1e-9, along one
    random direction at one random input, as most checkers do it; `degenerate` is the complex step at degenerate inputs
    too, and `check_op` the whole ladder.

    >>> what_methods_miss({}).split()[:2]
    ['planted', 'negate']
    """
    planted = Counter(mutant.mutation for mutant in _broken())
    missed = {name: Counter(m.mutation for m in _broken() if not notices(test, m)) for name, test in methods.items()}
    lines = [f"{'':<22}{'planted':>8}" + "".join(f"{name:>11}" for name in methods)]
    for slip, count in planted.items():
        lines.append(f"{slip:<22}{count:>8}" + "".join(f"{missed[name][slip] or '-':>11}" for name in methods))
    totals = "".join(f"{sum(missed[name].values()) or '-':>11}" for name in methods)
    return "\n".join([*lines, f"{'together':<22}{sum(planted.values()):>8}{totals}"])


def _broken() -> Iterator[Any]:
    """The mutants of the six ops, anew: some of them remember their calls."""
    found = [mutant for name in _CALLS for mutant in mutants(REGISTRY[name], cases_for_op(REGISTRY[name], _CASES))]
    yield from sorted(found, key=lambda mutant: list(MUTATIONS).index(mutant.mutation))
