"""The table of the page on testing is a measurement: other methods give other numbers."""

import numpy as np

from minigrad.ops import REGISTRY
from minigrad.testing.methods import _CALLS, METHODS, what_methods_miss


def numbers(line):
    return [0 if cell == "-" else int(cell) for cell in line.split() if cell == "-" or cell.isdigit()]


def test_a_method_that_looks_at_nothing_misses_what_is_planted():
    head, *rows = what_methods_miss({"none": lambda op: None, "complex": METHODS["complex"]}).splitlines()
    assert head.split() == ["planted", "none", "complex"]
    table = np.array([numbers(row) for row in rows])
    np.testing.assert_array_equal(table[:, 0], table[:, 1])
    assert np.all(table[:, 2] <= table[:, 0])
    np.testing.assert_array_equal(table[:-1].sum(axis=0), table[-1])
    assert 0 < table[-1, 2] < table[-1, 0] / 2


def test_methods_pass_the_ops_that_are_right():
    for test in METHODS.values():
        for name in _CALLS:
            test(REGISTRY[name])
