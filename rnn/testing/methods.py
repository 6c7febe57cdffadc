"""How much of backpropagation through time each check demands, measured: the table of the page in this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.node import Array
from minigrad.testing import GradientFailure, complex_step

from .check import check_bptt

_STEPS, _HIDDEN, _INPUTS = 60, 4, 3
_RADII = (0.5, 0.9, 1.1)


class TanhNet:
    """A tanh net of 4 units written by hand, with T = 60 losses |h_t|^2 / 2, at a spectral radius of its weights W.

    `gradient(window)` follows each loss back through the last `window` uses of W: all of them is BPTT, fewer is
    truncated BPTT.
    """

    def __init__(self, radius: float, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        w = rng.standard_normal((_HIDDEN, _HIDDEN))
        self.params = {"W": w * radius / np.max(np.abs(np.linalg.eigvals(w)))}
        self.u = 2 * rng.standard_normal((_HIDDEN, _INPUTS))
        self.xs = rng.standard_normal((_STEPS, _INPUTS))

    def states(self, xs: Array, params: Any) -> list[Array]:
        """h_0 ... h_T."""
        hs = [np.zeros(_HIDDEN)]
        for x in xs:
            hs.append(np.tanh(params["W"] @ hs[-1] + self.u @ x))
        return hs

    def loss(self, xs: Array, params: Any) -> Array:
        """The T losses."""
        hs = np.array(self.states(xs, params))[1:]
        return np.asarray(np.sum(hs * hs, axis=1) / 2)

    def gradient(self, window: int = _STEPS) -> Callable[[Any, Any, Any], dict[str, Array]]:
        """The vjp of the losses, its lags cut at `window`."""

        def truncated(xs: Any, params: Any, seed: Any) -> dict[str, Array]:
            hs, total = np.array(self.states(xs, params)), np.zeros((_HIDDEN, _HIDDEN))
            delta = np.asarray(seed)[:, None] * hs[1:]  # one row a loss, all of them carried back together
            for lag in range(min(window, len(xs))):
                before, after = hs[: len(xs) - lag], hs[1 : len(xs) - lag + 1]
                local = delta[lag - len(xs) :] * (1 - after**2)
                total += local.T @ before
                delta = local @ params["W"]
            return {"W": total}

        return truncated

    def total(self, w: Array) -> Array:
        """The sum of the losses as a function of W."""
        return np.sum(self.loss(self.xs, {"W": w}))


def _central(net: TanhNet, window: int) -> None:
    w, v, h = net.params["W"], np.random.default_rng(1).standard_normal((_HIDDEN, _HIDDEN)), 1e-6
    want = (net.total(w + h * v) - net.total(w - h * v)) / (2 * h)
    got = np.sum(net.gradient(window)(net.xs, net.params, np.ones(_STEPS))["W"] * v)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def _complex(rtol: float) -> Callable[[TanhNet, int], None]:
    def test(net: TanhNet, window: int) -> None:
        got = net.gradient(window)(net.xs, net.params, np.ones(_STEPS))["W"]
        np.testing.assert_allclose(got, complex_step(net.total, net.params["W"]), rtol=rtol)

    return test


def _check_bptt(net: TanhNet, window: int) -> None:
    check_bptt(net.loss, net.gradient(window), net.xs, net.params, shrink=False)


METHODS: dict[str, Callable[[TanhNet, int], None]] = {
    "central difference, 1e-6": _central,
    "complex step, 1e-9": _complex(1e-9),
    "complex step, 1e-12": _complex(1e-12),
    "check_bptt": _check_bptt,
}


def lags_demanded(methods: dict[str, Callable[[TanhNet, int], None]] = METHODS) -> str:
    """For each method the fewest of 60 lags that it takes for the whole gradient, at spectral radii 0.5, 0.9 and 1.1.

    >>> len(lags_demanded({}).split())
    3
    """
    nets = [TanhNet(radius) for radius in _RADII]
    lines = [" " * 26 + "".join(f"{radius:>6}" for radius in _RADII)]
    for name, method in methods.items():
        lines.append(f"{name:<26}" + "".join(f"{_fewest(method, net):>6}" for net in nets))
    return "\n".join(lines)


def _fewest(method: Callable[[TanhNet, int], None], net: TanhNet) -> int:
    """The smallest window that passes, by bisection: what passes with fewer lags passes with more."""
    low, high = 0, _STEPS
    middle = _STEPS - 2  # first: h_0 is 0, so 59 uses are all that count
    while high - low > 1:
        try:
            method(net, middle)
        except (AssertionError, GradientFailure):
            low = middle
        else:
            high = middle
        middle = (low + high) // 2
    return high
