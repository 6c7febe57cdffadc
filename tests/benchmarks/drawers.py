"""The same LSTM drawn by other tools, each in its own way; tools that are not installed are left out.

Every drawer takes the number of steps and returns a call that makes the picture and returns the bytes of its SVG; what
the call needs (net, graph, input) is built before. torchviz and TorchLens draw no gradient's arrows.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import rnn
import viz
from viz.scene import Level

Drawer = Callable[[int], Callable[[], int]]

HIDDEN = 8


def reading(steps: int) -> rnn.Reading:
    return rnn.read(("hello" * (steps // 5 + 1))[: steps + 1], rnn.LSTM, HIDDEN)


def drawers(level: Level) -> dict[str, Drawer]:
    """Name -> drawer of every tool that is there and has that level."""
    found: dict[str, Drawer] = {"minigrad": lambda steps: minigrad(steps, level, whole=True)}
    if not shutil.which("dot"):
        return found
    found["dot"] = lambda steps: dot(steps, level)
    if find_spec("torch") and find_spec("torchviz") and level == "op":
        found["torchviz"] = torchviz
    if find_spec("torch") and find_spec("torchlens"):
        found["TorchLens"] = lambda steps: torchlens(steps, level)
    return found


def left_out() -> list[str]:
    """What is not installed."""
    programs = [] if shutil.which("dot") else ["dot"]
    return programs + [name for name in ("torch", "torchviz", "torchlens") if not find_spec(name)]


def minigrad(steps: int, level: Level, *, whole: bool) -> Callable[[], int]:
    subject = reading(steps)
    return lambda: len(viz.draw(subject, level=level, steps=steps if whole else None).svg.encode())


def dot(steps: int, level: Level) -> Callable[[], int]:
    """Our own figure laid out by Graphviz: boxes, edges, weights as tags of their step, the gradient's arrows."""
    scene = viz.draw(reading(steps), level=level, steps=steps).scene
    assert isinstance(scene, viz.scene.Scene)
    number = {box.id: place for place, box in enumerate(scene.boxes)}
    lines = [f"n{number[edge.source]} -> n{number[edge.target]};" for edge in scene.edges]
    lines += [f"n{number[edge.target]} -> n{number[edge.source]};" for edge in scene.edges if edge.mark]
    lines += [f'"{tag.id}" -> n{number[box.id]};' for box in scene.boxes for tag in box.tags]
    source = ("digraph {" + "".join(lines) + "}").encode()
    return lambda: len(subprocess.run(["dot", "-Tsvg"], input=source, capture_output=True, check=True).stdout)


def torchviz(steps: int) -> Callable[[], int]:
    """The graph of the backward pass that torch built, by `make_dot`."""
    from torchviz import make_dot

    net, xs = _net(steps)
    return lambda: len(make_dot(net(xs), params=dict(net.named_parameters())).pipe(format="svg"))


def torchlens(steps: int, level: Level) -> Callable[[], int]:
    """The forward pass as it is traced: every operation, or every cell as one box."""
    import torchlens as lens

    net, xs = _net(steps)

    def draw() -> int:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net"
            depth = 1 if level == "cell" else 1000
            lens.trace(net, [xs]).draw(
                vis_call_depth=depth, vis_outpath=str(path), vis_save_only=True, vis_fileformat="svg"
            )
            return path.with_suffix(".svg").stat().st_size

    return draw


def _net(steps: int) -> tuple[Any, Any]:
    """The LSTM from primitives, a cross-entropy at every step, and its input."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)

    class Cell(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w_ih = torch.nn.Parameter(torch.randn(4 * HIDDEN, 4) / 4)
            self.w_hh = torch.nn.Parameter(torch.randn(4 * HIDDEN, HIDDEN) / 4)
            self.b_ih = torch.nn.Parameter(torch.zeros(4 * HIDDEN))
            self.b_hh = torch.nn.Parameter(torch.zeros(4 * HIDDEN))

        def forward(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
            i, f, g, o = (x @ self.w_ih.T + self.b_ih + h @ self.w_hh.T + self.b_hh).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(c), c

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.readout = Cell(), torch.nn.Linear(HIDDEN, 4)

        def forward(self, xs: Any) -> Any:
            h = c = torch.zeros(1, HIDDEN)
            losses = []
            for x in xs:
                h, c = self.cell(x, h, c)
                losses.append(torch.nn.functional.cross_entropy(self.readout(h), torch.tensor([0])))
            return torch.stack(losses).sum()

    xs = torch.from_numpy(np.eye(4, dtype=np.float32)[np.arange(steps) % 4][:, None])
    return Net(), xs
