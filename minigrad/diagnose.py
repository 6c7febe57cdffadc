"""Where a number stopped being a number: `why_nan`.

Relies on `run` keeping every value, on nodes knowing their source line, scope and (in gradients) the forward node they
differentiate, and on each op saying in `singular` when it makes a non-finite number of finite ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .node import Array, Node, describe
from .ops import Elementwise
from .run import Run, run


@dataclass(frozen=True)
class NonFinite:
    """The first node that became inf or NaN from finite numbers. Its text is the explanation.

    Attributes:
        node: that node; one that was fed or a leaf if the number came in so.
        index: the element.
        value: its value, inf, -inf or NaN.
        operands: the node's arguments with their values at that element, or with their arrays where an element of the
            result depends on more than one.
        became_nan: the node where an inf turned into NaN, if there is one.
        remedy: what to do about it.
    """

    node: Node
    index: tuple[int, ...]
    value: float
    operands: tuple[tuple[Node, Any], ...]
    became_nan: Node | None
    remedy: str

    @property
    def forward(self) -> Node | None:
        """The forward node whose gradient this is, or None if the trouble is in the forward pass."""
        return self.node.of

    def __str__(self) -> str:
        place = f" at {list(self.index)}" if self.index else ""
        if not self.operands:
            return f"{describe(self.node)} holds {self.value}{place}. {self.remedy}"
        which = f"in the gradient of {describe(self.node.of)}, " if self.node.of is not None else ""
        lines = [f"{which}{describe(self.node)} became {self.value}{place} from finite numbers:"]
        lines += [f"    {letter} = {_show(operand, value)}" for letter, (operand, value) in _lettered(self.operands)]
        if self.became_nan is not None:
            of = f" in the gradient of {describe(self.became_nan.of)}" if self.became_nan.of is not None else ""
            lines.append(f"It became NaN in {describe(self.became_nan)}{of}.")
        return "\n".join([*lines, f"Remedy: {self.remedy}"])


def _lettered(operands: Iterable[tuple[Node, Any]]) -> Iterable[tuple[str, tuple[Node, Any]]]:
    return zip("abcdefghijklmnopqrstuvwxyz", operands, strict=False)


def _show(node: Node, value: Any) -> str:
    if np.ndim(value) == 0:
        return f"{describe(node)} = {value}"
    if not np.size(value):
        return f"{describe(node)}, shape {node.shape}, empty"
    return f"{describe(node)}, shape {node.shape}, from {np.min(value)} to {np.max(value)}"


def why_nan(outputs: Node | Iterable[Node], feed: Mapping[Node, ArrayLike] | None = None) -> NonFinite | None:
    """Why `outputs` are inf or NaN: the first node on the way that became so from finite numbers, or None if all
    outputs are finite. An inf that no output shows (one that a `where` discards) is not reported.

    >>> import numpy as np
    >>> import minigrad as mg
    >>> x = mg.input((2,), name="x")
    >>> print(mg.why_nan(np.log(x - 1.0), {x: [2.0, 1.0]}))
    log (<doctest minigrad.diagnose.why_nan[3]>:1) became -inf at [1] from finite numbers:
        a = sub (<doctest minigrad.diagnose.why_nan[3]>:1) = 0.0
    Remedy: x <= 0: clamp the argument away from 0, or use logsumexp, log_softmax or log1p
    """
    targets = [outputs] if isinstance(outputs, Node) else list(outputs)
    values = run(targets, feed)
    given = set(feed or ())
    bad = _non_finite_behind(targets, values, given)
    if not bad:
        return None
    node = min((n for n in bad if n in given or not any(arg in bad for arg in n.args)), key=lambda n: n.id)
    value = values[node]
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
    became_nan = None
    if not np.isnan(value[index]):
        became_nan = min((n for n in bad if np.isnan(values[n]).any()), key=lambda n: n.id, default=None)
    operands = () if node in given else tuple((arg, _at(node, values[arg], index)) for arg in node.args)
    remedy = _remedy(node, became_nan) if operands else "Feed or hold finite numbers."
    return NonFinite(node, index, float(value[index]), operands, became_nan, remedy)


def _non_finite_behind(targets: Iterable[Node], values: Run, given: set[Node]) -> set[Node]:
    """The nodes with non-finite values from which, through such nodes, an output is reached."""
    stack = [node for node in targets if not np.isfinite(values[node]).all()]
    bad = set(stack)
    for node in stack:
        for arg in () if node in given else node.args:
            if arg not in bad and not np.isfinite(values[arg]).all():
                bad.add(arg)
                stack.append(arg)
    return bad


def _at(node: Node, value: Array, index: tuple[int, ...]) -> Any:
    """The operand's element that the result's element was computed from, or the whole operand."""
    if not isinstance(node.op, Elementwise):
        return value
    return np.broadcast_to(value, node.shape)[index]


def _remedy(node: Node, became_nan: Node | None) -> str:
    said = [n.op.singular for n in (node.of, node) if n is not None and n.op.singular]
    remedies = said[:1] or ["the numbers overflowed: scale them down, or compute with their logarithms"]
    if became_nan is not None and became_nan.of is not None and became_nan.op.name == "mul":
        remedies.append(
            "Here 0 * inf is a branch that was not taken: choose before the singular op as well as after (double "
            "where), or differentiate inside mg.strong_zero()"
        )
    return ". ".join(remedies)
