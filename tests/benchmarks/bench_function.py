"""How fast is `mg.function`? The loss and all weight gradients of an unrolled LSTM, beside NumPy by hand and its peers.

    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_function.py                 # against NumPy by hand
    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_function.py --peers         # torch, jax, autograd, mygrad too
    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_function.py --planning      # does planning grow linearly?
    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_function.py --first         # to the first result, beside jax

Everything runs interleaved, one round after the other, float32, on one thread, in seconds of processor time; a ratio is
the median over rounds of the plan's time over the other's in the same round, so that a machine that is busy for a while
is busy for both. Peers come with
`pip install minigrad[bench]`; those not installed are left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
import rnn

sys.path.insert(0, str(Path(__file__).parent))
import by_hand
import peers

SIZES = ((50, 1, 16), (50, 16, 64), (100, 32, 128))
# What the plan must reach: its time over the other's, a number a size (None: no promise).
LIMITS: dict[str, tuple[float | None, ...]] = {
    "NumPy by hand, fused": (0.85, 0.85, 1.0),
    "torch eager, primitives": (1 / 10, None, 1 / 1.3),
    "torch nn.LSTM": (1.3, None, None),
    "autograd": (1 / 25, None, None),
}

# The lengths whose plans are compared, and how much more than in proportion a longer one may take.
LENGTHS, PROPORTIONAL = (100, 1_000, 10_000), 1.5


def net(steps: int, batch: int, size: int, weights: list[by_hand.Array]) -> tuple[mg.Node, list[mg.Node]]:
    """The unrolled LSTM of `rnn`, its loss 0.5 |h_T|^2 and the gradients of its four weights."""
    model = rnn.LSTM(size, size, dtype=np.float32)
    for parameter, value in zip(model.parameters.values(), weights, strict=True):
        parameter.assign(value)
    x = mg.input((steps, batch, size), dtype=np.float32, name="x")
    h = rnn.unroll(model, x).steps[-1].h
    loss = 0.5 * mg.sum(h * h)
    return x, [loss, *mg.grad(loss, list(model.parameters.values()))]


def rounds(contenders: dict[str, Callable[[], Any]], seconds: float) -> dict[str, list[float]]:
    """Seconds of processor time, name -> one a round; every contender runs twice a round, and the second is timed: the
    first brings back to the caches what the others threw out of them."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 5:
        for name, run in contenders.items():
            run()
            start = time.process_time()
            run()
            times[name].append(time.process_time() - start)
    return times


def compare(size: tuple[int, int, int], with_peers: bool, seconds: float) -> Iterator[tuple[str, float, float]]:
    """(name, median milliseconds, the plan's time over it) for every contender, the plan first."""
    steps, batch, width = size
    weights = by_hand.weights(width, width)
    x = np.random.default_rng(1).standard_normal((steps, batch, width)).astype(np.float32)
    start = time.process_time()
    node, outputs = net(steps, batch, width, weights)
    function = mg.function([node], outputs)
    function(x)
    first = time.process_time() - start
    contenders: dict[str, Callable[[], Any]] = {
        "plan": lambda: function(x),
        "NumPy by hand, fused": lambda: by_hand.fused(x, *weights),
        "NumPy by hand, min-char style": lambda: by_hand.min_char_style(x, *weights),
    }
    expected = by_hand.fused(x, *weights)[1]
    if with_peers:
        contenders |= peers.contenders(x, weights)
    for name, run in contenders.items():
        result = run()
        gradients = result[1:] if name == "plan" else result[1]
        for got, want in zip(gradients, expected, strict=True):
            error = np.max(np.abs(np.asarray(got) - want)) / np.max(np.abs(want))
            if not error < 1e-3:
                raise AssertionError(f"{name} computes another gradient: relative difference {error:.1e}")
    times = rounds(contenders, seconds)
    for name, own in times.items():
        ratio = statistics.median(p / t for p, t in zip(times["plan"], own, strict=True))
        yield name, 1e3 * statistics.median(own), ratio
    tracemalloc.start()
    by_hand.fused(x, *weights)
    by_hand_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    yield "(build, gradient, plan, first call)", 1e3 * first, float("nan")
    yield f"(peak memory {function.peak_bytes / 1e6:.2f} MB)", float("nan"), function.peak_bytes / by_hand_bytes


