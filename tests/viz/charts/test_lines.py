"""Curves go through their points, stay on the page, and can be told apart."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import pytest

import viz
from viz import charts
from viz.charts.lines import STYLES, marks, scene
from viz.ink import Circle, Group, Shape
from viz.layout.stamp import Word
from viz.theme import THEMES, resolve


def drawn(sheet, style):
    return [item for item in sheet.items if isinstance(item, Shape | Group) and item.style == style]


def test_points_keep_their_place():
    chart = scene("t", {"a": [(0, 0), (1, 4), (2, 8)], "b": [(0, 8), (2, 0)]}, "x", "y")
    sheet = chart.sheet()
    rising = drawn(sheet, "l0")[0].path.points()
    falling = drawn(sheet, "l1")[0].path.points()
    assert rising[0] == (falling[0][0], falling[1][1])
    assert rising[2] == (falling[1][0], falling[0][1])
    assert rising[1] == pytest.approx(((rising[0][0] + rising[2][0]) / 2, (rising[0][1] + rising[2][1]) / 2))
    assert all(0 < x < sheet.width and 0 < y < sheet.height for x, y in rising)


def test_what_is_not_finite_is_left_out():
    chart = scene("t", {"a": [(0, 1), (1, math.nan), (2, -math.inf), (3, 5)]}, "x", "y")
    assert chart.curves[0].points == ((0.0, 1.0), (3.0, 5.0))
    assert chart.spans == ((0.0, 3.0), (1.0, 5.0))


def test_levels_are_where_their_labels_say():
    sheet = scene("t", {"a": [(5, -4), (6, 2)]}, "x", "y", powers=True).sheet()
    words = {"".join(run.text for run in item.text): item.y for item in sheet.items if isinstance(item, Word)}
    assert words["10−4"] - words["10−2"] == pytest.approx(words["10−2"] - words["1"])
    assert words["1"] > words["102"]


@pytest.mark.parametrize("theme", THEMES)
def test_curves_differ_in_colour_and_dashes(theme):
    found = [resolve(theme, [f"l{place}"]) for place in range(STYLES)]
    assert len({style["stroke"] for style in found}) == STYLES
    assert len({style.get("stroke-dasharray", "") for style in found}) == STYLES


def test_dots_are_dots():
    sheet = scene("t", {"a": [(0, 1), (1, 2)], "b": [(0.5, 1.5)]}, "x", "y", dots=("b",)).sheet()
    places = [item for group in drawn(sheet, "l1") for item in group.items]
    assert places
    assert all(isinstance(item, Circle) for item in places)


def test_a_limit_is_a_thin_line_of_the_colour_of_its_curve():
    chart = scene(
        "t", {"a": [(0, 0), (2, 2)], "b": [(0, 1), (2, 0)]}, "x", "y", limits={"b": [(0, 1), (2, 4)]}, limit="most"
    )
    sheet = chart.sheet()
    (group,) = [item for item in drawn(sheet, "l1") if isinstance(item, Group)]
    (thin,) = group.items
    curve = drawn(sheet, "l1")[1]
    assert thin.path.start == curve.path.start
    assert chart.spans == ((0.0, 2.0), (0.0, 4.0))
    for theme in THEMES:
        found, own = resolve(theme, ["l1", "lim"]), resolve(theme, ["l1"])
        assert found["stroke"] == own["stroke"]
        assert float(found["stroke-width"]) < float(own["stroke-width"])
    assert "most" in {"".join(run.text for run in item.text) for item in sheet.items if isinstance(item, Word)}
    with pytest.raises(ValueError, match="a limit for 'c', which is not among the curves"):
        scene("t", {"a": [(0, 1)]}, "x", "y", limits={"c": [(0, 1)]})


def test_every_pattern_of_dashes_can_be_written_as_tex(tmp_path):
    curves = {str(n): [(0, n), (1, n + 1)] for n in range(STYLES)}
    figure = charts.lines("t", curves, across="x", up="y", limits={"3": [(0, 0), (1, 1)]})
    text = figure.save(tmp_path / "x.tex").read_text(encoding="ascii")
    assert "dash pattern=on 12bp off 3bp on 3bp off 3bp" in text
    assert "none" not in text.split("\\begin{document}")[1]


@pytest.mark.parametrize("curves", [{}, {"a": []}, {"a": [(0, math.nan)]}, {str(n): [(0, 1)] for n in range(6)}])
def test_refuses_what_it_cannot_draw(curves):
    with pytest.raises(ValueError, match="lines: "):
        scene("t", curves, "x", "y")


def test_hostile_names_and_a_single_point():
    figure = charts.lines("</svg>&\x00", {"<b>": [(1, 1)]}, across="&", up="\ud800")
    ElementTree.fromstring(figure.svg)


def test_compared_on_one_scale():
    pair = {
        name: charts.lines("t", {"a": [(0, 0), (1, top)]}, across="x", up="y") for name, top in (("p", 1), ("q", 9))
    }
    parts = viz.compare(pair).scene.parts
    assert [part.spans for part in parts] == [((0.0, 1.0), (0.0, 9.0))] * 2


def test_marks_are_round_and_inside():
    assert marks(-0.3, 0.31, 7) == [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]
    assert marks(0, 0.5, 5, whole=True) == [0.0]
