"""Reverse mode, forward mode and what is made of them, against an independent engine and against each other."""

import autograd
import autograd.numpy as anp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import minigrad as mg

# Steps of a random program on (3, 3) matrices: f(numpy or autograd.numpy, earlier value, earlier value).
STEPS = {
    "tanh": lambda np, x, y: np.tanh(x),
    "sin": lambda np, x, y: np.sin(x),
    "gauss": lambda np, x, y: np.exp(-x * x),
    "sqrt": lambda np, x, y: np.sqrt(1 + x * x),
    "log": lambda np, x, y: np.log(1 + x**2),
    "log1p": lambda np, x, y: np.log1p(x**2),
    "power": lambda np, x, y: (1 + x * x) ** np.tanh(y),
    "cube": lambda np, x, y: 0.1 * x**3,
    "add": lambda np, x, y: x + y,
    "sub": lambda np, x, y: x - y,
    "mul": lambda np, x, y: 0.5 * x * y,
    "div": lambda np, x, y: x / (1 + y * y),
    "matmul": lambda np, x, y: 0.3 * (x @ y),
    "matvec": lambda np, x, y: 0.3 * (x @ y[0])[:, None] * np.ones((1, 3)),
    "einsum": lambda np, x, y: 0.3 * np.einsum("ij,kj->ki", x, y),
    "logaddexp": lambda np, x, y: np.logaddexp(x, y),
    "maximum": lambda np, x, y: np.maximum(x, y),
    "where": lambda np, x, y: np.where(x > y, x, 0.5 * y),
    "abs": lambda np, x, y: np.abs(x),
    "sum": lambda np, x, y: x + 0.3 * np.sum(y, axis=0),
    "mean": lambda np, x, y: x - np.mean(y, axis=1, keepdims=True),
    "var": lambda np, x, y: x + np.var(y, axis=0),
    "std": lambda np, x, y: x + np.std(y * np.array([1.0, 2.0, 4.0]) + np.array([0.0, 3.0, -1.0]), axis=1),
    "max": lambda np, x, y: x - np.max(y, axis=1, keepdims=True),
    "prod": lambda np, x, y: 0.1 * np.prod(2 + np.tanh(x), axis=0) + y,
    "cumsum": lambda np, x, y: 0.5 * np.cumsum(x, axis=1),
    "transpose": lambda np, x, y: x.T,
    "reverse": lambda np, x, y: x[::-1, ::-1],
    "gather": lambda np, x, y: x[[0, 0, 2]] + y[[2, 1, 1], :],
    "pick": lambda np, x, y: x[[0, 1, 1], [2, 2, 2]] * y,
    "concat": lambda np, x, y: np.concatenate([x[1:], y[:1]], axis=0),
    "stack": lambda np, x, y: np.stack([x[0], y[:, 1], x[2]]),
    "reshape": lambda np, x, y: np.reshape(np.reshape(x, (9,))[::-1], (3, 3)),
    "roll": lambda np, x, y: np.roll(x, 1, axis=0),
    "outer": lambda np, x, y: 0.3 * np.outer(x[0], y[1]),
    "row": lambda np, x, y: x[:1] * y,
    "softmax": lambda np, x, y: np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True),
    "triu": lambda np, x, y: np.triu(x) + np.tril(y, -1),
    "kron": lambda np, x, y: np.kron(x[:1, :1], y),
    "arctan": lambda np, x, y: np.arctan(x),
}
programs = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=12
)


def play(library, program, x, w):
    """The scalar that a program makes of two (3, 3) matrices."""
    values = [x, w]
    for name, i, j in program:
        values.append(STEPS[name](library, values[-1 - i % len(values)], values[-1 - j % len(values)]))
    return library.sum(library.tanh(values[-1]) * 0.5 + 0.1 * values[-1])


@given(programs, st.integers(0, 2**32 - 1))
def test_random_programs_agree_with_autograd(program, seed):
    rng = np.random.default_rng(seed)
    arrays, vectors = rng.standard_normal((2, 2, 3, 3))
    xs = [mg.input((3, 3), name="x"), mg.input((3, 3), name="w")]
    y = play(np, program, *xs)
    gradient = mg.grad(y, xs, unreachable="zero")
    if not any(x in set(mg.walk(y)) for x in xs):
        return
    inner = sum(mg.sum(g * v) for g, v in zip(gradient, vectors, strict=True))
    products = mg.grad(inner, xs, unreachable="zero")
    values = mg.run([y, *gradient, *products], dict(zip(xs, arrays, strict=True)))

    def loss(pair):
        return play(anp, program, pair[0], pair[1])

    expected = [loss(arrays), *autograd.grad(loss)(arrays)]
    expected += list(autograd.grad(lambda pair: anp.sum(autograd.grad(loss)(pair) * vectors))(arrays))
    # Rounding is relative to the numbers that were added up on the way.
    scale = max(1.0, *(float(np.max(np.abs(value))) for value in values.values.values()))
    for node, number in zip([y, *gradient, *products], expected, strict=True):
        np.testing.assert_allclose(values[node], number, rtol=0, atol=1e-12 * scale)


