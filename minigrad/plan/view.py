"""Where a value lies: a strided window on a buffer, and the arithmetic that NumPy's views would do on it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from ..node import Shape


class View(NamedTuple):
    """A strided window: `buffer` is a number, `offset` and `strides` are in bytes."""

    buffer: int
    offset: int
    shape: Shape
    strides: tuple[int, ...]

    def transposed(self, axes: tuple[int, ...]) -> View:
        """The axes permuted."""
        return View(
            self.buffer, self.offset, tuple([self.shape[a] for a in axes]), tuple([self.strides[a] for a in axes])
        )

    def sliced(self, index: tuple[Any, ...]) -> View:
        """Basic indexing, one entry an axis, as the op `slice` spells it."""
        offset = self.offset
        shape = []
        strides = []
        for entry, stride in zip(index, self.strides, strict=True):
            if isinstance(entry, int):
                offset += entry * stride
                continue
            length = len(range(*entry))
            if length:
                offset += entry[0] * stride
            shape.append(length)
            strides.append(entry[2] * stride)
        return View(self.buffer, offset, tuple(shape), tuple(strides))

    def broadcast(self, shape: Shape) -> View:
        """Repeated along new and size-1 axes."""
        lead = len(shape) - len(self.shape)
        strides = [
            0 if old == 1 != new else stride
            for old, new, stride in zip(self.shape, shape[lead:], self.strides, strict=True)
        ]
        return View(self.buffer, self.offset, shape, (0,) * lead + tuple(strides))

    def reshaped(self, shape: Shape) -> View | None:
        """The same elements in C order under another shape, or None if no strides can say that."""
        strides = reshaped_strides(self.shape, self.strides, shape)
        return None if strides is None else View(self.buffer, self.offset, shape, strides)

    def stacked(self, counts: tuple[int, ...], steps: tuple[int, ...]) -> View:
        """Many such windows: new leading axes of `counts`, `steps` bytes apart."""
        return View(self.buffer, self.offset, counts + self.shape, steps + self.strides)


def dense(buffer: int, offset: int, shape: Shape, itemsize: int) -> View:
    """A window in C order without gaps."""
    return View(buffer, offset, shape, _dense_strides(shape, itemsize))


@lru_cache(maxsize=64)
def _dense_strides(shape: Shape, itemsize: int) -> tuple[int, ...]:
    strides = []
    step = itemsize
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def reshaped_strides(old: Shape, old_strides: tuple[int, ...], new: Shape) -> tuple[int, ...] | None:
    """Strides that show an array under a new shape without a copy, or None."""
    if 0 in old:
        return (0,) * len(new)
    axes = [(size, stride) for size, stride in zip(old, old_strides, strict=True) if size != 1]
    strides = [0] * len(new)
    at = len(new) - 1
    # From the last axis: runs of old axes that lie densely in each other are one run of elements.
    while axes:
        size, stride = axes.pop()
        total, step = size, stride
        while axes and axes[-1][1] == total * step:
            total *= axes.pop()[0]
        while total > 1:
            while at >= 0 and new[at] == 1:
                at -= 1
            if at < 0 or total % new[at]:
                return None
            strides[at] = step
            step *= new[at]
            total //= new[at]
            at -= 1
    return tuple(strides)


def coalesced(views: list[View]) -> list[View]:
    """The same windows with as few axes as can be, size-1 axes dropped and dense ones joined; one axis at least.

    All have one shape, and axes are joined only where they can be in every window.
    """
    shape = views[0].shape
    order = [axis for axis, size in enumerate(shape) if size != 1]
    groups: list[list[int]] = []
    for axis in order:
        if groups and all(view.strides[groups[-1][-1]] == view.strides[axis] * shape[axis] for view in views):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    new_shape = tuple([_product(shape[a] for a in group) for group in groups]) or (1,)
    return [
        View(view.buffer, view.offset, new_shape, tuple([view.strides[group[-1]] for group in groups]) or (0,))
        for view in views
    ]


def _product(sizes: Any) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
