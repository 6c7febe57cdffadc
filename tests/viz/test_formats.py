"""Every format, read back by a parser of its own: complete, the same bytes again, and no text of a user breaks out."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn
import viz
from viz import formats, tikz
from viz.cli import main
from viz.figure import WRITERS, Figure, MissingExtra, UnsupportedFormat
from viz.words import Run, clean

TEXTUAL = (".svg", ".json", ".dot", ".graphml", ".tex")
HOSTILE = (
    "</script><b>&",
    "]]><!--",
    "&lt;&#0;%s",
    "\"'`",
    "<b>x</b>",
    "<>",
    '"];evil[label="',
    "\\",
    '\\"',
    "\\N\\G\\l",
    "^^5cinput{/etc/passwd}%",
    "\\write18{ls}}{{$&#^_~%",
    "--,,<<>>?`",
    "\x00\x01\x1b\x7f\x85",
    "\r\n\t",
    "\ud800",
    "\udfff\ud800",
    "\ufffe",
    "\u202eevil\u2066",
    "مرحبا",
    "🙂👩‍👩‍👧",
    "é\u0301ß",
    "NaN",
    "x" * 10_000,
)
anything = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(HOSTILE)


@pytest.fixture(scope="module")
def lstm() -> Figure:
    return viz.draw(rnn.read("hello", rnn.LSTM))


def renamed(text: str) -> Figure:
    """A small figure in which every word is `text`."""
    words, scene = (Run(text), Run(text, "sub")), viz.draw(rnn.read("hi", rnn.RNN, 2)).scene

    def rewritten(part):
        tags = {"tags": tuple(map(rewritten, part.tags))} if hasattr(part, "tags") else {}
        named = {"label": words, "title": text, "note": words, "header": words, "shape": text}
        known = {field.name for field in dataclasses.fields(part)}
        return dataclasses.replace(part, **{k: v for k, v in named.items() if k in known}, **tags)

    parts = {name: tuple(map(rewritten, getattr(scene, name))) for name in ("columns", "lanes", "cells", "boxes")}
    parts |= {name: tuple(map(rewritten, getattr(scene, name))) for name in ("edges", "dock")}
    heads = dict.fromkeys(("title", "subtitle", "sentence", "proof", "note"), words)
    return Figure(dataclasses.replace(scene, **parts, **heads))


def written(figure: Figure, ending: str) -> str:
    return WRITERS[ending](figure).decode("utf-8")


def refuse(constant: str):
    raise AssertionError(f"{constant} is not JSON")


DOT = re.compile(r'\s+|(?P<token>"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?[\d.]+|->|[{}\[\]=;,])', re.DOTALL)


def dot_tokens(source: str) -> list[str]:
    place, tokens = 0, []
    while place < len(source):
        found = DOT.match(source, place)
        assert found, f"not DOT: {source[place : place + 40]!r}"
        tokens += [found["token"]] if found["token"] else []
        place = found.end()
    return tokens


TEX = re.compile(r"\\(?:[A-Za-z]+|.)|[{}$&#^_~%]|[^\\{}$&#^_~%]+", re.DOTALL)
CHARACTERS = {f"\\{c}" for c in "{}$&#%_'`^~=.\""} | {f"\\{c}" for c in ("u", "r", "H", "v", "c", "k", "minigradchar")}
CHARACTERS |= {"\\ensuremath", "\\textsubscript", "\\textsuperscript", "\\|"}
for known in (*tikz._SPECIAL.values(), *tikz._MATH.values()):
    CHARACTERS |= set(re.findall(r"\\[A-Za-z]+", known))


def tex_is_harmless(text: str) -> None:
    """No active character, no command but those that print one, groups closed, one line."""
    depth = 0
    for token in TEX.findall(text):
        assert token[0] != "\\" or token in CHARACTERS, token
        assert token not in ("$", "&", "#", "^", "_", "%"), token
        depth += (token == "{") - (token == "}")
        assert depth >= 0
    assert depth == 0
    assert text.isascii()
    assert text.isprintable()


def test_every_ending_is_written_and_nothing_else_is(lstm, tmp_path):
    pytest.importorskip("typst", reason="the images extra is not installed: pip install minigrad[images]")
    for ending in WRITERS:
        assert lstm.save(tmp_path / f"x{ending}") == tmp_path / f"x{ending}"
    assert {path.suffix for path in tmp_path.iterdir()} == set(WRITERS)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(UnsupportedFormat, match=rf"\.bmp; choose one of {', '.join(WRITERS)}$"):
        lstm.save(tmp_path / "x.bmp")
    with pytest.raises(UnsupportedFormat, match="without an ending"):
        lstm.save(tmp_path / "x")


def test_the_ending_may_be_written_in_capitals(lstm, tmp_path):
    ElementTree.parse(lstm.save(tmp_path / "X.SVG"))


@pytest.mark.parametrize("ending", [".png", ".pdf"])
def test_images_are_the_same_bytes_again_and_without_the_extra_an_error_tells_the_remedy(lstm, ending, monkeypatch):
    pytest.importorskip("typst", reason="the images extra is not installed: pip install minigrad[images]")
    assert WRITERS[ending](lstm) == WRITERS[ending](Figure(lstm.scene))
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(MissingExtra, match=rf"{ending}.*pip install 'minigrad\[images\]'"):
        WRITERS[ending](lstm)


def test_an_image_shows_what_the_figure_shows(lstm):
    """The picture has the figure's proportions, and hides nothing: it is not blank and not black."""
    pytest.importorskip("typst", reason="the images extra is not installed: pip install minigrad[images]")
    data = WRITERS[".png"](lstm)
    wide, high = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    assert wide / high == pytest.approx(lstm.sheet.width / lstm.sheet.height, rel=0.01)
    assert len(data) > 50_000
    assert b"var(" not in formats.svg.render(lstm.sheet, variables=False).encode()


