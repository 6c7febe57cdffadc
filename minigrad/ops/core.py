"""What an operation is: a name, a shape rule, a NumPy kernel and one datum from which its derivatives follow.

Three families, by the datum they need:

* `Elementwise`: one partial derivative per argument, an expression.
* `Linear`: the transpose of the map in each argument it is linear in; the tangent rule is the op itself.
* `Explicit`: a pull and a push rule, written out. Few ops need this; and fewer still, the `Discrete` ones, have none.

Rules are written once, in terms of ops, and run on three kinds of values, because calling an op does the obvious thing
with each: on nodes it builds a node, on arrays it computes an array, and on `Stacked` values (many cotangents at once)
it maps over the stack axis. Rules never mention broadcasting: the engine reduces a cotangent to its argument's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..errors import DtypeError, ShapeError, listing, warn_of_broadcast
from ..node import Node, Shape, make
from ..origin import is_forward
from .constants import lift, result_type

# A node, an array, a Python number or a Stacked value: whatever an op can be called on.
Value: TypeAlias = Any
Kernel: TypeAlias = Callable[..., Any]
Partial: TypeAlias = Callable[..., Value] | int | None

REGISTRY: dict[str, Op] = {}


class Kink(NamedTuple):
    """One row of an op's policy: what its derivative is where the function has none."""

    where: str
    args: tuple[float, ...]
    partials: tuple[float, ...]


class Stacked:
    """Several values of one shape, along a leading axis that ops do not see.

    `value` is a node or an array of shape `(S, *shape)`. Rules called on it run for all S members in one sweep.
    """

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    @property
    def shape(self) -> Shape:
        shape: Shape = self.value.shape
        return shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.value.dtype
        return dtype

    @property
    def ndim(self) -> int:
        return len(self.value.shape) - 1


class Op:
    """An operation; calling it builds a node (or computes, on arrays). Subclass one of the families, not this.

    Attributes:
        name: the op's name, unique in the registry.
        latex: a format string over the arguments' LaTeX, like `r"\\tanh {0}"`.
        analytic: whether the kernel is complex-differentiable, so that a complex step may check it.
        kinks: the policy rows, tested one by one.
        kernel: computes on arrays, generic in dtype: float32 stays float32, and complex arrays work.
        shape: the result's shape from the arguments' shapes; raises ValueError saying what it expects.
        singular: when the op makes a non-finite number of finite ones, and the remedy; read by `why_nan`.
    """

    name: str = ""
    latex: str = ""
    analytic: bool = True
    kinks: tuple[Kink, ...] = ()
    singular: str = ""

    # Each op defines these with its own parameters spelled out.
    kernel: Callable[..., Any]
    shape: Callable[..., Shape]

    def __init__(self) -> None:
        if self.name in REGISTRY:
            raise ValueError(f"an op named {self.name!r} exists already; choose another name")
        REGISTRY[self.name] = self
        rows = [f"{kink.where}: the derivative is {kink.partials}" for kink in self.kinks]
        self.__doc__ = "\n".join([self.__doc__ or "", *rows])

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (op_named, (self.name,))

    def __call__(self, *args: Value, **params: Any) -> Value:
        has_node = False
        for arg in args:
            if isinstance(arg, Stacked):
                return self.on_stacks(args, params)
            has_node = has_node or isinstance(arg, Node)
        return self.build(lift(args), params) if has_node else np.asarray(self.kernel(*args, **params))

    def build(self, nodes: tuple[Node, ...], params: dict[str, Any]) -> Node:
        """Infer shape and dtype and make the node."""
        try:
            shape = self.shape(*[node.shape for node in nodes], **params)
        except ValueError as error:
            raise self.fail(str(error), nodes) from None
        return make(self, nodes, params, shape, self.dtype(*[node.dtype for node in nodes], **params))

    def fail(self, expected: str, nodes: Sequence[Value]) -> ShapeError:
        """The error for arguments whose shapes do not fit."""
        return ShapeError(f"{self.name}: {expected}; {listing(nodes)}")

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        """The result's dtype: that of the arguments together, unless an op says otherwise."""
        return result_type(*dtypes)

    def is_smooth_in(self, slot: int) -> bool:
        """Whether a derivative can pass to a float argument `slot`, whatever the values are."""
        return True

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value | None:
        """What the cotangent `ct` of the result contributes to argument `slot`; None where it does not depend on it.

        May come back in any shape that broadcasting could have made of the argument's: the engine sums it down.
        """
        raise NotImplementedError

    def push(
        self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]
    ) -> Value | None:
        """What the tangent of argument `slot` contributes to the tangent of the result; None if it does not."""
        raise NotImplementedError

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        """Apply to each member of the stacked arguments. Ops that can do all members in one call override this."""
        count = next(len_of_stack(arg) for arg in args if isinstance(arg, Stacked))
        members = [
            self(*(arg.value[i] if isinstance(arg, Stacked) else arg for arg in args), **params) for i in range(count)
        ]
        return Stacked(np.stack(members))


