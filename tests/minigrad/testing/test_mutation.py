"""The kit is checked: broken rules are noticed, and the gate on this project's own ops holds."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops.core import REGISTRY
from minigrad.ops.leaves import Leaf
from minigrad.testing import MUTATIONS, PROFILES, GradientFailure, check_op, kill_rate, mutants, planted
from minigrad.testing.cases import cases_for_op

OPS = sorted(name for name, op in REGISTRY.items() if not isinstance(op, Leaf))
# Results that are booleans or positions, and predicates of one argument: there is no rule to break.
WITHOUT_A_RULE = {
    "argmax", "argmin", "argsort", "equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less",
    "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "not_equal", "signbit",
}  # fmt: skip
# Op -> mutation -> why check_op need not notice it. Empty is how it should stay.
SURVIVORS: dict[str, dict[str, str]] = {}


# The gate is that the quick profile notices them, in whatever profile it is run.
QUICK = PROFILES["quick"].examples


def ladder(op):
    check_op(op, shrink=False, second=False, max_examples=QUICK)


@pytest.mark.parametrize("name", OPS)
def test_the_ladder_kills_the_mutants_of_every_op(name):
    ladder(REGISTRY[name])
    rate = kill_rate(ladder, REGISTRY[name], cases_for_op(REGISTRY[name], QUICK))
    excused = SURVIVORS.get(name, {})
    assert set(rate.survivors) <= set(excused), rate
    assert rate >= 0.95, rate
    assert bool(rate.killed) == (name not in WITHOUT_A_RULE)


def test_every_mutation_breaks_some_op():
    rest = set(MUTATIONS)
    for name in ("tanh", "mul", "sum", "matmul", "gather", "power"):
        rest -= {mutant.mutation for mutant in mutants(REGISTRY[name])}
    assert rest == set()


def test_a_mutant_is_an_op_and_the_registered_one_is_left_alone():
    negated = next(m for m in mutants(mg.ops.tanh) if m.mutation == "negate")
    x = mg.parameter(0.0)
    assert mg.grad(negated(x), x).eval() == -1.0
    assert mg.grad(mg.tanh(x), x).eval() == 1.0
    assert REGISTRY["tanh"] is mg.ops.tanh
    with pytest.raises(GradientFailure, match=r"tanh \(mutant: negate\)"):
        check_op(negated)


def test_a_planted_mutant_reaches_everything_and_leaves_again():
    negated = next(m for m in mutants(mg.ops.tanh) if m.mutation == "negate")
    x = mg.parameter(0.0)
    with planted(negated):
        assert mg.grad(np.tanh(x), x).eval() == -1.0
    assert mg.grad(np.tanh(x), x).eval() == 1.0


def test_the_rate_names_what_a_weak_test_lets_pass():
    def weak(op):
        x = mg.parameter(0.5)
        assert mg.grad(op(x), x).eval() > 0

    rate = kill_rate(weak, mg.ops.tanh)
    assert "negate" in rate.killed
    assert {"double", "x for f(x)"} & set(rate.survivors)
    assert 0 < rate < 0.95
    assert f"{len(rate.killed)} of" in str(rate)


def test_random_continuous_inputs_miss_what_degenerate_ones_find():
    def random_inputs(op):
        rng = np.random.default_rng(0)
        x, i = rng.standard_normal((5, 2)), np.array([3, 0, 1])
        check_op(op, args=[x, i], params={"lead": 0})

    assert "= for +=" in kill_rate(random_inputs, mg.ops.gather).survivors
    assert "= for +=" in kill_rate(ladder, mg.ops.gather).killed


def test_any_exception_is_a_notice_and_a_test_without_arguments_meets_the_planted_mutant():
    def fails_in_its_own_way():
        if mg.grad(mg.tanh(x := mg.parameter(0.5)), x).eval() < 0:
            raise ZeroDivisionError

    assert kill_rate(fails_in_its_own_way, mg.ops.tanh).killed == ["negate", "absent"]
