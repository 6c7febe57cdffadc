"""The (t, k) table: every contribution right relative to itself, and all of them the gradient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn

CELLS = {
    "rnn": lambda rng, layers: rnn.RNN(2, 3, rng=rng, layers=layers),
    "sigmoid rnn": lambda rng, layers: rnn.RNN(2, 2, activation="sigmoid", rng=rng, layers=layers),
    "lstm": lambda rng, layers: rnn.LSTM(2, 2, rng=rng, layers=layers),
    "gru": lambda rng, layers: rnn.GRU(2, 2, rng=rng, layers=layers),
}
LENGTHS = st.sampled_from([1, 2, 3, 5, 17])
KINDS = st.sampled_from(["weight_hh_l0", "weight_ih_l0", "bias_ih_l0", "bias_hh_l0"])
STEP = 1e-20


def build(cell, seed, steps, batch=2, scale=1.0, layers=1):
    """A net, one loss a step that reads the state in a random direction, and the net's parameters scaled."""
    rng = np.random.default_rng(seed)
    model = CELLS[cell](rng, layers)
    for parameter in model.parameters.values():
        parameter.assign(parameter.value * scale)
    net = rnn.unroll(model, rng.normal(size=(steps, batch, 2)), state=_state(model, rng, batch))
    losses = [mg.sum(mg.sin(step.h) * rng.normal(size=step.h.shape)) for step in net.steps]
    return net, losses


def _state(model, rng, batch):
    states = tuple(rng.normal(size=(model.layers, batch, model.hidden_size)) for _ in model.states)
    return states if len(states) > 1 else states[0]


def entries_by_complex_step(losses, source):
    """(t, k, *source): d loss t / d source at the k-th use alone, by moving the source in that use and no other."""
    uses = [node for node in mg.walk(losses) if source in node.args][::-1]
    values = mg.run(losses).values
    entries = np.zeros((len(losses), len(uses), *source.shape))
    for k, use in enumerate(uses):
        for index in np.ndindex(source.shape):
            moved = source.value.astype(complex)
            moved[index] += 1j * STEP
            run = evaluate_with(losses, values, use, source, moved)
            entries[(slice(None), k, *index)] = [run[loss].imag / STEP for loss in losses]
    return entries


def evaluate_with(losses, values, use, source, moved):
    """Evaluate with `source` replaced by `moved` as an argument of `use`, and as it is everywhere else."""
    computed = {}
    for node in reversed(list(mg.walk(losses))):
        args = [moved if node is use and arg is source else computed[arg] for arg in node.args]
        computed[node] = np.asarray(node.op.kernel(*args, **node.params)) if args else values[node]
    return computed


def close(actual, expected, tolerance=1e-12):
    scale = np.abs(expected).max()
    return np.abs(actual - expected).max() <= tolerance * scale


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(CELLS)), st.integers(0, 2**32), LENGTHS, KINDS)
def test_every_entry_agrees_with_the_complex_step_of_its_own_use(cell, seed, steps, kind):
    net, losses = build(cell, seed, steps, batch=1 if steps > 3 else 2)
    source = net.model.parameters[kind]
    table = rnn.bptt(losses, source, net)
    expected = entries_by_complex_step(losses, source)
    for t in range(steps):
        for k in range(steps):
            if k > t:
                assert not table.present[t, k]
                assert table.norm[t, k] == 0
                assert not table.gradient[t][k].any()
            else:
                assert close(table.gradient[t][k], expected[t, k]), (t, k)
                assert table.norm[t, k] == pytest.approx(np.linalg.norm(expected[t, k]), rel=1e-12)


