"""The river's widths are the flow's shares: they add up at every stage, on the page as in the numbers."""

from __future__ import annotations

import itertools
import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict

import numpy as np
import pytest

import minigrad as mg
import rnn
import viz
from viz.charts.river import scene
from viz.formats import WRITERS
from viz.ink import Group, Rect
from viz.layout.stamp import Word
from viz.words import number, plain, width

TEXT = "hello world, this is backpropagation through time, unrolled for a hundred steps and then for more"


def flow_of(cell=rnn.LSTM, steps: int = 6, scale: float = 1.0, source: str = "weight_hh_l0", **options) -> mg.Flow:
    rng = np.random.default_rng(0)
    model = cell(3, 5, rng=1, **options)
    for parameter in model.parameters.values():
        parameter.assign(parameter.value * scale)
    net = rnn.unroll(model, rng.standard_normal((steps, 2, 3)))
    losses = []
    for step in net.steps:
        with mg.scope("readout", t=step.t):
            losses.append(mg.sum(step.h * rng.standard_normal(step.h.shape)))
    return mg.flow(mg.ops.add_n(*losses) if steps > 1 else losses[0], model.parameters[source])


CASES = {
    "lstm": {},
    "rnn": {"cell": rnn.RNN, "steps": 12, "scale": 2.0},
    "gru": {"cell": rnn.GRU, "source": "bias_ih_l0"},
    "layers": {"layers": 2, "steps": 4},
    "directions": {"bidirectional": True, "steps": 4},
    "one step": {"steps": 1, "source": "weight_ih_l0"},
    "long": {"steps": 90, "cell": rnn.RNN},
}


@pytest.fixture(params=CASES, scope="module")
def flow(request) -> mg.Flow:
    return flow_of(**CASES[request.param])


def test_shares_add_up_at_every_stage_and_over_every_cut(flow):
    chart = scene(flow)
    size = sum(abs(share) for share in flow.edge_shares.values())
    out, into = defaultdict(float), defaultdict(float)
    for band in chart.bands:
        out[band.source] += band.share
        into[band.target] += band.share
    for place, stage in enumerate(chart.stages):
        assert out[place] + stage.loss == pytest.approx(into[place] + stage.use, abs=1e-14 * size)
    assert sum(stage.loss for stage in chart.stages) + chart.direct == pytest.approx(1, abs=1e-14 * size)
    assert sum(stage.use for stage in chart.stages) + chart.direct == pytest.approx(1, abs=1e-14 * size)
    assert plain(chart.proof).startswith("✓")


def test_uses_losses_and_lanes_are_those_of_the_flow_computed_on_their_own():
    flow = flow_of()
    chart = scene(flow)
    uses = defaultdict(float)
    for use in flow.uses:
        uses[use.user.scope["t"]] += use.share
    for stage in chart.stages:
        assert stage.use == pytest.approx(uses[stage.first], abs=1e-12)
    lanes = {plain(lane.label): lane.key for lane in chart.lanes}
    assert set(lanes) == {"h", "c"}
    for band in chart.bands:
        name = next(label for label, key in lanes.items() if key == band.lane)

        def crosses(edge, t=band.source, name=name):
            return (
                edge.argument.name == name and edge.argument.scope.get("t") == t and edge.user.scope.get("t") == t + 1
            )

        assert band.share == pytest.approx(flow.through(crosses).share, abs=1e-12)


def test_widths_on_the_page_are_one_multiple_of_the_shares():
    figure = viz.river(flow_of(cell=rnn.RNN, steps=12, scale=2.0))
    chart, found = figure.scene, []
    for item in figure.sheet.items:
        if isinstance(item, Group) and item.title and item.style in ("h", "c", "loss", "w"):
            (inner,) = item.items
            assert isinstance(inner, Rect)
            across = inner.spot.w if item.style in ("loss", "w") else inner.spot.h
            found.append((item.title, across, inner.style))
    shares = {}
    lanes = {lane.key: plain(lane.label) for lane in chart.lanes}
    for band in chart.bands:
        title = f"{lanes[band.lane]}, from stage {band.source + 1} to {band.target + 1}: {number(band.share, 3)}"
        shares[title] = band.share
    for stage in chart.stages:
        shares[f"{number(stage.loss, 3)} comes in at t = {stage.first + 1}"] = stage.loss
        shares[f"{number(stage.use, 3)} leaves at t = {stage.first + 1}"] = stage.use
    assert len(found) > 10
    units = [across / abs(shares[title]) for title, across, _ in found]
    assert units == pytest.approx([units[0]] * len(units), rel=1e-9)
    assert {style for title, _, style in found if shares[title] < 0} == {"neg"}
    assert {style for title, _, style in found if shares[title] > 0} == {"flow"}