def op_named(name: str) -> Op:
    """The op of that name; raises ValueError if there is none."""
    if name not in REGISTRY:
        raise ValueError(f"there is no op named {name!r}; import the module that declares it first")
    return REGISTRY[name]


class Elementwise(Op):
    """An op that acts on each element alone, under broadcasting.

    `partials[i]` is the derivative in argument i: a function `(out, *args) -> expression`, or one of the constants
    1, -1 and 0, or None where the result does not depend on the argument's value in any smooth way (comparisons,
    conditions).

    >>> import numpy as np
    >>> import minigrad as mg
    >>> mg.ops.tanh.partials[0](None, np.float64(25.0))     # exact where 1 - tanh(x)**2 rounds to 0
    array(7.71499939e-22)
    """

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        partials: Sequence[Partial],
        *,
        latex: str,
        doc: str,
        analytic: bool = True,
        kinks: tuple[Kink, ...] = (),
        singular: str = "",
    ) -> None:
        self.name = name
        self.kernel = kernel
        self.partials = tuple(partials)
        self.latex = latex
        self.__doc__ = doc
        self.analytic = analytic
        self.kinks = kinks
        self.singular = singular
        self._dtype_of_same: dict[np.dtype[Any], np.dtype[Any]] = {}
        self.dtype = cache(self.dtype)  # type: ignore[method-assign]  # an op is asked the same few questions for ever
        super().__init__()

    def __call__(self, *args: Value, **params: Any) -> Value:
        # Nodes of one shape and dtype are the common case, and building them is the cost of writing a graph.
        first = args[0]
        if not isinstance(first, Node):
            if type(first) is np.ndarray and len(args) == 1:
                return np.asarray(self.kernel(first))
            return super().__call__(*args, **params)
        shape, dtype = first.shape, first.dtype
        for arg in args:
            if arg is first:
                continue
            if not isinstance(arg, Node):
                return super().__call__(*args, **params)
            if arg.dtype is not dtype or arg.shape != shape:
                return self.build(args, params)
        try:
            result = self._dtype_of_same[dtype]
        except KeyError:
            result = self._dtype_of_same.setdefault(dtype, self.dtype(*[dtype] * len(args)))
        return make(self, args, params, shape, result)

    def build(self, nodes: tuple[Node, ...], params: dict[str, Any]) -> Node:
        shapes = tuple([node.shape for node in nodes])
        try:
            shape, is_mutual = broadcast(shapes)
        except ValueError:
            raise self.fail("expects shapes that broadcast together", nodes) from None
        if is_mutual and is_forward():
            warn_of_broadcast(self.name, nodes, shape)
        return make(self, nodes, params, shape, self.dtype(*[node.dtype for node in nodes]))

    def shape(self, *shapes: Shape, **params: Any) -> Shape:
        return joint_shape(shapes)

    def dtype(self, *dtypes: np.dtype[Any], **params: Any) -> np.dtype[Any]:
        # Asking the kernel is the one rule that cannot disagree with it.
        with np.errstate(all="ignore"):
            result = np.asarray(self.kernel(*(np.ones((), dtype) for dtype in dtypes))).dtype
        if result.kind not in "fiub":
            raise DtypeError(
                f"{self.name} of {', '.join(map(str, dtypes))} gives {result}; minigrad computes with real numbers"
            )
        return result

    def is_smooth_in(self, slot: int) -> bool:
        return (self.partials[slot] if slot < len(self.partials) else self.partials[-1]) is not None

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value | None:
        partial = self.partial(slot, out, args)
        return None if partial is None else scale(ct, partial)

    def push(
        self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]
    ) -> Value | None:
        return self.pull(tangent, slot, out, args, params)  # a diagonal map is its own transpose

    def partial(self, slot: int, out: Value, args: Sequence[Value]) -> Value | None:
        """The local derivative in argument `slot`, an expression of the kind of `args`, a number, or None."""
        partials = self.partials
        partial = partials[slot] if slot < len(partials) else partials[-1]
        return partial(out, *args) if callable(partial) else partial

    def on_stacks(self, args: tuple[Value, ...], params: dict[str, Any]) -> Stacked:
        rank = max(rank_of(arg) for arg in args)
        return Stacked(self(*(align(arg, rank) for arg in args), **params))