@given(programs, st.integers(0, 2**32 - 1))
def test_all_modes_agree(program, seed):
    rng = np.random.default_rng(seed)
    array, weight, v = rng.standard_normal((3, 3, 3))
    x = mg.input((3, 3), name="x")
    y = play(np, program, x, mg.constant(weight))
    if x not in set(mg.walk(y)):
        return
    g, h, product, slope = mg.grad(y, x), mg.hessian(y, x), mg.hvp(y, x, v), mg.jvp(y, x, v)
    values = mg.run([g, h, product, slope], {x: array})
    # Rounding is relative to the numbers that were added up on the way.
    atol = 1e-11 * max(1.0, *(float(np.max(np.abs(value))) for value in values.values.values()))
    np.testing.assert_allclose(np.sum(values[g] * v), values[slope], rtol=0, atol=atol)
    np.testing.assert_allclose(np.einsum("ijkl,kl->ij", values[h], v), values[product], rtol=0, atol=atol)
    np.testing.assert_allclose(values[h], np.transpose(values[h], (2, 3, 0, 1)), rtol=0, atol=atol)


def numbers(node, feed=None):
    return node.eval(feed).tolist()


def test_jacobians_by_rows_and_by_columns_are_the_same():
    rng = np.random.default_rng(0)
    x, w = mg.input((2, 3), name="x"), mg.input((3, 4), name="w")
    y = mg.tanh(x @ w)
    feed = {x: rng.standard_normal((2, 3)), w: rng.standard_normal((3, 4))}
    by_rows = mg.jacobian(y, [x, w])
    by_columns = mg.jacobian(y, x)
    assert [j.shape for j in by_rows] == [(2, 4, 2, 3), (2, 4, 3, 4)]
    np.testing.assert_allclose(by_rows[0].eval(feed), by_columns.eval(feed), rtol=1e-13, atol=1e-15)
    for i in np.ndindex(y.shape):
        row = mg.grad(y[i], w).eval(feed)
        np.testing.assert_allclose(by_rows[1].eval(feed)[i], row, rtol=1e-13, atol=1e-15)


def test_a_jacobian_of_what_does_not_depend_is_zeros():
    x, z = mg.input((2,)), mg.input((3,))
    assert numbers(mg.jacobian(x * 2, [x, z])[1], {}) == [[0, 0, 0]] * 2
    assert mg.jacobian(x[:0] * 2, x).shape == (0, 2)
    assert numbers(mg.jacobian(mg.sum(x), x)) == [1, 1]
    assert numbers(mg.hessian(mg.sum(x), x), {}) == [[0, 0], [0, 0]]


def test_derivatives_of_any_order():
    x = mg.parameter(0.7)
    y = mg.sin(x)
    for sign in [np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin, np.cos]:
        y = mg.grad(y, x)
        np.testing.assert_allclose(y.eval(), sign(0.7), rtol=1e-14)


def test_third_derivatives_mix_the_modes():
    rng = np.random.default_rng(0)
    x = mg.parameter(rng.standard_normal(3))
    y = mg.sum(mg.tanh(x) ** 3 * x[::-1])
    third = mg.jacobian(mg.hessian(y, x), x).eval()
    for axes in [(1, 0, 2), (0, 2, 1), (2, 1, 0)]:
        np.testing.assert_allclose(third, np.transpose(third, axes), rtol=1e-12, atol=1e-13)
    u, v, w = rng.standard_normal((3, 3))
    along = mg.jvp(mg.jvp(mg.jvp(y, x, u), x, v), x, w)
    np.testing.assert_allclose(along.eval(), np.einsum("ijk,i,j,k", third, u, v, w), rtol=1e-12)


def test_perturbations_are_not_confused():
    # d/dx [x * d/dy (x + y)] is 1: an engine that shares one tangent between the two says 2.
    x, y = mg.parameter(1.0), mg.parameter(1.0)
    assert numbers(mg.grad(x * mg.grad(x + y, y), x)) == 1
    assert numbers(mg.jvp(x * mg.jvp(x + y, y, 1.0), x, 1.0)) == 1
    assert numbers(mg.grad(x * mg.jvp(x * y, y, 1.0), x)) == 2
    assert numbers(mg.jvp(x * mg.grad(x * y * y, y), x, 1.0)) == 4


def test_one_name_for_two_nodes_in_a_second_derivative():
    a, b = mg.parameter(2.0, name="x"), mg.parameter(3.0, name="x")
    assert numbers(mg.grad(mg.grad(a * a * b, a), b)) == 4


