"""Properties of unrolling: splitting, batching, stacking, reversing, padding and dropping out change nothing they
should not."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn


@st.composite
def problems(draw, **fixed):
    """A net of any cell with random biased weights, a sequence for it, and a generator for more numbers."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cell, option = draw(
        st.sampled_from(
            [
                *((rnn.RNN, {"activation": name}) for name in rnn.cells.ACTIVATIONS),
                (rnn.LSTM, {}),
                (rnn.LSTM, {"forget_bias": 1.0}),
                (rnn.GRU, {"reset": "after"}),
                (rnn.GRU, {"reset": "before"}),
            ]
        )
    )
    options = {
        "layers": draw(st.integers(1, 3)),
        "bidirectional": draw(st.booleans()),
        "merge": draw(st.sampled_from(rnn.cells.MERGES)),
        **option,
        **fixed,
    }
    count, batch = draw(st.integers(0, 4)), draw(st.integers(1, 3))
    model = cell(draw(st.integers(1, 3)), draw(st.integers(1, 3)), rng=generator, **options)
    return model, generator.normal(size=(count, batch, model.input_size)), generator


def states(net):
    return list(net.state) if isinstance(net.state, tuple) else [net.state]


def random_state(model, batch, generator):
    made = [generator.normal(size=(len(model.rows), batch, model.hidden_size)) for _ in model.states]
    return made if len(made) > 1 else made[0]


def part(state, which):
    return [s[:, which] for s in state] if isinstance(state, list) else state[:, which]


def same(a, b, scale=1.0):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13 * scale)


def scalar(net, generator):
    """A loss that weighs every output and every final state differently."""
    terms = [mg.sum(node * generator.normal(size=node.shape)) for node in [net.outputs, *states(net)]]
    return mg.ops.add_n(*terms)


@settings(max_examples=25)
@given(problems(bidirectional=False), st.data())
def test_carrying_the_state_over_a_cut_is_one_pass(problem, data):
    model, xs, generator = problem
    cut = data.draw(st.integers(0, len(xs)))
    start = random_state(model, xs.shape[1], generator)
    whole = rnn.unroll(model, xs, start)
    first = rnn.unroll(model, xs[:cut], start)
    second = rnn.unroll(model, xs[cut:], first.state)
    same(np.concatenate([first.outputs.eval(), second.outputs.eval()]), whole.outputs.eval())
    for a, b in zip(states(second), states(whole), strict=True):
        same(a.eval(), b.eval())
    for name, parameter in model.parameters.items() if len(xs) else ():
        split = mg.grad(mg.sum(first.outputs) + mg.sum(second.outputs), parameter).eval()
        same(split, mg.grad(mg.sum(whole.outputs), parameter).eval(), scale=np.abs(split).max()), name


@settings(max_examples=25)
@given(problems())
def test_a_row_of_a_batch_is_that_sequence_alone(problem):
    model, xs, generator = problem
    start = random_state(model, xs.shape[1], generator)
    together = rnn.unroll(model, xs, start)
    for row in range(xs.shape[1]):
        only = slice(row, row + 1)
        alone = rnn.unroll(model, xs[:, only], part(start, only))
        same(together.outputs.eval()[:, only], alone.outputs.eval())
        for a, b in zip(states(together), states(alone), strict=True):
            same(a.eval()[:, only], b.eval())


@given(problems(bidirectional=False))
def test_stacking_is_composition(problem):
    model, xs, _ = problem
    below = xs
    for layer in range(model.layers):
        single = type(model)(below.shape[2], model.hidden_size, rng=0)
        for attribute in ("activation", "reset"):
            if hasattr(model, attribute):
                setattr(single, attribute, getattr(model, attribute))
        for name, parameter in single.parameters.items():
            parameter.assign(model.parameters[name.replace("_l0", f"_l{layer}")].value)
        net = rnn.unroll(single, below)
        for whole, own in zip(states(rnn.unroll(model, xs)), states(net), strict=True):
            same(whole.eval()[layer], own.eval()[0])
        below = net.outputs.eval()
    same(rnn.unroll(model, xs).outputs.eval(), below)


