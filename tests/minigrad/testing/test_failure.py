"""What a failure says: the smallest input, the numbers, and a line that fails in the same way when it is pasted."""

import keyword

import numpy as np
import pytest
from hypothesis.vendor.pretty import pretty

import minigrad as mg
from minigrad.ops.core import REGISTRY, Elementwise
from minigrad.testing import (
    Finding,
    GradientFailure,
    assert_same_function,
    check_gradient,
    check_graph,
    check_op,
    mutants,
)
from minigrad.testing.programs import Instruction, Program
from minigrad.testing.written import graph_code, reference
from rnn.testing import check_bptt


def failure(check, *arguments, **options):
    with pytest.raises(GradientFailure) as caught:
        check(*arguments, **options)
    return caught.value.finding


def pasted(finding):
    """What the line to paste fails with."""
    assert "\n" not in finding.reproduce
    with pytest.raises(GradientFailure) as caught:
        exec(finding.reproduce, {})
    return caught.value.finding


def same(first, second):
    return (first.law, first.element, first.got, first.expected) == (
        second.law,
        second.element,
        second.got,
        second.expected,
    )


def softplus(x):
    return np.log1p(np.exp(x))


def wrong_vjp(x, seed):
    return seed * (1 / (1 + np.exp(-x)) + 0.5 * (x > 1.0))


def loss(xs, params):
    """The states of a tanh net of one unit."""
    h, losses = 0.0, []
    for x in xs:
        h = np.tanh(params["w"] * h + x)
        losses.append(h)
    return np.array(losses)


def truncated(xs, params, seed):
    """Backpropagation through the last three uses of w only."""
    hs, total = [0.0, *loss(xs, params)], 0.0
    for t in range(len(xs)):
        delta = seed[t]
        for k in range(t, max(t - 3, -1), -1):
            delta = delta * (1 - hs[k + 1] ** 2)
            total += delta * hs[k]
            delta = delta * params["w"]
    return {"w": np.asarray(total)}


def broken(name="tanh", mutation="double"):
    return next(m for m in mutants(REGISTRY[name]) if m.mutation == mutation)


def test_a_function_and_its_vjp():
    finding = failure(check_gradient, softplus, np.array([[0.7, 1.3], [2.9, -1.0]]), wrong_vjp)
    assert finding.law == "one-hot seeds: each element of the Jacobian"
    np.testing.assert_array_equal(finding.inputs["x"], [[1.3]])
    assert finding.element == "d y[0, 0] / d x[0, 0]"
    assert finding.relative_error == pytest.approx(0.389, abs=1e-3)
    assert "  relative error  3.9e-01\n" in str(finding)
    assert "complex step" in str(finding)
    assert same(finding, pasted(finding))


def test_a_lambda_is_written_out_where_it_needs_nothing_else():
    finding = failure(check_gradient, np.sin, np.array([0.7, 1.3]), lambda x, s: s * np.sin(x))
    assert finding.reproduce.endswith("check_gradient(np.sin, np.array([0.0]), lambda x, s: s * np.sin(x))")
    assert same(finding, pasted(finding))


def test_what_cannot_be_imported_is_named_with_its_line():
    factor = 2.0
    finding = failure(check_gradient, np.sin, np.array([0.7]), lambda x, s: factor * s * np.cos(x))
    assert "check_gradient(np.sin, np.array([0.0]), gradient)  # gradient: the lambda at test_failure.py:" in str(
        finding
    )


def test_several_arrays_become_simple_together():
    finding = failure(
        check_gradient,
        lambda p: p["w"] @ p["x"],
        {"w": np.full((2, 3), 0.3), "x": np.array([0.7, -1.9, 2.2])},
        lambda p, s: {"w": np.outer(s, p["x"]), "x": p["w"].T @ s * (1 + (p["x"] > 2))},
    )
    assert np.count_nonzero(finding.inputs["x['w']"]) == 1
    assert np.count_nonzero(finding.inputs["x['x']"]) == 1
    assert same(finding, pasted(finding))


def test_an_op_of_the_registry_and_a_mutant_of_it():
    finding = failure(check_op, broken(), shrink=True)
    assert finding.inputs["x"].size == 1
    assert "Failing test case" not in str(finding)
    assert same(finding, pasted(finding))
    finding = failure(check_op, broken("sum"))
    assert "params={'axes': " in finding.reproduce
    assert same(finding, pasted(finding))


