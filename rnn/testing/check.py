"""`check_bptt`: backpropagation through time, lag by lag.

A vanishing lag is lost in the gradient's sum: truncated BPTT agrees with BPTT to many digits, and every check that
compares gradients within a tolerance accepts it. So here each lag is made to show itself. The last loss of a sequence
of n steps is the first to hear of lag n - 1: the check goes through the lengths, shortest first, and demands each
element relative to its own size. It does so again on an impulse, a sequence that is zero but for its first step, where
the far past is all there is, and on weights scaled up until the far past matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.node import Array
from minigrad.testing.failure import Finding, GradientFailure, indexed
from minigrad.testing.laws import check, contract, seed_laws
from minigrad.testing.oracles import Estimate, Oracle
from minigrad.testing.rounding import ROUNDING
from minigrad.testing.smallest import attempt, smallest
from minigrad.testing.structure import gather
from minigrad.testing.subject import Subject
from minigrad.testing.written import code, line, name_of, reference

Loss = Callable[[Any, Any], Any]
Gradient = Callable[[Any, Any, Any], Any]

# What is left of the first step's signal after the last, below which a lag is not seen among the others' rounding.
_LOUD = 1e-6
_SIMPLER_INPUTS = 60
_SCALES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def check_bptt(
    loss: Loss,
    gradient: Gradient,
    xs: Any,
    params: Mapping[str, Any],
    *,
    seed: int = 0,
    rtol: float | None = None,
    shrink: bool = True,
) -> None:
    """Check the gradient of a recurrent net's losses, lag by lag; raises AssertionError naming the lag.

    `loss(xs, params)` gives the T losses of a sequence xs, (T, ...), under a dict of weights;
    `gradient(xs, params, seed)` is the vjp under test, a dict like params. Both must take sequences of any length up to
    T: xs[:n] has n losses. Loss t may depend on x_0 ... x_t only. The expected numbers come from the complex step (from
    a 6-point stencil where loss takes no complex arrays), and each element of each lag is held to its own size, within
    `rtol` (9e-13 in float64, or what the stencil can tell).

    The checks: shapes, dtypes and the laws of the seed; at each length n the last loss, which brings in lag n - 1; the
    same for an impulse at the first step; the same with weights scaled up where the net forgets too fast for its far
    lags to be seen; and the whole sequence under one seed. What fails is shown (`shrink`) by the shortest sequence and
    simple numbers.
    """
    __tracebackhide__ = True
    checked = _Bptt(loss, gradient, np.asarray(xs), params, seed, rtol)
    try:
        checked.run()
    except GradientFailure as failure:
        if not shrink:
            raise
        raise checked.smallest(failure) from None


@dataclass
class _Situation:
    """A sequence and weights under which some lag is loud."""

    name: str
    xs: Array
    arrays: list[Array]


class _Bptt:
    def __init__(
        self, loss: Loss, gradient: Gradient, xs: Array, params: Mapping[str, Any], seed: int, rtol: float | None
    ) -> None:
        self.loss, self.gradient, self.xs, self.params, self.seed = loss, gradient, xs, params, seed
        self.names = list(params)
        self.arrays = [np.asarray(params[name]) for name in self.names]
        self.floats = [slot for slot, a in enumerate(self.arrays) if a.dtype.kind == "f"]
        self.rtol = rtol
        if not self.floats or not len(xs):
            raise TypeError("check_bptt: expects at least one step and one float array among the weights")

    def run(self) -> None:
        """The whole check."""
        self.laws()
        for situation in self.situations():
            self.every_lag(situation)
        self.whole()

    def smallest(self, failure: GradientFailure) -> GradientFailure:
        """The same failure at simpler numbers, where it is one of a lag: the laws of the seed need none."""
        if "xs" not in failure.finding.inputs:
            return GradientFailure(failure.finding)
        xs, *arrays = failure.finding.inputs.values()
        known = [slot for slot, a in enumerate((xs, *arrays)) if a.dtype.kind == "f"]

        def run(simpler: Sequence[Array]) -> None:
            at = [xs, *arrays]
            for slot, a in zip(known, simpler, strict=True):
                at[slot] = a
            params = dict(zip(self.names, at[1:], strict=True))
            _Bptt(self.loss, self.gradient, at[0], params, self.seed, self.rtol).run()

        given = [(xs, *arrays)[slot] for slot in known]
        return smallest(given, failure, attempt(run), budget=_SIMPLER_INPUTS)

    def losses(self, xs: Array, arrays: Sequence[Array]) -> Array:
        return np.asarray(self.loss(xs, dict(zip(self.names, arrays, strict=True))))

    def pull(self, xs: Array, arrays: Sequence[Array], w: Array) -> list[Any]:
        given = self.gradient(xs, dict(zip(self.names, arrays, strict=True)), w)
        return gather(given, self.params, self.names)

    def subject(self, xs: Array, arrays: Sequence[Array]) -> Subject:
        return Subject(
            name=name_of(self.loss),
            labels=self.names,
            arrays=arrays,
            f=lambda values: self.losses(xs, values),
            vjp=lambda values, w: self.pull(xs, values, w),
            reproduce=lambda: self._reproduce(xs, arrays),
            output="loss",
            random=self.seed,
        )

    def _reproduce(self, xs: Array, arrays: Sequence[Array]) -> str:
        loss, gradient = reference(self.loss, "loss"), reference(self.gradient, "gradient")
        params = ", ".join(f"{n!r}: {code(a)}" for n, a in zip(self.names, arrays, strict=True))
        options = "".join([f", seed={self.seed}" if self.seed else "", f", rtol={self.rtol}" if self.rtol else ""])
        call = f"check_bptt({loss.expression}, {gradient.expression}, {code(xs)}, {{{params}}}{options})"
        return line([call], "check_bptt", of=(loss, gradient), home="rnn.testing")

    def laws(self) -> None:
        """Shapes, dtypes, and the laws of the seed, on a short sequence."""
        short = self.xs[: min(len(self.xs), 3)]
        s = self.subject(short, self.arrays)
        if s.value.shape != (len(short),):
            raise s.fail("one loss a step", detail=f"expects losses of shape ({len(short)},), got {s.value.shape}")
        check(s, laws=(contract, seed_laws))

    def situations(self) -> list[_Situation]:
        """An impulse at the first step; xs itself; and, where x_0 dies out, weights scaled up until it does not."""
        impulse = np.zeros_like(self.xs)
        impulse[0] = np.where(self.xs[0] == 0, 1, self.xs[0])
        # First the impulse: of the input's weights it leaves one lag at a time, so that the lag named is the right one.
        found = [_Situation("after an impulse", impulse, self.arrays), _Situation("", self.xs, self.arrays)]
        loudness = [(self._loudness(self._scaled(factor)), factor) for factor in _SCALES]
        if loudness[0][0] < _LOUD and len(self.xs) > 2:
            best = max(loudness)[1]
            if best != 1:
                found.append(_Situation(f"with the weights times {best:g}", self.xs, self._scaled(best)))
        return found

    def _scaled(self, factor: float) -> list[Array]:
        return [(a * factor).astype(a.dtype) if a.dtype.kind == "f" and a.ndim != 1 else a for a in self.arrays]

    def _loudness(self, arrays: Sequence[Array]) -> float:
        """How much of a change of x_0 is heard in the last loss, relative to the same change of the last x."""
        if self.xs.dtype.kind != "f":
            return 0.0
        oracle = Oracle(lambda xs: self.losses(xs[0], arrays)[-1:], [self.xs], np.random.default_rng(self.seed))
        sizes = []
        for step in (0, -1):
            direction = np.zeros(self.xs.shape)
            direction[step] = np.random.default_rng(self.seed).uniform(0.5, 1, self.xs.shape[1:])
            with np.errstate(all="ignore"):
                sizes.append(float(np.max(np.abs(oracle.push([direction])))))
        return min(sizes[0] / sizes[1], sizes[1] / sizes[0]) if all(sizes) and np.all(np.isfinite(sizes)) else 0.0

    def every_lag(self, situation: _Situation) -> None:
        """The last loss of each length: of n steps, it is the first to hear of lag n - 1."""
        # Whether the losses carry complex numbers is asked of the whole sequence, once.
        oracle = self.subject(situation.xs, situation.arrays).oracle
        for n in range(1, len(situation.xs) + 1):
            self._last_loss(situation, n, oracle)

    def _last_loss(self, situation: _Situation, n: int, oracle: Oracle) -> None:
        xs, arrays = situation.xs[:n], situation.arrays
        s = self.subject(xs, arrays)
        s.oracle = oracle.at(arrays, s.f)
        w = np.zeros_like(s.value)
        w[-1] = 1
        with np.errstate(all="ignore"):
            got = s.pull(w)
            # One random direction first: only where it disagrees is every element looked at.
            v = s.direction()
            along = s.oracle.push(v)
            pushed = along[-1]
            mine = [got[slot] * v[slot] for slot in self.floats]
            scale = abs(pushed) + sum(float(np.sum(np.abs(term))) for term in mine)
            gap = abs(sum(float(np.sum(term)) for term in mine) - pushed)
            if not gap > self._allowed(s, scale, along.error[-1]):
                return
            self._name_the_element(s, got, situation, n)

    def _name_the_element(self, s: Subject, got: list[Any], situation: _Situation, n: int) -> None:
        wrong = []
        for slot in self.floats:
            for index in list(np.ndindex(s.arrays[slot].shape))[:256]:
                along: list[Any] = [None] * len(s.arrays)
                along[slot] = np.zeros(s.arrays[slot].shape)
                along[slot][index] = 1
                pushed: Estimate = s.oracle.push(along)
                mine, want = float(got[slot][index]), float(pushed[-1])
                ratio = abs(mine - want) / (self._allowed(s, abs(mine) + abs(want), pushed.error[-1]) or 1e-300)
                if ratio > 1:
                    wrong.append((ratio, slot, index, mine, want))
        for _, slot, index, mine, want in sorted(wrong, key=lambda found: -found[0]):
            if not self._is_noise(s, slot, index, mine - want):
                raise GradientFailure(self._finding(s, situation, n, (slot, index), mine, want))

    def _finding(
        self, s: Subject, situation: _Situation, n: int, where: tuple[int, tuple[int, ...]], got: float, want: float
    ) -> Finding:
        slot, index = where
        element = f"d loss[{n - 1}] / d {indexed(self.names[slot], index)}"
        # A weight whose first use meets the state 0 (the recurrent ones) is heard of a step later than the others.
        lag = n - 1 if n == 1 or self._counts_at_once(slot, situation) else n - 2
        law = f"lag {lag} is missing or wrong: shorter sequences agree"
        inputs = {"xs": situation.xs[:n], **dict(zip(self.names, s.arrays, strict=True))}
        reproduce = self._reproduce(situation.xs[:n], s.arrays)
        return Finding(s.name, law, inputs, element, got, want, s.oracle.source, situation.name, reproduce)

    def _counts_at_once(self, slot: int, situation: _Situation) -> bool:
        s = self.subject(situation.xs[:1], situation.arrays)
        along: list[Any] = [None] * len(s.arrays)
        along[slot] = np.random.default_rng(self.seed).uniform(0.5, 1, s.arrays[slot].shape)
        return bool(np.any(s.oracle.push(along)))

    def _is_noise(self, s: Subject, slot: int, index: tuple[int, ...], gap: float) -> bool:
        """Whether moving the weights by their last digits moves this element as much."""
        w = np.zeros_like(s.value)
        w[-1] = 1
        rng = np.random.default_rng(self.seed)
        values = []
        for _ in range(6):
            moved = [
                a * (1 + np.finfo(a.dtype).eps * rng.integers(-2, 3, a.shape)).astype(a.dtype)
                if a.dtype.kind == "f"
                else a
                for a in s.arrays
            ]
            values.append(float(np.asarray(s.vjp(moved, w)[slot])[index]))
        return abs(gap) <= 8 * (max(values) - min(values))

    def _allowed(self, s: Subject, scale: Any, error: Any) -> float:
        return float((ROUNDING * s.eps if self.rtol is None else self.rtol) * scale + 10 * error)

    def whole(self) -> None:
        """The full sequence under one seed for all losses, by the dot test."""
        s = self.subject(self.xs, self.arrays)
        w, v = s.seed(), s.direction()
        with np.errstate(all="ignore"):
            got_terms = [g * d for g, d in zip(s.pull(w), v, strict=True) if d is not None]
            pushed = s.oracle.push(v)
            got, want = float(sum(np.sum(term) for term in got_terms)), float(np.sum(w * pushed))
            scale = float(sum(np.sum(np.abs(term)) for term in got_terms) + np.sum(np.abs(w * pushed)))
        if abs(got - want) > self._allowed(s, scale, np.sum(np.abs(w) * pushed.error)):
            raise s.fail("<seed, J v> = <gradient(seed), v> over all losses", got=got, expected=want)
