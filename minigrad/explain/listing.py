"""One line a node, arguments before users: sharing shows, because a node is written once and named where it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..node import Node, walk
from ..ops.leaves import constant_op


def listing(outputs: Node | Iterable[Node], *, sites: bool = False) -> str:
    """Every node that `outputs` depend on, one a line, with shape, dtype and how often it is used.

    A node without a name is `%k`; of two nodes with one name the later is `name'2`. `sites` adds what each gradient
    node differentiates, the scope and the source line.

    >>> import minigrad as mg
    >>> x = mg.input((3,), name="x"); w = mg.parameter([1.0, 2.0, 3.0], name="w")
    >>> h = mg.tanh(w * x).named("h")
    >>> print(mg.listing(mg.sum(h * h)))
    x  = input                              (3,) float64
    w  = parameter                          (3,) float64
    %1 = mul(w, x)                          (3,) float64
    h  = tanh(%1)                           (3,) float64  used 2 times
    %2 = mul(h, h)                          (3,) float64
    %3 = sum(%2, axes=(0,), keepdims=False) ()   float64
    """
    order = list(walk(outputs))[::-1]
    label = labels(order)
    uses = Counter(arg for node in order for arg in node.args)
    rows = [_row(node, label, uses[node], sites) for node in order if not is_number(node)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return "\n".join(
        f"{name:<{widths[0]}} = {what:<{widths[1]}} {shape:<{widths[2]}} {rest}".rstrip()
        for name, what, shape, rest in rows
    )


def labels(order: Sequence[Node]) -> dict[Node, str]:
    """A distinct short label for each node: its name, its number, or `%k`."""
    taken: Counter[str] = Counter()
    label: dict[Node, str] = {}
    for node in order:
        if is_number(node):
            label[node] = str(node._value)
            continue
        base = node.name
        if base is None:
            taken["%"] += 1
            label[node] = f"%{taken['%']}"
            continue
        taken[base] += 1
        label[node] = base if taken[base] == 1 else f"{base}'{taken[base]}"
    return label


def is_number(node: Node) -> bool:
    """Whether the node is a nameless constant of no axes, which reads best as its value."""
    return node.op is constant_op and node.name is None and node.shape == ()


def _row(node: Node, label: dict[Node, str], uses: int, sites: bool) -> tuple[str, str, str, str]:
    inside = [label[arg] for arg in node.args] + [f"{key}={value}" for key, value in node.params.items()]
    what = f"{node.op.name}({', '.join(inside)})" if node.args else node.op.name
    rest = str(node.dtype)
    if uses > 1:
        rest += f"  used {uses} times"
    if sites:
        of = f"  gradient of {label.get(node.of, node.of.op.name)}" if node.of is not None else ""
        scope = f"  [{node.scope}]" if node.scope else ""
        rest += f"{of}{scope}  {node.site}"
    return label[node], what, str(node.shape), rest
