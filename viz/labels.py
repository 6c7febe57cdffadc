"""What boxes are called: symbols for ops, and names as a book would set them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import minigrad as mg
from minigrad import Node

from .words import Rich, Run, number, one_line, rich

SYMBOLS = {
    "add": "+",
    "add_n": "Σ",
    "mul": "×",
    "sub": "−",
    "div": "÷",
    "neg": "−",
    "sigmoid": "σ",
    "matmul": "matmul",
    "power": "xʸ",
    "maximum": "max",
    "cross_entropy": "cross-entropy",
    "transpose": "T",
    "stop_gradient": "stop",
}
_WEIGHT = re.compile(r"(weight|bias)_(\w+?)(?:_l(\d+))?(_reverse)?")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LETTERS = {"weight": "W", "bias": "b"}
_SIMPLE = re.compile(r"[A-Za-z]{1,3}(_[A-Za-z0-9]{1,4})?")


def symbol(node: Node) -> str:
    """Return the sign or the short name of the node's op; a slice says which part it takes."""
    if node.op.name == "slice":
        return _slice(node)
    shown = SYMBOLS.get(node.op.name, node.op.name)
    if node.op.name == "power" and _scalar(node.args[1]):
        exponent = _scalar(node.args[1])
        return f"x{exponent.translate(_RAISED)}" if exponent.isdigit() else f"x^{exponent}"
    if node.op.name not in ("div", "mul", "sub", "add"):
        return shown
    first, second = (_scalar(arg) for arg in node.args)
    return f"{first} {shown}" if first else f"{shown} {second}" if second else shown


def constant_text(node: Node) -> str:
    """Return a constant's elements if there are few, or else that it is one.

    >>> import minigrad as mg
    >>> constant_text(mg.constant([0, 2, 1])), constant_text(mg.constant([[0.5] * 9] * 9))
    ('[0, 2, 1]', 'constant')
    """
    if len(node.shape) != 1 or not 0 < node.size <= 5:
        return "constant"
    return f"[{', '.join(short(float(value)) for value in node.eval())}]"


def short(value: float) -> str:
    """Return `value` with three digits at most, without zeros behind it where these are all of it.

    >>> short(4.0), short(2.5), short(0.1 + 0.2), short(1 / 3), short(float("nan"))
    ('4', '2.5', '0.300', '0.333', 'NaN')
    """
    plainly = f"{value:.3g}"
    return plainly if "e" not in plainly and math.isfinite(value) and float(plainly) == value else number(value, 3)


def extent(shape: tuple[int, ...]) -> str:
    """Return a shape as it stands below a name, so that nobody takes it for a value: `5×4`, `(3)`, `scalar`."""
    return shape_text(shape) if len(shape) > 1 else f"({shape[0]})" if shape else "scalar"


def _slice(node: Node) -> str:
    parts = [f"{entry[0]}:{entry[1]}" if isinstance(entry, tuple) else str(entry) for entry in node.params["index"]]
    whole = [f"0:{size}" for size in node.args[0].shape]
    shown = [":" if part == all_of else part for part, all_of in zip(parts, whole, strict=True)]
    while len(shown) > 1 and shown[0] == ":":
        shown.pop(0)
    return f"[{', '.join(shown)}]"


def _scalar(node: Node) -> str:
    if node.op.name != "constant" or node.name is not None or node.shape != () or node.dtype.kind != "f":
        return ""
    value = float(node.eval())
    return str(int(value)) if value == int(value) and abs(value) < 1e4 else number(value, 3)


def name_of(name: str, *, layers: bool = False) -> Rich:
    """Return a name as it is set on a figure: `weight_hh_l0` as W with the subscript hh, `linear.bias` as b.

    >>> from viz.words import plain
    >>> plain(name_of("weight_hh_l0")), plain(name_of("bias_ih_l1_reverse", layers=True)), plain(name_of("W_x"))
    ('W_hh', 'b_ih^←1', 'W_x')
    """
    found = _WEIGHT.fullmatch(name)
    if found:
        kind, which, layer, back = found.groups()
        place = above(int(layer) if layer else None, back is not None, layers=layers)
        return Run(_LETTERS[kind]), Run(which, "sub"), *place
    owner, dot, part = name.rpartition(".")
    if dot and part in _LETTERS and re.fullmatch(r"\w{1,8}", owner):
        return Run(_LETTERS[part]), Run(owner, "sub")
    if dot and re.fullmatch(r"\w{1,8}", part):
        return (Run(part),)
    return rich(name) if _SIMPLE.fullmatch(name) else (Run(one_line(name, 14)),)


def weight_name(weight: Node, outputs: Node | Iterable[Node], otherwise: str = "W") -> Rich:
    """Return the name of `weight` as it is set on a figure of `outputs`: with its layer, if there are several.

    >>> import numpy as np, rnn
    >>> from viz.words import plain
    >>> net = rnn.unroll(rnn.RNN(1, 2, layers=2, rng=0), np.ones((2, 1, 1)))
    >>> plain(weight_name(net.model.parameters["weight_hh_l0"], net.outputs))
    'W_hh^0'
    """
    names = (_WEIGHT.fullmatch(node.name) for node in mg.walk(outputs) if node.name and not node.args)
    return name_of(weight.name or otherwise, layers=len({found[3] for found in names if found and found[3]}) > 1)


def at_step(name: str, t: int) -> Rich:
    """Return a name with the step printed from 1: step 0's `h` is h_1, the initial state h_0."""
    return (Run(one_line(name, 8)), Run(str(t + 1), "sub"))


def state_name(name: str, layer: object, reverse: bool, *, layers: bool = False) -> Rich:
    """Return the name of a state in all steps: with its layer above, where there are several, and its direction."""
    return (*name_of(name), *above(layer, reverse, layers=layers))


def above(layer: object, reverse: bool, *, layers: bool) -> Rich:
    """Return what stands above a name: an arrow if its net reads from right to left, the layer if there are several.

    >>> above(1, True, layers=True), above(1, False, layers=False)
    ((Run(text='←1', shift='sup'),), ())
    """
    said = ("←" if reverse else "") + (str(layer) if layers and isinstance(layer, int) else "")
    return (Run(said, "sup"),) if said else ()


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as `32×8`; a scalar is `1`."""
    return "×".join(map(str, shape)) or "1"


def character(text: str) -> str:
    """Return one character of a text so that it can be seen: a space as `␣`."""
    return {" ": "␣", "\n": "↵", "\t": "⇥"}.get(text, one_line(text, 4))
