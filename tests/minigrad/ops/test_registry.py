"""Every op in the registry is held to what its family promises; an op without samples here fails the first test."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops import REGISTRY, Discrete, Elementwise, Linear, Stacked
from minigrad.ops.leaves import Leaf

# Where the arguments of an elementwise op are drawn from; (-2, 2) unless told. None: positive integers.
DOMAINS = {
    "log": [(0.2, 3)],
    "log2": [(0.2, 3)],
    "log10": [(0.2, 3)],
    "log1p": [(-0.8, 2)],
    "sqrt": [(0.2, 3)],
    "cbrt": [(0.2, 3)],
    "power": [(0.2, 3), (-2, 3)],
    "div": [(-2, 2), (0.3, 2)],
    "tan": [(-1, 1)],
    "arcsin": [(-0.9, 0.9)],
    "arccos": [(-0.9, 0.9)],
    "arccosh": [(1.2, 4)],
    "arctanh": [(-0.9, 0.9)],
    "hypot": [(0.3, 2), (-2, 2)],
    "arctan2": [(-2, -0.3), (-2, 2)],
    "strong_mul": [(0.3, 2), (-2, 2)],
    "remainder": [(0.1, 0.9), (1.1, 2)],
    "fmod": [(-0.9, -0.1), (1.1, 2)],
    "floor_divide": [(0.1, 0.9), (1.1, 2)],
    "floor": [(0.1, 0.9)],
    "ceil": [(0.1, 0.9)],
    "trunc": [(0.1, 0.9)],
    "rint": [(0.6, 1.4)],
    "clip": [(-2, 2), (-1.0, -0.9), (0.9, 1.0)],
    "copysign": [(0.2, 2), (-2, -0.2)],
    "add_n": [(-2, 2)] * 3,
}
# Shapes (or integer arrays, taken as they are) and parameters of the other ops, one line a sample.
INTEGERS = np.array([[2, 0], [2, 1]])
SAMPLES = {
    "sum": [([(2, 3)], {"axes": (0,), "keepdims": False}), ([(2, 3, 2)], {"axes": (0, 2), "keepdims": True})],
    "broadcast_to": [([(3, 1)], {"shape": (2, 3, 4)})],
    "reshape": [([(2, 6)], {"shape": (3, 4)}), ([(1,)], {"shape": ()})],
    "transpose": [([(2, 3, 4)], {"axes": (2, 0, 1)})],
    "concat": [([(2, 3), (1, 3), (0, 3)], {"axis": 0}), ([(2, 1), (2, 3)], {"axis": 1})],
    "matmul": [([(2, 3), (3, 4)], {}), ([(5, 2, 3), (3, 2)], {}), ([(2, 3), (5, 3, 1)], {})],
    "einsum": [
        ([(2, 3), (3, 4)], {"labels": ("ij", "jk"), "out": "ki"}),
        ([(2, 3), (2, 1), (2, 3)], {"labels": ("ij", "ij", "ij"), "out": "j"}),
    ],
    "cumsum": [([(2, 3)], {"axis": 1, "reverse": False}), ([(2, 3)], {"axis": 0, "reverse": True})],
    "where": [([np.array([True, False, True]), (2, 3), ()], {})],
    "cast": [([(2, 3)], {"dtype": np.dtype(float)})],
    "slice": [([(4, 5, 6)], {"index": (2, (4, 0, -2), (0, 6, 3))}), ([(3,)], {"index": ((2, -1, -1),)})],
    "place": [([(2, 2)], {"shape": (4, 3, 5), "index": (1, (2, -1, -2), (1, 5, 2))})],
    "gather": [
        ([(3, 4), INTEGERS], {"lead": 0}),
        ([(2, 3, 4), INTEGERS, np.array([-1, 3])], {"lead": 1}),
    ],
    "scatter_add": [
        ([(2, 2, 4), INTEGERS], {"shape": (3, 4), "lead": 0}),
        ([(2, 2, 2), INTEGERS, np.array([-1, 3])], {"shape": (2, 3, 4), "lead": 1}),
    ],
    "logsumexp": [([(2, 3)], {"axes": (1,), "keepdims": False}), ([(2, 3)], {"axes": (0, 1), "keepdims": True})],
    "cross_entropy": [([(2, 3), np.array([2, 0])], {}), ([(3,), np.array(1)], {})],
    "max": [([(2, 3)], {"axes": (1,), "keepdims": False}), ([(2, 3, 2)], {"axes": (0, 2), "keepdims": True})],
    "min": [([(2, 3)], {"axes": (1,), "keepdims": False}), ([(2, 3, 2)], {"axes": (0, 2), "keepdims": True})],
    "norm": [([(2, 3)], {"axes": (1,), "keepdims": False}), ([(2, 3)], {"axes": (0, 1), "keepdims": True})],
    "recurrence": [([(2, 4), (2, 4)], {"reverse": False}), ([(3,), (2, 3)], {"reverse": True})],
    "cumprod": [([(2, 4)], {"reverse": False}), ([(3,)], {"reverse": True})],
    "prod": [([(2, 4)], {}), ([(1,)], {})],
    "argmax": [([(2, 3)], {"axis": 1, "keepdims": False})],
    "argmin": [([(2, 3)], {"axis": 0, "keepdims": True})],
    "argsort": [([(2, 3)], {"axis": 1})],
}
OPS = sorted(name for name, op in REGISTRY.items() if not isinstance(op, Leaf))
SMOOTH = [
    name
    for name in OPS
    if not isinstance(REGISTRY[name], Discrete) and getattr(REGISTRY[name], "partials", [0])[-1] is not None
]


def samples(name):
    """The op's arguments as arrays, and its parameters."""
    op = REGISTRY[name]
    rng = np.random.default_rng(len(name))
    if isinstance(op, Elementwise):
        domains = DOMAINS.get(name, [(-2, 2)] * len(op.partials))
        yield [rng.uniform(*domain, shape) for domain, shape in zip(domains, [(2, 3), (3,), ()], strict=False)], {}
        yield [rng.uniform(*domain, ()) for domain in domains], {}
        yield [rng.uniform(*domain, (2, 0)) for domain in domains], {}
        return
    for shapes, params in SAMPLES[name]:
        yield [rng.uniform(0.2, 1.5, s) * rng.choice([-1, 1], s) if isinstance(s, tuple) else s for s in shapes], params


