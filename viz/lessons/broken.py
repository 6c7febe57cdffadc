"""Find the broken gradient: a backward pass that lost its paths between steps, on a hidden Markov model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import minigrad as mg

from ..figure import MissingExtra
from ..words import number, plural
from .lesson import Claim, Formula, Lesson, Numbers, Shown, drawn

TITLE = "Find the broken gradient"
SIGNS = {"start": "π", "transition": "T", "emission": "E"}
STATES, SYMBOLS, STEPS = 3, 4, 6

Params = Mapping[str, np.ndarray]


def lesson() -> Lesson:
    """Return the lesson; raises MissingExtra where the testing kit is not installed."""
    generator = np.random.default_rng(0)
    shapes = {"start": (STATES,), "transition": (STATES, STATES), "emission": (STATES, SYMBOLS)}
    scores = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    seen = generator.integers(0, SYMBOLS, STEPS)
    sound, broken = (_log_z(seen, scores, cut) for cut in (False, True))
    values = [float(losses[-1].eval()) for losses, _ in (sound, broken)]
    passes = {"sound": sound, "broken": broken}
    counts = {name: _gradients(losses[-1], nodes) for name, (losses, nodes) in passes.items()}
    known = _enumerated(seen, scores)
    apart = {
        name: max(float(np.max(np.abs(found[key] - known[key]))) for key in known) for name, found in counts.items()
    }
    verdict = {"sound": _checked(seen, scores, cut=False), "broken": _checked(seen, scores, cut=True)}
    right = {"start": 1, "transition": STEPS - 1, "emission": STEPS}
    rows = tuple(
        (key, str(right[key]), *(number(float(counts[name][key].sum()), 4) for name in counts)) for key in right
    )
    ways = {name: mg.flow(losses[-1], nodes["emission"]).count() for name, (losses, nodes) in passes.items()}
    return Lesson(
        TITLE,
        (
            "Here is a backward pass with a fault. It runs without an error and its numbers look like numbers. The "
            "fault "
            "is a common one: a state was detached, so no gradient crosses from one step to the next. How does one "
            "find "
            "out?",
            "The example is a hidden Markov model, because there one knows what the gradient has to be. The forward "
            "algorithm sums over all sequences of hidden states, step by step, in logarithms, with scores π for the "
            "start, "
            "T for the transitions and E for the emissions:",
            Formula("α_t(j) = log Σ_i exp(α_{t−1}(i) + T_{ij}) + E_j(x_t),    log Z = log Σ_j exp α_T(j)"),
            f"It has {STATES} states and sees {plural(STEPS, 'symbol')}. The gradient of log Z in the scores is the "
            "expected number of times each start, transition and emission was used (Eisner 2016), so its sums are "
            "known "
            f"without any derivative: one start, {STEPS - 1} transitions, {STEPS} emissions.",
            Shown(
                drawn(sound[0][-1]),
                "The sound backward pass: the gradient runs back along every α, down to α_0, the start scores π.",
            ),
            Shown(
                drawn(broken[0][-1]),
                "The broken one. The forward pass is the same, number by number. The gradient stops at a bar.",
            ),
            "Three ways to find it. First, sums that must come out: in the broken pass most of the counts are gone.",
            Numbers(("counts of", "must be", "sound", "broken"), rows),
            f"Second, counting: there are {ways['sound']} ways from log Z back to the emission scores in the sound "
            "graph, "
            f"and {ways['broken']} in the broken one. Third, without looking inside at all: a check that goes through "
            "the lags. It takes only the losses and the gradient, as functions, and compares the gradient of the last "
            "loss of ever longer sequences with the complex step. Of the broken pass it says:",
            Formula("“" + verdict["broken"].replace("_", " ") + "”"),
            "Lag 0, the same step, is right; whatever comes from one step back is not there. That names the fault: the "
            "edge between two steps. An ordinary check on one step alone finds nothing, and one with a loose tolerance "
            "finds nothing in a net that forgets fast.",
            Claim(
                f"The sound gradient is the expected counts, summed over all {STATES**STEPS} sequences of states one "
                "by "
                f"one: largest difference {number(apart['sound'])}.",
                apart["sound"] < 1e-13,
            ),
            Claim(
                f"The broken one is not: largest difference {number(apart['broken'])}.",
                apart["broken"] > 0.1,
            ),
            Claim(
                f"The forward passes agree exactly: log Z is {number(values[0], 6)} in both.",
                values[0] == values[1],
            ),
            Claim(
                "The check by lags passes the sound gradient and names lag 1 in the broken one.",
                verdict["sound"] == "" and "lag 1 is missing" in verdict["broken"],
            ),
            Claim(
                "On sequences of a single step the broken gradient passes the very same check.",
                _checked(seen[:1], scores, cut=True) == "",
            ),
        ),
    )


def _log_z(seen: np.ndarray, scores: Params, cut: bool) -> tuple[list[mg.Node], dict[str, mg.Node]]:
    """Return log Z of every beginning of the sequence, and the scores; `cut` stops the gradient between steps."""
    nodes: dict[str, mg.Node] = {name: mg.parameter(value, name=SIGNS[name]) for name, value in scores.items()}
    found: list[mg.Node] = []
    with mg.scope("hmm", t=-1):
        alpha = mg.reshape(nodes["start"], (STATES,)).named("α")
    for t, symbol in enumerate(seen):
        with mg.scope("hmm", t=t):
            before = alpha
            if t:
                carried = mg.stop_gradient(alpha) if cut else alpha
                before = mg.logsumexp(carried[:, None] + nodes["transition"], axis=0)
            alpha = (before + nodes["emission"][:, int(symbol)]).named("α")
            found.append(mg.logsumexp(alpha).named("log Z"))
    return found, nodes


def _gradients(loss: mg.Node, nodes: Mapping[str, mg.Node]) -> dict[str, np.ndarray]:
    found = mg.grad(loss, list(nodes.values()), unreachable="zero")
    return {name: np.asarray(each.eval()) for name, each in zip(nodes, found, strict=True)}


def _enumerated(seen: np.ndarray, scores: Params) -> dict[str, np.ndarray]:
    """Return the expected counts, by going through every sequence of states."""
    counts = {name: np.zeros(np.shape(value)) for name, value in scores.items()}
    total = 0.0
    for path in itertools.product(range(STATES), repeat=len(seen)):
        steps = list(itertools.pairwise(path))
        score = scores["start"][path[0]] + sum(scores["transition"][step] for step in steps)
        weight = float(np.exp(score + sum(scores["emission"][at] for at in zip(path, seen, strict=True))))
        total += weight
        counts["start"][path[0]] += weight
        for step in steps:
            counts["transition"][step] += weight
        for at in zip(path, seen, strict=True):
            counts["emission"][at] += weight
    return {name: count / total for name, count in counts.items()}


def _losses(seen: Any, scores: Params) -> np.ndarray:
    """The same numbers without logarithms: what the check differentiates by itself."""
    alpha, found = np.exp(scores["start"]), []
    for t, symbol in enumerate(seen):
        alpha = (alpha @ np.exp(scores["transition"]) if t else alpha) * np.exp(scores["emission"])[:, symbol]
        found.append(np.log(alpha.sum()))
    return np.array(found)


def _gradient(cut: bool) -> Callable[..., dict[str, np.ndarray]]:
    """Return the backward pass under test: from a seed for each loss to the gradients of the scores."""

    def gradient(seen: Any, scores: Params, seed: Any) -> dict[str, np.ndarray]:
        losses, nodes = _log_z(seen, scores, cut)
        whole = mg.sum(mg.stack(losses) * np.asarray(seed))
        return _gradients(whole, nodes)

    return gradient


def _checked(seen: np.ndarray, scores: Params, cut: bool) -> str:
    """Return what the check by lags says of a backward pass, in one line; nothing if it passes."""
    try:
        from rnn.testing import check_bptt
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            f"this lesson checks a gradient and needs {missing.name}; install it by: pip install minigrad[test]"
        ) from None
    try:
        check_bptt(_losses, _gradient(cut), seen, scores)
    except AssertionError as failure:
        return str(failure).splitlines()[0].removeprefix("_losses: ")
    return ""