@given(problems(bidirectional=True, layers=1, merge="concat"))
def test_the_reverse_direction_is_the_forward_one_on_the_reversed_sequence(problem):
    model, xs, generator = problem
    start = random_state(model, xs.shape[1], generator)
    mirrored = {}
    for name in model.parameters:
        other = name.removesuffix("_reverse") if name.endswith("_reverse") else f"{name}_reverse"
        mirrored[name] = model.parameters[other].value
    there = rnn.unroll(model, xs, start)
    ahead, back = np.split(there.outputs.eval(), 2, axis=2)
    final = [s.eval() for s in states(there)]
    for name, value in mirrored.items():
        model.parameters[name].assign(value)
    turned = rnn.unroll(model, xs[::-1], flip(start))
    same(turned.outputs.eval()[::-1], np.concatenate([back, ahead], axis=2))
    for a, b in zip(states(turned), final, strict=True):
        same(a.eval(), b[::-1])


def flip(state):
    return [s[::-1] for s in state] if isinstance(state, list) else state[::-1]


@given(problems(bidirectional=False), st.data())
def test_the_future_is_exactly_without_influence(problem, data):
    model, xs, generator = problem
    if not len(xs):
        return
    t = data.draw(st.integers(0, len(xs) - 1))
    x = mg.parameter(xs)
    seed = generator.normal(size=(xs.shape[1], model.output_size))
    gradient = mg.vjp(rnn.unroll(model, x).steps[t].h, x, seed).eval()
    assert not np.any(gradient[t + 1 :])
    if getattr(model, "activation", "") != "relu":
        assert np.any(gradient[: t + 1])


@settings(max_examples=25)
@given(problems(), st.data(), st.sampled_from([np.nan, np.inf, 1e300, 0.0]))
def test_padding_reaches_no_value_and_no_gradient(problem, data, filler):
    model, xs, generator = problem
    count, batch, _ = xs.shape
    lengths = data.draw(st.lists(st.integers(0, count), min_size=batch, max_size=batch))
    start = random_state(model, batch, generator)
    padded = xs.copy()
    for row, length in enumerate(lengths):
        padded[length:, row] = filler
    x = mg.parameter(padded)
    net = rnn.unroll(model, x, start, lengths)
    weights = [generator.normal(size=node.shape) for node in [net.outputs, *states(net)]]
    loss = mg.ops.add_n(*[mg.sum(a * w) for a, w in zip([net.outputs, *states(net)], weights, strict=True)])
    sources = [x, *model.parameters.values()]
    gradients = [g.eval() for g in mg.grad(loss, sources, unreachable="zero")]

    alone = [np.zeros_like(g) for g in gradients]
    size = [np.zeros_like(g) for g in gradients]
    outputs = net.outputs.eval()
    for row, length in enumerate(lengths):
        only = slice(row, row + 1)
        single = mg.parameter(xs[:length, only])
        one = rnn.unroll(model, single, part(start, only))
        same(outputs[:length, only], one.outputs.eval())
        assert not np.any(outputs[length:, row])
        for a, b in zip(states(net), states(one), strict=True):
            same(a.eval()[:, only], b.eval())
        seeds = [weights[0][:length, only], *(w[:, only] for w in weights[1:])]
        terms = [mg.sum(a * w) for a, w in zip([one.outputs, *states(one)], seeds, strict=True)]
        parts = mg.grad(mg.ops.add_n(*terms), [single, *sources[1:]], unreachable="zero")
        alone[0][:length, only] = parts[0].eval()
        for total, scale, term in zip(alone[1:], size[1:], parts[1:], strict=True):
            total += term.eval()
            scale += np.abs(term.eval())
    for row, length in enumerate(lengths):
        assert not np.any(gradients[0][length:, row])
    for got, wanted, scale in zip(gradients, alone, size, strict=True):
        same(got, wanted, scale=max(1.0, scale.max(initial=0)))


@given(problems())
def test_full_lengths_are_no_lengths(problem):
    model, xs, generator = problem
    start = random_state(model, xs.shape[1], generator)
    plain, full = rnn.unroll(model, xs, start), rnn.unroll(model, xs, start, [len(xs)] * xs.shape[1])
    assert plain.outputs.eval().tobytes() == full.outputs.eval().tobytes()
    for a, b in zip(states(plain), states(full), strict=True):
        assert a.eval().tobytes() == b.eval().tobytes()


def test_lengths_may_be_fed_so_that_one_graph_serves_every_batch():
    model = rnn.GRU(2, 3, bidirectional=True, rng=0)
    xs, lengths = mg.input((4, 2, 2)), mg.input((2,), dtype=int)
    run = mg.function([xs, lengths], rnn.unroll(model, xs, lengths=lengths).outputs)
    data = np.random.default_rng(0).normal(size=(4, 2, 2))
    for given_lengths in ([4, 1], [0, 3]):
        fixed = rnn.unroll(model, data, lengths=given_lengths).outputs.eval()
        assert run(data, given_lengths).tobytes() == fixed.tobytes()


