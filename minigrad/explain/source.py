"""A compiled function as NumPy code that a person can read, and that runs to the same numbers."""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import FeedError
from ..node import Array, Node, describe, walk
from ..ops.leaves import constant_op, input_op, parameter_op
from ..plan import Function
from .spelling import CALLS, HELPERS, OPERATORS, SPECIAL, spelled

_RESERVED = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "np", "math", "f", *HELPERS}


def source(function: Function) -> str:
    """A Python module that defines `f`, which computes what `function` does, with NumPy alone.

    Inputs are its arguments, parameters that are not inputs its keyword arguments. Named nodes keep their names; scopes
    and the start of each node's gradient are comments. Raises ValueError for an op that has no NumPy spelling.

    >>> import minigrad as mg
    >>> x, w = mg.input((3,), name="x"), mg.parameter([1.0, 2.0, 3.0], name="w")
    >>> y = mg.sum(mg.tanh(w * x).named("h"))
    >>> print(mg.source(mg.function([x], y)))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def f(x, *, w):
        h = np.tanh(w * x)
        return np.sum(h, axis=(0,), keepdims=False)
    """
    order = list(walk(function._targets))[::-1]
    for node in order:
        if node.args and node not in function.inputs and not _has_spelling(node):
            raise ValueError(f"source: {describe(node)} has no spelling in NumPy; leave the op {node.op.name} out")
        if node.op is input_op and node not in function.inputs:
            raise FeedError(f"source: the input {describe(node)} is not among the function's inputs")
    names = _Names([*function.inputs, *order])
    positional = [names.of(node) for node in function.inputs]
    parameters = [names.of(node) for node in order if node.op is parameter_op and node not in function.inputs]
    body = list(_body(order, function, names))
    signature = ", ".join([*positional, *(["*", *parameters] if parameters else [])])
    used = [HELPERS[node.op.name] for node in _first_of_each_op(order) if node.op.name in HELPERS]
    text = "\n\n\n".join([*used, "\n".join([f"def f({signature}):", *body])])
    imports = "import math\n\nimport numpy as np" if "math." in text else "import numpy as np"
    if re.search(r"\b(inf|nan)\b", re.sub(r"np\.(inf|nan)|is(inf|nan)", "", text)):
        imports += "\nfrom numpy import inf, nan"
    return f"{imports}\n\n\n{text}"


def _has_spelling(node: Node) -> bool:
    return node.op.name in OPERATORS or node.op.name in CALLS or node.op.name in SPECIAL


def _first_of_each_op(order: Sequence[Node]) -> Iterator[Node]:
    seen = set()
    for node in order:
        if node.op not in seen:
            seen.add(node.op)
            yield node


class _Names:
    """A distinct Python identifier for each node, given when it is asked for: a name of its own, or v1, v2 ..."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._taken = set(_RESERVED)
        self._given: dict[Node, str] = {}
        self._numbers: Counter[str] = Counter()
        for node in nodes:
            if node.name is not None:
                self.of(node)

    def of(self, node: Node) -> str:
        if node not in self._given:
            base = re.sub(r"\W", "_", node.name) if node.name else "v"
            base = base if base.isidentifier() else f"_{base}"
            name = base
            while name in self._taken or name == "v":
                self._numbers[base] += 1
                name = f"{base}{self._numbers[base]}" if base == "v" else f"{base}_{self._numbers[base] + 1}"
            self._taken.add(name)
            self._given[node] = name
        return self._given[node]


def _body(order: Sequence[Node], function: Function, names: _Names) -> Iterator[str]:
    """The lines of the function: one assignment a node, but for nodes used once, which stand where they are used."""
    uses = Counter(arg for node in order for arg in node.args)
    users: dict[Node, list[Node]] = defaultdict(list)
    for node in order:
        for arg in node.args:
            users[arg].append(node)
    targets = Counter(function._targets)
    text: dict[Node, str] = {}
    loose: set[Node] = set()  # written in place by an operator: parentheses around it
    heading: tuple[str, str] = ("", "")
    for node in order:
        if node in function.inputs or node.op is parameter_op:
            text[node] = names.of(node)
            continue
        if node.op is constant_op:
            if node.shape == ():
                text[node] = _number(node, users[node])
            else:
                text[node] = names.of(node)
                yield f"    {text[node]} = {_array(node._value)}"
            continue
        binds = node.op.name in OPERATORS or node.op.name in ("slice", "gather")
        args = [f"({text[arg]})" if binds and arg in loose else text[arg] for arg in node.args]
        expression = spelled(node, args)
        if uses[node] == 1 and not targets[node] and node.name is None and len(expression) < 40:
            text[node] = expression
            if node.op.name in OPERATORS:
                loose.add(node)
            continue
        if uses[node] == 0 and targets[node] == 1 and isinstance(function._outputs, Node):
            text[node] = expression
            continue
        new = (str(node.scope), "" if node.of is None else f"gradient of {_told(node.of, text)}")
        if new != heading and any(new):
            yield f"    # {', '.join(part for part in reversed(new) if part)}"
        heading = new
        text[node] = names.of(node)
        yield f"    {text[node]} = {expression}"
    yield f"    return {_returned(function._outputs, text)}"


def _told(node: Node, text: Mapping[Node, str]) -> str:
    return node.op.name if node.name is None else text.get(node, node.name)


def _returned(outputs: Any, text: dict[Node, str]) -> str:
    if isinstance(outputs, Node):
        return text[outputs]
    if isinstance(outputs, Mapping):
        return "{" + ", ".join(f"{key!r}: {text[node]}" for key, node in outputs.items()) + "}"
    members = [text[node] for node in outputs]
    if isinstance(outputs, tuple):
        return f"({', '.join(members)}{',' if len(members) == 1 else ''})"
    return f"[{', '.join(members)}]"


def _number(node: Node, users: Sequence[Node]) -> str:
    """A plain number where it takes its dtype from what stands beside it, else an array of no axes."""
    for user in users:
        beside = [arg.dtype for arg in user.args if arg.op is not constant_op]
        if node.dtype not in beside:
            return _array(node._value)
    text = repr(node._value.item())
    return f"({text})" if text.startswith("-") else text


def _array(value: Array) -> str:
    text = repr(value.tolist())
    return f"np.array({text}, dtype=np.{value.dtype.name})".replace("np.bool)", "bool)")
