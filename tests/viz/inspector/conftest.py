"""A page of the inspector in a real browser.

Needs the package playwright and a Chromium; without them these tests are skipped (see `tests/viz/conftest.py`).
"""

from __future__ import annotations

import pytest

import rnn
import viz


@pytest.fixture(scope="module")
def reading():
    return rnn.read("hello", rnn.LSTM, 4)


@pytest.fixture(scope="module")
def written(reading, tmp_path_factory):
    return viz.inspect(reading).save(tmp_path_factory.mktemp("inspector") / "lstm.html")


@pytest.fixture
def page(opened, written):
    return opened(written)
