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


def table(x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> tuple[Array, Array]:
    """The norms and the shares of the (t, k) table of `rnn.bptt`, for W_hh and the losses |h_t|^2, T x T each.

    The cotangents of all losses go back together, in arrays that are written once and reused; a norm is that of
    h^T delta, for which the triangular factor of h stands, and a share needs the whole gradient first.
    """
    steps, batch, _ = x.shape
    hidden = w_hh.shape[1]
    kinds = slice(0, 3)  # i, f and g get their cotangents from c, o from h
    h, partials, through, kept = _local_derivatives(x, w_ih, w_hh, b_ih, b_hh)
    whole = np.zeros_like(w_hh)
    dh, dc = np.zeros((2, batch, hidden), x.dtype)
    for k in reversed(range(steps)):
        dh = dh + 2 * h[k + 1]
        dc = dc + dh * through[k]
        d = np.concatenate([dc[:, None] * partials[k, :, kinds], (dh * partials[k, :, 3])[:, None]], 1)
        whole += d.reshape(batch, -1).T @ h[k]
        dh, dc = d.reshape(batch, -1) @ w_hh, dc * kept[k]
    direction = whole / np.sum(whole * whole)
    triangles = np.linalg.qr(np.swapaxes(h, 1, 2), mode="r")
    norm, share = np.zeros((2, steps, steps))
    dh, dc, spare = np.zeros((3, steps, batch, hidden), x.dtype)
    delta = np.empty((steps, batch, 4, hidden), x.dtype)
    product = np.empty((steps, min(batch, hidden), 4 * hidden), x.dtype)
    for k in reversed(range(steps)):
        rows = slice(k, steps)
        count = steps - k
        dh[k] += 2 * h[k + 1]
        dc[rows] += np.multiply(dh[rows], through[k], out=spare[rows])
        np.multiply(dc[rows][:, :, None], partials[k, :, kinds], out=delta[rows, :, kinds])
        np.multiply(dh[rows], partials[k, :, 3], out=delta[rows, :, 3])
        flat = delta[rows].reshape(count, batch, 4 * hidden)
        inner = np.matmul(triangles[k], flat, out=product[rows]).reshape(count, -1)
        norm[rows, k] = np.sqrt(np.vecdot(inner, inner))
        share[rows, k] = flat.reshape(count, -1) @ (h[k] @ direction.T).ravel()
        np.matmul(flat.reshape(-1, 4 * hidden), w_hh, out=dh[rows].reshape(-1, hidden))
        dc[rows] *= kept[k]
    return norm, share


def _local_derivatives(x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> tuple[Array, ...]:
    """h (T+1, B, H); d gates / d sums (T, B, 4, H), from c for i, f, g and from h for o; dc/dh; dc_t/dc_{t-1}."""
    steps, batch, _ = x.shape
    hidden = w_hh.shape[1]
    h = np.zeros((steps + 1, batch, hidden), x.dtype)
    c = np.zeros_like(h)
    partials = np.empty((steps, batch, 4, hidden), x.dtype)
    through, kept = np.empty((2, steps, batch, hidden), x.dtype)
    for t in range(steps):
        a = (x[t] @ w_ih.T + b_ih + h[t] @ w_hh.T + b_hh).reshape(batch, 4, hidden)
        i, f, o = (_sigmoid(a[:, gate]) for gate in (0, 1, 3))
        g = np.tanh(a[:, 2])
        c[t + 1] = f * c[t] + i * g
        tanh_c = np.tanh(c[t + 1])
        h[t + 1] = o * tanh_c
        through[t] = o * (1 - tanh_c * tanh_c)
        kept[t] = f
        partials[t, :, 0] = g * i * (1 - i)
        partials[t, :, 1] = c[t] * f * (1 - f)
        partials[t, :, 2] = i * (1 - g * g)
        partials[t, :, 3] = tanh_c * o * (1 - o)
    return h, partials, through, kept


def character_window(
    cell: str, read: Array, wanted: Array, states: list[Array], weights: list[Array]
) -> tuple[float, list[Array], list[Array]]:
    """Mean loss, gradients and last states of a character model (`cell` is "rnn" or "lstm"), one step at a time.

    `read` and `wanted` are codes (T, B); `weights` are those of the cell, then W and b of the readout.
    """
    w_ih, w_hh, b_ih, b_hh, w_y, b_y = weights
    batch, hidden = states[0].shape
    rows = np.arange(batch)
    h, c = states
    kept, loss = [], 0.0
    for codes, following in zip(read, wanted, strict=True):
        before = h, c
        pre = w_ih[:, codes].T + b_ih + h @ w_hh.T + b_hh
        if cell == "rnn":
            gates: tuple[Array, ...] = ()
            h = np.tanh(pre)
        else:
            i, f, o = (_sigmoid(pre[:, k * hidden : (k + 1) * hidden]) for k in (0, 1, 3))
            g = np.tanh(pre[:, 2 * hidden : 3 * hidden])
            c = f * c + i * g
            gates = i, f, g, o, np.tanh(c)
            h = o * gates[-1]
        logits = h @ w_y.T + b_y
        chances = np.exp(logits - logits.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        loss -= float(np.log(chances[rows, following]).sum())
        kept.append((codes, following, before, gates, h, chances))
    gradients = [np.zeros_like(w) for w in weights]
    dh = np.zeros_like(h)
    dc = np.zeros_like(h)
    for codes, following, (h_before, c_before), gates, h_now, chances in reversed(kept):
        chances[rows, following] -= 1
        dy = chances / wanted.size
        gradients[4] += dy.T @ h_now
        gradients[5] += dy.sum(0)
        dh = dh + dy @ w_y
        if cell == "rnn":
            d = dh * (1 - h_now * h_now)
        else:
            i, f, g, o, tanh_c = gates
            dc = dc + dh * o * (1 - tanh_c * tanh_c)
            parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g * g), dh * tanh_c * o * (1 - o)]
            d = np.concatenate(parts, axis=1)
            dc = dc * f
        np.add.at(gradients[0].T, codes, d)
        gradients[1] += d.T @ h_before
        gradients[2] += d.sum(0)
        gradients[3] += d.sum(0)
        dh = d @ w_hh
    return loss / wanted.size, gradients, [h, c]
