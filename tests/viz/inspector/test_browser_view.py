"""What part of the drawing is in sight, and how: search, pan and zoom, level, theme, help; and no network."""

from __future__ import annotations

import rnn
import viz

from .sight import box, classed, data


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


def test_a_narrow_page_keeps_its_room_for_the_drawing(opened, written):
    page = opened(written)
    page.set_viewport_size({"width": 480, "height": 900})
    assert page.locator("#pass").bounding_box()["height"] < 130
    assert page.locator("#said").bounding_box()["width"] > 400


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


def test_a_chart_or_a_bare_scene_can_be_panned(opened, reading, tmp_path):
    page = opened(viz.Figure(viz.draw(reading).scene).save(tmp_path / "x.html"))
    assert not page.locator("#side").is_visible()
    whole = page.locator("[data-view] > svg").get_attribute("viewBox")
    page.click("#in")
    assert page.locator("[data-view] > svg").get_attribute("viewBox") != whole


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
