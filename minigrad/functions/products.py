"""Products of matrices and tensors, in NumPy's spellings; all come down to `matmul` or `einsum`."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from .. import ops
from ..node import Node
from ..ops.constants import lift
from ..ops.core import Value
from ..ops.linear import LETTERS
from .axes import as_node, as_tuple, normal_axis
from .indexing import diagonal, getitem
from .reductions import sum
from .shaping import moveaxis, ravel, reshape, stack


def matmul(a: Value, b: Value) -> Node:
    """Matrix product with NumPy's rules: vectors are promoted, leading axes broadcast.

    >>> import minigrad as mg
    >>> mg.matmul(mg.input((5, 2, 3)), mg.input((3,))).shape
    (5, 2)
    """
    a, b = _pair(a, b)
    if not a.ndim or not b.ndim:
        raise ops.matmul.fail("expects arguments of one or more axes; scale with *", (a, b))
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ops.matmul.fail(
            f"expects a.shape[-1] == b.shape[-2], got {a.shape[-1]} and {b.shape[-2 if b.ndim > 1 else 0]}", (a, b)
        )
    left = reshape(a, (1, *a.shape)) if a.ndim == 1 else a
    right = reshape(b, (*b.shape, 1)) if b.ndim == 1 else b
    if right.ndim == 2 and left.ndim > 2:
        # One product of a tall matrix, so that the gradient of the right factor is one product too, not a sum of many.
        tall = reshape(left, (int(np.prod(left.shape[:-1])), left.shape[-1]))
        product = reshape(ops.matmul(tall, right), (*left.shape[:-1], right.shape[-1]))
    else:
        product = ops.matmul(left, right)
    shape = list(product.shape)
    if b.ndim == 1:
        del shape[-1]
    if a.ndim == 1:
        del shape[-1 if b.ndim == 1 else -2]
    return product if tuple(shape) == product.shape else reshape(product, shape)


def _pair(a: Value, b: Value) -> tuple[Node, Node]:
    if not isinstance(a, Node) and not isinstance(b, Node):
        return as_node(a), as_node(b)
    left, right = lift((a, b))
    return left, right


def dot(a: Value, b: Value) -> Node:
    """NumPy's dot: over the last axis of a and the last but one of b; with a number it scales.

    >>> import minigrad as mg
    >>> mg.dot(mg.constant([1.0, 2.0]), mg.constant([3.0, 4.0])).eval()
    array(11.)
    """
    a, b = _pair(a, b)
    if not a.ndim or not b.ndim:
        return a * b
    if b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, ((a.ndim - 1,), (b.ndim - 2,)))


def vdot(a: Value, b: Value) -> Node:
    """The sum of products of all elements."""
    return matmul(ravel(a), ravel(b))


def vecdot(a: Value, b: Value) -> Node:
    """The sum of products over the last axis, leading axes broadcast."""
    a, b = _pair(a, b)
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-1]:
        raise ops.einsum.fail("vecdot expects vectors of one length along the last axis", (a, b))
    return einsum("...i,...i->...", a, b)


def matvec(a: Value, b: Value) -> Node:
    """Matrices times vectors over the last axes, leading axes broadcast."""
    return einsum("...ij,...j->...i", a, b)


def vecmat(a: Value, b: Value) -> Node:
    """Vectors times matrices over the last axes, leading axes broadcast."""
    return einsum("...i,...ij->...j", a, b)


def inner(a: Value, b: Value) -> Node:
    """The sum of products over the last axes of both."""
    a, b = _pair(a, b)
    return a * b if not a.ndim or not b.ndim else tensordot(a, b, ((a.ndim - 1,), (b.ndim - 1,)))


def outer(a: Value, b: Value) -> Node:
    """The products of all pairs of elements, `(a.size, b.size)`."""
    a, b = _pair(a, b)
    return reshape(a, (a.size, 1)) * reshape(b, (1, b.size))


def tensordot(a: Value, b: Value, axes: int | Sequence[int | Sequence[int]] = 2) -> Node:
    """The sum of products over the given axes of a and of b, or over the last axes of a and the first of b."""
    a, b = _pair(a, b)
    if isinstance(axes, int):
        of_a, of_b = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    else:
        of_a = tuple(normal_axis(axis, a.ndim) for axis in as_tuple(axes[0]))
        of_b = tuple(normal_axis(axis, b.ndim) for axis in as_tuple(axes[1]))
    if [a.shape[axis] for axis in of_a] != [b.shape[axis] for axis in of_b]:
        raise ops.einsum.fail(f"tensordot expects equal sizes along the axes {of_a} and {of_b}", (a, b))
    left, right = list(LETTERS[: a.ndim]), list(LETTERS[a.ndim : a.ndim + b.ndim])
    for i, j in zip(of_a, of_b, strict=True):
        right[j] = left[i]
    out = [letter for letter in left + right if (letter in left) != (letter in right)]
    return einsum(f"{''.join(left)},{''.join(right)}->{''.join(out)}", a, b)


def einsum(subscripts: str, *operands: Value, optimize: object = None) -> Node:
    """Einstein's summation: products summed over repeated labels, in NumPy's notation.

    Labels may repeat within an operand (a diagonal), `...` broadcasts, the result's labels may be left out.
    `optimize` is accepted and has no effect: the order of the products is always searched for.

    >>> import minigrad as mg
    >>> x = mg.constant([[1.0, 2.0], [3.0, 4.0]])
    >>> mg.functions.einsum("ii", x).eval(), mg.functions.einsum("ij,kj->ik", x, x).eval()
    (array(5.), array([[ 5., 11.],
           [11., 25.]]))
    """
    nodes = [as_node(x) for x in operands]
    if any(isinstance(x, Node) for x in operands):
        nodes = list(lift(operands))
    labels, out = _spell_out(subscripts, nodes)
    pairs = [_take_diagonals(node, own) for node, own in zip(nodes, labels, strict=True)]
    nodes, labels = [node for node, _ in pairs], [own for _, own in pairs]
    for i, own in enumerate(labels):
        elsewhere = out + "".join(labels[:i] + labels[i + 1 :])
        lone = [axis for axis, label in enumerate(own) if label not in elsewhere]
        if lone:
            nodes[i] = sum(nodes[i], lone)
            labels[i] = "".join(label for label in own if label in elsewhere)
    if len(nodes) == 1:
        return ops.transpose(nodes[0], axes=tuple(labels[0].index(label) for label in out))
    return ops.einsum(*nodes, labels=tuple(labels), out=out)


def _spell_out(subscripts: str, nodes: Sequence[Node]) -> tuple[list[str], str]:
    """The labels of each operand and of the result, `...` replaced by letters of its own."""
    spec = subscripts.replace(" ", "")
    left, arrow, out = spec.partition("->")
    labels = left.split(",")
    if len(labels) != len(nodes):
        raise ops.einsum.fail(f"{subscripts!r} names {len(labels)} operands, got {len(nodes)}", nodes)
    free = [letter for letter in LETTERS if letter not in spec]
    widths = [node.ndim - len(own.replace("...", "")) for own, node in zip(labels, nodes, strict=True)]
    for own, width in zip(labels, widths, strict=True):
        if width < 0 or (width and "..." not in own) or not set(own.replace("...", "")) <= set(LETTERS):
            raise ops.einsum.fail(f"{subscripts!r} does not fit the operands' axes", nodes)
    broad = "".join(free[: max([w for own, w in zip(labels, widths, strict=True) if "..." in own], default=0)])
    labels = [own.replace("...", broad[len(broad) - w :]) for own, w in zip(labels, widths, strict=True)]
    if not arrow:
        joined = "".join(labels)
        out = "..." + "".join(sorted(x for x in set(joined) if joined.count(x) == 1 and x not in broad))
    out = out.replace("...", broad)
    if len(set(out)) != len(out) or not set(out) <= set("".join(labels)):
        raise ops.einsum.fail(f"{subscripts!r}: each label of the result occurs once there and in an operand", nodes)
    return labels, out


def _take_diagonals(x: Node, labels: str) -> tuple[Node, str]:
    """x with axes that share a label merged into their diagonal."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first, second = labels.index(label), labels.rindex(label)
            if x.shape[first] != x.shape[second]:
                raise ops.einsum.fail(f"expects one size for label {label!r}", [x])
            x = diagonal(x, 0, first, second)
            labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + label
    return x, labels


