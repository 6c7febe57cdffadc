"""What a reader sees on a page of the inspector."""

from __future__ import annotations


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
