"""Arrays, functions and graphs as code: what a failure prints so that pasting it fails again."""

from __future__ import annotations

import ast
import keyword
import linecache
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..node import Array, Node, walk
from ..ops.core import Op
from ..run import leaf_value


def code(array: Any) -> str:
    """An expression that makes `array` again, memory layout included.

    >>> import numpy as np
    >>> code(np.array([1.0, 2.5]))
    'np.array([1.0, 2.5])'
    >>> code(np.broadcast_to(np.float32(2.0), (3,)))
    'np.broadcast_to(np.array(2.0, dtype=np.float32), (3,))'
    """
    array = np.asarray(array)
    strided = [axis for axis, size in enumerate(array.shape) if size > 1]
    if any(array.strides[axis] == 0 for axis in strided):
        first = array[tuple([slice(0, 1) if array.strides[a] == 0 else slice(None) for a in range(array.ndim)])]
        compact = first.reshape(first.shape[next((a for a, n in enumerate(first.shape) if n != 1), array.ndim) :])
        return f"np.broadcast_to({code(np.array(compact))}, {array.shape})"
    backwards = tuple([axis for axis in strided if array.strides[axis] < 0])
    if backwards:
        return f"np.flip({code(np.flip(array, backwards))}, {backwards})"
    if not array.flags.c_contiguous:
        if array.flags.f_contiguous:
            return f"np.asfortranarray({code(np.ascontiguousarray(array))})"
        return f"np.repeat({code(np.ascontiguousarray(array))}, 2, axis=-1)[..., ::2]"
    if not array.size:
        return f"np.empty({array.shape}{_dtype(array)})"
    dtype = "" if array.dtype in (np.dtype(float), np.dtype(bool), np.dtype(int)) else _dtype(array)
    return f"np.array({_literal(array.tolist())}{dtype})"


def _dtype(array: Array) -> str:
    return "" if array.dtype == np.dtype(float) else f", dtype=np.{array.dtype.name}"


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    text = repr(value)
    return f"np.{text.lstrip('-')}" if text.lstrip("-") in ("inf", "nan") and text[0] != "-" else _negative(text)


def _negative(text: str) -> str:
    return "-np.inf" if text == "-inf" else text


def code_of_params(params: Mapping[str, Any]) -> str:
    """The parameters of an op as keyword arguments.

    >>> code_of_params({"axis": 0, "dtype": np.dtype(np.float32)})
    "axis=0, dtype=np.dtype('float32')"
    """
    return ", ".join(f"{key}={code_of_param(value)}" for key, value in params.items())


def code_of_param(value: Any) -> str:
    """One parameter of an op as an expression."""
    if isinstance(value, np.dtype):
        return f"np.dtype({value.name!r})"
    return code(value) if isinstance(value, np.ndarray) else repr(value)


def name_of(function: Any) -> str:
    """What a message calls `function`."""
    if isinstance(function, Op):
        return function.name
    module = getattr(function, "__module__", None) or ""
    name: str = getattr(function, "__qualname__", None) or getattr(function, "__name__", None) or repr(function)
    if isinstance(function, np.ufunc):
        return f"np.{function.__name__}"
    name = name.rsplit("<locals>.", 1)[-1]
    return f"np.{name}" if module == "numpy" else name


class Reference(NamedTuple):
    """How code refers to a function: an expression, the import it needs, a remark where there is none."""

    expression: str
    needs: str = ""
    remark: str = ""


def reference(function: Any, role: str) -> Reference:
    """How pasted code refers to `function`: by its import, by its text if it is a lambda, else by its `role`.

    >>> reference(np.tanh, "f").expression
    'np.tanh'
    >>> reference(lambda x: x, "f").expression
    'lambda x: x'
    """
    if isinstance(known := getattr(function, "reference", None), Reference):
        return known
    name = name_of(function)
    if name.startswith("np.") and getattr(np, name[3:], None) is function:
        return Reference(name)
    if getattr(sys.modules["minigrad"], name, None) is function:
        return Reference(f"mg.{name}")
    if isinstance(function, Op):
        return Reference(f"mg.ops.REGISTRY[{name!r}]", home_of(function))
    module = getattr(function, "__module__", None) or ""
    if _attribute(sys.modules.get(module), name) is function:
        return Reference(name, "" if module == "__main__" else f"from {module} import {name.split('.')[0]}")
    if text := _lambda_text(function):
        return Reference(text)
    shown = name if name.isidentifier() else role
    made = getattr(function, "__code__", None)
    where = f"{Path(made.co_filename).name}:{made.co_firstlineno}" if made else type(function).__name__
    return Reference(shown, remark=f"{shown}: {'the lambda at ' if name == '<lambda>' else ''}{where}")


