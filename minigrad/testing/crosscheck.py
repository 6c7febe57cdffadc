"""Gradients at kinks, ties and saturation: ours beside those of the libraries that are installed.

There a derivative is policy, or is lost to rounding, and libraries differ. `cross_check()` measures the table anew, as
does `python -m minigrad.testing.crosscheck`; torch, jax, autograd and MyGrad are optional and left out where they are
missing. A library's own relu, sigmoid and logsumexp are asked where it has them (autograd and MyGrad: `maximum(x, 0)`,
`1 / (1 + exp(-x))`, `logaddexp`). As measured with torch 2.13, jax 0.10 in float64, autograd 1.9 and MyGrad 2.5:

                                   torch       jax         autograd    MyGrad    minigrad
    |x| at 0                       0           1           0           0         0
    relu at 0                      0           0           0.5         0         0
    max of two equal               0.5 each    0.5 each    0.5 each    1, 0      0.5 each
    max of three equal             0.333 each  0.333 each  0.333 each  1, 0, 0   0.333 each
    maximum(x, 1) at 1             0.5         0.5         0.5         0         0.5
    clip to [-1, 1] at 1           1           0.5         0           0         1
    sqrt at 0                      inf         inf         inf         inf       inf
    where(x > 0, sqrt(x), 0) at 0  nan         nan         nan         nan       nan
    norm at 0                      0 each      nan each    nan each    nan each  0 each
    x ** 0 at 0                    0           nan         0           0         0
    tanh at 25                     0           0           7.71e-22    0         7.71e-22
    sigmoid at 50                  0           0           1.93e-22    1.93e-22  1.93e-22
    logsumexp at (800, 800)        0.5 each    0.5 each    0.5 each    0.5 each  0.5 each
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg

from ..node import Array

Function = Callable[[Any], Any]


class Row(NamedTuple):
    """A point at which libraries differ: the name of an operation, its argument, and the gradient of its sum."""

    point: str
    operation: str
    at: tuple[float, ...]


ROWS = (
    Row("|x| at 0", "abs", (0.0,)),
    Row("relu at 0", "relu", (0.0,)),
    Row("max of two equal", "max", (1.0, 1.0)),
    Row("max of three equal", "max", (1.0, 1.0, 1.0)),
    Row("maximum(x, 1) at 1", "maximum with 1", (1.0,)),
    Row("clip to [-1, 1] at 1", "clip", (1.0,)),
    Row("sqrt at 0", "sqrt", (0.0,)),
    Row("where(x > 0, sqrt(x), 0) at 0", "guarded sqrt", (0.0,)),
    Row("norm at 0", "norm", (0.0, 0.0)),
    Row("x ** 0 at 0", "power 0", (0.0,)),
    Row("tanh at 25", "tanh", (25.0,)),
    Row("sigmoid at 50", "sigmoid", (50.0,)),
    Row("logsumexp at (800, 800)", "logsumexp", (800.0, 800.0)),
)


def cross_check(rows: Sequence[Row] = ROWS) -> str:
    """The table as text, one row a point, one column a library.

    >>> print(cross_check(ROWS[:2] + ROWS[10:11]).splitlines()[2].split()[-1])       # relu'(0), ours
    0
    """
    columns: dict[str, Callable[[str, Array], Any]] = {}
    for name, build in _LIBRARIES.items():
        try:
            columns[name] = build()
        except ImportError:
            continue
    lines = [["", *columns]]
    for row in rows:
        cells = []
        for gradient in columns.values():
            try:
                with np.errstate(all="ignore"):
                    cells.append(_shown(gradient(row.operation, np.array(row.at))))
            except Exception as error:
                cells.append(type(error).__name__)
        lines.append([row.point, *cells])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _shown(gradient: Any) -> str:
    shown = [f"{float(number):.3g}" for number in np.ravel(np.asarray(gradient, dtype=float))]
    return f"{shown[0]} each" if len(shown) > 1 and len(set(shown)) == 1 else ", ".join(shown)


def _functions(m: Any, **own: Function) -> dict[str, Function]:
    """The operations spelled with a NumPy-like module; `own` has what the library spells in its own way."""
    return {
        "abs": lambda x: m.abs(x),
        "relu": lambda x: m.maximum(x, 0.0),
        "max": lambda x: m.max(x),
        "maximum with 1": lambda x: m.maximum(x, 1.0),
        "clip": lambda x: m.clip(x, -1.0, 1.0),
        "sqrt": lambda x: m.sqrt(x),
        "guarded sqrt": lambda x: m.where(x > 0, m.sqrt(x), 0.0),
        "norm": lambda x: m.linalg.norm(x),
        "power 0": lambda x: x**0.0,
        "tanh": lambda x: m.tanh(x),
        "sigmoid": lambda x: 1 / (1 + m.exp(-x)),
        "logsumexp": lambda x: m.log(m.sum(m.exp(x))),
        **own,
    }


def _autograd() -> Callable[[str, Array], Any]:
    anp, autograd = import_module("autograd.numpy"), import_module("autograd")
    functions = _functions(anp, logsumexp=lambda x: anp.logaddexp(x[0], x[1]))
    return lambda name, x: autograd.grad(lambda x: anp.sum(functions[name](x)))(x)


def _jax() -> Callable[[str, Array], Any]:
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    jax.config.update("jax_enable_x64", True)
    own = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "logsumexp": jax.nn.logsumexp}
    functions = _functions(jnp, **own)
    return lambda name, x: jax.grad(lambda x: jnp.sum(functions[name](x)))(jnp.asarray(x))


def _torch() -> Callable[[str, Array], Any]:
    torch = import_module("torch")
    own: dict[str, Function] = {
        "relu": torch.relu,
        "maximum with 1": lambda x: torch.maximum(x, torch.ones_like(x)),
        "guarded sqrt": lambda x: torch.where(x > 0, torch.sqrt(x), torch.zeros_like(x)),
        "sigmoid": torch.sigmoid,
        "logsumexp": lambda x: torch.logsumexp(x, 0),
    }
    functions = _functions(torch, **own)

    def gradient(name: str, x: Array) -> Any:
        leaf = torch.tensor(x, requires_grad=True)
        functions[name](leaf).sum().backward()
        return leaf.grad.numpy()

    return gradient


def _mygrad() -> Callable[[str, Array], Any]:
    mygrad = import_module("mygrad")
    functions = _functions(mygrad, logsumexp=lambda x: mygrad.logaddexp(x[0], x[1]))

    def gradient(name: str, x: Array) -> Any:
        leaf = mygrad.tensor(x)
        mygrad.sum(functions[name](leaf)).backward()
        return leaf.grad

    return gradient


def _ours() -> Callable[[str, Array], Any]:
    own: dict[str, Function] = {"relu": mg.relu, "sigmoid": mg.sigmoid, "logsumexp": mg.logsumexp}
    functions = _functions(np, **own)

    def gradient(name: str, x: Array) -> Any:
        leaf = mg.parameter(x)
        return mg.grad(mg.sum(functions[name](leaf)), leaf, unreachable="zero").eval()

    return gradient


_LIBRARIES: dict[str, Callable[[], Callable[[str, Array], Any]]] = {
    "torch": _torch,
    "jax": _jax,
    "autograd": _autograd,
    "MyGrad": _mygrad,
    "minigrad": _ours,
}


if __name__ == "__main__":
    print(cross_check())
