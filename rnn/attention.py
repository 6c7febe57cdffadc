"""Additive attention: where in a sequence a decoder looks at each of its steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

import minigrad as mg
from minigrad import Node

from .cells import Rng


class Attention:
    """`score(q, k_t) = v . tanh(W_q q + W_k k_t)`, weights = softmax over t (Bahdanau et al. 2015, appendix A.1.2).

    `keys` projects the sequence (T, B, K) once; calling with a query (B, Q) gives the context (B, K) and the weights
    (T, B), which are exactly 0 behind each sequence's end.

    >>> import numpy as np
    >>> import minigrad as mg
    >>> import rnn
    >>> look = rnn.Attention(queries=3, keys=4, size=5, rng=0)
    >>> sequence = mg.constant(np.ones((6, 2, 4)))
    >>> context, weights = look(mg.constant(np.ones((2, 3))), look.project(sequence), sequence, np.ones((6, 2), bool))
    >>> context.shape, weights.shape
    ((2, 4), (6, 2))
    """

    def __init__(self, *, queries: int, keys: int, size: int, rng: Rng = None, dtype: DTypeLike = float) -> None:
        generator = np.random.default_rng(rng)
        self.parameters = {
            name: mg.parameter(generator.uniform(-bound, bound, shape).astype(dtype), name=f"attention.{name}")
            for name, shape, bound in (
                ("query", (size, queries), queries**-0.5),
                ("key", (size, keys), keys**-0.5),
                ("v", (size,), size**-0.5),
            )
        }

    def project(self, sequence: Node) -> Node:
        """`W_k k_t` of every step, (T, B, size): the part that does not depend on the query."""
        return mg.matmul(sequence, self.parameters["key"].T)

    def __call__(self, query: Node, projected: Node, sequence: Node, mask: Node) -> tuple[Node, Node]:
        """The context and the weights for one query; `mask` (T, B) holds where the sequences still run."""
        with mg.scope("attention"):
            asked = mg.matmul(query, self.parameters["query"].T)
            scores = mg.matmul(mg.tanh(projected + asked[None]), self.parameters["v"])
            weights = mg.softmax(mg.where(mask, scores, -np.inf), axis=0).named("attention")
            context = mg.sum(weights[:, :, None] * sequence, axis=0).named("context")
        return context, weights
