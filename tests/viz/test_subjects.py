"""Nets after nets, attention, gathered outputs, graphs without time: numbers are the engine's, every format holds."""

from __future__ import annotations

import itertools
import json
import math
import xml.etree.ElementTree as ElementTree
from collections import defaultdict

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn
import viz
from viz.figure import WRITERS, Figure
from viz.labels import short
from viz.measure import norm
from viz.phases import phases, root
from viz.proof import prove_uses
from viz.study import study
from viz.timeline import Timeline
from viz.words import plain

from .subjects import HIDDEN, IN_TIME, PLAIN, all_outputs, attended, chunks, encoder_decoder, handed_on, sequence

EVERYTHING = IN_TIME | PLAIN
CELLS = {"rnn": rnn.RNN, "lstm": rnn.LSTM, "gru": rnn.GRU}


@st.composite
def graphs(draw) -> mg.Node:
    """Graphs whose nodes bear any labels in any order: steps that go back, nets in nets, names of states."""
    shape = draw(st.sampled_from([(), (2, 3)]))
    nodes: list[mg.Node] = [mg.parameter(np.full(shape, 0.5), name="w"), mg.parameter(np.full(shape, 0.2), name="u")]
    labels = st.sampled_from([(), ("cell",), ("rnn",), ("attention",), ("decoder", "rnn")])
    rising, t = draw(st.booleans()), 0
    for _ in range(draw(st.integers(1, 16))):
        t = min(4, t + draw(st.integers(0, 1))) if rising else draw(st.integers(-1, 3))
        marks = {"t": t} if draw(st.integers(0, 3)) else {}
        marks |= {"layer": draw(st.integers(0, 1))} if draw(st.booleans()) else {}
        marks |= {"direction": "reverse"} if not draw(st.integers(0, 5)) else {}
        a, b = (nodes[-1 - draw(st.integers(0, min(5, len(nodes) - 1)))] for _ in range(2))
        with mg.scope(*draw(labels), **marks):
            made = draw(
                st.sampled_from(
                    [
                        lambda a, b: a + b,
                        lambda a, b: a * b,
                        lambda a, b: mg.tanh(a),
                        lambda a, b: mg.stop_gradient(a),
                        lambda a, b: mg.stack([a, b])[0],
                        lambda a, b: a[None][0],
                    ]
                )
            )(a, b)
            name = draw(st.sampled_from([None, None, "h", "c", "f", "L", "attention"]))
            nodes.append(made if name is None else made.named(name))
    last = nodes[-draw(st.integers(1, 4)) :]
    return mg.sum(mg.stack(last) ** 2 if draw(st.booleans()) else last[-1])


@settings(max_examples=40, deadline=None)
@given(graphs(), st.sampled_from(["cell", "op"]))
def test_any_graph_is_drawn_and_nothing_lies_on_anything(loss, level):
    figure = viz.draw(loss, level=level)
    ElementTree.fromstring(figure.svg)
    body = figure.picture.body
    for (one, a), (other, b) in itertools.combinations(body.boxes, 2):
        across, down = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
        assert across <= 0.5 or down <= 0.5, (one.id, other.id)
    known = {box.id for box, _ in body.boxes}
    assert all({edge.source, edge.target} <= known for edge in figure.picture.scene.edges)
    adjoints = [edge.mark.norm for edge in figure.scene.edges if edge.mark and edge.mark.state == "measured"]
    assert all(math.isfinite(size) and size > 0 for size in adjoints)


def headers(figure: Figure) -> list[str]:
    return [plain(column.header) for column in figure.scene.columns if column.kind == "step"]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(CELLS)), st.integers(1, 5), st.integers(1, 4), st.integers(1, 2))
def test_a_decoder_stands_behind_its_encoder(cell, steps, answers, layers):
    """Places are consecutive, edges run forward, and the state handed over is one node of one lane."""
    timeline = Timeline(encoder_decoder(CELLS[cell], steps, answers, layers=layers))
    assert [timeline.told(place) for place in timeline.times] == [
        *((0, t) for t in range(steps)),
        *((1, t) for t in range(answers)),
    ]
    assert timeline.times == list(range(steps + answers))
    for node, place in timeline.step.items():
        if place != timeline.end:
            assert {timeline.step[arg] for arg in timeline.args(node) if arg in timeline.step} <= {place, place - 1}
    states = 2 if cell == "lstm" else 1
    assert len(timeline.lanes) == states * layers
    for lane in timeline.lanes:
        assert sorted(lane.nodes) == list(range(-1, steps + answers))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(CELLS)), st.integers(1, 6), st.booleans(), st.integers(1, 2))
