"""The same LSTM, loss and gradients in other libraries, each in its own idiom; libraries not installed are left out.

Every contender returns `(loss, [dW_ih, dW_hh, db_ih, db_hh])`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

Weights = list[Any]
Contender = Callable[[], tuple[Any, list[Any]]]


def contenders(x: Any, weights: Weights) -> dict[str, Contender]:
    """Name -> a call that computes the loss and all weight gradients."""
    found: dict[str, Contender] = {}
    if find_spec("torch"):
        found |= _torch(x, weights)
    if find_spec("jax"):
        found |= _jax(x, weights)
    if find_spec("autograd"):
        found |= _autograd(x, weights)
    if find_spec("mygrad"):
        found |= _mygrad(x, weights)
    return found


def _torch(x: Any, weights: Weights) -> dict[str, Contender]:
    import torch

    torch.set_num_threads(1)
    xs = torch.from_numpy(x)
    _, batch, size = x.shape
    parameters = [torch.from_numpy(w.copy()).requires_grad_() for w in weights]
    w_ih, w_hh, b_ih, b_hh = parameters

    def gradients(loss: Any, sources: Any) -> tuple[Any, list[Any]]:
        return loss.detach().numpy(), [g.numpy() for g in torch.autograd.grad(loss, sources)]

    def primitives() -> tuple[Any, list[Any]]:
        h = c = torch.zeros(batch, size)
        for x_t in xs:
            i, f, g, o = (x_t @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return gradients(0.5 * (h * h).sum(), parameters)

    module = torch.nn.LSTM(size, size)
    with torch.no_grad():
        for own, given in zip(module.parameters(), weights, strict=True):
            own.copy_(torch.from_numpy(given))

    def fused() -> tuple[Any, list[Any]]:
        h = module(xs)[1][0]
        return gradients(0.5 * (h * h).sum(), list(module.parameters()))

    return {"torch eager, primitives": primitives, "torch nn.LSTM": fused}


def _cell(xp: Any, sigmoid: Any, x_t: Any, h: Any, c: Any, weights: Weights) -> tuple[Any, Any]:
    w_ih, w_hh, b_ih, b_hh = weights
    size = h.shape[1]
    pre = xp.matmul(x_t, w_ih.T) + b_ih + xp.matmul(h, w_hh.T) + b_hh
    i, f = sigmoid(pre[:, :size]), sigmoid(pre[:, size : 2 * size])
    g, o = xp.tanh(pre[:, 2 * size : 3 * size]), sigmoid(pre[:, 3 * size :])
    c = f * c + i * g
    return o * xp.tanh(c), c


def _jax(x: Any, weights: Weights) -> dict[str, Contender]:
    import jax
    import jax.numpy as jnp

    zeros = np.zeros((x.shape[1], x.shape[2]), np.float32)

    def loss(weights: Weights, xs: Any) -> Any:
        def step(state: Any, x_t: Any) -> tuple[Any, None]:
            return _cell(jnp, jax.nn.sigmoid, x_t, *state, weights), None

        h = jax.lax.scan(step, (zeros, zeros), xs)[0][0]
        return 0.5 * jnp.sum(h * h)

    compiled = jax.jit(jax.value_and_grad(loss))

    def scan() -> tuple[Any, list[Any]]:
        value, gradients = compiled(weights, x)
        return value, [np.asarray(g) for g in gradients]

    return {"jax jit scan": scan}


def jax_unrolled(x: Any, weights: Weights) -> Contender:
    """jax on the unrolled graph, where the first call compiles every step. Raises ImportError without jax."""
    import jax
    import jax.numpy as jnp

    zeros = np.zeros((x.shape[1], x.shape[2]), np.float32)

    def loss(weights: Weights, xs: Any) -> Any:
        h, c = zeros, zeros
        for x_t in xs:
            h, c = _cell(jnp, jax.nn.sigmoid, x_t, h, c, weights)
        return 0.5 * jnp.sum(h * h)

    compiled = jax.jit(jax.value_and_grad(loss))

    def call() -> tuple[Any, list[Any]]:
        value, gradients = compiled(weights, x)
        return value, [np.asarray(g) for g in gradients]

    return call


def _autograd(x: Any, weights: Weights) -> dict[str, Contender]:
    import autograd
    import autograd.numpy as anp

    zeros = np.zeros((x.shape[1], x.shape[2]), np.float32)

    def loss(weights: Weights) -> Any:
        h, c = zeros, zeros
        for x_t in x:
            h, c = _cell(anp, lambda z: 1 / (1 + anp.exp(-z)), x_t, h, c, weights)
        return 0.5 * anp.sum(h * h)

    compute = autograd.value_and_grad(loss)
    return {"autograd": lambda: compute(weights)}


def _mygrad(x: Any, weights: Weights) -> dict[str, Contender]:
    import mygrad

    zeros = np.zeros((x.shape[1], x.shape[2]), np.float32)

    def compute() -> tuple[Any, list[Any]]:
        tensors = [mygrad.tensor(w) for w in weights]
        h, c = mygrad.tensor(zeros, constant=True), mygrad.tensor(zeros, constant=True)
        for x_t in x:
            h, c = _cell(mygrad, lambda z: 1 / (1 + mygrad.exp(-z)), x_t, h, c, tensors)
        loss = 0.5 * mygrad.sum(h * h)
        loss.backward()
        return loss.data, [tensor.grad for tensor in tensors]

    return {"MyGrad": compute}
