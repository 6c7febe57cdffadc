"""The (t, k) table against T backward passes of PyTorch, and the conserved flow against plain evaluation.

    python tests/benchmarks/bench_flow.py

Needs PyTorch for the first comparison (`pip install 'minigrad[bench]'`). Both sides run on one thread; each time is
the best processor time of several runs that alternate, so that a busy machine slows both alike. Exits with 1 where a
budget is missed.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
import rnn

sys.path.insert(0, str(Path(__file__).parent))
import by_hand

STEPS, BATCH, HIDDEN = 200, 8, 32
LONG = 1000
# Losses that PyTorch maps over at once: 130 MB of contributions in float64; more are hardly faster.
MAPPED = 20
PASSES = f"PyTorch eager, {STEPS} backward passes"

Table = np.ndarray  # (2, T, T): norms, shares


def seconds(*measured: Callable[[], Any], rounds: int = 3) -> list[float]:
    """The best processor time of each, rounds alternating, the cyclic garbage collector off as in timeit."""
    best = [float("inf")] * len(measured)
    for _ in range(rounds):
        for number, call in enumerate(measured):
            gc.collect()
            gc.disable()
            start = time.process_time()
            call()
            best[number] = min(best[number], time.process_time() - start)
            gc.enable()
    return best


def torch_tables(arrays: dict[str, np.ndarray], xs: np.ndarray) -> dict[str, Callable[[], Table]]:
    """The same norms and shares by PyTorch: a backward pass a loss, and several losses mapped over in one pass.

    Each step uses a copy of the weight of its own, so that its gradient is the contribution. The shares need the whole
    gradient first. One call for all contributions of a loss, stacked, is as fast as a loop over them for the norms
    alone, and faster for both.
    """
    import torch

    torch.set_num_threads(1)
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    inputs = torch.tensor(xs)

    def start() -> tuple[list[Any], list[Any], Any, Any]:
        copies = [tensors["weight_hh_l0"].clone().requires_grad_() for _ in range(STEPS)]
        h = c = torch.zeros(BATCH, HIDDEN, dtype=inputs.dtype)
        losses = []
        for t in range(STEPS):
            a = inputs[t] @ tensors["weight_ih_l0"].T + tensors["bias_ih_l0"] + h @ copies[t].T + tensors["bias_hh_l0"]
            i, f, g, o = a.chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            losses.append((h * h).sum())
        whole = sum(torch.autograd.grad(sum(losses), copies, retain_graph=True)).ravel()
        return copies, losses, whole / whole.dot(whole), torch.zeros(2, STEPS, STEPS, dtype=inputs.dtype)

    def one_by_one() -> Table:
        copies, losses, direction, table = start()
        for t, loss in enumerate(losses):
            gradients = torch.autograd.grad(loss, copies[: t + 1], retain_graph=True)
            stack = torch.stack(gradients).reshape(t + 1, -1)
            table[0, t, : t + 1] = torch.linalg.vector_norm(stack, dim=1)
            table[1, t, : t + 1] = stack @ direction
        return table.numpy()

    def mapped() -> Table:
        copies, losses, direction, table = start()
        units = list(torch.eye(MAPPED, dtype=inputs.dtype))
        for t in range(0, STEPS, MAPPED):
            some = slice(t, t + MAPPED)
            gradients = torch.autograd.grad(
                losses[some], copies[: t + MAPPED], units, retain_graph=True, is_grads_batched=True
            )
            for k, gradient in enumerate(gradients):
                stack = gradient.reshape(MAPPED, -1)
                table[0, some, k] = torch.linalg.vector_norm(stack, dim=1)
                table[1, some, k] = stack @ direction
        return table.numpy()

    return {
        PASSES: one_by_one,
        f"PyTorch eager, {MAPPED} losses mapped over in each of {STEPS // MAPPED} passes": mapped,
    }


def bench_table(dtype: type) -> bool:
    """Each includes one forward pass, and says norms and shares."""
    rng = np.random.default_rng(0)
    model = rnn.LSTM(HIDDEN, HIDDEN, rng=0, dtype=dtype)
    xs = rng.normal(size=(STEPS, BATCH, HIDDEN)).astype(dtype)
    net = rnn.unroll(model, xs)
    losses = [mg.sum(step.h * step.h) for step in net.steps]
    weights = {name: parameter.value for name, parameter in model.parameters.items()}

    def table() -> Table:
        made = rnn.bptt(losses, model.parameters["weight_hh_l0"], net)
        return np.stack([made.norm, made.share])

    contenders = {"minigrad": table, "NumPy by hand": lambda: np.stack(by_hand.table(xs, *weights.values()))}
    try:
        contenders |= torch_tables(weights, xs)
    except ImportError:
        print("PyTorch is not installed, no comparison with it")
    made = table()
    for call in list(contenders.values())[1:]:
        for theirs, ours in zip(call(), made, strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=1e3 * np.finfo(dtype).eps, atol=1e-8 * ours.max())
    times = dict(zip(contenders, seconds(*contenders.values()), strict=True))
    own = times.pop("minigrad")
    print(f"(t, k) table, T={STEPS} B={BATCH} H={HIDDEN}, {np.dtype(dtype)}: minigrad {own:.3f} s")
    for name, spent in times.items():
        print(f"    {name}: {spent:.3f} s, {spent / own:.1f} times that" + (" (budget 20)" if name == PASSES else ""))
    return PASSES not in times or own < times[PASSES] / 20


def bench_edge_shares() -> bool:
    model = rnn.LSTM(HIDDEN, HIDDEN, rng=0)
    net = rnn.unroll(model, np.random.default_rng(0).normal(size=(LONG, BATCH, HIDDEN)))
    loss = mg.sum(net.steps[-1].h)
    parameters = list(model.parameters.values())
    outputs = [loss, *mg.grad(loss, parameters)]
    nodes = sum(1 for _ in mg.walk(outputs))
    shares, run = seconds(lambda: mg.flow(loss, parameters).edge_shares, lambda: mg.run(outputs))
    print(
        f"edge shares, LSTM of {LONG} steps, {nodes} nodes with the gradient: {shares:.3f} s, "
        f"run of loss and gradient {run:.3f} s: {shares / run:.2f} (budget 3)"
    )
    return shares < 3 * run


if __name__ == "__main__":
    sys.exit(0 if all([bench_table(float), bench_table(np.float32), bench_edge_shares()]) else 1)
