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
SIGNS = {"start": "π", "transition": "A", "emission": "B"}
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
    passes = {"program 1": sound, "program 2": broken}
    counts = {name: _gradients(losses[-1], nodes) for name, (losses, nodes) in passes.items()}
    known = _enumerated(seen, scores)
    apart = {
        name: max(float(np.max(np.abs(found[key] - known[key]))) for key in known) for name, found in counts.items()
    }
    verdict = {"program 1": _checked(seen, scores, cut=False), "program 2": _checked(seen, scores, cut=True)}
    right = {"start": 1, "transition": STEPS - 1, "emission": STEPS}
    rows = tuple(
        (f"{key} scores", str(right[key]), *(number(float(counts[name][key].sum()), 4) for name in counts))
        for key in right
    )
    ways = {name: mg.flow(losses[-1], nodes["emission"]).count() for name, (losses, nodes) in passes.items()}
    return Lesson(
        TITLE,
        (
            "A backward pass can be wrong without any error: it runs, and its numbers look like numbers. Here are two "
            "programs that compute the gradient of the same model. Their forward passes agree to the last digit. One "
            "of the gradients is wrong. Which one, and what is wrong with it?",
            "The model is a hidden Markov model. It has hidden states, each of which emits a symbol, and scores: π for "
            "the state in which it starts, A for the transitions from state to state, and B for the symbols that the "
            "states emit. The forward algorithm sums over all sequences of hidden states, step by step, in logarithms:",
            Formula(
                r"α_t(j) = log \sum{i}{} exp(α_{t−1}(i) + A_{ij}) + B_j(x_t)   and   log Z = log \sum{j}{} exp α_T(j)"
            ),
            f"There are {STATES} states and {plural(STEPS, 'symbol')} were seen. The two programs give this gradient "
            "of log Z in the transition scores:",
            Formula("   ".join(f"{name}:  {_matrix(counts[name]['transition'])}" for name in counts)),
            "Both look plausible. There are three ways to find the fault. The first is to know a sum. The gradient of "
            "log Z in the scores is the expected number of times each start, transition and emission was used (Eisner "
            f"2016). Whatever the scores are, there was one start, there were {STEPS - 1} transitions and {STEPS} "
            "emissions:",
            Numbers(("sum of the gradient in", "must be", *counts), rows),
            f"The second is to count paths in the graph. From log Z back to the emission scores there are "
            f"{ways['program 1']} ways in the first program, one for each step, and {ways['program 2']} in the second. "
            "The third needs no look inside at all. A check that goes lag by lag takes only the losses and the "
            "gradient, as functions. It compares the gradients of ever longer sequences with the complex step. Of the "
            "second program it says:",
            Formula("“" + verdict["program 2"].replace("_", " ") + "”"),
            "Lag 0, within a step, is right; what comes from one step back is not there. That names the fault: in the "
            "second program no gradient crosses from a step to the one before. Draw the graphs, and it can be seen. A "
            "state was detached from the past, a fault as common as it is quiet.",
            Shown(
                drawn(sound[0][-1], title="Program 1: the gradient runs back along every α"),
                "The sound backward pass runs from log Z down to α_0, the scores π of the start.",
            ),
            Shown(
                drawn(broken[0][-1], title="Program 2: a bar behind every state"),
                "The broken one. The forward edges are all there. The gradient stops at the first bar, and of the six "
                "steps only the last one gets any.",
            ),
            "A check of a single step finds nothing here, for a single step has no past. A check with a loose "
            "tolerance finds nothing either if the model forgets fast, since what is missing is small. So check lag by "
            "lag, and measure each lag against its own size.",
            Claim(
                f"The gradient of program 1 is the expected counts, summed over all {STATES**STEPS} sequences of "
                f"states one by one: largest difference {number(apart['program 1'])}.",
                apart["program 1"] < 1e-13,
            ),
            Claim(
                f"That of program 2 is not: largest difference {number(apart['program 2'])}.",
                apart["program 2"] > 0.1,
            ),
            Claim(
                f"The forward passes agree exactly: log Z is {number(values[0], 6)} in both.",
                values[0] == values[1],
            ),
            Claim(
                "The check by lags passes program 1, and says of program 2 that lag 1 is missing.",
                verdict["program 1"] == "" and "lag 1 is missing" in verdict["program 2"],
            ),
            Claim(
                "On sequences of a single step program 2 passes the very same check.",
                _checked(seen[:1], scores, cut=True) == "",
            ),
        ),
    )


def _matrix(values: np.ndarray) -> str:
    rows = (" & ".join(f"{value:.2f}" for value in row) for row in values)
    return rf"\matrix{{{' ; '.join(rows)}}}"


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