def built(name, arrays, params):
    """The op on inputs of the arrays' shapes; the inputs, and the float ones with their values."""
    inputs = [mg.input(np.shape(a), dtype=np.asarray(a).dtype, name=f"x{i}") for i, a in enumerate(arrays)]
    feed = dict(zip(inputs, arrays, strict=True))
    floats = [x for x in inputs if x.dtype.kind == "f"]
    return REGISTRY[name](*inputs, **params), floats, feed


def close(got, expected, scale=1.0, rtol=1e-10):
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("name", OPS)
def test_every_op_is_documented_printed_and_sampled(name):
    op = REGISTRY[name]
    assert list(samples(name))
    assert op.__doc__
    assert "." in op.__doc__
    assert op.latex.format("x", "y", "z")
    assert repr(op) == f"<op {name}>"


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shape_and_dtype_rules_agree_with_the_kernel(name, dtype):
    for arrays, params in samples(name):
        arrays = [np.asarray(a, dtype) if np.asarray(a).dtype.kind == "f" else a for a in arrays]
        if name == "cast":
            params = {"dtype": np.dtype(dtype)}
        y, floats, feed = built(name, arrays, params)
        value = y.eval(feed)
        assert (value.shape, value.dtype) == (y.shape, y.dtype)
        assert y.dtype.kind != "f" or y.dtype == dtype
        if name not in SMOOTH:
            continue
        sweep = mg.backprop(y, floats, seed=np.ones(y.shape, dtype))
        values = mg.run(list(sweep.adjoints.values()), feed)
        for node in mg.walk(sweep.adjoints.values()):
            assert values[node].dtype == node.dtype, node
            assert node.dtype.kind != "f" or node.dtype == dtype, node
            assert values[node].shape == node.shape, node


