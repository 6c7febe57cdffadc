"""simplify makes a graph smaller and changes no bit of its values."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import minigrad as mg
from minigrad.ops.core import REGISTRY

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, 1e308, 0.5]
X, W = mg.input((10,), name="x"), mg.parameter(np.arange(10.0), name="w")
STEPS = [
    lambda x, y: x + 0.0,
    lambda x, y: x + (-0.0),
    lambda x, y: 0.0 + x,
    lambda x, y: x - 0.0,
    lambda x, y: 0.0 - x,
    lambda x, y: x * 1.0,
    lambda x, y: 1 * x,
    lambda x, y: x * 0.0,
    lambda x, y: x / 1.0,
    lambda x, y: x / x,
    lambda x, y: x - x,
    lambda x, y: mg.ops.neg(-x),
    lambda x, y: -x,
    lambda x, y: x**1,
    lambda x, y: x**0,
    lambda x, y: x * y,
    lambda x, y: x + y,
    lambda x, y: mg.tanh(x),
    lambda x, y: x.reshape(2, 5).reshape(5, 2).reshape(10),
    lambda x, y: x.reshape(2, 5).T.T.reshape(10),
    lambda x, y: x.reshape(1, 2, 5).transpose(2, 0, 1).transpose(1, 2, 0).reshape(-1),
    lambda x, y: mg.ops.broadcast_to(x, shape=(10,)),
    lambda x, y: mg.ops.cast(x, dtype=np.dtype(float)),
    lambda x, y: mg.ops.sum_(x, axes=(), keepdims=False),
    lambda x, y: x + mg.constant(2.0) * mg.constant(3.0),
    lambda x, y: np.where(mg.constant(0.0) > 0, x, y),
    lambda x, y: mg.stop_gradient(x),
    lambda x, y: np.maximum(x, y),
]
programs = st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 5), st.integers(0, 5)), max_size=15)


@given(programs, st.permutations(SPECIAL))
def test_values_are_the_same_to_the_bit(program, numbers):
    values = [X, W]
    for step, i, j in program:
        values.append(STEPS[step](values[-1 - i % len(values)], values[-1 - j % len(values)]))
    before = values[2:] or [X]
    after = mg.simplify(before)
    feed = {X: np.array(numbers)}
    old, new = mg.run(before, feed), mg.run(after, feed)
    for a, b in zip(before, after, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        # A NaN has no sign that arithmetic promises; everything else is compared bit for bit.
        np.testing.assert_array_equal(old[a], new[b])
        np.testing.assert_array_equal(np.signbit(old[a]) & ~np.isnan(old[a]), np.signbit(new[b]) & ~np.isnan(new[b]))
    assert len(list(mg.walk(after))) <= len(list(mg.walk(before)))
    again = mg.simplify(after)
    assert len(list(mg.walk(again))) == len(list(mg.walk(after)))


def count(outputs):
    return sum(1 for node in mg.walk(outputs) if node.args)


def test_equal_computations_are_done_once_and_leaves_stay_apart():
    a, b = mg.parameter([1.0, 2.0]), mg.parameter([1.0, 2.0])
    assert count(mg.simplify(mg.tanh(a * 2.0) + mg.tanh(a * 2.0))) == 3
    y = mg.simplify(mg.tanh(a) * mg.tanh(b))
    assert count(y) == 3
    ga, gb = mg.grad(mg.sum(y), [a, b])
    a.assign([0.0, 0.0])
    assert not np.array_equal(ga.eval(), gb.eval())


@pytest.mark.parametrize(
    ("build", "left"),
    [
        (lambda x: x * 1.0, 0),
        (lambda x: x + 0.0, 1),
        (lambda x: x * 0.0, 1),
        (lambda x: x - x, 1),
        (lambda x: x - 0.0, 0),
        (lambda x: x + (-0.0), 0),
        (lambda x: x.T.T, 0),
        (lambda x: x.reshape(6).reshape(3, 2).reshape(2, 3), 0),
        (lambda x: x + mg.constant(1.0) * 2.0, 1),
        (lambda x: mg.ops.neg(-x), 0),
        (lambda x: (x * 1.0).named("kept"), 1),
        (lambda x: x * np.ones((4, 2, 3)), 1),
        (lambda x: x.astype(np.float32).astype(float), 2),
    ],
)
def test_only_what_holds_for_every_number_is_dropped(build, left):
    x = mg.input((2, 3), name="x")
    y = build(x)
    simple = mg.simplify(y)
    assert count(simple) == left
    assert (simple.shape, simple.dtype) == (y.shape, y.dtype)


def test_names_scopes_sites_and_forward_links_survive():
    x = mg.input((2,), name="x")
    with mg.scope("cell", t=1):
        h = mg.tanh(x * 1.0).named("h")
    y = mg.sum(h * h)
    simple = mg.simplify([y, mg.grad(y, x)])
    named = {node.name: node for node in mg.walk(simple)}
    assert named["h"].scope["t"] == 1
    assert named["h"].site == h.site
    assert any(node.of is not None and node.of.name == "h" for node in mg.walk(simple[1]))
    assert mg.simplify(x) is x
    assert "h" in mg.listing(simple)


def test_parameters_that_are_equal_need_not_be_the_same():
    class Shown(mg.Op):
        name = "shown_by_simplify"
        latex = "{0}"

        def kernel(self, x, *, parameter):
            return x + sum(repr(parameter).encode())

        def shape(self, x, *, parameter):
            return x

    shown = Shown()
    try:
        outputs = [shown(X, parameter=parameter) for parameter in (0, 0.0, -0.0, False, [1], [2], (1,), (1,))]
        simpler = mg.simplify(outputs)
        values = np.arange(10.0)
        for before, after in zip(outputs, simpler, strict=True):
            np.testing.assert_array_equal(after.eval({X: values}), before.eval({X: values}))
        assert simpler[-1] is simpler[-2]
    finally:
        del REGISTRY[shown.name]
