"""The SVG: well-formed, described, escaped, the same bytes every time."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
import rnn
import viz
from viz.figure import Figure
from viz.layout.stamp import Word
from viz.svg import num, text, word
from viz.theme import THEMES
from viz.words import Run, clean, plain

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ("</script><b>&", "]]>", "\"'", "\x00\x1f\x7f", "\ud800", "\ufffe", "\u202eevil", "🙂" * 3, "x" * 10_000)


@pytest.fixture(scope="module")
def figure() -> Figure:
    return viz.draw(rnn.read("hello", rnn.LSTM))


def test_is_well_formed_and_described(figure):
    root = ElementTree.fromstring(figure.svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert "width" not in root.attrib
    assert "height" not in root.attrib
    titles = {element.get("id"): element.text for element in root if element.tag in (f"{SVG}title", f"{SVG}desc")}
    assert set(root.get("aria-labelledby").split()) == set(titles)
    assert all(titles.values())


@pytest.mark.parametrize("level", ["cell", "op"])
def test_every_box_edge_tag_and_parameter_has_its_own_title(level):
    figure = viz.draw(rnn.read("hello", rnn.LSTM), level=level)
    titles = [element.text for element in ElementTree.fromstring(figure.svg).iter(f"{SVG}title")]
    scene = figure.scene
    tags = sum(len(box.tags) for box in scene.boxes)
    frames = len(figure.picture.body.frames)
    legend = sum(sample.kind == "parameter" for sample in figure.picture.samples)
    assert len(titles) == 1 + len(scene.boxes) + len(scene.edges) + tags + len(scene.dock) + frames + legend
    for box in scene.boxes:
        assert box.title in titles
    for edge in scene.edges:
        assert edge.title in titles


def test_ids_differ_between_figures_and_are_used_by_every_rule(figure):
    other = viz.draw(rnn.read("hello", rnn.LSTM, rng=1))
    ids = [set(re.findall(r'id="([^"]+)"', shown.svg)) for shown in (figure, other)]
    assert not ids[0] & ids[1]
    root = ElementTree.fromstring(figure.svg)
    style = root.find(f"{SVG}style").text
    for rule in style.strip().splitlines():
        assert rule.startswith((f"#{root.get('id')} ", f"#{root.get('id')}{{", "@media")), rule


def test_same_bytes_whatever_the_hash_seed_and_in_one_process():
    code = (
        "import rnn, sys, viz\n"
        "for level in ('cell', 'op'):\n"
        "    for cell in (rnn.LSTM, rnn.RNN):\n"
        "        sys.stdout.buffer.write(viz.draw(rnn.read('hello', cell), level=level).svg.encode())\n"
    )
    shown = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "271828")
    ]
    assert shown[0]
    assert shown[0] == shown[1]
    here = [viz.draw(rnn.read("hello", rnn.LSTM)).svg for _ in range(2)]
    assert here[0] == here[1]


@pytest.mark.parametrize("theme", THEMES)
def test_every_theme_is_well_formed_and_names_no_unknown_colour(theme):
    svg = viz.draw(rnn.read("hi", rnn.RNN), theme=theme).svg
    ElementTree.fromstring(svg)
    assert "$" not in svg
    used, defined = set(re.findall(r"var\(--([\w-]+)\)", svg)), set(re.findall(r"--([\w-]+):", svg))
    assert used <= defined
    assert ("@media" in svg) == (theme == "auto")


def test_numbers_in_paths_are_plain(figure):
    for value in re.findall(r' (?:d|x|y|cx|cy|r|width|height|viewBox)="([^"]*)"', figure.svg):
        assert not re.search(r"e[-+]?\d|nan|inf|(?<!\d)-0(?![.\d])", value), value


@given(st.floats(-1e6, 1e6))
def test_coordinates_round_trip_to_a_tenth(value):
    shown = num(value)
    assert abs(float(shown) - value) <= 0.0501
    assert shown != "-0"
    assert "e" not in shown


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_is_escaped_into_well_formed_xml(words):
    shown = ElementTree.fromstring(f'<a b="{text(words)}">{text(words)}</a>')
    normal = clean(words).replace("\r\n", "\n").replace("\r", "\n")
    assert (shown.text or "") == normal
    assert "\x00" not in text(words)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name):
    x = mg.parameter([[1.0, 2.0]], name=name)
    h = mg.constant([[0.0, 0.0]])
    for t in range(3):
        with mg.scope(name or "cell", t=t):
            h = mg.tanh(h @ mg.parameter([[1.0, 0.0], [0.5, 1.0]], name=name) + x).named(name)
    loss = mg.sum(h)
    for level in ("cell", "op"):
        svg = viz.draw(loss, level=level).svg
        root = ElementTree.fromstring(svg)
        assert not list(root.iter(f"{SVG}script"))
        assert not list(root.iter(f"{SVG}b"))
        assert max(len(element.text or "") for element in root.iter(f"{SVG}text")) < 140


@given(st.text(st.characters(exclude_categories=()), min_size=2, max_size=5))
def test_any_text_can_be_read_and_drawn(words):
    figure = viz.draw(rnn.read(words, rnn.RNN, 2))
    ElementTree.fromstring(figure.svg)


def test_scene_title_with_markup_is_text(figure):
    scene = dataclasses.replace(figure.scene, title=(viz.words.Run("<script>alert(1)</script>"),))
    root = ElementTree.fromstring(Figure(scene).svg)
    assert not list(root.iter(f"{SVG}script"))
    assert root.find(f"{SVG}title").text == "<script>alert(1)</script>"


RUNS = st.lists(
    st.builds(Run, st.text(" \N{NO-BREAK SPACE}ab", min_size=1, max_size=4), st.sampled_from(["", "sub", "sup"])),
    min_size=1,
    max_size=5,
)


@given(RUNS)
def test_spaces_stand_between_tspans_where_no_renderer_drops_them(runs):
    """Some renderers drop spaces at the ends of a tspan, no-break spaces too: L₁ + L₂ must not become L₁+ L₂."""
    element = ElementTree.fromstring(word(Word(tuple(runs), 0.0, 0.0, 14.0)))
    assert "".join(element.itertext()) == "".join(run.text for run in runs)
    for part in element.iter("tspan"):
        assert (part.text or "") == (part.text or "").strip(" \N{NO-BREAK SPACE}")


def test_the_legend_names_the_glyphs_that_are_there():
    """A filled box with weights is an affine map, in a cell or behind it; not all of them make logits."""
    net = rnn.unroll(rnn.RNN(3, 4, rng=0), np.ones((2, 1, 3)))
    words = {plain(item.text) for item in viz.draw(mg.sum(net.steps[-1].h)).picture.words}
    assert "affine" in words
    assert not any("logits" in said for said in words)
