"""The ladder of laws that a vector-Jacobian product obeys, cheap ones first. Each names itself when it fails.

A `Subject` is a function at one input with the vjp under test. Numbers are compared relative to themselves or to the
sum of the absolute terms they were added up from, never to a fixed tolerance. When they differ, and only then, two
more questions are asked: does rounding explain it, and is this a point where the derivative does not exist?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..node import Array
from .failure import GradientFailure, indexed
from .oracles import Oracle, unit
from .rounding import (
    MOST_ROWS,
    ROUNDING,
    SCATTER,
    dot,
    floor_of,
    is_explained,
    is_lost,
    jittered,
    nudge,
    or_zeros,
    rows_of,
)
from .subject import Gradients, Subject

Law = Callable[[Subject], None]


def check(
    subject: Subject, progress: Callable[[str], None] = lambda law: None, laws: Sequence[Law] | None = None
) -> None:
    """The whole ladder (or `laws`) at one input; raises GradientFailure at the first law that does not hold."""
    for law in LADDER if laws is None else laws:
        progress((law.__doc__ or "").split(":")[0].split(".")[0])
        try:
            # What is not finite is judged by value; a warning about it would only say less.
            with np.errstate(all="ignore"):
                law(subject)
        except GradientFailure:
            raise
        except Exception as error:
            raise subject.fail("raises an exception", detail=_said(error)) from error


def _said(error: Exception) -> str:
    """The exception and the line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace is not None else ""
    return f"{type(error).__name__}: {error}{where}"


def contract(s: Subject) -> None:
    """Shapes and dtypes: one gradient an argument, of the argument's own shape and dtype."""
    if s.value.dtype.kind != "f":
        raise s.fail("the value is of a float dtype", detail=f"it is {s.value.dtype}: there is no gradient to check")
    given = s.vjp(s.arrays, s.seed())
    for slot in s.slots:
        x, g = s.arrays[slot], given[slot]
        if g is None:
            continue
        label = f"gradient with respect to {s.labels[slot]}"
        if np.shape(g) != x.shape:
            raise s.fail("the gradient has its argument's shape", element=label, detail=f"{np.shape(g)}, not {x.shape}")
        dtype = np.asarray(g).dtype
        if dtype != x.dtype:
            raise s.fail("the gradient has its argument's dtype", element=label, detail=f"{dtype}, not {x.dtype}")


def seed_laws(s: Subject) -> None:
    """Seed laws: linear in the seed, the same twice, nothing mutated, no memory shared."""
    first, second = s.seed(), s.seed()
    kept, kept_arrays = first.copy(), [x.copy() for x in s.arrays]
    raw = s.vjp(s.arrays, first)
    one: list[Any] = [None if g is None else np.array(g) for g in raw]
    _unchanged(s, "the seed", kept, first)
    for label, before, after in zip(s.labels, kept_arrays, s.arrays, strict=True):
        _unchanged(s, label, before, after)
    _unshared(s, raw, first)
    again = s.vjp(s.arrays, first)
    for slot in s.slots:
        for g in (np.asarray(raw[slot]), np.asarray(again[slot])) if raw[slot] is not None else ():
            _equal(s, "the same seed gives the same gradient a second time", slot, g, one[slot])
    zeros = s.pull(np.zeros_like(first))
    for slot in s.slots:
        # Where the gradient itself is not finite, 0 * inf is NaN and IEEE arithmetic owes no zero.
        known = np.isfinite(one[slot]) if one[slot] is not None else np.ones((), bool)
        _equal(
            s, "a seed of zeros gives zeros", slot, np.where(known, zeros[slot], 0.0), 0 * np.ones(zeros[slot].shape)
        )
    a, b = s.value.dtype.type(2), s.value.dtype.type(-0.75)
    both, other = ([np.array(g) for g in s.pull(w)] for w in (a * first + b * second, second))
    for slot in s.slots:
        if raw[slot] is not None:
            _equal(s, "a gradient stays what it was when another is computed", slot, np.asarray(raw[slot]), one[slot])
    base = s.pull(first)
    for slot in s.slots:
        with np.errstate(all="ignore"):
            want = a * base[slot] + b * other[slot]
        compare(s, "the gradient is linear in the seed", slot, both[slot], want, np.abs(2 * first) + np.abs(second))


