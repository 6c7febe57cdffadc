"""Gradient checks that notice. This page teaches how to test a gradient, and measures what each method misses.

Needs hypothesis (`pip install minigrad[test]`). What is here: `check_gradient` for any function and any vjp, `check_op`
for an op, `check_graph` and `assert_same_function` for graphs, the oracles `complex_step` and `difference`, the
strategies `arrays`, `shapes`, `broadcastable_shapes` and `graphs`, and `mutants` with `kill_rate`, which check the
checks. Of recurrent nets see `rnn.testing`.

**1. Differences lose small derivatives.** Perturb, subtract, divide: what the subtraction leaves is the rounding of
the function's value, and a derivative far below that value drowns. Here is the state of a recurrent net after 20 steps,
of size 0.5, as a function of its state 19 steps before; the derivative is 6e-8, known in closed form. Digits right:

>>> import numpy as np
>>> from minigrad.testing import *
>>> def after_19_steps(h):
...     for _ in range(19):
...         h = np.tanh(0.6 * h + 0.3)
...     return h
>>> h, slope = 0.2, 1.0
>>> for _ in range(19):
...     h = np.tanh(0.6 * h + 0.3)
...     slope *= 0.6 / np.cosh(np.arctanh(h)) ** 2
>>> def digits(estimate):
...     return -np.log10(abs(float(estimate) / slope - 1) + 1e-17)
>>> x, f = np.array(0.2), after_19_steps
>>> bool(slope < 1e-7), bool(f(x) > 0.5)
(True, True)
>>> bool(digits((f(x + 1e-8) - f(x)) / 1e-8) < 3)               # one-sided: 1
True
>>> bool(digits((f(x + 1e-5) - f(x - 1e-5)) / 2e-5) < 6)        # central: 4
True
>>> bool(5 < digits(difference(f, x)) < 10)                     # six points: 6, and an estimate of the error
True
>>> bool(digits(complex_step(f, x)) > 13)                       # the complex step: 15, which is all of them
True

The complex step takes no difference, so nothing is lost; it asks that f be analytic and take complex arrays. Where f is
not, or does not, the checks of this package fall back on the stencil, and widen by the error it estimates.

**2. A tolerance must have a size.** `allclose` with atol=1e-6 accepts any wrong derivative smaller than that:

>>> bool(np.allclose(0.0, slope, atol=1e-6))
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
lags, the last seven may agree with all to six digits. `rnn.testing.check_bptt` demands each lag relative to itself.

**6. Check the check.** How many broken rules would your test notice? Measured here and now, the mutants of tanh that
survive each method:

>>> def central(op, point=0.5, atol=1e-4):
...     x = mg.parameter(point)
...     slope = (np.tanh(point + 1e-5) - np.tanh(point - 1e-5)) / 2e-5
...     assert np.allclose(mg.grad(op(x), x).eval(), slope, atol=atol)
>>> def at_saturation(op):
...     central(op, 25.0)
>>> def ladder(op):
...     check_op(op, shrink=False, second=False)
>>> for method in (central, at_saturation, ladder):
...     rate = kill_rate(method, mg.ops.tanh)
...     print(f"{method.__name__:14}", "misses", "some" if rate.survivors else "none", "double" in rate.survivors)
central        misses some False
at_saturation  misses some True
ladder         misses none False
"""

from .cases import CASES, Case, cases_for
from .failure import Finding, GradientFailure, on_failure
from .gradients import check_gradient
from .graphs import assert_same_function, check_graph
from .laws import Subject
from .mutation import MUTATIONS, KillRate, kill_rate, mutants, planted
from .ops import check_op
from .oracles import Estimate, complex_step, difference
from .peers import from_torch
from .profiles import PROFILES, Profile
from .programs import Program, graphs
from .strategies import arrays, broadcastable_shapes, shapes

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
    "from_torch",
    "graphs",
    "kill_rate",
    "mutants",
    "on_failure",
    "planted",
    "shapes",
]