@pytest.mark.parametrize("ending", TEXTUAL)
@pytest.mark.parametrize("theme", ["light", "dark", "auto", "print"])
def test_text_formats_are_the_same_bytes_again_in_every_theme(lstm, ending, theme):
    assert written(Figure(lstm.scene, theme), ending) == written(Figure(lstm.scene, theme), ending)


def test_json_holds_the_scene(lstm):
    found = json.loads(written(lstm, ".json"), parse_constant=refuse)
    assert (found["format"], found["kind"], found["theme"]) == ("minigrad figure 1", "lanes", "light")
    assert found["scene"] == json.loads(lstm.scene.to_json())
    assert [edge["mark"] and edge["mark"]["norm"] for edge in found["scene"]["edges"]] == [
        edge.mark and edge.mark.norm for edge in lstm.scene.edges
    ]


def test_graphs_hold_every_box_edge_gradient_and_use(lstm):
    graph = nx.read_graphml(io.StringIO(written(lstm, ".graphml")), force_multigraph=True)
    scene = lstm.scene
    assert graph.number_of_nodes() == len(scene.boxes) + len(scene.dock)
    kinds = [data["kind"] for *_, data in graph.edges(data=True)]
    assert kinds.count("forward") == len(scene.edges)
    assert kinds.count("use") == sum(len(box.tags) for box in scene.boxes)
    norms = sorted(data["norm"] for *_, data in graph.edges(data=True) if "norm" in data)
    assert norms == sorted(edge.mark.norm for edge in scene.edges if edge.mark)
    arrows = dot_tokens(written(lstm, ".dot")).count("->")
    assert arrows == len(scene.edges) + sum(edge.mark is not None for edge in scene.edges)


def test_graphviz_keeps_the_places_of_the_picture(lstm):
    source = viz.to_graphviz(lstm).source
    places = [tuple(map(float, pair)) for pair in re.findall(r'pos="([\d.]+),([\d.]+)!"', source)]
    x, y = lstm.picture.origin
    wanted = [(spot.x, lstm.picture.height - spot.y) for _, spot in lstm.picture.dock]
    wanted += [(spot.x + x, lstm.picture.height - spot.y - y) for _, spot in lstm.picture.body.boxes]
    np.testing.assert_allclose(places, wanted, atol=0.01)


def test_numbers_that_are_none_are_written_by_name():
    x = mg.parameter([0.0], name="x")
    h = x
    for t in range(2):
        with mg.scope("cell", t=t):
            h = mg.log(h * x).named("h")
    with np.errstate(all="ignore"):
        figure = viz.draw(mg.sum(h))
    assert any(edge.mark and edge.mark.state == "nonfinite" for edge in figure.scene.edges)
    scene = json.loads(written(figure, ".json"), parse_constant=refuse)["scene"]
    assert {str(edge["mark"]["norm"]) for edge in scene["edges"] if edge["mark"]} & {"NaN", "Infinity"}
    ElementTree.fromstring(written(figure, ".svg"))
    nx.read_graphml(io.StringIO(written(figure, ".graphml")), force_multigraph=True)
    dot_tokens(written(figure, ".dot"))


@given(anything)
@example("\ud83d\ude42")
@settings(max_examples=40, deadline=None)
def test_no_text_breaks_out_of_any_format(text):
    figure, plain = renamed(text), renamed("x")
    root, harmless = (ElementTree.fromstring(shown.svg) for shown in (figure, plain))
    tags = {element.tag for element in root.iter()}
    assert tags <= {element.tag for element in harmless.iter()} | {"{http://www.w3.org/2000/svg}tspan"}
    json.loads(written(figure, ".json"), parse_constant=refuse).keys()
    written(figure, ".json").encode("ascii")
    graph = nx.read_graphml(io.StringIO(written(figure, ".graphml"), newline=""), force_multigraph=True)
    normal = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    assert {data.get("title") or "" for _, data in graph.nodes(data=True)} == {normal}
    tokens, expected = (dot_tokens(written(shown, ".dot")) for shown in (figure, plain))
    kinds = [["string" if token[0] == '"' else token for token in found] for found in (tokens, expected)]
    titles = [tokens[place + 2] for place, token in enumerate(tokens) if token == "tooltip"]
    assert len(titles) == sum(token == "tooltip" for token in expected)
    assert kinds[0].count(";") == kinds[1].count(";")
    assert kinds[0].count("->") == kinds[1].count("->")
    assert [token for token in kinds[0] if token in "{}[]="] == [token for token in kinds[1] if token in "{}[]="]


