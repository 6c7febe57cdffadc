"""One step open: its equations, evaluated as printed, give the numbers of the run; its edges are the engine's."""

from __future__ import annotations

import io
import json
import math
import re
import xml.etree.ElementTree as ElementTree
from functools import partial

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn
import viz
from rnn.testing import recurrent_nets
from viz import tikz
from viz.equations import Equations
from viz.figure import WRITERS
from viz.opened import FLAT
from viz.study import study
from viz.words import NO_BREAK, Rich, Run, plain, wrap

from .subjects import IN_TIME

NETS = recurrent_nets(lengths=False)
MARKS = {"": "{}", "sub": "⟨{}⟩", "sup": "⟪{}⟫"}
SIGNS = {"⊙": "*", "−": "-", NO_BREAK: "@", "; 1)": ")"}
FUNCTIONS = {
    "σ": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "concat": lambda *parts: np.concatenate(parts),
}


def flat(words: Rich) -> str:
    """A formula on one line in which what stands below or above is part of a name."""
    return "".join(".T" if run == Run("T", "sup") else MARKS[run.shift].format(run.text) for run in words)


NAME = r"(?<!\.)[A-Za-zσ]+′*(?:⟨[^⟩]*⟩|⟪[^⟫]*⟫)*"


def evaluated(formula: str, values: dict[str, np.ndarray]) -> np.ndarray:
    """What the right side of a printed formula comes to."""
    for sign, operator in SIGNS.items():
        formula = formula.replace(sign, f" {operator} ")
    known: dict[str, object] = {}

    def named(found: re.Match[str]) -> str:
        name = found[0]
        known[f"n{len(known)}"] = values[name] if name in values else FUNCTIONS[name]
        return f"n{len(known) - 1}"

    return eval(re.sub(NAME, named, formula.split(" = ", 1)[1]), {}, known)


def values_of(maths: Equations, run: mg.Run) -> dict[str, np.ndarray]:
    """The arrays behind the names: columns if vectors are written so, else rows."""
    found = {}
    for node in maths.timeline.nodes:
        near = maths.timeline.step.get(node, maths.t) in (maths.t - 1, maths.t, maths.t + 1)
        if node.dtype.kind == "f" and near and maths.block(node) is None:
            found[flat(maths.name(node))] = np.asarray(run[node]).T if maths.columns else np.asarray(run[node])
        elif isinstance(node, mg.Parameter):
            found[flat(maths.name(node))] = node.value[:, None] if maths.columns and node.ndim == 1 else node.value
    for node in maths.heads:
        found[flat(maths.name(node))] = np.asarray(run[node]).T if maths.columns else np.asarray(run[node])
    for (parameter, axis, cut), label in maths.blocks.items():
        value = parameter.value if cut is None else np.take(parameter.value, range(*cut), axis)
        if "[" not in flat(label):
            found[flat(label)] = value[:, None] if maths.columns and value.ndim == 1 else value
    return found


def maths_of(loss: mg.Node, t: int) -> tuple[Equations, mg.Run]:
    found = study(loss)
    assert found.run is not None
    layers = len({cell[1] for cell in found.kinds.cells}) > 1
    made = set(found.timeline.steps[t])
    ends = [n for n in made if n.shape == () and n.args and not any(n in user.args for user in made)]
    return Equations(found.kinds, t, ends, layers), found.run


def check_equations(loss: mg.Node, t: int) -> int:
    """Evaluate every printed equation of sums, products and functions of step `t`; return how many there were."""
    maths, run = maths_of(loss, t)
    values, count = values_of(maths, run), 0
    for head in maths.heads:
        printed = flat(maths.formula(head))
        if "…" in printed or not set(re.findall(r"[a-z_]{2,}(?=\()", printed)) <= set(FUNCTIONS) or "Σ" in printed:
            continue
        wanted = np.asarray(run[head]).T if maths.columns else np.asarray(run[head])
        np.testing.assert_allclose(evaluated(printed, values), wanted, rtol=1e-12, atol=1e-14, err_msg=printed)
        count += 1
    return count


