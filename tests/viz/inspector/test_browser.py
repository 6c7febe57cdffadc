"""The inspector in a real browser: what a reader does with mouse and keys, and that the page asks for nothing.

Needs the package playwright and a Chromium; without them these tests are skipped (see `tests/viz/conftest.py`).
"""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest

import minigrad as mg
import rnn
import viz
from viz.cli import main
from viz.inspector.light import light


@pytest.fixture(scope="module")
def reading():
    return rnn.read("hello", rnn.LSTM, 4)


@pytest.fixture(scope="module")
def written(reading, tmp_path_factory):
    return viz.inspect(reading).save(tmp_path_factory.mktemp("inspector") / "lstm.html")


@pytest.fixture
def page(opened, written):
    return opened(written)


def data(page):
    return page.evaluate("JSON.parse(document.getElementById('data').textContent)")


def box(page, start):
    return page.locator(f'[data-view]:not([hidden]) [data-box][aria-label^="{start}"]').first


def classed(page, name, kind="edge"):
    """The places of the edges (boxes ...) of the view in sight that have a class."""
    return {
        int(place)
        for place in page.eval_on_selector_all(
            f"[data-view]:not([hidden]) [data-{kind}].{name}", f"all => all.map(one => one.dataset.{kind})"
        )
    }


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


def test_keys_walk_in_the_order_of_time(page):
    page.locator('[data-view="0"] [tabindex="0"]').focus()
    view = data(page)["views"][0]
    seen = []
    for _ in range(len(view["order"]) + 2):
        seen.append(int(page.evaluate("document.activeElement.dataset.box")))
        page.keyboard.press("ArrowRight")
    assert list(dict.fromkeys(seen)) == view["order"]
    page.keyboard.press("ArrowLeft")
    assert int(page.evaluate("document.activeElement.dataset.box")) == view["order"][-2]
    assert page.locator('[data-view="0"] [tabindex="0"]').count() == 1
    page.keyboard.press("ArrowUp")
    assert page.locator("[data-box].chosen").count() == 1


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


def test_keys_step_through_both_passes(page):
    view = data(page)["views"][0]
    page.keyboard.press("Home")
    assert classed(page, "todo", "box") == set(view["order"])
    assert "Nothing is computed yet" in page.inner_text("#said")
    for _ in range(5):
        page.keyboard.press("n")
    assert classed(page, "todo", "box") == set(view["order"][5:])
    assert page.inner_text("#said").startswith(f"Forward 5 of {len(view['order'])}")
    page.keyboard.press("End")
    assert classed(page, "todo", "box") == set() == classed(page, "unsent")
    assert page.evaluate("document.getElementById('at').value") == page.evaluate("document.getElementById('at').max")


def test_the_panel_tells_of_the_box_that_is_stepped_to(page):
    view = data(page)["views"][0]
    page.keyboard.press("Home")
    for _ in range(9):
        page.keyboard.press("n")
    current = view["order"][8]
    assert classed(page, "current", "box") == {current}
    assert classed(page, "chosen", "box") == set()
    node = data(page)["nodes"][view["boxes"][current]["nodes"][-1]]
    assert node["op"] in page.inner_text("#details dl")
    done = set(view["order"][:9])
    assert classed(page, "todo", "tag") == {place for place, tag in enumerate(view["tags"]) if tag["box"] not in done}
    page.click("#tab-table")
    page.keyboard.press("n")
    assert page.locator("#table").is_visible()


def test_a_state_hands_on_what_it_has_gathered(page):
    view = data(page)["views"][0]
    state = next(place for place, box in enumerate(view["boxes"]) if (box["role"], box["label"]) == ("state", "c_3"))
    back = [place for place in reversed(view["order"]) if any(e["to"] == place and "state" in e for e in view["edges"])]
    page.locator("#at").fill(str(len(view["order"]) + back.index(state) + 1))
    (edge,) = [edge for edge in view["edges"] if edge["to"] == state]
    assert re.search(r"c3 gathers ([\d.]+) from what it feeds", page.inner_text("#said"))[1] == f"{edge['norm']:.3g}"


