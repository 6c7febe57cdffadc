"""The smallest input at which a check still fails: fewer elements, then numbers that are 0, 1 or short."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from hypothesis import currently_in_test_context

from ..node import Array
from .failure import GradientFailure

# Checks an input; the failure if there is one.
Attempt = Callable[[Sequence[Array]], GradientFailure | None]
_SIMPLER: tuple[Callable[[Array], Array], ...] = (np.zeros_like, np.ones_like, np.round, lambda x: np.round(x, 1))
BUDGET = 200


def attempt(check: Callable[[Sequence[Array]], None]) -> Attempt:
    """`check`, giving what it raises."""

    def tried(arrays: Sequence[Array]) -> GradientFailure | None:
        try:
            check(arrays)
        except GradientFailure as failure:
            return failure
        return None

    return tried


def smallest(
    arrays: Sequence[Array], failure: GradientFailure, tried: Attempt, *, shapes: bool = False, budget: int = BUDGET
) -> GradientFailure:
    """The failure of the same law at the simplest of the inputs `tried`, at most `budget` of them.

    With `shapes` axes are shortened too, where there is one array alone. Inside a Hypothesis test the failure is given
    back as it is: there Hypothesis looks for the smallest input.
    """
    if currently_in_test_context():
        return failure
    found = _Search(list(arrays), failure, tried, budget)
    if shapes and len(arrays) == 1:
        found.shorten()
    found.simplify()
    return GradientFailure(found.failure.finding)


class _Search:
    def __init__(self, arrays: list[Array], failure: GradientFailure, tried: Attempt, budget: int) -> None:
        self.arrays, self.failure, self.tried, self.budget = arrays, failure, tried, budget

    def accepts(self, arrays: list[Array]) -> bool:
        """Whether the same law fails at `arrays`, which are then the smallest so far."""
        if self.budget <= 0:
            return False
        self.budget -= 1
        failure = self.tried(arrays)
        if failure is None or failure.finding.law != self.failure.finding.law:
            return False
        self.arrays, self.failure = arrays, failure
        return True

    def shorten(self) -> None:
        """Keep half of an axis, as often as that fails."""
        while any(self.accepts([half]) for half in _halves(self.arrays[0])):
            pass

    def simplify(self) -> None:
        """Put simpler numbers for all elements at once, then for half of them, down to each alone."""
        places = [(slot, i) for slot, x in enumerate(self.arrays) if x.dtype.kind == "f" for i in range(x.size)]
        for simpler in _SIMPLER:
            pending = [places]
            while pending and self.budget > 0:
                these = pending.pop()
                trial = self._with(these, simpler)
                if trial is None or self.accepts(trial) or len(these) < 2:
                    continue
                middle = len(these) // 2
                pending += [these[middle:], these[:middle]]

    def _with(self, places: Sequence[tuple[int, int]], simpler: Callable[[Array], Array]) -> list[Array] | None:
        """The arrays with simpler numbers at `places`; None if they are as simple there already."""
        trial = list(self.arrays)
        for slot in {slot for slot, _ in places}:
            flat = np.array(self.arrays[slot]).ravel()
            chosen = [i for s, i in places if s == slot and not _simple(flat[i], simpler)]
            flat[chosen] = simpler(flat[chosen])
            if chosen and not np.array_equal(flat, np.ravel(self.arrays[slot]), equal_nan=True):
                trial[slot] = flat.reshape(self.arrays[slot].shape)
        return None if all(mine is own for mine, own in zip(trial, self.arrays, strict=True)) else trial


def _simple(number: float, simpler: Callable[[Array], Array]) -> bool:
    """Whether `number` is at least as simple as what `simpler` makes of numbers: a 0 is not put back to 1."""
    return number == 0 or (simpler is not np.zeros_like and number == 1)


def _halves(x: Array) -> Iterator[Array]:
    for axis, size in enumerate(x.shape):
        if size > 1:
            for part in (slice(0, size // 2), slice(size // 2, size)):
                yield x[(slice(None),) * axis + (part,)]
