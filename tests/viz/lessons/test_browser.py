"""The lessons in a real browser: nothing asked for, nothing complained of, nothing wider than the window."""

from __future__ import annotations

import pytest

from viz import lessons


@pytest.fixture(scope="module")
def lecture(tmp_path_factory):
    path = tmp_path_factory.mktemp("lessons") / "all.html"
    made = {name: lessons.make(name) for name in lessons.LESSONS}
    path.write_text(lessons.page(made, lessons.LESSONS), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_is_wider_than_the_window(opened, lecture, width, scheme):
    page = opened(lecture, scheme, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("article").count() == 12


def test_figures_are_as_large_as_the_page_lets_them(opened, lecture):
    page = opened(lecture, width=1280)
    sizes = page.eval_on_selector_all(
        ".shown svg",
        """all => all.map((svg) => {
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            const sizes = [...svg.querySelectorAll("text")].map((text) => parseFloat(getComputedStyle(text).fontSize));
            return Math.min(...sizes) * scale;
        })""",
    )
    assert min(sizes) > 8
    assert sorted(sizes)[len(sizes) // 2] > 10


def test_a_title_leads_back_to_the_contents(opened, lecture):
    page = opened(lecture, width=1280)
    page.click("text=Find the broken gradient")
    assert page.evaluate("scrollY") > 10_000
    page.click("text=Lesson 12 of 12")
    assert page.evaluate("scrollY") < 400


def test_formulas_stand_upright(opened, lecture):
    page = opened(lecture, width=1280)
    above, below = (part.bounding_box() for part in page.locator("#four-paths .frac").nth(1).locator("> span").all())
    assert above["y"] + above["height"] <= below["y"] + 1
    assert abs(above["x"] + above["width"] / 2 - below["x"] - below["width"] / 2) < 1
