"""What a figure costs: an unrolled LSTM with its gradient arrows, from the built graph to the SVG's bytes.

    python tests/benchmarks/bench_draw.py

Beside it stands Graphviz's `dot` on the same boxes and edges, without the gradient's arrows (where a `dot` is on the
PATH; stopped after 100 s). Times are processor time, children included, one run each. Exits with 1 where a budget is
missed: T = 1,000 at cell level 2 s and 3 MB (10 s whole), T = 100 at op level 3 s and 8 MB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import rnn
import viz

LIMIT = 100


def seconds() -> float:
    """Processor time of this process and of those it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def timed(make: Callable[[], int]) -> tuple[float, int]:
    start = seconds()
    size = make()
    return seconds() - start, size


def ours(steps: int, level: str, whole: bool) -> Callable[[], int]:
    reading = rnn.read(("hello" * (steps // 5 + 1))[: steps + 1], rnn.LSTM)
    return lambda: len(viz.draw(reading, level=level, steps=steps if whole else None).svg.encode())  # type: ignore[arg-type]


def dot(steps: int) -> Callable[[], int]:
    """Every operation, its edges and its weights as tags of their step, laid out by Graphviz."""
    reading = rnn.read(("hello" * (steps // 5 + 1))[: steps + 1], rnn.LSTM)
    scene = viz.draw(reading, level="op", steps=steps).scene
    number = {box.id: place for place, box in enumerate(scene.boxes)}
    lines = [f"n{number[edge.source]} -> n{number[edge.target]};" for edge in scene.edges]
    source = "digraph {" + "".join(lines) + "}"
    command = ["dot", "-Tsvg"]
    return lambda: len(subprocess.run(command, input=source.encode(), capture_output=True, timeout=LIMIT).stdout)


def main() -> int:
    failed = False
    print(f"{'':34}{'seconds':>10}{'MB':>8}")
    budgets = [
        ("cell", 1000, False, 2.0, 3.0),
        ("cell", 1000, True, 10.0, float("inf")),
        ("op", 100, True, 3.0, 8.0),
    ]
    for level, steps, whole, most, largest in budgets:
        spent, size = timed(ours(steps, level, whole))
        missed = spent > most or size > largest * 1e6
        failed |= missed
        label = f"minigrad, {level} level, T = {steps:,}" + (", whole" if whole else "")
        print(f"{label:34}{spent:10.2f}{size / 1e6:8.2f}" + (f"   budget missed: {most} s, {largest} MB" * missed))
    if not shutil.which("dot"):
        print("dot: not installed, no comparison")
        return int(failed)
    for steps in (5, 10, 25, 50):
        try:
            spent, size = timed(dot(steps))
        except subprocess.TimeoutExpired:
            print(f"{f'dot, op level, T = {steps}':34}{f'> {LIMIT}':>10}")
            break
        print(f"{f'dot, op level, T = {steps}':34}{spent:10.2f}{size / 1e6:8.2f}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
