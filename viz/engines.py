"""Who says where things stand: our own lanes, or Graphviz's `dot`.

Graphviz comes with the package pygraphviz, whose wheels carry it, or as the program `dot`. Either runs in a process of
its own, so that a layout that takes too long can be given up; it runs when a figure is made, never when one is shown.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from typing import Any, Literal

from .formats import MissingExtra
from .layout import dot
from .layout.picture import Picture, compose
from .scene import Scene

Engine = Literal["lanes", "dot"]

LIMIT = 60.0
"""Seconds after which a layout is given up: `dot` needs minutes for the operations of some 50 steps."""

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
sys.stdout.buffer.write(graph.draw(format="json", prog="dot"))
"""


class MissingGraphviz(MissingExtra):
    """The engine `dot` is asked for and no Graphviz is installed; the message says how to get it."""


def check(engine: Engine) -> None:
    """Raise ValueError for an engine that does not exist, MissingGraphviz for one that is not installed."""
    if engine not in ("lanes", "dot"):
        raise ValueError(f'engine must be "lanes" or "dot", got {engine!r}')
    if engine == "dot":
        _command()


def placed(scene: Scene) -> Picture:
    """Return `scene` as Graphviz lays it out.

    Raises MissingGraphviz, TimeoutError after a minute, RuntimeError where Graphviz fails.
    """
    return compose(scene, dot.body(scene, _answer(dot.source(scene), len(scene.boxes))))


def _command() -> list[str]:
    """Return the command that reads DOT and writes JSON: Graphviz as pygraphviz carries it, or the program."""
    if importlib.util.find_spec("pygraphviz") is not None and sys.executable:
        return [sys.executable, "-c", _CHILD, json.dumps(sys.path)]
    program = shutil.which("dot")
    if program is None:
        raise MissingGraphviz(
            "engine=\"dot\" needs Graphviz, which is not installed; run: pip install 'minigrad[dot]', "
            "or install graphviz with the system's package manager"
        )
    return [program, "-Tjson"]


def _answer(source: str, boxes: int) -> Any:
    command = _command()
    try:
        done = subprocess.run(command, input=source.encode("utf-8"), capture_output=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise TimeoutError(
            f"Graphviz did not lay out {boxes:,} boxes within {LIMIT:.0f} s; "
            'show fewer steps, like steps=10, or use engine="lanes"'
        ) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"Graphviz failed: {said[-1]}")
    return json.loads(done.stdout)
