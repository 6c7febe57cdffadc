"""What passes rewrite keeps its value: terms that look alike and are not, sums of several dtypes and shapes, numbers
too large to regroup, and results laid where something else still stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import minigrad as mg
import rnn
from minigrad.ops.core import REGISTRY
from minigrad.plan.passes import PASSES


def assert_as_run(inputs: Sequence[mg.Node], outputs: Sequence[mg.Node], passes: Any = PASSES) -> None:
    """A plan's results are those of `run`, to a few ulps, on arrays drawn from a normal distribution."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(x.shape).astype(x.dtype) for x in inputs]
    reference = mg.run(outputs, dict(zip(inputs, arrays, strict=True)))
    compiled = mg.function(inputs, outputs, passes=passes)
    for node, *results in zip(outputs, compiled(*arrays), compiled(*arrays), strict=True):
        assert all(got.dtype == node.dtype for got in results)
        rtol = 200 * np.finfo(node.dtype).eps if node.dtype.kind == "f" else 0
        np.testing.assert_allclose(results, [reference[node]] * 2, rtol=rtol, atol=1e-14)


def test_a_constant_may_be_an_input() -> None:
    c = mg.constant([1.0, 2.0])
    f = mg.function([c], [c * 2.0, mg.constant([1.0, 2.0]) * 2.0])
    assert np.array_equal(f([5.0, 6.0]), [[10.0, 12.0], [2.0, 4.0]])


@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM, rnn.GRU])
def test_float32_data_for_float64_weights(cell: Any) -> None:
    x = mg.input((5, 3, 4), dtype=np.float32)
    model = cell(4, 5, rng=0)
    unrolled = rnn.unroll(model, x)
    loss = mg.sum(unrolled.outputs * unrolled.outputs)
    assert_as_run([x], [loss, *mg.grad(loss, list(model.parameters.values()))])


@pytest.mark.parametrize("other", [lambda x, y: y.T @ y, lambda x, y: y[0], lambda x, y: mg.stack([x, x])])
@pytest.mark.parametrize(
    "part", [lambda x: x.sum(axis=0), lambda x: x.T @ x, lambda x: (x.T @ x).T, lambda x: (x.T @ x).sum(axis=0)]
)
def test_a_sum_of_several_dtypes_or_shapes(part: Any, other: Any) -> None:
    xs = [mg.input((3, 3), dtype=np.float32) for _ in range(4)]
    y = mg.input((3, 3))
    total = mg.ops.add_n(*[part(x) for x in xs], other(xs[0], y))
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(x.shape).astype(x.dtype) for x in (*xs, y)]
    got = mg.function([*xs, y], total)(*arrays)
    assert (got.shape, got.dtype) == (total.shape, total.dtype)
    np.testing.assert_allclose(got, total.eval(dict(zip((*xs, y), arrays, strict=True))), rtol=1e-5, atol=1e-5)


_TURNS = [(0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)]


def test_a_sum_joins_only_what_is_alike() -> None:
    x = mg.input((4, 3, 3))
    parts: list[Any] = [
        # Reductions over other axes, of other shapes, with and without the axes.
        [np.sum(np.cos(x * k), axis=1 + k % 2) for k in range(6)],
        [np.sum(np.cos(x[: 1 + k % 2]), axis=0) for k in range(6)],
        [np.sum(np.cos(x[0] * k), axis=0, keepdims=k % 2 == 0) for k in range(6)],
        [np.sum(x > k / 4, axis=0) for k in range(6)],
        # Products of many matrices, and of matrices of several lengths.
        [np.cos(x * k) @ x for k in range(4)],
        [np.cos(x[0] * k)[:, : 1 + k % 2] @ x[1, : 1 + k % 2] for k in range(6)],
        # Views that turn what is alike another way each.
        [np.sum(np.cos(np.stack([x[:3]] * 2) * k), axis=0).transpose(axes) for k, axes in enumerate(_TURNS)],
        [turned if k % 2 else turned.T for k, turned in enumerate(np.cos(x[0] * k) @ x[1] for k in range(6))],
        [
            np.reshape(
                mg.ops.place(np.cos(x[0, :rows, :2]), shape=shape, index=((start, start + rows, 1), (0, 2, 1))), 6
            )
            for rows, start, shape in ((1, 0, (2, 3)), (2, 1, (3, 2)))
        ],
    ]
    for several in parts:
        assert_as_run([x], [mg.ops.add_n(*several)])


