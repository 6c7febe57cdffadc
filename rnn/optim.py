"""Optimisers, and clipping of what they are given.

An optimiser is its formula: which arrays it remembers for every parameter (`slots`) and what change it makes of a
gradient (`change`). Gradients come as arrays, in a dict by the parameters' names or a list in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from minigrad import Parameter
from minigrad.node import Array

Gradients = Mapping[str, Array] | Sequence[Array]


class Optimiser:
    """What all optimisers share.

    Attributes:
        parameters: name -> parameter; a parameter tied to several names is kept, and moved, once.
        lr: the learning rate, which may be changed between steps.
        steps: how many steps were made.
        memory: name -> slot -> array, what is remembered for each parameter.
    """

    slots: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parameters: Mapping[str, Parameter] | Iterable[Parameter], lr: float) -> None:
        if not lr > 0:
            raise ValueError(f"{type(self).__name__}: lr must be above 0, got {lr}")
        if not isinstance(parameters, Mapping):
            parameters = {str(place): parameter for place, parameter in enumerate(parameters)}
        self._names = list(parameters)
        self.parameters: dict[str, Parameter] = {}
        for name, parameter in parameters.items():
            if parameter not in self.parameters.values():
                self.parameters[name] = parameter
        self.lr = lr
        self.steps = 0
        self.memory = {
            name: {slot: np.zeros(parameter.shape, parameter.dtype) for slot in self.slots}
            for name, parameter in self.parameters.items()
        }

    def step(self, gradients: Gradients) -> None:
        """Move every parameter once. Raises KeyError or ValueError where a gradient is missing or misshapen."""
        named = self._named(gradients)
        for name, parameter in self.parameters.items():
            if named[name].shape != parameter.shape:
                raise ValueError(
                    f"{type(self).__name__}: the gradient of {name} must have shape {parameter.shape}, "
                    f"got {named[name].shape}"
                )
        self.steps += 1
        for name, parameter in self.parameters.items():
            parameter.assign(parameter.value + self.change(named[name], self.memory[name]))

    def _named(self, gradients: Gradients) -> dict[str, Array]:
        if not isinstance(gradients, Mapping):
            gradients = dict(zip(self._names, gradients, strict=True))
        missing = [name for name in self.parameters if name not in gradients]
        if missing:
            raise KeyError(f"{type(self).__name__}: no gradient was given for {', '.join(missing)}")
        return {name: np.asarray(gradients[name]) for name in self.parameters}

    def change(self, gradient: Array, memory: dict[str, Array]) -> Array:
        """What to add to a parameter; updates its `memory` in place."""
        raise NotImplementedError

    def state(self) -> dict[str, Array]:
        """Everything a restart needs, as arrays by name."""
        arrays = {f"{slot}/{name}": array for name, slots in self.memory.items() for slot, array in slots.items()}
        return {"steps": np.array(self.steps), **arrays}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` returned."""
        self.steps = int(state["steps"])
        for name, slots in self.memory.items():
            for slot, array in slots.items():
                array[...] = state[f"{slot}/{name}"]


class SGD(Optimiser):
    """Stochastic gradient descent with momentum: `v = momentum * v + g;  w -= lr * v`.

    >>> import minigrad as mg
    >>> import rnn
    >>> w = mg.parameter([1.0, 2.0], name="w")
    >>> rnn.SGD([w], lr=0.5).step([[1.0, -1.0]]); w.value
    array([0.5, 2.5])
    """

    slots = ("velocity",)

    def __init__(
        self, parameters: Mapping[str, Parameter] | Iterable[Parameter], lr: float = 0.01, momentum: float = 0.0
    ) -> None:
        super().__init__(parameters, lr)
        self.momentum = momentum

    def change(self, gradient: Array, memory: dict[str, Array]) -> Array:
        velocity = memory["velocity"]
        velocity *= self.momentum
        velocity += gradient
        return -self.lr * velocity


class Adagrad(Optimiser):
    """Steps shrink as squared gradients add up (Duchi et al. 2011): `s += g**2;  w -= lr * g / (sqrt(s) + eps)`.

    >>> import minigrad as mg
    >>> import rnn
    >>> w = mg.parameter([1.0, 2.0], name="w")
    >>> rnn.Adagrad([w], lr=0.5).step([[4.0, -0.25]]); w.value.round(6)
    array([0.5, 2.5])
    """

    slots = ("squares",)

    def __init__(
        self, parameters: Mapping[str, Parameter] | Iterable[Parameter], lr: float = 0.01, eps: float = 1e-8
    ) -> None:
        super().__init__(parameters, lr)
        self.eps = eps

    def change(self, gradient: Array, memory: dict[str, Array]) -> Array:
        memory["squares"] += gradient * gradient
        return -self.lr * gradient / (np.sqrt(memory["squares"]) + self.eps)


