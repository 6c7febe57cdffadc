"""Compared figures share one scale, stand beside each other, and lose none of their numbers; frames only hide."""

from __future__ import annotations

import dataclasses
import itertools
import json
import xml.etree.ElementTree as ElementTree
from functools import partial

import pytest

import minigrad as mg
import rnn
import viz
from viz.charts.compare import NARROW
from viz.charts.river_sheet import LEFT, Frame
from viz.formats import WRITERS, UnsupportedFormat
from viz.ink import Group
from viz.layout import arrange
from viz.pen import ink
from viz.words import plain

CELLS = {"RNN": rnn.RNN, "LSTM": rnn.LSTM, "GRU": rnn.GRU}


def weight(reading: rnn.Reading):
    return reading.unrolled.model.parameters["weight_hh_l0"]


MAKE = {
    "lanes": viz.draw,
    "triangle": lambda r: viz.triangle(rnn.bptt(r.losses, weight(r), r.unrolled)),
    "river": lambda r: viz.river(mg.flow(r.loss, weight(r))),
    "ledger": lambda r: viz.ledger(mg.flow(r.loss, weight(r)), top=4),
}


@pytest.fixture(scope="module", params=MAKE)
def figures(request) -> dict[str, viz.Figure]:
    return {name: MAKE[request.param](rnn.read("hello w", cell, 4)) for name, cell in CELLS.items()}


def scales(scene) -> object:
    """What decides how long, wide or bright a number is drawn."""
    kind = getattr(scene, "kind", "lanes")
    if kind == "lanes":
        return scene.reference
    if kind == "triangle":
        return scene.low, scene.high, scene.spans
    return scene.unit if kind == "river" else (scene.longest, scene.span)


def test_the_scale_is_one_and_the_numbers_stay(figures):
    scene = viz.compare(figures).scene
    assert scene.names == tuple(figures)
    assert len({repr(scales(part)) for part in scene.parts}) == 1
    changed = {"reference", "low", "high", "spans", "unit", "longest", "span"}
    for part, figure in zip(scene.parts, figures.values(), strict=True):
        for field in dataclasses.fields(part):
            if field.name not in changed:
                assert getattr(part, field.name) == getattr(figure.scene, field.name), field.name


def test_parts_stand_beside_each_other_on_the_page(figures):
    sheet = viz.compare(figures).sheet
    groups = [item for item in sheet.items if isinstance(item, Group)]
    assert len(groups) == len(figures)
    places = [group.offset for group in groups]
    assert len(set(places)) == len(places)
    assert all(0 <= x < sheet.width and 0 <= y < sheet.height for x, y in places)
    root = ElementTree.fromstring(viz.compare(figures).svg)
    shown = "".join(root.itertext())
    assert all(name in shown for name in figures)
    assert all(plain(figure.scene.proof) in root[1].text for figure in figures.values())
    json.loads(WRITERS[".json"](viz.compare(figures)))


def test_a_list_is_numbered_and_kinds_do_not_mix(figures):
    first, *others = figures.values()
    named = viz.compare([first, others[0]]).scene.names
    assert named == ("1", "2")
    triangle = MAKE["triangle"](rnn.read("hel", rnn.RNN, 2))
    river = MAKE["river"](rnn.read("hel", rnn.RNN, 2))
    for wrong in ([first], [], [triangle, river], [viz.compare(figures)] * 2):
        with pytest.raises(ValueError, match="two or more figures of one kind"):
            viz.compare(wrong)


def test_the_shared_unit_of_rivers_lets_every_one_fit():
    rivers = {name: MAKE["river"](rnn.read("hello w", cell, 4)) for name, cell in CELLS.items()}
    for part in viz.compare(rivers).scene.parts:
        own = Frame(dataclasses.replace(part, unit=0.0), 0.0, 640 - 26 - LEFT)
        assert 0 < part.unit <= own.unit


def test_frames_add_one_column_at_a_time_and_move_nothing():
    figure = viz.draw(rnn.read("hello", rnn.LSTM))
    shown = viz.frames(figure)
    marked = [{edge.id for edge in frame.scene.edges if edge.mark} for frame in shown]
    assert marked[0] == set()
    assert marked[-1] == {edge.id for edge in figure.scene.edges if edge.mark}
    assert all(before < after for before, after in itertools.pairwise(marked))
    places = [[spot for _, spot in frame.picture.body.boxes] for frame in shown]
    assert all(place == places[0] for place in places)
    assert len({(frame.sheet.width, frame.sheet.height) for frame in shown}) == 1
    marks = {edge.id: edge.mark for edge in figure.scene.edges}
    columns = {box.id: box.column for box in figure.scene.boxes}
    for frame in shown:
        assert frame.scene.reference == figure.scene.reference
        assert all(edge.mark in (None, marks[edge.id]) for edge in frame.scene.edges)
        hidden = {columns[edge.target] for edge in frame.scene.edges if marks[edge.id] and not edge.mark}
        seen = {columns[edge.target] for edge in frame.scene.edges if edge.mark}
        assert not seen or not hidden or min(seen) > max(hidden)
    assert "frame 2 of 4: the gradient has come back to t = 3." in shown[2].svg
    assert len({frame.svg for frame in shown}) == len(shown)


