"""Losses, each a scalar node."""

from __future__ import annotations

from numpy.typing import ArrayLike

import minigrad as mg
from minigrad import Node


def cross_entropy(logits: Node, labels: Node | ArrayLike) -> Node:
    """The mean over the batch of -log softmax(logits)[label]: logits `(..., V)`, integer labels `(...)`.

    Exact however certain the model is. Equals ln V for logits that are all alike.

    >>> import minigrad as mg
    >>> import rnn
    >>> rnn.cross_entropy(mg.constant([[0.0, 0.0], [0.0, 0.0]]), [0, 1]).eval()
    array(0.69314718)
    """
    return mg.mean(mg.cross_entropy(logits, labels))