def trace(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The sum of the diagonal over two axes."""
    return sum(diagonal(x, offset, axis1, axis2), -1)


def kron(a: Value, b: Value) -> Node:
    """The Kronecker product: a with each element replaced by that element times b."""
    a, b = _pair(a, b)
    rank = max(a.ndim, b.ndim)
    left = (1,) * (rank - a.ndim) + a.shape
    right = (1,) * (rank - b.ndim) + b.shape
    pairs = list(zip(left, right, strict=True))
    product = reshape(a, [n for size, _ in pairs for n in (size, 1)]) * reshape(
        b, [n for _, size in pairs for n in (1, size)]
    )
    return reshape(product, [m * n for m, n in pairs])


def cross(a: Value, b: Value, axis: int = -1) -> Node:
    """The cross product of vectors of three elements along `axis`."""
    a, b = _pair(a, b)
    a, b = moveaxis(a, axis, 0), moveaxis(b, axis, 0)
    if a.shape[0] != 3 or b.shape[0] != 3:
        raise ops.mul.fail(f"cross expects three elements along axis {axis}", (a, b))
    (a0, a1, a2), (b0, b1, b2) = (tuple(getitem(x, i) for i in range(3)) for x in (a, b))
    return moveaxis(stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0]), 0, axis)


def multi_dot(arrays: Sequence[Value]) -> Node:
    """The matrix product of several arguments, from left to right."""
    return functools.reduce(matmul, arrays)


def matrix_power(a: Value, n: int) -> Node:
    """The square matrix a multiplied by itself, n >= 0 times."""
    a = as_node(a)
    if n < 0:
        raise ValueError(f"matrix_power: expects n >= 0, got {n}")
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ops.matmul.fail("matrix_power expects square matrices", [a])
    result: Node = ops.constant(np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)) if n == 0 else a
    for bit in bin(n)[3:]:
        result = matmul(result, result)
        result = matmul(result, a) if bit == "1" else result
    return result