@given(problems(), st.data())
def test_dropout_multiplies_what_passes_between_layers(problem, data):
    model, xs, generator = problem
    count, batch, _ = xs.shape
    steps = data.draw(st.sampled_from(sorted({1, count})))
    masks = generator.normal(size=(model.layers - 1, steps, batch, model.output_size))
    ones = rnn.unroll(model, xs, dropout=np.ones_like(masks))
    assert ones.outputs.eval().tobytes() == rnn.unroll(model, xs).outputs.eval().tobytes()
    net = rnn.unroll(model, xs, dropout=masks)
    for step in net.steps:
        for layer in range(1, model.layers):
            below = [step.layers[layer - 1]["h"], *(r[layer - 1]["h"] for r in [step.reverse] if r)]
            hs = [h.eval() for h in below]
            merged = {"concat": lambda h: np.concatenate(h, -1), "sum": sum, "mean": lambda h: np.mean(h, axis=0)}
            seen = merged[model.merge](hs) if len(hs) > 1 else hs[0]
            same(step.layers[layer]["x"].eval(), seen * masks[layer - 1, step.t if steps > 1 else 0])
            if step.reverse:
                assert step.reverse[layer]["x"] is step.layers[layer]["x"]


def test_dropout_masks_keep_the_mean_and_repeat_for_a_seed():
    model = rnn.LSTM(3, 50, layers=2, rng=0)
    masks = rnn.dropout_masks(model, 40, 20, 0.25, rng=3)
    assert set(np.unique(masks)) == {0.0, 1 / 0.75}
    assert abs(masks.mean() - 1) < 0.02
    assert masks.tobytes() == rnn.dropout_masks(model, 40, 20, 0.25, rng=3).tobytes()
    with pytest.raises(ValueError, match="rate must be at least 0 and below 1, got 1"):
        rnn.dropout_masks(model, 1, 1, 1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_shapes_of_short_sequences(count):
    model = rnn.LSTM(3, 4, layers=2, bidirectional=True, rng=0)
    start = random_state(model, 2, np.random.default_rng(0))
    net = rnn.unroll(model, np.ones((count, 2, 3)), start)
    assert net.outputs.shape == (count, 2, 8)
    assert [s.shape for s in net.state] == [(4, 2, 4), (4, 2, 4)]
    assert len(net.initial) == 4
    if not count:
        assert all(np.array_equal(s.eval(), given_) for s, given_ in zip(net.state, start, strict=True))


def test_steps_carry_the_very_nodes_and_labels():
    model = rnn.LSTM(2, 3, layers=2, rng=0)
    steps = rnn.unroll(model, np.ones((3, 1, 2)), lengths=[2]).steps
    for before, after in pairwise(steps):
        assert before.h in list(mg.walk(after.h))
        assert before.c in {arg for node in mg.walk(after.c) for arg in node.args}
    assert steps[1].h.scope["t"] == 1
    assert steps[1].h.scope["layer"] == 1
    assert steps[1].h.scope.labels == ("lstm",)
    with pytest.raises(AttributeError, match=r"step 0 has the nodes .*, not 'z'"):
        _ = steps[0].z


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"xs": np.ones((3, 2))}, r"expects a sequence of shape \(T, B, 2\), got \(3, 2\); time comes first"),
        ({"state": np.ones((1, 1, 3))}, "carries the states h, c, got 1"),
        ({"state": [np.ones((2, 1, 3))] * 2}, r"the initial h of .* must have shape \(2, 2, 3\), got \(2, 1, 3\)"),
        ({"lengths": [1]}, "lengths must be 2 whole numbers, one a sequence, got"),
        ({"lengths": [1.0, 2.0]}, "lengths must be 2 whole numbers"),
        ({"lengths": [1, 5]}, r"lengths must lie between 0 and the 4 steps of xs, got \[1, 5\]"),
        ({"lengths": [-1, 1]}, "lengths must lie between 0 and the 4 steps"),
        ({"lengths": mg.input((3,), dtype=int)}, r"whole numbers of shape \(2,\), one a sequence, got input"),
        ({"dropout": np.ones((1, 4, 2, 2))}, r"dropout masks of .* must have shape \(1, 4, 2, 3\), got \(1, 4, 2, 2\)"),
    ],
)
def test_wrong_calls_are_told_what_was_expected(arguments, sentence):
    model = rnn.LSTM(2, 3, layers=2, rng=0)
    with pytest.raises(ValueError, match=sentence):
        rnn.unroll(model, **{"xs": np.ones((4, 2, 2)), **arguments})
