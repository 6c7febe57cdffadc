"""The size of a contribution, and its share of the whole.

Norms do not add: the norms of the parts of a gradient sum to several times the norm of the whole. The measure that adds
is the signed share <part, g> / |g|^2. Both are computed after dividing by the largest element, since the square of
1e-200 is 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..node import Array

Floats = NDArray[np.float64]


def largest(array: Array) -> float:
    """The largest absolute value, 0 for an empty array."""
    return float(np.max(np.abs(array), initial=0.0))


def norms(stack: Array) -> Floats:
    """The Frobenius norm of each member along the first axis, right down to the smallest numbers."""
    members = np.reshape(stack, (len(stack), math.prod(stack.shape[1:])))
    # Squares of the smallest float32 are numbers in float64: nothing then needs scaling.
    members = members.astype(np.result_type(members, float), copy=False)
    limits = np.finfo(members.dtype)
    squares = np.vecdot(members, members)
    result: Floats = np.sqrt(squares.astype(float))
    extreme = np.flatnonzero(~((squares > limits.tiny / limits.eps**2) & (squares < limits.max * limits.eps)))
    if len(extreme):
        result[extreme] = _scaled_norms(members[extreme])
    return result


def _scaled_norms(members: Array) -> Floats:
    """The norms of rows whose squares leave the floats: each is divided by its largest element first."""
    scales = np.max(np.abs(members), axis=1, initial=0.0)
    able = (scales > 0) & (scales < np.inf)
    units = members[able] / scales[able, None]
    sizes: Floats = scales.astype(float)
    sizes[able] *= np.sqrt(np.vecdot(units, units).astype(float))
    return sizes


def norm(parts: Sequence[Array]) -> float:
    """The Frobenius norm of all the arrays together."""
    return math.hypot(*(float(norms(part[None])[0]) for part in parts))


def directions(gradients: Sequence[Array]) -> list[Floats]:
    """g / |g|^2 for g all the arrays together: the inner product with a part of g is that part's share. NaN where g
    is 0."""
    scale = max(largest(gradient) for gradient in gradients)
    if scale == 0:
        return [np.full(gradient.shape, np.nan) for gradient in gradients]
    units = [gradient.astype(float) / scale for gradient in gradients]
    square = sum(float(np.vdot(unit, unit)) for unit in units)
    return [unit / square / scale for unit in units]


def dispersion(parts: Mapping[Any, Any] | Iterable[Any]) -> float:
    """How evenly |share| is spread over the parts of a partition: the entropy, in nats. Its exponential is the
    effective number of parts. NaN where a share is, or where all are 0.

    Takes what a Flow or a Table gives: `flow.uses`, `flow.classes(mark)`, `table.by_lag()`, or plain shares.

    >>> import math
    >>> import minigrad as mg
    >>> math.exp(mg.dispersion([0.25, 0.25, 0.25, 0.25]))
    4.0
    """
    members = parts.values() if isinstance(parts, Mapping) else parts
    sizes = np.abs([float(getattr(part, "share", part)) for part in members])
    total = sizes.sum()
    if not total > 0:
        return math.nan
    portions = sizes[sizes > 0] / total
    return float(-np.sum(portions * np.log(portions))) + 0.0
