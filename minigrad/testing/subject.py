"""A function at one input with the vjp under test: what every law is asked of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..node import Array
from .failure import Finding, GradientFailure
from .oracles import Oracle

if TYPE_CHECKING:
    from ..derivative import Edge
    from ..node import Node

Gradients = list[Any]


@dataclass
class Subject:
    """A function at one input, and the vjp under test.

    Attributes:
        name: what failures call it.
        labels, arrays: the arguments; those of a float dtype are differentiated.
        f: arrays -> array. It may be asked for complex arrays.
        vjp: arrays, seed -> one gradient an argument, None where there is none.
        reproduce: code that repeats the check at this input, or what writes it.
        strict: numbers are relative to themselves alone. Else a gradient may be off by the rounding of f's own value,
            as `1 - tanh(x)**2` is when x is large, or of values on the way to it.
        jitter: arrays, seed, generator, size -> gradients with every value on the way moved by `size`, or by its
            rounding; without it the input is moved by its last digits, and NumPy's arithmetic errs by them.
        graph, edges: what to draw when it fails.
        subgradients: whether at a kink the gradient must lie between the one-sided derivatives. A composition that
            meets several kinks at once owes it to none of them.
        exact: whether the rounding of steps on the way excuses nothing: in the rule of one op `1 - tanh(x)**2`
            is a slip, in a composition it is not. What moving the input by its last digits does is granted still.
        singular: whether the subject declares points without a derivative; at kinks it may then answer NaN.
    """

    name: str
    labels: Sequence[str]
    arrays: Sequence[Array]
    f: Callable[[Sequence[Array]], Array]
    vjp: Callable[[Sequence[Array], Array], Gradients]
    reproduce: str | Callable[[], str] = ""
    strict: bool = False
    jitter: Callable[[Sequence[Array], Array, np.random.Generator, float | None], Gradients] | None = None
    graph: Node | None = None
    edges: tuple[Edge, ...] = ()
    subgradients: bool = True
    singular: bool = False
    exact: bool = False
    output: str = "y"
    random: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.random)

    @cached_property
    def value(self) -> Array:
        """f at the input."""
        with np.errstate(all="ignore"):
            return np.asarray(self.f(self.arrays))

    @cached_property
    def oracle(self) -> Oracle:
        """The independent derivative of f."""
        return Oracle(self.f, self.arrays, np.random.default_rng(self.random))

    @property
    def slots(self) -> list[int]:
        """The arguments that are differentiated."""
        return [slot for slot, x in enumerate(self.arrays) if x.dtype.kind == "f"]

    @cached_property
    def eps(self) -> float:
        """The coarsest rounding unit among result and arguments."""
        return float(self._coarsest.eps)

    @cached_property
    def tiny(self) -> float:
        """Below this, products of two derivatives underflow and a relative comparison has no digits to compare: 1e-290
        in float64, 2e-36 in float32."""
        return float(self._coarsest.smallest_normal) ** 0.94

    @property
    def _coarsest(self) -> np.finfo[Any]:
        dtypes = [self.value.dtype, *(self.arrays[slot].dtype for slot in self.slots)]
        known = [np.finfo(d) for d in dtypes if d.kind == "f"]
        return max(known, key=lambda info: float(info.eps), default=np.finfo(float))

    def pull(self, seed: Array) -> Gradients:
        """The vjp under test, absent gradients as zeros."""
        with np.errstate(all="ignore"):
            given = self.vjp(self.arrays, seed)
        return [np.zeros(x.shape) if g is None else np.asarray(g) for x, g in zip(self.arrays, given, strict=True)]

    def seed(self) -> Array:
        """A random cotangent of f's value."""
        return self.rng.uniform(0.5, 1.5, self.value.shape).astype(self.value.dtype) * self._signs(self.value.shape)

    def direction(self) -> list[Any]:
        """A random tangent of the arguments."""
        return [
            self.rng.uniform(0.5, 1.0, x.shape) * self._signs(x.shape) if x.dtype.kind == "f" else None
            for x in self.arrays
        ]

    def _signs(self, shape: tuple[int, ...]) -> Array:
        return self.rng.choice(np.array([-1, 1], dtype=np.int8), size=shape)

    def fail(self, law: str, **parts: Any) -> GradientFailure:
        """The failure of `law` at this input."""
        inputs = dict(zip(self.labels, self.arrays, strict=True))
        written = self.reproduce if isinstance(self.reproduce, str) else self.reproduce()
        return GradientFailure(
            Finding(self.name, law, inputs, reproduce=written, graph=self.graph, edges=self.edges, **parts)
        )
