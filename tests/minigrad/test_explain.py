"""A graph told in other words says the same: names, sharing, formulas, and code that runs to the same numbers."""

import networkx
import numpy as np
import pytest

import minigrad as mg
import rnn
from minigrad.explain.spelling import CALLS, OPERATORS, SPECIAL
from minigrad.ops import REGISTRY
from minigrad.ops.leaves import Leaf


def lstm_loss(steps=3):
    model = rnn.LSTM(2, 3, rng=0)
    xs = mg.input((steps, 1, 2), name="xs")
    unrolled = rnn.unroll(model, xs)
    loss = mg.sum(unrolled.steps[-1].h ** 2).named("E")
    return model, xs, unrolled, loss


def executed(text):
    names = {}
    exec(compile(text, "<source>", "exec"), names)
    return names["f"]


def test_listing_writes_every_node_once_with_its_uses():
    x = mg.input((), name="x")
    y = x
    for _ in range(50):
        y = y + y
    lines = mg.listing(y).splitlines()
    assert len(lines) == 51
    assert lines[0].split() == ["x", "=", "input", "()", "float64", "used", "2", "times"]
    assert lines[1].startswith("%1  = add(x, x)")


def test_listing_tells_two_nodes_of_one_name_apart_and_shows_sites():
    with mg.scope("cell", t=1):
        a, b = mg.input((), name="h"), mg.input((), name="h")
        y = (a * b).named("y")
    text = mg.listing([y, mg.grad(y, a)], sites=True)
    assert "mul(h, h'2)" in text
    assert "gradient of y" in text
    assert f"[cell t=1]  {y.site}" in text


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x, y: x + y * x, r"x + y \odot x"),
        (lambda x, y: (x + y) * x, r"\left(x + y\right) \odot x"),
        (lambda x, y: x - (y - x), r"x - \left(y - x\right)"),
        (lambda x, y: x - y - x, "x - y - x"),
        (lambda x, y: -(x + y), r"-\left(x + y\right)"),
        (lambda x, y: mg.tanh(-x), r"\tanh \left(-x\right)"),
        (lambda x, y: (x + 1) ** 2, r"\left(x + 1\right)^{2}"),
        (lambda x, y: (x**2) ** 3, r"\left(x^{2}\right)^{3}"),
        (lambda x, y: x / (y + 1), r"\frac{x}{y + 1}"),
        (lambda x, y: mg.sigmoid(x) @ y, r"\sigma(x) y"),
        (lambda x, y: (x * y) @ y, r"x \odot y y"),
        (lambda x, y: (x + y).T, r"\left(x + y\right)^{\top}"),
        (lambda x, y: mg.sum(x * y), r"\sum x \odot y"),
        (lambda x, y: x[0], "{x}_{[0]}"),
        (lambda x, y: (x + y)[:, ::-1], r"{\left(x + y\right)}_{[:, 1::-1]}"),
        (lambda x, y: x.T.T, r"\left(x^{\top}\right)^{\top}"),
        (lambda x, y: x.T**2, r"\left(x^{\top}\right)^{2}"),
        (lambda x, y: mg.ops.add_n(x, -y, x * y), r"x + -y + x \odot y"),
        (lambda x, y: np.concatenate([x, y, x]), r"\left[ x; y; x \right]"),
    ],
)
def test_latex_puts_parentheses_where_they_are_needed(build, expected):
    x, y = mg.input((2, 2), name="x"), mg.input((2, 2), name="y")
    assert mg.latex(build(x, y)) == expected


def test_latex_names_intermediates_stops_at_them_or_expands_them():
    x, w = mg.input((3,), name="x_in"), mg.input((3,), name="omega")
    with mg.scope(t=4):
        a = (w * x).named("a")
        h = mg.tanh(a).named("hid_out")
    y = (h * h).named("E")
    assert mg.latex(y) == r"\mathrm{hid}_{out,5} \odot \mathrm{hid}_{out,5}"
    assert mg.latex(mg.tanh(a)) == r"\tanh a_{5}"
    assert mg.latex(a, named="expand") == r"\omega \odot x_{in}"
    defined = mg.latex(y, named="define")
    assert defined.splitlines()[1:4] == [
        r"a_{5} &= \omega \odot x_{in} \\",
        r"\mathrm{hid}_{out,5} &= \tanh a_{5} \\",
        r"E &= \mathrm{hid}_{out,5} \odot \mathrm{hid}_{out,5}",
    ]
    with pytest.raises(ValueError, match="stop"):
        mg.latex(y, named="never")


def test_latex_of_shared_and_of_long_graphs_stays_short():
    x = mg.input((), name="x")
    y = x
    for _ in range(100):
        y = y * y
    text = mg.latex(y)
    assert len(text.splitlines()) == 102
    assert r"z_{2} &= z_{1} \odot z_{1} \\" in text
    for _ in range(20_000):
        y = mg.tanh(y)
    assert max(len(line) for line in mg.latex(y).splitlines()) < 2000


def test_odd_names_are_escaped():
    assert mg.latex(mg.input((), name="50%_a&b{") * 1.0).startswith(r"\mathrm{50\%}_{a\&b\{}")