def first_call() -> int:
    """Seconds from nothing to the first result on the unrolled graph, here and by jax; 1 if a promise is missed."""
    missed = 0
    for size in ((50, 1, 16), (100, 1, 16), (100, 32, 128)):
        steps, batch, width = size
        weights = by_hand.weights(width, width)
        x = np.random.default_rng(1).standard_normal((steps, batch, width)).astype(np.float32)
        start = time.process_time()
        node, outputs = net(steps, batch, width, weights)
        mg.function([node], outputs)(x)
        own = time.process_time() - start
        start = time.process_time()
        peers.jax_unrolled(x, weights)()
        theirs = time.process_time() - start
        kept = own <= theirs / 50 and own < 1
        missed += not kept
        print(
            f"(T, B, H) = {size}: build, gradient, plan and first call {own:.2f} s, jax's first call {theirs:.1f} s, "
            f"{theirs / own:.0f} times; at least 50 and under 1 s: {'yes' if kept else 'MISSED'}",
            flush=True,
        )
    return int(missed > 0)


def planning(rounds: int = 3) -> int:
    """Seconds to plan a longer and longer net; the last column is 1 where they grow in proportion. 1 if it is missed.

    The lengths alternate, so that a machine that is slower for a while is slower for all; each figure is a median.
    """
    weights = by_hand.weights(16, 16)
    building: dict[int, list[float]] = {steps: [] for steps in LENGTHS}
    plans: dict[int, list[float]] = {steps: [] for steps in LENGTHS}
    sizes = {}
    for _ in range(rounds):
        for steps in LENGTHS:
            for _ in range(max(1, 1_000 // steps)):
                start = time.process_time()
                node, outputs = net(steps, 1, 16, weights)
                built = time.process_time()
                function = mg.function([node], outputs)
                plans[steps].append(time.process_time() - built)
                building[steps].append(built - start)
            sizes[steps] = sum(1 for _ in mg.walk(outputs)), function.peak_bytes / 1e6
            del node, outputs, function
    base = statistics.median(plans[LENGTHS[0]]) / LENGTHS[0]
    print(
        f"{'T':>7} {'nodes':>8} {'build':>8} {'plan':>8} {'peak MB':>8}  seconds a step over those at T = {LENGTHS[0]}"
    )
    missed = False
    for steps in LENGTHS:
        planned = statistics.median(plans[steps])
        ratio = planned / steps / base
        missed |= ratio > PROPORTIONAL
        nodes, peak = sizes[steps]
        print(f"{steps:7} {nodes:8} {statistics.median(building[steps]):8.2f} {planned:8.2f} {peak:8.2f}  {ratio:.2f}")
    print(f"at most {PROPORTIONAL}: {'MISSED' if missed else 'yes'}")
    return int(missed)


def main() -> int:
    """Print the tables; the exit code is 1 if a promised ratio is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="also measure torch, jax, autograd and mygrad")
    parser.add_argument("--planning", action="store_true", help="measure planning instead")
    parser.add_argument("--first", action="store_true", help="measure up to the first result instead, beside jax")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each size")
    options = parser.parse_args()
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "default")
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, NumPy {np.__version__},")
    print(f"BLAS threads: {threads}")
    if options.planning:
        return planning()
    if options.first:
        return first_call()
    missed = 0
    for k, size in enumerate(SIZES):
        print(f"\n(T, B, H) = {size}{'':24} median ms   plan / other")
        for name, milliseconds, ratio in compare(size, options.peers, options.seconds):
            limit = LIMITS.get(name, (None,) * len(SIZES))[k]
            verdict = "" if limit is None else f"   at most {limit:.3g}: {'yes' if ratio <= limit else 'MISSED'}"
            missed += limit is not None and not ratio <= limit
            print(f"    {name:40} {milliseconds:9.2f}   {ratio:9.3f}{verdict}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