def _attribute(module: ModuleType | None, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _lambda_text(function: Any) -> str:
    """The source of a lambda that needs nothing but `np` and `mg`; empty where it cannot be told."""
    made = getattr(function, "__code__", None)
    if made is None or made.co_name != "<lambda>" or made.co_freevars:
        return ""
    if any(name in function.__globals__ and name not in _SHORT for name in made.co_names):
        return ""
    source = "".join(linecache.getlines(made.co_filename, function.__globals__))
    try:
        found = [
            n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Lambda) and n.lineno == made.co_firstlineno
        ]
    except SyntaxError:
        return ""
    text = ast.get_source_segment(source, found[0]) if len(found) == 1 else None
    return text if text and "\n" not in text else ""


def home_of(op: Op) -> str:
    """The import that declares `op`, of an op that the engine does not bring itself."""
    modules = [getattr(getattr(op, "kernel", None), "__module__", None) or "", type(op).__module__]
    own = [module for module in modules if module and module.split(".")[0] not in ("minigrad", "numpy", "__main__")]
    return f"import {own[0]}" if own and own[0] in sys.modules else ""


def line(statements: Sequence[str], check: str, *, of: Sequence[Reference] = (), home: str = "minigrad.testing") -> str:
    """One line to paste: the imports that `statements` need, the statements, a remark on what cannot be imported.

    >>> line(["check_op('tanh', args=(np.array(1.0),))"], "check_op")
    "import numpy as np; from minigrad.testing import check_op; check_op('tanh', args=(np.array(1.0),))"
    """
    written = "; ".join(statements)
    needed = [f"import {full} as {short}" for short, full in _SHORT.items() if re.search(rf"\b{short}\.", written)]
    needed += [f"from {home} import {check}", *dict.fromkeys(r.needs for r in of if r.needs)]
    remarks = ", ".join(dict.fromkeys(r.remark for r in of if r.remark))
    return "; ".join([*needed, written]) + (f"  # {remarks}" if remarks else "")


_SHORT = {"np": "numpy", "mg": "minigrad"}


class Written(NamedTuple):
    """A graph as code: a statement a node, then the name of its last node and the numbers of its inputs."""

    statements: list[str]
    output: str
    feed: str


def graph_code(y: Node, feed: Mapping[Node, Any]) -> Written:
    """The graph of `y` as statements that build it again.

    >>> import minigrad as mg
    >>> x = mg.input((2,), name="x")
    >>> graph_code(mg.tanh(x) * x, {x: np.array([1.0, 2.0])}).statements
    ["x = mg.input((2,), name='x')", "v1 = mg.ops.REGISTRY['tanh'](x)", "y = mg.ops.REGISTRY['mul'](v1, x)"]
    """
    names: dict[Node, str] = {}
    statements = []
    for i, node in enumerate(reversed(list(walk(y)))):
        given = node.name if node.op.name == "input" else None
        free = (
            given and given.isidentifier() and not keyword.iskeyword(given) and given not in (*_TAKEN, *names.values())
        )
        names[node] = "y" if node is y else str(given) if free else f"v{i}" if node.args else f"x{i}"
        statements.append(f"{names[node]} = {_built(node, names)}")
    numbers = ", ".join(f"{names[leaf]}: {code(value)}" for leaf, value in feed.items() if leaf in names)
    return Written(statements, "y", f"{{{numbers}}}")


_TAKEN = ("y", "np", "mg", "feed")


def _built(node: Node, names: Mapping[Node, str]) -> str:
    if node.args:
        params = [code_of_params(node.params)] if node.params else []
        return f"mg.ops.REGISTRY[{node.op.name!r}]({', '.join([*(names[arg] for arg in node.args), *params])})"
    if node.op.name != "input":
        return f"mg.{node.op.name}({code(leaf_value(node))})"
    dtype = "" if node.dtype == np.dtype(float) else f", dtype={node.dtype.name!r}"
    return f"mg.input({node.shape}{dtype}, name={node.name!r})"
