"""Derivatives that owe nothing to the code under test: the complex step, and a high-order stencil where it cannot go.

The complex step evaluates f(x + ih v) with h = 1e-20 and reads off the imaginary part: no difference is taken, so
nothing cancels and the relative error is that of one evaluation (Squire and Trapp, 1998). It needs f to be analytic
and to accept complex arrays. Elsewhere a 6-point stencil in steps h and h/2 gives a value and an estimate of its error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..node import Array
from .monte_carlo import spread_of
from .structure import flatten

ArrayFunction = Callable[[Sequence[Array]], Array]

# The step's own error is h^2 f'''/6 = 1e-200 f'''; a derivative of 1e-200 still leaves an imaginary part of 1e-300.
STEP = 1e-100
_STENCIL = ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))


class Estimate(np.ndarray[Any, Any]):
    """An array of derivatives with the error that its method expects, element by element, in `.error`."""

    error: Array

    def __array_finalize__(self, parent: Any) -> None:
        self.error = getattr(parent, "error", np.zeros(()))


def estimate(value: Any, error: Any) -> Estimate:
    """`value` with its expected absolute `error`."""
    result: Estimate = np.asarray(value).view(Estimate)
    result.error = np.asarray(error)
    return result


def complex_step(f: Callable[[Any], Any], x: Any, direction: Any = None, *, h: float = STEP) -> Estimate:
    """The derivative of `f` at `x` by the complex step: exact to rounding, however small the derivative is.

    `x` is an array, or a list, tuple or dict of arrays. With a `direction` like `x` the result has the shape of f(x);
    without one it is the Jacobian, `f(x).shape + x.shape` (for a scalar f and one array: the gradient).
    Raises TypeError where f does not carry an imaginary part through.

    >>> import numpy as np
    >>> complex_step(lambda x: np.sum(np.exp(x) / x), np.array([1.0, 2.0]))
    Estimate([0.        , 1.84726402])
    """
    names, arrays, rebuild = flatten(x)
    inner = _of_list(f, rebuild)
    if direction is not None:
        return complex_direction(inner, arrays, flatten(direction)[1], h)
    return _jacobian(inner, arrays, len(names) == 1, lambda d: complex_direction(inner, arrays, d, h))


def difference(f: Callable[[Any], Any], x: Any, direction: Any = None) -> Estimate:
    """The derivative of `f` at `x` by 6-point central differences; `.error` is what refining the step changes.

    Arguments as for `complex_step`; f need not be analytic. At a kink the error estimate is of the derivative's size.

    >>> import numpy as np
    >>> slope = difference(np.tanh, np.array(0.5))
    >>> bool(abs(slope - (1 - np.tanh(0.5) ** 2)) < 1e-10), bool(slope.error < 1e-9)
    (True, True)
    """
    names, arrays, rebuild = flatten(x)
    inner = _of_list(f, rebuild)
    arrays = _doubles(arrays)
    noise = spread_of(inner, arrays)
    if direction is not None:
        return stencil_direction(inner, arrays, flatten(direction)[1], noise)
    return _jacobian(inner, arrays, len(names) == 1, lambda d: stencil_direction(inner, arrays, d, noise))


def _doubles(arrays: Sequence[Array]) -> list[Array]:
    """A float32 input is exact in float64, and its derivative is then known far better."""
    return [x.astype(float) if x.dtype.kind == "f" else x for x in arrays]


def _of_list(f: Callable[[Any], Any], rebuild: Callable[[Sequence[Any]], Any]) -> ArrayFunction:
    return lambda arrays: np.asarray(f(rebuild(arrays)))


def _jacobian(f: ArrayFunction, arrays: Sequence[Array], single: bool, push: Callable[[list[Array]], Any]) -> Estimate:
    if not single:
        raise TypeError("expects a direction when x is not a single array: one array of x at a time has a Jacobian")
    x = arrays[0]
    columns = [push([unit(x, index)]) for index in np.ndindex(x.shape)]
    shape = (*np.shape(f(arrays)), *x.shape)
    if not columns:
        return estimate(np.zeros(shape), np.zeros(shape))
    value = np.stack([np.asarray(column) for column in columns], axis=-1).reshape(shape)
    error = np.stack([np.broadcast_to(column.error, column.shape) for column in columns], axis=-1).reshape(shape)
    return estimate(value, error)


def unit(x: Array, index: tuple[int, ...]) -> Array:
    """Zeros like x with a 1 at `index`."""
    one = np.zeros(x.shape)
    one[index] = 1
    return one


def complex_direction(f: ArrayFunction, arrays: Sequence[Array], direction: Sequence[Any], h: float = STEP) -> Estimate:
    """The complex step along `direction` (one array or None for each of `arrays`)."""
    # The imaginary part must stay far below the real one, which may itself be tiny.
    h *= max(_reach(arrays, direction), 1e-200)
    # All float arguments become complex, moved or not: some libraries will not mix the two.
    moved = [
        _complexified(x, 1j * h * np.asarray(d) if _moves(x, d) else 0) for x, d in zip(arrays, direction, strict=True)
    ]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            value = np.asarray(f(moved))
        except np.exceptions.ComplexWarning as loss:
            raise TypeError(f"the function drops the imaginary part of its argument: {loss}") from None
    if value.dtype.kind != "c":
        raise _NoImaginaryPart("the function does not carry an imaginary part through; use a difference instead")
    with np.errstate(all="ignore"):
        slope = value.imag / h
    # Below the first bound the step's own error shows, below the second the imaginary part underflows.
    unknown = np.where(np.abs(slope) < 1e12 * h * h, np.abs(slope), 0) + 1e-306 / h
    return estimate(slope, 64 * np.finfo(value.real.dtype).eps * np.abs(slope) + unknown)


def _complexified(x: Array, step: Any) -> Array:
    if x.dtype.kind != "f":
        return x
    value = x.astype(np.result_type(x, np.complex128))
    return value + step if np.any(step) else value


def stencil_direction(
    f: ArrayFunction, arrays: Sequence[Array], direction: Sequence[Any], noise: Array | float = 0.0
) -> Estimate:
    """The 6-point difference along `direction`, at the step where refining it changes least; f may be off by `noise`,
    where it is more than the rounding of f's value."""
    h = 2.0 * float(np.finfo(float).eps) ** (1 / 7) * _reach(arrays, direction)
    best: Estimate | None = None
    coarse, rounding = _stencil(f, arrays, direction, h)
    # Down to a reach of 1e-4, for a kink may lie near.
    for _ in range(4):
        h /= 4
        fine, rounding = _stencil(f, arrays, direction, h)
        error = np.abs(fine - coarse) + np.maximum(rounding, 2 * noise / h)
        if best is None:
            best = estimate(fine, error)
        else:
            closer = (error < best.error) | np.isnan(best.error)
            best = estimate(np.where(closer, fine, best), np.where(closer, error, best.error))
        coarse = fine
    assert best is not None
    return best


