"""What is told of a box or an edge, in words beside the drawing and to a screen reader."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import minigrad as mg
import rnn
import viz
from viz.cli import main

from .sight import box, classed, data


def test_a_click_tells_what_is_known_of_a_box(page, reading):
    box(page, "f_3 =").click()
    told = page.inner_text("#details")
    gate = reading.unrolled.steps[2].f
    for words in ("sigmoid", "1 × 4", "float64", "σ′(u)", gate.site, "Light the paths through it"):
        assert words in told
    value = float(np.linalg.norm(mg.run(reading.loss)[gate]))
    assert f"norm {float(f'{value:.3g}')}" in told
    assert page.eval_on_selector("[data-box].chosen", "one => one.getAttribute('aria-label')").startswith("f_3")
    edges = data(page)["views"][0]["edges"]
    (chosen,) = classed(page, "chosen", "box")
    assert classed(page, "near") == {place for place, edge in enumerate(edges) if chosen in (edge["from"], edge["to"])}


def test_what_comes_back_from_every_user_is_told(page, reading):
    c = reading.unrolled.steps[1].c
    flow = mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])
    sweep = mg.backprop(reading.loss)
    box(page, "c_2 =").click()
    table = page.locator("#details table").nth(1)
    rows = [row.inner_text().split("\t") for row in table.locator("tbody tr").all()]
    assert [row[0].split()[0] for row in rows] == ["tanh", "mul", "sum"]
    uses = sweep.uses(c)
    sizes = mg.run([sweep.contributions[use] for use in uses])
    for row, use in zip(rows, uses, strict=False):
        assert float(row[2]) == pytest.approx(float(np.linalg.norm(sizes[sweep.contributions[use]])), rel=5e-3)
        assert float(row[3].split()[0]) == pytest.approx(100 * flow.edge_shares[use], rel=5e-3)
    assert float(rows[2][3].split()[0]) == pytest.approx(100 * flow.through(c).share, rel=5e-3)


def test_a_click_on_an_edge_tells_its_share(page):
    place = next(place for place, edge in enumerate(data(page)["views"][0]["edges"]) if edge.get("share", 0) > 0.05)
    x, y = page.eval_on_selector(
        f'[data-view="0"] [data-edge="{place}"] .reach',
        """line => {
            const { x, y } = line.getPointAtLength(line.getTotalLength() / 2).matrixTransform(line.getScreenCTM());
            return [x, y];
        }""",
    )
    page.mouse.click(x, y)
    assert "share of the whole" in page.inner_text("#details")
    assert classed(page, "near") == {place}


def test_a_rolled_box_tells_the_share_at_all_steps_and_at_the_one_it_tells_of(opened, reading, tmp_path):
    page = opened(viz.inspect(reading, level="rolled", edges="share").save(tmp_path / "rolled.html"))
    flow = mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])
    box(page, "g_4 =").click()
    told = page.inner_text("#details").replace("\xa0", " ")
    every, last = (sum(flow.through([step.g]).share for step in reading.unrolled.steps[at:]) for at in (0, 3))
    assert f"passes through: {100 * every:.3g} % at all steps together, {100 * last:.3g} % at this one" in told
    assert "Stands for 4 operations" in told


def test_every_box_has_a_name_for_a_screen_reader(page):
    assert page.locator("[data-box]:not([aria-label])").count() == 0
    assert page.locator("[data-box] > title, [data-edge] > title").count() == 0
    assert page.locator('svg[role="group"] > title').count() == 2


def test_names_for_a_screen_reader_tell_boxes_apart(page, opened, tmp_path):
    names = page.eval_on_selector_all("[data-view='0'] [data-box]", "all => all.map(one => one.ariaLabel)")
    named = [name for name in names if not name.startswith("u ⊙ v")]
    assert len({name for name in names if name.startswith("c_2 = ")}) == 3
    assert any(name.startswith("c_2 = u + v, state handed on, t = 2, add, 1×4, value norm") for name in names)
    assert any(name.startswith("c_2 = u + v, branch, t = 2") for name in names)
    assert any(name.startswith("a_2 = u + b_hh, t = 2, add, 1×16") for name in named)
    assert any(name.startswith("W_hh, weight, weight_hh_l0, parameter, 16×4") for name in names)
    both = opened(
        viz.inspect(rnn.read("hel", functools.partial(rnn.GRU, bidirectional=True), 2)).save(tmp_path / "x.html")
    )
    told = data(both)
    made = [told["nodes"][found["nodes"][-1]].get("t") for found in told["views"][0]["boxes"]]
    place, t = next(
        (place, t)
        for place, (found, t) in enumerate(zip(told["views"][0]["boxes"], made, strict=True))
        if found["role"] == "junction" and t is not None and found["t"] != f"t = {t}"
    )
    both.locator(f'[data-view="0"] [data-box="{place}"]').focus()
    assert both.inner_text("#details h2 small").strip() == f"t = {t}"


def test_the_table_has_no_empty_column(page, opened, tmp_path):
    assert "made at" in page.locator("#table thead").text_content()
    bare = tmp_path / "bare.html"
    assert main(["inspect", "rnn", "--steps", "2", "--hidden", "2", "-o", str(bare)]) == 0
    assert "made at" not in opened(bare).locator("#table thead").text_content()


def test_the_table_leads_to_the_boxes(page):
    page.click("#tab-table")
    rows = page.locator("#table tbody tr")
    assert rows.count() == len({box["nodes"][-1] for box in data(page)["views"][0]["boxes"]})
    page.locator("#table").get_by_role("button", name="g2").click()
    assert "tanh" in page.inner_text("#details h2")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("g_2")
    assert page.locator("#table [aria-current]").count() == 1


@pytest.mark.parametrize(
    "text", ["</script><img src=x onerror=hit()>", "<b>x</b>", "\u202eevil", "🙂" * 50, "x" * 10_000]
)
def test_hostile_names_stay_words(opened, tmp_path, text):
    x = mg.parameter([0.5, np.nan], name=text)
    with mg.scope(text[:100], t=0):
        y = mg.tanh(x).named(text + "2")
    page = opened(viz.inspect(mg.sum(y * x)).save(tmp_path / "x.html"))
    page.locator('[data-view="0"] [data-box="0"]').focus()
    assert "tanh" in page.inner_text("#details")
    page.click("#tab-table")
    assert page.locator("img, b:not(#hint b):not(#said b)").count() == 0
    assert text[:20] in page.content() or text[:5] in page.inner_text("#table")
