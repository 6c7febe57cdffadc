"""The maths of one operation in Unicode: what it computes, its local derivatives, what an edge sends back.

Nothing is written down twice: a local derivative is the op's own datum, what an edge sends back is the
op's own rule called on nodes, and both are read off the expression that comes out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import minigrad as mg
from minigrad import GradientError, Node
from minigrad.derivative import pull_edge
from minigrad.explain.spelling import index_text
from minigrad.ops.core import Elementwise

from .labels import above, name_of
from .words import Rich, Run, number

ATOM, POWER, PRODUCT, SUM = 4, 3, 2, 1
_INFIX = {
    "add": (" + ", SUM),
    "add_n": (" + ", SUM),
    "sub": (" − ", SUM),
    "mul": (" ⊙ ", PRODUCT),
    "strong_mul": (" ⊙ ", PRODUCT),
    "matmul": (" · ", PRODUCT),
    "div": (" / ", PRODUCT),
    "greater": (" > ", SUM),
    "greater_equal": (" ≥ ", SUM),
    "less": (" < ", SUM),
    "less_equal": (" ≤ ", SUM),
    "equal": (" = ", SUM),
    "not_equal": (" ≠ ", SUM),
}
FUNCTIONS = {"sigmoid": "σ", "sigmoid_slope": "σ′", "sech2": "sech²", "cross_entropy": "cross-entropy"}
_PARAMETERS = ("axes", "axis", "index", "shape")
LONGEST = 160
"""Characters of a formula; a longer one is cut with an ellipsis."""

Names = Mapping[Node, Rich]
Piece = tuple[Rich, int]


def name(node: Node, layers: bool = False, *, step: bool = True) -> Rich:
    """Return the name of `node` as figures set it, or its op's name.

    The `step` stands below it, counted from 1 (an initial state has 0); above it an arrow if the net reads from right
    to left, and the layer if `layers` asks for it.

    >>> import minigrad as mg
    >>> from viz.words import plain
    >>> with mg.scope(t=2, layer=1):
    ...     h = mg.tanh(mg.input(())).named("h")
    >>> plain(name(h)), plain(name(h, layers=True))
    ('h_3', 'h_3^1')
    """
    if node.name is None:
        return (Run(node.op.name),)
    t, layer = node.scope.get("t"), node.scope.get("layer")
    label = name_of(node.name, layers=layers)
    if not isinstance(t, int) or len(label) != 1:
        return label
    back = node.scope.get("direction") == "reverse"
    below = (Run(str(t + 1), "sub"),) if step and not (t < 0 and back) else ()
    return (*label, *below, *above(layer, back, layers=layers))


def argument_names(node: Node, layers: bool = False) -> Names:
    """Return what the arguments of `node` are called beside each other: their names, or u, v, w ..."""
    letters = iter("uvwpqrs")
    names: dict[Node, Rich] = {}
    for arg in node.args:
        if arg not in names:
            names[arg] = constant(arg) or _given_name(arg, layers) or (Run(next(letters, "…")),)
    return names


def _given_name(node: Node, layers: bool) -> Rich:
    """Return the name of `node`, or of what it is the transpose of."""
    if node.name is not None:
        return name(node, layers)
    if node.op.name == "transpose" and node.args[0].name is not None:
        return (*name(node.args[0], layers), Run("T", "sup"))
    return ()


def computes(node: Node, layers: bool = False) -> Rich:
    """Return what `node` computes from its arguments: `f_2 ⊙ c_1`."""
    names = argument_names(node, layers)
    return shortened(apply(node, [(names[arg], ATOM) for arg in node.args])[0])


def local(node: Node, slot: int, layers: bool = False) -> Rich:
    """Return the local derivative of `node` in argument `slot`, or nothing where it is not one factor an element."""
    if not isinstance(node.op, Elementwise):
        return ()
    partial = node.op.partial(slot, node, node.args)
    if partial is None or isinstance(partial, (int, float)):
        return () if partial is None else (Run(_plain(float(partial))),)
    return _written(partial, node, layers)


def is_curved(node: Node) -> bool:
    """Tell whether `node` is a function of one argument, element by element, whose derivative is no constant."""
    if len(node.args) != 1 or not isinstance(node.op, Elementwise):
        return False
    return isinstance(node.op.partial(0, node, node.args), Node)


def sends(node: Node, slot: int, adjoint: Rich, layers: bool = False) -> Rich:
    """Return what argument `slot` receives from `node`, written with the adjoint of `node`; nothing if nothing."""
    cotangent = mg.input(node.shape, dtype=node.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.BroadcastWarning)  # what a rule broadcasts is no mistake of the reader's
        try:
            term = pull_edge(node, slot, cotangent, node, node.args)
        except (GradientError, NotImplementedError):
            return ()
    return () if term is None else _written(term, node, layers, {cotangent: adjoint})


def _written(expression: Node, user: Node, layers: bool, given: Names | None = None) -> Rich:
    """Return `expression` as text, in terms of `user` and its arguments."""
    known: dict[Node, Rich] = {**argument_names(user, layers), user: name(user, layers), **(given or {})}
    stack, seen = [expression], {expression}
    for part in stack:
        for arg in () if part in known else part.args:
            if arg not in seen:
                seen.add(arg)
                stack.append(arg)
    text: dict[Node, Piece] = {}
    for part in sorted(seen, key=lambda node: node.id):
        if part in known:
            text[part] = (known[part], ATOM)
        elif not part.args:
            text[part] = (constant(part) or name(part, layers), ATOM)
        else:
            text[part] = apply(part, [text[arg] for arg in part.args])
            if sum(len(run.text) for run in text[part][0]) > 4 * LONGEST:
                text[part] = (shortened(text[part][0]), ATOM)
    return shortened(text[expression][0])


def apply(node: Node, args: Sequence[Piece]) -> Piece:
    """Return what `node` computes from arguments written as `args`, and how tightly that holds together."""
    op = node.op.name
    if op in _INFIX:
        sign, level = _INFIX[op]
        parts = [within(args[0], level), *(within(arg, level + (op in ("sub", "div"))) for arg in args[1:])]
        joined = [run for part in parts for run in (Run(sign), *part)][1:]
        return tuple(joined), level
    if op == "neg":
        return (Run("−"), *within(args[0], PRODUCT)), SUM
    if op == "sum":
        below = (Run(",".join(map(str, node.params["axes"])), "sub"),)
        return (Run("Σ"), *below, Run(" "), *within(args[0], POWER)), POWER
    if op == "slice":
        return (*within(args[0], ATOM), Run(f"[{index_text(node.params['index'], node.args[0].shape)}]")), ATOM
    if op == "transpose":
        inner = within(args[0], ATOM)
        return (inner[:-1] if inner[-1] == Run("T", "sup") else (*inner, Run("T", "sup"))), ATOM
    if op == "power":
        return (*within(args[0], ATOM), Run("".join(run.text for run in args[1][0]), "sup")), POWER
    shown = [run for arg, _ in args for run in (Run(", "), *arg)][1:]
    given = [_parameter(node.params[key]) for key in _PARAMETERS if key in node.params]
    given = [text for text in given if text]
    extra = (Run("; " + "; ".join(given)),) if given else ()
    return (Run(FUNCTIONS.get(op, op) + "("), *shown, *extra, Run(")")), ATOM


def within(piece: Piece, level: int) -> Rich:
    """Return `piece`, in parentheses where it holds together less tightly than `level`."""
    text, own = piece
    return text if own >= level else (Run("("), *text, Run(")"))


def _parameter(value: Any) -> str:
    text = str(value).strip("(),")
    if isinstance(value, tuple):
        text = ", ".join(":".join(map(str, entry[:2])) if isinstance(entry, tuple) else str(entry) for entry in value)
    return text if len(text) <= 24 else text[:23] + "…"


def constant(node: Node) -> Rich:
    """Return the number of a constant without axes, else nothing."""
    if node.op.name != "constant" or node.shape != () or node.dtype.kind not in "fiu":
        return ()
    return (Run(_plain(float(node.eval()))),)


def _plain(value: float) -> str:
    return str(int(value)) if abs(value) < 1e6 and value == int(value) else number(value, 4)


def shortened(text: Rich) -> Rich:
    """Return `text`, cut with an ellipsis where it is too long."""
    room = LONGEST
    kept: list[Run] = []
    for run in text:
        if len(run.text) > room:
            return (*kept, Run(run.text[:room] + "…", run.shift))
        room -= len(run.text)
        kept.append(run)
    return tuple(kept)