@pytest.mark.parametrize("name", SMOOTH)
def test_vjp_and_jvp_are_adjoint(name):
    rng = np.random.default_rng(0)
    for arrays, params in samples(name):
        y, floats, feed = built(name, arrays, params)
        seed = rng.standard_normal(y.shape)
        tangents = [rng.standard_normal(x.shape) for x in floats]
        pulled = [g.eval(feed) for g in mg.vjp(y, floats, seed, unreachable="zero")]
        pushed = mg.jvp(y, floats, tangents).eval(feed)
        terms = [g * t for g, t in zip(pulled, tangents, strict=True)]
        scale = sum(np.sum(np.abs(term)) for term in terms) + np.sum(np.abs(seed * pushed))
        close(sum(np.sum(term) for term in terms), np.sum(seed * pushed), scale, 1e-13)


def along(y, floats, feed, tangents, analytic):
    """The derivative of y along the tangents: by complex step, or by a stencil of order 6."""

    def at(h):
        return y.eval({**feed, **{x: feed[x] + h * t for x, t in zip(floats, tangents, strict=True)}})

    if analytic:
        return at(1e-20j).imag / 1e-20
    h = 1e-3
    return (45 * (at(h) - at(-h)) - 9 * (at(2 * h) - at(-2 * h)) + at(3 * h) - at(-3 * h)) / (60 * h)


@pytest.mark.parametrize("name", SMOOTH)
def test_first_and_second_derivatives_against_numbers(name):
    rng = np.random.default_rng(1)
    op = REGISTRY[name]
    rtol = 1e-12 if op.analytic else 1e-9
    for arrays, params in samples(name):
        y, floats, feed = built(name, arrays, params)
        tangents = [rng.uniform(0.5, 1, x.shape) for x in floats]
        pushed = mg.jvp(y, floats, tangents)
        expected = along(y, floats, feed, tangents, op.analytic)
        close(pushed.eval(feed), expected, np.max(np.abs(expected), initial=1), rtol)
        seed = rng.uniform(0.5, 1, y.shape)
        for g in mg.vjp(y, floats, seed, unreachable="zero"):
            expected = along(g, floats, feed, tangents, op.analytic)
            got = mg.jvp(g, floats, tangents).eval(feed)
            close(got, expected, np.max(np.abs(expected), initial=1), 10 * rtol)


@pytest.mark.parametrize("name", OPS)
def test_any_op_can_be_evaluated_on_complex_leaves(name):
    for arrays, params in samples(name):
        y, floats, feed = built(name, arrays, params)
        value = y.eval({**feed, **{x: feed[x] + 0j for x in floats}})
        close(value.real, y.eval(feed), 1.0, 1e-14)


@pytest.mark.filterwarnings("ignore::minigrad.BroadcastWarning")  # a stack against an argument of higher rank
@pytest.mark.parametrize("name", OPS)
def test_a_stack_is_a_loop_over_its_members(name):
    rng = np.random.default_rng(2)
    op = REGISTRY[name]
    for arrays, params in samples(name):
        for slot, array in enumerate(arrays):
            members = [array if np.asarray(array).dtype.kind != "f" else array * rng.uniform(0.9, 1) for _ in range(2)]
            stacked = Stacked(np.stack(members))
            expected = [op(*arrays[:slot], member, *arrays[slot + 1 :], **params) for member in members]
            got = op(*arrays[:slot], stacked, *arrays[slot + 1 :], **params)
            close(got.value, np.stack(expected), 1.0, 1e-14)
            on_nodes = op(*arrays[:slot], Stacked(mg.constant(stacked.value)), *arrays[slot + 1 :], **params)
            close(on_nodes.value.eval(), got.value, 1.0, 1e-14)


