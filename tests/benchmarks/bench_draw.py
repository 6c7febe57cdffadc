"""What a figure costs: an unrolled LSTM with its gradient arrows, from the built graph to the SVG's bytes.

    python tests/benchmarks/bench_draw.py
    python tests/benchmarks/bench_draw.py --peers

First our budgets: T = 1,000 at cell level 2 s and 3 MB (10 s whole), T = 100 at op level 3 s and 8 MB; exits with 1
where one is missed. With `--peers` follow Graphviz's `dot` on the same boxes and arrows, and torchviz and TorchLens on
the same net in torch, which draw no gradient; what is not installed is left out. Times are processor
time, children included, one run each, in a process of its own; a program that takes over 100 s is stopped.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys

from drawers import drawers, left_out, minigrad, reading

LIMIT = 100
SIZES = [("op", 5), ("op", 10), ("op", 25), ("op", 50), ("op", 100), ("cell", 1000)]
BUDGETS = [
    ("cell", 1000, False, 2.0, 3.0),
    ("cell", 1000, True, 10.0, float("inf")),
    ("op", 100, True, 3.0, 8.0),
]


def seconds() -> float:
    """Processor time of this process and of those it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def budgets() -> bool:
    """Print our own times; return whether a budget was missed."""
    failed = False
    print(f"{'':34}{'seconds':>10}{'MB':>8}")
    for level, steps, whole, most, largest in BUDGETS:
        draw = minigrad(steps, level, whole=whole)
        start = seconds()
        size = draw() / 1e6
        spent = seconds() - start
        missed = spent > most or size > largest
        failed |= missed
        label = f"minigrad, {level} level, T = {steps:,}" + (", whole" if whole else "")
        print(f"{label:34}{spent:10.2f}{size:8.2f}" + (f"   budget missed: {most} s, {largest} MB" * missed))
    start = seconds()
    reading(1000)
    print(f"{'building the graph of T = 1,000':34}{seconds() - start:10.2f}")
    return failed


def peers() -> None:
    """Print a row a size, a column a tool: seconds and megabytes."""
    names = list(drawers("op"))
    print("\nseconds (MB)  " + "".join(f"{name:>18}" for name in names))
    over: set[tuple[str, str]] = set()
    for level, steps in SIZES:
        cells = []
        for name in names:
            if name not in drawers(level):
                cells.append("no such level")
            elif (name, level) in over:
                cells.append(f"> {LIMIT}")
            else:
                cells.append(alone(name, level, steps))
                over |= {(name, level)} if cells[-1].startswith(">") else set()
        print(f"{steps:>6,} {level + 's':7}" + "".join(f"{cell:>18}" for cell in cells), flush=True)
    if left_out():
        print(f"not installed, left out: {', '.join(left_out())}")


def alone(name: str, level: str, steps: int) -> str:
    """Run one drawer in a process of its own."""
    command = [sys.executable, __file__, "--one", name, level, str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == -signal.SIGXCPU:
        return f"> {LIMIT}"
    return done.stdout.strip() if not done.returncode else f"failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}"


def one(name: str, level: str, steps: int) -> None:
    """Draw once and print the seconds and megabytes. The limit holds for this program and for each that it starts."""
    draw = drawers(level)[name](steps)
    start = seconds()
    resource.setrlimit(resource.RLIMIT_CPU, (int(start) + LIMIT, int(start) + LIMIT + 5))
    try:
        size = draw()
    except Exception as error:
        if getattr(error, "returncode", 0) != -signal.SIGXCPU and seconds() - start < LIMIT - 1:
            raise
        print(f"> {LIMIT}")
    else:
        print(f"{seconds() - start:.2f} ({size / 1e6:.2f})")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", action="store_true", help="compare with dot, torchviz and TorchLens")
    parser.add_argument("--one", nargs=3, metavar=("NAME", "LEVEL", "STEPS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, level, steps = options.one
        one(name, level, int(steps))
        return 0
    failed = budgets()
    if options.peers:
        peers()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
