"""Cases for the engine's own ops, one composite strategy an op or a few of one kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..node import Array, Shape
from .cases import Case, cases_for
from .strategies import arrays, broadcastable_shapes, shapes


@cases_for("add_n")
def _add_n(draw: st.DrawFn) -> Case:
    return Case(tuple([draw(arrays(s)) for s in draw(broadcastable_shapes(draw(st.integers(2, 4)), 2))]), {})


@cases_for("clip")
def _clip(draw: st.DrawFn) -> Case:
    # Bounds that coincide make three kinks of one point; the policy there is a row of its own.
    x, low, width = (
        draw(arrays(s, domain=d))
        for s, d in zip(draw(broadcastable_shapes(3, 2)), ("real", "unit", "positive"), strict=True)
    )
    return Case((x, low, low + np.maximum(np.max(width, initial=0.5), 0.5)), {})


@cases_for("floor_divide", "remainder", "fmod")
def _division(draw: st.DrawFn) -> Case:
    # A tiny divisor makes stairs too fine for any difference to see that they are flat.
    x, y = draw(broadcastable_shapes(2, 2))
    divisor = draw(arrays(y, elements=st.sampled_from((1.0, 2.0, -1.0, 0.75, -1.5))))
    return Case((draw(arrays(x, elements=st.sampled_from((0.0, 1.0, 1.3, -1.9, 2.6, 0.4, -3.7, 5.1)))), divisor), {})


def _sides(draw: st.DrawFn, count: int) -> list[int]:
    """Sizes that are often all equal, so that one array fits in several places, and seldom 0, which hides the rest."""
    side = st.sampled_from((2, 1, 3, 2, 3, 0))
    return [draw(side)] * count if draw(st.booleans()) else [draw(side) for _ in range(count)]


def _axes(draw: st.DrawFn, rank: int) -> tuple[int, ...]:
    return tuple([axis for axis in range(rank) if draw(st.booleans())])


def _float_array(draw: st.DrawFn, shape: Any, domain: str = "real") -> Array:
    dtype = draw(st.sampled_from((np.float64, np.float64, np.float64, np.float32)))
    array: Array = draw(arrays(shape, dtype, domain=domain))
    return array


@cases_for("sum")
def _reduction(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 0, 3))
    return Case((x,), {"axes": _axes(draw, x.ndim), "keepdims": draw(st.booleans())})


@cases_for("logsumexp", "norm", "max", "min")
def _nonempty_reduction(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 1, 3))
    return Case((x,), {"axes": _axes(draw, x.ndim), "keepdims": draw(st.booleans())})


@cases_for("broadcast_to")
def _broadcast_to(draw: st.DrawFn) -> Case:
    small, other = draw(broadcastable_shapes(2))
    return Case((_float_array(draw, small),), {"shape": np.broadcast_shapes(small, other)})


@cases_for("reshape")
def _reshape(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 0, 3))
    choices = [(x.size,), x.shape[::-1], (1, *x.shape), (*x.shape, 1), x.shape]
    if x.size == 1:
        choices.append(())
    return Case((x,), {"shape": draw(st.sampled_from(choices))})


@cases_for("transpose")
def _transpose(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 0, 3))
    return Case((x,), {"axes": tuple(draw(st.permutations(range(x.ndim))))})


def _index(draw: st.DrawFn, shape: Shape) -> tuple[Any, ...]:
    entries: list[Any] = []
    for size in shape:
        if size and draw(st.booleans()):
            entries.append(draw(st.integers(0, size - 1)))
        else:
            bounds = st.one_of(st.none(), st.integers(-size - 1, size + 1))
            step = draw(st.sampled_from((1, 2, -1, -2)))
            entries.append(slice(draw(bounds), draw(bounds), step).indices(size))
    return tuple(entries)


@cases_for("slice")
def _slice(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(0, 3, 0, 4))
    return Case((x,), {"index": _index(draw, x.shape)})


@cases_for("place")
def _place(draw: st.DrawFn) -> Case:
    shape = draw(shapes(0, 3, 0, 4))
    index = _index(draw, shape)
    inner = tuple([len(range(*entry)) for entry in index if isinstance(entry, tuple)])
    return Case((_float_array(draw, inner),), {"shape": shape, "index": index})


@cases_for("concat")
def _concat(draw: st.DrawFn) -> Case:
    shape = draw(shapes(1, 3, 0, 3))
    axis = draw(st.integers(0, len(shape) - 1))
    sizes = draw(st.lists(st.integers(0, 2), min_size=1, max_size=3))
    args = [draw(arrays((*shape[:axis], size, *shape[axis + 1 :]))) for size in sizes]
    return Case(tuple(args), {"axis": axis})


@cases_for("matmul")
def _matmul(draw: st.DrawFn) -> Case:
    n, k, m = _sides(draw, 3)
    left, right = draw(broadcastable_shapes(2, max_dims=1))
    dtype = draw(st.sampled_from((np.float64, np.float64, np.float64, np.float32)))
    return Case((draw(arrays((*left, n, k), dtype)), draw(arrays((*right, k, m), dtype))), {})


@cases_for("where")
def _where(draw: st.DrawFn) -> Case:
    condition, x, y = draw(broadcastable_shapes(3, max_dims=2))
    return Case((draw(arrays(condition, bool)), draw(arrays(x)), draw(arrays(y))), {})


@cases_for("cast")
def _cast(draw: st.DrawFn) -> Case:
    source, target = draw(st.permutations((np.float64, np.float32)))
    return Case((draw(arrays(shapes(0, 2, 0, 3), source)),), {"dtype": np.dtype(target)})


@cases_for("cross_entropy")
def _cross_entropy(draw: st.DrawFn) -> Case:
    shape = draw(shapes(0, 2, 0, 2))
    classes = draw(st.integers(1, 4))
    labels = draw(arrays(shape, int, elements=st.integers(0, classes - 1)))
    return Case((_float_array(draw, (*shape, classes)), labels), {})


@cases_for("einsum")
def _einsum(draw: st.DrawFn) -> Case:
    forms = (
        (("ij", "jk"), "ik"),
        (("ij", "jk"), "ki"),
        (("i", "i"), ""),
        (("i", "j"), "ij"),
        (("ij", "ij", "ij"), "j"),
        (("bij", "bjk"), "bik"),
        (("ij", "j", "jk"), "ki"),
    )
    labels, out = draw(st.sampled_from(forms))
    letters = sorted(set("".join(labels)))
    sizes = dict(zip(letters, _sides(draw, len(letters)), strict=True))
    args = tuple([draw(arrays(tuple([sizes[label] for label in own]))) for own in labels])
    return Case(args, {"labels": labels, "out": out})


@cases_for("cumsum")
def _cumsum(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(1, 3, 0, 3))
    return Case((x,), {"axis": draw(st.integers(0, x.ndim - 1)), "reverse": draw(st.booleans())})


def _positions(draw: st.DrawFn, shape: Shape, lead: int) -> tuple[Array, ...]:
    """Index arrays that broadcast together; few positions, so that repeats are the rule."""
    count = draw(st.integers(1, len(shape) - lead))
    joint = draw(st.sampled_from(((2,), (3,), (2, 2), (1,), (4,), (), (0,))))
    sizes = shape[lead : lead + count]
    return tuple([draw(arrays(joint, int, elements=st.integers(-n, n - 1))) for n in sizes])


@cases_for("gather")
def _gather(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(1, 3, 1, 3))
    lead = draw(st.integers(0, x.ndim - 1))
    return Case((x, *_positions(draw, x.shape, lead)), {"lead": lead})


@cases_for("scatter_add")
def _scatter_add(draw: st.DrawFn) -> Case:
    shape = draw(shapes(1, 3, 1, 3))
    lead = draw(st.integers(0, len(shape) - 1))
    indices = _positions(draw, shape, lead)
    joint = np.broadcast_shapes(*(index.shape for index in indices))
    x = _float_array(draw, (*shape[:lead], *joint, *shape[lead + len(indices) :]))
    return Case((x, *indices), {"shape": shape, "lead": lead})


@cases_for("recurrence")
def _recurrence(draw: st.DrawFn) -> Case:
    size = draw(st.sampled_from((1, 2, 3, 0)))
    left, right = draw(broadcastable_shapes(2, max_dims=1))
    args = draw(arrays((*left, size), domain="unit")), draw(arrays((*right, size)))
    return Case(args, {"reverse": draw(st.booleans())})


@cases_for("cumprod")
def _cumprod(draw: st.DrawFn) -> Case:
    return Case((_float_array(draw, shapes(1, 2, 0, 4)),), {"reverse": draw(st.booleans())})


@cases_for("prod")
def _prod(draw: st.DrawFn) -> Case:
    return Case((_float_array(draw, shapes(1, 2, 0, 4)),), {})


@cases_for("argmax", "argmin")
def _position(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(1, 2, 1, 3))
    return Case((x,), {"axis": draw(st.integers(0, x.ndim - 1)), "keepdims": draw(st.booleans())})


@cases_for("argsort")
def _order(draw: st.DrawFn) -> Case:
    x = _float_array(draw, shapes(1, 2, 0, 3))
    return Case((x,), {"axis": draw(st.integers(0, x.ndim - 1))})
