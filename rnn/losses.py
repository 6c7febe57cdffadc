"""Losses, each a scalar node, and masks that leave padding out of them."""

from __future__ import annotations

from numpy.typing import ArrayLike

import minigrad as mg
from minigrad import Node


def cross_entropy(logits: Node, labels: Node | ArrayLike, mask: Node | ArrayLike | None = None) -> Node:
    """The mean of -log softmax(logits)[label]: logits `(..., V)`, integer labels `(...)`.

    Exact however certain the model is. Equals ln V for logits that are all alike. With a `mask` (...) the mean is over
    the places where it holds, 0 if there is none; what stands elsewhere, NaN included, reaches neither the loss nor a
    gradient.

    >>> import minigrad as mg
    >>> import rnn
    >>> rnn.cross_entropy(mg.constant([[0.0, 0.0], [0.0, 0.0]]), [0, 1]).eval()
    array(0.69314718)
    """
    if mask is None:
        return mg.mean(mg.cross_entropy(logits, labels))
    mask = _fitting(mask, logits.shape[:-1], "cross_entropy")
    chosen = mg.where(mg.reshape(mask, (*mask.shape, 1)), logits, 0.0)
    return _masked_mean(mg.cross_entropy(chosen, labels), mask)


def mse(predicted: Node, target: Node | ArrayLike, mask: Node | ArrayLike | None = None) -> Node:
    """The mean squared error of two equal shapes `(...)`, over the places where `mask` (...) holds (all by default).

    Raises ValueError for shapes that differ: broadcasting would average the wrong differences without a word.

    >>> import minigrad as mg
    >>> import rnn
    >>> rnn.mse(mg.constant([1.0, 5.0, 2.0]), [0.0, 5.0, 9.0], mask=[True, True, False]).eval()
    array(0.5)
    """
    wanted = _node(target)
    if wanted.shape != predicted.shape:
        raise ValueError(f"mse: prediction and target must have one shape, got {predicted.shape} and {wanted.shape}")
    if mask is None:
        difference = predicted - wanted
        return mg.mean(difference * difference)
    mask = _fitting(mask, predicted.shape, "mse")
    difference = mg.where(mask, predicted, 0.0) - mg.where(mask, wanted, 0.0)
    return _masked_mean(difference * difference, mask)


def _node(value: Node | ArrayLike) -> Node:
    return value if isinstance(value, Node) else mg.constant(value)


def _fitting(mask: Node | ArrayLike, shape: tuple[int, ...], what: str) -> Node:
    node = _node(mask)
    if node.shape != shape:
        raise ValueError(f"{what}: the mask must have shape {shape}, one entry a loss, got {node.shape}")
    return node


def _masked_mean(losses: Node, mask: Node) -> Node:
    counted = mg.where(mask, mg.constant(losses.dtype.type(1)), 0.0)
    mean: Node = mg.sum(mg.where(mask, losses, 0.0)) / mg.maximum(mg.sum(counted), 1.0)
    return mean
