"""NumPy speaks to nodes: which NumPy function builds which node.

Functions here have NumPy's names, so most of the table is a list of names. A NumPy function without a row raises by
name, so that no call silently computes on object arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from . import functions as f
from . import ops
from .functions.axes import as_node
from .node import Node

# Ufuncs whose op has the same name, then those that NumPy spells otherwise.
_SAME_UFUNC = """
    add arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt ceil copysign cos cosh equal exp exp2 expm1 floor
    floor_divide fmod greater greater_equal hypot isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp
    logical_and logical_not logical_or logical_xor maximum minimum not_equal power remainder rint sign signbit sin sinh
    sqrt tan tanh trunc absolute
"""
_DERIVED_UFUNC = """
    bitwise_and bitwise_or bitwise_xor invert deg2rad float_power fmax fmin heaviside logaddexp2 matmul positive rad2deg
    reciprocal square vecdot
"""

UFUNCS: dict[Any, Callable[..., Any]] = {
    **{getattr(np, name): getattr(ops, name) for name in _SAME_UFUNC.split()},
    **{getattr(np, name): getattr(f, name) for name in _DERIVED_UFUNC.split()},
    np.subtract: ops.sub,
    np.multiply: ops.mul,
    np.true_divide: ops.div,
    np.negative: ops.neg,
    np.fabs: ops.absolute,
    np.degrees: f.rad2deg,
    np.radians: f.deg2rad,
    np.conjugate: f.positive,
}
# Newer than the oldest NumPy supported.
UFUNCS.update({getattr(np, name): getattr(f, name) for name in ("matvec", "vecmat") if hasattr(np, name)})

_SAME_FUNCTION = """
    all any append argmax argmin argsort array_split atleast_1d atleast_2d atleast_3d average broadcast_arrays
    broadcast_to choose clip column_stack compress concatenate copy count_nonzero cross cumprod cumsum delete diag
    diagflat diagonal diff dot dsplit dstack ediff1d einsum expand_dims extract flip fliplr flipud full_like hsplit
    hstack inner insert isclose kron matrix_transpose max mean median meshgrid min moveaxis nan_to_num nanmean nansum
    ones_like outer pad prod ptp ravel real repeat reshape roll rollaxis rot90 round select sort split squeeze stack
    std sum swapaxes take take_along_axis tensordot tile trace transpose trapezoid tril triu var vdot vsplit
    vstack where zeros_like
"""

FUNCTIONS: dict[Any, Callable[..., Any]] = {
    **{getattr(np, name): getattr(f, name) for name in _SAME_FUNCTION.split()},
    np.around: f.round,
    np.amax: f.max,
    np.amin: f.min,
    np.empty_like: f.zeros_like,
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x: x.size,
    np.linalg.norm: f.norm,
    np.linalg.multi_dot: f.multi_dot,
    np.linalg.matrix_power: f.matrix_power,
    np.linalg.trace: lambda x, *, offset=0: f.trace(x, offset, -2, -1),
    np.linalg.diagonal: lambda x, *, offset=0: f.diagonal(x, offset, -2, -1),
    np.linalg.outer: f.outer,
    np.linalg.cross: f.cross,
    np.linalg.matmul: f.matmul,
    np.linalg.tensordot: f.tensordot,
    np.linalg.vecdot: f.vecdot,
    np.linalg.matrix_transpose: f.matrix_transpose,
    np.linalg.vector_norm: lambda x, *, axis=None, keepdims=False, ord=2: f.norm(
        x if axis is not None else f.ravel(x), ord, 0 if axis is None and not keepdims else axis, keepdims=keepdims
    ),
}
if hasattr(np, "fix"):  # deprecated from NumPy 2.5 on
    FUNCTIONS[np.fix] = ops.trunc
FUNCTIONS.update({getattr(np, name): getattr(f, name) for name in ("unstack",) if hasattr(np, name)})


def apply_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Build the node for `ufunc(*inputs)`."""
    called = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    if ufunc not in UFUNCS or method not in ("__call__", "outer", "reduce", "accumulate"):
        raise TypeError(f"{called} is not covered for nodes: write it with other functions, or evaluate first")
    if "out" in kwargs:
        raise TypeError(
            f"{called} cannot write into an array from a node: nodes are not computed yet, so write y = x + node "
            "instead of x += node"
        )
    if method != "__call__":
        return _apply_method(ufunc, method, called, inputs, kwargs)
    dtype = kwargs.pop("dtype", None)
    if kwargs:
        raise TypeError(f"{called} of a node takes no {', '.join(sorted(kwargs))}")
    if dtype is not None:
        inputs = tuple(f.astype(x, dtype) for x in inputs)
    return UFUNCS[ufunc](*inputs)


_REDUCTIONS = {np.add: f.sum, np.multiply: f.prod, np.maximum: f.max, np.minimum: f.min, np.logaddexp: f.logsumexp}
_RUNNING = {np.add: f.cumsum, np.multiply: f.cumprod}


def _apply_method(ufunc: np.ufunc, method: str, called: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if method == "outer":
        a, b = (as_node(x) for x in inputs)
        return UFUNCS[ufunc](f.reshape(a, (*a.shape, *(1,) * b.ndim)), f.reshape(b, (*(1,) * a.ndim, *b.shape)))
    table: dict[Any, Any] = _REDUCTIONS if method == "reduce" else _RUNNING
    if ufunc not in table:
        raise TypeError(f"{called} is not covered for nodes: write it with other functions, or evaluate first")
    return call(called, table[ufunc], inputs, {"axis": 0, **kwargs})


def apply_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Build the node for `function(*args, **kwargs)`."""
    called = f"{getattr(function, '__module__', None) or 'np'}.{function.__name__}".replace("numpy", "np", 1)
    if function not in FUNCTIONS:
        raise TypeError(f"{called} is not covered for nodes: write it with other functions, or evaluate first")
    return call(called, FUNCTIONS[function], args, kwargs)


_signature = cache(inspect.signature)


def call(called: str, ours: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call one of our functions as NumPy's is called: a `dtype` converts first, and what it does not take raises."""
    kwargs = dict(kwargs)
    dtype = None if "dtype" in _signature(ours).parameters else kwargs.pop("dtype", None)
    try:
        _signature(ours).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{called} of a node: {error}") from None
    if dtype is not None:
        args = tuple(f.astype(x, dtype) if isinstance(x, Node) else x for x in args)
    return ours(*args, **kwargs)
