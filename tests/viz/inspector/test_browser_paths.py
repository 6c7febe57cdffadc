"""Paths of the gradient that light up."""

from __future__ import annotations

import re

import pytest

import minigrad as mg
import viz
from viz.inspector.light import light

from .sight import box, classed


def lit_by(reading, level, wanted):
    """The places of the edges of a figure whose uses `wanted` asks for."""
    figure = viz.draw(reading, level=level)
    return {place for place, edge in enumerate(figure.scene.edges) if any(map(wanted, figure.behind.uses[edge.id]))}


def test_a_cell_of_the_table_lights_exactly_its_edges(page, reading):
    found = light(
        viz.draw(reading).behind.study, mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])
    )
    page.click("#tab-paths")
    for level, name in (("cell", "Cells"), ("op", "Operations")):
        page.click(f"text={name}")
        for t, k in ((3, 1), (2, 2)):
            cell = page.locator(f'[data-tk="{t},{k}"]')
            cell.click()
            assert classed(page, "lit") == lit_by(reading, level, lambda use, at=(t, k): at in found.cells.get(use, {}))
            assert cell.get_attribute("aria-pressed") == "true"
            share = found.table.share[t, k]
            shown = float(re.search(r"share (-?[\d.e-]+)\s%", page.inner_text("#now"))[1])
            assert shown == pytest.approx(100 * share, rel=1e-2)
    page.click("#fit")
    page.locator('[data-view="1"] [tabindex="0"]').focus()
    page.keyboard.press("Escape")
    assert classed(page, "lit") == set()
    assert page.inner_text("#now") == ""


def test_lags_gates_paths_and_boxes_light_up(page, reading):
    flow = mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])
    found = light(viz.draw(reading).behind.study, flow)
    lists = page.locator("#paths .list")
    page.click("#tab-paths")
    lists.nth(0).locator("button").nth(2).click()
    assert classed(page, "lit") == lit_by(
        reading, "cell", lambda use: any(t - k == 2 for t, k in found.cells.get(use, {}))
    )
    names = list(found.gates())
    lists.nth(1).locator("button").nth(names.index("f")).click()
    met = found.met(list(found.gates().values()))
    assert classed(page, "lit") == lit_by(reading, "cell", lambda use: met.get(use, 0) >> names.index("f") & 1)
    lists.nth(2).locator("button").nth(0).click()
    way = set(flow.top(1).paths[0].edges)
    assert classed(page, "lit") == lit_by(reading, "cell", way.__contains__)
    markers = page.locator(".lit > .marker")
    assert markers.count() == len(classed(page, "lit"))
    assert markers.first.is_visible()
    box(page, "f_3 =").click()
    page.keyboard.press("g")
    met = found.met([[reading.unrolled.steps[2].f]])
    assert classed(page, "lit") == lit_by(reading, "cell", lambda use: bool(met.get(use, 0)))


def test_pointing_at_an_item_lights_it_for_a_moment(page):
    page.click("#tab-paths")
    page.hover('[data-tk="3,3"]')
    assert classed(page, "lit")
    page.hover("#details, #bar >> nth=0")
    assert not classed(page, "lit")


def test_coming_by_with_the_tab_key_lights_an_item_for_a_moment(page):
    page.click("#tab-paths")
    page.locator("#paths").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.tk") == "1,1"
    assert classed(page, "lit")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert not classed(page, "lit")