def test_one_net_has_one_phase(cell, steps, both, layers):
    """Nothing changes where time runs once, in both directions too: a place is the step's number."""
    model = CELLS[cell](2, 3, layers=layers, bidirectional=both, rng=0)
    net = rnn.unroll(model, sequence(steps), lengths=[steps])
    outputs = [net.outputs, *(mg.sum(step.output) for step in net.steps)]
    nodes = list(mg.walk(outputs))[::-1]
    users = defaultdict(list)
    for node in nodes:
        for arg in node.args:
            users[arg].append(node)
    found = phases(nodes, users)
    assert found.starts == (0,)
    for node in nodes:
        if isinstance(node.scope.get("t"), int) and node not in found.alias:
            assert found.place[node] == node.scope["t"]


def test_what_is_passed_on_is_the_value_itself():
    whole = mg.stack([mg.constant(np.full((2, 3), float(place))) for place in range(3)])
    for place in range(3):
        assert root(whole[place]) is whole.args[place].args[0]
    assert root(mg.reshape(whole[1], (3, 2))) is whole.args[1].args[0]
    assert root(whole[0:2]) is not whole.args[0].args[0]
    assert root(whole[0][:1]).op.name == "slice"


def test_encoder_and_decoder_are_told_apart():
    figure = viz.draw(encoder_decoder())
    assert headers(figure) == [f"{name} t = {t}" for name in ("encoder", "decoder") for t in (1, 2, 3)]
    assert "RNN encoder and decoder, 3 + 3 steps" in plain(figure.scene.title)
    losses = {plain(box.label) for box in figure.scene.boxes if box.role == "loss"}
    assert losses == {"L_1", "L_2", "L_3"}
    assert "L = L_1 + … + L_3" in plain(figure.scene.subtitle).replace("\u00a0", " ")
    states = [plain(box.label) for box in figure.scene.boxes if box.role == "state"]
    assert states == ["h_0", "h_1", "h_2", "h_3", "h′_1", "h′_2", "h′_3"]
    weights = [plain(item.label) for item in figure.scene.dock]
    assert {"W_hh", "W′_hh"} <= set(weights)
    assert len(set(weights)) == len(weights)
    assert figure.scene.note == ()
    assert len(figure.picture.body.frames) == 6


def test_a_net_in_pieces_counts_on_and_shows_where_it_is_cut():
    scene = viz.draw(chunks()).scene
    assert [plain(column.header) for column in scene.columns if column.kind == "step"] == [
        f"t = {t}" for t in range(1, 5)
    ]
    cut = [edge for edge in scene.edges if edge.mark and edge.mark.state == "cut"]
    assert len(cut) == 1
    assert headers(viz.draw(chunks(cut=False))) == [f"t = {t}" for t in range(1, 5)]
    assert not any(edge.mark.state == "cut" for edge in viz.draw(chunks(cut=False)).scene.edges if edge.mark)


@pytest.mark.parametrize("name", IN_TIME)
@pytest.mark.parametrize("level", ["cell", "op"])
def test_nothing_that_matters_is_left_out(name, level):
    """No edge skips a step undrawn, apart from those that run from right to left among rows of operations.

    The keys of an attention, made of all states at once, lie in its box; among operations it is said that they do not.
    """
    scene = viz.draw(IN_TIME[name](), level=level).scene
    keys = level == "op" and name in ("attended", "attended after")
    assert plain(scene.note) == ("Not drawn: 1 operation outside the steps (matmul)." if keys else "")
    assert plain(scene.proof).startswith("✓")


def test_a_scalar_net_written_by_hand_is_drawn_as_a_cell():
    scene = viz.draw(IN_TIME["by hand in a cell"]()).scene
    roles = [box.role for box in scene.boxes if box.column == 2]
    assert sorted(roles) == ["affine", "function", "input", "loss", "state"]
    assert [plain(tag.label) for box in scene.boxes if box.column == 2 for tag in box.tags] == ["w", "u"]
    assert "(t, k) = ∂L/∂w, max" in plain(scene.proof)


