"""The ledger's lines are the flow's parts; they sum to the gradient, in numbers and where the bars end."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import minigrad as mg
import rnn
import viz
from viz.charts.ledger import counted, path_label, scene
from viz.formats import WRITERS
from viz.ink import Group, Rect, Shape
from viz.layout.stamp import Word
from viz.words import number, plain, width


@pytest.fixture(scope="module")
def reading() -> rnn.Reading:
    return rnn.read("hello wo", rnn.LSTM, 5)


@pytest.fixture(scope="module")
def flow(reading) -> mg.Flow:
    return mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])


def partitions(flow: mg.Flow, reading: rnn.Reading) -> dict[str, object]:
    lanes = rnn.Lanes(flow, reading.unrolled)
    table = rnn.bptt(reading.losses, flow.sources[0], reading.unrolled)
    return {
        "paths": None,
        "lanes": lanes.by_lane,
        "crossings": lanes.by_crossings,
        "gates": lanes.by_gate,
        "lags": table.by_lag(),
        "hostile": {"</svg>&" * 30: flow.through("t=3"), "\ud800": flow.avoiding("t=3")},
    }


NAMES = ("paths", "lanes", "crossings", "gates", "lags", "hostile")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("top", [1, 3, 12])
def test_lines_sum_to_the_gradient_and_counts_to_the_count(flow, reading, name, top):
    chart = viz.ledger(flow, partitions(flow, reading)[name], top=top).scene
    assert math.fsum(entry.share for entry in chart.entries) == pytest.approx(1, abs=1e-12)
    assert len(chart.entries) <= top + 1
    assert plain(chart.proof).startswith("✓")
    counts = [entry.count for entry in chart.entries]
    assert counts == [""] * len(counts) if name == "lags" else sum(map(int, counts)) == flow.count()
    listed = [entry.norm for entry in chart.entries if not entry.rest]
    if name not in ("crossings", "lags"):
        assert listed == sorted(listed, reverse=True)


def test_parts_that_are_no_partition_are_told():
    x = mg.parameter([2.0, 1.0], name="x")
    inner = x * x
    flow = mg.flow(mg.sum(inner * x), x)
    figure = viz.ledger(flow, {"inner": flow.through(inner), "inner again": flow.through(inner)})
    assert plain(figure.scene.proof).startswith("✗ Sum of 2 entries ≠ ∂L/∂x")


def test_entries_are_the_paths_the_flow_ranks(flow):
    ranking = flow.top(4)
    chart = viz.ledger(flow, top=4).scene
    assert [entry.norm for entry in chart.entries[:4]] == pytest.approx([path.norm for path in ranking.paths])
    assert [entry.share for entry in chart.entries[:4]] == pytest.approx([path.share for path in ranking.paths])
    assert chart.entries[4].count == str(ranking.remainder.count)
    assert chart.entries[4].rest


def test_a_path_is_told_by_its_named_nodes():
    w, h = mg.parameter(0.5, name="w"), mg.constant(1.0)
    for t in range(6):
        with mg.scope("cell", t=t):
            h = mg.tanh(h * w).named("h")
    labels = {plain(path_label(path.nodes)) for path in mg.flow(h * 1.0, w).top(6).paths}
    assert {"h_6 ← w at 6", "h_6 ← h_5 ← w at 5", "h_6…h_4 ← w at 4", "h_6…h_1 ← w at 1"} <= labels


@pytest.mark.parametrize("name", NAMES)
def test_the_waterfall_goes_from_nothing_to_the_whole(flow, reading, name):
    figure = viz.ledger(flow, partitions(flow, reading)[name], top=6)
    bars = [
        (item.title, inner.spot, inner.style)
        for item in figure.sheet.items
        if isinstance(item, Group) and item.title
        for inner in item.items
        if isinstance(inner, Rect) and "share" in item.title
    ]
    *falls, whole = bars
    assert whole[0] == f"sum of shares {number(math.fsum(entry.share for entry in figure.scene.entries), 3)}"
    unit = whole[1].w
    assert len(falls) == len(figure.scene.entries)
    end = whole[1].left
    for (title, spot, style), entry in zip(falls, figure.scene.entries, strict=True):
        assert title == f"share {number(entry.share, 3)}"
        assert style == ("pos" if entry.share >= 0 else "neg")
        assert spot.w == pytest.approx(abs(entry.share) * unit, abs=1e-9)
        assert (spot.left if entry.share >= 0 else spot.right) == pytest.approx(end, abs=1e-9)
        end += entry.share * unit
    assert end == pytest.approx(whole[1].right, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written_over_anything_and_all_is_on_the_page(flow, reading, name):
    figure = viz.ledger(flow, partitions(flow, reading)[name], by="kind")
    ElementTree.fromstring(figure.svg)
    assert WRITERS[".tex"](figure).isascii()
    sheet, spots = figure.sheet, []
    for word in (item for item in sheet.items if isinstance(item, Word)):
        wide = width(word.text, word.size)
        left = {"start": word.x, "middle": word.x - wide / 2, "end": word.x - wide}[word.anchor]
        spots.append((plain(word.text), left, left + wide, word.y - 0.7 * word.size, word.y + 0.1 * word.size))
    for text, left, right, _, bottom in spots:
        assert left >= 0, text
        assert right <= sheet.width, text
        assert bottom <= sheet.height, text
    for a, b in itertools.combinations(spots, 2):
        assert min(a[2], b[2]) - max(a[1], b[1]) <= 0.5 or min(a[4], b[4]) - max(a[3], b[3]) <= 0.5, (a[0], b[0])


def test_a_zero_gradient_and_several_sources():
    x = mg.parameter([1.0, 2.0], name="x")
    y = mg.parameter([3.0, 0.5], name="y")
    zero = viz.ledger(mg.flow(mg.sum(x * 0.0), x))
    assert "not defined" in plain(zero.scene.sentence)
    assert "no shares" in zero.svg
    both = viz.ledger(mg.flow(mg.sum(mg.tanh(x) * y + x), [x, y]), top=2).scene
    assert plain(both.proof).startswith("✓")
    assert math.fsum(entry.share for entry in both.entries) == pytest.approx(1)
    assert math.hypot(*np.tanh([1.0, 2.0])) in [pytest.approx(entry.norm) for entry in both.entries]


def test_counts_are_exact_and_short():
    assert counted("999999999999999") == "999,999,999,999,999"
    assert counted(str(4**1000)) == "1.14e602"
    w, h = mg.parameter(0.5, name="w"), mg.constant(1.0)
    for t in range(70):
        with mg.scope("cell", t=t):
            h = (mg.tanh(h * w) + h).named("h")
    flow = mg.flow(h * 1.0, w)
    assert flow.count() > 2**69
    chart = scene(flow, None, "", 3, 10_000)
    assert int(chart.entries[-1].count) == flow.count() - 3


def test_a_spent_budget_is_said(flow):
    assert "stopped at its budget" in viz.ledger(flow, top=400, budget=60).svg
    assert "stopped at its budget" not in viz.ledger(flow, top=3).svg


def test_no_number_stands_across_an_upright_line():
    """Shares that run below 0 before they come back have their numbers beside the axis, not on it."""
    x = mg.parameter([2.0, 1.0], name="x")
    parts = [x * factor for factor in (-0.06, -0.06, -0.02, 1.2, -0.05, -0.01)]
    flow = mg.flow(mg.sum(mg.ops.add_n(*parts)), x)
    figure = viz.ledger(flow, {place: flow.through(part) for place, part in enumerate(parts)})
    assert plain(figure.scene.proof).startswith("✓")
    lines, words = [], []
    for item in figure.sheet.items:
        if isinstance(item, Shape) and item.style == "ax":
            (x0, y0), (x1, y1) = item.path.points()
            lines += [(x0, *sorted((y0, y1)))] if x0 == x1 else []
        elif isinstance(item, Word):
            wide = width(item.text, item.size)
            left = item.x - {"start": 0.0, "middle": wide / 2, "end": wide}[item.anchor]
            words.append((plain(item.text), left, left + wide, item.y))
    assert len(lines) == 1 + len(parts)
    for name, left, right, y in words:
        assert not any(left < at < right and top < y - 4 < bottom for at, top, bottom in lines), name
