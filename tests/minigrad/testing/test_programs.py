"""Random programs: right gradients raise no alarm, wrong ones shrink to a few nodes and print as code."""

import re

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.ops.core import REGISTRY
from minigrad.testing import GradientFailure, check_graph, graphs, mutants, planted
from minigrad.testing.profiles import current


@settings(max_examples=current().graphs, deadline=None)
@given(graphs())
def test_no_false_alarm(program):
    check_graph(program.output, program.feed)


@settings(max_examples=50)
@given(graphs())
def test_the_code_builds_the_same_graph(program):
    names = {"mg": mg, "np": np}
    exec(str(program), names)
    again = names["y"]
    assert [n.op.name for n in mg.walk(again)] == [n.op.name for n in mg.walk(program.output)]
    np.testing.assert_array_equal(again.eval(names["feed"]), program.output.eval(program.feed))


@settings(max_examples=50)
@given(graphs())
def test_values_stay_finite_and_moderate(program):
    values = mg.run(program.output, program.feed)
    assert all(np.all(np.abs(values[node]) < 50) for node in program.nodes)


@pytest.mark.parametrize("smooth", [True, False])
def test_smooth_programs_have_no_kinks(smooth):
    seen = set()

    @settings(max_examples=80, derandomize=True, deadline=None)
    @given(graphs(smooth=smooth))
    def collect(program):
        seen.update(node.op.name for node in program.nodes)

    collect()
    kinked = {"relu", "abs", "maximum", "minimum", "max"}
    assert (seen & kinked == set()) if smooth else len(seen & kinked) > 2


def smallest_failure(mutant):
    """The program that Hypothesis ends with when the mutant is planted and the op under suspicion."""

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
    )
    @given(graphs(max_steps=5, ops=[mutant.name]))
    def check(program):
        with planted(mutant):
            check_graph(program.output, program.feed, second=False)

    with pytest.raises(GradientFailure) as caught:
        check()
    return caught.value.finding


@pytest.mark.parametrize(
    ("name", "mutation"),
    [
        ("tanh", "double"),
        ("mul", "swap arguments"),
        ("add", "skip un-broadcasting"),
        ("matmul", "transpose"),
        ("sum", "drop early steps"),
        ("logsumexp", "last-step value"),
        ("gather", "= for +="),
        ("slice", "transpose"),
        ("concat", "drop early steps"),
    ],
)
def test_a_single_op_bug_shrinks_to_at_most_5_nodes(name, mutation):
    mutant = next(m for m in mutants(REGISTRY[name]) if m.mutation == mutation)
    finding = smallest_failure(mutant)
    assert len(list(mg.walk(finding.graph))) <= 5
    assert name in finding.reproduce
    assert len(re.findall("=", finding.reproduce)) < 20


def test_an_op_of_your_own_is_drawn():
    program = find(
        graphs(ops=["erf"]),
        lambda p: any(node.op.name == "erf" for node in p.nodes),
        settings=settings(database=None, max_examples=500),
    )
    assert len(program.nodes) <= 2


@settings(max_examples=20)
@given(st.data())
def test_drawing_leaves_a_repr_for_the_report(data):
    program = data.draw(graphs())
    assert repr(program) == str(program)
    assert "feed = {" in repr(program)


@pytest.mark.parametrize(
    "build",
    [
        lambda x, y: mg.relu(x) - mg.relu(-x),
        lambda x, y: mg.relu(x * x),
        lambda x, y: x + np.max(np.minimum(mg.tanh(y), x)),
        lambda x, y: np.maximum(x, x) + np.abs(x * y),
    ],
)
def test_kinks_that_cancel_are_no_alarm(build):
    x, y = mg.input((), name="x"), mg.input((3,), name="y")
    check_graph(mg.sum(build(x, y)), {x: np.array(0.0), y: np.array([1.0, 0.0, 0.0])})


def test_gradients_that_are_nothing_but_rounding_are_no_alarm():
    x, y = mg.input((3,), name="x"), mg.input((), name="y")
    halves = np.logaddexp(np.logaddexp(np.logaddexp(x, x), x), x)
    check_graph(np.max(halves), {x: np.array([-3.0, 1.1552734375, -0.869140625])})
    check_graph(np.max(x * y / x), {x: np.array([0.0263671875, 1.0, 2.0]), y: np.array(1.0)})


def test_a_kink_whose_slopes_differ_by_1e_minus_8_is_no_alarm():
    x, y = mg.input((), name="x"), mg.input((), name="y")
    graph = np.minimum(mg.tanh(x + y) * x, x * mg.tanh(y)) + np.maximum(x * (1 + 3e-8 * y), x)
    check_graph(graph, {x: np.array(0.0), y: np.array(3.0)})


def test_a_float32_leak_in_a_graph_is_no_rounding():
    x, y = mg.input((), name="x"), mg.input((), name="y")
    leak = next(m for m in mutants(REGISTRY["tanh"]) if m.mutation == "float32 leak")
    with pytest.raises(GradientFailure):
        check_graph(leak(x) * mg.sin(y), {x: np.array(0.5), y: np.array(3.0)})