def _unchanged(s: Subject, what: str, before: Array, after: Array) -> None:
    if before.tobytes() != np.ascontiguousarray(after).tobytes():
        raise s.fail("nothing is written into", element=what, detail=f"{what} was changed by the backward pass")


def _unshared(s: Subject, raw: Gradients, seed: Array) -> None:
    others = [("the seed", seed), *zip(s.labels, s.arrays, strict=True)]
    for slot in s.slots:
        g = raw[slot]
        if not isinstance(g, np.ndarray) or not g.flags.writeable or not g.size:
            continue
        mine = f"the gradient with respect to {s.labels[slot]}"
        for what, array in others:
            if np.shares_memory(g, array):
                raise s.fail("a gradient owns its memory", element=mine, detail=f"it shares memory with {what}; copy")
        others.append((mine, g))


def _equal(s: Subject, law: str, slot: int, got: Array, want: Any) -> None:
    different = ~((got == want) | ((got != got) & (want != want)))
    if np.any(different):
        index = tuple(np.argwhere(different)[0])
        raise s.fail(law, element=_element(s, slot, index), got=got[index], expected=want[index])


def dot_test(s: Subject) -> None:
    """Dot test: <seed, J tangent> is <vjp(seed), tangent>."""
    # All ones is the direction in which ties stay ties: a maximum is smooth along it even where it has a kink.
    together: list[Any] = [np.ones(x.shape) if x.dtype.kind == "f" else None for x in s.arrays]
    for v in (s.direction(), together):
        w = s.seed()
        g = s.pull(w)
        pushed = s.oracle.push(v)
        with np.errstate(all="ignore"):
            want_terms = (w * pushed).ravel()
            got_terms = np.concatenate([np.ravel(g[slot] * v[slot]) for slot in s.slots] or [np.zeros(0)])
            want, got = float(np.sum(want_terms)), float(np.sum(got_terms))
            scale = float(np.sum(np.abs(want_terms)) + np.sum(np.abs(got_terms)))
            error = float(np.sum(np.abs(w) * np.abs(pushed.error)))
        if not np.isfinite(want) or (s.singular and not np.isfinite(got)):
            continue  # one-hot seeds say which element it is, and whether it may be
        allowed = ROUNDING * s.eps * scale + 10 * error + floor_of(s, np.abs(w))
        if (
            abs(got - want) <= allowed
            or is_lost(s, w, None, abs(got - want))
            or is_explained(s, w, v, got, want)
            or not _settled(s, w, v, got, want)
        ):
            continue
        _blame(s, w)
        raise s.fail("<seed, J v> = <vjp(seed), v>", got=got, expected=want, source=s.oracle.source)


def _settled(s: Subject, w: Array, v: Sequence[Any], got: float, want: float) -> bool:
    # Of one function a subgradient is asked for, and along a smooth line all subgradients agree. A graph may meet
    # several kinks at once, each by its own policy: there the whole neighbourhood must be smooth.
    if s.jitter is None:
        return s.oracle.is_smooth(v)
    return s.oracle.is_differentiable(v) and not _meets_a_kink(s, w, v, got, want)


