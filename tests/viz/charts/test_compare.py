"""Compared figures share one scale, stand beside each other, and lose none of their numbers; frames only hide."""

from __future__ import annotations

import dataclasses
import itertools
import json
import xml.etree.ElementTree as ElementTree

import pytest

import minigrad as mg
import rnn
import viz
from viz.charts.river_sheet import LEFT, Frame
from viz.formats import WRITERS, UnsupportedFormat
from viz.ink import Group
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


def test_frames_need_a_gradient():
    net = rnn.unroll(rnn.RNN(2, 2, rng=0), [[[1.0, 2.0]]] * 3)
    with pytest.raises(ValueError, match="has no gradient"):
        viz.frames(viz.draw(net))
    with pytest.raises(UnsupportedFormat, match="a triangle is a chart"):
        viz.frames(MAKE["triangle"](rnn.read("hel", rnn.RNN, 2)))


def test_the_number_of_columns_can_be_given(figures):
    sheets = [viz.compare(figures, columns=columns).sheet for columns in (1, 2, 3)]
    offsets = [[item.offset for item in sheet.items if isinstance(item, Group)] for sheet in sheets]
    assert [len({x for x, _ in places}) for places in offsets] == [1, 2, 3]
    assert [len({y for _, y in places}) for places in offsets] == [3, 2, 1]
    for columns in (0, 4):
        with pytest.raises(ValueError, match="expects 1 to 3 columns for as many figures"):
            viz.compare(figures, columns=columns)