@settings(max_examples=16, deadline=None)
@given(st.sampled_from(sorted(CELLS)), st.integers(0, 2**32), st.sampled_from([1, 2, 3, 17]))
def test_the_total_of_every_parameter_agrees_with_the_complex_step(cell, seed, steps):
    net, losses = build(cell, seed, steps)
    total = mg.ops.add_n(*losses, 0.0)
    for source in net.model.parameters.values():
        table = rnn.bptt(losses, source, net)
        expected = np.zeros(source.shape)
        for index in np.ndindex(source.shape):
            moved = source.value.astype(complex)
            moved[index] += 1j * STEP
            expected[index] = mg.run(total, {source: moved})[total].imag / STEP
        assert close(table.total, expected)
        assert close(sum(table.gradient[t][k] for t in range(steps) for k in range(steps)), expected)
        assert table.proof().relative <= 1e-13
        assert table.proof().terms == steps * (steps + 1) // 2


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(CELLS)), st.integers(0, 2**32), LENGTHS, KINDS, st.integers(1, 2))
def test_shares_are_inner_products_with_the_total_and_sum_to_one(cell, seed, steps, kind, layers):
    net, losses = build(cell, seed, steps, layers=layers)
    table = rnn.bptt(losses, net.model.parameters[kind], net)
    parts = np.array([[table.gradient[t][k] for k in range(steps)] for t in range(steps)])
    expected = (parts * table.total).reshape(steps, steps, -1).sum(2) / np.vdot(table.total, table.total)
    slack = 1e-12 * np.abs(table.share).sum()
    assert np.abs(table.share - expected).max() <= slack
    assert abs(table.share.sum() - 1) <= slack
    lags = table.by_lag()
    assert list(lags) == list(range(steps))
    assert abs(sum(lag.share for lag in lags.values()) - 1) <= slack
    for number, lag in lags.items():
        diagonal = sum(parts[t, t - number] for t in range(number, steps))
        assert close(lag.gradient, diagonal)
        assert lag.norm == pytest.approx(np.linalg.norm(diagonal), rel=1e-12)


def test_entries_of_1e_200_are_right_relative_to_themselves():
    net, losses = build("rnn", 7, 17, batch=1, scale=1e-13)
    source = net.model.parameters["weight_hh_l0"]
    table = rnn.bptt(losses, source, net)
    expected = entries_by_complex_step(losses, source)
    assert 0 < table.norm[16, 0] < 1e-200
    for t in range(17):
        for k in range(t + 1):
            assert close(table.gradient[t][k], expected[t, k])
            largest = np.abs(expected[t, k]).max()
            assert table.norm[t, k] == pytest.approx(largest * np.linalg.norm(expected[t, k] / largest), rel=1e-12)


