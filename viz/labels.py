"""What boxes are called: symbols for ops, and names as a book would set them."""

from __future__ import annotations

import re

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
_SIMPLE = re.compile(r"[A-Za-z]{1,3}(_[A-Za-z0-9]{1,4})?")


def symbol(node: Node) -> str:
    """Return the sign or the short name of the node's op; a slice says which part it takes."""
    if node.op.name == "slice":
        return _slice(node)
    shown = SYMBOLS.get(node.op.name, node.op.name)
    if node.op.name not in ("div", "mul", "sub", "add"):
        return shown
    first, second = (_scalar(arg) for arg in node.args)
    return f"{first} {shown}" if first else f"{shown} {second}" if second else shown


def _slice(node: Node) -> str:
    parts = [f"{entry[0]}:{entry[1]}" if isinstance(entry, tuple) else str(entry) for entry in node.params["index"]]
    whole = [f"0:{size}" for size in node.args[0].shape]
    shown = [":" if part == all_of else part for part, all_of in zip(parts, whole, strict=True)]
    while len(shown) > 1 and shown[0] == ":":
        shown.pop(0)
    return f"[{', '.join(shown)}]"


def _scalar(node: Node) -> str:
    if node.op.name != "constant" or node.shape != () or node.dtype.kind != "f":
        return ""
    value = float(node.eval())
    return str(int(value)) if value == int(value) and abs(value) < 1e4 else number(value, 3)


def name_of(name: str, *, layers: bool = False) -> Rich:
    """Return a name as it is set on a figure: `weight_hh_l0` as W with the subscript hh.

    >>> from viz.words import plain
    >>> plain(name_of("weight_hh_l0")), plain(name_of("bias_ih_l1_reverse", layers=True)), plain(name_of("W_x"))
    ('W_hh', 'b_ih^←1', 'W_x')
    """
    found = _WEIGHT.fullmatch(name)
    if found:
        kind, which, layer, back = found.groups()
        above = ("←" if back else "") + (layer if layers and layer else "")
        letter = "W" if kind == "weight" else "b"
        return (Run(letter), Run(which, "sub"), *((Run(above, "sup"),) if above else ()))
    return rich(name) if _SIMPLE.fullmatch(name) else (Run(one_line(name, 14)),)


def at_step(name: str, t: int) -> Rich:
    """Return a name with the step printed from 1: step 0's `h` is h_1, the initial state h_0."""
    return (Run(one_line(name, 8)), Run(str(t + 1), "sub"))


def state_name(name: str, layer: object, reverse: bool, *, layers: bool = False) -> Rich:
    """Return the name of a state in all steps: with its layer above, where there are several, and its direction."""
    above = ("←" if reverse else "") + (str(layer) if layers and isinstance(layer, int) else "")
    return (*name_of(name), *((Run(above, "sup"),) if above else ()))


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as `32×8`; a scalar is `1`."""
    return "×".join(map(str, shape)) or "1"


def character(text: str) -> str:
    """Return one character of a text so that it can be seen: a space as `␣`."""
    return {" ": "␣", "\n": "↵", "\t": "⇥"}.get(text, one_line(text, 4))
