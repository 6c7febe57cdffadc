"""The engine `dot`: Graphviz says where, our inks say how; without Graphviz one sentence says how to get it."""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from functools import partial

import numpy as np
import pytest

import minigrad as mg
import rnn
import viz
from viz import engines
from viz.cli import main
from viz.figure import WRITERS, Figure
from viz.layout import dot
from viz.layout.routes import bezier
from viz.layout.spot import Spot

GRAPHVIZ = importlib.util.find_spec("pygraphviz") is not None or shutil.which("dot") is not None
needs_graphviz = pytest.mark.skipif(
    not GRAPHVIZ, reason="no Graphviz: neither pygraphviz (pip install 'minigrad[dot]') nor the program dot"
)


def plain_graph() -> mg.Node:
    w, x = mg.parameter([1.0, -2.0, 3.0], name="w"), mg.parameter([0.1, 0.2, 0.3], name="x")
    return mg.sum(mg.tanh(w * x) * w) - mg.sum(mg.exp(x * x))


CASES = {
    "lstm cell": lambda: rnn.read("hell", rnn.LSTM),
    "lstm op": lambda: rnn.read("hel", rnn.LSTM),
    "gru cell": lambda: rnn.read("hell", rnn.GRU),
    "long cell": lambda: rnn.read("hello hello hello", rnn.RNN),
    "both ways cell": lambda: rnn.read("hel", partial(rnn.LSTM, bidirectional=True)),
    "both ways op": lambda: rnn.read("he", partial(rnn.GRU, bidirectional=True)),
    "plain op": plain_graph,
    "last state cell": lambda: mg.sum(rnn.unroll(rnn.LSTM(3, 4, rng=0), np.ones((3, 1, 3))).steps[-1].h),
}


@pytest.fixture(params=CASES, scope="module")
def figure(request) -> Figure:
    if not GRAPHVIZ:
        pytest.skip("no Graphviz: neither pygraphviz nor the program dot")
    return viz.draw(CASES[request.param](), level=request.param.split()[-1], engine="dot", edges="share")


@pytest.fixture
def none_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", "")


def overlap(a: Spot, b: Spot) -> bool:
    across, down = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
    return across > 0.5 and down > 0.5


def distance(point: tuple[float, float], spot: Spot) -> float:
    dx = max(spot.left - point[0], 0, point[0] - spot.right)
    dy = max(spot.top - point[1], 0, point[1] - spot.bottom)
    return math.hypot(dx, dy)


def test_every_box_stands_apart_inside_the_figure(figure):
    body = figure.picture.body
    assert [box for box, _ in body.boxes] == list(figure.scene.boxes)
    spots = [spot for _, spot in body.boxes]
    for place, spot in enumerate(spots):
        assert not any(overlap(spot, other) for other in spots[:place])
        assert 0 <= spot.left < spot.right <= body.width
        assert 0 <= spot.top < spot.bottom <= body.height
    assert [tag for tag, _ in body.chips] == [tag for box in figure.scene.boxes for tag in box.tags]
    around = {tag.id: spot for box, spot in body.boxes for tag in box.tags}
    assert all(around[tag.id].left <= spot.left < spot.right <= around[tag.id].right for tag, spot in body.chips)


def test_every_edge_runs_from_box_to_box_and_its_gradient_back_beside_it(figure):
    spots = {box.id: spot for box, spot in figure.picture.body.boxes}
    assert [edge for edge, _ in figure.picture.body.wires] == list(figure.scene.edges)
    for edge, route in figure.picture.body.wires:
        source, target = spots[edge.source], spots[edge.target]
        assert distance(route.forward.path.start, source) < 8, edge.id
        assert distance(route.forward.head[0], target) < 8, edge.id
        assert distance(route.back.path.start, target) < 16, edge.id
        assert distance(route.back.head[0], source) < 16, edge.id
        assert distance(route.back.head[0], source) > 0, "the head is not hidden under the box"
        points = [*route.forward.path.points(120), route.forward.head[0]]
        apart = [min(math.dist(point, other) for other in points) for point in route.back.path.points(8)[1:-1]]
        assert 3 < max(apart) < 12, edge.id


