"""A real headless browser for the pages. Tests that ask for one are skipped where there is none.

Any message on the console, any failure of a script and any request beside the file itself fails the test that made it.
"""

from __future__ import annotations

import os
import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install 'minigrad[browser]'"
    )
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium is installed: apt-get install chromium, or name one in the variable CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def opened(browser):
    """Opens a file in a window of its own, and watches it."""
    contexts, wrong = [], []

    def open_file(path, scheme="light", width=1600, height=900):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, offline=True, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on("request", lambda request: request.url == path.as_uri() or wrong.append(f"request: {request.url}"))
        page.goto(path.as_uri())
        page.set_default_timeout(5000)
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not wrong