def test_the_bus_of_outputs_carries_the_gradient_of_each():
    loss = all_outputs()
    found = study(loss)
    (stacked,) = found.timeline.sequences
    adjoint = mg.grad(loss, stacked.node).eval()
    figure = viz.draw(loss)
    marks = {(e.source.split("@")[0], e.target): e.mark for e in figure.scene.edges if e.target.startswith(".sequence")}
    for place in stacked.parts:
        risen = next(
            mark for (source, target), mark in marks.items() if "state" in source and target.endswith(f"@{place}")
        )
        assert risen.norm == pytest.approx(norm(adjoint[place]), rel=1e-12)
        if place:
            passing = marks[".sequence", f".sequence@{place}"]
            assert passing.norm == pytest.approx(norm(adjoint[:place]), rel=1e-12)
            assert passing.gain == 1


@pytest.mark.parametrize("level", ["cell", "op"])
def test_every_look_sends_back_its_own_gradient(level):
    """What the bus carries is checked on a second graph, where each look has a copy of the sequence to itself."""
    steps, answers = 3, 2
    moved = [mg.parameter(np.zeros((steps, 1, HIDDEN)), name=f"moved {t}") for t in range(answers)]
    apart = [gradient.eval() for gradient in mg.grad(attended(steps, answers, moved), moved)]
    scene = viz.draw(attended(steps, answers), level=level, steps=9).scene
    boxes = {box.id: box for box in scene.boxes}
    arrived = defaultdict(float)
    for edge in scene.edges:
        source, target = boxes[edge.source], boxes[edge.target]
        if target.role == "bus" and source.role != "bus":
            k = int(edge.target.split("@")[1])
            assert edge.mark.norm == pytest.approx(norm(sum(part[k] for part in apart)), rel=1e-11)
        elif target.role == "bus":
            place = int(edge.target.split("@")[1])
            wanted = sum(apart[max(0, place - steps) :])[:place]
            assert edge.mark.norm == pytest.approx(norm(wanted), rel=1e-11)
        elif source.role == "bus":
            arrived[int(edge.target.split("@")[1])] += edge.mark.norm
            if level == "cell":
                j = int(edge.target.split("@")[1]) - steps
                assert edge.mark.norm == pytest.approx(norm(apart[j]), rel=1e-11)
    assert sorted(arrived) == [steps, steps + 1]


def test_attention_weights_are_the_softmax():
    loss = attended(4, 2)
    scene = viz.draw(loss).scene
    weights = [node for node in mg.walk(loss) if node.name == "attention"][::-1]
    shown = [box for box in scene.boxes if box.role == "attention"]
    assert len(shown) == 2
    for box, node in zip(shown, weights, strict=True):
        assert [plain(look.label) for look in box.looks] == ["h_1", "h_2", "h_3", "h_4"]
        assert [look.weight for look in box.looks] == node.eval()[:, 0].tolist()
        assert math.fsum(look.weight for look in box.looks) == pytest.approx(1, abs=1e-12)


def test_what_is_handed_on_arrives_at_every_step():
    scene = viz.draw(handed_on()).scene
    boxes = {box.id: box for box in scene.boxes}
    taken = [boxes[edge.target] for edge in scene.edges if boxes[edge.source].role == "bus" != boxes[edge.target].role]
    assert [plain(box.label) for box in taken] == ["x′_1", "x′_2", "x′_3"]


@pytest.mark.parametrize("name", PLAIN)
def test_values_and_derivatives_of_a_graph_are_the_engines(name):
    subject = PLAIN[name]()
    figure = viz.draw(subject)
    result = subject if isinstance(subject, mg.Node) else None
    values = {} if name == "fed" else mg.run([subject] if result is not None else subject).values
    for box in figure.scene.boxes:
        (node,) = figure.behind.members[box.id]
        note = plain(box.note)
        if node.shape == () and node in values:
            value, *derivative = note.split(", ∂ ")
            assert value == short(float(values[node]))
            if result is not None and derivative and result is not node:
                with np.errstate(all="ignore"):
                    assert derivative == [short(float(mg.grad(result, node).eval()))]
        elif node in values:
            assert note.startswith("×".join(map(str, node.shape)) if len(node.shape) > 1 else f"({node.shape[0]})")
            assert ("not finite" in note) == (not np.isfinite(values[node]).all())


