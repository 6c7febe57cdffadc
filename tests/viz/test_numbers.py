"""Every number on a figure is the engine's: checked against the gradient graph, evaluated by the interpreter."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
import rnn
import viz
from viz import captions
from viz.drawing import scene_of
from viz.measure import backward, mark, norm
from viz.proof import prove
from viz.scene import Mark, Scale
from viz.study import study
from viz.words import number, plain

finite = st.floats(-1e3, 1e3)


def engine_numbers(reading):
    """Adjoint and contribution norms from `mg.backprop`, evaluated: a way the figures do not take."""
    initial = [node for states in reading.unrolled.initial for node in states.values()]
    parameters = [*reading.unrolled.model.parameters.values(), *reading.readout.values()]
    sweep = mg.backprop(reading.loss, [*parameters, *initial])
    run = mg.run([*sweep.adjoints.values(), *sweep.contributions.values()])
    adjoints = {node: run[adjoint] for node, adjoint in sweep.adjoints.items()}
    return adjoints, {edge: run[term] for edge, term in sweep.contributions.items()}


@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM])
def test_sweep_is_the_gradient_graph_evaluated(cell):
    reading = rnn.read("hello", cell)
    adjoints, sent = engine_numbers(reading)
    sweep = study(reading).sweep
    assert sweep.adjoints.keys() == adjoints.keys()
    assert sweep.sent.keys() == sent.keys()
    for found, wanted in ((sweep.adjoints, adjoints), (sweep.sent, sent)):
        for key, value in wanted.items():
            np.testing.assert_allclose(found[key], value, rtol=1e-14, atol=1e-300)


def marks(scene):
    """(key of the source, column, key of the target) -> mark."""
    boxes = {box.id: box for box in scene.boxes}
    return {
        (boxes[e.source].key.split("/")[-1], boxes[e.target].column, boxes[e.target].key.split("/")[-1]): e.mark
        for e in scene.edges
    }


def test_lstm_marks_are_the_engines_norms_and_gains():
    reading = rnn.read("hello", rnn.LSTM)
    adjoints, sent = engine_numbers(reading)
    found = marks(scene_of(study(reading), "cell"))
    for t, step in enumerate(reading.unrolled.steps):
        column = t + 1
        c_size = np.linalg.norm(adjoints[step.c])
        cases = {
            ("mul#2", column, "c"): (norm(adjoints[step.c.args[1]]), c_size),
            ("f", column, "mul"): (norm(sent[mg.Edge(step.c.args[0], 0)]), c_size),
            ("o", column, "h"): (norm(sent[mg.Edge(step.h, 0)]), norm(adjoints[step.h])),
            ("a", column, "g"): (norm(sent[mg.Edge(step.g, 0)]), norm(adjoints[step.g])),
            ("c.state", column, "mul"): (norm(sent[mg.Edge(step.c.args[0], 1)]), c_size),
            ("h", column, "h.state"): (norm(adjoints[step.h]), norm(adjoints[step.h])),
        }
        before = reading.unrolled.steps[t - 1].h if t else reading.unrolled.initial[0]["h"]
        (back,) = (term for edge, term in sent.items() if edge.argument is before and edge.user.scope["t"] == t)
        cases["h.state", column, "a"] = (norm(back), norm(adjoints[step.a]))
        for key, wanted in cases.items():
            drawn = found[key]
            if wanted[0] == 0:
                assert drawn.state in ("zero", "structural")
            else:
                assert drawn.state == "measured"
                assert drawn.norm == pytest.approx(wanted[0], rel=1e-12)
                assert drawn.gain == pytest.approx(wanted[0] / wanted[1], rel=1e-12)


@pytest.mark.parametrize("level", ["cell", "op"])
@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM])
def test_what_comes_into_a_state_goes_out_of_it(cell, level):
    """The edge that makes a state carries what its users send back, summed: seen on op level as the adjoint."""
    reading = rnn.read("hello", cell)
    adjoints, _ = engine_numbers(reading)
    boxes = {box.id: box for box in viz.draw(reading, level=level).scene.boxes}
    for step in reading.unrolled.steps:
        maker = [box for box in boxes.values() if box.title.startswith(f"h_{step.t + 1} = {step.h.op.name}")]
        assert maker
        assert all(f"|adjoint| {number(norm(adjoints[step.h]), 3)}" in box.title for box in maker)


def test_where_the_gradient_stops_is_drawn_not_scaled():
    found = marks(scene_of(study(rnn.read("hello", rnn.LSTM)), "cell"))
    assert found["f", 1, "mul"].state == "structural", "c_0 is 0, so f_1 cannot matter"
    assert found["a", 1, "f"].state == "zero", "nothing arrives at f_1"
    assert found["f", 2, "mul"].state == "measured"
    assert found["c.fan", 4, "c.state"] is None, "no path from the last cell state to the loss"


def test_mark_of_numbers_that_are_not():
    assert mark(None, 1.0) is None
    assert mark(math.nan, 1.0).state == "nonfinite"
    assert mark(1.0, math.inf).state == "nonfinite"
    assert mark(0.0, 1.0).state == "structural"
    assert mark(0.0, 0.0).state == "zero"
    assert mark(2.0, 4.0) == Mark("measured", 2.0, 0.5)


def test_remarks_are_the_models_probabilities():
    reading = rnn.read("hello", rnn.LSTM)
    scene = viz.draw(reading).scene
    notes = [plain(box.note) for box in scene.boxes if box.role == "loss"]
    for t, (note, label) in enumerate(zip(notes, "ello", strict=True)):
        chance = mg.softmax(reading.logits[t]).eval()[0, reading.vocabulary.encode(label)[0]]
        assert note == f"p({label}) = {number(float(chance))}"


@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM, rnn.GRU])
@pytest.mark.parametrize("text", ["the", "learning", "it was the best of times, it was the wor"])
def test_decades_a_step_agree_with_the_ratio_they_stand_beside(cell, text):
    found = study(rnn.read(text, cell))
    lane, steps = found.timeline.lanes[0].nodes, len(text) - 1
    first, last = (norm(found.sweep.adjoints[lane[t]]) for t in (0, steps - 1))
    rate = abs(math.log10(first / last)) / (steps - 1)
    said = plain(captions.sentence(found))
    assert f"is {number(first / last)} times" in said
    assert (f"by {number(rate)} decades a step" in said) == (rate >= 0.0005)


def test_figure_of_a_net_without_a_loss_says_that_nothing_flowed_back():
    scene = viz.draw(rnn.unroll(rnn.LSTM(3, 4, rng=0), np.ones((4, 1, 3)))).scene
    assert all(edge.mark is None for edge in scene.edges)
    assert "No gradient" in plain(scene.note)
    assert scene.proof == ()


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300))
def test_width_is_a_log_scale_over_six_decades(value, reference):
    scale = Scale(reference)
    share = min(1.0, max(0.0, 1 + (math.log10(value) - math.log10(reference)) / 6))
    assert scale.width(value) == pytest.approx(0.5 + 5.5 * share)
    assert scale.below(value) == (value < 1e-6 * reference)


@pytest.mark.parametrize(("gain", "wanted"), [(0.25, 0), (0.3, 1), (0.8, 1), (1.0, 2), (1.25, 2), (4.0, 3), (4.1, 4)])
def test_five_bins_of_gain(gain, wanted):
    assert Mark("measured", 1.0, gain).bin == wanted


@given(st.lists(st.floats(0.1, 10), max_size=6), st.integers(-300, 300))
def test_norm_neither_overflows_nor_underflows(values, power):
    scaled = [value * 10.0**power for value in values]
    exact = math.hypot(*scaled) if scaled else 0.0
    assert norm(np.array(scaled)) == pytest.approx(exact, rel=1e-12, abs=0)


@given(st.integers(2, 7), st.integers(1, 5), st.sampled_from([rnn.RNN, rnn.LSTM]), st.integers(0, 5))
def test_proof_counts_every_pair_and_holds(length, hidden, cell, seed):
    found = study(rnn.read("abcabcabc"[:length], cell, hidden, rng=seed))
    steps = length - 1
    assert found.proof.contributions == steps * (steps + 1) // 2
    assert found.proof.holds
    assert found.proof.weight.name == "weight_hh_l0"


def test_the_proof_of_a_stacked_net_says_which_weight_it_is_about():
    """Layers and directions share letters: the proof tells them apart as the tags in the figure do."""
    stacked = rnn.read("hell", partial(rnn.RNN, layers=2, bidirectional=True))
    found = study(stacked)
    figure = viz.draw(stacked)
    assert found.proof.weight.name == "weight_hh_l0"
    assert "∂L/∂W_hh^0, max" in plain(figure.scene.proof)
    assert "W_hh^0" in {plain(item.label) for item in figure.scene.dock}
    assert "|∂L/∂h_1^0| is" in plain(figure.scene.sentence)
    assert "h_1^0" in {plain(box.label) for box in figure.scene.boxes}
    table = rnn.bptt(stacked.losses, stacked.unrolled.model.parameters["weight_hh_l1_reverse"], stacked.unrolled)
    assert "∂L/∂W_hh^←1, max" in plain(viz.triangle(table).scene.proof)
    assert "∂L/∂W_hh, max" in plain(viz.draw(rnn.read("hell", rnn.RNN)).scene.proof)


def test_pieces_of_weights_say_of_which_layer_they_are():
    """A GRU whose reset gate acts before takes its weights in pieces: boxes name them, not tags."""
    scene = viz.draw(rnn.read("he", partial(rnn.GRU, layers=2, reset="before"))).scene
    assert {"W_hh^0", "W_hh^1"} <= {plain(box.label) for box in scene.boxes if box.role == "affine"}


def test_proof_fails_when_a_contribution_is_missing():
    reading = rnn.read("hello", rnn.LSTM)
    found = study(reading)
    weight = reading.unrolled.model.parameters["weight_hh_l0"]
    assert not prove(reading.losses[:-1], weight, 4, found.sweep, found.run).holds
    last = backward(reading.losses[-1], [weight], found.run)
    assert not prove(reading.losses, weight, 4, last, found.run).holds


def test_the_proof_of_a_long_sequence_adds_losses_in_groups_and_says_so():
    found = study(rnn.read("ab" * 50, rnn.RNN, 2))
    assert found.proof.holds
    assert found.proof.groups == 64
    assert "losses in 64 groups" in plain(found.proof.sentence)
    assert not replace(found.proof, difference=1e-6).holds


@given(finite, st.integers(1, 4))
def test_number_has_the_digits_asked_for(value, digits):
    shown = number(value, digits)
    assert float(shown) == pytest.approx(value, rel=0.5 * 10.0 ** (1 - digits) * 1.000001, abs=0)
    assert "," not in shown
    assert shown != "-0"


def test_a_stopped_gradient_is_cut_not_zero():
    h = mg.parameter([[0.5, -0.5]], name="h")
    w = mg.parameter([[0.3, 0.2], [0.1, 0.4]], name="w")
    for t in range(3):
        with mg.scope("net", t=t):
            h = mg.tanh((mg.stop_gradient(h) if t == 2 else h) @ w).named("h")
    scene = viz.draw(mg.sum(h), level="op").scene
    assert [edge.target.split("@")[0] for edge in scene.edges if edge.mark and edge.mark.state == "cut"] == [
        ".net/stop_gradient"
    ]


def cut_every(steps, chunk):
    """The losses of a plain net whose state is cut from its past at every border of a chunk."""
    model = rnn.RNN(2, 3, rng=0)
    with mg.scope("rnn", layer=0, t=-1):
        h = mg.constant(np.zeros((1, 3))).named("h")
    losses = []
    for t in range(steps):
        with mg.scope(t=t):
            x = mg.constant(np.ones((steps, 1, 2)))[t].named("x")
        with mg.scope("rnn", layer=0, t=t):
            h = model.step(x, {"h": mg.stop_gradient(h) if t and t % chunk == 0 else h}, model.weights(0))["h"]
        with mg.scope("readout", t=t):
            losses.append(rnn.mse(h, np.zeros((1, 3))).named("L"))
    return losses


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_a_state_that_is_cut_from_its_past_stays_one_lane(chunk):
    figure = viz.draw(mg.ops.add_n(*cut_every(5, chunk)))
    scene = figure.scene
    assert [box.id for box in scene.boxes if box.role == "state"] == [f".rnn/l0/h.state@{t}" for t in range(-1, 5)]
    cut = [edge for edge in scene.edges if edge.mark and edge.mark.state == "cut"]
    assert [(edge.source, edge.target) for edge in cut] == [
        (f".rnn/l0/h.state@{t - 1}", f".rnn/l0/a@{t}") for t in range(1, 5) if t % chunk == 0
    ]
    assert figure.picture.body.frames, "the step with the cut is laid out like the others"


def test_the_sum_of_the_losses_names_their_steps():
    losses = cut_every(4, 9)
    assert "L = L_1 + … + L_4" in plain(viz.draw(mg.ops.add_n(*losses)).scene.subtitle).replace("\u00a0", " ")
    assert "L = L_3 + L_4" in plain(viz.draw(mg.ops.add_n(*losses[2:])).scene.subtitle).replace("\u00a0", " ")


def test_states_of_any_name_have_the_colour_of_states():
    with mg.scope("hmm", t=-1):
        alpha = mg.constant([0.1, 0.2]).named("alpha")
    weight = mg.parameter(np.eye(2), name="W")
    for t in range(2):
        with mg.scope("hmm", t=t):
            alpha = mg.tanh(alpha @ weight).named("alpha")
    figure = viz.draw(mg.sum(alpha))
    states = [box.id for box in figure.scene.boxes if box.role == "state"]
    styles = {item.part: item.style for item in figure.sheet.items[0].items if getattr(item, "part", "") in states}
    assert set(styles.values()) == {"h"}
    assert plain(figure.scene.title) == "Backpropagation through an HMM, 2 steps"


def test_a_graph_without_steps_has_names_without_steps():
    x = mg.parameter([1.0, 2.0], name="x")
    titles = [box.title for box in viz.draw(mg.sum(mg.tanh(x).named("A") * x)).scene.boxes]
    assert any(title.startswith("A = tanh") for title in titles)
