"""Shares on the edges: every drawn width is the flow's, and what comes into a box goes out of it."""

from __future__ import annotations

import io
import json
import math
import re
from collections import defaultdict
from functools import partial

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn
import viz
from viz.cli import main
from viz.figure import WRITERS, Figure
from viz.ink import Group, Shape
from viz.scene import WIDEST, Linear, Mark, Scene
from viz.words import plain

from .subjects import IN_TIME

NETS = {
    "rnn": rnn.RNN,
    "lstm": rnn.LSTM,
    "gru": rnn.GRU,
    "gru before": partial(rnn.GRU, reset="before"),
    "stacked": partial(rnn.LSTM, layers=2),
    "both ways": partial(rnn.LSTM, bidirectional=True),
}


def weight_of(reading: rnn.Reading, name: str = "weight_hh_l0") -> mg.Node:
    return reading.unrolled.model.parameters[name]


def signed(scene: Scene, mark: Mark | None) -> float:
    """The width an edge is drawn with, with the sign of its colour."""
    if mark is None or mark.state != "measured":
        return 0.0
    return math.copysign(scene.scale.width(mark.size), 1 if mark.bin == 0 else -1)


def widths(scene: Scene) -> tuple[dict[str, float], dict[str, float]]:
    """What comes into each box from its uses of states and weights, and what goes out of it, as drawn."""
    into, out = defaultdict(float), {}
    for edge in scene.edges:
        into[edge.target] += signed(scene, edge.mark)
        if edge.mark is not None and edge.mark.state != "cut":
            out[edge.source] = out.get(edge.source, 0.0) + signed(scene, edge.mark)
    for box in scene.boxes:
        into[box.id] += sum(signed(scene, tag.mark) for tag in box.tags)
    return into, out