def test_the_lecture_equation_comes_from_a_real_unrolled_rnn():
    model = rnn.RNN(2, 3, rng=0)
    unrolled = rnn.unroll(model, np.ones((3, 1, 2)))
    with mg.scope(t=2):
        E = mg.sum(unrolled.steps[2].h ** 2).named("E")
    w = model.parameters["weight_hh_l0"].named("weight_hh_l0")
    states = [step.h for step in unrolled.steps]
    text = mg.latex_paths(E, w, states)
    assert text == (
        r"\frac{\partial E_{3}}{\partial \mathrm{weight}_{hh\_l0}} = "
        r"\sum_{k=1}^{3} \frac{\partial E_{3}}{\partial h_{3}} "
        r"\left( \prod_{j=k+1}^{3} \frac{\partial h_{j}}{\partial h_{j-1}} \right) "
        r"\frac{\partial^{+} h_{k}}{\partial \mathrm{weight}_{hh\_l0}}"
    )
    skipped = mg.latex_paths(E, w, [states[0], states[2]])
    assert skipped.count(r"\partial^{+}") == 2
    assert r"\frac{\partial h_{3}}{\partial h_{1}} \frac{\partial^{+} h_{1}}" in skipped
    assert mg.latex_paths(E, w, []).endswith(r"= \frac{\partial^{+} E_{3}}{\partial \mathrm{weight}_{hh\_l0}}")
    with pytest.raises(mg.GradientError, match="does not depend"):
        mg.latex_paths(E, mg.parameter(1.0, name="other"), states)


def test_paths_that_branch_are_written_one_by_one():
    w = mg.parameter(1.0, name="w")
    a = (w * 2).named("a")
    b, c = (a * w).named("b"), (a * 3).named("c")
    y = (b * c).named("y")
    text = mg.latex_paths(y, w, [a, b, c])
    assert text.count("+") - text.count("^{+}") == 2
    assert r"\frac{\partial y}{\partial b} \frac{\partial^{+} b}{\partial w}" in text


def test_networkx_keeps_ops_slots_and_parallel_edges():
    _, _, _, loss = lstm_loss()
    graph = mg.to_networkx(loss)
    nodes = list(mg.walk(loss))
    assert isinstance(graph, networkx.MultiDiGraph)
    assert set(graph) == set(nodes)
    assert graph.number_of_edges() == sum(len(node.args) for node in nodes)
    assert networkx.is_directed_acyclic_graph(graph)
    for node in nodes:
        found = sorted((data["slot"], arg.id) for arg, _, data in graph.in_edges(node, data=True))
        assert found == [(slot, arg.id) for slot, arg in enumerate(node.args)]
        data = graph.nodes[node]
        assert (data["op"], data["shape"], data["dtype"]) == (node.op.name, node.shape, str(node.dtype))
        assert data["scope"] == str(node.scope)


def test_every_op_has_a_spelling():
    for name, op in REGISTRY.items():
        assert isinstance(op, Leaf) or name in OPERATORS or name in CALLS or name in SPECIAL, name


def test_the_source_of_a_training_step_runs_to_the_same_numbers():
    model, xs, _, loss = lstm_loss()
    wrt = list(model.parameters.values())
    f = mg.function([xs], {"loss": loss, "gradients": mg.grad(loss, wrt)[0], "w": mg.grad(loss, wrt)[1]})
    text = mg.source(f)
    array = np.random.default_rng(0).standard_normal((3, 1, 2))
    g = executed(text)
    parameters = {p.name: p.value for p in wrt if p.name in text}
    got = g(array, **parameters)
    values = mg.run([loss, *mg.grad(loss, wrt)[:2]], {xs: array})
    assert list(got) == ["loss", "gradients", "w"]
    np.testing.assert_array_equal(got["loss"], values[loss])
    np.testing.assert_allclose(got["gradients"], f(array)["gradients"], rtol=1e-13)
    assert "# gradient of" in text
    assert "minigrad" not in text
    assert max(len(line) for line in text.splitlines()) < 400


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_source_handles_constants_names_and_structures(dtype):
    x = mg.input((2, 2), dtype=dtype, name="class")
    w = mg.parameter(np.array([[0.1, -0.0], [np.inf, 1e-320]], dtype), name="np")
    big = np.arange(4.0).reshape(2, 2)
    y = (mg.sigmoid(x * 0.1) - w * -2.0) @ big + np.float32(0.3)
    z = np.where(x > 0, y, np.nan)
    for outputs in ([y, z, y], (y,), (y, z), {"a": z}, z):
        f = mg.function([x], outputs)
        with np.errstate(invalid="ignore"):
            got = executed(mg.source(f))(np.ones((2, 2), dtype), np_2=w.value)
        expected = f(np.ones((2, 2), dtype))
        assert type(got) is type(expected)
        for a, b in zip(members(got), members(expected), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype


def test_source_numbers_what_it_writes_and_leaves_whole_axes_out():
    x = mg.input((4, 3), name="x")
    with mg.scope("cell", t=1):
        h = mg.tanh(x[1]).named("h")
    y = mg.sum(h * h)
    text = mg.source(mg.function([x], [y, mg.grad(y, x)]))
    assert text.partition("def f")[2].splitlines()[:4] == [
        "(x):",
        "    # cell t=1",
        "    v1 = x[1]",
        "    h = np.tanh(v1)",
    ]
    assert "# gradient of slice, cell t=1" in text
    assert "place(" in text


def test_source_refuses_what_it_cannot_write():
    x, other = mg.input((), name="x"), mg.input((), name="other")
    with pytest.raises(mg.FeedError, match="other"):
        mg.source(mg.function([x], x * other))


def test_the_source_of_a_long_chain_is_written_out():
    x = mg.input((), name="x")
    y = x
    for _ in range(5_000):
        y = mg.tanh(y)
    assert mg.source(mg.function([x], y)).count("np.tanh") == 5_000


def members(results):
    """The arrays of a function's results, whatever structure they have."""
    if isinstance(results, dict):
        return list(results.values())
    return results if isinstance(results, (list, tuple)) else [results]