def test_no_edge_enters_a_box_but_its_own(figure):
    for edge, route in figure.picture.body.wires:
        points = route.forward.path.points(24)
        for box, spot in figure.picture.body.boxes:
            if box.id not in (edge.source, edge.target):
                near = [point for point in points if abs(point[0] - spot.x) < spot.w / 2 - 1]
                assert not any(abs(y - spot.y) < spot.h / 2 - 1 for _, y in near), (edge.id, box.id)


def test_data_runs_up_but_to_states_and_time_runs_right(figure):
    spots = {box.id: spot for box, spot in figure.picture.body.boxes}
    boxes = {box.id: box for box in figure.scene.boxes}
    kinds = {column.index: column.kind for column in figure.scene.columns}
    for edge in figure.scene.edges:
        target = boxes[edge.target]
        if boxes[edge.source].column == target.column and target.role != "state":
            assert spots[edge.source].y > spots[edge.target].y, edge.id
    bands = [column.index for column, _ in figure.picture.body.bands]
    assert [column.index for column, _ in sorted(figure.picture.body.bands, key=lambda band: band[1].x)] == bands
    assert bands == sorted(bands)
    for box, spot in figure.picture.body.boxes:
        for column, band in figure.picture.body.bands:
            if column.index == box.column and kinds[box.column] != "initial":
                assert band.left <= spot.left < spot.right <= band.right


@needs_graphviz
def test_equal_steps_stand_at_equal_heights():
    body = viz.draw(rnn.read("hello", rnn.RNN, 3), level="op", engine="dot").picture.body
    steps = {}
    for box, spot in body.boxes:
        steps.setdefault(box.column, {})[box.key] = round(spot.y, 1)
    assert steps[2] == steps[3] == steps[4]


def test_it_is_written_in_every_format_in_the_same_grammar(figure):
    tags = {element.tag.split("}")[1] for element in ElementTree.fromstring(figure.svg).iter()}
    assert tags <= {"svg", "title", "desc", "style", "g", "rect", "path", "text", "tspan", "circle"}
    for edge in figure.scene.edges:
        assert edge.title in figure.svg.replace("&gt;", ">").replace("&lt;", "<")
    assert b"pos=" in WRITERS[".dot"](figure)
    assert WRITERS[".tex"](figure).isascii()


@needs_graphviz
def test_the_scene_is_that_of_the_lanes_and_the_bytes_are_the_same_again():
    reading = rnn.read("hello", rnn.RNN)
    drawn = [viz.draw(reading, engine="dot") for _ in range(2)]
    assert drawn[0].svg == drawn[1].svg
    lanes = viz.draw(reading)
    assert drawn[0].scene == lanes.scene
    assert drawn[0].svg != lanes.svg
    assert len(viz.frames(drawn[0])) == 5
    assert viz.frames(drawn[0])[-1].picture.body.boxes == drawn[0].picture.body.boxes


@needs_graphviz
@pytest.mark.parametrize("level", ["open", "rolled"])
def test_what_stands_beside_the_lanes_stands_beside_the_graph_of_dot(level):
    """The caption of an open step promises its equations; a rolled cell has its table."""
    reading = rnn.read("hello", rnn.RNN, 3)
    words = []
    for engine in ("lanes", "dot"):
        figure = viz.draw(reading, level=level, engine=engine)
        right = max(spot.right for _, spot in figure.picture.body.boxes)
        words.append([word.text for word in figure.picture.body.words if word.anchor != "middle" and word.x > right])
        assert all(word.x <= figure.picture.body.width for word in figure.picture.body.words)
    assert words[0] == words[1] != []


@needs_graphviz
def test_showing_and_saving_start_no_program(monkeypatch):
    figure = viz.draw(rnn.read("hel", rnn.GRU), engine="dot")

    def refuse(*_, **__):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert figure._repr_mimebundle_()["image/svg+xml"] == figure.svg
    assert "<script>" in figure.html
    assert WRITERS[".graphml"](figure)


@needs_graphviz
@pytest.mark.skipif(
    shutil.which("dot") is None or importlib.util.find_spec("pygraphviz") is None, reason="not both are installed"
)
def test_the_program_serves_where_the_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert engines._command("neato")[0].endswith("dot")
    assert len(viz.draw(plain_graph(), engine="dot").picture.body.boxes) > 5


