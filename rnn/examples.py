"""Three worked examples, with their numbers.

**The four paths of dE_3/dW.** Lectures write the gradient of the fourth step's loss as a sum over the steps k at which
W was used: dE_3/dW = sum over k of dE_3/ds_3 (prod over j = k+1 ... 3 of ds_j/ds_{j-1}) d+s_k/dW. Here d+ is the
immediate partial, with s_{k-1} held fixed; without that, terms count twice.

>>> import numpy as np
>>> import minigrad as mg, rnn
>>> model = rnn.RNN(1, 1, rng=0)
>>> for name, value in (("weight_hh_l0", 0.9), ("weight_ih_l0", 0.5), ("bias_ih_l0", 0.0), ("bias_hh_l0", 0.0)):
...     model.parameters[name].assign(np.full(model.parameters[name].shape, value))
>>> net = rnn.unroll(model, np.array([0.5, -0.3, 0.8, 0.1]).reshape(4, 1, 1), state=np.full((1, 1, 1), 0.4))
>>> loss = 0.5 * mg.sum((net.steps[3].h - 1.0) ** 2)
>>> table = rnn.bptt([loss], model.parameters["weight_hh_l0"], net)
>>> for k in range(4):
...     print(f"use at step {k}: {table.gradient[0][k].item():+.6f}, share {table.share[0, k]:.3f}")
use at step 0: -0.039516, share 0.101
use at step 1: -0.084850, share 0.217
use at step 2: -0.063494, share 0.163
use at step 3: -0.202746, share 0.519

The same by the formula, in plain Python: the state, its slope 1 - s^2, and the products.

>>> s = [0.4]
>>> for x in (0.5, -0.3, 0.8, 0.1):
...     s.append(np.tanh(0.9 * s[-1] + 0.5 * x))
>>> for k in range(4):
...     product = np.prod([0.9 * (1 - s[j + 1] ** 2) for j in range(k + 1, 4)])
...     print(f"{(s[4] - 1) * product * (1 - s[k + 1] ** 2) * s[k]:+.6f}")
-0.039516
-0.084850
-0.063494
-0.202746
>>> print(table.proof().terms, table.proof().relative < 1e-14)
4 True

**The conveyor belt.** An LSTM carries the gradient along its cell state; how much of it depends on the recurrent
weights. With weights as they are drawn most of the gradient stays on c, or never leaves its step. With recurrent
weights six times as large it goes by the hidden state, and what h-detach would stop is larger than what it would keep.

>>> for scale in (1.0, 6.0):
...     rng = np.random.default_rng(0)
...     model = rnn.LSTM(2, 8, forget_bias=1.0, rng=rng)
...     weight = model.parameters["weight_hh_l0"]
...     weight.assign(scale * weight.value)
...     net = rnn.unroll(model, rng.normal(size=(20, 1, 2)))
...     print(rnn.lanes(mg.sum(net.steps[-1].h * rng.normal(size=(1, 8))), weight, net))
lstm: within 28.1 %, c 61.3 %, h 1.86 %, changing 8.76 % of the gradient; h-detach ratio 0.29
lstm: within 5.6 %, c 11.2 %, h 0.468 %, changing 82.8 % of the gradient; h-detach ratio 3.2

**Growing before vanishing.** W = [[.5, 10], [0, .5]] has spectral radius 0.5, so its powers vanish; its largest
singular value is 10, so at first they grow. Eigenvalues say what happens in the end, singular values what may happen
now.

>>> model = rnn.RNN(1, 2, activation="identity", rng=0)
>>> model.parameters["weight_hh_l0"].assign([[0.5, 10.0], [0.0, 0.5]])
>>> jacobian = rnn.jacobians(rnn.unroll(model, np.zeros((16, 1, 1))))
>>> [float(f"{10**size:.5g}") for size in jacobian.log10_norm[[0, 1, 2, 3, 4, 8, 16]]]
[1.0, 10.025, 10.006, 7.5021, 5.0008, 0.62502, 0.0048829]
>>> float(f"{jacobian.bound:.5g}"), [float(f"{value:.5g}") for value in jacobian.singular_values[0, 0]]
(10.025, [10.025, 0.024938])
>>> jacobian.diagnosis().verdict, jacobian.diagnosis().cause, round(jacobian.half_life, 1)
('vanishes', 'weights', 1.3)
"""
