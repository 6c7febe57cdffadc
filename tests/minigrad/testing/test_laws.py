"""Each law by itself: a vjp that breaks it alone is refused by it, a right one passes."""

import numpy as np
import pytest

from minigrad.testing import GradientFailure, Subject
from minigrad.testing.laws import LADDER, check, contract, dot_test, one_hot_seeds, seed_laws, symmetry

X = np.array([0.5, -1.25, 2.0])


def subject(vjp, f=np.sin, x=X, **more):
    return Subject("f", ["x"], [x.copy()], lambda a: np.asarray(f(a[0])), lambda a, w: [vjp(a[0], w)], **more)


def right(x, w):
    return w * np.cos(x)


@pytest.mark.parametrize("law", LADDER, ids=lambda law: law.__name__)
def test_a_right_vjp_passes(law):
    check(subject(right), laws=[law])


def test_symmetry():
    # The derivative of this "gradient" of x_0 x_1 is antisymmetric.
    coupled = subject(lambda x, w: w * np.array([x[1], -x[0]]), lambda x: x[0] * x[1], X[:2])
    with pytest.raises(GradientFailure, match="symmetric"):
        check(coupled, laws=[symmetry])
    check(subject(lambda x, w: w * np.array([x[1], x[0]]), lambda x: x[0] * x[1], X[:2]), laws=[symmetry])


def test_dot_test():
    for wrong in (lambda x, w: right(x, w) * (1 + 1e-11), lambda x, w: w * np.sin(x)):
        with pytest.raises(GradientFailure):
            check(subject(wrong), laws=[dot_test])


def test_a_large_result_has_only_the_dot_test():
    # 65 results: no one-hot seeds.
    x = np.linspace(0.1, 1.0, 65)
    check(subject(right, x=x))
    with pytest.raises(GradientFailure, match=r"vjp\(seed\) is seed\^T J") as caught:
        check(subject(lambda x, w: right(x, w) * (1 + 1e-9 * (x > 0.98)), x=x))
    assert caught.value.finding.element == "d <seed, y> / d x[63]"


def test_one_hot_seeds_see_an_element_that_is_small_in_the_sum():
    # The first element is 1e-12 of the others: a dot product does not hear of it.
    scale = np.array([1e-12, 1.0, 1.0])

    def wrong(x, w):
        return scale * w * np.cos(x) * np.array([1.001, 1.0, 1.0])

    check(subject(wrong, lambda x: scale * np.sin(x)), laws=[dot_test])
    with pytest.raises(GradientFailure, match="one-hot seeds") as caught:
        check(subject(wrong, lambda x: scale * np.sin(x)), laws=[one_hot_seeds])
    assert caught.value.finding.element == "d y[0] / d x[0]"


@pytest.mark.parametrize(
    ("vjp", "said"),
    [
        (lambda x, w: np.sin(w) * np.cos(x), "linear in the seed"),
        (lambda x, w: right(x, w) + 1e-12, "a seed of zeros gives zeros"),
        (lambda x, w: w, "owns its memory"),
        (lambda x, w: x, "owns its memory"),
    ],
)
def test_seed_laws(vjp, said):
    with pytest.raises(GradientFailure, match=said):
        check(subject(vjp), laws=[seed_laws])


def test_a_seed_that_is_written_into_is_noticed_before_anything_else():
    def wrong(x, w):
        g = right(x, w)
        w[0] = 0
        return g

    with pytest.raises(GradientFailure, match="nothing is written into") as caught:
        check(subject(wrong), laws=[seed_laws])
    assert caught.value.finding.element == "the seed"


def test_contract():
    for vjp, said in (
        (lambda x, w: right(x, w)[:2], "shape"),
        (lambda x, w: right(x, w).astype(np.float32), "dtype"),
    ):
        with pytest.raises(GradientFailure, match=said):
            check(subject(vjp), laws=[contract])
    with pytest.raises(GradientFailure, match="float dtype"):
        check(subject(right, lambda x: np.arange(3)), laws=[contract])


def test_strict_grants_nothing_beyond_the_number_itself():
    x = np.array([12.0])

    def off(x, w):
        return w / np.cosh(x) ** 2 + 1e-16  # the rounding of tanh's own value

    check(subject(off, np.tanh, x), laws=[dot_test, one_hot_seeds])
    with pytest.raises(GradientFailure):
        check(subject(off, np.tanh, x, strict=True), laws=[one_hot_seeds])


def test_exact_grants_the_last_digits_of_the_input_but_of_no_value_on_the_way():
    def gates(x):
        return np.tanh(x[:1]) - np.tanh(x[1:])

    def pull(x, w):
        return w * (1 - np.tanh(x) ** 2) * np.array([1.0, -1.0])

    x = np.array([12.0, 12.0])
    check(subject(pull, gates, x), laws=[one_hot_seeds])
    with pytest.raises(GradientFailure):
        check(subject(pull, gates, x, exact=True), laws=[one_hot_seeds])


def test_at_a_kink_the_gradient_lies_between_the_slopes_where_that_is_asked():
    zero = np.zeros(1)
    for slope in (-1.0, 0.0, 0.5, 1.0):
        check(subject(lambda x, w, slope=slope: w * slope, np.abs, zero), laws=[one_hot_seeds])
    beyond = subject(lambda x, w: w * 1.5, np.abs, zero)
    with pytest.raises(GradientFailure, match="at a kink") as caught:
        check(beyond, laws=[one_hot_seeds])
    assert caught.value.finding.expected == pytest.approx(1.0, abs=0.01)
    check(subject(lambda x, w: w * 1.5, np.abs, zero, subgradients=False), laws=[one_hot_seeds])
