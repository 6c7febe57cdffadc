"""What stands around a recurrent net: a linear readout, an embedding, and graphs compiled once a shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

import minigrad as mg
from minigrad import Node, Parameter

from .cells import Rng


class Linear:
    """`y = x W^T + b` for x `(..., I)`: weight `(O, I)` and bias `(O,)`, uniform in ±1/sqrt(I).

    Give `weight` to share one, an embedding's for example (Press and Wolf 2017).

    >>> import numpy as np
    >>> import rnn
    >>> rnn.Linear(3, 2, rng=0)(np.ones((4, 5, 3))).shape
    (4, 5, 2)
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        weight: Parameter | None = None,
        name: str = "linear",
        rng: Rng = None,
        dtype: DTypeLike = float,
    ) -> None:
        generator = np.random.default_rng(rng)
        bound = 1 / np.sqrt(inputs)
        if weight is None:
            drawn = generator.uniform(-bound, bound, (outputs, inputs)).astype(dtype)
            weight = mg.parameter(drawn, name=f"{name}.weight")
        elif weight.shape != (outputs, inputs):
            raise ValueError(f"Linear: a shared weight must have shape {(outputs, inputs)}, got {weight.shape}")
        self.weight = weight
        self.bias = mg.parameter(np.zeros(outputs, weight.dtype), name=f"{name}.bias")
        self.parameters = {f"{name}.weight": self.weight, f"{name}.bias": self.bias}

    def __call__(self, x: Node | ArrayLike) -> Node:
        return mg.matmul(x, self.weight.T) + self.bias


class Embedding:
    """A vector for every word: the row `weight[number]` of a `(V, E)` matrix, entries of variance 1/E.

    >>> import rnn
    >>> rnn.Embedding(10, 4, rng=0)([[1, 2, 3]]).shape
    (1, 3, 4)
    """

    def __init__(
        self, words: int, features: int, *, name: str = "embedding", rng: Rng = None, dtype: DTypeLike = float
    ) -> None:
        drawn = np.random.default_rng(rng).standard_normal((words, features)) / np.sqrt(features)
        self.weight = mg.parameter(drawn.astype(dtype), name=f"{name}.weight")
        self.parameters = {f"{name}.weight": self.weight}

    def __call__(self, numbers: Node | ArrayLike) -> Node:
        return self.weight[numbers]


def one_hot(numbers: Node | ArrayLike, size: int, dtype: DTypeLike = float) -> Node:
    """A 1 at each number's place and 0 elsewhere: whole numbers (...) -> (..., size).

    >>> import rnn
    >>> rnn.one_hot([1, 0], 3).eval()
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """
    return mg.constant(np.eye(size, dtype=dtype))[numbers]


class PerShape:
    """A function of arrays whose graph is built and compiled once for every combination of shapes it meets.

    `build` takes one input node an array and returns the outputs: a node, or a list, tuple or dict of nodes.

    >>> import minigrad as mg
    >>> import rnn
    >>> double = rnn.PerShape(lambda x: x * 2.0)
    >>> double([1.0, 2.0]), double([[1.0]])
    (array([2., 4.]), array([[2.]]))
    """

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build
        self._functions: dict[tuple[tuple[tuple[int, ...], np.dtype[Any]], ...], mg.Function] = {}

    def __call__(self, *arrays: ArrayLike) -> Any:
        given = [np.asarray(array) for array in arrays]
        key = tuple((array.shape, array.dtype) for array in given)
        if key not in self._functions:
            inputs = [mg.input(array.shape, array.dtype) for array in given]
            self._functions[key] = mg.function(inputs, self._build(*inputs))
        return self._functions[key](*given)
