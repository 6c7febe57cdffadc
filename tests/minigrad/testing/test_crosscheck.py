"""The table of gradients at kinks, ties and saturation: ours are the policy's, and exact where others round to 0."""

import numpy as np
import pytest

from minigrad.testing.crosscheck import ROWS, cross_check

OURS = {
    "|x| at 0": "0",
    "relu at 0": "0",
    "max of two equal": "0.5, 0.5",
    "max of three equal": "0.333, 0.333, 0.333",
    "maximum(x, 1) at 1": "0.5",
    "clip to [-1, 1] at 1": "1",
    "sqrt at 0": "inf",
    "where(x > 0, sqrt(x), 0) at 0": "nan",
    "norm at 0": "0, 0",
    "x ** 0 at 0": "0",
    "tanh at 25": "7.71e-22",
    "sigmoid at 50": "1.93e-22",
    "logsumexp at (800, 800)": "0.5, 0.5",
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