@needs_graphviz
@pytest.mark.parametrize("name", ['"];evil[label="', "</script><b>&", "\\N", "\ud800", "x" * 1000])
def test_hostile_names_never_reach_graphviz(name):
    weight, h = mg.parameter([[0.5]], name=name), mg.constant([[1.0]])
    for t in range(3):
        with mg.scope(name, t=t):
            h = mg.tanh(h @ weight).named(name)
    ElementTree.fromstring(viz.draw(mg.sum(h), engine="dot", level="op").svg)


def test_only_sizes_and_edges_are_sent():
    scene = viz.draw(rnn.read("hi", rnn.RNN, 2)).scene
    sent = []

    class Enough(Exception):
        pass

    def ask(program: str, sources: list[str]) -> None:
        sent.append((program, *sources))
        raise Enough

    with pytest.raises(Enough):
        dot.body(scene, ask)
    ((program, source),) = sent
    assert program == "dot"
    assert source.isascii()
    assert len(re.findall(r"n\d+ \[height", source)) == len(scene.boxes)
    assert len(re.findall(r"id=e\d+", source)) == len(scene.edges)
    assert all(word not in source for word in ("tanh", "W_hh", "weight"))


def test_without_graphviz_one_sentence_says_how_to_get_it(none_installed, tmp_path, capsys):
    with pytest.raises(viz.MissingGraphviz, match=r"needs Graphviz.*pip install 'minigrad\[dot\]'.*package manager$"):
        viz.draw(rnn.read("hello", rnn.RNN), engine="dot")
    assert issubclass(viz.MissingGraphviz, viz.MissingExtra)
    target = tmp_path / "x.svg"
    assert main(["draw", "rnn", "--engine", "dot", "-o", str(target)]) == 1
    said = capsys.readouterr().err
    assert said.startswith('minigrad: engine="dot" needs Graphviz')
    assert said.count("\n") == 1
    assert not target.exists()
    assert viz.draw(rnn.read("hello", rnn.RNN)).svg.startswith("<svg"), "nothing else breaks"


def test_it_is_missed_before_anything_is_computed(none_installed, monkeypatch):
    monkeypatch.setattr("viz.drawing.study", lambda *_: pytest.fail("computed first"))
    with pytest.raises(viz.MissingGraphviz):
        viz.draw(plain_graph(), engine="dot")


def slow(_: str) -> list[str]:
    return [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_layout_that_takes_too_long_is_given_up(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(engines, "_command", slow)
    monkeypatch.setattr(engines, "LIMIT", 0.2)
    with pytest.raises(TimeoutError, match=r"did not lay out [\d,]+ boxes within 0 s; show fewer steps"):
        viz.draw(plain_graph(), engine="dot")
    assert main(["draw", "rnn", "--engine", "dot", "-o", str(tmp_path / "x.svg")]) == 1
    assert capsys.readouterr().err.startswith("minigrad: Graphviz did not lay out")


def test_a_graphviz_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(engines, "_command", lambda _: [sys.executable, "-c", "import sys; sys.exit('no such plugin')"])
    with pytest.raises(RuntimeError, match="Graphviz failed: no such plugin"):
        viz.draw(plain_graph(), engine="dot")


def test_wrong_use_is_a_sentence(tmp_path, capsys):
    with pytest.raises(ValueError, match='engine must be "lanes" or "dot", got \'neato\''):
        viz.draw(plain_graph(), engine="neato")
    command = ["draw", "rnn", "--engine", "dot", "--chart", "river", "-o", str(tmp_path / "x.svg")]
    assert main(command) == 2
    assert "--engine dot is for the net" in capsys.readouterr().err


@needs_graphviz
def test_the_command_draws_with_it(tmp_path):
    target = tmp_path / "x.svg"
    assert (
        main(["draw", "rnn", "--steps", "2", "--engine", "dot", "--level", "op", "--edges", "share", "-o", str(target)])
        == 0
    )
    ElementTree.parse(target)


def test_a_path_beside_keeps_its_distance():
    curves = [
        [(0.0, 0.0), (0.0, -30.0), (40.0, -30.0), (40.0, -60.0)],
        [(40.0, -60.0), (40.0, -90.0), (0, -90), (0, -120)],
    ]
    moved = dot._aside(curves, 5.0)
    assert moved[0][-1] == moved[1][0]
    there = [bezier(curve, at / 40) for curve in curves for at in range(41)]
    for curve in moved:
        for at in range(41):
            near = min(math.dist(bezier(curve, at / 40), point) for point in there)
            assert 3.9 < near < 6.1