class Linear(Op):
    """An op that is linear in the arguments `linear_in`, taken one at a time.

    The datum is `transpose`: the adjoint map, which carries a cotangent of the result back to argument `slot`.
    """

    linear_in: tuple[int, ...] = (0,)

    transpose: Callable[..., Value]

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> Value | None:
        if not self.is_linear_in(slot):
            return None
        return self.transpose(ct, slot, args, **params)

    def push(
        self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]
    ) -> Value | None:
        if not self.is_linear_in(slot):
            return None
        return self(*args[:slot], tangent, *args[slot + 1 :], **params)

    def is_linear_in(self, slot: int) -> bool:
        return slot in self.linear_in

    def is_smooth_in(self, slot: int) -> bool:
        return self.is_linear_in(slot)


class Explicit(Op):
    """An op whose pull and push rules are written out."""


class Discrete(Op):
    """An op whose result does not vary smoothly with any argument: positions, orders. No derivative passes it."""

    analytic = False

    def is_smooth_in(self, slot: int) -> bool:
        return False

    def pull(self, ct: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> None:
        return None

    def push(self, tangent: Value, slot: int, out: Value, args: Sequence[Value], params: dict[str, Any]) -> None:
        return None


_zero_is_strong: ContextVar[bool] = ContextVar("_zero_is_strong", default=False)


@contextmanager
def strong_zero() -> Iterator[None]:
    """Derivatives taken inside the block let a cotangent of 0 win over a partial of inf or NaN.

    By IEEE arithmetic 0 * inf is NaN, so the gradient of `where(x > 0, sqrt(x), 0)` at 0 is NaN: the branch that was
    not taken sends back 0 times the infinite slope of the root. The usual cure is the double where, which keeps
    the root away from 0: `where(x > 0, sqrt(where(x > 0, x, 1)), 0)`. This block is the other cure.

    >>> import numpy as np
    >>> import minigrad as mg
    >>> x = mg.input(())
    >>> y = np.where(x > 0, np.sqrt(x), 0.0)
    >>> with mg.strong_zero():
    ...     g = mg.grad(y, x)
    >>> mg.grad(y, x).eval({x: 0.0}), g.eval({x: 0.0})
    (array(nan), array(0.))
    """
    token = _zero_is_strong.set(True)
    try:
        yield
    finally:
        _zero_is_strong.reset(token)


def zero_is_strong() -> bool:
    """Whether a cotangent of 0 wins over a local derivative of inf or NaN just now."""
    return _zero_is_strong.get()


def scale(vector: Value, partial: Value) -> Value:
    """A cotangent or a tangent times a local derivative: the one place where the two are multiplied."""
    if isinstance(partial, int):
        if partial == 1:
            return vector
        if partial == -1:
            return REGISTRY["neg"](vector)
    if _zero_is_strong.get():
        return REGISTRY["strong_mul"](vector, partial)
    if type(vector) is np.ndarray and type(partial) is np.ndarray and vector.ndim:
        return np.multiply(vector, partial)  # what mul would do, sooner
    return REGISTRY["mul"](vector, partial)


def len_of_stack(stacked: Stacked) -> int:
    count: int = stacked.value.shape[0]
    return count


def rank_of(value: Value) -> int:
    """The number of axes of a value of any kind, the stack's apart."""
    return len(value.shape) if isinstance(value, (Node, Stacked)) else np.ndim(value)


def align(value: Value, rank: int) -> Value:
    """The plain value of a stacked one, its members padded with leading 1s to `rank` axes for broadcasting."""
    if not isinstance(value, Stacked):
        return value
    missing = rank - value.ndim
    if not missing:
        return value.value
    return value.value.reshape((len_of_stack(value), *(1,) * missing, *value.shape))


@cache
def broadcast(shapes: tuple[Shape, ...]) -> tuple[Shape, bool]:
    """The shape that the given ones broadcast to, and whether that was likely a slip: shapes of different rank that
    each grew, like (N,) against (N, 1)."""
    joint = np.broadcast_shapes(*shapes)
    grown = {shape for shape in shapes if np.prod(shape, dtype=int) != np.prod(joint, dtype=int) and shape}
    is_mutual = all(shape in grown or not shape for shape in shapes) and len({len(shape) for shape in grown}) > 1
    return joint, is_mutual


def joint_shape(shapes: tuple[Shape, ...]) -> Shape:
    """The shape that the given ones broadcast to."""
    try:
        return broadcast(shapes)[0]
    except ValueError:
        raise ValueError("expects shapes that broadcast together") from None


def real(x: Any) -> Any:
    """The part of a complex array that decides where a function is not analytic."""
    return x.real if np.iscomplexobj(x) else x