@settings(max_examples=20)
@given(NETS, st.data())
def test_every_equation_as_it_is_printed_gives_the_number_of_the_run(net, data):
    t = data.draw(st.integers(0, len(net.losses) - 1))
    loss = mg.ops.add_n(*net.losses)
    cells = net.sizes[4] * (2 if net.bidirectional else 1)
    named = {"RNN": 1, "LSTM": 6, "GRU": 5}[type(net.model).__name__]
    assert check_equations(loss, t) >= cells * named


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        (rnn.RNN, ["h_3 = tanh(W_ih x_3 + b_ih + W_hh h_2 + b_hh)"]),
        (
            rnn.LSTM,
            [
                "i_3 = σ(W_ii x_3 + b_ii + W_hi h_2 + b_hi)",
                "f_3 = σ(W_if x_3 + b_if + W_hf h_2 + b_hf)",
                "g_3 = tanh(W_ig x_3 + b_ig + W_hg h_2 + b_hg)",
                "o_3 = σ(W_io x_3 + b_io + W_ho h_2 + b_ho)",
                "c_3 = f_3 ⊙ c_2 + i_3 ⊙ g_3",
                "h_3 = o_3 ⊙ tanh(c_3)",
            ],
        ),
        (
            rnn.GRU,
            [
                "r_3 = σ(W_ir x_3 + b_ir + W_hr h_2 + b_hr)",
                "z_3 = σ(W_iz x_3 + b_iz + W_hz h_2 + b_hz)",
                "n_3 = tanh(W_in x_3 + b_in + r_3 ⊙ (W_hn h_2 + b_hn))",
                "carry_3 = z_3 ⊙ h_2",
                "h_3 = (1 − z_3) ⊙ n_3 + carry_3",
            ],
        ),
        (
            partial(rnn.GRU, reset="before"),
            [
                "r_3 = σ(W_ir x_3 + b_ir + b_hr + W_hr h_2)",
                "z_3 = σ(W_iz x_3 + b_iz + b_hz + W_hz h_2)",
                "n_3 = tanh(W_in x_3 + b_in + b_hn + W_hn (r_3 ⊙ h_2))",
                "carry_3 = z_3 ⊙ h_2",
                "h_3 = (1 − z_3) ⊙ n_3 + carry_3",
            ],
        ),
    ],
)
def test_the_equations_are_those_of_the_books(cell, wanted):
    scene = viz.draw(rnn.read("hello", cell), level="open", step=2).scene
    written = [plain(equation.formula).replace(NO_BREAK, " ") for equation in scene.equations]
    assert written == [*wanted, "y_3 = W_hy h_3 + b_y", "L_3 = Σ_0 cross-entropy(y_3, 2) / 1"]


def test_stacked_nets_name_layers_and_the_key_says_which_rows_a_gate_takes():
    scene = viz.draw(rnn.read("hello", partial(rnn.LSTM, layers=2)), level="open", step=1).scene
    written = [plain(equation.formula).replace(NO_BREAK, " ") for equation in scene.equations]
    assert "f_2^1 = σ(W_if^1 h_2^0 + b_if^1 + W_hf^1 h_1^1 + b_hf^1)" in written
    assert plain(scene.key[0]).replace(NO_BREAK, " ").endswith("b_hh^1: i 1–8, f 9–16, g 17–24, o 25–32.")
    lines = [plain(line) for room in range(60, 700, 5) for line in wrap(scene.key[0], 10, room)]
    assert not {"i", "f", "g", "o"} & {line.split(" ")[-1] for line in lines}, "a gate stands on one line with its rows"


