"""check_op runs the ladder on registered ops and on new ones; assert_same_function compares spellings."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops.core import REGISTRY, Elementwise, Kink
from minigrad.ops.leaves import Leaf
from minigrad.testing import GradientFailure, assert_same_function, check_op


@pytest.fixture
def new_op():
    """Build ops that leave the registry again."""
    made = []

    def build(name, kernel, partials, **more):
        op = Elementwise(name, kernel, partials, latex="f({0})", doc="A test.", **more)
        made.append(name)
        return op

    yield build
    for name in made:
        del REGISTRY[name]


def test_a_new_op_needs_no_more_than_its_declaration(new_op):
    check_op(
        new_op(
            "cube",
            lambda x: x * x * x,
            (lambda out, x: 3 * x * x,),
        )
    )


def test_a_wrong_partial_is_shown_at_the_smallest_input(new_op):
    with pytest.raises(GradientFailure, match="cube: ") as caught:
        check_op(new_op("cube", lambda x: x * x * x, (lambda out, x: x * x,)))
    assert caught.value.finding.inputs["x"].size == 1
    assert "check_op('cube', args=(np.array(" in caught.value.finding.reproduce


def test_a_domain_is_found_by_asking_the_kernel(new_op):
    check_op(new_op("inverse_sine", np.arcsin, (lambda out, x: 1 / mg.sqrt(1 - x * x),)))


def test_a_kernel_that_takes_no_complex_numbers_is_checked_by_differences(new_op):
    cube_root = new_op("cube_root", np.cbrt, (lambda out, x: 1 / (3 * out * out),), analytic=False)
    check_op(cube_root, args=[np.array([0.5, -2.0])])
    wrong = new_op("cube_root_wrong", np.cbrt, (lambda out, x: 1 / (3.0001 * out * out),), analytic=False)
    with pytest.raises(GradientFailure, match="6-point"):
        check_op(wrong, args=[np.array([0.5, -2.0])])


def test_the_policy_at_a_kink_is_checked(new_op):
    row = Kink("hinge at 0", (0.0,), (0.5,))
    hinge = new_op("hinge", lambda x: np.where(x > 0, x, 0), (lambda out, x: x > 0,), analytic=False, kinks=(row,))
    with pytest.raises(GradientFailure, match="policy, hinge at 0"):
        check_op(hinge)


def test_a_reference_checks_the_value(new_op):
    almost = new_op("almost_sine", lambda x: np.sin(x) + 1e-6, (lambda out, x: mg.cos(x),))
    check_op(almost)
    with pytest.raises(GradientFailure, match="the value is the reference's"):
        check_op(almost, reference=np.sin)


def test_float32_must_stay(new_op):
    with pytest.raises(GradientFailure, match="float32 stays float32"):
        check_op(new_op("leak", lambda x: np.float64(2.0) * np.asarray(x), (2,)))


def test_an_op_without_cases_says_what_to_do():
    class Unknown(mg.Linear):
        name = "unknown"

    try:
        with pytest.raises(LookupError, match=r"check_op\(op, args="):
            check_op(Unknown())
    finally:
        del REGISTRY["unknown"]


def test_two_spellings_of_one_function():
    x = np.array([0.5, -1.0, 3.0])
    assert_same_function(mg.sigmoid, lambda x: 1 / (1 + mg.exp(-x)), x)
    assert_same_function(lambda a, b: a @ b, lambda a, b: mg.sum(a * b), x, x[::-1])
    with pytest.raises(GradientFailure, match="the same value"):
        assert_same_function(mg.sigmoid, lambda x: 1 / (1 + mg.exp(-1.0001 * x)), x)
    with pytest.raises(GradientFailure, match="one shape and dtype"):
        assert_same_function(mg.sum, lambda x: x, x)


def test_equal_values_with_other_derivatives_are_told_apart():
    x = np.array([0.5, -1.0, 3.0])
    with pytest.raises(GradientFailure, match="the same derivative of y"):
        assert_same_function(lambda x: mg.stop_gradient(x) * x, lambda x: x * x, x)
    with pytest.raises(GradientFailure, match="the same derivative of <u, gradient>"):
        assert_same_function(mg.sin, lambda x: mg.stop_gradient(mg.sin(x)) + _slope(x), x)
    with pytest.raises(GradientFailure, match="the same derivative of y"):
        assert_same_function(lambda x: mg.tanh(x), lambda x: mg.tanh(x) + 0 * x * mg.stop_gradient(x) + _shift(x), x)


def _slope(x):
    """0 with the derivative cos(x), whose own derivative is 0."""
    return (x - mg.stop_gradient(x)) * mg.stop_gradient(mg.cos(x))


def _shift(x):
    return x - mg.stop_gradient(x)


OPS = sorted(name for name, op in REGISTRY.items() if not isinstance(op, Leaf))


@pytest.mark.parametrize("name", OPS)
def test_the_whole_registry_passes_the_ladder(name):
    check_op(name)


def test_the_mixed_second_derivative_of_a_power_at_exponent_0():
    x, y = mg.parameter(2.0), mg.parameter(0.0)
    assert mg.grad(mg.grad(x**y, x), y).eval() == 0.5
    check_op("power", args=[2.0, 0.0])


def test_a_slice_that_starts_before_the_first_element_is_empty():
    x = mg.parameter(np.arange(3.0))
    assert x[-5::-1].eval().size == np.arange(3.0)[-5::-1].size == 0
    check_op("slice", args=[np.arange(3.0)], params={"index": ((-1, -1, -1),)})


@pytest.mark.parametrize("x", [-0.9999092042625951, -1 + 1e-12, -0.5, -0.3, -1e-9, 1e-9, 0.0, 2.0])
def test_log1p_of_a_complex_number_has_the_digits_of_the_real_one(x):
    value = mg.ops.log1p.kernel(np.asarray(x + 1e-100j))
    np.testing.assert_allclose(value.real, np.log1p(x), rtol=4e-15, atol=1e-190)
    np.testing.assert_allclose(value.imag, 1e-100 / (1 + x), rtol=4e-15)


def broken(name, **members):
    """The registered op with some of its methods replaced."""
    op = REGISTRY[name]
    kind = type(op)
    variant = object.__new__(type(kind.__name__, (kind,), members))
    vars(variant).update(vars(op))
    return variant


def test_a_rule_that_is_wrong_on_nodes_alone_is_found():
    def pull(self, ct, slot, out, args, params):
        term = type(mg.ops.sin).pull(self, ct, slot, out, args, params)
        return term * 2 if isinstance(term, mg.Node) and not args[0].shape else term

    with pytest.raises(GradientFailure):
        check_op(broken("sin", pull=pull), args=[0.5], second=False)


def test_an_op_that_treats_a_stack_as_one_array_is_found():
    def call(self, *args, **params):
        out = type(mg.ops.cumsum).__call__(self, *args, **params)
        return type(out)(out.value + 1) if hasattr(out, "value") and not isinstance(out, mg.Node) else out

    with pytest.raises(GradientFailure, match="the op on a stack that is an array is a loop over its members"):
        check_op(broken("cumsum", __call__=call), args=[np.ones(3)], params={"axis": 0, "reverse": False})


def test_a_gradient_in_another_dtype_than_its_op_s_is_found(new_op):
    def slope(out, x):
        return mg.ops.cast(mg.ops.cast(mg.cos(x), dtype=np.dtype(float)), dtype=x.dtype)

    wide = new_op("wide_sine", np.sin, (slope,))
    check_op(wide, args=[np.array([0.5, 1.0])])
    with pytest.raises(GradientFailure, match="a gradient stays in the dtypes of its op"):
        check_op(wide, args=[np.array([0.5, 1.0], np.float32)])


def test_a_jvp_that_disagrees_with_the_vjp_is_found():
    def push(self, tangent, slot, out, args, params):
        term = type(mg.ops.tanh).push(self, tangent, slot, out, args, params)
        return term * 2 if isinstance(term, mg.Node) else term

    with pytest.raises(GradientFailure, match="reverse mode and forward mode agree"):
        check_op(broken("tanh", push=push), args=[0.5])


@pytest.mark.parametrize(("name", "args"), [("exp2", [-800.0]), ("power", [2.0, -800.0]), ("power", [1e-8, 40.0])])
def test_what_underflows_is_no_alarm(name, args):
    check_op(name, args=[np.array(x, np.float32) for x in args])
    check_op(name, args=args)


def test_a_gradient_where_there_is_none_is_found():
    def pull(self, ct, slot, out, args, params):
        return np.ones(args[0].shape)

    with pytest.raises(GradientFailure, match="no gradient passes here"):
        check_op(broken("argmax", pull=pull), args=[np.array([1.0, 2.0])], params={"axis": 0, "keepdims": False})


def test_a_second_derivative_that_is_wrong_alone_is_found(new_op):
    once = new_op("sine_once", np.sin, (lambda out, x: mg.cos(mg.stop_gradient(x)),))
    check_op(once, args=[0.5], second=False)
    with pytest.raises(GradientFailure, match="<u, gradient>"):
        check_op(once, args=[0.5])


def test_a_rule_that_has_nothing_for_arrays_alone_is_found():
    def pull(self, ct, slot, out, args, params):
        return None if isinstance(ct, np.ndarray) else type(mg.ops.tanh).pull(self, ct, slot, out, args, params)

    with pytest.raises(GradientFailure, match="pull answers None on arrays and on stacks alike"):
        check_op(broken("tanh", pull=pull), args=[np.array([0.5, 1.0])])


def test_a_push_that_is_wrong_where_one_node_is_used_twice_is_found():
    def push(self, tangent, slot, out, args, params):
        term = type(mg.ops.mul).push(self, tangent, slot, out, args, params)
        return term * 2 if isinstance(term, mg.Node) and args[0] is args[1] else term

    with pytest.raises(GradientFailure, match="one node in two slots: reverse mode and forward mode agree"):
        check_op(broken("mul", push=push), args=[0.5, 2.0])


def with_partials(name, *partials):
    """The elementwise op with other derivatives."""
    variant = broken(name)
    vars(variant)["partials"] = partials
    return variant


SHIPPED = {
    "tanh from its own value, which is 1 from 19 on": lambda: with_partials("tanh", lambda out, x: 1 - out * out),
    "sigmoid from its own value": lambda: with_partials("sigmoid", lambda out, x: out * (1 - out)),
    "softplus that overflows": lambda: with_partials("softplus", lambda out, x: mg.exp(x) / (1 + mg.exp(x))),
    "power at 0": lambda: with_partials(
        "power", lambda out, x, y: y * x ** (y - 1), lambda out, x, y: out * mg.ops.log(x)
    ),
    "abs, 1 at 0": lambda: with_partials("abs", lambda out, x: mg.where(x < 0, -1.0, 1.0)),
    "relu, 1/2 at 0": lambda: with_partials("relu", lambda out, x: (mg.sign(x) + 1) / 2),
    "maximum, both of a tie": lambda: with_partials("maximum", lambda out, x, y: x >= y, lambda out, x, y: y >= x),
}


@pytest.mark.parametrize("bug", sorted(SHIPPED))
def test_bugs_that_real_engines_shipped_are_caught(bug):
    with pytest.raises(GradientFailure):
        check_op(SHIPPED[bug](), shrink=False, max_examples=20)
