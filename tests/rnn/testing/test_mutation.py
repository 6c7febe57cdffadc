"""The gate on the cells: of each cell's gradient the slips are made one by one, and check_bptt notices them."""

import numpy as np
import pytest

from minigrad.testing import GradientFailure
from rnn.testing import Net, check_bptt, gradient_mutants
from rnn.testing.nets import CELLS

# Cell -> slip -> why check_bptt cannot notice it. Empty is how it should stay.
SURVIVORS: dict[str, dict[str, str]] = {}


def small(cell):
    """A net of the cell whose last loss hears of its first step: a relu may be dead."""
    for seed in range(20):
        net = Net(cell, (4, 1, 1, 2, 1), 0.9, 0.3, False, None, seed)
        if np.any(net.contributions(net.xs, net.arrays)["weight_hh_l0"][-1, 1]):
            return net
    raise AssertionError(f"every {cell} net drawn is dead")


@pytest.mark.parametrize("cell", CELLS)
def test_check_bptt_kills_the_mutants_of_every_cell(cell):
    net = small(cell)
    survivors, broken = [], gradient_mutants(net)
    for name, gradient in broken.items():
        try:
            check_bptt(net.loss, gradient, net.xs, net.arrays, shrink=False)
        except GradientFailure:
            continue
        survivors.append(name)
    assert set(survivors) <= set(SURVIVORS.get(cell, {}))
    assert len(survivors) <= 0.05 * len(broken)


@pytest.mark.parametrize("cell", CELLS)
def test_the_contributions_sum_to_the_gradient(cell):
    net = small(cell)
    seed = np.array([1.0, -0.5, 2.0, 0.25])
    gradient = net.gradient(net.xs, net.arrays, seed)
    for name, table in net.contributions(net.xs, net.arrays).items():
        np.testing.assert_allclose(np.einsum("t,tk...->...", seed, table), gradient[name], rtol=1e-12, atol=1e-15)
    check_bptt(net.loss, net.gradient, net.xs, net.arrays)
