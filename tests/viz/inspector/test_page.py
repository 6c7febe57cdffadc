"""The page as bytes: one file, nothing from elsewhere, the engine's numbers, and texts that stay texts."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn
import viz
from viz import formula
from viz.inspector import document
from viz.inspector.facts import digits
from viz.words import plain

HOSTILE = (
    "</script><script>alert(1)</script>",
    "</SCRIPT >",
    "<!--<script>",
    "]]>",
    "</title></style></svg><img src=x onerror=alert(1)>",
    "\"'`&quot;&#0;",
    "' onclick='alert(1)",
    "\u202eevil\u2066",
    "\u2028\u2029",
    "\x00\x01\x7f\r\n",
    "\ud800",
    "\ufffe",
    "🙂👩‍👩‍👧 مرحبا",
    "NaN",
    "__proto__",
    "x" * 10_000,
)
anything = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(HOSTILE)

_TAGS = """
html head meta title style body h1 h2 p header footer main section aside div span button input output dialog
dl form noscript script svg desc g path rect circle text tspan
"""
TAGS = frozenset(_TAGS.split())
_ATTRIBUTES = """
lang charset http-equiv content name id class hidden role tabindex type for method placeholder autocomplete
spellcheck min step xmlns viewbox transform d x y width height rx cx cy r font-size stroke-width dy data-view
data-box data-edge data-tag data-cell data-words title
"""
ATTRIBUTES = frozenset(_ATTRIBUTES.split())


class Reader(HTMLParser):
    """What a page consists of."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.inside = ""
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in self.raw:
            self.inside = tag
            self.raw[tag].append("")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside:
            self.raw[self.inside][-1] += data
        else:
            self.text.append(data)

    @property
    def data(self):
        return json.loads(self.raw["script"][0])

    @property
    def policy(self) -> str:
        return next(attrs["content"] for _, attrs in self.tags if attrs.get("http-equiv"))


@pytest.fixture(scope="module")
def reading() -> rnn.Reading:
    return rnn.read("hello", rnn.LSTM)


@pytest.fixture(scope="module")
def lstm(reading) -> str:
    return viz.inspect(reading).html


def named(*names: str) -> mg.Node:
    """A small net in which everything is called one of `names`."""
    called = iter(names * 9)
    w = mg.parameter([[0.5]], name=next(called))
    h = mg.parameter([[0.1]], name=next(called))
    losses = []
    for t in range(2):
        with mg.scope(next(called), t=t):
            h = mg.tanh(h @ w).named(next(called))
            losses.append(mg.sum(h * h).named(next(called)))
    return mg.ops.add_n(*losses)


def check_shape(html: str) -> Reader:
    """Nothing in the page but what the page itself is made of."""
    found = Reader(html)
    assert {tag for tag, _ in found.tags} <= TAGS
    for tag, attributes in found.tags:
        unknown = {name for name in attributes if not name.startswith("aria-")} - ATTRIBUTES
        assert not unknown, (tag, unknown)
    assert [attributes.get("type") for tag, attributes in found.tags if tag == "script"] == ["application/json", None]
    assert found.raw["script"][1].startswith('(() => {\n"use strict";')
    return found


def test_the_page_is_one_file_that_asks_for_nothing(lstm):
    found = check_shape(lstm)
    assert "default-src 'none'" in found.policy
    assert "unsafe" not in found.policy
    assert not re.search(
        r"https?:|//|@import|url\(", re.sub(r'xmlns="http://www.w3.org/2000/svg"', "", lstm.split("<script")[0])
    )


def test_the_policy_lets_this_script_and_these_styles_run_and_nothing_else(lstm):
    found = Reader(lstm)

    def hashed(source):
        return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"

    scripts = re.search(r"script-src ([^;]*)", found.policy)[1].split()
    styles = re.search(r"style-src ([^;]*)", found.policy)[1].split()
    assert scripts == [hashed(found.raw["script"][1])]
    assert set(styles) == {hashed(style) for style in found.raw["style"]}
    assert not any("style" in attributes for _, attributes in found.tags)


def test_the_scripts_ask_for_no_network():
    script = document._script()
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import|innerHTML|eval)\b", script)
    assert set(re.findall(r"https?://[^\"' ]+", script)) == {"http://www.w3.org/2000/svg"}


