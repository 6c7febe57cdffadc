"""One array, or a list, tuple or dict of arrays: what the functions under test take and give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..node import Array


def flatten(x: Any, name: str = "x") -> tuple[list[str], list[Array], Callable[[Sequence[Any]], Any]]:
    """The arrays of `x`, what to call each, and the function that puts such arrays into the structure of x again.

    >>> names, arrays, rebuild = flatten({"w": [1.0, 2.0], "b": 0.5})
    >>> names, rebuild(["first", "second"])
    (["x['w']", "x['b']"], {'w': 'first', 'b': 'second'})
    """
    if isinstance(x, Mapping):
        keys = list(x)
        names = [f"{name}[{key!r}]" for key in keys]
        return names, [np.asarray(x[key]) for key in keys], lambda values: dict(zip(keys, values, strict=True))
    if isinstance(x, (list, tuple)) and any(isinstance(member, (np.ndarray, list, tuple)) for member in x):
        names = [f"{name}[{i}]" for i in range(len(x))]
        kind = tuple if isinstance(x, tuple) else list
        return names, [np.asarray(member) for member in x], lambda values: kind(values)
    return [name], [np.asarray(x)], lambda values: values[0]


def gather(gradient: Any, like: Any, names: Sequence[str]) -> list[Any]:
    """The members of `gradient`, ordered as the arrays of `like`. Raises ValueError if it is built otherwise."""
    if isinstance(like, Mapping):
        if not isinstance(gradient, Mapping) or set(gradient) != set(like):
            got = sorted(map(str, gradient)) if isinstance(gradient, Mapping) else type(gradient).__name__
            raise ValueError(f"expects a dict with the keys {sorted(map(str, like))}, got {got}")
        return [gradient[key] for key in like]
    if len(names) == 1 and not (isinstance(like, (list, tuple)) and isinstance(gradient, (list, tuple))):
        return [gradient]
    if not isinstance(gradient, (list, tuple)) or len(gradient) != len(names):
        size = f" of {len(gradient)}" if isinstance(gradient, (list, tuple)) else ""
        raise ValueError(f"expects {len(names)} gradients, got {type(gradient).__name__}{size}")
    return list(gradient)
