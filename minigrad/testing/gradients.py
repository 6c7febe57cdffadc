"""`check_gradient`: the ladder for a function of arrays and a vjp that come from anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..node import Array
from .failure import GradientFailure
from .laws import check, compare
from .smallest import attempt, smallest
from .strategies import laid_out
from .structure import flatten, gather
from .subject import Subject
from .written import code, line, name_of, reference

_SATURATING = (40.0, -40.0, 800.0, -800.0)


def check_gradient(
    f: Callable[[Any], Any],
    x: Any,
    gradient: Callable[[Any, Any], Any],
    *,
    degenerate: bool = True,
    strict: bool = False,
    seed: int = 0,
    shrink: bool = True,
    progress: Callable[[str], None] = lambda law: None,
) -> None:
    """Check a vector-Jacobian product against independent derivatives of `f`; raises AssertionError naming the law.

    `f` maps x, an array or a list, tuple or dict of arrays, to an array. `gradient(x, seed)`, with a seed of the shape
    of f(x), gives seed^T J in the structure and the shapes of x, wherever it comes from: an engine, another language,
    your own hand. The laws: shapes and dtypes; linear in the seed, repeatable, nothing mutated or shared; the dot test
    against the complex step (or a 6-point stencil, if f takes no complex arrays); one-hot seeds; a symmetric second
    derivative. They are checked at x, at a neighbour of x, and (`degenerate`) at zeros, ties, saturation and other
    memory layouts of x, where f is defined there. Off the rounding of f's value and of the NumPy arithmetic on the way,
    it is held to 9e-13 relative; `strict` drops the allowance. What fails is shown (`shrink`) at the simplest input.

    >>> import numpy as np
    >>> check_gradient(np.tanh, np.array([0.5, 2.0]), lambda x, seed: seed / np.cosh(x) ** 2)
    >>> check_gradient(np.tanh, np.array([0.5, 2.0]), lambda x, seed: seed * (1 - x**2))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    minigrad.testing.failure.GradientFailure: np.tanh: one-hot seeds: each element of the Jacobian
      input           x = np.array([1.0])
      element         d y[0] / d x[0]
      got             0.0
      expected        0.4199743416140...   (complex step)
      relative error  1.0e+00
      reproduce       ...check_gradient(np.tanh, np.array([1.0]), lambda x, seed: seed * (1 - x**2))
    """
    __tracebackhide__ = True
    checked = _Checked(f, x, gradient, strict, seed, progress)
    for arrays in checked.inputs(degenerate):
        try:
            checked.check_at(arrays)
        except GradientFailure as failure:
            raise (smallest(arrays, failure, checked.tried, shapes=True) if shrink else failure) from None
    checked.check_again()


class _Checked:
    def __init__(
        self,
        f: Callable[[Any], Any],
        x: Any,
        gradient: Callable[[Any, Any], Any],
        strict: bool,
        seed: int,
        progress: Callable[[str], None],
    ) -> None:
        self.f, self.gradient, self.strict, self.seed, self.progress = f, gradient, strict, seed, progress
        self.like = x
        self.names, self.arrays, self.rebuild = flatten(x)
        if not any(array.dtype.kind == "f" for array in self.arrays):
            kinds = ", ".join(str(array.dtype) for array in self.arrays)
            raise TypeError(f"check_gradient: expects a float array to differentiate with respect to, got {kinds}")
        self.first: tuple[Array, list[Any]] | None = None

    def subject(self, arrays: Sequence[Array]) -> Subject:
        return Subject(
            name=name_of(self.f),
            labels=self.names,
            arrays=arrays,
            f=lambda values: np.asarray(self.f(self.rebuild(values))),
            vjp=lambda values, w: gather(self.gradient(self.rebuild(values), w), self.like, self.names),
            reproduce=lambda: self._reproduce(arrays),
            strict=self.strict,
            random=self.seed,
        )

    def _reproduce(self, arrays: Sequence[Array]) -> str:
        f, gradient = reference(self.f, "f"), reference(self.gradient, "gradient")
        options = "".join([", strict=True" if self.strict else "", f", seed={self.seed}" if self.seed else ""])
        call = f"check_gradient({f.expression}, {self._written(arrays)}, {gradient.expression}{options})"
        return line([call], "check_gradient", of=(f, gradient))

    def _written(self, arrays: Sequence[Array]) -> str:
        written = [code(array) for array in arrays]
        if isinstance(self.like, dict):
            return "{" + ", ".join(f"{k!r}: {v}" for k, v in zip(self.like, written, strict=True)) + "}"
        if isinstance(self.like, tuple):
            return f"({', '.join(written)},)"
        return f"[{', '.join(written)}]" if len(written) > 1 or isinstance(self.like, list) else written[0]

    def check_at(self, arrays: Sequence[Array]) -> None:
        subject = self.subject(arrays)
        check(subject, self.progress)
        if self.first is None:
            w = subject.seed()
            self.first = w, [None if g is None else np.array(g) for g in subject.vjp(arrays, w)]

    def check_again(self) -> None:
        """A gradient that remembers an earlier call gives itself away when the first input comes back."""
        assert self.first is not None
        w, before = self.first
        subject = self.subject(self.arrays)
        after = subject.pull(w)
        for slot in subject.slots:
            want = np.zeros(after[slot].shape) if before[slot] is None else before[slot]
            compare(subject, "the first input again gives the first gradient", slot, after[slot], want, np.abs(w))

    def inputs(self, degenerate: bool) -> Iterator[list[Array]]:
        """x, a neighbour, and x degenerated in each way at which f is still defined."""
        yield self.arrays
        rng = np.random.default_rng(self.seed)
        for arrays in degenerated(self.arrays, rng) if degenerate else ():
            if self._defined(arrays):
                yield arrays
        neighbour = [_neighbour(x, rng) for x in self.arrays]
        if self._defined(neighbour):
            yield neighbour

    def _defined(self, arrays: Sequence[Array]) -> bool:
        try:
            with np.errstate(all="ignore"):
                value = np.asarray(self.f(self.rebuild([x.copy() if x.flags.c_contiguous else x for x in arrays])))
        except Exception:
            return False
        return value.dtype.kind == "f" and bool(np.all(np.isfinite(value)))

    def tried(self, arrays: Sequence[Array]) -> GradientFailure | None:
        """How the check fails at `arrays`, if f is defined there and it does."""
        return attempt(lambda at: check(self.subject(at)))(arrays) if self._defined(arrays) else None


def _neighbour(x: Array, rng: np.random.Generator) -> Array:
    if x.dtype.kind != "f":
        return x
    return np.asarray(x * (1 + 0.125 * rng.uniform(-1, 1, x.shape)), dtype=x.dtype)


def degenerated(arrays: Sequence[Array], rng: np.random.Generator) -> Iterator[list[Array]]:
    """The arrays with zeros, ties and saturated values put in, then in other memory layouts; shapes stay."""

    def each(change: Callable[[Array], Array]) -> list[Array]:
        return [change(x) if x.dtype.kind == "f" and x.size else x for x in arrays]

    yield each(lambda x: np.zeros_like(x))
    yield each(lambda x: np.full_like(x, x.flat[0]))
    yield each(lambda x: np.resize(np.ravel(x)[:2], x.shape))
    # One array at a time: weights and inputs of 40 at once multiply the rounding of every step by 1600.
    floats = [slot for slot, x in enumerate(arrays) if x.dtype.kind == "f" and x.size]
    for slot, size in itertools.product(floats, _SATURATING):
        saturated = list(arrays)
        chosen = rng.random(arrays[slot].shape) < 0.5
        chosen.flat[rng.integers(chosen.size)] = True
        saturated[slot] = np.where(chosen, arrays[slot].dtype.type(size), arrays[slot])
        yield saturated
    for layout in ("fortran", "reversed", "gapped", "stride 0"):
        yield each(partial(laid_out, layout=layout))
