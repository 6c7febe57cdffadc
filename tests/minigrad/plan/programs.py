"""Random programs for the plan: cells of random primitives, unrolled over a random number of steps, with gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import minigrad as mg


class Program(NamedTuple):
    """Inputs and outputs of a random graph, and arrays to feed it."""

    inputs: list[mg.Node]
    outputs: list[mg.Node]
    arrays: list[np.ndarray[Any, Any]]


_UNARY = [mg.tanh, mg.sigmoid, mg.relu, lambda x: -x, lambda x: mg.exp(mg.tanh(x)), np.abs, lambda x: x * x, mg.sin]
_BINARY = [
    lambda x, y: x + y,
    lambda x, y: x * y,
    lambda x, y: x - y,
    mg.maximum,
    lambda x, y: x / (y * y + 1.5),
    lambda x, y: mg.where(x > y, x, 0.5 * y),
]


@st.composite
def programs(draw: Any, max_steps: int = 5, special: bool = False) -> Program:
    """An unrolled cell of a few random ops over states `(B, H)`, its loss and the gradients of all leaves.

    With `special`, some elements fed are NaN or infinite.
    """
    steps, batch, size = draw(st.integers(1, max_steps)), draw(st.integers(0, 3)), draw(st.integers(1, 4))
    if draw(st.integers(0, 9)) == 0:
        size = 0
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def leaf(*shape: int) -> np.ndarray[Any, Any]:
        return rng.uniform(-1, 1, shape).astype(dtype)

    x = mg.input((steps, batch, size), dtype=dtype, name="x")
    first = mg.input((batch, size), dtype=dtype, name="h")
    weights = [mg.parameter(leaf(size, 2 * size)), mg.parameter(leaf(2 * size, size)), mg.parameter(leaf(2 * size))]
    cell = draw(st.lists(st.tuples(st.integers(0, 11), *[st.integers(0, 30)] * 3), min_size=1, max_size=9))
    state = [first, mg.constant(np.zeros((batch, size), dtype))]
    kept = []
    for t in range(steps):
        state = _step(cell, x[t], state, weights, size)
        kept.append(state[0])
    outputs = [mg.stack(kept), mg.sum(state[0] * state[0])]
    per_step = draw(st.booleans())
    loss = sum((mg.sum(h * h) for h in kept), start=mg.sum(state[1])) if per_step else outputs[1] + mg.sum(state[1])
    sources = [x, first, *weights]
    outputs += [loss, *mg.grad(loss, sources, unreachable="zero")]
    outputs += draw(st.lists(st.sampled_from([*kept, *outputs]), max_size=2))
    arrays = [leaf(steps, batch, size), leaf(batch, size)]
    if special:
        for array in arrays:
            spots = rng.random(array.shape) < 0.1
            array[spots] = rng.choice(np.array([np.nan, np.inf, -np.inf, 0.0], dtype), int(spots.sum()))
    return Program([x, first], outputs, arrays)


def _step(cell: Any, x: mg.Node, state: list[mg.Node], weights: list[mg.Node], size: int) -> list[mg.Node]:
    w, v, b = weights
    pool = [x, *state]
    for kind, i, j, k in cell:
        p, q = pool[i % len(pool)], pool[j % len(pool)]
        if kind <= 2:
            wide = p @ w + b if kind else p @ v.T + b + q @ w
            pool += [_UNARY[k % 3](wide[:, :size]), _UNARY[k % 3](wide[:, size:])]
        elif kind == 3:
            pool.append(mg.concatenate([p, q], axis=1) @ v)
        elif kind == 4:
            pool.append((p.T.reshape(-1, 1) * 0.5).reshape(size, -1).T if p.size else p * 0.5)
        elif kind == 5:
            pool.append(p - p.mean(axis=0) if p.shape[0] else p)
        elif kind == 6:
            pool.append(p * q.sum(axis=1, keepdims=True))
        elif kind <= 8:
            pool.append(_UNARY[k % len(_UNARY)](p))
        else:
            pool.append(_BINARY[k % len(_BINARY)](p, q))
    return [mg.tanh(pool[-1]), pool[-2] * 0.9 if len(pool) > 3 else state[1]]
