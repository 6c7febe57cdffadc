"""why_nan names the first node that became non-finite from finite numbers, and nothing else."""

import numpy as np
import pytest

import minigrad as mg


def test_finite_outputs_need_no_explanation():
    x = mg.input((2,))
    harmless = np.where(x > 0, mg.log(x), 0.0)
    assert mg.why_nan(harmless, {x: [0.0, 1.0]}) is None


def test_the_where_trap_is_explained():
    x = mg.input((3,), name="x")
    with mg.scope("cell", t=2):
        root = np.sqrt(x).named("root")
    y = np.where(x > 0, root, 0.0)
    assert mg.why_nan(y, {x: [4.0, 0.0, 1.0]}) is None
    report = mg.why_nan(mg.grad(mg.sum(y), x), {x: [4.0, 0.0, 1.0]})
    assert report.forward is root
    assert report.index == (1,)
    assert report.value == np.inf
    assert [float(value) for _, value in report.operands] == [0.5, 0.0]
    assert report.operands[1][0] is root
    assert report.became_nan.op.name == "mul"
    text = str(report)
    for part in (
        "gradient of root (test_diagnose.py:",
        "cell t=2",
        "at [1]",
        "root",
        "0.0",
        "double where",
        "strong_zero",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("build", "at", "op", "says"),
    [
        (lambda x: np.log(x), [1.0, -1.0], "log", "clamp"),
        (lambda x: 1 / (x - 1.0), [2.0, 1.0], "div", "guard it before dividing"),
        (lambda x: np.exp(x * 1000) - 1, [0.0, 1.0], "exp", "subtract the maximum"),
        (lambda x: np.sqrt(-x), [0.0, 1.0], "sqrt", "positive argument"),
        (lambda x: x**0.5, [0.0, -1.0], "power", "base positive"),
        (lambda x: np.sum(x * 1e200 * 1e200) * np.ones(2), [1.0, 1.0], "mul", "keep the factor finite"),
    ],
)
def test_forward_trouble_names_the_op_and_its_remedy(build, at, op, says):
    x = mg.input((2,), name="x")
    report = mg.why_nan(build(x), {x: at})
    assert (report.node.op.name, report.forward) == (op, None)
    assert says in str(report)
    assert "test_diagnose.py" in str(report)


def test_a_leaf_that_holds_nan_is_the_culprit():
    w, x = mg.parameter([1.0, np.nan], name="w"), mg.input((2,), name="x")
    report = mg.why_nan(w * x, {x: [1.0, 2.0]})
    assert report.node is w
    assert report.index == (1,)
    assert str(report).startswith("w (test_diagnose.py:")
    report = mg.why_nan([x * 2, x * 3], {x: [np.inf, 2.0]})
    assert report.node is x


def test_an_inner_fed_node_is_a_leaf_too():
    x = mg.input((2,), name="x")
    h = mg.log(x).named("h")
    report = mg.why_nan(h * 2, {h: [np.nan, 1.0]})
    assert report.node is h
    assert report.index == (0,)


def test_whole_operands_are_summarised_where_an_element_depends_on_many():
    a, b = mg.parameter(np.full((2, 2), 1e200), name="a"), mg.parameter(np.full((2, 2), 1e200), name="b")
    report = mg.why_nan(a @ b)
    assert report.node.op.name == "matmul"
    assert "from 1e+200 to 1e+200" in str(report)
    assert "overflowed" in str(report)


def test_the_first_of_several_is_named():
    x = mg.input((2,), name="x")
    first, second = np.log(x).named("first"), (1 / x).named("second")
    for y in (first + second, second * first):
        assert mg.why_nan(y, {x: [1.0, 0.0]}).node is first
    assert mg.why_nan([second, first], {x: [0.0, 1.0]}).index == (0,)