@given(
    st.sampled_from(sorted(NETS)),
    st.text("abc", min_size=3, max_size=5).filter(lambda text: len(set(text)) > 1),
    st.sampled_from(("weight_hh_l0", "weight_ih_l0", "bias_hh_l0")),
    st.sampled_from(("cell", "op")),
    st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_drawn_widths_add_up_at_every_box_and_over_all_losses_and_all_uses(net, text, name, level, seed):
    reading = rnn.read(text, NETS[net], 3, rng=seed)
    scene = viz.draw(reading, flow=mg.flow(reading.loss, weight_of(reading, name)), level=level).scene
    into, out = widths(scene)
    size = sum(scene.scale.width(edge.mark.size) for edge in scene.edges if edge.mark)
    inner = [box.id for box in scene.boxes if box.id in out]
    assert len(inner) > 2 * len(text)
    for box in inner:
        assert into[box] == pytest.approx(out[box], abs=1e-11 * size), box
    whole = scene.scale.width(1.0) if scene.reference >= 1 else WIDEST / scene.reference
    ends = [box.id for box in scene.boxes if box.id not in out]
    assert sum(into[box] for box in ends) == pytest.approx(whole, abs=1e-11 * size)
    tags = [signed(scene, tag.mark) for box in scene.boxes for tag in box.tags]
    assert sum(tags) == pytest.approx(whole, abs=1e-11 * size)
    assert plain(scene.proof).startswith("✓")


@pytest.mark.parametrize("level", ["cell", "op"])
@pytest.mark.parametrize("name", sorted(IN_TIME))
def test_widths_add_up_in_nets_behind_nets_and_under_attention(name, level):
    scene = viz.draw(IN_TIME[name](), edges="share", level=level).scene
    into, out = widths(scene)
    gap = any(column.kind == "gap" for column in scene.columns)
    checked = [box for box in scene.boxes if box.id in out and not (gap and box.role in ("state", "bus"))]
    assert checked
    for box in checked:
        assert into[box.id] == pytest.approx(out[box.id], abs=1e-11 * WIDEST * len(scene.edges)), box.id


@pytest.mark.parametrize("level", ["cell", "op"])
def test_a_drawn_edge_carries_the_exact_share_of_the_paths_over_its_uses(level):
    """Against `through`, which sums those paths in a sweep of its own; no path takes two uses of one drawn edge."""
    reading = rnn.read("hel", rnn.LSTM, 3)
    flow = mg.flow(reading.loss, weight_of(reading))
    figure = viz.draw(reading, flow=flow, level=level)
    checked = 0
    for edge in figure.scene.edges:
        uses = [use for use in figure.behind.uses[edge.id] if use in flow.edge_shares]
        assert (edge.mark is None) == (not uses), edge.id
        if uses:
            assert edge.mark.share == pytest.approx(flow.through(uses).share, abs=1e-13), edge.id
            checked += 1
    assert checked > 30
    for box in figure.scene.boxes:
        for tag in box.tags:
            shares = [use.share for use in flow.uses if use.edge in figure.behind.uses[tag.id]]
            assert (tag.mark.share if tag.mark else None) == pytest.approx(sum(shares) if shares else None, abs=1e-13)


def inked(items, part: str) -> list[tuple[str, float | None]]:
    """Style of the gradient and width of its line, of what is drawn of `part`."""
    found = []
    for item in items:
        if isinstance(item, Group):
            inside = item.items if item.part == part else ()
            for inner in inside:
                if isinstance(inner, Group):
                    found += [(inner.style, s.width) for s in inner.items if isinstance(s, Shape) and s.style == "r"]
            found += inked(item.items, part)
    return found


def test_ink_is_as_wide_as_the_share_and_its_colour_is_the_sign():
    w = mg.parameter(2.0, name="w")
    with mg.scope("net", t=0):
        y = mg.exp(w * 0.0) * 3.0 * w - mg.sin(w * 0.0) - w
    figure = viz.draw(y, flow=mg.flow(y, w), edges="share", level="op")
    shares = {round(edge.mark.share, 9) for edge in figure.scene.edges if edge.mark}
    assert shares >= {1.5, 0.0}
    assert isinstance(figure.scene.scale, Linear)
    lines = [(edge.id, edge.mark) for edge in figure.scene.edges if edge.mark]
    lines += [(tag.id, tag.mark) for box in figure.scene.boxes for tag in box.tags]
    for part, mark in lines:
        if mark.state == "measured":
            ((style, wide),) = inked(figure.sheet.items, part)
            assert style == ("g0" if mark.share > 0 else "g4")
            assert wide == pytest.approx(WIDEST * abs(mark.share) / 1.5)
    tags = [tag for box in figure.scene.boxes for tag in box.tags]
    assert sorted(plain(tag.note) for tag in tags) == ["0", "0", "150 %", "−50 %"]
    assert {style for tag in tags for style, _ in inked(figure.sheet.items, tag.id)} == {"g0", "g4"}


def test_what_is_no_measure_is_drawn_by_state():
    reading = rnn.read("hello", rnn.LSTM)
    scene = viz.draw(reading, edges="share").scene
    edges = {(edge.source, edge.target): edge.mark for edge in scene.edges}
    column = {box.id: box for box in scene.boxes}
    assert all(mark is None for (source, _), mark in edges.items() if column[source].column == 0), (
        "no path from W to h_0"
    )
    forget = next(mark for (source, _), mark in edges.items() if source == ".lstm/l0/f@0")
    assert forget.state == "structural", "c_0 is 0, so f_1 cannot matter"
    uses = [tag for box in scene.boxes for tag in box.tags if plain(tag.label) == "W_hh"]
    assert [tag.mark.state for tag in uses] == ["zero", "measured", "measured", "measured"], "h_0 is 0"
    assert plain(uses[0].note) == "0"
    others = [tag for box in scene.boxes for tag in box.tags if plain(tag.label) != "W_hh"]
    assert all(tag.mark is None and not tag.note for tag in others)


def test_a_gradient_of_zero_has_no_shares_and_says_so():
    net = rnn.unroll(rnn.LSTM(3, 4, rng=0), np.ones((3, 1, 3)))
    loss = mg.sum(net.steps[-1].h * 0.0)
    figure = viz.draw(net, flow=mg.flow(loss, net.model.parameters["weight_hh_l0"]))
    states = {edge.mark.state for edge in figure.scene.edges if edge.mark}
    assert states == {"nonfinite"}
    assert "not defined" in plain(figure.scene.sentence)
    assert plain(figure.scene.proof).startswith("✗")
    assert "NaN" in figure.svg


def test_a_stopped_gradient_stays_cut():
    w = mg.parameter([[0.3, 0.2], [0.1, 0.4]], name="w")
    h = mg.parameter([[0.5, -0.5]], name="h")
    for t in range(3):
        with mg.scope("net", t=t):
            h = mg.tanh((mg.stop_gradient(h) if t == 2 else h) @ w).named("h")
    loss = mg.sum(h)
    scene = viz.draw(loss, flow=mg.flow(loss, w), level="op").scene
    assert [edge.mark.state for edge in scene.edges if edge.mark and edge.target.startswith(".net/stop")] == ["cut"]


def test_shares_without_a_flow_are_those_of_the_proof_s_weight():
    reading = rnn.read("hello", rnn.GRU)
    shown = viz.draw(reading, edges="share").scene
    assert shown == viz.draw(reading, flow=mg.flow(reading.loss, weight_of(reading))).scene
    assert shown.shows == "share"
    assert viz.draw(reading).scene.shows == "magnitude"
    kept = viz.draw(reading, flow=mg.flow(reading.loss, weight_of(reading)), edges="magnitude")
    assert kept.scene == viz.draw(reading).scene


def test_a_flow_may_have_another_target_sources_and_fed_inputs():
    reading = rnn.read("hello", rnn.LSTM)
    last = viz.draw(reading, flow=mg.flow(reading.losses[1], weight_of(reading, "weight_ih_l0"))).scene
    into, _ = widths(last)
    late = [box.id for box in last.boxes if box.column > 2]
    assert not any(into[box] for box in late), "nothing flows back from after the loss"
    assert {box.note for box in last.boxes if box.role == "loss"} == {
        box.note for box in viz.draw(reading).scene.boxes if box.role == "loss"
    }
    x, w = mg.input((3,), name="x"), mg.parameter([1.0, 2.0, 3.0], name="w")
    y = mg.sum(mg.tanh(w * x) * w)
    flow = mg.flow(y, [w, x], {x: [0.1, 0.2, 0.3]})
    scene = viz.draw(y, flow=flow).scene
    into, out = widths(scene)
    whole = scene.scale.width(1.0)
    sources = [out[box.id] for box in scene.boxes if box.role in ("parameter", "input")]
    assert sum(sources) == pytest.approx(whole)
    assert all(into[box.id] == pytest.approx(out[box.id]) for box in scene.boxes if box.role == "op" and box.id in out)
    assert all(math.isfinite(edge.mark.norm) for edge in scene.edges if edge.mark)
    assert "all sources" in plain(scene.norm)


def test_hidden_steps_keep_what_passes_them():
    """The arrow into a gap carries all paths over the state before it; what is drawn whole still balances."""
    reading = rnn.read("hello hello hello", rnn.LSTM, 3)
    flow = mg.flow(reading.loss, weight_of(reading))
    scene = viz.draw(reading, flow=flow, steps=4).scene
    gaps = [column.index for column in scene.columns if column.kind == "gap"]
    hidden = [box.id for box in scene.boxes if box.column in gaps]
    crossing = [edge for edge in scene.edges if edge.target in hidden]
    assert len(crossing) == 2 * len(gaps) > 0
    for edge in crossing:
        lane, t = edge.source.split(".state@")
        node = getattr(reading.unrolled.steps[int(t)], lane[-1])
        uses = [use for use in flow.edge_shares if use.argument is node and use.user.scope.get("t") == int(t) + 1]
        assert edge.mark.share == pytest.approx(sum(flow.edge_shares[use] for use in uses), abs=1e-14)
    assert "not drawn" in plain(scene.hidden)
    into, out = widths(scene)
    for box in (box for box in scene.boxes if box.id in out and box.id not in hidden):
        assert into[box.id] == pytest.approx(out[box.id], abs=1e-9)


def test_the_caption_says_share_and_which_lane_carries_it():
    scene = viz.draw(rnn.read("hello", rnn.LSTM), edges="share").scene
    assert "share of ∂L/∂W_hh" in plain(scene.subtitle)
    found = re.search(r"([\d.]+) % on c, ([\d.]+) % on h", plain(scene.sentence))
    assert float(found[1]) + float(found[2]) == pytest.approx(100, abs=1)
    stacked = viz.draw(rnn.read("hello", NETS["stacked"]), edges="share").scene
    assert "on h^1" in plain(stacked.sentence)
    assert "∂W_hh^0" in plain(stacked.norm)


def test_a_leak_is_noticed():
    reading = rnn.read("hello", rnn.LSTM)
    flow = mg.flow(reading.loss, weight_of(reading))
    edge = next(edge for edge in flow.edge_shares if edge.user.name == "h")
    flow.edge_shares[edge] += 1e-6
    assert plain(viz.draw(reading, flow=flow).scene.proof).startswith("✗")


def test_wrong_use_is_a_sentence():
    net = rnn.unroll(rnn.RNN(3, 4, rng=0), np.ones((3, 1, 3)))
    with pytest.raises(ValueError, match="there is none; give a flow"):
        viz.draw(net, edges="share")
    with pytest.raises(ValueError, match='edges must be "magnitude" or "share"'):
        viz.draw(net, edges="width")
    w = mg.parameter(1.0, name="w")
    with pytest.raises(ValueError, match="of another graph"):
        viz.draw(net, flow=mg.flow(w * w, w))


@pytest.mark.parametrize("level", ["cell", "op"])
def test_every_format_holds_the_shares(level):
    figure = viz.draw(rnn.read("hello", rnn.LSTM), edges="share", level=level)
    shares = sorted(edge.mark.share for edge in figure.scene.edges if edge.mark)
    tags = sorted(tag.mark.share for box in figure.scene.boxes for tag in box.tags if tag.mark)
    scene = json.loads(WRITERS[".json"](figure))["scene"]
    assert scene["shows"] == "share"
    assert sorted(edge["mark"]["share"] for edge in scene["edges"] if edge["mark"]) == shares
    assert sorted(tag["mark"]["share"] for box in scene["boxes"] for tag in box["tags"] if tag["mark"]) == tags
    graph = nx.read_graphml(io.BytesIO(WRITERS[".graphml"](figure)), force_multigraph=True)
    kinds = defaultdict(list)
    for *_, data in graph.edges(data=True):
        kinds[data["kind"]] += [data["share"]] if "share" in data else []
    assert sorted(kinds["forward"]) == shares
    assert sorted(kinds["use"]) == tags
    dot = WRITERS[".dot"](figure).decode()
    largest = max(edge.mark.size for edge in figure.scene.edges if edge.mark)
    assert f"penwidth={figure.scene.scale.width(largest):.2f}" in dot
    assert "W_hh 43 %" in dot
    assert "share of" in figure.svg
    assert "share of" in WRITERS[".tex"](figure).decode()


def test_shares_have_a_ruler_of_round_values():
    assert Linear(0.52).ruler() == pytest.approx((0.5, 0.2, 0.1))
    assert Linear(1.0).ruler() == pytest.approx((1.0, 0.5, 0.2))
    assert Linear(0.0).ruler() == ()
    assert Linear(2.0).width(1.0) == WIDEST / 2
    assert Linear(2.0).below(Linear(2.0).least * 0.99)


def test_the_inspector_shows_shares_at_both_levels():
    page = viz.draw(rnn.read("hello", rnn.GRU), edges="share").html
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    for view in data["views"]:
        scale = max(abs(edge["share"]) for edge in view["edges"] if "share" in edge)
        wide = [edge for edge in view["edges"] if "width" in edge]
        assert len(wide) > 30
        for edge in wide:
            assert edge["width"] == pytest.approx(WIDEST * abs(edge["share"]) / scale, abs=0.06)
            assert edge["style"] in ("g0", "g4", "below")
    bundles = [bundle for bundle in data["views"][1]["bundles"].values() if "width" in bundle]
    assert any(bundle["edges"] > 1 for bundle in bundles)
    for bundle in bundles:
        assert bundle["width"] == pytest.approx(WIDEST * abs(bundle["share"]) / scale, abs=0.06)
    chosen = viz.inspect(rnn.read("hello", rnn.LSTM), edges="share")
    assert chosen.scene.shows == "share"


def test_compared_figures_share_one_scale_of_shares():
    drawn = {cell.__name__: viz.draw(rnn.read("hello", cell), edges="share") for cell in (rnn.RNN, rnn.LSTM)}
    parts = viz.compare(drawn).scene.parts
    assert len({part.reference for part in parts}) == 1
    assert len(viz.frames(drawn["LSTM"])) > 2
    with pytest.raises(ValueError, match="compare: "):
        viz.compare([drawn["LSTM"], viz.draw(rnn.read("hello", rnn.LSTM))])


def test_the_command_draws_shares(tmp_path, capsys):
    target = tmp_path / "x.json"
    assert main(["draw", "lstm", "--edges", "share", "-o", str(target)]) == 0
    assert json.loads(target.read_text())["scene"]["shows"] == "share"
    assert main(["draw", "lstm", "--edges", "share", "--chart", "river", "-o", str(target)]) == 2
    assert "a river has no edges" in capsys.readouterr().err
    assert main(["inspect", "rnn", "--edges", "share", "-o", str(tmp_path / "x.html")]) == 0


def test_same_flow_same_bytes():
    def made() -> Figure:
        return viz.draw(rnn.read("hello", rnn.GRU), edges="share")

    assert made().svg == made().svg
