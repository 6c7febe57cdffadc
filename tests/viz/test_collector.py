"""The garbage collector rests while a figure is made, and is afterwards as it was before."""

import gc

import pytest

import rnn
import viz
from minigrad.collector import uncollected


@pytest.mark.parametrize("before", [True, False])
def test_it_is_left_as_it_was_even_by_an_error(before):
    was = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        with pytest.raises(ZeroDivisionError), uncollected(), uncollected():
            print(1 / gc.isenabled())
        assert gc.isenabled() is before
        assert viz.draw(rnn.read("hi", rnn.RNN)).svg
        assert gc.isenabled() is before
    finally:
        (gc.enable if was else gc.disable)()
