"""Monte Carlo arithmetic: how rounding on the way reaches a result, seen by letting it fall another way at random.

`1 - tanh(x)**2` at x = 40 is 0, and moving x by its last digit leaves it 0; but tanh(x) is 1 only to its last digit,
and had that fallen the other way, 2e-16 would stand there. Nothing but the arithmetic itself knows such values, so it
is the arithmetic that errs here (Parker, Monte Carlo arithmetic, 1997), of whatever function computes with NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..node import Array

# What does not round. A maximum moved off all its arguments would be a tie of none of them.
_EXACT = frozenset(
    {np.maximum, np.minimum, np.fmax, np.fmin, np.positive, np.negative, np.absolute, np.fabs, np.conjugate}
    | {np.sign, np.copysign, np.floor, np.ceil, np.trunc, np.rint, np.heaviside}
)


class Rounded(np.ndarray[Any, Any]):
    """An array whose arithmetic errs by one or two last digits at random, as does that of all that is made of it."""

    rng: Any

    def __array_finalize__(self, parent: Any) -> None:
        self.rng = getattr(parent, "rng", None)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return rounded(np.asarray(found), self.rng) if isinstance(found, np.floating) else found

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if "out" in options:
            options["out"] = tuple(_plain(x) for x in options["out"])
        result = getattr(ufunc, method)(*(_plain(x) for x in inputs), **options)
        if not isinstance(result, np.ndarray | np.floating) or result.dtype.kind != "f":
            return result
        result = np.asarray(result)
        if ufunc not in _EXACT:
            result *= 1 + np.finfo(result.dtype).eps * self.rng.choice([-2, -1, 1, 2], result.shape)
        return rounded(result, self.rng)


def rounded(x: Array, rng: np.random.Generator) -> Array:
    """x as an array whose arithmetic errs, as `rng` says."""
    result = x.view(Rounded)
    result.rng = rng
    return result


def spread_of(f: Callable[[Sequence[Array]], Any], arrays: Sequence[Array]) -> Array:
    """How far apart eight values of f lie whose rounding fell otherwise; 0 where f does not compute with NumPy."""
    rng = np.random.default_rng(0)
    try:
        values = [
            np.asarray(f([rounded(x, rng) if x.dtype.kind == "f" else x for x in arrays]), float) for _ in range(8)
        ]
    except Exception:  # f may refuse arrays of another kind, in whatever way
        return np.zeros(())
    return np.asarray(np.max(values, axis=0) - np.min(values, axis=0))


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Rounded) else x
