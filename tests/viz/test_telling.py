"""Long sequences: which steps are shown, that they are the most telling ones, and that every other is counted."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn
import viz
from viz.measure import norm
from viz.study import study
from viz.telling import FEW, WHOLE, telling
from viz.words import plain

CELLS = {"rnn": rnn.RNN, "lstm": rnn.LSTM, "gru": rnn.GRU}


def net_of(cell, steps, seed, *, sum_of_losses, **options):
    """A net of three units, and a loss at every step or at the last."""
    generator = np.random.default_rng(seed)
    net = rnn.unroll(CELLS[cell](2, 3, rng=generator, **options), 3 * generator.normal(size=(steps, 1, 2)))
    losses = [mg.sum(step.output * generator.normal(size=step.output.shape)) for step in net.steps]
    return net, mg.ops.add_n(*losses) if sum_of_losses and steps > 1 else losses[-1]


def chain(factors):
    """A state that every step multiplies by its factor, and a loss at the end."""
    h = mg.parameter(np.array([0.5]), name="h0")
    for t, factor in enumerate(factors):
        with mg.scope(t=t):
            h = (h * np.array([factor])).named("h")
    return mg.sum(h)


def shown_steps(scene):
    """The steps that have a column, counted from 0."""
    return [int(plain(column.header).split("=")[1]) - 1 for column in scene.columns if column.kind == "step"]


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(sorted(CELLS)), st.integers(14, 30), st.integers(0, 999), st.booleans())
def test_shown_between_head_and_tail_are_the_steps_that_change_a_gradient_most(cell, steps, seed, at_every_step):
    net, loss = net_of(cell, steps, seed, sum_of_losses=at_every_step)
    names = net.model.states
    states = [net.initial[0], *(step.layers[0] for step in net.steps)]
    known = mg.flow(loss, [state[name] for state in states for name in names if reaches(state[name], loss)])
    sizes = {node: norm(part) for node, part in zip(known.sources, known.gradient, strict=True)}
    least = 1e-6 * max(sizes.values())
    change = np.zeros(steps)
    for t, (before, after) in enumerate(itertools.pairwise(states)):
        pairs = [(sizes[before[name]], sizes[after[name]]) for name in names if sizes.get(after[name], 0.0) > least]
        change[t] = max((abs(math.log10(a / b)) for a, b in pairs), default=0.0)
    scene = viz.draw(loss).scene
    hidden = sorted(set(range(steps)) - set(shown_steps(scene)))
    said = plain(scene.hidden).split("going back:")[1]
    told = [int(number) - 1 for number in re.findall(r"t\s=\s(\d+)", said)]
    assert len(told) == (2 if at_every_step else 1)  # what follows the last step takes the place of one
    assert set(told) <= set(shown_steps(scene)) - {0, 1, steps - 1}
    assert min(change[told]) >= max(change[hidden]) - 0.01


def reaches(node, loss):
    return any(other is node for other in mg.walk(loss)) and node is not loss


@given(st.integers(3, 26), st.sampled_from([1e-3, 20.0, 0.0, math.inf]))
@settings(max_examples=15, deadline=None)
def test_a_step_unlike_the_others_is_shown_and_told(place, factor):
    factors = [0.9] * 30
    factors[place] = factor
    with np.errstate(all="ignore"):
        scene = viz.draw(chain(factors), level="op").scene
    assert place in shown_steps(scene)
    done = {
        1e-3: "shrinks by 3.0 decades",
        20.0: "grows by 1.3 decades",
        0.0: "becomes exactly 0",
        math.inf: "becomes NaN or ∞",
    }
    said = f"going back: t = {place + 1} (|∂L/∂h| {done[factor]})."
    assert said in plain(scene.hidden).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("level", ["cell", "op"])
def test_steps_that_do_all_the_same_and_nets_without_a_loss_show_head_and_tail(level):
    net, _ = net_of("lstm", 30, 0, sum_of_losses=False)
    for subject in (net, chain([0.9] * 30)):
        scene = viz.draw(subject, level=level).scene
        few = FEW[scene.level]
        assert shown_steps(scene) == [*range(few - few // 2), *range(30 - few // 2, 30)]
        assert "change the gradient" not in plain(scene.hidden)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(sorted(CELLS)),
    st.integers(1, 25),
    st.sampled_from(["cell", "op"]),
    st.none() | st.integers(2, 12),
    st.booleans(),
)
def test_every_step_is_shown_or_counted_in_its_gap(cell, length, level, steps, both):
    _, loss = net_of(cell, length, 0, sum_of_losses=True, bidirectional=both)
    scene = viz.draw(loss, level=level, steps=steps).scene
    shown = shown_steps(scene)
    most = WHOLE[level] if steps is None else steps
    assert len(shown) == length if length <= most else len(shown) <= most
    counted, after = [], -1
    for column in scene.columns:
        if column.kind == "gap":
            assert f"… {column.hidden} step" in plain(column.header)
            after += column.hidden
        elif column.kind == "step":
            after += 1
            counted.append(after)
    assert counted == shown
    assert counted[-1] == length - 1
    assert {0, length - 1} <= set(shown)


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_a_gap_carries_what_comes_back_over_all_its_steps(cell):
    net, loss = net_of(cell, 40, 3, sum_of_losses=True)
    figure = viz.draw(loss)
    scene, found = figure.scene, study(loss)
    columns = {box.id: scene.columns[box.column] for box in scene.boxes}
    across = [edge for edge in scene.edges if columns[edge.target].kind == "gap"]
    assert len(across) == len(net.model.states) * sum(column.kind == "gap" for column in scene.columns)
    for edge in across:
        (node,) = figure.behind.members[edge.source]
        t = node.scope["t"]
        sent = [s for use, s in found.sweep.sent.items() if use.argument is node and use.user.scope.get("t") == t + 1]
        assert edge.hidden == columns[edge.target].hidden
        assert edge.mark.norm == pytest.approx(norm(sum(sent)), rel=1e-12)


def test_told_first_is_what_the_gradient_meets_first():
    found = study(chain([0.5, 0.9, 0.9, 0.1, 0.9, 0.9, 10.0, 0.9, 0.9]))
    assert [(each.t, each.value) for each in telling(found.timeline, found.sweep)][:3] == [(6, 1.0), (3, 1.0), (0, 0.3)]


def test_what_is_too_small_to_be_drawn_tells_nothing():
    factors = [0.5] * 40
    factors[10], factors[30] = 0.02, 0.2
    told = telling(*study_of(chain(factors)))
    assert [each.t for each in told] == [30]
    told = telling(*study_of(chain([1 / factor for factor in factors])))
    assert [each.t for each in told] == [10]


def study_of(loss):
    found = study(loss)
    return found.timeline, found.sweep


@pytest.mark.parametrize(("options", "marks"), [({"layers": 2}, "01"), ({"bidirectional": True}, ("", "^←"))])
def test_the_state_is_called_what_it_is_called_in_the_figure(options, marks):
    _, loss = net_of("gru", 30, 1, sum_of_losses=True, **options)
    names = {plain(each.name) for each in telling(*study_of(loss))}
    wanted = {f"h^{mark}" if mark.isdigit() else f"h{mark}" for mark in marks}
    assert names <= wanted
    assert len(names) == 2
