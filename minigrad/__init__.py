"""A small reverse-mode autodiff engine whose computation graph, gradient included, is plain data.

>>> import minigrad as mg
>>> w = mg.parameter([1.0, 2.0], name="w")
>>> x = mg.input((2,), name="x")
>>> y = mg.tanh(mg.sum(w * x))
>>> mg.grad(y, w).eval({x: [0.5, 0.25]})
array([0.20998717, 0.10499359])
"""

from . import functions, ops, syntax
from .derivative import Backprop, Edge, backprop, grad, jvp, vjp
from .errors import DtypeError, FeedError, GradientError, ShapeError
from .functions import (
    broadcast_to,
    concatenate,
    cross_entropy,
    dot,
    log_softmax,
    logsumexp,
    matmul,
    mean,
    reshape,
    softmax,
    stack,
    sum,
    swapaxes,
    transpose,
)
from .node import Node, Parameter, Scope, describe, hide_frames, scope, walk
from .ops import (
    Elementwise,
    Explicit,
    Linear,
    Op,
    constant,
    cos,
    equal,
    exp,
    expm1,
    greater,
    input,
    less,
    log,
    log1p,
    maximum,
    parameter,
    relu,
    sigmoid,
    sign,
    sin,
    sqrt,
    stop_gradient,
    tanh,
    where,
)
from .plan import Function, function
from .run import Run, run

syntax.bind(functions, ops)

__version__ = "0.1.0"

__all__ = [
    "Backprop",
    "DtypeError",
    "Edge",
    "Elementwise",
    "Explicit",
    "FeedError",
    "Function",
    "GradientError",
    "Linear",
    "Node",
    "Op",
    "Parameter",
    "Run",
    "Scope",
    "ShapeError",
    "backprop",
    "broadcast_to",
    "concatenate",
    "constant",
    "cos",
    "cross_entropy",
    "describe",
    "dot",
    "equal",
    "exp",
    "expm1",
    "function",
    "functions",
    "grad",
    "greater",
    "hide_frames",
    "input",
    "jvp",
    "less",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "matmul",
    "maximum",
    "mean",
    "ops",
    "parameter",
    "relu",
    "reshape",
    "run",
    "scope",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "sqrt",
    "stack",
    "stop_gradient",
    "sum",
    "swapaxes",
    "tanh",
    "transpose",
    "vjp",
    "walk",
    "where",
]
