"""Reductions: sums, means, spreads, extremes, products and norms over axes, and their running forms."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..node import Node
from ..ops.core import Value
from .axes import Axis, as_float, as_node, normal_axes, normal_axis
from .indexing import getitem, sort
from .indexing import where as choose_where
from .shaping import moveaxis, ravel


def sum(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The sum over `axis` (all axes by default).

    >>> import minigrad as mg
    >>> mg.sum(mg.constant([[1.0, 2.0], [3.0, 4.0]]), axis=0).eval()
    array([4., 6.])
    """
    x = as_node(x)
    return ops.sum_(x, axes=normal_axes(axis, x.ndim), keepdims=keepdims)


def mean(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The mean over `axis` (all axes by default).

    >>> import minigrad as mg
    >>> mg.mean(mg.constant([1.0, 2.0, 6.0])).eval()
    array(3.)
    """
    x = as_node(x)
    return sum(x, axis, keepdims=keepdims) / _count(x, axis)


def average(x: Value, axis: Axis = None, weights: Value | None = None, *, keepdims: bool = False) -> Node:
    """The mean over `axis`, weighted by `weights` of x's shape (or of the axis alone)."""
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    x, weights = as_node(x), as_node(weights)
    if weights.shape != x.shape:
        if weights.ndim != 1 or axis is None:
            raise ops.mul.fail(
                "average expects weights of x's shape, or one for each position of an axis", (x, weights)
            )
        place = normal_axes(axis, x.ndim)[0]
        weights = ops.reshape(weights, shape=(weights.size, *(1,) * (x.ndim - place - 1)))
    total = ops.broadcast_to(weights, shape=x.shape) if weights.shape != x.shape else weights
    return sum(x * weights, axis, keepdims=keepdims) / sum(total, axis, keepdims=keepdims)


def var(x: Value, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Node:
    """The mean squared deviation from the mean, over count - `ddof`."""
    x = as_float(x)
    away = x - mean(x, axis, keepdims=True)
    return sum(away * away, axis, keepdims=keepdims) / (_count(x, axis) - ddof)


def std(x: Value, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Node:
    """The root of `var`. Where all elements are equal its gradient is 0, as that of a norm is."""
    x = as_float(x)
    away = x - mean(x, axis, keepdims=True)
    length: Node = ops.norm(away, axes=normal_axes(axis, x.ndim), keepdims=keepdims)
    return length / math.sqrt(_count(x, axis) - ddof)


def _count(x: Node, axis: Axis) -> int:
    return math.prod(x.shape[a] for a in normal_axes(axis, x.ndim))


def max(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The largest element over `axis`; elements that tie share the gradient equally.

    >>> import minigrad as mg
    >>> x = mg.parameter([1.0, 2.0, 2.0])
    >>> mg.grad(mg.functions.max(x), x).eval()
    array([0. , 0.5, 0.5])
    """
    x = as_node(x)
    return ops.max_(x, axes=normal_axes(axis, x.ndim), keepdims=keepdims)


def min(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The smallest element over `axis`; elements that tie share the gradient equally."""
    x = as_node(x)
    return ops.min_(x, axes=normal_axes(axis, x.ndim), keepdims=keepdims)


def ptp(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The largest element minus the smallest."""
    return max(x, axis, keepdims=keepdims) - min(x, axis, keepdims=keepdims)


def median(x: Value, axis: int | None = None, *, keepdims: bool = False) -> Node:
    """The middle element over `axis`, or the mean of the two middle ones."""
    x = as_float(x)
    place = 0 if axis is None else normal_axis(axis, x.ndim)
    ordered = sort(x, axis)
    size = ordered.shape[place]
    if not size:
        raise ops.sum_.fail("median expects one element or more", [x])
    middle = getitem(ordered, (*(slice(None),) * place, slice((size - 1) // 2, size // 2 + 1)))
    result = mean(middle, place, keepdims=keepdims)
    return result if axis is not None or not keepdims else ops.reshape(result, shape=(1,) * x.ndim)


def any(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """Whether an element over `axis` is not 0. Boolean."""
    return sum(_truth(x), axis, keepdims=keepdims) > 0


def all(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """Whether no element over `axis` is 0. Boolean."""
    return ops.logical_not(any(ops.logical_not(as_node(x)), axis, keepdims=keepdims))


def count_nonzero(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """How many elements over `axis` are not 0."""
    return sum(_truth(x), axis, keepdims=keepdims)


def _truth(x: Value) -> Node:
    x = as_node(x)
    return x if x.dtype.kind == "b" else ops.not_equal(x, 0)


def argmax(x: Value, axis: int | None = None, *, keepdims: bool = False) -> Node:
    """Where the largest element is along `axis` (in x flattened by default): the first of several."""
    return _position(ops.argmax, x, axis, keepdims)


def argmin(x: Value, axis: int | None = None, *, keepdims: bool = False) -> Node:
    """Where the smallest element is along `axis` (in x flattened by default): the first of several."""
    return _position(ops.argmin, x, axis, keepdims)


def _position(op: Any, x: Value, axis: int | None, keepdims: bool) -> Node:
    x = as_node(x)
    if axis is not None:
        return op(x, axis=normal_axis(axis, x.ndim), keepdims=keepdims)
    node = op(ravel(x), axis=0, keepdims=False)
    return ops.reshape(node, shape=(1,) * x.ndim) if keepdims else node


def prod(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The product over `axis` (all axes by default); its gradient is right where factors are 0.

    >>> import minigrad as mg
    >>> x = mg.parameter([0.0, 2.0, 3.0])
    >>> mg.grad(mg.functions.prod(x), x).eval()
    array([6., 0., 0.])
    """
    x = as_node(x)
    axes = normal_axes(axis, x.ndim)
    rest = [a for a in range(x.ndim) if a not in axes]
    last = x if (*rest, *axes) == tuple(range(x.ndim)) else ops.transpose(x, axes=(*rest, *axes))
    if len(axes) != 1:
        last = ops.reshape(last, shape=(*(x.shape[a] for a in rest), _count(x, axis)))
    node: Node = ops.prod(last)
    return ops.reshape(node, shape=tuple(1 if a in axes else n for a, n in enumerate(x.shape))) if keepdims else node


def cumsum(x: Value, axis: int | None = None) -> Node:
    """Running sums along `axis` (of x flattened by default)."""
    x = as_node(x)
    if axis is None:
        x, axis = ravel(x), 0
    return ops.cumsum(x, axis=normal_axis(axis, x.ndim), reverse=False)


def cumprod(x: Value, axis: int | None = None) -> Node:
    """Running products along `axis` (of x flattened by default); the gradient is right where factors are 0."""
    x = as_node(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normal_axis(axis, x.ndim)
    if axis == x.ndim - 1:
        return ops.cumprod(x, reverse=False)
    return moveaxis(ops.cumprod(moveaxis(x, axis, -1), reverse=False), -1, axis)


def diff(x: Value, n: int = 1, axis: int = -1) -> Node:
    """Differences of neighbours along `axis`, `n` times over."""
    x = as_node(x)
    axis = normal_axis(axis, x.ndim)
    lead = (slice(None),) * axis
    for _ in range(n):
        x = getitem(x, (*lead, slice(1, None))) - getitem(x, (*lead, slice(None, -1)))
    return x


def ediff1d(x: Value) -> Node:
    """Differences of neighbours in x flattened."""
    return diff(ravel(x))


def trapezoid(y: Value, x: Value | None = None, dx: float = 1.0, axis: int = -1) -> Node:
    """The integral of y along `axis` by the trapezoidal rule, at the points x or spaced by dx."""
    y = as_node(y)
    axis = normal_axis(axis, y.ndim)
    lead = (slice(None),) * axis
    widths: Value = dx
    if x is not None:
        widths = diff(x, axis=-1 if as_node(x).ndim == 1 else axis)
        if widths.ndim == 1:
            widths = ops.reshape(widths, shape=(widths.size, *(1,) * (y.ndim - axis - 1)))
    heights = getitem(y, (*lead, slice(1, None))) + getitem(y, (*lead, slice(None, -1)))
    return sum(widths * heights / 2.0, axis)


def nansum(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The sum over `axis` with NaN counted as 0."""
    x = as_node(x)
    return sum(choose_where(ops.isnan(x), 0, x), axis, keepdims=keepdims)


def nanmean(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The mean over `axis` of the elements that are not NaN."""
    x = as_node(x)
    present = sum(ops.logical_not(ops.isnan(x)), axis, keepdims=keepdims)
    return nansum(x, axis, keepdims=keepdims) / ops.cast(present, dtype=as_float(x).dtype)


def norm(x: Value, ord: float | str | None = None, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """A vector norm over `axis`, or the Frobenius norm of all elements. The gradient at 0 is 0.

    `ord` is 2 (the default), 1, inf, -inf, 0 or any p; for all elements or two axes also "fro".

    >>> import minigrad as mg
    >>> mg.norm(mg.constant([3.0, 4.0])).eval()
    array(5.)
    """
    x = as_float(x)
    axes = normal_axes(axis, x.ndim)
    if ord is None or ord == "fro":
        return ops.norm(x, axes=axes, keepdims=keepdims)
    if len(axes) != 1:
        raise ops.norm.fail(f"ord={ord!r} of a matrix is not covered; give one axis, or leave ord out", [x])
    if ord == 2:
        return ops.norm(x, axes=axes, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f'norm: ord is a number or "fro", got {ord!r}')
    size = ops.absolute(x)
    if math.isinf(ord):
        return (max if ord > 0 else min)(size, axis, keepdims=keepdims)
    if ord == 0:
        return ops.cast(count_nonzero(x, axis, keepdims=keepdims), dtype=x.dtype)
    if ord == 1:
        return sum(size, axis, keepdims=keepdims)
    total = sum(size**ord, axis, keepdims=keepdims)
    is_zero = ops.equal(total, 0)
    # The double where: the root's slope at 0 is infinite, and must not be reached.
    return choose_where(is_zero, 0.0, choose_where(is_zero, 1.0, total) ** (1 / ord))


def logsumexp(x: Value, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """log(sum(exp(x))) over `axis`, without overflow.

    >>> import minigrad as mg
    >>> mg.logsumexp(mg.constant([1000.0, 1000.0])).eval()
    array(1000.69314718)
    """
    x = as_node(x)
    return ops.logsumexp(x, axes=normal_axes(axis, x.ndim), keepdims=keepdims)
