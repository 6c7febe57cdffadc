"""The (t, k) triangle shows the table's own numbers, says what it does not show, and never draws over itself."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import minigrad as mg
import rnn
import viz
from viz.charts.triangle import scene
from viz.colour import cividis
from viz.formats import WRITERS, UnsupportedFormat
from viz.ink import Group, Rect
from viz.layout.spot import Spot
from viz.layout.stamp import Word
from viz.words import number, plain, width


def table_of(steps: int, scale: float = 1.0, cell=rnn.RNN) -> rnn.Table:
    reading = rnn.read(("hello world, " * (steps // 13 + 1))[: steps + 1], cell, 6)
    weight = reading.unrolled.model.parameters["weight_hh_l0"]
    weight.assign(weight.value * scale)
    return rnn.bptt(reading.losses, weight, reading.unrolled)


CASES = {
    "few": (4, 1.0),
    "dozen": (12, 1.0),
    "grows": (12, 6.0),
    "dead": (8, 0.0),
    "sixty": (60, 1.0),
    "long": (130, 0.5),
}


@pytest.fixture(scope="module")
def tables() -> dict[str, rnn.Table]:
    return {name: table_of(*case) for name, case in CASES.items()}


@pytest.fixture(params=CASES)
def table(request, tables) -> rnn.Table:
    return tables[request.param]


def items_of(sheet):
    """Every item with the offset of the groups round it."""
    stack = [(item, 0.0, 0.0) for item in reversed(sheet.items)]
    while stack:
        item, x, y = stack.pop()
        yield item, x, y
        if isinstance(item, Group):
            dx, dy = item.offset or (0.0, 0.0)
            stack += [(inner, x + dx, y + dy) for inner in reversed(item.items)]


def place_of(word: Word, x: float, y: float) -> Spot:
    wide = width(word.text, word.size)
    left = x + {"start": word.x, "middle": word.x - wide / 2, "end": word.x - wide}[word.anchor]
    return Spot(left + wide / 2, y + word.y - 0.3 * word.size, wide, 0.8 * word.size)


def test_no_labels_overlap_and_all_are_on_the_page(table):
    sheet = viz.triangle(table).sheet
    words = [(plain(item.text), place_of(item, x, y)) for item, x, y in items_of(sheet) if isinstance(item, Word)]
    for name, spot in words:
        assert min(spot.left, spot.top) >= 0, name
        assert spot.right <= sheet.width, name
        assert spot.bottom <= sheet.height, name
    for (one, a), (other, b) in itertools.combinations(words, 2):
        across, down = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
        assert across <= 0.5 or down <= 0.5, (one, other)


def test_every_number_is_the_tables(table):
    found = scene(table)
    size = len(table.norm)
    block = found.block
    for t, row in enumerate(found.norms):
        for k, value in enumerate(row):
            here = np.s_[t * block : (t + 1) * block, k * block : (k + 1) * block]
            assert value == (table.norm[here].max() if table.present[here].any() else None)
    assert sum(found.by_loss) == pytest.approx(sum(found.by_step), abs=1e-12)
    if np.isfinite(table.share[table.present]).all():
        assert sum(found.by_loss) == pytest.approx(1, abs=1e-9 * np.abs(table.share).sum())
        for lag, part in table.by_lag().items():
            assert found.lags[lag].share == pytest.approx(part.share, abs=1e-9)
    for lag in found.lags:
        squares = [table.norm[k + lag.lag, k] ** 2 for k in range(size - lag.lag)]
        assert lag.norm == pytest.approx(math.sqrt(sum(squares) / len(squares)), rel=1e-9, abs=1e-160)


def test_lags_are_the_tables_for_a_weight_that_reads_backward():
    """The use at step k lies k - t steps from loss t; both ends of the axis would swap if it were t - k."""
    text = "hello wor"
    reading = rnn.read(text, functools.partial(rnn.RNN, bidirectional=True), 5)
    table = rnn.bptt(reading.losses, reading.unrolled.model.parameters["weight_hh_l0_reverse"], reading.unrolled)
    lags = table.by_lag()
    found = scene(table).lags
    assert [lag.lag for lag in found] == list(lags) == list(range(len(text) - 1))
    for lag in found:
        assert lag.share == pytest.approx(lags[lag.lag].share, abs=1e-12)
        norms = np.diagonal(table.norm, lag.lag)
        assert lag.norm == pytest.approx(math.sqrt(np.mean(norms**2)), rel=1e-12)


def test_squares_have_the_colour_of_their_norm_and_say_their_number():
    table = table_of(6)
    found = scene(table)
    svg = viz.triangle(table).svg
    shown = re.findall(
        r'<g><title>t = (\d+), k = (\d+): ([^<]+)</title><rect class="(\w+)"[^>]*?(?:fill="(#\w+)")?', svg
    )
    assert len(shown) == table.present.sum()
    for t, k, said, style, _ in shown:
        norm = table.norm[int(t) - 1, int(k) - 1]
        assert said == number(norm, 3)
        assert style == ("none" if norm == 0 else "heat")
    norm = table.norm[5, 5]
    fraction = (math.log10(norm) - found.low) / (found.high - found.low)
    assert f'fill="{cividis(fraction)}"' in svg[svg.index("<title>t = 6, k = 6:") :][:200]


def test_the_ramp_is_monotone_in_lightness_and_ends_where_cividis_does():
    def lightness(colour: str) -> float:
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    ramp = [lightness(cividis(step / 50)) for step in range(51)]
    assert all(a < b for a, b in itertools.pairwise(ramp))
    assert (cividis(-1), cividis(2)) == ("#00224e", "#fee838")


def linear(w: float, steps: int, start: float, scale: float = 1.0) -> rnn.Table:
    """h_t = w h_{t-1} + 1, started at its fixed point: the contribution over lag n is w^n / (1 - w)."""
    model = rnn.RNN(1, 1, activation="identity", rng=0)
    for name, value in (("weight_ih_l0", 1.0), ("weight_hh_l0", w), ("bias_ih_l0", 0.0), ("bias_hh_l0", 0.0)):
        parameter = model.parameters[name]
        parameter.assign(np.full(parameter.shape, value))
    net = rnn.unroll(model, np.ones((steps, 1, 1)), state=np.full((1, 1, 1), start))
    return rnn.bptt([mg.sum(step.h) * scale for step in net.steps], model.parameters["weight_hh_l0"], net)


def test_half_life_and_doubling_of_a_linear_net_are_the_closed_form():
    shrinks, grows = scene(linear(0.8, 40, 5.0)), scene(linear(1.25, 20, -4.0))
    steps = math.log(2) / -math.log(0.8)
    assert shrinks.fit.half_life == pytest.approx(steps, rel=1e-9)
    assert f"half-life {number(steps)} steps" in plain(shrinks.sentence)
    assert f"it doubles every {number(math.log(2) / math.log(1.25))} steps" in plain(grows.sentence)


def test_a_gradient_of_zero_has_no_shares_and_no_fit():
    figure = viz.triangle(linear(0.8, 3, 5.0, scale=0.0))
    assert "Shares of it are not defined" in plain(figure.scene.sentence)
    assert figure.scene.fit is None
    assert "exactly 0" in figure.svg
    assert 'class="heat" x=' not in figure.svg[figure.svg.index("<title>t = 1, k = 1") :][:300]


def test_the_proof_is_computed(monkeypatch):
    table = table_of(4)
    assert plain(scene(table).proof).startswith("✓ Sum of 10 contributions = ∂L/∂W_hh")
    monkeypatch.setattr(rnn.Table, "proof", lambda self: rnn.table.Proof(10, 1e-3, 1e-3, "W"))
    assert plain(scene(table).proof).startswith("✗ Sum of 10 contributions ≠ ∂L/∂W_hh, max difference 0.0010")


def test_a_chart_is_written_in_every_format_but_graphs(tables, tmp_path):
    figure = viz.triangle(tables["few"])
    assert repr(figure) == "<Figure triangle: 4 losses by 4 steps>"
    root = ElementTree.fromstring(figure.svg)
    assert root.get("role") == "img"
    assert {element.tag.split("}")[1] for element in root[:3]} == {"title", "desc", "style"}
    found = json.loads(WRITERS[".json"](figure))
    assert (found["kind"], found["scene"]["norms"][1][1]) == ("triangle", tables["few"].norm[1, 1])
    assert WRITERS[".tex"](figure).isascii()
    for ending in (".dot", ".graphml"):
        with pytest.raises(UnsupportedFormat, match="a triangle is a chart"):
            figure.save(tmp_path / f"x{ending}")


def test_colour_of_heat_is_the_only_colour_that_is_no_theme(tables):
    for item, _, _ in items_of(viz.triangle(tables["dozen"]).sheet):
        if isinstance(item, Rect) and item.fill:
            assert item.style == "heat"


def test_same_table_same_bytes(tables):
    assert viz.triangle(tables["dozen"]).svg == viz.triangle(table_of(*CASES["dozen"])).svg


def test_what_is_not_shown_by_lag_is_told_in_the_singular_and_in_the_plural():
    """The longest lag of a net that starts from zeros is exactly 0: its only use has nothing to multiply."""
    single = viz.triangle(table_of(19, cell=rnn.LSTM)).svg
    assert re.search(r"By lag, the last is not shown: its norm is below 10\S+ and its share below 10", single)
    assert re.search(
        r"By lag, the last 113 are not shown: their norms are below 10\S+ and their shares below 10",
        viz.triangle(table_of(130, 0.5)).svg,
    )
