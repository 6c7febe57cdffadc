"""What a node costs: building one, against executing one torch operation eagerly on a single element.

    python tests/benchmarks/bench_build.py

Needs PyTorch for the comparison (`pip install 'minigrad[bench]'`). Both sides run on one thread; each figure is the
best of several rounds that alternate, in processor time, the cyclic garbage collector off as in timeit. Exits with 1
where a budget is missed: 1 operation for a node, 2 for a node of a gradient.
"""

from __future__ import annotations

import gc
import importlib.util
import sys
import time
from collections.abc import Callable

import minigrad as mg

ROUNDS, CHAIN = 15, 3000
Step = Callable[[object, object], object]


def seconds_per_step(step: Step, x: object, y: object) -> float:
    """The time of one step of a chain x, step(x), step(step(x)) ..."""
    start = time.process_time()
    for _ in range(CHAIN):
        x = step(x, y)
    return (time.process_time() - start) / CHAIN


def gradient_seconds(step: Step) -> float:
    """The time of a gradient's graph by the number of its nodes; NaN for sums, whose gradient has next to none."""
    x, y = mg.input((1,)), mg.input((1,))
    z = x
    for _ in range(CHAIN):
        z = step(z, y)
    z = mg.sum(z)
    forward = set(mg.walk(z))
    start = time.process_time()
    g = mg.grad(z, [x, y], unreachable="zero")
    spent = time.process_time() - start
    made = sum(1 for node in mg.walk(g) if node not in forward and node.args)
    return spent / made if made >= CHAIN else float("nan")


def main() -> int:
    ours: dict[str, tuple[int, Step]] = {
        "x * y": (1, lambda x, y: x * y),
        "x + y": (1, lambda x, y: x + y),
        "tanh(x)": (1, lambda x, y: mg.tanh(x)),
        "tanh(x * y)": (2, lambda x, y: mg.tanh(x * y)),
        "tanh(x) - y": (2, lambda x, y: mg.tanh(x) - y),
    }
    theirs: dict[str, Step] = {}
    torch = None
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)
        theirs = {name: step for name, (_, step) in ours.items() if "tanh" not in name}
        theirs["tanh(x)"] = lambda x, y: torch.tanh(x)
        theirs["tanh(x * y)"] = lambda x, y: torch.tanh(x * y)
        theirs["tanh(x) - y"] = lambda x, y: torch.tanh(x) - y
    print(f"{'microseconds':14}{'torch, eager':>14}{'a node':>10}{'ratio':>8}{'gradient, a node':>18}{'ratio':>8}")
    missed = False
    gc.disable()
    for name, (operations, step) in ours.items():
        built, eager, gradient = [], [], []
        for _ in range(ROUNDS):
            built.append(seconds_per_step(step, mg.input((1,)), mg.input((1,))) / operations)
            if torch is not None:
                eager.append(seconds_per_step(theirs[name], torch.ones(1), torch.ones(1)) / operations)
            gradient.append(gradient_seconds(step))
            gc.collect()
        node, slope = 1e6 * min(built), 1e6 * min(gradient)
        peer = 1e6 * min(eager, default=float("nan"))
        missed |= node > peer or slope > 2 * peer
        print(f"{name:14}{peer:14.2f}{node:10.2f}{node / peer:8.2f}{slope:18.2f}{slope / peer:8.2f}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
