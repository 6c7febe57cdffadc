"""A plan computes what `run` computes, whatever the program, the shapes and the passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.plan.passes import PASSES

from .programs import Program, programs


def assert_like_run(program: Program, passes: Any = PASSES) -> None:
    inputs, outputs, arrays = program
    compiled = mg.function(inputs, outputs, passes=passes)
    reference = mg.run(outputs, dict(zip(inputs, arrays, strict=True)))
    for _ in range(2):
        for node, got in zip(outputs, compiled(*arrays), strict=True):
            assert_close(got, reference[node])


def assert_close(got: Any, want: Any) -> None:
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    assert np.array_equal(np.isnan(got), np.isnan(want))
    infinite = np.isinf(want)
    assert np.array_equal(got[infinite], want[infinite])
    finite = np.isfinite(want)
    assert np.array_equal(finite, np.isfinite(got))
    if finite.any():
        eps = np.finfo(want.dtype).eps
        scale = np.max(np.abs(want[finite])) + 1
        assert np.max(np.abs(got[finite] - want[finite])) <= 2000 * eps * scale


@given(programs())
@settings(max_examples=150, deadline=None)
def test_equals_run(program: Program) -> None:
    assert_like_run(program)


@given(programs(special=True))
@settings(max_examples=150, deadline=None)
def test_nan_and_inf_are_where_run_has_them(program: Program) -> None:
    assert_like_run(program)


@given(programs(), st.sets(st.sampled_from(PASSES)))
@settings(max_examples=100, deadline=None)
def test_any_choice_of_passes(program: Program, passes: set[str]) -> None:
    assert_like_run(program, passes)
