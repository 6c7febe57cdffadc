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
import time
from collections.abc import Sequence
from typing import Any, Literal

from .formats import MissingExtra
from .layout import dot, panel
from .layout.picture import Picture, compose
from .scene import Scene

Engine = Literal["lanes", "dot"]

LIMIT = 60.0
"""Seconds after which a layout is given up: the operations of 100 steps of an LSTM take about 20."""

OPTIONS = {"dot": "", "neato": "-n"}
"""What each program is told: `neato` to leave every box where it is."""

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import pygraphviz
for source in json.loads(sys.stdin.read()):
    graph = pygraphviz.AGraph(string=source)
    sys.stdout.buffer.write(graph.draw(format="json", prog=sys.argv[2], args=sys.argv[3]))
"""


class MissingGraphviz(MissingExtra):
    """The engine `dot` is asked for and no Graphviz is installed; the message says how to get it."""


def check(engine: Engine) -> None:
    """Raise ValueError for an engine that does not exist, MissingGraphviz for one that is not installed."""
    if engine not in ("lanes", "dot"):
        raise ValueError(f'engine must be "lanes" or "dot", got {engine!r}')
    if engine == "dot":
        _command("dot")


def placed(scene: Scene) -> Picture:
    """Return `scene` as Graphviz lays it out.

    Raises MissingGraphviz, TimeoutError after a minute, RuntimeError where Graphviz fails.
    """
    end = time.monotonic() + LIMIT

    def ask(program: str, sources: Sequence[str]) -> list[Any]:
        try:
            return _answers(_command(program), sources, end - time.monotonic())
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"Graphviz did not lay out {len(scene.boxes):,} boxes within {LIMIT:.0f} s; "
                'show fewer steps, like steps=10, or use engine="lanes"'
            ) from None

    return compose(scene, panel.beside(dot.body(scene, ask), scene))


def _command(program: str) -> list[str]:
    """Return the command that lays out: Graphviz as pygraphviz carries it, which reads DOT in JSON, or the program."""
    if importlib.util.find_spec("pygraphviz") is not None and sys.executable:
        return [sys.executable, "-c", _CHILD, json.dumps(sys.path), program, OPTIONS[program]]
    found = shutil.which("dot")
    if found is None:
        raise MissingGraphviz(
            "engine=\"dot\" needs Graphviz, which is not installed; run: pip install 'minigrad[dot]', "
            "or install graphviz with the system's package manager"
        )
    return [found, f"-K{program}", *OPTIONS[program].split(), "-Tjson"]


def _answers(command: Sequence[str], sources: Sequence[str], patience: float) -> list[Any]:
    """Run `command` on `sources`; raises TimeoutExpired after `patience` seconds."""
    sent = json.dumps(sources) if command[0] == sys.executable else "\n".join(sources)
    done = subprocess.run(command, input=sent.encode("ascii"), capture_output=True, timeout=patience, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"Graphviz failed: {said[-1]}")
    text, found, place = done.stdout.decode("utf-8"), [], 0
    while place < len(text):
        answer, place = json.JSONDecoder().raw_decode(text, place)
        found.append(answer)
        place += len(text[place:]) - len(text[place:].lstrip())
    return found