@pytest.mark.parametrize("name", SMOOTH)
def test_rules_run_on_arrays_and_stacks_as_on_nodes(name):
    rng = np.random.default_rng(3)
    for arrays, params in samples(name):
        y, floats, feed = built(name, arrays, params)
        seeds = rng.standard_normal((2, *y.shape))
        values = mg.run(y, feed)
        out, args = values[y], [values[arg] for arg in y.args]
        for slot, arg in enumerate(y.args):
            if arg not in floats:
                continue
            expected = [mg.vjp(y, arg, seed, unreachable="zero").eval(feed) for seed in seeds]
            from_array = mg.pull_edge(y, slot, seeds[0], out, args)
            from_stack = mg.pull_edge(y, slot, Stacked(seeds), out, args)
            if from_array is None:
                assert from_stack is None
                continue
            close(from_array, expected[0], np.max(np.abs(expected[0]), initial=1), 1e-13)
            close(from_stack.value, np.stack(expected), np.max(np.abs(expected), initial=1), 1e-13)


KINKS = [(name, kink) for name in OPS for kink in REGISTRY[name].kinks]


@pytest.mark.parametrize(("name", "kink"), KINKS, ids=[f"{name}: {kink.where}" for name, kink in KINKS])
def test_kinks_are_policy(name, kink):
    op = REGISTRY[name]
    assert kink.where in op.__doc__
    if isinstance(op, Elementwise):
        xs = [mg.parameter(value) for value in kink.args]
        got = [float(mg.grad(op(*xs), x, unreachable="zero").eval()) for x in xs]
    else:
        x = mg.parameter(np.array(kink.args))
        got = list(mg.grad(op(x, axes=(0,), keepdims=False), x).eval())
    assert got == list(kink.partials)


def test_ops_that_can_make_a_number_non_finite_say_when():
    grid = [0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 1000.0, -1000.0]
    for name in SMOOTH:
        op = REGISTRY[name]
        if not isinstance(op, Elementwise) or len(DOMAINS.get(name, op.partials)) > 2:
            continue
        xs = [mg.input(len(grid) ** len(op.partials)) for _ in op.partials]
        points = dict(zip(xs, np.stack(np.meshgrid(*[grid] * len(xs))).reshape(len(xs), -1), strict=True))
        values = [op(*xs), *mg.vjp(op(*xs), xs, np.ones(xs[0].shape), unreachable="zero")]
        if not all(np.isfinite(value.eval(points)).all() for value in values):
            assert op.singular, f"{name} gives inf or NaN of finite numbers and does not say when"


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="exists already"):
        Elementwise("add", np.add, (1, 1), latex="", doc="")


def test_the_registry_is_the_ops():
    assert all(isinstance(op, mg.Op) for op in REGISTRY.values())
    assert {type(op).__bases__[0] for op in REGISTRY.values()} <= {
        mg.Op,
        Elementwise.__base__,
        Linear,
        mg.Explicit,
        Discrete,
    }


@pytest.mark.parametrize("name", SMOOTH)
def test_jacobians_are_the_rows_that_vjp_gives(name):
    for arrays, params in samples(name):
        y, floats, feed = built(name, arrays, params)
        jacobians = mg.jacobian(y, floats)
        values = mg.run(jacobians, feed)
        for i, index in enumerate(np.ndindex(y.shape)):
            seed = np.zeros(y.shape)
            seed[index] = 1
            for x, jacobian in zip(floats, jacobians, strict=True):
                assert jacobian.shape == y.shape + x.shape
                if i < 4:
                    row = mg.vjp(y, x, seed, unreachable="zero").eval(feed)
                    close(values[jacobian][index], row, np.max(np.abs(row), initial=1), 1e-13)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_numpy_source_of_every_op_runs_to_the_same_bits(name, dtype):
    for arrays, params in samples(name):
        arrays = [np.asarray(a, dtype) if np.asarray(a).dtype.kind == "f" else a for a in arrays]
        y, _, feed = built(name, arrays, params)
        text = mg.source(mg.function(list(feed), [y, y]))
        names = {}
        exec(compile(text, "<source>", "exec"), names)
        got, _ = names["f"](*arrays)
        expected = y.eval(feed)
        assert np.asarray(got).dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