@given(st.integers(0, 2**32), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_lags_behind_a_truncation_are_absent_and_not_small(seed, window):
    steps = 7
    rng = np.random.default_rng(seed)
    model = rnn.RNN(2, 3, rng=rng)
    xs = rng.normal(size=(steps, 1, 2))
    whole = rnn.unroll(model, xs)
    state, pieces = None, []
    for start in range(0, steps, window):
        pieces.append(rnn.unroll(model, xs[start : start + window], state))
        state = mg.stop_gradient(pieces[-1].state)
    chunk = pieces[0]
    table = rnn.bptt([mg.sum(step.h) for step in chunk.steps], model.parameters["weight_hh_l0"], chunk)
    full = rnn.bptt([mg.sum(step.h) for step in whole.steps], model.parameters["weight_hh_l0"], whole)
    assert list(table.by_lag()) == list(range(min(window, steps)))
    assert list(full.by_lag()) == list(range(steps))
    np.testing.assert_allclose(table.norm, full.norm[:window, :window], rtol=1e-13)


def test_a_weight_used_twice_in_a_step_gives_the_norm_of_the_sum():
    rng = np.random.default_rng(3)
    w = mg.parameter(rng.normal(size=(3, 3)), name="w")
    base = rnn.unroll(rnn.RNN(1, 1, rng=0), np.zeros((4, 1, 1)))
    h, losses = mg.constant(rng.normal(size=(2, 3))), []
    for t in range(4):
        with mg.scope(t=t):
            h = mg.tanh(h @ w.T) - mg.sin(h) @ w
        losses.append(mg.sum(h))
    table = rnn.bptt(losses, w, base)
    for t in range(4):
        for k in range(4):
            assert table.norm[t, k] == pytest.approx(np.linalg.norm(table.gradient[t][k]), rel=1e-12)
    assert table.proof().relative < 1e-14


CELLS_BY_HAND = {
    "weight on the left": lambda h, w: mg.tanh(w @ h),
    "one transpose in two products": lambda h, w: (lambda v: mg.tanh(h @ v) + mg.sin(h) @ v)(w.T),
    "slices that overlap": lambda h, w: (lambda a: mg.tanh(a) * mg.concatenate([a[:, 0:2], a[:, 1:2]], 1))(h @ w),
    "slices that leave a gap": lambda h, w: (lambda a: mg.concatenate([a[:, 2:3], a[:, 0:1], a[:, 2:3]], 1))(h @ w),
    "slices alone, overlapping": lambda h, w: (lambda a: mg.concatenate([a[:, 0:2], a[:, 1:2]], 1))(h @ w),
    "a reshape between": lambda h, w: mg.sin(h) @ mg.reshape(w, (9,)).reshape(3, 3),
    "elementwise on the weight": lambda h, w: mg.tanh(h @ mg.sin(w)),
    "slopes whose product is no float": lambda h, w: 1e-200 * (1e-200 * (1e200 * (1e200 * (h @ w)))),
}


@pytest.mark.parametrize("cell", sorted(CELLS_BY_HAND))
def test_cells_written_in_other_ways_have_the_entries_of_their_flows(cell):
    rng = np.random.default_rng(2)
    w = mg.parameter(rng.normal(size=(3, 3)), name="w")
    net = rnn.unroll(rnn.RNN(1, 1, rng=0), np.zeros((4, 1, 1)))
    size = 1e-200 if cell == "slopes whose product is no float" else 1.0
    h, losses = mg.constant(size * rng.normal(size=(3, 3))), []
    for t in range(4):
        with mg.scope(t=t):
            h = CELLS_BY_HAND[cell](h, w)
        losses.append(mg.sum(h * (rng.normal(size=(3, 3)) / size)))
    table = rnn.bptt(losses, w, net)
    for t in range(4):
        for k in range(t + 1):
            uses = [use.gradient for use in mg.flow(losses[t], w).uses if use.user.scope["t"] == k]
            assert close(table.gradient[t][k], sum(uses))
            assert table.norm[t, k] == pytest.approx(np.linalg.norm(sum(uses)), rel=1e-12)


def test_losses_read_from_the_stacked_outputs_are_as_well_as_from_the_steps():
    net, _ = build("lstm", 5, 6)
    weights = np.random.default_rng(0).normal(size=net.outputs.shape)
    stacked = mg.sum(mg.sin(net.outputs) * weights, axis=(1, 2))
    apart = [mg.sum(mg.sin(step.h) * weights[t]) for t, step in enumerate(net.steps)]
    source = net.model.parameters["weight_hh_l0"]
    left = rnn.bptt([stacked[t] for t in range(6)], source, net)
    right = rnn.bptt(apart, source, net)
    np.testing.assert_allclose(left.norm, right.norm, rtol=1e-12)
    np.testing.assert_array_equal(left.present, right.present)


def test_a_loss_that_no_path_reaches_has_an_empty_row():
    net, losses = build("rnn", 1, 3)
    table = rnn.bptt([losses[0], mg.sum(net.xs), losses[2]], net.model.parameters["weight_hh_l0"], net)
    assert table.present.tolist() == [[True, False, False], [False] * 3, [True, True, True]]


def test_a_loss_that_reaches_one_of_two_uses_at_a_step_reaches_the_step():
    net, _ = build("rnn", 1, 2)
    w = mg.parameter([1.0, 2.0])
    with mg.scope(t=0):
        first, second = mg.sum(w * 2.0), mg.sum(w * 3.0)
    both = first + second
    table = rnn.bptt([both, first * 1.0, second * 1.0, both * 1.0], w, net)
    np.testing.assert_array_equal(table.present, [[True, False]] * 4)
    np.testing.assert_allclose(table.norm[:, 0], np.sqrt(2) * np.array([5.0, 2.0, 3.0, 5.0]), rtol=1e-15)


def test_slices_that_overlap_often_add_up():
    net, _ = build("rnn", 1, 1)
    w = mg.parameter([1.0, 2.0])
    with mg.scope(t=0):
        doubled = w * 2.0
    terms = [mg.sum(doubled[part]) for part in (slice(0, 1), slice(1, 2)) for _ in range(257)]
    table = rnn.bptt(mg.ops.add_n(*terms), w, net)
    np.testing.assert_array_equal(table.gradient[0][0], [514.0, 514.0])


def test_float32_stays_float32():
    model = rnn.LSTM(2, 3, rng=0, dtype=np.float32)
    net = rnn.unroll(model, np.ones((4, 2, 2), np.float32))
    table = rnn.bptt([mg.sum(step.h) for step in net.steps], model.parameters["weight_hh_l0"], net)
    assert table.total.dtype == table.gradient[3][1].dtype == np.float32
    assert table.proof().relative < 1e-6


def test_bad_input_is_one_sentence():
    net, losses = build("rnn", 1, 3)
    w = net.model.parameters["weight_hh_l0"]
    other = mg.parameter(1.0, name="other")
    with pytest.raises(mg.GradientError, match=r"expects scalar losses, got h .* of shape \(2, 3\); sum it"):
        rnn.bptt([net.steps[0].h], w, net)
    with pytest.raises(mg.GradientError, match=r"the source other .* was made after"):
        rnn.bptt(losses, other, net)
    lost = rnn.RNN(1, 1).parameters["bias_hh_l0"]
    later = rnn.unroll(rnn.RNN(2, 3), np.ones((1, 1, 2)))
    with pytest.raises(mg.GradientError, match="no differentiable path leads from the source bias_hh_l0"):
        rnn.bptt([mg.sum(later.steps[0].h)], lost, later)
    with pytest.raises(mg.GradientError, match="belongs to no step from 0 to 2"):
        rnn.bptt([losses[0] + mg.sum(w)], w, net)
    with pytest.raises(TypeError, match=r"expects what rnn\.unroll returned, got RNN"):
        rnn.bptt(losses, w, net.model)
    with pytest.raises(mg.GradientError, match="the list of losses is empty"):
        rnn.bptt([], w, net)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_what_truncation_keeps_is_the_entries_of_fewer_lags_than_its_window(seed, window):
    net, losses = build("lstm", seed, 5)
    table = rnn.bptt(losses, net.model.parameters["weight_hh_l0"], net)
    kept = sum(table.gradient[t][k] for t in range(5) for k in range(t + 1) if t - k < window)
    part = table.truncated(window)
    assert close(part.gradient, kept)
    assert part.share == pytest.approx(table.share[np.subtract.outer(range(5), range(5)) < window].sum())
    with pytest.raises(ValueError, match="a window of 1 step or more, got 0"):
        table.truncated(0)


def test_a_clip_shortens_what_is_longer_and_nothing_else():
    net, losses = build("rnn", 3, 5)
    table = rnn.bptt(losses, net.model.parameters["weight_hh_l0"], net)
    size = np.linalg.norm(table.total)
    np.testing.assert_array_equal(table.clipped(2 * size).gradient, table.total)
    assert table.clipped(size / 4).norm == pytest.approx(size / 4)
    assert table.clipped(size / 4).share == pytest.approx(0.25)
    with pytest.raises(ValueError, match="expects a norm above 0, got -1"):
        table.clipped(-1)


@given(st.sampled_from(sorted(CELLS)), st.integers(0, 99), st.sampled_from([1, 2, 5]), KINDS)
def test_values_already_computed_give_the_same_table(cell, seed, steps, kind):
    net, losses = build(cell, seed, steps)
    weight = net.model.parameters[kind]
    run = mg.run([*losses, net.outputs])
    fresh, known = rnn.bptt(losses, weight, net), rnn.bptt(losses, weight, net, run=run)
    assert all(np.array_equal(getattr(fresh, name), getattr(known, name)) for name in ("norm", "share", "total"))
    assert np.array_equal(mg.flow(losses[-1], weight, run=run).gradient, mg.flow(losses[-1], weight).gradient)


def test_the_numbers_are_those_of_the_run():
    net, losses = build("lstm", 0, 3)
    weight, run = net.model.parameters["weight_hh_l0"], mg.run(losses)
    before = rnn.bptt(losses, weight, net).total
    weight.assign(weight.value * 2)
    assert np.array_equal(rnn.bptt(losses, weight, net, run=run).total, before)
    assert not np.array_equal(rnn.bptt(losses, weight, net).total, before)


def test_a_run_of_something_else_is_refused():
    net, losses = build("rnn", 0, 3)
    weight, fewer = net.model.parameters["weight_hh_l0"], mg.run(losses[:-1])
    for ask in (lambda: rnn.bptt(losses, weight, net, run=fewer), lambda: mg.flow(losses[-1], weight, run=fewer)):
        with pytest.raises(mg.FeedError, match=r"lacks .*; pass a run of these outputs, or none"):
            ask()


def test_a_run_with_another_feed_is_refused():
    x = mg.input((3, 1, 2), name="x")
    net = rnn.unroll(rnn.RNN(2, 3, rng=0), x)
    losses, weight = [mg.sum(step.h) for step in net.steps], net.model.parameters["weight_hh_l0"]
    feed, run = {x: np.ones(x.shape)}, mg.run(losses, {x: np.zeros(x.shape)})
    with pytest.raises(mg.FeedError, match=r"made with another value of x \(.*\) than feed"):
        rnn.bptt(losses, weight, net, feed, run=run)
    run = mg.run(losses, feed)
    assert np.array_equal(rnn.bptt(losses, weight, net, feed, run=run).norm, rnn.bptt(losses, weight, net, feed).norm)


def test_a_lag_says_what_it_is_without_its_array() -> None:
    net = rnn.unroll(rnn.RNN(1, 9, rng=0), np.ones((1, 1, 1)))
    table = rnn.bptt([mg.sum(step.h) for step in net.steps], net.model.parameters["bias_ih_l0"], net)
    assert repr(table.by_lag()[0]) == f"<lag: share 1, norm {table.norm[0, 0]:.3g}>"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.booleans())
