"""How each op is written in NumPy: an expression in its arguments `{0} {1} ...` and its parameters `{axes} ...`, or a
function to be defined first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..node import Node, Shape

# Ops that are one operator; the others bind as calls do.
OPERATORS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "matmul": "{0} @ {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
}

_UFUNCS = """
    power exp expm1 log log1p sqrt sin cos tanh logaddexp sign maximum minimum floor ceil rint trunc floor_divide
    remainder fmod copysign logical_and logical_or logical_xor logical_not isnan isinf isfinite signbit exp2 log2 log10
    cbrt tan sinh cosh arcsin arccos arctan arcsinh arccosh arctanh hypot arctan2 where
"""
CALLS = {
    **{name: "np." + name + "({args})" for name in _UFUNCS.split()},
    "abs": "np.abs({0})",
    "relu": "np.maximum({0}, 0)",
    "step": "np.heaviside({0}, 0)",
    "softplus": "np.logaddexp({0}, 0)",
    "stop_gradient": "np.positive({0})",
    "sum": "np.sum({0}, axis={axes}, keepdims={keepdims})",
    "max": "np.max({0}, axis={axes}, keepdims={keepdims})",
    "min": "np.min({0}, axis={axes}, keepdims={keepdims})",
    "prod": "np.prod({0}, axis=-1)",
    "broadcast_to": "np.broadcast_to({0}, {shape})",
    "reshape": "np.reshape({0}, {shape})",
    "transpose": "np.transpose({0}, {axes})",
    "concat": "np.concatenate([{args}], axis={axis})",
    "cast": "np.asarray({0}).astype({dtype})",
    "argmax": "np.argmax({0}, axis={axis}, keepdims={keepdims})",
    "argmin": "np.argmin({0}, axis={axis}, keepdims={keepdims})",
    "argsort": "np.argsort({0}, axis={axis}, kind='stable')",
}

HELPERS = {
    "add_n": """def add_n(*xs):
    total = xs[0] + xs[1]
    for x in xs[2:]:
        total = total + x
    return total""",
    "strong_mul": """def strong_mul(v, p):
    return np.where(v == 0, np.zeros_like(v), v * p)""",
    "sech2": '''def sech2(x):
    """1 / cosh(x)**2, exact for large x."""
    e = np.exp(-2 * np.abs(x))
    r = 1 / (1 + e)
    return 4 * (r * e * r)''',
    "sigmoid": """def sigmoid(x):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))""",
    "sigmoid_slope": '''def sigmoid_slope(x):
    """sigmoid(x) * sigmoid(-x), exact for large x."""
    e = np.exp(-np.abs(x))
    r = 1 / (1 + e)
    return r * e * r''',
    "exceeds": '''def exceeds(x, y):
    """1 where x > y, 1/2 at a tie, else 0."""
    return np.heaviside(np.where(x == y, 0, x - y), np.asarray(0.5, dtype=np.result_type(x, y)))''',
    "clip": """def clip(x, low, high):
    return np.minimum(np.maximum(x, low), high)""",
    "erf": """def erf(x):
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), dtype=np.result_type(x, np.float16))""",
    "place": '''def place(x, shape, index):
    """Zeros with x at an index."""
    out = np.zeros(shape, dtype=x.dtype)
    out[index] = x
    return out''',
    "scatter_add": '''def scatter_add(x, index, shape):
    """Zeros to which x is added at positions, repeats adding up."""
    out = np.zeros(shape, dtype=x.dtype)
    np.add.at(out, index, x)
    return out''',
    "logsumexp": """def logsumexp(x, axis, keepdims):
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, np.zeros_like(top))
    total = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return total if keepdims else np.squeeze(total, axis)""",
    "cross_entropy": '''def cross_entropy(logits, labels):
    """-log softmax(logits)[label], exact however certain the model is."""
    mine = np.arange(logits.shape[-1]) == np.asarray(labels)[..., None]
    d = logits - np.sum(np.where(mine, logits, 0), axis=-1, keepdims=True)
    top = np.max(d, axis=-1, keepdims=True)
    rest = np.sum(np.where(mine, 0, np.exp(d - top)), axis=-1, keepdims=True)
    return np.where(top == 0, np.log1p(rest), top + np.log(np.exp(-top) + rest))[..., 0]''',
    "norm": """def norm(x, axis, keepdims):
    top = np.max(np.abs(x), axis=axis, keepdims=True, initial=0)
    top = np.where((top > 0) & np.isfinite(top), top, np.ones_like(top))
    total = top * np.sqrt(np.sum((x / top) ** 2, axis=axis, keepdims=True))
    return total if keepdims else np.squeeze(total, axis)""",
    "recurrence": '''def recurrence(a, b, reverse):
    """y[j] = a[j] * y[j-1] + b[j] along the last axis."""
    if reverse:
        return np.flip(recurrence(np.flip(a, -1), np.flip(b, -1), False), -1)
    a, b = np.broadcast_arrays(a, b)
    y = np.array(b, dtype=np.result_type(a, b))
    for j in range(1, y.shape[-1]):
        y[..., j] += a[..., j] * y[..., j - 1]
    return y''',
}

# Calls of helpers that take parameters, and ops whose spelling depends on a parameter's value.
CALLS.update({name: name + "({args})" for name in HELPERS})
CALLS.update(
    logsumexp="logsumexp({0}, {axes}, {keepdims})",
    norm="norm({0}, {axes}, {keepdims})",
    recurrence="recurrence({0}, {1}, {reverse})",
)


def index_text(entries: tuple[Any, ...], shape: Shape) -> str:
    """A basic index as it is written between brackets; whole axes at the end are left out.

    >>> index_text((2, (0, 4, 1)), (3, 4)), index_text((), ())
    ('2', '...')
    """
    texts = []
    for entry, size in zip(entries, shape, strict=True):
        if isinstance(entry, int):
            texts.append(str(entry))
        elif entry == (0, size, 1):
            texts.append(":")
        else:
            start, stop, step = entry
            texts.append(f"{start}:{'' if stop < 0 else stop}" + (f":{step}" if step != 1 else ""))
    while len(texts) > 1 and texts[-1] == ":":
        texts.pop()
    return ", ".join(texts) or "..."


def _gather_index(lead: int, args: list[str]) -> str:
    return ", ".join([*[":"] * lead, *args])


def _power(node: Node, args: list[str]) -> str:
    exponent = node.args[1]
    is_two = exponent.op.name == "constant" and exponent.shape == () and exponent._value == 2
    return f"np.square({args[0]})" if is_two else f"np.power({args[0]}, {args[1]})"


def _running(name: str) -> Callable[[Node, list[str]], str]:
    def spell(node: Node, args: list[str]) -> str:
        axis = node.params.get("axis", -1)
        if node.params["reverse"]:
            return f"np.flip(np.{name}(np.flip({args[0]}, {axis}), axis={axis}), {axis})"
        return f"np.{name}({args[0]}, axis={axis})"

    return spell


SPECIAL: dict[str, Callable[[Node, list[str]], str]] = {
    "slice": lambda node, args: f"{args[0]}[{index_text(node.params['index'], node.args[0].shape)}]",
    "place": lambda node, args: (
        f"place({args[0]}, {node.shape}, np.s_[{index_text(node.params['index'], node.shape)}])"
    ),
    "gather": lambda node, args: f"{args[0]}[{_gather_index(node.params['lead'], args[1:])}]",
    "scatter_add": lambda node, args: (
        f"scatter_add({args[0]}, np.s_[{_gather_index(node.params['lead'], args[1:])}], {node.params['shape']})"
    ),
    "einsum": lambda node, args: (
        f"np.einsum('{','.join(node.params['labels'])}->{node.params['out']}', "
        f"{', '.join(args)}, optimize={len(args) > 1})"
    ),
    "cumsum": _running("cumsum"),
    "cumprod": _running("cumprod"),
    "power": _power,
}


def spelled(node: Node, args: list[str]) -> str:
    """The NumPy expression for `node`, given those of its arguments."""
    name = node.op.name
    if name in SPECIAL:
        return SPECIAL[name](node, args)
    params = {key: _literal(value) for key, value in node.params.items()}
    template = OPERATORS.get(name) or CALLS[name]
    return template.format(*args, args=", ".join(args), **params)


def _literal(value: Any) -> str:
    return f"np.{value.name}" if hasattr(value, "name") else repr(value)