def _meets_a_kink(s: Subject, w: Array, v: Sequence[Any], got: float, want: float) -> bool:
    """Whether moving every value of the graph a little changes the gradient far more than that.

    Kinks may cancel, as in relu(x) - relu(-x): f is smooth there, and still the gradient is each op's policy. A jump
    in the slope may be small, too: then moves that are smaller still show that it does not shrink with them.
    """
    if s.jitter is None or s.subgradients:
        return False
    values = [dot(g, v) for g in jittered(s, w, 1e-7)]
    if any(not abs(value - got) <= 1e-3 * (abs(value) + abs(got)) + 1e-6 for value in values):
        return True
    values = [dot(g, v) for g in jittered(s, w, 1e-13)]
    return any(not abs(value - got) <= 0.1 * abs(want - got) for value in values)


def _blame(s: Subject, w: Array) -> None:
    """Name one element, if one-hot seeds find it; the dot test knows only that the total is wrong."""
    one_hot_seeds(s)
    for slot in s.slots:
        x = s.arrays[slot]
        g = s.pull(w)[slot]
        for index in list(np.ndindex(x.shape))[:MOST_ROWS]:
            v: list[Any] = [None] * len(s.arrays)
            v[slot] = unit(x, index)
            pushed = s.oracle.push(v)
            want, scale = np.sum(w * pushed), np.sum(np.abs(w * pushed)) + abs(g[index])
            error = ROUNDING * s.eps * scale + np.sum(np.abs(w) * np.abs(pushed.error)) * 10 + floor_of(s, np.abs(w))
            gap = abs(g[index] - want)
            if not np.isfinite(want) or not gap > error or is_lost(s, w, slot, gap):
                continue
            if _settled(s, w, v, float(g[index]), float(want)):
                element = f"d <seed, {s.output}> / d {indexed(s.labels[slot], index)}"
                raise s.fail(
                    "vjp(seed) is seed^T J", element=element, got=g[index], expected=want, source=s.oracle.source
                )


def one_hot_seeds(s: Subject) -> None:
    """One-hot seeds: every element of the Jacobian, relative to itself."""
    rows = rows_of(s)
    if rows is None:
        return
    for slot in s.slots:
        x = s.arrays[slot]
        for index in list(np.ndindex(x.shape))[:MOST_ROWS]:
            v: list[Any] = [None] * len(s.arrays)
            v[slot] = unit(x, index)
            pushed = s.oracle.push(v)
            column = np.array([row[slot][index] for row in rows]).reshape(s.value.shape)
            _compare_column(s, slot, index, column, pushed, v)


def _compare_column(s: Subject, slot: int, index: tuple[int, ...], got: Array, want: Any, v: Sequence[Any]) -> None:
    with np.errstate(all="ignore"):
        plain = np.asarray(want)
        floor = 0.0 if s.strict else 16 * s.eps * np.abs(s.value.astype(float))
        allowed = ROUNDING * s.eps * (np.abs(got) + np.abs(plain)) + 10 * want.error + floor + s.tiny
        wrong = ~(np.abs(got - plain) <= allowed) & np.isfinite(plain)
    for at in map(tuple, np.argwhere(wrong)):
        if np.isnan(got[at]) and np.any(np.isinf(got)):
            continue  # one slope of this column is infinite, and 0 * inf is NaN for the others
        w = unit(s.value, at).astype(s.value.dtype)
        if is_lost(s, w, slot, abs(got[at] - plain[at])) or is_explained(s, w, v, float(got[at]), float(plain[at])):
            continue
        element = f"d {indexed(s.output, at)} / d {indexed(s.labels[slot], index)}"
        if _meets_a_kink(s, w, v, float(got[at]), float(plain[at])):
            continue
        if s.oracle.is_smooth(v):
            law = "one-hot seeds: each element of the Jacobian"
            raise s.fail(law, element=element, got=got[at], expected=plain[at], source=s.oracle.source)
        if s.singular and not np.isfinite(got[at]):
            continue
        low, high = s.oracle.one_sided(v)
        if s.subgradients and not low[at] <= got[at] <= high[at]:
            nearest = low[at] if got[at] < low[at] else high[at]
            law = "at a kink the gradient lies between the one-sided derivatives"
            raise s.fail(law, element=element, got=got[at], expected=nearest, source="one-sided derivative")


