"""LSTM backpropagation through time written by hand in NumPy, loss = 0.5 |h_T|^2: what a plan is measured against.

`fused` is what a good engineer writes: one product for all input projections, the four gates in one array, one product
for each weight gradient. `min_char_style` is the loop most people start from: one step at a time, a product each.
Gates are in the order i, f, g, o; weights are (4H, I) and (4H, H), and both biases (4H,).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def weights(inputs: int, hidden: int, dtype: Any = np.float32, seed: int = 0) -> list[Array]:
    """W_ih, W_hh, b_ih, b_hh, uniform in 1 / sqrt(H)."""
    rng = np.random.default_rng(seed)
    bound = hidden**-0.5
    shapes = [(4 * hidden, inputs), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,)]
    return [rng.uniform(-bound, bound, shape).astype(dtype) for shape in shapes]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def fused(x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> tuple[Any, list[Array]]:
    """The loss and the gradients of the four weights; x is (T, B, I)."""
    steps, batch, inputs = x.shape
    hidden = w_hh.shape[1]
    flat = x.reshape(steps * batch, inputs)
    gates = (flat @ w_ih.T + (b_ih + b_hh)).reshape(steps, batch, 4 * hidden)
    h = np.zeros((steps + 1, batch, hidden), x.dtype)
    c = np.zeros_like(h)
    tanh_c = np.empty((steps, batch, hidden), x.dtype)
    for t in range(steps):
        gate = gates[t]
        gate += h[t] @ w_hh.T
        gate[:, : 2 * hidden] = _sigmoid(gate[:, : 2 * hidden])
        gate[:, 2 * hidden : 3 * hidden] = np.tanh(gate[:, 2 * hidden : 3 * hidden])
        gate[:, 3 * hidden :] = _sigmoid(gate[:, 3 * hidden :])
        i, f, g, o = (gate[:, k * hidden : (k + 1) * hidden] for k in range(4))
        c[t + 1] = f * c[t] + i * g
        tanh_c[t] = np.tanh(c[t + 1])
        h[t + 1] = o * tanh_c[t]
    d_gates = np.empty_like(gates)
    dh = h[steps].copy()
    dc = np.zeros_like(dh)
    for t in reversed(range(steps)):
        i, f, g, o = (gates[t, :, k * hidden : (k + 1) * hidden] for k in range(4))
        dc += dh * o * (1 - tanh_c[t] ** 2)
        d = d_gates[t]
        d[:, :hidden] = dc * g * i * (1 - i)
        d[:, hidden : 2 * hidden] = dc * c[t] * f * (1 - f)
        d[:, 2 * hidden : 3 * hidden] = dc * i * (1 - g * g)
        d[:, 3 * hidden :] = dh * tanh_c[t] * o * (1 - o)
        dh = d @ w_hh
        dc *= f
    tall = d_gates.reshape(steps * batch, 4 * hidden)
    bias = tall.sum(axis=0)
    return 0.5 * np.sum(h[steps] ** 2), [tall.T @ flat, tall.T @ h[:-1].reshape(steps * batch, hidden), bias, bias]


def min_char_style(x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> tuple[Any, list[Array]]:
    """The same numbers, one step at a time, in the style of the min-char programs."""
    steps, batch, _ = x.shape
    hidden = w_hh.shape[1]
    hs, cs, saved = {-1: np.zeros((batch, hidden), x.dtype)}, {-1: np.zeros((batch, hidden), x.dtype)}, {}
    for t in range(steps):
        pre = x[t] @ w_ih.T + b_ih + hs[t - 1] @ w_hh.T + b_hh
        i, f = _sigmoid(pre[:, :hidden]), _sigmoid(pre[:, hidden : 2 * hidden])
        g, o = np.tanh(pre[:, 2 * hidden : 3 * hidden]), _sigmoid(pre[:, 3 * hidden :])
        cs[t] = f * cs[t - 1] + i * g
        tanh_c = np.tanh(cs[t])
        hs[t] = o * tanh_c
        saved[t] = i, f, g, o, tanh_c
    dw_ih, dw_hh, db_ih, db_hh = (np.zeros_like(w) for w in (w_ih, w_hh, b_ih, b_hh))
    dh, dc = hs[steps - 1].copy(), np.zeros((batch, hidden), x.dtype)
    for t in reversed(range(steps)):
        i, f, g, o, tanh_c = saved[t]
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        di, df, dg, do = dc * g, dc * cs[t - 1], dc * i, dh * tanh_c
        d = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o)], axis=1)
        dw_ih += d.T @ x[t]
        dw_hh += d.T @ hs[t - 1]
        db_ih += d.sum(axis=0)
        db_hh += d.sum(axis=0)
        dh = d @ w_hh
        dc = dc * f
    return 0.5 * np.sum(hs[steps - 1] ** 2), [dw_ih, dw_hh, db_ih, db_hh]