@pytest.mark.parametrize("level", ["cell", "op", "open"])
def test_no_share_leaves_through_a_tag_before_the_gradient_has_come(level):
    figure = viz.draw(rnn.read("hello", rnn.LSTM), edges="share", level=level)
    columns = {box.id: box.column for box in figure.scene.boxes}
    for frame in viz.frames(figure):
        back = {columns[edge.target] for edge in frame.scene.edges if edge.mark}
        for box in frame.scene.boxes:
            shown = [tag for tag in box.tags if tag.mark]
            assert bool(shown) == (box.column in back and bool([t for t in _tags(figure, box.id) if t.mark])), box.id
        tags = {tag.id: tag for box in frame.scene.boxes for tag in box.tags}
        assert [tag for tag, _ in frame.picture.body.chips] == [tags[tag.id] for tag, _ in figure.picture.body.chips]
        widths = [spot.w for _, spot in frame.picture.body.chips]
        assert widths == [spot.w for _, spot in figure.picture.body.chips]


def _tags(figure: viz.Figure, box: str):
    return next(each.tags for each in figure.scene.boxes if each.id == box)


def test_frames_of_a_net_that_reads_both_ways_do_not_say_that_the_gradient_came_from_the_right():
    first, *others = viz.frames(viz.draw(rnn.read("hello", partial(rnn.RNN, bidirectional=True))))
    assert plain(first.scene.subtitle) == "Forward pass: no gradient yet."
    said = [plain(frame.scene.subtitle) for frame in others]
    assert said[1] == "Backward pass, frame 2 of 4, column by column: the gradient of t = 3."
    assert not any("come back" in each for each in said)


def test_a_rolled_figure_has_no_frames():
    with pytest.raises(ValueError, match="a rolled figure draws all steps as one; draw the net at another level"):
        viz.frames(viz.draw(rnn.read("hello", rnn.RNN), level="rolled"))


def test_frames_need_a_gradient():
    net = rnn.unroll(rnn.RNN(2, 2, rng=0), [[[1.0, 2.0]]] * 3)
    with pytest.raises(ValueError, match="has no gradient"):
        viz.frames(viz.draw(net))
    with pytest.raises(UnsupportedFormat, match="a triangle is a chart"):
        viz.frames(MAKE["triangle"](rnn.read("hel", rnn.RNN, 2)))


@pytest.mark.parametrize("edges", ["magnitude", "share"])
def test_rolled_figures_are_compared_among_themselves(edges):
    reading = rnn.read("hello", rnn.RNN)
    rolled = viz.draw(reading, level="rolled", edges=edges)
    with pytest.raises(ValueError, match=r"of one kind, got 2 .* and rolled lanes"):
        viz.compare([rolled, viz.draw(reading, edges=edges)])
    assert viz.compare([rolled, viz.draw(rnn.read("hello", rnn.LSTM), level="rolled", edges=edges)]).scene.parts


def test_small_nets_are_not_padded_and_none_lies_on_another():
    """Three cells of two steps: a figure of its own would be padded to 960 units each."""
    drawn = {name: viz.draw(rnn.read("hel", cell)) for name, cell in CELLS.items()}
    for columns in (1, 2, 3):
        sheet = viz.compare(drawn, columns=columns).sheet
        parts = [(item.offset, each) for item, each in zip(_groups(sheet), _alone(drawn), strict=True)]
        for (one, a), (other, _) in itertools.combinations(parts, 2):
            assert one[0] + a.width <= other[0] or other[1] > one[1], (columns, one, other)
    assert sheet.width < 2500
    assert sheet.width == pytest.approx(sum(each.width for each in _alone(drawn)))


def _groups(sheet) -> list[Group]:
    return [item for item in sheet.items if isinstance(item, Group)]


def _alone(drawn):
    return [ink(arrange(figure.scene, NARROW)) for figure in drawn.values()]


def test_the_number_of_columns_can_be_given(figures):
    sheets = [viz.compare(figures, columns=columns).sheet for columns in (1, 2, 3)]
    offsets = [[item.offset for item in sheet.items if isinstance(item, Group)] for sheet in sheets]
    assert [len({x for x, _ in places}) for places in offsets] == [1, 2, 3]
    assert [len({y for _, y in places}) for places in offsets] == [3, 2, 1]
    for columns in (0, 4):
        with pytest.raises(ValueError, match="expects 1 to 3 columns for as many figures"):
            viz.compare(figures, columns=columns)
