"""The table of the page on recurrent nets is a measurement: other methods give other numbers."""

import pytest

from minigrad.testing import GradientFailure
from rnn.testing.methods import METHODS, TanhNet, lags_demanded


def test_a_check_that_looks_at_nothing_demands_one_lag():
    def all_of_them(net, window):
        if window < 60:
            raise AssertionError

    rows = lags_demanded({"nothing": lambda net, window: None, "all": all_of_them}).splitlines()
    assert rows[1].split()[1:] == ["1"] * 3
    assert rows[2].split()[1:] == ["60"] * 3


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_whole_gradient_of_the_net_is_right(name):
    net = TanhNet(0.9)
    METHODS[name](net, 60)
    with pytest.raises((AssertionError, GradientFailure)):
        METHODS[name](net, 3)