def own_cell(rows: bool) -> mg.Node:
    """A cell with a leak, one product for two gates, and a value without a name that is used twice."""
    rng = np.random.default_rng(1)
    w, u, tau = (mg.parameter(rng.normal(size=s), name=n) for n, s in (("W", (8, 3)), ("U", (8, 4)), ("tau", (4,))))
    h, losses = mg.constant(np.zeros((2, 4))), []
    for t in range(3):
        with mg.scope("mine", t=t):
            x = mg.constant(rng.normal(size=(2, 3))).named("x")
            a = x @ mg.parameter(w.value.T, name="V") + h @ u.T if rows else x @ w.T + h @ u.T
            q = mg.sigmoid(a[:, :4]).named("q")
            twice = mg.tanh(a[:, 4:])
            h = (h + tau * (twice - h) * q + 0.1 * twice).named("h")
        losses.append(mg.sum(h * h))
    return mg.ops.add_n(*losses)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("t", [0, 2])
def test_the_equations_of_a_cell_of_ones_own_hold_too(rows, t):
    assert check_equations(own_cell(rows), t) == 3
    maths, _ = maths_of(own_cell(rows), t)
    printed = [plain(maths.formula(head)) for head in maths.heads][:3]
    assert maths.columns is not rows
    assert printed[1].startswith("v_1 = tanh(")
    assert "v_1" in printed[2]
    assert ("U[0:4]^T" in printed[0]) is rows


def nested() -> mg.Node:
    """A cell that slices slices, adds pieces of a parameter of two axes and named sums, and has a gate called h."""
    rng = np.random.default_rng(2)
    w, table, h = (
        mg.parameter(rng.normal(size=(8, 3)), name="weight_ih_l0"),
        mg.parameter(rng.normal(size=(1, 8)), name="P"),
        mg.constant(np.zeros((2, 2))),
    )
    for t in range(3):
        with mg.scope("nest", t=t):
            x = mg.constant(rng.normal(size=(2, 3))).named("x")
            a = x @ w.T
            inner = a[:, 2:8]
            g = mg.tanh(inner[:, 2:4] + h).named("g")
            s = (g + table[:, 4:6]).named("s")
            h = mg.tanh(a[:, :2] + (s + g)).named("h")
    return mg.sum(h)


def test_slices_of_slices_pieces_of_tables_and_named_sums():
    assert check_equations(nested(), 1) == 3
    maths, run = maths_of(nested(), 1)
    printed = [plain(maths.formula(head)).replace(NO_BREAK, " ") for head in maths.heads]
    assert printed == ["g_2 = tanh(W_ig x_2 + h_1)", "s_2 = g_2 + P[:, 4:6]^T", "h_2 = tanh(W_ih[0:2] x_2 + s_2 + g_2)"]
    for head in maths.heads:
        total = sum(maths.value(part, run) for part in maths.summands(head))
        inner = head if head.name == "s" else head.args[0]
        np.testing.assert_allclose(np.broadcast_to(total, inner.shape), run[inner], rtol=1e-13)
    assert [len(maths.summands(head)) for head in maths.heads] == [2, 2, 3]


def test_only_curved_functions_have_a_slope_to_tell():
    h = mg.parameter([[0.5, -0.5]], name="h")
    for t in range(2):
        with mg.scope("cell", t=t):
            h = (-mg.tanh(-h) + mg.exp(h)).named("h")
    (equation,) = viz.draw(mg.sum(h), level="open", step=1).scene.equations
    assert plain(equation.formula) == "h_2 = −tanh(−h_1) + exp(h_1)"
    slopes = [plain(line) for line in equation.numbers if "′" in plain(line)]
    assert [line.split("′")[0] for line in slopes] == ["tanh", "exp"]
    assert ["saturated" in line for line in slopes] == [True, False]


def test_masks_are_written_by_their_sign_and_what_has_one_name_is_told_apart():
    net = rnn.unroll(rnn.LSTM(2, 3, rng=0), np.ones((3, 2, 2)), lengths=[2, 3])
    scene = viz.draw(mg.sum(net.steps[-1].h), level="open", step=1).scene
    written = [plain(equation.formula) for equation in scene.equations]
    assert "h′_2 = o_2 ⊙ tanh(c′_2)" in written
    assert any(formula.startswith("h_2 = where(") and formula.endswith("> 1, h′_2, h_1)") for formula in written)
    assert len({formula.split(" = ")[0] for formula in written}) == len(written)


