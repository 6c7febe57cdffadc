"""NumPy speaks to nodes: which NumPy function builds which node.

A NumPy function without a row here raises by name, so that no call silently computes on object arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import functions as f
from . import ops

UFUNCS: dict[Any, Callable[..., Any]] = {
    np.add: ops.add,
    np.subtract: ops.sub,
    np.multiply: ops.mul,
    np.true_divide: ops.div,
    np.negative: ops.neg,
    np.power: ops.power,
    np.exp: ops.exp,
    np.expm1: ops.expm1,
    np.log: ops.log,
    np.log1p: ops.log1p,
    np.sqrt: ops.sqrt,
    np.sin: ops.sin,
    np.cos: ops.cos,
    np.tanh: ops.tanh,
    np.absolute: ops.absolute,
    np.sign: ops.sign,
    np.maximum: ops.maximum,
    np.greater: ops.greater,
    np.greater_equal: ops.greater_equal,
    np.less: ops.less,
    np.less_equal: ops.less_equal,
    np.equal: ops.equal,
    np.not_equal: ops.not_equal,
    np.matmul: f.matmul,
}

FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: f.sum,
    np.mean: f.mean,
    np.reshape: f.reshape,
    np.transpose: f.transpose,
    np.swapaxes: f.swapaxes,
    np.broadcast_to: f.broadcast_to,
    np.concatenate: f.concatenate,
    np.stack: f.stack,
    np.dot: f.dot,
    np.where: ops.where,
}


def apply_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Build the node for `ufunc(*inputs)`."""
    if method != "__call__":
        raise TypeError(f"np.{ufunc.__name__}.{method} is not covered for nodes; write it with other functions")
    if kwargs:
        raise TypeError(
            f"np.{ufunc.__name__} of a node takes no {', '.join(sorted(kwargs))}: nodes are not written into"
        )
    if ufunc not in UFUNCS:
        raise TypeError(f"np.{ufunc.__name__} is not covered for nodes")
    return UFUNCS[ufunc](*inputs)


def apply_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Build the node for `function(*args, **kwargs)`."""
    if function not in FUNCTIONS:
        raise TypeError(f"np.{function.__name__} is not covered for nodes")
    return FUNCTIONS[function](*args, **kwargs)