def test_every_printed_number_is_a_share_of_the_scene(flow):
    figure = viz.river(flow)
    chart = figure.scene
    known = {number(band.share) for band in chart.bands} | {
        number(share) for stage in chart.stages for share in (stage.loss, stage.use)
    }
    known |= {str(stage.first + 1) for stage in chart.stages}
    bottom = max(
        item.y for item in figure.sheet.items if isinstance(item, Word) and plain(item.text) == plain(chart.label)
    )
    for item in figure.sheet.items:
        shown = plain(item.text) if isinstance(item, Word) else ""
        if re.fullmatch(r"[-\d.e]+", shown) and item.y <= bottom:
            assert shown in known


def test_nothing_is_written_over_anything_and_all_is_on_the_page(flow):
    sheet = viz.river(flow).sheet
    spots = []
    for word in (item for item in sheet.items if isinstance(item, Word)):
        wide = width(word.text, word.size)
        left = {"start": word.x, "middle": word.x - wide / 2, "end": word.x - wide}[word.anchor]
        spots.append((plain(word.text), left, left + wide, word.y - 0.7 * word.size, word.y + 0.1 * word.size))
    for name, left, right, top, bottom in spots:
        assert left >= 0, name
        assert right <= sheet.width, name
        assert top >= 0, name
        assert bottom <= sheet.height, name
    for a, b in itertools.combinations(spots, 2):
        assert min(a[2], b[2]) - max(a[1], b[1]) <= 0.5 or min(a[4], b[4]) - max(a[3], b[3]) <= 0.5, (a[0], b[0])


def test_long_sequences_are_shown_in_blocks_that_still_add_up():
    chart = scene(flow_of(steps=130, cell=rnn.RNN))
    assert (chart.block, len(chart.stages), chart.stages[-1].last) == (3, 44, 129)
    assert "Each stage holds 3 steps" in viz.river(flow_of(steps=130, cell=rnn.RNN)).svg


def test_a_gradient_of_zero_flows_nowhere_and_a_graph_without_steps_has_no_river():
    x = mg.parameter([1.0, 2.0], name="x")
    with pytest.raises(ValueError, match="no time steps"):
        viz.river(mg.flow(mg.sum(x * x), x))
    h = x
    for t in range(3):
        with mg.scope("cell", t=t):
            h = mg.tanh(h * 0.0 * x).named("h")
    figure = viz.river(mg.flow(mg.sum(h), x))
    assert "not defined" in plain(figure.scene.sentence)
    assert plain(figure.scene.proof).startswith("✗")
    ElementTree.fromstring(figure.svg)
    json.loads(WRITERS[".json"](figure), parse_constant=lambda name: pytest.fail(name))


def test_a_skip_over_steps_is_drawn_and_conserved():
    w = mg.parameter([0.5, -0.3], name="w")
    states = [mg.constant([1.0, 1.0])]
    for t in range(5):
        with mg.scope("cell", t=t):
            past = states[-1] + states[-3] if t >= 3 else states[-1]
            states.append(mg.tanh(past * w + 1.0).named("h"))
    figure = viz.river(mg.flow(mg.sum(states[-1]), w))
    chart = figure.scene
    assert {band.target - band.source for band in chart.bands} == {1, 3}
    assert plain(chart.proof).startswith("✓")
    assert figure.svg.count('class="flow-line"') + figure.svg.count('class="neg-line"') == sum(
        band.target - band.source == 3 for band in chart.bands
    )


def test_average_lag_is_the_share_weighted_lag_of_the_table():
    reading = rnn.read("hello wor", rnn.LSTM, 5)
    weight = reading.unrolled.model.parameters["weight_hh_l0"]
    table = rnn.bptt(reading.losses, weight, reading.unrolled)
    lags = sum(lag * part.share for lag, part in table.by_lag().items())
    chart = scene(mg.flow(reading.loss, weight))
    assert math.fsum(band.share for band in chart.bands) == pytest.approx(lags, abs=1e-10)
    assert f"a path runs over {number(lags)} steps" in plain(chart.sentence)


def test_same_flow_same_bytes():
    assert viz.river(flow_of()).svg == viz.river(flow_of()).svg