class RMSprop(Optimiser):
    """Adagrad that forgets (Hinton 2012): `s = decay * s + (1 - decay) * g**2;  w -= lr * g / (sqrt(s) + eps)`.

    >>> import minigrad as mg
    >>> import rnn
    >>> w = mg.parameter([1.0, 2.0], name="w")
    >>> rnn.RMSprop([w], lr=0.1, decay=0.75).step([[4.0, -0.25]]); w.value.round(6)
    array([0.8, 2.2])
    """

    slots = ("squares",)

    def __init__(
        self,
        parameters: Mapping[str, Parameter] | Iterable[Parameter],
        lr: float = 0.001,
        decay: float = 0.9,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, lr)
        self.decay = decay
        self.eps = eps

    def change(self, gradient: Array, memory: dict[str, Array]) -> Array:
        squares = memory["squares"]
        squares *= self.decay
        squares += (1 - self.decay) * gradient * gradient
        return -self.lr * gradient / (np.sqrt(squares) + self.eps)


class Adam(Optimiser):
    """Adaptive moments with bias correction (Kingma and Ba 2015, algorithm 1).

    >>> import minigrad as mg
    >>> import rnn
    >>> w = mg.parameter([1.0, 2.0], name="w")
    >>> rnn.Adam([w], lr=0.1).step([[4.0, -0.25]]); w.value.round(6)
    array([0.9, 2.1])
    """

    slots = ("mean", "squares")

    def __init__(
        self,
        parameters: Mapping[str, Parameter] | Iterable[Parameter],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, lr)
        self.betas = betas
        self.eps = eps

    def change(self, gradient: Array, memory: dict[str, Array]) -> Array:
        (first, second), mean, squares = self.betas, memory["mean"], memory["squares"]
        mean *= first
        mean += (1 - first) * gradient
        squares *= second
        squares += (1 - second) * gradient * gradient
        root = np.sqrt(squares / (1 - second**self.steps)) + self.eps
        return -self.lr * (mean / (1 - first**self.steps)) / root


def clip_norm(gradients: Gradients, limit: float) -> float:
    """Scale all gradients together, in place, so that their joint norm is at most `limit`; returns the norm before.

    Gradients whose norm is not finite are left as they are: no scale would mend them.

    >>> import numpy as np
    >>> import rnn
    >>> g = [np.array([3.0]), np.array([4.0])]
    >>> rnn.clip_norm(g, 1.0), g[0]
    (5.0, array([0.6]))
    """
    arrays = _distinct(gradients)
    largest = max((float(np.max(np.abs(a), initial=0)) for a in arrays), default=0.0)
    if largest == 0 or not np.isfinite(largest):
        return largest
    # Divided by the largest entry first: squares of 1e-200 and of 1e200 leave the range of a float.
    total = sum(float(np.sum(np.square(np.asarray(a, dtype=float) / largest))) for a in arrays)
    norm = largest * float(np.sqrt(total))
    if norm > limit:
        scale = limit / largest / float(np.sqrt(total))
        for array in arrays:
            array *= array.dtype.type(scale)
    return norm


def clip_value(gradients: Gradients, limit: float) -> None:
    """Cut every entry of every gradient to [-limit, limit], in place.

    >>> import numpy as np
    >>> import rnn
    >>> g = {"w": np.array([-7.0, 2.0])}
    >>> rnn.clip_value(g, 5.0); g["w"]
    array([-5.,  2.])
    """
    for array in _distinct(gradients):
        np.clip(array, -limit, limit, out=array)


def _distinct(gradients: Gradients) -> list[Array]:
    """The arrays, each once: one that stands under two names of a tied weight may not be scaled twice."""
    arrays = list(gradients.values() if isinstance(gradients, Mapping) else gradients)
    for array in arrays:
        if not isinstance(array, np.ndarray):
            raise TypeError(f"clipping changes gradients in place and needs arrays, got {type(array).__name__}")
    return list({id(array): array for array in arrays}.values())