def test_equal_leaves_stay_apart():
    a, b = mg.parameter([1.0, 1.0]), mg.parameter([1.0, 1.0])
    ga, gb = mg.grad(mg.sum(a * 2 + b * 3), [a, b])
    assert (numbers(ga), numbers(gb)) == ([2, 2], [3, 3])


def test_a_node_used_twice_sums_its_uses():
    x = mg.parameter(3.0, name="x")
    sweep = mg.backprop(x * x + mg.exp(x) * x)
    assert len(sweep.uses(x)) == 4
    total = sum(float(sweep.contributions[use].eval()) for use in sweep.uses(x))
    assert total == pytest.approx(float(sweep.adjoints[x].eval()), rel=1e-15)
    assert [use.argument for use in sweep.uses(x)] == [x] * 4
    assert sweep.adjoints[x].op is mg.ops.add_n


def test_gradient_nodes_point_at_what_they_differentiate_and_inherit_its_scope():
    with mg.scope("cell", t=3):
        x = mg.input((2,), name="x")
        h = mg.tanh(x).named("h")
    loss = mg.sum(h)
    made = [node for node in mg.walk(mg.grad(loss, x)) if node.of is not None]
    of_h = [node for node in made if node.of is h]
    assert of_h
    assert all(node.scope["t"] == 3 and node.site == h.site for node in of_h)
    assert {node.of for node in made} == {loss, h}


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0), (1, 1), (2, 3)])
def test_gradients_have_the_shape_of_their_source(shape):
    x = mg.input(shape)
    for y in (x * 2.0, x + np.ones((2, *shape)), mg.tanh(x) * x, x * np.ones(()), x * np.ones((1,))):
        g = mg.grad(mg.sum(y), x)
        value = g.eval({x: np.ones(shape)})
        assert (g.shape, value.shape, value.dtype) == (shape, shape, np.dtype(float))


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_broadcasting_is_summed_down_at_the_edge(rank, cut, seed):
    rng = np.random.default_rng(seed)
    full = tuple(rng.integers(1, 4, rank))
    small = tuple(size if rng.random() < 0.5 else 1 for size in full)[min(cut, rank) :]
    x = mg.parameter(rng.standard_normal(small))
    other = rng.standard_normal(full)
    for y in (x * other, other * x, x - other, np.maximum(x, other), np.where(other > 0, x, other)):
        g = mg.vjp(y, x, np.ones(full)).eval()
        local = mg.jacobian(y, x).eval()
        expected = local.sum(axis=tuple(range(len(full))))
        assert g.shape == small
        np.testing.assert_allclose(g, expected, rtol=1e-13, atol=1e-14)


def test_a_gradient_may_not_change_shape_silently():
    x = mg.parameter([1.0, 2.0])
    with pytest.raises(mg.GradientError, match=r"must have its shape \(2,\), got \(1,\)"):
        mg.vjp(x * 2, x, np.ones(1))
    with pytest.raises(mg.GradientError, match=r"must have its shape \(2,\), got \(\)"):
        mg.jvp(x * 2, x, 1.0)


def test_nan_seeds_reach_exactly_what_they_touch():
    x = mg.parameter([1.0, 2.0])
    got = mg.vjp(x * x, x, [np.nan, 1.0]).eval()
    assert np.isnan(got[0])
    assert got[1] == 4


def test_odd_arrays_are_read_and_never_written():
    x = mg.input((3, 4))
    y = mg.sum(mg.tanh(x) @ mg.constant(np.ones((4, 2))))
    g = mg.grad(y, x)
    base = np.arange(48.0).reshape(8, 6) / 10
    frozen = np.ones((3, 4))
    frozen.flags.writeable = False
    for odd in (base[1:7:2, 5:1:-1], np.broadcast_to(base[0, :4], (3, 4)), np.broadcast_to(1.5, (3, 4)), frozen):
        before = odd.copy()
        np.testing.assert_array_equal(g.eval({x: odd}), g.eval({x: np.ascontiguousarray(odd)}))
        np.testing.assert_array_equal(odd, before)


def test_data_edited_after_the_graph_was_written_changes_nothing():
    data = np.ones(3)
    x = mg.parameter(data)
    y = mg.sum(x * data)
    data[:] = 7
    assert numbers(y) == 3
    assert numbers(mg.grad(y, x)) == [1, 1, 1]


def test_results_are_fresh_and_repeatable():
    x = mg.parameter([1.0, 2.0])
    g1, g2 = mg.grad(mg.sum(x + x), [x, x])
    first = g1.eval()
    again = g2.eval()
    first[:] = 100
    assert again.tolist() == [2, 2]
    assert numbers(g1) == [2, 2]
    x.assign([3.0, 4.0])
    assert numbers(mg.grad(mg.sum(x * x), x)) == [6, 8]
    h = mg.grad(mg.sum(x * x), x)
    x.assign([5.0, 6.0])
    assert numbers(h) == [10, 12]


