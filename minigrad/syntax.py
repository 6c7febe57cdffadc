"""How a Node is written: operators, methods, indexing and NumPy's array protocols.

`Node` inherits this class. It holds spelling only; what each spelling means is in `functions.py` and `ops/`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from . import functions as f
    from . import ops
    from .node import Node, Shape


def bind(functions_module: Any, ops_module: Any) -> None:
    """Tell the operators what they mean. The ops need Node and Node needs the ops: the knot is tied here, once."""
    globals().update(f=functions_module, ops=ops_module)


def _method(name: str) -> Callable[..., Node]:
    """NumPy's method of that name: the function with the node as its first argument."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        from .numpy_protocol import call

        return call(f"the method {name}", getattr(f, name), (self, *args), kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"NumPy's method: see `minigrad.functions.{name}`."
    return method


class Syntax:
    """Operators and methods shared by every Node."""

    __slots__ = ("__weakref__",)

    if TYPE_CHECKING:
        shape: Shape
        dtype: np.dtype[Any]

    def __add__(self, other: Any) -> Node:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Node:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Node:
        return ops.sub(self, other)

    def __rsub__(self, other: Any) -> Node:
        return ops.sub(other, self)

    def __mul__(self, other: Any) -> Node:
        return ops.mul(self, other)

    def __rmul__(self, other: Any) -> Node:
        return ops.mul(other, self)

    def __truediv__(self, other: Any) -> Node:
        return ops.div(self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return ops.div(other, self)

    def __pow__(self, other: Any) -> Node:
        return ops.power(self, other)

    def __rpow__(self, other: Any) -> Node:
        return ops.power(other, self)

    def __matmul__(self, other: Any) -> Node:
        return f.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Node:
        return f.matmul(other, self)

    def __floordiv__(self, other: Any) -> Node:
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Node:
        return ops.floor_divide(other, self)

    def __mod__(self, other: Any) -> Node:
        return ops.remainder(self, other)

    def __rmod__(self, other: Any) -> Node:
        return ops.remainder(other, self)

    def __neg__(self) -> Node:
        return ops.neg(self)

    def __pos__(self) -> Node:
        return self  # type: ignore[return-value]  # only Node and its drafts inherit this class

    def __abs__(self) -> Node:
        return ops.absolute(self)

    def __gt__(self, other: Any) -> Node:
        return ops.greater(self, other)

    def __ge__(self, other: Any) -> Node:
        return ops.greater_equal(self, other)

    def __lt__(self, other: Any) -> Node:
        return ops.less(self, other)

    def __le__(self, other: Any) -> Node:
        return ops.less_equal(self, other)

    def __and__(self, other: Any) -> Node:
        return f.bitwise_and(self, other)

    def __rand__(self, other: Any) -> Node:
        return f.bitwise_and(other, self)

    def __or__(self, other: Any) -> Node:
        return f.bitwise_or(self, other)

    def __ror__(self, other: Any) -> Node:
        return f.bitwise_or(other, self)

    def __xor__(self, other: Any) -> Node:
        return f.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> Node:
        return f.bitwise_xor(other, self)

    def __invert__(self) -> Node:
        return f.invert(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Syntax):
            return self is other
        if isinstance(other, (int, float, complex, np.ndarray, np.generic, list)):
            raise TypeError("== between a Node and a number is not elementwise: write np.equal(x, y)")
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        if isinstance(other, (int, float, complex, np.ndarray, np.generic, list)):
            raise TypeError("!= between a Node and a number is not elementwise: write np.not_equal(x, y)")
        return self is not other

    __hash__ = object.__hash__

    def __getitem__(self, index: Any) -> Node:
        return f.getitem(self, index)

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no truth value before it is evaluated: use .eval(), or np.where for a choice")

    def __float__(self) -> float:
        raise TypeError(f"{self!r} is not a number before it is evaluated: use .eval()")

    def __int__(self) -> int:
        raise TypeError(f"{self!r} is not a number before it is evaluated: use .eval()")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self!r} is not an array before it is evaluated: use .eval(), or a function minigrad covers")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d node")
        return self.shape[0]

    def __iter__(self) -> Any:
        if not self.shape:
            raise TypeError(f"{self!r} is 0-d and cannot be iterated over")
        return (self[i] for i in range(self.shape[0]))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from .numpy_protocol import apply_ufunc

        return apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from .numpy_protocol import apply_function

        return apply_function(function, args, kwargs)

    @property
    def T(self) -> Node:
        """The axes in reverse order."""
        return f.transpose(self)

    @property
    def mT(self) -> Node:
        """The last two axes exchanged."""
        return f.matrix_transpose(self)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def reshape(self, *shape: Any) -> Node:
        """The same elements in another shape; one size may be -1."""
        return f.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Node:
        """The axes permuted, reversed by default."""
        order: Sequence[int] | None = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return f.transpose(self, order)

    def dot(self, other: Any) -> Node:
        """NumPy's dot: over the last axis of this and the last but one of the other."""
        return f.dot(self, other)

    def item(self) -> float:
        """Refused: a node holds no number."""
        raise TypeError(f"{self!r} is not a number before it is evaluated: use .eval()")

    all = _method("all")
    any = _method("any")
    argmax = _method("argmax")
    argmin = _method("argmin")
    argsort = _method("argsort")
    astype = _method("astype")
    choose = _method("choose")
    clip = _method("clip")
    copy = _method("copy")
    cumprod = _method("cumprod")
    cumsum = _method("cumsum")
    diagonal = _method("diagonal")
    max = _method("max")
    mean = _method("mean")
    min = _method("min")
    prod = _method("prod")
    ptp = _method("ptp")
    ravel = _method("ravel")
    repeat = _method("repeat")
    round = _method("round")
    squeeze = _method("squeeze")
    std = _method("std")
    sum = _method("sum")
    swapaxes = _method("swapaxes")
    take = _method("take")
    trace = _method("trace")
    var = _method("var")
    flatten = _method("ravel")
