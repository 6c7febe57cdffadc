"""How much an edge can enlarge a cotangent: bounds on the spectral norm of its local derivative."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..derivative import Edge, pull_edge, unbroadcast
from ..node import Array
from ..ops.core import Elementwise, Stacked
from .algebras import Values

# Ops that only move elements about.
_MOVES = (ops.reshape, ops.transpose, ops.slice_, ops.place, ops.concat, ops.cast)
_LARGEST_JACOBIAN = 1 << 20


def edge_bound(edge: Edge, values: Values) -> float:
    """An upper bound on |pull(ct)| / |ct| over all cotangents of `edge.user`.

    Exact for elementwise ops, matrix products of two axes and ops that move elements; the Frobenius norm of the local
    Jacobian otherwise, and inf where that would be too large to write out.
    """
    user, slot = edge
    args = [values[arg] for arg in user.args]
    if isinstance(user.op, Elementwise):
        bound = _elementwise(edge, user.op.partial(slot, values[user], args))
    elif user.op is ops.matmul and all(arg.ndim == 2 for arg in args):
        bound = _spectral(args[1 - slot])
    elif user.op in _MOVES:
        bound = 1.0
    elif user.op is ops.sum_ or user.op is ops.broadcast_to:
        sizes = user.size, edge.argument.size
        bound = math.sqrt(max(sizes) / min(sizes)) if min(sizes) else 0.0
    else:
        bound = _frobenius(edge, values[user], args)
    return math.inf if math.isnan(bound) else bound


def _elementwise(edge: Edge, partial: Any) -> float:
    if partial is None or not edge.user.size:
        return 0.0
    square = np.broadcast_to(np.square(np.abs(partial), dtype=float), edge.user.shape)
    return math.sqrt(float(np.max(unbroadcast(square, edge.argument.shape))))


def _spectral(matrix: Array) -> float:
    if not matrix.size:
        return 0.0
    return float(np.linalg.norm(matrix, 2)) if np.isfinite(matrix).all() else math.inf


def _frobenius(edge: Edge, out: Array, args: list[Array]) -> float:
    size = edge.user.size
    if size * edge.argument.size > _LARGEST_JACOBIAN:
        return math.inf
    seeds = Stacked(np.eye(size, dtype=edge.user.dtype).reshape(size, *edge.user.shape))
    jacobian: Any = pull_edge(edge.user, edge.slot, seeds, out, args) if size else None
    return 0.0 if jacobian is None else float(np.linalg.norm(jacobian.value.astype(float)))
