"""Small figures with exact numbers, kept as files: a change of the drawing shows as a readable diff.

Run this file as a program to write them anew, and read the diff before keeping it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
import rnn
import viz
from viz.drawing import figure_of
from viz.study import study

HERE = Path(__file__).parent / "golden"


def net(steps: int) -> tuple[list[mg.Node], mg.Parameter, rnn.Unrolled]:
    """h_t = h_{t-1} / 2 + 1 from h_0 = 2, the loss their sum: every number is a short binary fraction."""
    model = rnn.RNN(1, 1, activation="identity", rng=0)
    for name, value in (("weight_ih_l0", 1.0), ("weight_hh_l0", 0.5), ("bias_ih_l0", 0.0), ("bias_hh_l0", 0.0)):
        model.parameters[name].assign(np.full(model.parameters[name].shape, value))
    unrolled = rnn.unroll(model, np.ones((steps, 1, 1)), state=np.full((1, 1, 1), 2.0))
    losses = []
    for step in unrolled.steps:
        with mg.scope("readout", t=step.t):
            losses.append(mg.sum(step.h).named("L"))
    return losses, model.parameters["weight_hh_l0"], unrolled


def rolled() -> viz.Figure:
    return figure_of(study(mg.ops.add_n(*net(3)[0])), "rolled", sites=False)


def opened() -> viz.Figure:
    return figure_of(study(mg.ops.add_n(*net(3)[0])), "open", sites=False, step=1)


def ledger() -> viz.Figure:
    """f = x y + x / y at (4, 2): the two paths from x are 2 and 0.5."""
    x, y = mg.parameter(4.0, name="x"), mg.parameter(2.0, name="y")
    return viz.ledger(mg.flow(x * y + x / y, x))


def triangle() -> viz.Figure:
    return viz.triangle(rnn.bptt(*net(2)))


def river() -> viz.Figure:
    losses, weight, _ = net(2)
    return viz.river(mg.flow(mg.ops.add_n(*losses), weight))


def without_rounding(svg: str) -> str:
    """Leave out what may differ by the last bit between machines: the proof's difference, and the ids made of it."""
    return re.sub(r"mg[0-9a-f]{8}", "id", re.sub(r"max difference [\d.e-]+", "max difference", svg))


FIGURES = {make.__name__: make for make in (rolled, opened, ledger, triangle, river)}


@pytest.mark.parametrize("name", FIGURES)
def test_the_figure_is_the_one_kept(name):
    kept = (HERE / f"{name}.svg").read_text(encoding="utf-8")
    now = FIGURES[name]().svg
    assert without_rounding(now) == without_rounding(kept), "the drawing changed: run this file, and read the diff"
    assert len(kept) < 32_000


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for name, make in FIGURES.items():
        make().save(HERE / f"{name}.svg")
