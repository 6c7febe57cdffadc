"""The derived functions: indexing, einsum and products drawn at random, and the functions NumPy has no name for."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import minigrad as mg

f = mg.functions


def check(y, x, array, expected, rtol=1e-12):
    """Value against NumPy, gradient against the complex step along a random direction."""
    assert (y.shape, y.dtype) == (np.shape(expected), np.asarray(expected).dtype)
    np.testing.assert_allclose(y.eval({x: array}), expected, rtol=1e-13, atol=1e-13)
    rng = np.random.default_rng(0)
    seed, direction = rng.standard_normal(y.shape), rng.standard_normal(array.shape)
    step = np.sum(seed * y.eval({x: array + 1e-20j * direction}).imag) / 1e-20
    terms = mg.vjp(y, x, seed, unreachable="zero").eval({x: array}) * direction
    assert abs(np.sum(terms) - step) <= rtol * (np.sum(np.abs(terms)) + np.sum(np.abs(seed)) + abs(step))


@st.composite
def indices(draw, shape):
    """An index as NumPy users write them: integers, slices, None, ..., integer arrays with repeats, masks."""
    entries = []
    arrays = draw(st.integers(0, 2))
    common = draw(st.sampled_from([(), (3,), (2, 1), (2, 3)]))
    for size in shape[: draw(st.integers(0, len(shape)))]:
        kind = draw(st.sampled_from(["int", "slice", "array", "list", "mask", "new"]))
        if kind == "new":
            entries.append(None)
        if kind == "int" and size:
            entries.append(draw(st.integers(-size, size - 1)))
        elif kind in ("array", "list") and size and arrays:
            arrays -= 1
            array = draw(hnp.arrays(np.int64, common, elements=st.integers(-size, size - 1)))
            entries.append(array.tolist() if kind == "list" and array.ndim else array)
        elif kind == "mask" and arrays == 2 and common == ():
            arrays = 0
            entries.append(draw(hnp.arrays(np.bool_, (size,))))
        else:
            entries.append(draw(st.slices(size)))
    used = sum(1 for entry in entries if entry is not None)
    if used < len(shape) and draw(st.booleans()):
        entries.append(...)
    return tuple(entries)


SHAPE = (3, 4, 2)
ARRAY = np.random.default_rng(0).standard_normal(SHAPE)


@given(indices(SHAPE))
def test_indexing_is_numpys(index):
    x = mg.input(SHAPE, name="x")
    check(x[index], x, ARRAY, ARRAY[index])


def test_a_single_entry_needs_no_tuple():
    x = mg.input(SHAPE, name="x")
    for index in (1, -1, slice(None, None, -2), None, ..., [0, 0, 2], np.array([[1, 1], [2, 0]]), np.int64(2)):
        check(x[index], x, ARRAY, ARRAY[index])
    mask = ARRAY > 0
    check(x[mask], x, ARRAY, ARRAY[mask])
    check(x[mask[..., 0]], x, ARRAY, ARRAY[mask[..., 0]])


def test_repeats_add_up_also_at_fed_positions():
    table, at = mg.parameter(np.zeros((3, 2)), name="table"), mg.input((4,), dtype=int, name="at")
    picked = mg.embedding(table, at)
    assert mg.grad(mg.sum(picked), table).eval({at: [2, 0, 2, 2]}).tolist() == [[1, 1], [0, 0], [3, 3]]
    assert mg.grad(mg.sum(picked), table).eval({at: [-1, 0, -1, 1]}).tolist() == [[1, 1], [1, 1], [2, 2]]


@st.composite
def einsums(draw):
    """A specification with one to three operands, repeated labels, size-1 axes and sometimes no result given."""
    sizes = {"a": 2, "b": 3, "c": 1, "d": 2}
    operands = draw(st.lists(st.text("abcd", min_size=0, max_size=3), min_size=1, max_size=3))
    joined = "".join(operands)
    spec = ",".join(operands)
    if draw(st.booleans()):
        out = draw(st.permutations(sorted(set(joined))))
        spec += "->" + "".join(out[: draw(st.integers(0, len(out)))])
    return spec, [tuple(sizes[label] for label in operand) for operand in operands]


@given(einsums(), st.integers(0, 2))
def test_einsum_is_numpys(spec_and_shapes, which):
    spec, shapes = spec_and_shapes
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    which %= len(arrays)
    x = mg.input(shapes[which], name="x")
    y = np.einsum(spec, *arrays[:which], x, *arrays[which + 1 :])
    check(y, x, arrays[which], np.asarray(np.einsum(spec, *arrays)))


@pytest.mark.parametrize("spec", ["...ij,jk->...ik", "...,...", "i...,i...->...", "...ii->...i", "...i->..."])
def test_einsum_with_an_ellipsis(spec):
    rng = np.random.default_rng(0)
    shapes = {"...ii->...i": [(2, 3, 3)], "...i->...": [(2, 3)], "...,...": [(2, 1), (3,)]}
    arrays = [
        rng.standard_normal(s) for s in shapes.get(spec, [(3, 2, 3), (3, 3)] if "j" in spec else [(2, 3), (2, 1)])
    ]
    x = mg.input(arrays[0].shape, name="x")
    check(np.einsum(spec, x, *arrays[1:]), x, arrays[0], np.einsum(spec, *arrays))


@pytest.mark.parametrize("spec", ["ij,jk", "ij->ji->", "i", "ij->iz", "ij->ii", "i1", "ijk"])
def test_einsum_refuses_what_does_not_fit(spec):
    with pytest.raises(mg.ShapeError, match="einsum"):
        np.einsum(spec, mg.input((2, 3)), *([mg.input((4, 5))] if "," in spec else []))


zeros_and_numbers = hnp.arrays(
    float, hnp.array_shapes(max_dims=2, max_side=4, min_side=0), elements=st.sampled_from([0.0, 1.0, -2.0, 0.5])
)


@given(zeros_and_numbers, st.booleans())
def test_products_are_right_where_factors_are_zero(array, first):
    x = mg.input(array.shape, name="x")
    axis = 0 if first else -1
    for y, expected in [
        (np.prod(x), np.prod(array)),
        (np.prod(x, axis=axis, keepdims=True), np.prod(array, axis=axis, keepdims=True)),
        (np.cumprod(x, axis=axis), np.cumprod(array, axis=axis)),
        (np.cumsum(x, axis=axis), np.cumsum(array, axis=axis)),
    ]:
        check(y, x, array, expected)
        # Second derivatives too: the gradient is checked as a function of its own.
        g = mg.vjp(y, x, np.ones(y.shape))
        check(g, x, array, g.eval({x: array}))


@given(hnp.arrays(float, (2, 3), elements=st.sampled_from([0.0, 1.0, 2.0])))
def test_ties_share_the_gradient_and_sum_to_one(array):
    x = mg.parameter(array)
    for y in (np.max(x, axis=1), np.min(x, axis=1)):
        g = mg.vjp(y, x, np.ones(2)).eval()
        hit = array == y.eval()[:, None]
        np.testing.assert_allclose(g, hit / hit.sum(axis=1, keepdims=True), rtol=1e-15)
    row = mg.parameter(array[0])
    for y in (np.maximum(row, array[1]), np.minimum(row, array[1])):
        assert set(mg.grad(mg.sum(y), row).eval()[array[0] == array[1]]) <= {0.5}


def test_where_takes_any_condition():
    x = mg.input((3,))
    assert np.where(x, 1.0, 2.0).eval({x: [0.0, np.nan, -1.0]}).tolist() == [2, 1, 1]
    assert np.where([True, False, True], x, 0.0).eval({x: [1.0, 2.0, 3.0]}).tolist() == [1, 0, 3]
    assert mg.where(True, 1.0, 2.0).eval() == 1


ACTIVATIONS = {
    "leaky_relu": (lambda x: mg.leaky_relu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
    "elu": (lambda x: mg.elu(x, 0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0)))),
    "silu": (mg.silu, lambda x: x / (1 + np.exp(-x))),
    "gelu": (
        lambda x: mg.gelu(x, approximate=True),
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "softmax": (mg.softmax, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    "log_softmax": (lambda x: mg.log_softmax(x, 0), lambda x: x - np.log(np.exp(x).sum(0))),
    "layer_norm": (
        lambda x: mg.layer_norm(x, 2.0, 1.0),
        lambda x: 2 * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) + 1,
    ),
    "mse": (lambda x: mg.mse(x, np.ones((3, 4))), lambda x: np.mean((x - 1) ** 2)),
    "clip": (lambda x: mg.clip(x, -0.5), lambda x: np.clip(x, -0.5, None)),
    "dropout": (lambda x: mg.dropout(x, np.eye(3, 4) > 0, 0.5), lambda x: x * np.eye(3, 4) * 2),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_networks_use(name):
    build, reference = ACTIVATIONS[name]
    array = np.random.default_rng(1).standard_normal((3, 4))
    x = mg.input((3, 4), name="x")
    check(build(x), x, array, np.asarray(reference(array)), rtol=1e-11)


def test_gelu_is_the_normal_distribution_function():
    from math import erf

    x = mg.input((5,))
    points = np.array([-3.0, -0.5, 0.0, 1.0, 4.0])
    expected = [p / 2 * (1 + erf(p / 2**0.5)) for p in points]
    np.testing.assert_allclose(mg.gelu(x).eval({x: points}), expected, rtol=1e-14)
    slopes = [(1 + erf(p / 2**0.5)) / 2 + p * np.exp(-p * p / 2) / np.sqrt(2 * np.pi) for p in points]
    np.testing.assert_allclose(mg.grad(mg.sum(mg.gelu(x)), x).eval({x: points}), slopes, rtol=1e-13)


def test_dropout_masks_are_drawn_from_the_generator_given():
    masks = [mg.dropout_mask(np.random.default_rng(5), (1000,), 0.25) for _ in range(2)]
    assert np.array_equal(*masks)
    assert 0.7 < masks[0].mean() < 0.8
    with pytest.raises(ValueError, match="rate"):
        mg.dropout(mg.input((2,)), True, 1.0)


def test_a_sum_of_one_is_that_value():
    x = mg.input((2,), name="x")
    assert mg.ops.add_n(x) is x
    value = mg.ops.add_n(np.float32(-0.0))
    assert (type(value), value.dtype, str(value)) == (np.ndarray, np.float32, "-0.0")
    stack = mg.ops.Stacked(np.ones((3, 2)))
    assert mg.ops.add_n(stack) is stack


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: np.sum(x, axis=2), "axis 2 is out of range for 2 axes"),
        (lambda x: np.sum(x, axis=(0, 0)), "twice"),
        (lambda x: np.reshape(x, (4, 2)), "cannot arrange 6 elements"),
        (lambda x: np.transpose(x, (0, 0)), "each of 2 axes once"),
        (lambda x: np.squeeze(x, 0), "axes of size 1"),
        (lambda x: np.split(x, 4, axis=1), "equal parts"),
        (lambda x: np.max(x[:0], axis=0), "one element or more"),
        (lambda x: np.median(x[:0]), "one element or more"),
        (lambda x: np.linalg.norm(x, 2), "matrix is not covered"),
        (lambda x: np.linalg.matrix_power(x, 2), "square"),
        (lambda x: np.diag(x[None]), "a vector or a matrix"),
        (lambda x: f.clip(x), "a lower or an upper bound"),
        (lambda x: x @ 2.0, "one or more axes"),
        (lambda x: np.concatenate([x[0, 0]]), "one or more axes"),
        (lambda x: np.pad(x, 1, mode="mean"), "pad: expects a mode of constant, edge, reflect, symmetric, wrap"),
        (lambda x: mg.ops.add_n(*[]), "add_n: expects one argument or more, got none"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected(call, error):
    with pytest.raises(ValueError, match=error):
        call(mg.input((2, 3), name="x"))
