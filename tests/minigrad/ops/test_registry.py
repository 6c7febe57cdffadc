"""Every op in the registry says what it is, and what is built on ops works on each: complex leaves, Jacobians, source.

Its values, shapes, dtypes and derivatives are the business of `check_op`, whose cases are used here.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops import REGISTRY, Discrete, Elementwise, Linear
from minigrad.ops.leaves import Leaf
from minigrad.testing.cases import cases_for_op

OPS = sorted(name for name, op in REGISTRY.items() if not isinstance(op, Leaf))
SMOOTH = [
    name
    for name in OPS
    if not isinstance(REGISTRY[name], Discrete) and getattr(REGISTRY[name], "partials", [0])[-1] is not None
]


def samples(name):
    """Arguments as arrays, and parameters, degenerate ones among them: the cases that `check_op` runs its ladder on."""
    for case in cases_for_op(REGISTRY[name], 8):
        yield list(case.args), case.params


def built(name, arrays, params):
    """The op on inputs of the arrays' shapes; the inputs, and the float ones with their values."""
    inputs = [mg.input(np.shape(a), dtype=np.asarray(a).dtype, name=f"x{i}") for i, a in enumerate(arrays)]
    feed = dict(zip(inputs, arrays, strict=True))
    floats = [x for x in inputs if x.dtype.kind == "f"]
    return REGISTRY[name](*inputs, **params), floats, feed


def close(got, expected, rtol=1e-13):
    finite = np.abs(np.where(np.isfinite(expected), expected, 0))
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * np.max(finite, initial=1))


@pytest.mark.parametrize("name", OPS)
def test_every_op_is_documented_printed_and_sampled(name):
    op = REGISTRY[name]
    assert list(samples(name))
    assert op.__doc__
    assert "." in op.__doc__
    assert all(kink.where in op.__doc__ for kink in op.kinks)
    assert op.latex.format("x", "y", "z")
    assert repr(op) == f"<op {name}>"


@pytest.mark.parametrize("name", OPS)
def test_any_op_can_be_evaluated_on_complex_leaves(name):
    for arrays, params in samples(name):
        y, floats, feed = built(name, arrays, params)
        value = y.eval({**feed, **{x: feed[x].astype(np.result_type(x.dtype, np.complex64)) for x in floats}})
        real = np.asarray(y.eval(feed))
        finite = np.isfinite(real)
        close(value.real[finite], real[finite], 1e-6 if any(x.dtype == np.float32 for x in (y, *floats)) else 1e-14)
        assert not np.isfinite(value[~finite]).any()  # a complex infinity has no sign


def test_ops_that_can_make_a_number_non_finite_say_when():
    grid = [0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 1000.0, -1000.0]
    for name in SMOOTH:
        op = REGISTRY[name]
        if not isinstance(op, Elementwise) or len(op.partials) > 2 or name == "add_n":
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
        Elementwise,
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
                    close(values[jacobian][index], row, 1e-13 if y.dtype == float else 1e-5)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_numpy_source_of_every_op_runs_to_the_same_bits(name, dtype):
    for arrays, params in samples(name):
        arrays = [np.asarray(a, dtype) if np.asarray(a).dtype.kind == "f" else a for a in arrays]
        y, _, feed = built(name, arrays, params)
        text = mg.source(mg.function(list(feed), [y, y]))
        names = {}
        exec(compile(text, "<source>", "exec"), names)
        with np.errstate(all="ignore"):
            got, _ = names["f"](*arrays)
        expected = y.eval(feed)
        assert np.asarray(got).dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
