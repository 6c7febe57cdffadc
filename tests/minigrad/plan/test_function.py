"""A plan computes what `run` computes, whatever the program, the shapes and the passes, and is safe to share."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn
from minigrad.plan.passes import PASSES

from .programs import Program, programs


def assert_like_run(program: Program, passes: Any = PASSES) -> None:
    inputs, outputs, arrays = program
    compiled = mg.function(inputs, outputs, passes=passes)
    reference = mg.run(outputs, dict(zip(inputs, arrays, strict=True)))
    for _ in range(2):
        for node, got in zip(outputs, compiled(*arrays), strict=True):
            assert_close(got, reference[node])


def assert_close(got: Any, want: Any, ulps: float = 2000) -> None:
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    assert np.array_equal(np.isnan(got), np.isnan(want))
    infinite = np.isinf(want)
    assert np.array_equal(got[infinite], want[infinite])
    finite = np.isfinite(want)
    assert np.array_equal(finite, np.isfinite(got))
    if finite.any():
        scale = np.max(np.abs(want[finite])) + 1
        assert np.max(np.abs(got[finite] - want[finite])) <= ulps * np.finfo(want.dtype).eps * scale


@given(programs())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_equals_run(program: Program) -> None:
    assert_like_run(program)


@given(programs(special=True))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_nan_and_inf_are_where_run_has_them(program: Program) -> None:
    assert_like_run(program)


@given(programs(), st.sets(st.sampled_from(PASSES)))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_choice_of_passes(program: Program, passes: set[str]) -> None:
    assert_like_run(program, passes)


NETS: list[tuple[Any, dict[str, Any]]] = [
    (rnn.RNN, {}),
    (rnn.LSTM, {}),
    (rnn.GRU, {"reset": "before"}),
    (rnn.GRU, {"layers": 2}),
    (rnn.LSTM, {"layers": 2, "bidirectional": True}),
]


def net_with_loss(cell: Any, options: dict[str, Any], steps: int = 7, batch: int = 3) -> tuple[mg.Node, list[mg.Node]]:
    model = cell(4, 5, rng=0, **options)
    x = mg.input((steps, batch, 4), name="x")
    unrolled = rnn.unroll(model, x)
    loss = mg.sum(unrolled.outputs * unrolled.outputs)
    return x, [loss, unrolled.outputs, *mg.grad(loss, [x, *model.parameters.values()])]


@pytest.mark.parametrize(("cell", "options"), NETS)
@pytest.mark.parametrize("without", [None, *PASSES])
def test_nets_equal_run_with_each_pass_left_out(cell: Any, options: dict[str, Any], without: str | None) -> None:
    x, outputs = net_with_loss(cell, options)
    array = np.random.default_rng(1).standard_normal(x.shape)
    compiled = mg.function([x], outputs, passes=[name for name in PASSES if name != without])
    reference = mg.run(outputs, {x: array})
    for node, got in zip(outputs, compiled(array), strict=True):
        assert_close(got, reference[node])


def test_saturated_gates_keep_their_exact_slopes() -> None:
    x = mg.input((4,))
    y = mg.sum(mg.sigmoid(x)) + mg.sum(mg.tanh(x))
    outputs = mg.grad(y, [x])
    array = np.array([-700.0, -40.0, 40.0, 300.0])
    slope = np.exp(-np.abs(array)) / (1 + np.exp(-np.abs(array))) ** 2
    sech2 = 4 * np.exp(-2 * np.abs(array)) / (1 + np.exp(-2 * np.abs(array))) ** 2
    got = mg.function([x], outputs)(array)[0]
    assert np.allclose(got, slope + sech2, rtol=1e-14, atol=0)


def test_parameters_are_read_at_each_call() -> None:
    w = mg.parameter([1.0, 2.0])
    f = mg.function([], [w * 2.0])
    assert np.array_equal(f()[0], [2.0, 4.0])
    w.assign([5.0, 6.0])
    assert np.array_equal(f()[0], [10.0, 12.0])


def test_results_are_the_callers_own() -> None:
    x = mg.input((3,))
    f = mg.function([x], {"x": x, "again": x, "view": x[:2], "sum": mg.sum(x)})
    array = np.arange(3.0)
    first = f(array)
    for result in first.values():
        result += 100
    assert np.array_equal(array, [0, 1, 2])
    assert np.array_equal(first["x"], [100, 101, 102])
    second = f(array)
    assert np.array_equal(second["x"], [0, 1, 2])
    assert np.array_equal(second["again"], [0, 1, 2])
    assert np.array_equal(second["view"], [0, 1])
    assert second["sum"] == 3
    assert not any(np.shares_memory(a, b) for a in first.values() for b in second.values())


def test_threads_do_not_disturb_each_other() -> None:
    x, outputs = net_with_loss(rnn.LSTM, {}, steps=20)
    f = mg.function([x], outputs)
    arrays = [np.random.default_rng(seed).standard_normal(x.shape) for seed in range(8)]
    expected = [f(array) for array in arrays]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            for got, want in zip(pool.map(lambda a: f(*[a]), arrays * 6), expected * 6, strict=True):
                assert all(np.array_equal(g, w) for g, w in zip(got, want, strict=True))
    finally:
        sys.setswitchinterval(interval)


def test_inputs_may_be_inner_nodes_parameters_and_strangers() -> None:
    x, unused, w = mg.input((2,)), mg.input((2,)), mg.parameter([1.0, 1.0])
    h = mg.tanh(x)
    f = mg.function([h, w, unused], h * w)
    assert np.array_equal(f([2.0, 3.0], [4.0, 5.0], [0.0, 0.0]), [8.0, 15.0])


def test_complex_arrays_take_the_interpreter() -> None:
    x = mg.input((2,))
    step = np.array([0.5, 1.0]) + 1e-20j
    assert np.allclose(mg.function([x], mg.tanh(x))(step).imag / 1e-20, 1 - np.tanh([0.5, 1.0]) ** 2)


def test_numbers_too_large_to_regroup_take_the_careful_plan() -> None:
    # (dc * c_0) * slope overflows where dc * (c_0 * slope) does not: the plan may not regroup it.
    x, c0 = mg.input((6, 1, 4), dtype=np.float32), mg.input((1, 1, 5), dtype=np.float32)
    model = rnn.LSTM(4, 5, rng=0, dtype=np.float32)
    unrolled = rnn.unroll(model, x, state=(mg.constant(np.zeros((1, 1, 5), np.float32)), c0))
    loss = mg.sum(unrolled.steps[-1].c * np.float32(1e10))
    outputs = [loss, *mg.grad(loss, list(model.parameters.values()))]
    f = mg.function([x, c0], outputs)
    for size in (1.0, 1e30, np.inf, np.nan):
        arrays = [np.ones(x.shape, np.float32), np.full(c0.shape, size, np.float32)]
        reference = mg.run(outputs, dict(zip([x, c0], arrays, strict=True)))
        for node, got in zip(outputs, f(*arrays), strict=True):
            want = reference[node]
            assert np.array_equal(np.isnan(got), np.isnan(want))
            assert np.array_equal(np.isinf(got), np.isinf(want))
            finite = np.isfinite(want)
            assert np.allclose(got[finite], want[finite], rtol=1e-3, atol=1e-4 * np.abs(want[finite]).max(initial=0))


def test_long_chains_plan_and_run_without_recursion() -> None:
    x = mg.input((2,))
    y = x
    for k in range(10_000):
        y = mg.reshape(y * 1.0, (1, 2) if k % 2 else (2, 1))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        result = mg.function([x], y)([1.0, 2.0])
    finally:
        sys.setrecursionlimit(limit)
    assert np.array_equal(result, [[1.0, 2.0]])


def test_peak_is_known_before_running_and_shared_buffers_lower_it() -> None:
    x = mg.input((1000,))
    y = x
    for _ in range(50):
        y = mg.sin(y) + mg.cos(y)
    f = mg.function([x], mg.sum(y))
    assert 8000 * 2 <= f.peak_bytes <= 8000 * 5
    unshared = mg.function([x], mg.sum(y), passes=[p for p in PASSES if p not in ("share", "in_place")])
    assert unshared.peak_bytes > 8000 * 90


def test_an_unknown_pass_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"no pass is called 'fuse'.*merge"):
        mg.function([], [mg.constant(1.0)], passes=["fuse"])


def test_the_wrong_number_of_arrays_is_refused() -> None:
    x = mg.input((2,))
    with pytest.raises(TypeError, match="expects 1 arrays, one an input, got 2"):
        mg.function([x], x)(1.0, 2.0)


def test_a_vector_used_in_many_products_collects_reshaped_terms():
    """Its gradient is a sum of products, each reshaped from a column."""
    generator = np.random.default_rng(0)
    v = mg.parameter(generator.normal(size=3))
    xs = [mg.constant(generator.normal(size=(2, 3))) for _ in range(12)]
    gradient = mg.grad(mg.ops.add_n(*[mg.sum(mg.tanh(x @ v)) for x in xs]), v)
    np.testing.assert_allclose(mg.function([], gradient)(), gradient.eval(), rtol=1e-13)


def test_a_zero_times_nan_is_nan_in_the_smallest_product() -> None:
    x, w = mg.input((1, 3)), mg.input((1, 1))
    assert np.isnan(mg.function([w, x], w @ x)([[0.0]], [[np.nan, np.inf, -np.inf]])).all()


def work_of(x: mg.Node, outputs: list[mg.Node], passes: Any) -> tuple[int, int]:
    """How many NumPy calls a run makes, and its peak."""
    function = mg.function([x], outputs, passes=passes)
    return len(function.calls), function.peak_bytes


@pytest.mark.parametrize("name", [name for name in PASSES if name not in ("blocks", "tidy")])
def test_every_pass_saves_calls_or_memory(name: str) -> None:
    x, outputs = net_with_loss(rnn.LSTM, {}, steps=12, batch=2)
    outputs = [outputs[0] * mg.exp(mg.constant(np.ones(99))).sum(), *outputs[2:]]  # something to fold
    calls, peak = work_of(x, outputs, PASSES)
    calls_without, peak_without = work_of(x, outputs, [other for other in PASSES if other != name])
    assert calls_without > calls or peak_without > peak


def test_views_that_undo_each_other_cost_no_copy() -> None:
    x = mg.input((2, 3))
    y = mg.exp(x).T.reshape(6).reshape(3, 2)  # the flat one cannot be a view
    with_tidy, without = (mg.function([x], y, passes=[p for p in PASSES if p != left_out]) for left_out in ("", "tidy"))
    assert "copyto" in without.calls
    assert "copyto" not in with_tidy.calls
    array = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(with_tidy(array), np.exp(array).T)
    assert np.array_equal(without(array), np.exp(array).T)


def test_terms_whose_hashes_agree_are_told_apart() -> None:
    x = mg.input((3,))
    assert hash((2, -1, -1)) == hash((2, -1, -2))  # the two slices below
    compiled = mg.function([x], [mg.exp(x[::-1]), mg.exp(x[::-2]), mg.exp(x[::-2])], passes=["merge"])
    assert compiled.calls.count("exp") == 2
    got = compiled([1.0, 2.0, 3.0])
    for result, want in zip(got, ([3, 2, 1], [3, 1], [3, 1]), strict=True):
        assert np.array_equal(result, np.exp(np.array(want, float)))


def test_a_slope_that_is_needed_before_the_sigmoid_stays_as_it_is() -> None:
    x = mg.input((4,))
    early = mg.grad(mg.sum(mg.tanh(x)), x)  # sech2 of x
    scaled = mg.exp(early) * x
    outputs = [scaled, mg.grad(mg.sum(mg.sigmoid(x) * scaled), x)]
    array = np.linspace(-2, 2, 4)
    reference = mg.run(outputs, {x: array})
    for node, got in zip(outputs, mg.function([x], outputs)(array), strict=True):
        assert_close(got, reference[node])


def test_layers_without_scopes_are_told_apart() -> None:
    def calls(marked: bool) -> int:
        x = mg.input((30, 2, 8))
        weights = [mg.parameter(np.full((8, 8), 0.1)) for _ in range(4)]
        h = k = mg.constant(np.zeros((2, 8)))
        for t in range(30):
            with mg.scope("layer", layer=0) if marked else nullcontext():
                h = mg.tanh(x[t] @ weights[0] + h @ weights[1])
            with mg.scope("layer", layer=1) if marked else nullcontext():
                k = mg.tanh(h @ weights[2] + k @ weights[3]) + k
        loss = mg.sum(k * k)
        return len(mg.function([x], [loss, *mg.grad(loss, weights)]).calls)

    assert calls(marked=False) <= calls(marked=True)


def test_calls_a_step_stay_few() -> None:
    # 12 forward and 6 backward, and what is computed for all steps at once is independent of their number.
    counts = []
    for steps in (20, 30):
        x, outputs = net_with_loss(rnn.LSTM, {}, steps=steps)
        counts.append(work_of(x, outputs[:1] + outputs[2:], PASSES)[0])
    assert (counts[1] - counts[0]) / 10 <= 19


def test_gates_are_squashed_in_one_call_where_they_are_most_of_a_row() -> None:
    a = mg.input((4, 12))
    gates = [mg.sigmoid(a[:, :3]), mg.tanh(a[:, 3:6]), mg.sigmoid(a[:, 6:9]), mg.sigmoid(a[:, 9:])]
    few = [*gates[:2], mg.sin(a[:, 6:9]), mg.sigmoid(a[:, 9:])]  # half of the row: the other half is not worth it
    array = np.random.default_rng(0).standard_normal(a.shape)
    for outputs, calls in ((gates, 1), (few, 2)):
        compiled = mg.function([a], outputs, passes=["widen"])
        assert compiled.calls.count("exp") == calls
        reference = mg.run(outputs, {a: array})
        assert all(np.array_equal(got, reference[node]) for got, node in zip(compiled(array), outputs, strict=True))


def test_parts_that_overlap_are_squashed_each_for_itself() -> None:
    a = mg.input((6,))
    array = np.arange(6.0)
    twice = mg.function([a], [mg.exp(a[:3]), mg.exp(a[1:4])], passes=["widen"])  # two thirds of a, some of it twice
    assert twice.calls.count("exp") == 2
    outputs = [mg.exp(a[:4]), mg.exp(a[2:]), mg.exp(a[::2])]
    compiled = mg.function([a], outputs, passes=["widen"])
    assert compiled.calls.count("exp") == 3
    assert all(
        np.array_equal(got, np.exp(part))
        for got, part in zip(compiled(array), (array[:4], array[2:], array[::2]), strict=True)
    )


def test_the_gradient_of_the_gates_lies_where_the_gates_lay() -> None:
    # The sums of the gates and the gates themselves, 4 H a step each, and what c, g, h and tanh c take.
    x, outputs = net_with_loss(rnn.LSTM, {}, steps=200)
    peak = mg.function([x], outputs[:1] + outputs[3:]).peak_bytes
    row = 200 * 3 * 5 * 8  # one number a step, a batch member and a hidden unit
    assert peak < 17 * row  # 18.1 where the gradient has a slab of its own


@pytest.mark.parametrize(("batch", "size", "most"), [(1, 16, 4.5), (16, 64, 3.4)])
def test_little_more_is_kept_than_the_gates(batch: int, size: int, most: float) -> None:
    # Two slabs of gates, their inputs and results a quarter each. The larger net is worked on in blocks.
    x = mg.input((50, batch, size), dtype=np.float32)
    model = rnn.LSTM(size, size, rng=0, dtype=np.float32)
    h = rnn.unroll(model, x).steps[-1].h
    loss = mg.sum(h * h)
    peak = mg.function([x], [loss, *mg.grad(loss, list(model.parameters.values()))]).peak_bytes
    assert peak < most * 50 * batch * 4 * size * 4


def test_weights_are_read_in_place() -> None:
    model = rnn.LSTM(64, 64, rng=0, dtype=np.float32)
    x = mg.input((4, 1, 64), dtype=np.float32)
    f = mg.function([x], rnn.unroll(model, x).steps[-1].h)
    assert f.peak_bytes < model.parameters["weight_hh_l0"].size * 4


def test_large_slabs_are_worked_on_in_blocks() -> None:
    x = mg.input((64, 40, 40))
    state = mg.constant(np.zeros((40, 40)))
    kept = []
    for t in range(64):
        state = mg.tanh(state + x[t])
        kept.append(mg.sum(mg.exp(mg.sin(state))))
    total = mg.sum(mg.stack(kept))
    with_blocks, without = (
        mg.function([x], total, passes=[p for p in PASSES if p not in left_out]) for left_out in ((), ("blocks",))
    )
    assert len(with_blocks.calls) > len(without.calls)
    array = np.random.default_rng(0).standard_normal(x.shape)
    assert np.allclose(with_blocks(array), without(array), rtol=1e-13)