@settings(max_examples=25)
@given(st.lists(anything, min_size=1, max_size=4))
@example(["__proto__", "constructor"])
def test_no_text_of_a_user_becomes_anything_else(names):
    found = check_shape(viz.inspect(named(*names)).html)
    called = {node["called"] for node in found.data["nodes"] if "called" in node}
    assert len(called) <= len(set(names))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_read_by_a_net(text):
    reading = rnn.read("a" + text[:20] + "b", rnn.RNN, 2)
    check_shape(viz.inspect(reading).html)


def test_escapes_what_could_end_the_data():
    written = document.embedded({"a": "</script><!--&\u2028\u2029\ud800"})
    assert not re.search("[<>&\u2028\u2029\ud800]", written)
    assert json.loads(written) == {"a": "</script><!--&\u2028\u2029\ud800"}


def test_numbers_that_are_none_are_told_in_words():
    x = mg.parameter([0.0, 1.0], name="x")
    with np.errstate(all="ignore"):
        html = viz.inspect(mg.sum(mg.log(x) * x)).html
    data = Reader(html).data
    (log,) = [node for node in data["nodes"] if node["op"] == "log"]
    assert log["value"]["first"] == ["-∞", 0]
    assert log["value"]["odd"] == 1
    assert "NaN" in json.dumps(data)


def test_every_number_is_the_engines(reading, lstm):
    data = Reader(lstm).data
    run, sweep = mg.run(reading.loss), mg.backprop(reading.loss)
    gradients = mg.run([*sweep.adjoints.values(), *sweep.contributions.values()])
    flow = mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])
    step = reading.unrolled.steps[2]
    for node in (step.h, step.c, step.f, step.i, reading.losses[1]):
        (told,) = [t for t in data["nodes"] if t.get("called") == node.name and t["scope"] == str(node.scope)]
        assert told["value"]["norm"] == pytest.approx(float(np.linalg.norm(run[node])), rel=1e-3)
        adjoint = gradients[sweep.adjoints[node]]
        assert told["adjoint"]["first"] == [digits(float(entry)) for entry in adjoint.ravel()]
        for slot, edge in enumerate(told["into"]):
            use = mg.Edge(node, slot)
            if use in sweep.contributions:
                sent = gradients[sweep.contributions[use]]
                assert edge["norm"] == pytest.approx(float(np.linalg.norm(sent)), rel=1e-3)
                assert edge["share"] == pytest.approx(flow.edge_shares[use], rel=1e-3, abs=1e-15)
            else:
                assert "norm" not in edge


@pytest.mark.parametrize("cell", [rnn.LSTM, rnn.GRU])
def test_a_closed_cell_keeps_the_summed_flow_of_its_border(cell):
    reading = rnn.read("hello", cell, 4)
    h = reading.unrolled.steps[1].h
    sweep = mg.backprop(reading.loss)
    inside = [use for use in sweep.uses(h) if use.user.scope.get("t") == 2]
    terms = mg.run([sweep.contributions[use] for use in inside])
    summed = float(np.linalg.norm(sum(terms[sweep.contributions[use]] for use in inside)))
    for view in Reader(viz.inspect(reading).html).data["views"]:
        shut = next(place for place, cell in enumerate(view["cells"]) if cell["t"] == "t = 3")
        (state,) = [place for place, box in enumerate(view["boxes"]) if (box["role"], box["label"]) == ("state", "h_2")]
        bundle = view["bundles"][f"{state}>c{shut}"]
        assert bundle["norm"] == pytest.approx(summed, rel=1e-3)
        assert bundle["edges"] == (2 if cell is rnn.GRU and view["level"] == "op" else 1)


@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM, rnn.GRU])
@pytest.mark.parametrize(("layers", "both"), [(1, True), (2, False), (2, True)])
def test_stacked_and_bidirectional_nets_can_be_inspected(cell, layers, both):
    """Also where a level has no place for some of the states: what is not drawn is not on the page either."""
    reading = rnn.read("hel", functools.partial(cell, layers=layers, bidirectional=both), 2)
    for view in Reader(viz.inspect(reading).html).data["views"]:
        assert sorted(view["order"]) == list(range(len(view["order"])))
        assert {edge[end] for edge in view["edges"] for end in ("from", "to")} <= set(view["order"])
        assert {cell["steps"] for cell in view["cells"]} == {2}
    table = Reader(viz.inspect(reading).html).data["flow"]["table"]
    assert np.shape(table["share"]) == (2, 2)


