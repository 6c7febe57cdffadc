"""What neural networks use and NumPy has no name for: activations, normalisation, losses, embeddings."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from ..node import Array, Node
from ..ops.core import Value
from .axes import Axis, as_float, as_node
from .elementary import square
from .indexing import take, where
from .reductions import logsumexp, mean


def leaky_relu(x: Value, slope: float = 0.01) -> Node:
    """x where x > 0, else slope * x. The derivative at 0 is `slope`.

    >>> import minigrad as mg
    >>> mg.leaky_relu(mg.constant([-1.0, 2.0]), 0.1).eval()
    array([-0.1,  2. ])
    """
    x = as_float(x)
    return where(x > 0, x, slope * x)


def elu(x: Value, alpha: float = 1.0) -> Node:
    """x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2016). Large x does not overflow."""
    x = as_float(x)
    return where(x > 0, x, alpha * ops.expm1(ops.minimum(x, 0)))


def silu(x: Value) -> Node:
    """x * sigmoid(x), also called swish."""
    x = as_float(x)
    return x * ops.sigmoid(x)


def gelu(x: Value, approximate: bool = False) -> Node:
    """x times the normal distribution function at x (Hendrycks and Gimpel 2016), or its tanh approximation.

    >>> import minigrad as mg
    >>> mg.gelu(mg.constant([0.0, 1.0])).eval()
    array([0.        , 0.84134475])
    """
    x = as_float(x)
    if approximate:
        return 0.5 * x * (1 + ops.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + ops.erf(x / math.sqrt(2)))


def log_softmax(x: Value, axis: int = -1) -> Node:
    """log(softmax(x)) along `axis`."""
    x = as_node(x)
    return x - logsumexp(x, axis, keepdims=True)


def softmax(x: Value, axis: int = -1) -> Node:
    """exp(x) / sum(exp(x)) along `axis`.

    >>> import minigrad as mg
    >>> mg.softmax(mg.constant([0.0, 0.0])).eval()
    array([0.5, 0.5])
    """
    return ops.exp(log_softmax(x, axis))


def cross_entropy(logits: Value, labels: Value) -> Node:
    """-log softmax(logits)[label]: logits `(..., V)`, integer labels `(...)`, result `(...)`.

    >>> import minigrad as mg
    >>> mg.cross_entropy(mg.constant([0.0, 0.0, 0.0, 0.0]), 2).eval()
    array(1.38629436)
    """
    return ops.cross_entropy(as_node(logits), as_node(labels))


def mse(prediction: Value, target: Value) -> Node:
    """The mean squared difference over all elements, a scalar; both arguments have one shape.

    >>> import minigrad as mg
    >>> mg.mse(mg.constant([1.0, 2.0]), mg.constant([1.0, 4.0])).eval()
    array(2.)
    """
    prediction, target = as_node(prediction), as_node(target)
    if prediction.shape != target.shape:
        raise ops.sub.fail("mse expects a prediction and a target of one shape", (prediction, target))
    return mean(square(prediction - target))


def layer_norm(
    x: Value, weight: Value | None = None, bias: Value | None = None, *, axis: Axis = -1, eps: float = 1e-5
) -> Node:
    """x shifted and scaled to mean 0 and variance 1 over `axis` (Ba et al. 2016), then times weight plus bias.

    >>> import minigrad as mg
    >>> mg.layer_norm(mg.constant([1.0, 3.0]), eps=0.0).eval()
    array([-1.,  1.])
    """
    x = as_float(x)
    away = x - mean(x, axis, keepdims=True)
    y = away / ops.sqrt(mean(square(away), axis, keepdims=True) + eps)
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


def dropout(x: Value, mask: Value, rate: float) -> Node:
    """x where the mask holds, scaled by 1 / (1 - rate), else 0. Draw the mask with `dropout_mask` or feed it."""
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: expects 0 <= rate < 1, got {rate}")
    return where(mask, as_float(x) / (1 - rate), 0.0)


def dropout_mask(rng: np.random.Generator, shape: tuple[int, ...], rate: float) -> Array:
    """A mask for `dropout`: True with probability 1 - rate."""
    return rng.random(shape) >= rate


def embedding(table: Value, positions: Value) -> Node:
    """Rows of `table` `(V, E)` at integer `positions` `(...)`, result `(..., E)`. Repeats add up in the gradient.

    >>> import minigrad as mg
    >>> w = mg.parameter([[1.0, 2.0], [3.0, 4.0]])
    >>> mg.embedding(w, [1, 0, 1]).eval()
    array([[3., 4.],
           [1., 2.],
           [3., 4.]])
    """
    return take(table, positions, 0)
