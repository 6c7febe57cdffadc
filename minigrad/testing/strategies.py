"""Hypothesis strategies for arrays and shapes in which the inputs that break gradients are frequent by construction.

Random continuous numbers never tie, are never zero, never saturate and always lie contiguous in memory; a scatter that
overwrites, a tie counted twice or a rule that reads the wrong stride passes on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..node import Array, Shape

# Whole numbers first: that is what a failing input shrinks to.
_NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.integers(-3000, 3000).map(lambda n: n / 1024))
_POSITIVE = st.one_of(st.integers(1, 3).map(float), st.integers(1, 4096).map(lambda n: n / 1024))
_UNIT = st.integers(-1000, 1000).map(lambda n: n / 1024)
_ABOVE_ONE = st.integers(1025, 5000).map(lambda n: n / 1024)

# Where a function may be asked, and the values that are degenerate there.
DOMAINS: dict[str, tuple[st.SearchStrategy[float], tuple[float, ...]]] = {
    "real": (_NUMBERS, (0.0, 1.0, -1.0, -0.0, 40.0, -40.0, 800.0, -800.0)),
    "positive": (_POSITIVE, (1.0, 1e-8, 2.0, 40.0, 800.0)),
    "unit": (_UNIT, (0.0, 0.5, -0.5, -0.0)),
    "above one": (_ABOVE_ONE, (2.0, 40.0, 800.0)),
}


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> st.SearchStrategy[Shape]:
    """Shapes with sizes 0 and 1 among them, () first.

    >>> from hypothesis import find
    >>> find(shapes(), lambda shape: len(shape) == 2)
    (1, 1)
    """
    # Shrinking goes to size 1 before size 0: the smallest failing array should still have an element if it can. And an
    # empty array hides whatever else is wrong with it, so 0 is one size in six.
    side = st.sampled_from([n for n in (1, 2, 3, 2, 3, 0, *range(4, max_side + 1)) if min_side <= n <= max_side])
    return st.lists(side, min_size=min_dims, max_size=max_dims).map(tuple)


@st.composite
def broadcastable_shapes(
    draw: st.DrawFn, count: int = 2, max_dims: int = 3, min_side: int = 0, max_side: int = 3
) -> tuple[Shape, ...]:
    """`count` shapes that broadcast together: axes of size 1 and missing leading axes where a larger one stands.

    >>> from hypothesis import find
    >>> pair = find(broadcastable_shapes(), lambda pair: pair[0] != pair[1] and len(pair[0]) == len(pair[1]) == 2)
    >>> len(np.broadcast_shapes(*pair))
    2
    """
    joint = draw(shapes(0, max_dims, min_side, max_side))
    result = []
    for _ in range(count):
        kept = draw(st.integers(0, len(joint)).map(lambda dropped: joint[dropped:]))
        ones = draw(st.lists(st.booleans(), min_size=len(kept), max_size=len(kept)))
        result.append(tuple([1 if one else size for size, one in zip(kept, ones, strict=True)]))
    return tuple(result)


@st.composite
def arrays(
    draw: st.DrawFn,
    shape: int | Shape | st.SearchStrategy[Shape] | None = None,
    dtype: Any = float,
    *,
    domain: str = "real",
    elements: st.SearchStrategy[Any] | None = None,
    layouts: bool = True,
) -> Array:
    """Arrays of `shape` (any small one by default), often degenerate.

    By construction: all equal, ties, zeros of both signs, saturation (40 and 800 in size), sizes 0 and 1, 0-d; and,
    with `layouts`, Fortran order, reversed, gapped and stride-0 memory, read-only. `dtype` is a float, integer or bool
    dtype; `domain` is one of "real", "positive", "unit" (inside (-1, 1)) and "above one"; `elements` replaces these.

    >>> from hypothesis import find
    >>> find(arrays(shape=(2,)), lambda x: x[0] == x[1] != 0)
    array([1., 1.])
    """
    if shape is None:
        shape = shapes(max_side=3)
    sizes = draw(shape) if isinstance(shape, st.SearchStrategy) else ((shape,) if isinstance(shape, int) else shape)
    kind = np.dtype(dtype)
    values = _values(draw, int(np.prod(sizes)), kind, domain, elements)
    array = np.array(values, dtype=kind).reshape(sizes)
    return laid_out(array, draw(st.sampled_from(LAYOUTS))) if layouts else array


def _values(
    draw: st.DrawFn, count: int, dtype: np.dtype[Any], domain: str, elements: st.SearchStrategy[Any] | None
) -> list[Any]:
    if elements is not None:
        return draw(st.lists(elements, min_size=count, max_size=count))
    if dtype.kind == "b":
        return draw(st.lists(st.booleans(), min_size=count, max_size=count))
    if dtype.kind in "iu":
        low = -3 if dtype.kind == "i" else 0
        return draw(st.lists(st.integers(low, 3), min_size=count, max_size=count))
    plain, special = DOMAINS[domain]
    pool = draw(st.sampled_from(("plain", "equal", "ties", "mixed")))
    if pool == "equal":
        return [draw(st.one_of(st.sampled_from(special), plain))] * count
    if pool == "ties":
        two = [draw(plain), draw(st.sampled_from(special))]
        return draw(st.lists(st.sampled_from(two), min_size=count, max_size=count))
    member = plain if pool == "plain" else st.one_of(plain, st.sampled_from(special))
    return draw(st.lists(member, min_size=count, max_size=count))


def _gapped(x: Array) -> Array:
    return np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x


def _repeated(x: Array) -> Array:
    return np.broadcast_to(x[:1], x.shape) if x.ndim and x.size else x


def _read_only(x: Array) -> Array:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


_LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "plain": lambda x: x,
    "read-only": _read_only,
    "fortran": lambda x: np.array(x, order="F"),
    "reversed": lambda x: np.flip(np.flip(x).copy()),
    "gapped": _gapped,
    "stride 0": _repeated,
}
LAYOUTS: Sequence[str] = tuple(_LAYOUTS)


def laid_out(x: Array, layout: str) -> Array:
    """x in another memory layout: one of `LAYOUTS`. "stride 0" repeats the first entry along the first axis.

    >>> import numpy as np
    >>> laid_out(np.array([1.0, 2.0, 3.0]), "reversed").strides
    (-8,)
    """
    return _LAYOUTS[layout](x)