def test_an_op_of_your_own_is_imported_from_where_it_is():
    op = Elementwise("own_square", lambda x: x * x, (lambda out, x: 3 * x,), latex="{0}^2", doc="Wrong.")
    try:
        finding = failure(check_op, op)
        assert f"import {__name__}; check_op('own_square', " in finding.reproduce
        x = mg.input((2,), name="x")
        assert f"import {__name__}; x = mg.input((2,), name='x'); " in failure(check_graph, op(x), {x: X}).reproduce
    finally:
        del REGISTRY["own_square"]


X = np.array([0.7, -1.3])


def test_a_graph_is_written_as_code():
    op = Elementwise("own_square", lambda x: x * x, (lambda out, x: 3 * x,), latex="{0}^2", doc="Wrong.")
    x, w = mg.input((2,), name="x"), mg.parameter([0.25, 4.0], name="w")
    try:
        finding = failure(check_graph, mg.sum(op(x) * w), {x: X}, strict=False)
        np.testing.assert_array_equal(finding.inputs["x"], [0.0, 1.0])
        assert "the wrong rule: argument 0 of own_square" in finding.detail
        assert finding.reproduce.endswith("check_graph(y, {x: np.array([0.0, 1.0])}, strict=False)")
        assert same(finding, pasted(finding))
    finally:
        del REGISTRY["own_square"]


def test_a_long_graph_is_not_written():
    y = x = mg.input((), name="x")
    for _ in range(120):
        y = y + x
    assert failure(check_graph, broken("sin")(y), {x: 0.5}, second=False).reproduce == ""


def test_names_in_the_code_of_a_graph_are_free_and_valid():
    y = mg.input((), name="y") * mg.input((), name="lambda") * mg.input((), name="a b") * mg.input((), np.float32, "x")
    written = graph_code(y, {leaf: 1.0 for leaf in mg.walk(y) if not leaf.args})
    names = [statement.split(" = ")[0] for statement in written.statements]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in names)
    exec("\n".join(written.statements), {"mg": mg, "np": np})


def test_two_leaves_of_one_name_are_told_apart():
    x, again = mg.input((), name="x"), mg.input((), name="x")
    finding = failure(check_graph, broken()(x) * again, {x: 0.7, again: 0.3})
    assert set(finding.inputs) == {"x (0)", "x (1)"}
    assert {float(value) for value in finding.inputs.values()} <= {0.0, 1.0}


def test_two_spellings_of_one_function():
    finding = failure(assert_same_function, mg.tanh, lambda x: mg.tanh(x * 1.0001), np.array([0.7, -1.3]))
    assert finding.element == "y[1]"
    np.testing.assert_array_equal(finding.inputs["x"], [0.0, 1.0])
    assert finding.graph is None
    assert same(finding, pasted(finding))


def test_a_lag_of_a_recurrent_net():
    xs, params = np.linspace(0.3, 0.7, 9), {"w": np.array(0.37)}
    finding = failure(check_bptt, loss, truncated, xs, params)
    assert finding.law == "lag 3 is missing or wrong: shorter sequences agree"
    np.testing.assert_array_equal(finding.inputs["xs"], [1.0, 0, 0, 0, 0])
    assert finding.inputs["w"] == 1.0
    assert finding.element == "d loss[4] / d w"
    assert same(finding, pasted(finding))
    raw = failure(check_bptt, loss, truncated, xs, params, shrink=False)
    assert raw.inputs["w"] == 0.37


def test_an_exception_is_told_with_its_line():
    def raises(x, seed):
        raise KeyError("w")

    finding = failure(check_gradient, np.sin, np.array([0.7]), raises)
    line = raises.__code__.co_firstlineno + 1
    assert finding.detail == f"KeyError: 'w' (test_failure.py:{line})"


def test_a_program_that_fails_is_printed_as_code_by_hypothesis():
    program = Program((np.array(1.0),), (Instruction("tanh", (0,), {}),))
    assert pretty(program) == str(program)
    assert str(program).splitlines()[1:] == ["y = mg.ops.REGISTRY['tanh'](x0)", "feed = {x0: np.array(1.0)}"]


@pytest.mark.parametrize("function", [np.tanh, np.linalg.norm, mg.tanh, mg.softmax, mg.ops.place, softplus])
def test_references_are_what_they_refer_to(function):
    found = reference(function, "f")
    names = {"np": np, "mg": mg}
    exec(found.needs, names)
    assert eval(found.expression, names) is function


def test_relative_error_is_of_the_larger_number():
    assert Finding("f", "law", got=1.0, expected=4.0).relative_error == 0.75
    assert Finding("f", "law", got=0.0, expected=0.0).relative_error == 0.0
    assert np.isnan(Finding("f", "law", got=1.0).relative_error)