@settings(max_examples=20)
@given(NETS, st.data())
def test_the_terms_add_up_to_what_the_function_is_of(net, data):
    t = data.draw(st.integers(0, len(net.losses) - 1))
    maths, run = maths_of(mg.ops.add_n(*net.losses, *net.losses), t)
    summed = 0
    for head in maths.heads:
        terms = maths.summands(head)
        if terms and head.shape:
            inner = head.args[0] if len(head.args) == 1 else head
            total = sum(maths.value(part, run) for part in terms)
            np.testing.assert_allclose(np.broadcast_to(total, inner.shape), run[inner], rtol=1e-12, atol=1e-13)
            summed += 1
    assert summed


@settings(max_examples=20)
@given(NETS, st.data())
def test_the_numbers_beside_an_equation_are_the_runs(net, data):
    t = data.draw(st.integers(0, len(net.losses) - 1))
    loss = mg.ops.add_n(*net.losses, *net.losses)
    scene = viz.draw(loss, level="open", step=t).scene
    maths, run = maths_of(loss, t)
    sweep = mg.backprop(loss, list(net.model.parameters.values()))
    adjoints = mg.run([sweep.adjoints[head] for head in maths.heads if head in sweep.adjoints])
    for equation, head in zip(scene.equations, maths.heads, strict=True):
        value, first = np.asarray(run[head], float), plain(equation.numbers[0])
        printed = [float(text) for text in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", first.split(";")[0])]
        wanted = value.ravel() if value.size <= 4 else [value.mean(), value.min(), value.max()]
        np.testing.assert_allclose(printed, wanted if len(printed) > 1 else wanted[:1], rtol=0.06, atol=6e-3)
        if head in sweep.adjoints:
            size = float(np.linalg.norm(adjoints[sweep.adjoints[head]]))
            assert float(first.rsplit("= ", 1)[1]) == pytest.approx(size, rel=0.06)
        for line in map(plain, equation.numbers):
            if "saturated" in line:
                (node,) = (node for node in maths.functions(head) if line.startswith(_mark(node)))
                slope = _slope(node.op.name, np.asarray(run[node.args[0]]))
                flat_units = int(np.count_nonzero(slope < FLAT))
                assert line.endswith(f"{flat_units or 'none'} of {slope.size} saturated")


def _mark(node: mg.Node) -> str:
    return {"sigmoid": "σ"}.get(node.op.name, node.op.name) + "′"


def _slope(name: str, x: np.ndarray) -> np.ndarray:
    """The derivatives in plain NumPy."""
    with np.errstate(over="ignore"):
        if name == "sigmoid":
            return 1 / (2 + np.exp(x) + np.exp(-x))
        return 1 / np.cosh(x) ** 2 if name == "tanh" else (x > 0).astype(float)


@settings(max_examples=20)
@given(recurrent_nets(lengths=False, bidirectional=False), st.data())
def test_closed_steps_carry_what_crosses_to_the_open_one(net, data):
    t = data.draw(st.integers(0, len(net.losses) - 1))
    loss = mg.ops.add_n(*net.losses, *net.losses)
    scene = viz.draw(loss, level="open", step=t).scene
    kinds = [column.kind for column in scene.columns]
    count = len(net.losses)
    assert kinds.count("closed") == (t > 0) + (t < count - 1)
    assert sum(column.hidden for column in scene.columns) == count - 1
    sweep = mg.backprop(loss, list(net.model.parameters.values()))
    run = mg.run(list(sweep.contributions.values()))
    boxes = {box.id: box for box in scene.boxes}
    last = f"l{net.sizes[4] - 1}/h"

    def crossing(at: int) -> float:
        state = net.unrolled.steps[at].h
        uses = [
            c for use, c in sweep.contributions.items() if use.argument is state and use.user.scope.get("t") == at + 1
        ]
        return float(np.linalg.norm(sum(run[term] for term in uses)))

    for edge in scene.edges:
        source, target = boxes[edge.source], boxes[edge.target]
        if source.role == "closed" and target.column == source.column < kinds.index("step") and last in target.lane:
            assert edge.mark.norm == pytest.approx(crossing(t - 1), rel=1e-12, abs=1e-300)
        if target.role == "closed" and source.column > 0 and source.id.endswith(f"@{t}") and last in source.lane:
            assert edge.mark.norm == pytest.approx(crossing(t), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(("step", "columns"), [(0, 3), (1, 4), (3, 3)])
def test_the_first_and_the_last_step_have_neighbours_on_one_side(step, columns):
    scene = viz.draw(rnn.read("hello", rnn.LSTM), level="open", step=step).scene
    assert len(scene.columns) == columns
    assert f"Step {step + 1} of 4" in plain(scene.subtitle)
    assert len(viz.draw(rnn.read("hi", rnn.GRU), level="open").scene.columns) == 2


@pytest.mark.parametrize("step", [-1, 4, 99])
def test_a_step_that_is_not_there_is_refused(step):
    with pytest.raises(ValueError, match=rf"step must be one of the 4 steps of this graph, 0 to 3, got {step}"):
        viz.draw(rnn.read("hello", rnn.LSTM), level="open", step=step)


def test_without_a_run_the_equations_stand_alone():
    net = rnn.unroll(rnn.LSTM(2, 3, rng=0), mg.input((3, 1, 2), name="xs"))
    scene = viz.draw(net, level="open", step=1).scene
    assert len(scene.equations) == 6
    assert all(equation.numbers == () for equation in scene.equations)
    assert "numbers" not in plain(scene.subtitle)


def test_a_graph_without_steps_has_none_to_open():
    x = mg.parameter([1.0, 2.0], name="x")
    with pytest.raises(ValueError, match=r'level "open" needs a graph made in steps'):
        viz.draw(mg.sum(x * x), level="open")


def test_saturated_gates_are_counted():
    model = rnn.LSTM(2, 8, rng=0)
    model.parameters["bias_ih_l0"].assign(np.full(32, 900.0))
    net = rnn.unroll(model, np.ones((3, 1, 2)))
    scene = viz.draw(mg.sum(net.steps[-1].h), level="open", step=1).scene
    gates = {plain(e.formula)[0]: plain(e.numbers[-1]) for e in scene.equations}
    assert gates["f"] == "σ′ all 0; 8 of 8 saturated"
    assert gates["c"].startswith("|f_2 ⊙ c_1|".replace(" ", NO_BREAK))


def test_every_format_is_written_well_formed_with_its_equations(tmp_path):
    figure = viz.draw(rnn.read("hello", rnn.LSTM), level="open", step=2)
    ElementTree.fromstring(figure.svg)
    words = "".join(ElementTree.fromstring(figure.svg).itertext())
    assert "none of 8 saturated" in words
    scene = json.loads(WRITERS[".json"](figure))["scene"]
    assert len(scene["equations"]) == 8
    graph = nx.read_graphml(io.StringIO(WRITERS[".graphml"](figure).decode()), force_multigraph=True)
    equations = {data["equation"] for _, data in graph.nodes(data=True) if "equation" in data}
    assert "c_3 = f_3 ⊙ c_2 + i_3 ⊙ g_3" in equations
    assert "c_3 = f_3 ⊙ c_2 + i_3 ⊙ g_3" in WRITERS[".dot"](figure).decode()
    tex = WRITERS[".tex"](figure).decode("ascii")
    assert r"$c_{3} = f_{3} \odot  c_{2} + i_{3} \odot  g_{3}$" in tex
    assert r"\sigma (W_{if}\,x_{3} + b_{if} + W_{hf}\,h_{2} + b_{hf})$" in tex
    assert figure.html.startswith("<!DOCTYPE html>")


MATHEMATICS = re.compile(r"\\(?:[A-Za-z]+|.)|[{}$&#^_~%]|[^\\{}$&#^_~%]+", re.DOTALL)


@given(st.lists(st.builds(Run, st.text(max_size=8), st.sampled_from(["", "sub", "sup"])), max_size=6))
def test_no_formula_breaks_out_of_its_dollars(words):
    written = tikz.mathematics(tuple(words))
    assert written.isascii()
    depth, before, scripts = 0, "", []
    for token in MATHEMATICS.findall(written):
        assert token not in ("$", "&", "#", "~", "%")
        depth += (token == "{") - (token == "}")
        assert depth >= 0
        if token in "^_":
            assert before not in ("^", "_")
        before = token
        scripts.append(token)
    assert depth == 0
    assert not re.search(r"_\{[^{}]*\}_|\^\{[^{}]*\}\^", written)


@pytest.mark.parametrize("name", ["</script><b>&", "$x_{1}$", "\\write18{ls}", "é\u0301ß", "x" * 500, "\ud800"])
def test_hostile_names_stay_text_in_equations(name):
    h, w = mg.constant([[1.0]]), mg.parameter([[0.5]], name=name)
    for t in range(3):
        with mg.scope(name, t=t):
            h = mg.tanh(h @ w).named(name)
    for level in ("rolled", "open"):
        figure = viz.draw(mg.sum(h), level=level)
        tags = {element.tag.split("}")[1] for element in ElementTree.fromstring(figure.svg).iter()}
        assert tags <= {"svg", "title", "desc", "style", "g", "rect", "path", "text", "tspan", "circle"}
        body = WRITERS[".tex"](figure).decode("ascii")
        assert body.count("$") % 2 == 0
        assert "\\write" not in body
        nx.read_graphml(io.StringIO(WRITERS[".graphml"](figure).decode()), force_multigraph=True)
        assert figure.html


@settings(max_examples=6)
@given(NETS, st.data())
def test_the_same_figure_has_the_same_bytes(net, data):
    t = data.draw(st.integers(0, len(net.losses) - 1))
    loss = mg.ops.add_n(*net.losses, *net.losses)
    assert viz.draw(loss, level="open", step=t).svg == viz.draw(loss, level="open", step=t).svg
    assert viz.draw(loss, level="rolled").svg == viz.draw(loss, level="rolled").svg
    assert not math.isnan(viz.draw(loss, level="rolled").picture.height)


@pytest.mark.parametrize("name", ["all outputs", "long all outputs", "bidirectional all outputs"])
def test_what_gathers_all_steps_is_led_over_the_closed_ones(name):
    """The line of gathered states runs on from column to column, and takes in what the closed steps give to it."""
    subject = IN_TIME[name]()
    steps = len(study(subject).timeline.times)
    for step in (0, steps // 2, steps - 1):
        figure = viz.draw(subject, level="open", edges="share", step=step)
        scene = figure.picture.scene
        buses = {box.id for box in scene.boxes if box.role == "bus"}
        assert buses
        for bus in buses:
            into = [edge.mark.share for edge in scene.edges if edge.source == bus and edge.mark]
            out = [edge.mark.share for edge in scene.edges if edge.target == bus and edge.mark]
            assert math.fsum(into) == pytest.approx(math.fsum(out), rel=1e-9, abs=1e-12), bus
        spots = {box.id: spot for box, spot in figure.picture.body.boxes}
        for edge, found in figure.picture.body.wires:
            ends = {edge.source: found.forward.path.start, edge.target: found.forward.head[0]}
            for (x, y), spot in ((point, spots[box]) for box, point in ends.items()):
                assert max(abs(x - spot.x) - spot.w / 2, abs(y - spot.y) - spot.h / 2) < 8, (step, edge.id)