def _reach(arrays: Sequence[Array], direction: Sequence[Any]) -> float:
    """How far one may go in units of `direction` before an element changes by its own size, or by 1."""
    reach = 1.0
    for x, d in zip(arrays, direction, strict=True):
        if _moves(x, d):
            speed = np.abs(np.asarray(d, dtype=float))
            room = np.minimum(_size(x), 1)
            reach = min(reach, float(np.min(np.where(speed > 0, room / np.where(speed > 0, speed, 1), np.inf))))
    return reach


def _stencil(f: ArrayFunction, arrays: Sequence[Array], direction: Sequence[Any], h: float) -> tuple[Array, Array]:
    total: Any = 0.0
    largest: Any = 0.0
    eps = 0.0
    with np.errstate(all="ignore"):
        for reach, weight in _STENCIL:
            for side in (1, -1):
                value = np.asarray(f(_moved(arrays, direction, side * reach * h)))
                eps = max(eps, float(np.finfo(value.dtype).eps) if value.dtype.kind == "f" else 0.0)
                total = total + side * weight * value.astype(float)
                largest = np.maximum(largest, np.abs(value.astype(float)))
    return np.asarray(total / h), np.asarray(8 * eps * largest / h)


def _moved(arrays: Sequence[Array], direction: Sequence[Any], h: float) -> list[Array]:
    return [x + h * np.asarray(d) if _moves(x, d) else x for x, d in zip(arrays, direction, strict=True)]