def test_keys_work_after_the_slider_was_moved(page):
    page.locator("#at").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.getElementById('at').value") != page.evaluate("document.getElementById('at').max")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"


def test_the_slider_shows_the_gradient_as_far_as_it_has_come(page):
    view = data(page)["views"][0]
    page.locator("#at").fill(str(len(view["order"]) + 7))
    assert page.inner_text("#said").startswith("Backward 7 of")
    back = [place for place in reversed(view["order"]) if any(e["to"] == place and "state" in e for e in view["edges"])]
    sent = {place for place, edge in enumerate(view["edges"]) if edge["to"] in back[:7]}
    assert classed(page, "unsent") == {place for place, edge in enumerate(view["edges"]) if "state" in edge} - sent
    hidden = page.locator('[data-view="0"] [data-edge].unsent > g').first
    assert not hidden.is_visible()


def test_no_share_leaves_through_a_weight_before_the_gradient_has_come_to_it(opened, reading, tmp_path):
    page = opened(viz.inspect(reading, edges="share").save(tmp_path / "share.html"))
    figures = page.locator("[data-view]:not([hidden]) [data-tag] > text + text")
    forward, last = len(data(page)["views"][0]["order"]), int(page.get_attribute("#at", "max"))
    seen = []
    for place in (0, forward, (forward + last) // 2, last):
        page.locator("#at").fill(str(place))
        seen.append(sum(one.is_visible() for one in figures.all()))
    assert seen[:2] == [0, 0]
    assert 0 < seen[2] < seen[3] == figures.count() == 4


def test_a_rolled_box_tells_the_share_at_all_steps_and_at_the_one_it_tells_of(opened, reading, tmp_path):
    page = opened(viz.inspect(reading, level="rolled", edges="share").save(tmp_path / "rolled.html"))
    flow = mg.flow(reading.loss, reading.unrolled.model.parameters["weight_hh_l0"])
    box(page, "g_4 =").click()
    told = page.inner_text("#details").replace("\xa0", " ")
    every, last = (sum(flow.through([step.g]).share for step in reading.unrolled.steps[at:]) for at in (0, 3))
    assert f"passes through: {100 * every:.3g} % at all steps together, {100 * last:.3g} % at this one" in told
    assert "Stands for 4 operations" in told


def test_a_narrow_page_keeps_its_room_for_the_drawing(opened, written):
    page = opened(written)
    page.set_viewport_size({"width": 480, "height": 900})
    assert page.locator("#pass").bounding_box()["height"] < 130
    assert page.locator("#said").bounding_box()["width"] > 400


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


def test_search_finds_by_name_operation_and_line(page):
    data_ = data(page)
    view = data_["views"][0]
    page.keyboard.press("/")
    page.keyboard.type("sigmoid")
    wanted = {
        place
        for place, box in enumerate(view["boxes"])
        if any(data_["nodes"][node]["op"] == "sigmoid" for node in box["nodes"])
    }
    assert len(wanted) == 12
    assert classed(page, "hit", "box") == wanted
    assert page.inner_text("#count") == "12 hits"
    page.keyboard.press("Enter")
    assert page.inner_text("#count") == "1 of 12"
    assert classed(page, "chosen", "box") <= wanted
    assert page.evaluate("document.activeElement.id") == "find"
    page.fill("#find", "no such thing")
    assert page.inner_text("#count") == "0 hits"
    page.keyboard.press("Escape")
    assert page.locator("svg.finding").count() == 0


def test_search_finds_a_weight_and_every_use_of_it(page):
    view = data(page)["views"][0]
    whole = page.locator('[data-view="0"] > svg').get_attribute("viewBox")
    page.keyboard.press("/")
    page.keyboard.type("weight_hh")
    page.keyboard.press("Enter")
    (dock,) = classed(page, "hit", "box")
    assert classed(page, "hit", "tag") == {place for place, tag in enumerate(view["tags"]) if tag["dock"] == dock}
    assert len(classed(page, "hit", "tag")) == 4
    assert page.locator('[data-view="0"] > svg').get_attribute("viewBox") == whole


def test_what_is_out_of_sight_comes_into_sight(page):
    for _ in range(6):
        page.click("#in")
    page.keyboard.press("/")
    page.keyboard.type("weight_hh")
    page.keyboard.press("Enter")
    stage = page.locator("#stage").bounding_box()
    found = page.locator("[data-box].chosen").bounding_box()
    assert stage["x"] <= found["x"]
    assert found["x"] + found["width"] <= stage["x"] + stage["width"]
    assert stage["y"] <= found["y"]
    assert found["y"] + found["height"] <= stage["y"] + stage["height"]


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


def test_wheel_drag_and_fit_move_the_view(page):
    drawing = page.locator('[data-view="0"] > svg')
    whole = drawing.get_attribute("viewBox")
    page.mouse.move(500, 400)
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        "whole => document.querySelector('[data-view] > svg').getAttribute('viewBox') !== whole", arg=whole
    )
    near = drawing.get_attribute("viewBox")
    assert float(near.split()[2]) < float(whole.split()[2])
    page.mouse.down()
    page.mouse.move(650, 460, steps=4)
    page.mouse.up()
    moved = drawing.get_attribute("viewBox")
    assert moved.split()[2:] == near.split()[2:]
    assert moved != near
    assert page.locator("[data-box].chosen").count() == 0
    page.click("#fit")
    assert drawing.get_attribute("viewBox") == " ".join(f"{float(x):g}" for x in whole.split())