def test_only_floats_have_derivatives():
    n, x = mg.input((2,), dtype=int, name="n"), mg.input((2,), name="x")
    with pytest.raises(mg.GradientError, match=r"n .*int64; a derivative needs a float"):
        mg.grad(mg.sum(n * x), n)
    with pytest.raises(mg.GradientError, match="only a float has a derivative"):
        mg.grad(mg.sum(n), x)
    for mode in (lambda: mg.jvp(x, n, [1, 2]), lambda: mg.jacobian(x * 2, n), lambda: mg.jacobian(n, x)):
        with pytest.raises(mg.GradientError, match=r"n .*a derivative needs a float|sum"):
            mode()
    assert numbers(mg.grad(mg.sum(n * x), x), {n: [1, 2], x: [0, 0]}) == [1, 2]


def test_what_cannot_be_differentiated_says_so():
    x, z = mg.input((2,), name="x"), mg.input((2,), name="z")
    with pytest.raises(mg.GradientError, match=r"expects a scalar, got .*shape"):
        mg.grad(x * 2, x)
    with pytest.raises(mg.GradientError, match="does not depend on z"):
        mg.grad(mg.sum(x), z)
    with pytest.raises(mg.GradientError, match="does not depend on x"):
        mg.grad(mg.sum(mg.stop_gradient(x)), x)
    with pytest.raises(TypeError, match="expects nodes"):
        mg.grad(mg.sum(x), [1.0])
    assert numbers(mg.grad(mg.sum(x), z, unreachable="zero")) == [0, 0]
    with pytest.raises(mg.GradientError, match="one tangent a source"):
        mg.jvp(x, [x], [1.0, 2.0])


def test_float32_stays_float32_in_every_node_of_every_mode():
    x = mg.input((3,), dtype=np.float32, name="x")
    y = mg.sum(mg.softmax(2.0 * x + 1) ** 2 * np.tanh(x) / 3)
    for node in (mg.grad(y, x), mg.hessian(y, x), mg.hvp(y, x, [1.0, 2.0, 3.0]), mg.jvp(y, x, np.ones(3))):
        values = mg.run(node, {x: np.ones(3)})
        assert {n.dtype for n in mg.walk(node) if n.dtype.kind == "f" and n.args} == {np.dtype(np.float32)}
        assert all(values[n].dtype == n.dtype for n in mg.walk(node))


def test_strong_zero_cures_where_and_the_double_where_needs_no_cure():
    x = mg.input((2,), name="x")
    trap = np.where(x > 0, np.sqrt(x), 0.0)
    double = np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0)
    feed = {x: [0.0, 4.0]}
    assert np.isnan(mg.grad(mg.sum(trap), x).eval(feed)).tolist() == [True, False]
    assert numbers(mg.grad(mg.sum(double), x), feed) == [0, 0.25]
    with mg.strong_zero():
        cured = mg.grad(mg.sum(trap), x)
        twice = mg.grad(mg.sum(cured), x)
        pushed = mg.jvp(trap, x, [0.0, 1.0])
    assert numbers(cured, feed) == [0, 0.25]
    assert numbers(twice, feed) == [0, -1 / 32]
    assert numbers(pushed, feed) == [0, 0.25]


def test_a_constant_exponent_has_a_simple_gradient():
    x = mg.input((2,), name="x")
    assert [node.op.name for node in mg.walk(mg.grad(mg.sum(x**2), x))].count("power") == 0
    for exponent, expected in [(0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)]:
        assert mg.grad(mg.sum(x**exponent), x).eval({x: [0.0, 0.0]}).tolist() == [expected] * 2
    y, n = x ** mg.constant([2.0, 0.0]), mg.input((2,))
    assert numbers(mg.grad(mg.sum(y), x), {x: [3.0, 0.0]}) == [6, 0]
    gx, gn = mg.grad(mg.sum(x**n), [x, n])
    assert numbers(gx, {x: [0.0, 0.0], n: [0.0, 1.0]}) == [0, 1]
    assert numbers(gn, {x: [0.0, 1.0], n: [2.0, 5.0]}) == [0, 0]


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32, float])
@pytest.mark.parametrize("number", [True, 2, 0.5])
def test_a_python_number_takes_its_dtype_from_what_stands_beside_it(dtype, number):
    x = mg.input((2,), dtype=dtype)
    expected = np.ones(2, dtype) + number
    y = np.where(x > 0, x, number)
    assert (x + number).dtype == expected.dtype
    assert y.dtype == np.where(np.ones(2, bool), np.ones(2, dtype), number).dtype
