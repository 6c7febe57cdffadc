"""The strategies reach the inputs that break gradients, and shrink to small ones."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from minigrad.testing import arrays, broadcastable_shapes, shapes
from minigrad.testing.strategies import DOMAINS, LAYOUTS, laid_out
from minigrad.testing.written import code

REACHED = {
    "a tie": lambda x: x.size > 1 and len(np.unique(x)) < x.size,
    "a zero": lambda x: np.any(x == 0),
    "a negative zero": lambda x: np.any((x == 0) & np.signbit(x)),
    "saturation at 40": lambda x: np.any(np.abs(x) == 40),
    "saturation at 800": lambda x: np.any(np.abs(x) == 800),
    "size 0": lambda x: x.size == 0 and x.ndim > 1,
    "0-d": lambda x: x.ndim == 0,
    "size 1": lambda x: x.shape == (1,),
    "stride 0": lambda x: x.size > 1 and 0 in x.strides,
    "reversed": lambda x: x.size > 1 and min(x.strides) < 0,
    "not contiguous": lambda x: not x.flags.c_contiguous,
    "read-only": lambda x: x.size > 1 and not x.flags.writeable,
}


@pytest.mark.parametrize("wanted", sorted(REACHED))
def test_degenerate_arrays_are_frequent(wanted):
    find(arrays(), REACHED[wanted], settings=settings(max_examples=400, database=None, derandomize=True))


@given(st.integers(2, 4).flatmap(broadcastable_shapes))
def test_shapes_broadcast(group):
    np.broadcast_shapes(*group)


def test_broadcasting_happens_both_ways():
    find(
        broadcastable_shapes(), lambda p: p[0] != p[1] and len(p[0]) == len(p[1]) == 2, settings=settings(database=None)
    )
    find(broadcastable_shapes(), lambda p: len(p[0]) > len(p[1]) > 0, settings=settings(database=None))
    assert find(shapes(), lambda s: np.prod(s) == 0, settings=settings(database=None)) == (0,)


@given(st.sampled_from(sorted(DOMAINS)), st.data())
def test_domains_are_kept(domain, data):
    x = data.draw(arrays(domain=domain))
    inside = {"real": x == x, "positive": x > 0, "unit": np.abs(x) < 1, "above one": x > 1}
    assert np.all(inside[domain])


@given(arrays(dtype=np.float32), arrays(dtype=int), arrays(dtype=bool), arrays(shape=2, elements=st.just(7.0)))
def test_dtypes_and_elements_are_those_asked_for(single, integer, boolean, sevens):
    assert (single.dtype, integer.dtype, boolean.dtype) == (np.float32, np.dtype(int), np.dtype(bool))
    assert sevens.tolist() == [7.0, 7.0]


@given(st.sampled_from((float, np.float32, int, bool)).flatmap(lambda dtype: arrays(dtype=dtype)))
def test_code_makes_the_array_again(x):
    again = eval(code(x), {"np": np})
    assert again.dtype == x.dtype
    assert again.shape == x.shape
    assert again.tobytes() == x.tobytes()
    moving = [axis for axis, size in enumerate(x.shape) if size > 1 and x.size]
    assert [np.sign(again.strides[a]) for a in moving] == [np.sign(x.strides[a]) for a in moving]


@given(st.sampled_from(LAYOUTS), st.integers(0, 3))
def test_layouts_keep_values_but_for_stride_0(layout, rank):
    x = np.arange(2.0**rank).reshape((2,) * rank)
    assert laid_out(x, layout).shape == x.shape
    if layout != "stride 0":
        np.testing.assert_array_equal(laid_out(x, layout), x)


def test_code_writes_what_is_not_finite():
    x = np.array([np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(eval(code(x), {"np": np}), x)
