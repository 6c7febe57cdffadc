"""Stepping through the forward and the backward pass, by key and by slider."""

from __future__ import annotations

import re

import viz

from .sight import classed, data


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


def test_forward_alone_has_nothing_to_light(opened, reading, tmp_path):
    page = opened(viz.inspect(reading.unrolled).save(tmp_path / "x.html"))
    page.click("#tab-paths")
    assert "no gradient to follow" in page.inner_text("#paths")
    page.keyboard.press("Home")
    page.keyboard.press("n")
    assert page.inner_text("#said").startswith("Forward 1 of")
