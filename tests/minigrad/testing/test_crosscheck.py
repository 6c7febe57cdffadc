"""The table of gradients at kinks, ties and saturation: ours are the policy's, and exact where others round to 0."""

import re
from importlib.metadata import version

import numpy as np
import pytest

from minigrad.testing import crosscheck
from minigrad.testing.crosscheck import ROWS, cross_check

OURS = {
    "|x| at 0": "0",
    "relu at 0": "0",
    "max of two equal": "0.5 each",
    "max of three equal": "0.333 each",
    "maximum(x, 1) at 1": "0.5",
    "clip to [-1, 1] at 1": "1",
    "sqrt at 0": "inf",
    "where(x > 0, sqrt(x), 0) at 0": "nan",
    "norm at 0": "0 each",
    "x ** 0 at 0": "0",
    "tanh at 25": "7.71e-22",
    "sigmoid at 50": "1.93e-22",
    "logsumexp at (800, 800)": "0.5 each",
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # other libraries warn where they divide by 0
def test_ours_at_every_point():
    lines = cross_check().splitlines()
    assert lines[0].split()[-1] == "minigrad"
    assert len(lines) == len(ROWS) + 1
    for row, line in zip(ROWS, lines[1:], strict=True):
        assert line.startswith(row.point)
        assert line.endswith(f"  {OURS[row.point]}"), line


def test_at_saturation_the_rows_are_the_true_values():
    assert float(OURS["tanh at 25"]) == pytest.approx(1 / np.cosh(25.0) ** 2, rel=1e-2)
    assert float(OURS["sigmoid at 50"]) == pytest.approx(np.exp(-50.0), rel=1e-2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # other libraries warn where they divide by 0
def test_the_table_in_the_docs_is_what_is_measured():
    written = {row[0]: row for row in _cells(crosscheck.__doc__)}
    names, *rows = _cells(cross_check())
    for name in names[1:]:
        if name != "minigrad" and not version(name.lower()).startswith(WRITTEN_WITH[name]):
            continue
        column, own = written[""].index(name), names.index(name)
        for row in rows:
            assert written[row[0]][column] == row[own], (row[0], name)
    assert len(written) == len(rows) + 1


WRITTEN_WITH = {"torch": "2.13", "jax": "0.10", "autograd": "1.9", "MyGrad": "2.5"}


def _cells(text):
    """The rows of the table in a text, split into cells; the first cell of the header is empty."""
    lines = [line.strip() for line in text.splitlines()]
    first = next(i for i, line in enumerate(lines) if line.endswith("  minigrad") or line == "minigrad")
    table = lines[first : first + len(ROWS) + 1]
    return [["", *re.split(r" {2,}", table[0])], *(re.split(r" {2,}", line) for line in table[1:])]
