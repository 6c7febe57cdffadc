"""Cells and layers that are closed and opened."""

from __future__ import annotations

import functools

import numpy as np

import minigrad as mg
import rnn
import viz

from .sight import box, classed, data


def test_closing_a_cell_hides_what_is_inside_and_keeps_its_border(page):
    view = data(page)["views"][0]
    cell = next(place for place, cell in enumerate(view["cells"]) if cell["t"] == "t = 3")
    inside = {place for place, box in enumerate(view["boxes"]) if box["cell"] == cell}
    box(page, "f_3 =").click()
    page.keyboard.press("c")
    assert classed(page, "inside", "box") == inside
    border = {
        (edge["from"], edge["to"]) for edge in view["edges"] if (edge["from"] in inside) != (edge["to"] in inside)
    }
    bundles = page.locator('[data-view="0"] .bundle')
    assert bundles.count() == len({tuple("c" if end in inside else end for end in edge) for edge in border})
    shut = page.locator("[data-shut]")
    assert shut.count() == 1
    assert "20 operations, the same weights at 4 steps" in shut.get_attribute("aria-label")
    page.keyboard.press("Enter")
    assert page.locator("[data-shut]").count() == 0
    assert classed(page, "inside", "box") == set()
    page.keyboard.press("C")
    assert page.locator("[data-shut]").count() == 4
    page.click("#shut-all")
    assert page.locator("[data-shut]").count() == 0


def test_a_layer_closes_and_opens_at_a_button(opened, tmp_path):
    reading = rnn.read("hel", functools.partial(rnn.RNN, layers=2), 2)
    page = opened(viz.inspect(reading).save(tmp_path / "x.html"))
    box(page, "a_1^0 =").click()
    page.click("text=Close its layer (2 cells)")
    assert page.locator("[data-shut]").count() == 2
    assert {page.locator("[data-shut]").nth(place).get_attribute("data-about")[:17] for place in (0, 1)} == {
        "RNN cell, layer 0"
    }
    page.click("text=Open its layer (2 cells)")
    assert page.locator("[data-shut]").count() == 0
    page.click("text=Close its cell")
    assert page.locator("[data-shut]").count() == 1


def test_closed_cells_stay_what_they_stand_for(page):
    page.click("#shut-all")
    page.keyboard.press("Home")
    assert page.locator("[data-shut].todo").count() == 4
    page.keyboard.press("End")
    assert page.locator("[data-shut].todo").count() == 0
    page.click("#tab-paths")
    page.click('[data-tk="2,1"]')
    assert page.locator("[data-shut].lit").count() == 2


def test_a_closed_layer_below_keeps_its_line_to_the_layer_above(opened, tmp_path):
    net = rnn.unroll(rnn.LSTM(2, 3, layers=2, rng=0), np.ones((2, 1, 2)))
    page = opened(
        viz.inspect(mg.ops.add_n(*[mg.sum(step.h * step.h).named("L") for step in net.steps])).save(tmp_path / "x.html")
    )
    page.click("#shut-all")
    cells = [box.bounding_box() for box in page.locator("[data-view='0'] [data-shut]").all()]
    drawn = page.locator("[data-view='0'] [data-edge]:not(.inside) > path.f").all()
    assert len(cells) == 4
    for line in drawn:
        found = line.bounding_box()
        middle = (found["x"] + found["width"] / 2, found["y"] + found["height"] / 2)
        for cell in cells:
            inside = (
                cell["x"] < middle[0] < cell["x"] + cell["width"] and cell["y"] < middle[1] < cell["y"] + cell["height"]
            )
            assert not inside