def test_the_lecture_s_example_by_hand():
    """f = x y + x / y at (4, 2): f = 10, df/dx = 2.5 by the paths 2 and 0.5, df/dy = 3 by 4 and -1."""
    figure = viz.draw(PLAIN["by products"]())
    notes = {plain(box.label): plain(box.note) for box in figure.scene.boxes}
    assert notes == {"x": "4, ∂ 2.5", "y": "2, ∂ 3", "×": "8, ∂ 1", "÷": "2, ∂ 1", "+": "10, ∂ 1"}
    boxes = {box.id: plain(box.label) for box in figure.scene.boxes}
    norms = {(boxes[edge.source], boxes[edge.target]): edge.mark.norm for edge in figure.scene.edges}
    assert norms == {("x", "×"): 2, ("y", "×"): 4, ("x", "÷"): 0.5, ("y", "÷"): 1, ("×", "+"): 1, ("÷", "+"): 1}
    assert plain(figure.scene.sentence) == "3 operations; result 10, derivatives: ∂/∂x = 2.5, ∂/∂y = 3."


def test_a_result_that_is_no_number_says_where_it_began():
    figure = viz.draw(PLAIN["not a number"]())
    assert plain(figure.scene.sentence).startswith(
        "7 operations; result NaN, which began as log(-1) = NaN, derivatives:"
    )
    odd = {plain(box.label) for box in figure.scene.boxes if box.kind == "nan"}
    assert odd == {"log", "×", "+", "sum", "sqrt"}
    assert {edge.mark.state for edge in figure.scene.edges} == {"measured", "nonfinite"}


def test_a_graph_proves_its_gradient_by_its_uses():
    assert (
        plain(viz.draw(PLAIN["square"]()).scene.proof) == "✓ Sum of what 2 uses of x send back = ∂/∂x, max difference 0"
    )
    loss = PLAIN["thirty"]()
    found = study(loss)
    assert found.proof.holds
    found.sweep.adjoints[found.proof.weight] += 1e-6
    assert not prove_uses(loss, found.sweep).holds


def test_x_times_x_has_two_edges():
    scene = viz.draw(PLAIN["square"]()).scene
    assert [edge.mark.norm for edge in scene.edges] == [3, 3]


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_format_holds_every_subject(name):
    figure = viz.draw(EVERYTHING[name]())
    endings = (".svg", ".json", ".dot", ".graphml", ".tex")
    written = {ending: WRITERS[ending](figure).decode("utf-8") for ending in endings}
    ElementTree.fromstring(written[".svg"])
    assert json.loads(written[".json"])["scene"]["boxes"][0]["id"] == figure.scene.boxes[0].id
    graph = nx.parse_graphml(written[".graphml"])
    assert graph.number_of_nodes() == len(figure.scene.boxes) + len(figure.scene.dock)
    assert written[".tex"].isascii()
    assert written[".dot"].startswith("digraph")


@pytest.mark.parametrize("name", ["attended", "bridge", "all outputs", "chunks", "by products", "not a number", "fed"])
def test_every_subject_can_be_inspected(name):
    page = viz.inspect(EVERYTHING[name]())
    assert WRITERS[".html"](page).startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("name", IN_TIME)
def test_the_river_of_a_net_behind_a_net_is_conserved(name):
    """Bands run forward over the steps of all phases; through every cut goes the whole."""
    loss = IN_TIME[name]()
    for weight in (node for node in mg.walk(loss) if node.name == "weight_hh_l0"):
        flow = mg.flow(loss, weight)
        if not np.any(flow.gradient):
            continue
        chart = viz.river(flow).scene
        assert plain(chart.proof).startswith("✓")
        steps = [stage.first for stage in chart.stages]
        assert steps == sorted(set(steps))
        assert math.fsum(stage.use for stage in chart.stages) + chart.direct == pytest.approx(1, abs=1e-12)
        if not name.startswith(("bidirectional", "long")):
            assert all(band.source < band.target for band in chart.bands)
            assert max(steps) < len(Timeline(loss).times)


def test_states_gathered_for_a_readout_reach_the_loss_from_their_own_steps():
    loss = all_outputs(rnn.RNN, 3)
    (weight,) = (node for node in mg.walk(loss) if node.name == "weight_hh_l0")
    chart = viz.river(mg.flow(loss, weight)).scene
    assert {(band.source, band.target) for band in chart.bands} == {(0, 1), (1, 2)}
    assert sum(stage.loss != 0 for stage in chart.stages) >= 2