def _size(x: Array) -> Array:
    """How large a step from x is large: x's own size, or 1 at 0."""
    return np.where(x == 0, 1.0, np.maximum(np.abs(x.astype(float)), 1e-290))


def _moves(x: Array, d: Any) -> bool:
    return d is not None and x.dtype.kind == "f" and x.size > 0


class _NoImaginaryPart(TypeError):
    pass


class Oracle:
    """The derivative of `f` near `arrays`: by complex step where the stencil confirms it, else by the stencil.

    A function that silently drops the imaginary part, or that is not analytic, makes the complex step wrong; the
    stencil, less exact but without conditions, is asked once whether it can be trusted.
    """

    def __init__(self, f: ArrayFunction, arrays: Sequence[Array], rng: np.random.Generator) -> None:
        self.f = f
        self.arrays = _doubles(arrays)
        self.trusts_complex = self._confirm(rng)

    @property
    def source(self) -> str:
        """What the expected numbers come from, in words."""
        return "complex step" if self.trusts_complex else "6-point difference"

    @cached_property
    def noise(self) -> Array:
        """How far rounding moves f, also that of values on the way which cancel in the end."""
        return spread_of(self.f, self.arrays)

    def push(self, direction: Sequence[Any]) -> Estimate:
        """The derivative along `direction`."""
        if not self.trusts_complex:
            return stencil_direction(self.f, self.arrays, direction, self.noise)
        try:
            return complex_direction(self.f, self.arrays, direction)
        except _NoImaginaryPart:  # it does with all arguments moved, so it does not depend on the ones moved here
            shape = np.shape(self.f(self.arrays))
            return estimate(np.zeros(shape), np.zeros(shape))

    def at(self, arrays: Sequence[Array], f: ArrayFunction | None = None) -> Oracle:
        """The same oracle at another input, or of another function of the same making, whose trust it shares."""
        other = Oracle.__new__(Oracle)
        other.f, other.trusts_complex = f or self.f, self.trusts_complex
        other.arrays = _doubles(arrays)
        return other

    def is_smooth(self, direction: Sequence[Any]) -> bool:
        """Whether the derivatives a little ahead and a little behind agree: false at kinks and ties."""
        if not np.all(self.is_continuous(direction)):
            return False
        distance = 1e-7 if self.trusts_complex else 1e-5
        near, scale, error = self._jump(direction, distance)
        calm = near <= 1e-3 * scale + error
        if np.all(calm):
            return True
        # Where a smooth derivative passes through zero both sides are small; their gap shrinks with the distance.
        far, _, _ = self._jump(direction, 100 * distance)
        return bool(np.all(calm | (near <= 0.1 * far)))

    def _jump(self, direction: Sequence[Any], distance: float) -> tuple[Array, Array, Array]:
        ahead, behind, error = self._one_sided(direction, distance)
        return np.abs(ahead - behind), np.abs(ahead) + np.abs(behind), error

    def _one_sided(self, direction: Sequence[Any], distance: float) -> tuple[Array, Array, Array]:
        """The derivatives a little ahead and a little behind, and how far off they may be."""
        sides = self._sides(direction, distance)
        with np.errstate(all="ignore"):
            if self.trusts_complex:
                ahead, behind = (self.at(moved).push(direction) for moved in sides)
                return np.asarray(ahead), np.asarray(behind), np.asarray(10 * (ahead.error + behind.error))
            # A stencil reaches across the kink it should tell the sides of: one-sided quotients do not.
            return self._quotients(direction, distance)

    def _quotients(self, direction: Sequence[Any], distance: float) -> tuple[Array, Array, Array]:
        with np.errstate(all="ignore"):
            step = distance * _reach(self.arrays, direction)
            f = [np.asarray(self.f(_moved(self.arrays, direction, h))) for h in (-step, 0.0, step)]
            eps = np.finfo(f[1].dtype).eps if f[1].dtype.kind == "f" else 0.0
            rounding = 16 * eps * np.abs(f[1].astype(float)) / step
            return (f[2] - f[1]).astype(float) / step, (f[1] - f[0]).astype(float) / step, rounding

    def is_continuous(self, direction: Sequence[Any]) -> Array:
        """Where f does not jump along `direction`: element by element."""
        near, far = (
            np.abs(np.subtract(*(self.f(moved) for moved in self._sides(direction, distance))))
            for distance in (1e-7, 1e-5)
        )
        with np.errstate(all="ignore"):
            size = 1e-9 * np.abs(self.f(self.arrays))
            return np.asarray((near <= 0.5 * far) | (near <= size))

    def is_differentiable(self, direction: Sequence[Any]) -> bool:
        """Whether f is smooth along `direction` and its coordinates, and their derivatives add up to its own."""
        if not self.is_smooth(direction):
            return False
        axes = [(slot, i) for slot, d in enumerate(direction) if d is not None for i in np.ndindex(d.shape)]
        if len(axes) > 64:
            return True
        whole = self.push(direction)
        total, error = np.zeros(whole.shape), np.asarray(whole.error)
        scale = np.abs(whole)
        for slot, index in axes:
            along: list[Any] = [None] * len(direction)
            along[slot] = unit(direction[slot], index)
            if not self.is_smooth(along):
                return False
            part = self.push(along)
            speed = direction[slot][index]
            total, scale, error = total + speed * part, scale + abs(speed * part), error + abs(speed) * part.error
        return bool(np.all(np.abs(total - whole) <= 1e-6 * scale + 10 * error))

    def one_sided(self, direction: Sequence[Any]) -> tuple[Array, Array]:
        """The smaller and the larger of the one-sided derivatives, a little slack added; infinite where f jumps."""
        distance = 1e-7 if self.trusts_complex else 1e-5
        ahead, behind, error = self._one_sided(direction, distance)
        with np.errstate(all="ignore"):
            slack = 1e-3 * (np.abs(ahead) + np.abs(behind)) + error
            slack = np.where(self.is_continuous(direction), slack, np.inf)
            low, high = np.minimum(ahead, behind) - slack, np.maximum(ahead, behind) + slack
        return np.nan_to_num(np.asarray(low), nan=-np.inf), np.nan_to_num(np.asarray(high), nan=np.inf)

    def _sides(self, direction: Sequence[Any], distance: float) -> list[list[Array]]:
        return [
            [
                x + side * np.asarray(d) * _size(x) if _moves(x, d) else x
                for x, d in zip(self.arrays, direction, strict=True)
            ]
            for side in (distance, -distance)
        ]

    def _confirm(self, rng: np.random.Generator) -> bool:
        direction = [rng.uniform(0.5, 1.0, x.shape) if x.dtype.kind == "f" else None for x in self.arrays]
        try:
            exact = complex_direction(self.f, self.arrays, direction)
        except Exception:
            return False
        # An f that fails on a moved real argument fails the check itself later, with its own message.
        if not self._contradicts(exact, stencil_direction(self.f, self.arrays, direction, self.noise)):
            return True
        # A kink may lie within the stencil's reach and not be met by the function here: ask once more, closer.
        ahead, behind, error = self._quotients(direction, 1e-6)
        return not self._contradicts(exact, estimate((ahead + behind) / 2, error))

    def _contradicts(self, exact: Estimate, rough: Estimate) -> bool:
        with np.errstate(all="ignore"):
            gap = np.abs(np.asarray(exact) - np.asarray(rough))
            # A saturated f is constant to a difference; that it says 0 is no word against a tiny derivative. Nor is
            # an imaginary part that underflowed against the complex step.
            unseen = np.where(np.asarray(exact) != 0, 1e-9, 0)
            allowed = 1e-4 * np.abs(np.asarray(rough)) + 100 * np.asarray(rough.error) + unseen + exact.error
            contradicted = gap > allowed
        return bool(np.any(contradicted & np.isfinite(exact) & np.isfinite(rough)))