@given(anything)
@settings(deadline=None)
def test_no_text_is_more_than_text_in_tex(text):
    tex_is_harmless(tikz.latex(text))


@given(anything)
@settings(max_examples=15, deadline=None)
def test_tex_documents_have_the_same_statements_whatever_the_words(text):
    lines = written(renamed(text), ".tex").splitlines()
    expected = written(renamed("x"), ".tex").splitlines()
    for line in lines[: lines.index(r"\begin{document}")]:
        assert line.startswith(("%", "\\", "  \\"))
    starts = {line.split(" ")[0].split("[")[0] for line in expected}
    assert {line.split(" ")[0].split("[")[0] for line in lines} <= starts
    assert lines[-2:] == [r"\end{tikzpicture}", r"\end{document}"]


@pytest.mark.parametrize("name", HOSTILE)
def test_charts_of_hostile_names_stay_text(name):
    weight, states, losses = mg.parameter([[0.5]], name=name), [mg.constant([[1.0]])], []
    for t in range(3):
        with mg.scope(name or "cell", t=t):
            states.append(mg.tanh(states[-1] @ weight).named(name))
            losses.append(mg.sum(states[-1]).named(name))
    flow = mg.flow(mg.ops.add_n(*losses), weight)
    for figure in (viz.river(flow), viz.ledger(flow), viz.ledger(flow, {name: flow.through(weight)})):
        tags = {element.tag.split("}")[1] for element in ElementTree.fromstring(figure.svg).iter()}
        assert tags <= {"svg", "title", "desc", "style", "g", "rect", "path", "text", "tspan", "circle"}
        json.loads(written(figure, ".json"), parse_constant=refuse)
        body = written(figure, ".tex")
        assert body.isascii()
        for words in re.findall(r"\\selectfont\{\}(.*)\};$", body, re.MULTILINE):
            tex_is_harmless(words)


def test_json_keeps_pairs_and_replaces_halves():
    scene = dataclasses.replace(viz.draw(rnn.read("hi", rnn.RNN, 2)).scene, title=(Run("🙂\ud800\\ud800"),))
    found = json.loads(written(Figure(scene), ".json"))
    assert found["scene"]["title"][0]["text"] == "🙂\ufffd\\ud800"


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed; the tokenizer tests still run")
def test_pdflatex_accepts_hostile_names(tmp_path):
    scene = renamed("x").scene
    shown = tuple(
        dataclasses.replace(box, label=(Run(HOSTILE[i % (len(HOSTILE) - 1)]),)) for i, box in enumerate(scene.boxes * 4)
    )
    words = (Run("".join(HOSTILE[:-1])), Run("∂L/∂W ≤ 1 × 2 − 3, ½ “x” α→∞ xʸ c₀", "sup"))
    Figure(dataclasses.replace(scene, boxes=shown[: len(scene.boxes)], title=words)).save(tmp_path / "x.tex")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "x.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout.decode("latin-1")[-1500:]


def test_a_failed_write_of_any_format_leaves_the_old_file(lstm, tmp_path, monkeypatch):
    target = tmp_path / "x.tex"
    target.write_text("old")
    monkeypatch.setattr("viz.formats.tikz.render", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        lstm.save(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_command_takes_the_format_from_the_ending(tmp_path, capsys, monkeypatch):
    for ending, start in ((".tex", "% Backprop"), (".json", "{"), (".dot", "digraph"), (".graphml", "<graphml")):
        assert main(["draw", "rnn", "-o", str(tmp_path / f"x{ending}")]) == 0
        assert (tmp_path / f"x{ending}").read_text(encoding="utf-8").startswith(start)
    capsys.readouterr()
    monkeypatch.setitem(sys.modules, "typst", None)
    assert main(["draw", "rnn", "-o", str(tmp_path / "x.png")]) == 1
    assert re.fullmatch(r"minigrad: writing \.png needs .* pip install .*\n", capsys.readouterr().err)
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("chart", ["triangle", "river", "ledger"])
def test_the_command_draws_charts(chart, tmp_path, capsys):
    target = tmp_path / "x.json"
    assert main(["draw", "gru", "--steps", "5", "--chart", chart, "-o", str(target)]) == 0
    assert json.loads(target.read_text())["kind"] == chart
    assert "Proof: 15 contributions" in capsys.readouterr().out
    assert main(["draw", "rnn", "--chart", chart, "-o", str(tmp_path / "x.dot")]) == 2
    assert f"a {chart} is a chart" in capsys.readouterr().err
    assert main(["draw", "rnn", "--steps", "1", "--chart", chart, "-o", str(target)]) == 2
    assert "two steps or more" in capsys.readouterr().err
