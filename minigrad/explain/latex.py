"""Graphs as formulas, and the chain rule of a graph as one."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ..errors import GradientError
from ..node import Node, describe, walk
from ..ops.leaves import constant_op
from .listing import is_number
from .spelling import index_text

# How tightly an op's formula holds together; ops not named here never need parentheses as arguments.
_SUM, _PRODUCT, _PREFIX = 1, 2, 3
_TIGHTNESS = {
    **dict.fromkeys(["add", "sub", "neg", "add_n", "expm1", "greater", "less", "equal", "where"], _SUM),
    **dict.fromkeys(["mul", "strong_mul", "matmul", "remainder"], _PRODUCT),
    **dict.fromkeys(
        ["tanh", "sech2", "log", "sin", "cos", "sign", "sum", "max", "min", "prod", "power", "transpose"], _PREFIX
    ),
}
# What an op's formula needs of its arguments before they go in without parentheses; 0: anything goes.
_NEEDS = {
    **dict.fromkeys(["add", "expm1"], (_SUM, _SUM)),
    **dict.fromkeys(["sub", "sum", "max", "min", "prod"], (_SUM, _PRODUCT)),
    **dict.fromkeys(["neg", "mul", "strong_mul", "matmul", "remainder"], (_PRODUCT, _PRODUCT)),
    **dict.fromkeys(["tanh", "sech2", "log", "sin", "cos", "sign", "transpose", "slice", "gather"], (4, 0)),
    "power": (4, 0),
}
_LONGEST = 400  # a formula of more characters than this gets a name of its own
_GREEK = "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"


def latex(node: Node, *, named: str = "stop", index: str | None = "t") -> str:
    r"""The formula that computes `node`.

    Nodes with names inside it are written by name (`named="stop"`), also defined in lines of their own
    (`named="define"`), or spelled out (`named="expand"`). A part that is used twice, or is too long for a line, gets a
    name z and a line. The name of a node whose scope has the integer label `index` carries it as a subscript, from 1.

    >>> import minigrad as mg
    >>> W, x, b = mg.input((3, 3), name="W"), mg.input((3,), name="x"), mg.input((3,), name="b")
    >>> print(mg.latex(mg.tanh(W * x + b)))
    \tanh \left(W \odot x + b\right)
    >>> a = (W * x).named("a")
    >>> print(mg.latex(mg.tanh(a) / 2, named="define"))
    \begin{aligned}
    a &= W \odot x \\
    y &= \frac{\tanh a}{2}
    \end{aligned}
    """
    if named not in ("stop", "define", "expand"):
        raise ValueError(f'latex: named is "stop", "define" or "expand", got {named!r}')
    order = _region(node, named)
    uses = Counter(arg for user in order if not _stops(user, node, named) for arg in user.args)
    text: dict[Node, tuple[str, int]] = {}
    lines: list[str] = []
    for part in order:
        if not part.args or _stops(part, node, named):
            text[part] = (symbol(part, index), 4)
            continue
        formula, tightness = _formula(part, [text[arg] for arg in part.args]), _TIGHTNESS.get(part.op.name, 4)
        name = None
        if part is not node:
            if part.name is not None and named == "define":
                name = symbol(part, index)
            elif uses[part] > 1 or len(formula) > _LONGEST:
                name = f"z_{{{len(lines) + 1}}}"
        if name is not None:
            lines.append(f"{name} &= {formula}")
        text[part] = (formula, tightness) if name is None else (name, 4)
    result = text[node][0]
    if not lines:
        return result
    own = symbol(node, index) if node.name is not None else "y"
    return "\\begin{aligned}\n" + " \\\\\n".join([*lines, f"{own} &= {result}"]) + "\n\\end{aligned}"


def _stops(part: Node, root: Node, named: str) -> bool:
    return named == "stop" and part is not root and part.name is not None


def _region(root: Node, named: str) -> list[Node]:
    """The nodes that the formula of `root` is made of, arguments first."""
    stack, seen = [root], {root}
    for part in stack:
        for arg in () if _stops(part, root, named) else part.args:
            if arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return sorted(seen, key=lambda part: part.id)


def symbol(node: Node, index: str | None = "t") -> str:
    r"""A leaf or a named node as a symbol: `W_hh` becomes `W_{hh}`, `sigma` becomes `\sigma`."""
    if node.name is None:
        if is_number(node) or (node.op is constant_op and node.size == 1):
            return f"{node._value.item():.6g}".replace("inf", r"\infty").replace("nan", r"\text{NaN}")
        return r"\mathbf{C}" if node.op is constant_op else rf"\text{{{node.op.name}}}"
    base, _, below = node.name.partition("_")
    subscripts = [_escaped(below)] if below else []
    at = node.scope.get(index) if index is not None else None
    if isinstance(at, int) and not any(letter.isdigit() for letter in node.name):
        subscripts.append(str(at + 1))
    letters = (
        rf"\{base}" if base in _GREEK.split() else _escaped(base) if len(base) < 2 else rf"\mathrm{{{_escaped(base)}}}"
    )
    return letters + (f"_{{{','.join(subscripts)}}}" if subscripts else "")


def _escaped(text: str) -> str:
    special = {"\\": r"\backslash ", "{": r"\{", "}": r"\}", "~": r"\sim ", "^": r"\hat{}"}
    return re.sub(r"[\\{}~^#$%&_]", lambda found: special.get(found[0], rf"\{found[0]}"), text)


def _formula(node: Node, args: Sequence[tuple[str, int]]) -> str:
    needs = _NEEDS.get(node.op.name, (0, 0))
    inside = [
        rf"\left({text}\right)" if tightness < needs[min(slot, 1)] else text
        for slot, (text, tightness) in enumerate(args)
    ]
    if node.op.name == "add_n":
        return " + ".join(inside)
    if node.op.name in ("slice", "gather"):
        # Braces around the operand: a symbol that has a subscript may not get a second one.
        where = (
            index_text(node.params["index"], node.args[0].shape) if node.op.name == "slice" else ", ".join(inside[1:])
        )
        return f"{{{inside[0]}}}_{{[{where}]}}"
    if node.op.name in ("concat", "einsum"):
        joined = "; ".join(inside)
        return rf"\left[ {joined} \right]" if node.op.name == "concat" else rf"\operatorname{{einsum}}({joined})"
    return node.op.latex.format(*inside)


def latex_paths(y: Node, source: Node, through: Iterable[Node], *, index: str | None = "t") -> str:
    r"""The chain rule from `y` to `source` over the states `through`, as LaTeX: the sum over all ways that the gradient
    takes from state to state, of the product of their derivatives, ending in the *immediate* derivative d+ of a state
    in the source, which looks through no other state.

    Where the states form a chain, as those of an unrolled recurrent net do, the sum is written with an index.

    >>> import minigrad as mg
    >>> w, s, states = mg.parameter(0.5, name="W"), mg.constant(1.0), []
    >>> for t in range(3):
    ...     with mg.scope(t=t):
    ...         s = mg.tanh(w * s).named("s")
    ...     states.append(s)
    >>> with mg.scope(t=2):
    ...     E = (s * s).named("E")
    >>> print(mg.latex_paths(E, w, states))  # doctest: +NORMALIZE_WHITESPACE
    \frac{\partial E_{3}}{\partial W} = \sum_{k=1}^{3} \frac{\partial E_{3}}{\partial s_{3}}
    \left( \prod_{j=k+1}^{3} \frac{\partial s_{j}}{\partial s_{j-1}} \right)
    \frac{\partial^{+} s_{k}}{\partial W}
    """
    states = sorted(set(through) - {source, y}, key=lambda node: node.id)
    feeds = _immediate([source, *states], [*states, y])
    left = rf"\frac{{\partial {symbol(y, index)}}}{{\partial {symbol(source, index)}}}"
    chain = _as_chain(y, source, states, feeds, index)
    if chain is not None:
        return f"{left} = {chain}"
    terms = _terms(y, source, feeds, index)
    if not terms:
        raise GradientError(f"latex_paths: {describe(y)} does not depend on {describe(source)}")
    return f"{left} = {' + '.join(terms)}"


def _immediate(cuts: Sequence[Node], users: Sequence[Node]) -> dict[Node, list[Node]]:
    """For each user the cut nodes it depends on by a path that meets no other cut node between."""
    marked = {cut: 1 << i for i, cut in enumerate(cuts)}
    seen: dict[Node, int] = {}  # a bit for each cut node that is seen from here, looking down, before any other
    feeds: dict[Node, list[Node]] = {}
    wanted = set(users)
    for node in reversed(list(walk([*cuts, *users]))):
        below = 0
        for arg in node.args:
            below |= marked.get(arg, seen[arg])
        seen[node] = below
        if node in wanted:
            feeds[node] = [cut for cut, bit in marked.items() if below & bit]
    return feeds


def _partial(top: Node, bottom: Node, index: str | None, plus: bool = False) -> str:
    sign = r"\partial^{+}" if plus else r"\partial"
    return rf"\frac{{{sign} {symbol(top, index)}}}{{\partial {symbol(bottom, index)}}}"


def _as_chain(
    y: Node, source: Node, states: list[Node], feeds: dict[Node, list[Node]], index: str | None
) -> str | None:
    """The sum written with an index, if every state hangs on the one before it and on the source, and y on the last."""
    symbols = [re.fullmatch(r"(.*_\{)((?:.*,)?)(\d+)\}", symbol(state, index)) for state in states]
    if len(states) < 2 or feeds[y] != [states[-1]] or feeds[states[0]] != [source]:
        return None
    if any(feeds[state] != [source, before] for before, state in pairwise(states)):
        return None
    if not all(symbols) or len({(s[1], s[2]) for s in symbols if s}) != 1:
        return None
    numbers = [int(s[3]) for s in symbols if s]
    first, last = numbers[0], numbers[-1]
    if numbers != list(range(first, last + 1)):
        return None
    head = f"{symbols[0][1]}{symbols[0][2]}" if symbols[0] else ""
    step = rf"\frac{{\partial {head}j}}}}{{\partial {head}j-1}}}}"
    ending = rf"\frac{{\partial^{{+}} {head}k}}}}{{\partial {symbol(source, index)}}}"
    product = rf"\left( \prod_{{j=k+1}}^{{{last}}} {step} \right)"
    return rf"\sum_{{k={first}}}^{{{last}}} {_partial(y, states[-1], index)} {product} {ending}"


def _terms(y: Node, source: Node, feeds: dict[Node, list[Node]], index: str | None, limit: int = 500) -> list[str]:
    """One product of derivatives for each way from y to the source."""
    users: dict[Node, int] = defaultdict(int)
    users[y] = 1
    for node in sorted(feeds, key=lambda node: -node.id):
        for below in feeds[node]:
            users[below] += users[node]
    if users[source] > limit:
        raise ValueError(
            f"latex_paths: {users[source]} ways lead from {describe(y)} to {describe(source)}; choose states"
        )
    terms: list[str] = []
    stack: list[tuple[Node, list[str]]] = [(y, [])]
    while stack:
        node, factors = stack.pop()
        for below in feeds[node]:
            if below is source:
                terms.append(" ".join([*factors, _partial(node, source, index, plus=True)]))
            else:
                stack.append((below, [*factors, _partial(node, below, index)]))
    return terms
