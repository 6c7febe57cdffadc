"""Every lesson is a well-formed page without requests, the same on every run, and each of its claims holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from functools import cache

import numpy as np
import pytest

from viz import lessons
from viz.cli import main
from viz.figure import Figure
from viz.lessons.lesson import Claim, Lesson, Numbers, Shown, _lowered
from viz.lessons.sketch import Sketch
from viz.scene import Box
from viz.words import plain, rich


@cache
def made(name: str) -> Lesson:
    return lessons.make(name)


def parsed(page: str) -> ElementTree.Element:
    """The page as XML: everything is closed but the elements that HTML leaves open."""
    return ElementTree.fromstring(re.sub(r"(<meta [^>]*)>", r"\1/>", page.removeprefix("<!DOCTYPE html>\n")))


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_claims_hold_and_can_be_seen(name):
    lesson = made(name)
    assert lesson.title == lessons.TITLES[name]
    assert lesson.claims
    assert [claim.text for claim in lesson.claims if not claim.holds] == []
    assert any(isinstance(block, Shown) for block in lesson.blocks)


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_page_is_well_formed_and_asks_for_nothing(name):
    page = lessons.page({name: made(name)})
    root = parsed(page)
    assert root.find("./head/title").text == lessons.TITLES[name]
    identities = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(identities) == len(set(identities))
    assert "<script" not in page
    assert re.findall(r"(?:href|src)=\"(?!#)|url\(|@import", page) == []
    assert set(re.findall(r"https?://[^\" ]*", page)) == {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme:dark" in page
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL).lower().split()


def test_the_lesson_on_unrolling_shows_the_loop_and_the_same_net_unrolled():
    rolled, unrolled, *_ = (block.figure.scene for block in made("shapes").blocks if isinstance(block, Shown))
    assert (rolled.level, unrolled.level) == ("rolled", "cell")
    assert [plain(item.label) for item in rolled.dock] == [plain(item.label) for item in unrolled.dock]
    cells = [len(scene.cells) for scene in (rolled, unrolled)]
    assert cells == [1, 4]
    assert "delay ×3" in {plain(box.label) for box in rolled.boxes}


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_proofs_in_the_figures_hold(name):
    for block in made(name).blocks:
        if isinstance(block, Shown):
            assert "✗" not in block.figure.sheet.about


def test_tables_are_rectangular():
    for name in lessons.LESSONS:
        for block in made(name).blocks:
            if isinstance(block, Numbers):
                assert {len(row) for row in block.rows} == {len(block.columns)}


def test_the_same_bytes_on_every_run(tmp_path):
    here = lessons.page({name: made(name) for name in lessons.LESSONS}, lessons.LESSONS)
    target = tmp_path / "all.html"
    program = "import sys; from viz.cli import main; sys.exit(main(sys.argv[1:]))"
    identities = [node.get("id") for node in parsed(here).iter() if node.get("id")]
    assert len(identities) == len(set(identities))
    command = [sys.executable, "-c", program, "lesson", "all", "-o", str(target)]
    subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "7"}, check=True, capture_output=True)
    assert target.read_text(encoding="utf-8") == here
    assert list(tmp_path.iterdir()) == [target]


def test_a_page_says_which_lesson_it_is_and_how_many_claims_hold():
    lesson = Lesson("One", ("text", Claim("a", True), Claim("b", False), "more", Claim("c", True)))
    root = parsed(lessons.page({"one": lesson}, ("zero", "one")))
    assert root.find(".//article/p").text == "Lesson 2 of 2"
    assert [node.text for node in root.iter("h2")] == [
        "Checked as this page was written: 1 of 2 claims hold",
        "Checked as this page was written: 1 of 1 claim holds",
    ]
    both = parsed(lessons.page({"one": lesson, "two": lesson}))
    assert [node.get("href") for node in both.iter("a")] == ["#one", "#two", "#contents", "#contents"]


def test_numbers_and_apostrophes_are_set_as_in_a_book():
    root = parsed(lessons.page({"one": Lesson("The net's", ("off by -2.8e-17, 1e6 times; x1e3y; it's",))}))
    (paragraph,) = [node for node in root.iter("p") if node.get("class") is None]
    assert "".join(paragraph.itertext()) == "off by −2.8\u00a0×\u00a010−17, 1\u00a0×\u00a0106 times; x1e3y; it’s"
    assert [node.text for node in paragraph.iter("sup")] == ["−17", "6"]
    assert root.find(".//h1").text == "The net’s"


def test_steps_can_be_counted_from_zero():
    from viz.lessons.four_paths import _net
    from viz.lessons.lesson import drawn

    errors, _ = _net()
    one, zero = (drawn(errors[3], "op", first=first) for first in (1, 0))

    def labels(figure, role):
        return [plain(box.label) for box in figure.scene.boxes if box.role == role]

    assert labels(one, "state") == ["s_0", "s_1", "s_2", "s_3", "s_4"]
    assert labels(zero, "state") == ["s_−1", "s_0", "s_1", "s_2", "s_3"]
    assert [plain(column.header) for column in zero.scene.columns] == ["", "t = 0", "t = 1", "t = 2", "t = 3"]
    assert [box.id for box in one.scene.boxes] == [box.id for box in zero.scene.boxes]
    assert one.scene.edges[0].mark == zero.scene.edges[0].mark
    assert len(zero.svg) > 1000


def test_counting_from_zero_leaves_the_keys_of_a_scene_alone():
    box = Box("a_1", 0, "k_1", "state", rich("h_1"), "h_1, t = 2, W_12 at 3", lane="lane_1")
    assert _lowered(box) == Box("a_1", 0, "k_1", "state", rich("h_0"), "h_0, t = 1, W_11 at 2", lane="lane_1")


def test_the_sketch_shows_who_reads_and_who_answers():
    from viz.lessons import shapes

    for shape, (_, steps, reads, answers) in zip(
        shapes._sketch().shapes, ((name, *found[:3]) for name, found in shapes.SHAPES.items()), strict=True
    ):
        single = Figure(Sketch((), (), (), (), (shape,)))
        words = re.findall(r"<text[^>]*>([xhy])<tspan[^>]*>(\d)", single.svg)
        assert sorted(words) == sorted(
            [("h", str(t + 1)) for t in range(steps)]
            + [("x", str(t + 1)) for t in reads]
            + [("y", str(t + 1)) for t in answers]
        )


def test_texts_are_escaped():
    hostile = "</p><script>alert(1)</script>&\"'\x00\ud800"
    lesson = Lesson(hostile, (hostile, Claim(hostile, True), Numbers((hostile,), ((hostile,),))))
    page = lessons.page({'a"><b>': lesson, "other": lesson})
    root = parsed(page)
    assert [node for node in root.iter() if node.tag in ("script", "b")] == []
    shown = "</p><script>alert(1)</script>&\"'\ufffd\ufffd"
    assert root.find(".//article/p[2]").text == shown
    assert root.find(".//article").get("id") == 'a"><b>'


def test_a_claim_that_fails_is_shown_and_told(capsys, monkeypatch, tmp_path):
    broken = Lesson("Broken", (Claim("2 = 3", False),))
    monkeypatch.setattr(lessons, "make", lambda name: broken)
    target = tmp_path / "x.html"
    assert main(["lesson", lessons.LESSONS[0], "-o", str(target)]) == 1
    assert "0 of 1 claim checked and found to hold" in capsys.readouterr().out
    assert "✗" in target.read_text(encoding="utf-8")


def test_lists_the_lessons(capsys):
    assert main(["lesson"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(lessons.LESSONS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "there is no lesson 'none'; choose one of shared-weight"),
        ([""], "there is no lesson ''"),
        (["shapes", "-o", "x.svg"], "must end in one of .html"),
        (["shapes", "-o", "missing/x.html"], "does not exist"),
        (["-o", "x.html"], "-o needs the lesson to write"),
    ],
)
def test_refuses_in_one_sentence(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["lesson", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_writes_to_standard_output(capsysbinary):
    assert main(["lesson", lessons.LESSONS[0], "-o", "-"]) == 0
    out, err = capsysbinary.readouterr()
    assert out.decode() == lessons.page({lessons.LESSONS[0]: made(lessons.LESSONS[0])}, lessons.LESSONS)
    assert b"claims checked" in err


def test_a_gradient_that_lost_its_paths_is_named_and_a_sound_one_is_not():
    from viz.lessons import broken

    seen, scores = np.array([1, 0, 3]), {"start": np.zeros(3), "transition": np.eye(3), "emission": np.ones((3, 4))}
    assert "lag 1 is missing" in broken._checked(seen, scores, cut=True)
    assert broken._checked(seen, scores, cut=False) == ""


def test_the_bound_is_the_bound():
    from viz.lessons import dial

    jacobian = dial.turned(1.6)
    assert dial.excess(jacobian) < 1e-9
    jacobian.log10_norm[7] = 7 * np.log10(1.6) + 0.01
    assert dial.excess(jacobian) == pytest.approx(0.01)


def test_without_the_testing_kit_the_lesson_says_what_to_install(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rnn.testing", None)
    target = tmp_path / "x.html"
    assert main(["lesson", "broken-gradient", "-o", str(target)]) == 1
    assert "pip install minigrad[test]" in capsys.readouterr().err
    assert not target.exists()