def test_both_levels_show_the_steps_that_were_asked_for():
    for steps, shown in ((10, [10, 10]), (None, [5, 3])):
        data = Reader(viz.inspect(rnn.read("ab" * 5 + "a", rnn.RNN, 2), steps=steps).html).data
        assert [len({box["t"] for box in view["boxes"] if box["role"] == "input"}) for view in data["views"]] == shown


def test_names_are_those_of_the_figure():
    data = Reader(viz.inspect(rnn.read("hel", functools.partial(rnn.GRU, layers=2, bidirectional=True), 2)).html).data
    view = data["views"][0]
    states = [box for box in view["boxes"] if box["role"] == "state" and box["label"] not in ("h_3^←0", "h_3^←1")]
    assert len(states) == 10
    for box in states:
        (node,) = box["nodes"]
        name = data["nodes"][node]["name"]
        text = "".join(p if isinstance(p, str) else ("_" if p[1] == 1 else "^") + p[0] for p in name)
        assert text == box["label"]
    assert ["h", ["0", 2]] in [gate["name"] for gate in data["flow"]["gates"]]
    assert data["flow"]["source"] == ["W", ["hh", 1], ["0", 2]]


@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM, rnn.GRU])
def test_what_flows_into_a_node_flows_out(cell):
    """Shares and sizes of the uses, shown or not, are the engine's, and the shares are conserved."""
    reading = rnn.read("hello", cell, 3)
    data = Reader(viz.inspect(reading, steps=3).html).data
    nodes, checked, unseen = data["nodes"], 0, 0
    for node in nodes:
        uses = [use if "slot" not in use else nodes[use["node"]]["into"][use["slot"]] for use in node["out"]]
        unseen += sum("slot" not in use for use in node["out"])
        into = [edge["share"] for edge in node["into"] if "share" in edge]
        out = [use["share"] for use in uses if "share" in use]
        if into:
            checked += 1
            assert sum(out) == pytest.approx(sum(into), rel=1e-2, abs=1e-3 * sum(map(abs, into + out)))
    assert checked > 20
    assert unseen > 0
    (weight,) = [node for node in nodes if node.get("called") == "weight_hh_l0"]
    assert len(weight["out"]) == 4


@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM, rnn.GRU])
def test_shares_of_lags_gates_and_paths_are_those_of_the_flow(cell):
    """By ways of their own: a lag is the class of paths that cross so many borders between steps."""
    reading = rnn.read("hello", cell, 3)
    told = Reader(viz.inspect(reading).html).data["flow"]
    flow = mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])

    def crosses(edge):
        times = [node.scope.get("t") for node in (edge.argument, edge.user)]
        return None not in times and times[0] != times[1]

    lags = flow.classes(crosses)
    assert [lag["lag"] for lag in told["lags"]] == sorted(lags)
    for lag in told["lags"]:
        assert lag["share"] == pytest.approx(lags[lag["lag"]].share, rel=1e-3, abs=1e-12)
    assert sum(lag["share"] for lag in told["lags"]) == pytest.approx(1, abs=1e-3)
    named = {gate["name"]: gate for gate in told["gates"]}
    for name in {"lstm": "ifgo", "gru": "rzn", "rnn": "h"}[cell.__name__.lower()]:
        nodes = [getattr(step, name) for step in reading.unrolled.steps]
        assert named[name]["share"] == pytest.approx(flow.through(nodes).share, rel=1e-3, abs=1e-12)
        assert named[name]["share"] == pytest.approx(1 - flow.avoiding(nodes).share, rel=1e-3, abs=1e-3)
    for path, found in zip(told["paths"], flow.top(len(told["paths"])).paths, strict=True):
        assert path["share"] == pytest.approx(found.share, rel=1e-3)


