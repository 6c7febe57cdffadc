"""The expression: a `Node` says what is computed, and nothing else.

Read this file first. A node is an operation applied to other nodes; leaves are inputs, parameters and constants.
Nodes are immutable and hold no computed values: numbers live in a `Run` (see `run.py`). A node is created after its
arguments, so its `id`, a creation counter, orders every graph: ascending ids are a topological order, and the one
iterative `walk` below serves every pass. Nothing in this package recurses over nodes.

Each node also remembers where it came from, for error messages and figures: its `site` (the source line that made it,
outside this package) and its `scope` (the labels of the enclosing `with scope(...)` blocks). A node of a gradient
graph points at the forward node it differentiates (`of`) and inherits that node's scope and site.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .origin import Scope, Site, caller, file_name, inherited, location
from .syntax import Syntax

if TYPE_CHECKING:
    from .ops.core import Op

Array = NDArray[Any]
Shape = tuple[int, ...]

_next_id = count().__next__
_id = attrgetter("id")


_SLOTS = ("_site", "_value", "args", "dtype", "id", "name", "of", "op", "params", "scope", "shape")


class Node(Syntax):
    """One immutable expression: `op` applied to `args` under `params`.

    Attributes:
        op: the operation, an `Op`; leaves have the ops `input`, `parameter` and `constant`.
        args: the argument nodes in order, repeats kept (`x * x` has two edges to `x`).
        params: the operation's static parameters, a dict that nobody changes.
        shape, dtype: concrete, known at construction.
        id: a creation counter; arguments always have smaller ids than their users.
        scope: the labels of the enclosing `scope` blocks.
        site: the source line that made it, like `"train.py:12"`.
        name: a label for people, or None.
        of: the forward node this node differentiates, or None outside gradients.

    `==` between nodes is identity. Compare values with `np.equal(x, y)`.
    """

    __slots__ = _SLOTS

    op: Op
    args: tuple[Node, ...]
    params: dict[str, Any]
    shape: Shape
    dtype: np.dtype[Any]
    id: int
    scope: Scope
    name: str | None
    of: Node | None
    _site: Site
    _value: Array  # leaves that hold a number: parameters and constants

    def __setattr__(self, attribute: str, value: Any) -> None:
        raise AttributeError(f"a Node is immutable: build a new one instead of setting {attribute!r}")

    def __delattr__(self, attribute: str) -> None:
        raise AttributeError(f"a Node is immutable: {attribute!r} cannot be deleted")

    @property
    def site(self) -> str:
        """Where the node was made, `file.py:line`."""
        path, line = self.location
        return f"{file_name(path)}:{line}"

    @property
    def location(self) -> tuple[str, int]:
        """The file and line that made the node."""
        return location(self._site)

    def named(self, name: str) -> Node:
        """Give this node a name for messages and figures, and return it. A name can be given once.

        >>> import minigrad as mg
        >>> h = mg.tanh(mg.input((3,))).named("h")
        >>> h.name
        'h'
        """
        if self.name is not None and self.name != name:
            raise ValueError(f"{describe(self)} already has a name; it cannot become {name!r}")
        object.__setattr__(self, "name", name)
        return self

    def eval(self, feed: Mapping[Node, ArrayLike] | None = None) -> Array:
        """The node's value as a fresh array, by the reference interpreter. `feed` maps inputs to arrays.

        >>> import minigrad as mg
        >>> x = mg.input((2,))
        >>> (x * x).eval({x: [1.0, 3.0]})
        array([1., 9.])
        """
        from .run import run

        return np.array(run(self, feed)[self])

    def __reduce__(self) -> Any:
        raise TypeError(
            f"{self!r} is not pickled: write graphs with mg.save(path, outputs), read them with mg.load(path)"
        )

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        return self

    def __repr__(self) -> str:
        label = self.op.name if self.name is None else f"{self.name} = {self.op.name}"
        where = f", {self.scope}" if self.scope else ""
        return f"<{label} {self.shape} {self.dtype}, {self.site}{where}>"


class _Draft(Syntax):
    """A Node while it is filled in. Plain attribute stores and one class change keep construction cheap and the
    finished Node immutable; the two classes must declare the same slots."""

    __slots__ = _SLOTS


class Parameter(Node):
    """A leaf that holds an array: read-only, replaced as a whole by `assign`."""

    __slots__ = ()

    @property
    def value(self) -> Array:
        """The array held now, read-only."""
        return self._value

    def assign(self, value: ArrayLike) -> None:
        """Replace the value; shape must match, the dtype stays.

        >>> import minigrad as mg
        >>> w = mg.parameter([1.0, 2.0], name="w")
        >>> w.assign([3.0, 4.0]); w.eval()
        array([3., 4.])
        """
        array = np.array(value, dtype=self.dtype)
        if array.shape != self.shape:
            raise ValueError(f"assign: {describe(self)} has shape {self.shape}, got an array of shape {array.shape}")
        array.flags.writeable = False
        object.__setattr__(self, "_value", array)


def make(op: Op, args: tuple[Node, ...], params: dict[str, Any], shape: Shape, dtype: np.dtype[Any]) -> Node:
    """The one place where nodes are made. Trusts its caller (an `Op`) for shape and dtype."""
    draft: Any = _Draft()
    draft.op = op
    draft.args = args
    draft.params = params
    draft.shape = shape
    draft.dtype = dtype
    draft.id = _next_id()
    draft.name = None
    draft.scope, draft.of, site = inherited.get()
    draft._site = caller() if site is None else site
    draft.__class__ = Node
    node: Node = draft
    return node


def make_holder(kind: type[Node], op: Op, value: Array) -> Any:
    """A leaf of the given kind that holds `value`."""
    node = make(op, (), {}, value.shape, value.dtype)
    object.__setattr__(node, "_value", value)
    object.__setattr__(node, "__class__", kind)
    return node


def walk(outputs: Node | Iterable[Node]) -> Iterator[Node]:
    """Every node that `outputs` depend on, themselves included, by descending id: users before their arguments.

    >>> import minigrad as mg
    >>> x = mg.input(()); y = x * x + x
    >>> [node.op.name for node in mg.walk(y)]
    ['add', 'mul', 'input']
    """
    stack = [outputs] if isinstance(outputs, Node) else list(outputs)
    seen = set(stack)
    for node in stack:
        for arg in node.args:
            if arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return iter(sorted(seen, key=_id, reverse=True))


def key_of(params: dict[str, Any]) -> Any:
    """Something hashable that is equal for parameters of an op that say the same.

    Equality is not enough: 1, 1.0 and True are equal, and so are 0.0 and -0.0. What cannot be hashed says the same as
    itself alone.
    """
    if not params:
        return None
    key = tuple(params.items())
    try:
        hash(key)
    except TypeError:
        return id(params)
    return key, repr(key)


def describe(node: Node) -> str:
    """`h (train.py:12, lstm t=3)`: how error messages speak of a node."""
    where = f"{node.site}, {node.scope}" if node.scope else node.site
    return f"{node.name or node.op.name} ({where})"
