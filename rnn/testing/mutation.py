"""Broken gradients of recurrent nets: what a slip in backpropagation through time looks like, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minigrad.node import Array

from .nets import Net

Gradient = Callable[[Any, Any, Any], dict[str, Array]]
# name -> what loss t sends through the use of the weight at step k, (T, T, *shape); and the seed.
Tables = dict[str, Array]
Slip = Callable[[Tables, Array], tuple[Tables, Array]]


def _each(change: Callable[[Array], Array]) -> Slip:
    return lambda tables, seed: ({name: change(table) for name, table in tables.items()}, seed)


def _lags(keep: Callable[[Array], Array]) -> Slip:
    """Only the contributions of the lags for which `keep` holds."""

    def change(table: Array) -> Array:
        steps = np.arange(len(table))
        kept = keep(steps[:, None] - steps[None, :])
        return table * kept.reshape((*kept.shape, *(1,) * (table.ndim - 2)))

    return _each(change)


def _last_use(table: Array) -> Array:
    """`=` for `+=` along the backward pass: what is written last stays, the use at step 0."""
    only = np.zeros_like(table)
    only[:, :1] = table[:, :1]
    return only


def _swapped_gates(table: Array) -> Array:
    """The first two blocks of the gates exchanged; of a cell with one gate, the first two units."""
    rows = table.shape[2]
    size = max(rows // 4, 1) if rows > 1 else 0
    order = [*range(size, 2 * size), *range(size), *range(2 * size, rows)] if size else list(range(rows))
    return table[:, :, order]


def _turned(table: Array) -> Array:
    """Matrices transposed in memory: right size, wrong order."""
    return np.swapaxes(table, -1, -2).reshape(table.shape) if table.ndim == 4 else table


def _without(prefix: str) -> Slip:
    return lambda tables, seed: (
        {name: 0 * table if name.startswith(prefix) else table for name, table in tables.items()},
        seed,
    )


def _last_loss_only(tables: Tables, seed: Array) -> tuple[Tables, Array]:
    only = np.zeros_like(seed)
    only[-1:] = seed[-1:]
    return tables, only


SLIPS: dict[str, Slip] = {
    "negate": _each(lambda table: -table),
    "double": _each(lambda table: 2 * table),
    "zero": _each(lambda table: 0 * table),
    "ignore the seed": lambda tables, seed: (tables, np.ones_like(seed)),
    "last loss only": _last_loss_only,
    "drop lag 0": _lags(lambda lag: lag != 0),
    "drop lag 1": _lags(lambda lag: lag != 1),
    "drop lags > 0": _lags(lambda lag: lag <= 0),
    "drop lags > 2": _lags(lambda lag: lag <= 2),
    "= for +=": _each(_last_use),
    "swap gates": _each(_swapped_gates),
    "transpose": _each(_turned),
    "no recurrent weights": _without("weight_hh"),
    "no biases": _without("bias"),
    "float32 leak": _each(lambda table: table.astype(np.float32).astype(table.dtype)),
    "stale on second call": lambda tables, seed: (tables, seed),
    "mutate the seed": lambda tables, seed: (tables, seed),
}


def gradient_mutants(net: Net) -> dict[str, Gradient]:
    """Name -> a broken version of `net.gradient`, for nets of one layer and direction without lengths.

    Each is put together of the contributions of every use of every weight to every loss, with one slip in the sum.

    >>> from rnn.testing import Net, check_bptt, gradient_mutants
    >>> net = Net("lstm", (4, 1, 1, 2, 1), 0.9, 0.3, False, None, 0)
    >>> try:
    ...     check_bptt(net.loss, gradient_mutants(net)["drop lags > 2"], net.xs, net.arrays)
    ... except AssertionError as failure:
    ...     print(failure.finding.law)
    lag 3 is missing or wrong: shorter sequences agree
    """
    known: dict[bytes, Tables] = {}

    def contributions(xs: Any, params: Any) -> Tables:
        key = b"".join([np.asarray(xs).tobytes(), *(np.asarray(value).tobytes() for value in params.values())])
        if key not in known:
            known[key] = net.contributions(xs, params)
        return known[key]

    return {name: _broken(contributions, name) for name in SLIPS}


def _broken(contributions: Callable[[Any, Any], Tables], name: str) -> Gradient:
    first: dict[int, Tables] = {}

    def gradient(xs: Any, params: Mapping[str, Any], seed: Any) -> dict[str, Array]:
        tables, own = contributions(xs, params), np.array(seed)
        if name == "stale on second call":
            tables = first.setdefault(len(own), tables)
        if name == "mutate the seed":
            seed *= 2
        tables, own = SLIPS[name](tables, own)
        return {key: np.einsum("t,tk...->...", own, table) for key, table in tables.items()}

    return gradient