@pytest.mark.parametrize(
    "windows",
    [
        [np.s_[:3], np.s_[2:]],
        [np.s_[:9], np.s_[2:5], np.s_[5:]],
        [np.s_[0:6:2], np.s_[6:12:2]],
        [np.s_[6:12:2], np.s_[:3], np.s_[3:6]],
        [np.s_[:3], np.s_[5:9]],
        [np.s_[:6, 0], np.s_[6:, 1]],
        [np.s_[5::-1], np.s_[:5:-1]],
        [np.s_[:, 0], np.s_[:6, 1], np.s_[6:, 1]],
    ],
)
def test_gradients_of_parts_that_overlap_or_step(windows: Any) -> None:
    x = mg.input((12, 2))
    loss = mg.ops.add_n(*[mg.sum(np.sin(x[window] * (k + 1))) for k, window in enumerate(windows)])
    assert_as_run([x], [mg.grad(loss, x)])


def test_slopes_before_their_sigmoids_and_of_whole_numbers() -> None:
    x, y, n = mg.input((4,)), mg.input((4,)), mg.input((4,), dtype=np.uint8)
    outputs = [op(node) for node in (y, n) for op in (mg.sigmoid, mg.ops.sigmoid_slope)]
    assert_as_run([x, y, n], [*outputs, mg.ops.sigmoid_slope(x), mg.sigmoid(x)])


def test_views_under_a_sum_may_be_many() -> None:
    xs = [mg.input((3, 4)) for _ in range(4)]
    parts = []
    for x in xs:
        part = x @ np.eye(4)
        for _ in range(1000):
            part = mg.reshape(part.T, (3, 4))
        parts.append(part)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        assert_as_run(xs, [mg.ops.add_n(*parts)])
    finally:
        sys.setrecursionlimit(limit)


@pytest.fixture
def shown() -> Iterator[Any]:
    """An op of one parameter, which it tells from every other one."""

    class Shown(mg.Op):
        name = "shown"
        latex = "{0}"

        def kernel(self, x: Any, *, parameter: Any) -> Any:
            return x + sum(repr(parameter).encode())

        def shape(self, x: mg.Shape, *, parameter: Any) -> mg.Shape:
            return x

    yield Shown()
    del REGISTRY["shown"]


@pytest.mark.parametrize("passes", [PASSES, ()])
def test_parameters_that_are_equal_need_not_be_the_same(shown: Any, passes: Any) -> None:
    x = mg.input((3,))
    parameters = [0, 0.0, -0.0, False, (1,), (True,), float("nan"), float("nan"), [1], [2], np.zeros(2)]
    assert_as_run([x], [shown(x, parameter=parameter) for parameter in parameters], passes)


def test_equal_parameters_are_computed_once(shown: Any) -> None:
    x = mg.input((3,))
    f = mg.function([x], [shown(x, parameter=(1, 2.0)) for _ in range(3)])
    assert len(f.calls) == 1


