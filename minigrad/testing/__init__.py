"""Gradient checks that notice. This page teaches how to test a gradient, and measures what each method misses.

Needs hypothesis (`pip install minigrad[test]`). What is here: `check_gradient` for any function and any vjp
(`from_torch` makes the two of a torch function), `check_op` for an op, `check_graph` and `assert_same_function` for
graphs, the oracles `complex_step` and `difference`, the strategies `arrays`, `shapes`, `broadcastable_shapes` and
`graphs`, and `mutants` with `kill_rate`, which check the checks. Of recurrent nets see `rnn.testing`. A failure names
the law, the simplest input, the element, both numbers, and one line that fails in the same way when it is pasted.

**1. Differences lose small derivatives.** Perturb, subtract, divide: what the subtraction leaves is the rounding of
the function's value, and a derivative far below that value drowns. Take the state of a recurrent net after 20 steps, of
size 0.5, as a function of its state 19 steps before. Its derivative is 6e-8, known in closed form. Digits that each
method gets right, measured here and now:

>>> import numpy as np
>>> from minigrad.testing import *
>>> print(digits_right())
one-sided difference     1
central difference       4
six-point difference     6
complex step            15

The complex step takes no difference, so nothing is lost: those are all the digits there are. It asks that f be analytic
and take complex arrays. Where f is not, or does not, the checks of this package fall back on the six points, and widen
by the error that refining the step shows:

>>> def f(h):
...     for _ in range(19):
...         h = np.tanh(0.6 * h + 0.3)
...     return h
>>> x = np.array(0.2)
>>> exact = complex_step(f, x)
>>> bool(abs(difference(f, x) - exact) < difference(f, x).error < 1e-3 * exact)
True

**2. A tolerance must have a size.** `allclose` with atol=1e-6 accepts any wrong derivative smaller than that:

>>> bool(np.allclose(0.0, exact, atol=1e-6))
True

Here numbers are compared relative to themselves, or to the sum of the absolute terms they were added up from.

**3. Inputs matter more than tolerances.** A scatter that writes `=` for `+=` is right wherever no index repeats:

>>> import minigrad as mg
>>> wrong = next(m for m in mutants(mg.ops.gather) if m.mutation == "= for +=")
>>> rng = np.random.default_rng(0)
>>> for _ in range(50):                                         # random numbers, distinct positions: no alarm
...     check_op(wrong, args=[rng.standard_normal(5), rng.permutation(5)], params={"lead": 0}, second=False)
>>> check_op(wrong, shrink=False)                               # repeats by construction
Traceback (most recent call last):
    ...
minigrad.testing.failure.GradientFailure: gather (mutant: = for +=): ...

So `arrays` makes ties, zeros, saturation, sizes 0 and 1 and strange memory layouts on purpose, and checks that take an
input of yours also try it with zeros, ties and saturation put in.

**4. Laws find what numbers do not.** A vjp is linear in its seed, gives the same answer twice, writes into nothing and
shares no memory. None of these needs an oracle:

>>> kept = {}
>>> def remembers(x, seed):
...     return seed * kept.setdefault("slope", np.cos(x))
>>> try:
...     check_gradient(np.sin, np.array([0.5, 2.0]), remembers)
... except AssertionError as failure:
...     print("noticed")
noticed

**5. Part by part.** A sum of many parts hides a small one. Gradients of recurrent nets are such sums, over lags: of 60
lags, the last seven may agree with all to six digits. `rnn.testing.check_bptt` demands each lag relative to itself, and
the page of `rnn.testing` measures how many lags the other methods do without.

**6. Check the check.** Break rules in the ways in which rules get broken, and see what a test makes of it. So many of
the broken rules of six ops go unnoticed by each method:

>>> print(what_methods_miss())
                       planted  one-sided    central    complex degenerate   check_op
negate                       6          -          -          -          -          -
double                       6          -          -          -          -          -
zero                         6          -          -          -          -          -
absent                       6          -          -          -          -          -
ignore the seed              6          -          -          -          -          -
swap arguments               2          -          -          -          -          -
drop one use                 2          2          2          2          2          -
= for +=                     3          2          2          2          -          -
skip un-broadcasting         1          1          1          1          -          -
transpose                    6          -          -          -          -          -
f(x) for x                   3          1          1          1          -          -
last-step value              4          -          -          -          -          -
stale on second call         5          5          5          5          1          -
mutate the seed              6          6          6          6          6          -
float32 leak                 6          6          6          -          -          -
drop early steps             6          1          1          1          1          -
negate the push              6          6          6          6          6          -
together                    80         30         30         24         16          -

The first three look once, in one direction, at one random input, as most checkers do: differences, then the complex
step. The fourth does so at degenerate inputs too. `kill_rate(test, op)` says the same of a test of yours:

>>> def test_tanh():
...     x = mg.parameter(0.5)
...     assert np.allclose(mg.grad(mg.tanh(x), x).eval(), 1 - np.tanh(0.5) ** 2)
>>> rate = kill_rate(test_tanh, mg.ops.tanh)
>>> "double" in rate.killed, "float32 leak" in rate.survivors, rate < 0.95
(True, True, True)
"""

from .cases import CASES, Case, cases_for
from .failure import Finding, GradientFailure, on_failure
from .gradients import check_gradient
from .graphs import assert_same_function, check_graph
from .methods import digits_right, what_methods_miss
from .mutation import MUTATIONS, KillRate, kill_rate, mutants, planted
from .ops import check_op
from .oracles import Estimate, complex_step, difference
from .peers import from_torch
from .profiles import PROFILES, Profile
from .programs import Program, graphs
from .strategies import arrays, broadcastable_shapes, shapes
from .subject import Subject

__all__ = [
    "CASES",
    "MUTATIONS",
    "PROFILES",
    "Case",
    "Estimate",
    "Finding",
    "GradientFailure",
    "KillRate",
    "Profile",
    "Program",
    "Subject",
    "arrays",
    "assert_same_function",
    "broadcastable_shapes",
    "cases_for",
    "check_gradient",
    "check_graph",
    "check_op",
    "complex_step",
    "difference",
    "digits_right",
    "from_torch",
    "graphs",
    "kill_rate",
    "mutants",
    "on_failure",
    "planted",
    "shapes",
    "what_methods_miss",
]