def test_a_very_wide_drawing_begins_where_it_can_be_read(opened, tmp_path):
    page = opened(viz.inspect(rnn.read("ab" * 20, rnn.RNN, 2), steps=40).save(tmp_path / "x.html"))
    scale = """() => {
        const svg = document.querySelector('[data-view="0"] > svg');
        const box = svg.viewBox.baseVal;
        return Math.min(svg.clientWidth / box.width, svg.clientHeight / box.height);
    }"""
    assert page.evaluate(scale) > 0.6
    first = box(page, "x_1").bounding_box()
    assert page.locator("#stage").bounding_box()["x"] < first["x"] < 600
    page.click("#fit")
    assert page.evaluate(scale) < 0.3


def test_levels_and_themes_change(page, opened, written):
    paper = "getComputedStyle(document.querySelector('[data-view]:not([hidden]) .paper')).fill"
    light_paper = page.evaluate(paper)
    page.click("#theme")
    assert page.evaluate(paper) != light_paper
    dark = opened(written, "dark")
    assert dark.evaluate(paper) == page.evaluate(paper)
    page.keyboard.press("l")
    assert page.locator('[data-view="1"]').is_visible()
    assert not page.locator('[data-view="0"]').is_visible()
    assert page.evaluate(paper) != light_paper


def test_help_opens_and_closes(page):
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    assert "search" in page.inner_text("#keys")
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


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


def test_the_policy_keeps_scripts_from_the_network(browser, written):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(written.as_uri())
        refused = page.evaluate(
            """() => new Promise((done) => {
                document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
                fetch("https://example.invalid/").catch(() => {});
                setTimeout(() => done("nothing"), 2000);
            })"""
        )
        assert refused == "connect-src"
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))"
        )
        assert page.evaluate("window.ran") is None


def test_a_chart_or_a_bare_scene_can_be_panned(opened, reading, tmp_path):
    page = opened(viz.Figure(viz.draw(reading).scene).save(tmp_path / "x.html"))
    assert not page.locator("#side").is_visible()
    whole = page.locator("[data-view] > svg").get_attribute("viewBox")
    page.click("#in")
    assert page.locator("[data-view] > svg").get_attribute("viewBox") != whole


def test_forward_alone_has_nothing_to_light(opened, reading, tmp_path):
    page = opened(viz.inspect(reading.unrolled).save(tmp_path / "x.html"))
    page.click("#tab-paths")
    assert "no gradient to follow" in page.inner_text("#paths")
    page.keyboard.press("Home")
    page.keyboard.press("n")
    assert page.inner_text("#said").startswith("Forward 1 of")
