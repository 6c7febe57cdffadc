"""The (t, k) table against T separate backward passes of PyTorch, and the conserved flow against plain evaluation.

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


def torch_table(arrays: dict[str, np.ndarray], xs: np.ndarray) -> Callable[[], np.ndarray]:
    """The norms of all contributions by T backward passes: each step uses a copy of the weight of its own."""
    import torch

    torch.set_num_threads(1)
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    inputs = torch.tensor(xs)

    def table() -> np.ndarray:
        copies = [tensors["weight_hh_l0"].clone().requires_grad_() for _ in range(STEPS)]
        h = c = torch.zeros(BATCH, HIDDEN, dtype=inputs.dtype)
        losses = []
        for t in range(STEPS):
            a = inputs[t] @ tensors["weight_ih_l0"].T + tensors["bias_ih_l0"] + h @ copies[t].T + tensors["bias_hh_l0"]
            i, f, g, o = a.chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            losses.append((h * h).sum())
        norms = np.zeros((STEPS, STEPS))
        for t, loss in enumerate(losses):
            gradients = torch.autograd.grad(loss, copies[: t + 1], retain_graph=True, allow_unused=True)
            norms[t, : t + 1] = [float(torch.linalg.norm(gradient)) for gradient in gradients]
        return norms

    return table


def bench_table(dtype: type) -> bool:
    """Both include one forward pass, and say norms and, PyTorch apart, shares."""
    rng = np.random.default_rng(0)
    model = rnn.LSTM(HIDDEN, HIDDEN, rng=0, dtype=dtype)
    xs = rng.normal(size=(STEPS, BATCH, HIDDEN)).astype(dtype)
    net = rnn.unroll(model, xs)
    losses = [mg.sum(step.h * step.h) for step in net.steps]
    weights = {name: parameter.value for name, parameter in model.parameters.items()}

    def table() -> rnn.Table:
        return rnn.bptt(losses, model.parameters["weight_hh_l0"], net)

    def by_hand_table() -> tuple[np.ndarray, np.ndarray]:
        return by_hand.table(xs, *weights.values())

    contenders: list[Callable[[], Any]] = [table, by_hand_table]
    tolerance = {"rtol": 1e3 * np.finfo(dtype).eps, "atol": 1e-8 * float(table().norm.max())}
    np.testing.assert_allclose(table().norm, by_hand_table()[0], **tolerance)
    np.testing.assert_allclose(table().share, by_hand_table()[1], **tolerance)
    try:
        contenders.append(torch_table(weights, xs))
    except ImportError:
        print("PyTorch is not installed, no comparison with it")
    else:
        np.testing.assert_allclose(table().norm, contenders[-1](), **tolerance)
    own, hand, *theirs = seconds(*contenders)
    print(
        f"(t, k) table, T={STEPS} B={BATCH} H={HIDDEN}, {np.dtype(dtype)}: minigrad {own:.3f} s, NumPy by hand "
        f"{hand:.3f} s"
        + "".join(
            f", {STEPS} backward passes of PyTorch eager {other:.2f} s: 1/{other / own:.1f} and "
            f"1/{other / hand:.1f} (budget 1/20)"
            for other in theirs
        )
    )
    return all(own < other / 20 for other in theirs)


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