def test_a_factor_is_taken_to_be_small_only_where_it_is() -> None:
    # The second factor is at most 1 as long as x is at most 1e6, which a call has to look after.
    w, x, h = (mg.input(shape, dtype=np.float32) for shape in ((6, 4), (6, 4), (4,)))
    products, state = [], h
    for t in range(6):
        products.append((state * (w[t] * np.float32(1e6))) * (x[t] * np.float32(9e-7)))
        state = mg.tanh(products[-1]) / np.float32(1e30)
    f = mg.function([w, x, h], products)
    for size in (1.0, 1e34):
        arrays = [np.full(node.shape, value, np.float32) for node, value in ((w, 1e6), (x, size), (h, 1e-30))]
        reference = mg.run(products, dict(zip((w, x, h), arrays, strict=True)))
        for node, got in zip(products, f(*arrays), strict=True):
            assert np.isfinite(reference[node]).all()
            np.testing.assert_allclose(got, reference[node], rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_regrouped_only_of_what_is_bounded_and_of_one_dtype(dtype: Any) -> None:
    x, w = mg.input((6, 4), dtype=np.float32), mg.input((6, 4), dtype=dtype)
    state, products = mg.constant(np.ones(4, np.float32)), []
    for t in range(6):
        factor = np.exp(x[t] * 85) if dtype == np.float32 else mg.tanh(x[t])
        products.append((state * np.float32(1e5) * factor) * mg.tanh(w[t] * dtype(1e-6)))
        state = mg.ops.cast(mg.tanh(products[-1]), dtype=np.dtype(np.float32))
    assert_as_run([x, w], products)


def test_what_is_computed_before_a_host_does_not_lie_in_it() -> None:
    # The slope is taken of the whole row, and the part that nobody reads of it could hold what is computed later.
    a, b = mg.input((2, 8)), mg.input((2, 2))
    row = a * 2.0
    early = mg.exp(b) * b
    slopes = [mg.ops.sigmoid_slope(row[:, k : k + 2]) for k in (0, 4, 6)]
    pieces = [slopes[0] * b, early * mg.tanh(row[:, 2:4]), slopes[1] * b, slopes[2] * b]
    places = [
        mg.ops.place(piece, shape=(2, 8), index=((0, 2, 1), (2 * k, 2 * k + 2, 1))) for k, piece in enumerate(pieces)
    ]
    for passes in (PASSES, ("sums", "widen", "slabs", "in_place")):
        assert_as_run([a, b], [mg.ops.add_n(*places) @ np.ones((8, 1))], passes)


def test_what_views_of_constants_undo_is_folded_too() -> None:
    x, c = mg.input((3, 2)), mg.constant(np.arange(6.0))
    f = mg.function([x], mg.exp(c.reshape(2, 3).reshape(3, 2)) * x)
    assert f.calls == ["multiply"]


LATE_READERS: dict[str, Any] = {
    "nobody": lambda a, p, w, late: late,
    "the whole": lambda a, p, w, late: a * late,
    "a part": lambda a, p, w, late: a[1:3] * late,
    "the second half": lambda a, p, w, late: a[2:] * late,
    "a part of a part": lambda a, p, w, late: a[1:][:2] * late,
    "the other axis": lambda a, p, w, late: a[:, :2] * late,
    "backwards": lambda a, p, w, late: a[::-1] * late,
    "every other": lambda a, p, w, late: a[1::2] * late,
    "one row": lambda a, p, w, late: a[1] * late,
    "transposed": lambda a, p, w, late: a.T[:2] * late,
    "flat": lambda a, p, w, late: a.reshape(-1)[6:] * late,
    "a flat copy": lambda a, p, w, late: a.T.reshape(-1) * late,
    "joined": lambda a, p, w, late: mg.concatenate([a, mg.reshape(late, (1, 1)) * np.ones((1, 4))]),
    "multiplied": lambda a, p, w, late: a @ (a * late),
    "a result": lambda a, p, w, late: a,
    "a part as a result": lambda a, p, w, late: a[2:].T,
    "a piece": lambda a, p, w, late: p * late,
    "a part of a piece": lambda a, p, w, late: p[:1] * late,
    "a piece and the whole": lambda a, p, w, late: mg.sum(p * late) + w,
}
WRITERS: dict[str, Any] = {
    "whole": lambda a, x: [mg.tanh(a)],
    "a row everywhere": lambda a, x: [a[:1] * x],
    "halves": lambda a, x: [mg.tanh(a[:2]), mg.sin(a[2:])],
    "halves of two": lambda a, x: [mg.tanh(a[:2] * 2.0) * mg.cos(a[2:]), mg.sin(a[2:])],
    "halves exchanged": lambda a, x: [mg.tanh(a[2:]), mg.sin(a[:2])],
    "halves across": lambda a, x: [mg.tanh(a.T[:2]), mg.sin(a.T[2:])],
    "halves from elsewhere": lambda a, x: [mg.tanh(a[:2]) * a[:2], mg.sin(mg.exp(a[:1] * 0.1) + a[2:])],
    "the whole thrice": lambda a, x: [mg.ops.add_n(a, x, a[::-1])],
    "a half thrice": lambda a, x: [mg.tanh(a[:2]), mg.ops.add_n(a[2:], x[2:], a[:1:-1])],
    "a half and a constant": lambda a, x: [mg.tanh(a[:2]), mg.constant(np.ones((2, 4)))],
    "a half and an input": lambda a, x: [mg.tanh(a[:2]), x[2:]],
}


@pytest.mark.parametrize("reader", LATE_READERS)
@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_is_overwritten_before_everybody_has_read_it(reader: str, writer: str) -> None:
    x = mg.input((4, 4))
    a = mg.exp(x)
    early = mg.sum(a * a, axis=0)  # so that a has two users, and is not simply computed in the place of one
    pieces = WRITERS[writer](a, x)
    index = iter([((0, 2, 1), (0, 4, 1)), ((2, 4, 1), (0, 4, 1))])
    whole = mg.ops.add_n(
        *[p if p.shape == x.shape else mg.ops.place(p, shape=x.shape, index=next(index)) for p in pieces]
    )
    # What lies in the place of a may give it to what comes last, be it the only one that reads it or not.
    for last in (np.maximum(whole, mg.sum(mg.sin(whole + 1.0))), mg.exp(whole)):
        late = mg.sum(last)
        outputs = [early, late, LATE_READERS[reader](a, pieces[0], whole, late)]
        for without in ("", "batch", "fold"):
            assert_as_run([x], outputs, [name for name in PASSES if name != without])


def test_wide_results_do_not_lie_where_narrow_operands_lay() -> None:
    x, y = mg.input((3, 4), dtype=np.float32), mg.input((3, 4))
    once, twice, whole = mg.exp(x), mg.sin(x), mg.ops.cast(mg.cos(x) * 9, dtype=np.dtype(np.int32))
    assert_as_run([x, y], [once * y, mg.sum(twice), twice * y, mg.tanh(whole), whole * y])
