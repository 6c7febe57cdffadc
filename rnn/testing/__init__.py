"""Checks for gradients of recurrent nets: every lag has to be there.

>>> import numpy as np
>>> from rnn.testing import check_bptt
>>> def loss(xs, params):                       # h_t = w h_{t-1} + x_t, loss_t = h_t
...     h, losses = 0.0, []
...     for x in xs:
...         h = params["w"] * h + x
...         losses.append(h)
...     return np.array(losses)
>>> def gradient(xs, params, seed, window=None):
...     total, w = 0.0, params["w"]
...     for t in range(len(xs)):
...         slope, h = 0.0, loss(xs, params)
...         first = 0 if window is None else max(0, t + 1 - window)
...         for k in range(max(first, 1), t + 1):
...             slope += w ** (t - k) * h[k - 1]
...         total += seed[t] * slope
...     return {"w": np.asarray(total)}
>>> xs, params = np.linspace(1.0, 2.0, 12), {"w": np.array(0.5)}
>>> check_bptt(loss, gradient, xs, params)
>>> check_bptt(loss, lambda *call: gradient(*call, window=7), xs, params)    # doctest: +ELLIPSIS
Traceback (most recent call last):
    ...
minigrad.testing.failure.GradientFailure: loss: lag 7 is missing or wrong...

How many of its lags does a check demand? Of a tanh net of 60 steps the gradient is cut after ever fewer uses of the
recurrent weights, and so many have to be there, at spectral radii of 0.5, 0.9 and 1.1, for a check to be content:

>>> print(lags_demanded())                      # doctest: +NORMALIZE_WHITESPACE
0.5   0.9   1.1
central difference, 1e-6       8    12    13
complex step, 1e-9            12    18    18
complex step, 1e-12           15    21    22
check_bptt                    59    59    59

The first use meets the state 0, so 59 are all that count. A sum of lags tells nothing of a lag that is small in it.
"""

from .check import check_bptt
from .methods import lags_demanded
from .mutation import gradient_mutants
from .nets import Net, recurrent_nets

__all__ = ["Net", "check_bptt", "gradient_mutants", "lags_demanded", "recurrent_nets"]