def test_paths_that_share_their_names_are_told_apart():
    w = mg.parameter([1.0, 2.0], name="w")
    data = Reader(viz.inspect(mg.sum(mg.tanh(w * 0.1) * w).named("y")).html).data
    words = ["".join(map(str, path["words"])) for path in data["flow"]["paths"]]
    assert len(set(words)) == len(words) == 2
    assert not data["flow"]["long"]


def test_the_order_is_that_of_the_computation(lstm):
    for view in Reader(lstm).data["views"]:
        turn = {box: place for place, box in enumerate(view["order"])}
        assert sorted(turn) == list(range(len(turn)))
        assert all(turn[edge["from"]] < turn[edge["to"]] for edge in view["edges"])


def test_same_bytes_whatever_the_hash_seed():
    program = "import sys, rnn, viz; sys.stdout.buffer.write(viz.inspect(rnn.read('hello', rnn.LSTM, 2)).html.encode())"
    pages = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert pages[0] == pages[1]


def test_drawn_figures_are_saved_as_inspectors_too(reading, tmp_path):
    found = check_shape(viz.draw(reading).save(tmp_path / "x.html").read_text(encoding="utf-8"))
    assert [view["level"] for view in found.data["views"]] == ["cell", "op"]
    assert (
        found.data["flow"]["all"]
        == f"{mg.flow(reading.loss, reading.unrolled.model.parameters['weight_hh_l0']).count():,}"
    )


def test_a_scene_without_its_graph_is_a_page_to_pan(reading):
    found = check_shape(viz.Figure(viz.draw(reading).scene).html)
    assert found.data["views"][0]["boxes"] == []


def test_a_flow_of_another_source_can_be_given(reading):
    source = reading.unrolled.model.parameters["bias_ih_l0"]
    data = Reader(viz.inspect(reading, flow=mg.flow(reading.loss, source)).html).data
    assert data["flow"]["source"] == ["b", ["ih", 1]]
    shares = np.array(data["flow"]["table"]["share"], float)
    assert shares.sum() == pytest.approx(1, abs=1e-2)


def test_an_unrolled_net_without_a_loss_has_no_gradient(reading):
    data = Reader(viz.inspect(reading.unrolled).html).data
    assert data["flow"] is None
    assert not any("adjoint" in node for node in data["nodes"])


def test_a_gradient_that_is_given_is_shown_of_a_net_without_a_loss(reading):
    flow = mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])
    assert Reader(viz.inspect(reading.unrolled, flow=flow).html).data["flow"] is not None


def test_long_sequences_stay_small():
    html = viz.inspect(rnn.read("ab" * 18, rnn.RNN, 2)).html
    assert len(html) < 400_000
    assert not Reader(html).data["flow"]["table"]["lit"]
    html = viz.inspect(rnn.read("ab" * 60, rnn.RNN, 2)).html
    assert len(html) < 400_000
    assert "table" not in Reader(html).data["flow"]
    assert Reader(html).data["flow"]["long"]


def test_refuses_a_level_that_does_not_exist(reading):
    with pytest.raises(ValueError, match="level must be one of cell, op, rolled, open, got"):
        viz.inspect(reading, level="atom")


@pytest.mark.parametrize(
    ("build", "slot", "local", "sends"),
    [
        (lambda x, y: mg.tanh(x), 0, "sech²(x)", "D ⊙ sech²(x)"),
        (lambda x, y: mg.sigmoid(x), 0, "σ′(x)", "D ⊙ σ′(x)"),
        (lambda x, y: x * y, 1, "x", "D ⊙ x"),
        (lambda x, y: x - y, 1, "-1", "−D"),
        (lambda x, y: x @ y, 0, "", "D · y^T"),
        (lambda x, y: x @ y, 1, "", "x^T · D"),
        (lambda x, y: x.T, 0, "", "D^T"),
        (lambda x, y: x / y, 0, "1 / y", "D ⊙ 1 / y"),
    ],
)
def test_the_maths_of_an_edge(build, slot, local, sends):
    x, y = mg.parameter(np.eye(2), name="x"), mg.parameter(np.eye(2), name="y")
    node = build(x, y)
    assert plain(formula.local(node, slot)) == local
    assert plain(formula.sends(node, slot, (formula.Run("D"),))) == sends