def test_a_weight_that_reads_backward_has_its_lags_counted_forward(seed, steps, whole):
    """With one loss a step the lag is k - t; a loss of the last state it reaches, step 0's, meets step 0 first."""
    rng = np.random.default_rng(seed)
    net = rnn.unroll(rnn.GRU(2, 3, bidirectional=True, rng=rng), rng.normal(size=(steps, 1, 2)))
    losses = [mg.sum(mg.sin(step.output) * rng.normal(size=step.output.shape)) for step in net.steps]
    if whole:
        losses = losses[:1] if steps > 1 else losses
    table = rnn.bptt(losses, net.model.parameters["weight_hh_l0_reverse"], net)
    lags = table.by_lag()
    assert list(lags) == list(range(steps))
    for number, lag in lags.items():
        assert close(lag.gradient, sum(table.gradient[t][t + number] for t in range(len(losses)) if t + number < steps))
    window = max(1, steps - 1)
    assert close(table.truncated(window).gradient, sum(lags[lag].gradient for lag in range(window)))


def test_a_loss_of_the_last_state_alone_counts_its_lags_from_the_last_step():
    net, _ = build("lstm", 5, 6, batch=1)
    table = rnn.bptt([mg.sum(net.steps[-1].h)], net.model.parameters["weight_hh_l0"], net)
    lags = table.by_lag()
    assert list(lags) == list(range(6))
    for number, lag in lags.items():
        assert close(lag.gradient, table.gradient[0][5 - number])