def symmetry(s: Subject) -> None:
    """Second order: the derivative of the gradient is symmetric."""
    if s.jitter is not None or not s.slots or not s.value.size or not s.oracle.trusts_complex:
        return  # of a graph the gradient's own gradient is checked instead, which is more
    w = s.seed()
    u, v = s.direction(), s.direction()

    def gradient(arrays: Sequence[Array]) -> Array:
        gradients = s.vjp(arrays, w)
        return np.concatenate([np.ravel(or_zeros(gradients[slot], arrays[slot])) for slot in s.slots])

    second = Oracle(gradient, s.arrays, np.random.default_rng(s.random))
    if not second.trusts_complex:
        return
    flat_u, flat_v = (np.concatenate([np.ravel(d[slot]) for slot in s.slots]) for d in (u, v))
    with np.errstate(all="ignore"):
        left, right = flat_u * second.push(v), flat_v * second.push(u)
        got, want = float(np.sum(left)), float(np.sum(right))
        scale = float(np.sum(np.abs(left)) + np.sum(np.abs(right)))
    if not np.isfinite(got) or not np.isfinite(want):
        return
    allowed = ROUNDING * s.eps * scale + 64 * floor_of(s, np.abs(w))
    if abs(got - want) <= allowed or not _smooth_twice(s, second, u, v):
        return
    nearby = [_nudged_product(s, second, flat_u, v) for _ in range(8)]
    if abs(got - want) > 8 * (max(nearby) - min(nearby)):
        raise s.fail("<u, H v> = <v, H u>: a gradient has a symmetric derivative", got=got, expected=want)


def _nudged_product(s: Subject, second: Oracle, flat_u: Array, v: Sequence[Any]) -> float:
    moved = [nudge(x, s.rng) if x.dtype.kind == "f" else x for x in s.arrays]
    return float(np.sum(flat_u * second.at(moved).push(v)))


def _smooth_twice(s: Subject, second: Oracle, u: Sequence[Any], v: Sequence[Any]) -> bool:
    # At a kink of f, or of its gradient, the second derivative depends on the side and symmetry is not owed.
    return all(oracle.is_smooth(d) for oracle in (s.oracle, second) for d in (u, v))


LADDER = (contract, seed_laws, dot_test, one_hot_seeds, symmetry)


def compare(s: Subject, law: str, slot: int, got: Array, want: Array, weights: Array, source: str = "") -> None:
    """Two gradients, element by element, relative to the sum of the absolute terms under the seed `weights`."""
    with np.errstate(all="ignore"):
        scale = np.abs(got) + np.abs(want)
        wrong = ~(np.abs(got - want) <= ROUNDING * s.eps * scale + floor_of(s, weights)) & np.isfinite(want)
        wrong &= ~((got == want) | (np.isnan(got) & np.isnan(want)))
    if not np.any(wrong):
        return
    rows = rows_of(s)
    if rows is not None:
        # Terms that cancel: the tolerance is that of their absolute sum.
        terms = [w * np.abs(row[slot]) for w, row in zip(np.ravel(weights), rows, strict=True)]
        total = np.sum(np.reshape(terms, (-1, *got.shape)), axis=0)
        wrong &= ~(np.abs(got - want) <= ROUNDING * s.eps * total)
    if np.any(wrong):
        samples = [np.asarray(g[slot]) for g in jittered(s, np.asarray(weights, dtype=s.value.dtype))]
        spread = np.max(samples, axis=0) - np.min(samples, axis=0)
        wrong &= ~(np.abs(got - want) <= SCATTER * spread)
    for index in map(tuple, np.argwhere(wrong)):
        raise s.fail(law, element=_element(s, slot, index), got=got[index], expected=want[index], source=source)


def _element(s: Subject, slot: int, index: Any) -> str:
    return f"gradient with respect to {indexed(s.labels[slot], tuple(index))}"
