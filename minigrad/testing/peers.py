"""Functions of other libraries as functions of arrays with a vjp, which is what `check_gradient` takes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from .written import Reference, name_of, reference


def from_torch(function: Callable[..., Any]) -> tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]:
    """A torch function of tensors, or a `torch.autograd.Function`, as `f` and `gradient` for `check_gradient`.

    Where x is a list of arrays, the function is called with as many tensors. Raises ModuleNotFoundError without torch.

        f, gradient = from_torch(MyFunction)
        check_gradient(f, np.array([0.5, -1.0]), gradient)
    """
    torch = import_module("torch")
    is_class = isinstance(function, type) and issubclass(function, torch.autograd.Function)
    apply: Callable[..., Any] = function.apply if is_class else function  # type: ignore[attr-defined]  # torch may be absent

    def leaves(x: Any) -> list[Any]:
        arrays = x if isinstance(x, (list, tuple)) else [x]
        return [torch.tensor(np.ascontiguousarray(a), requires_grad=np.asarray(a).dtype.kind == "f") for a in arrays]

    def f(x: Any) -> Any:
        return apply(*leaves(x)).detach().numpy()

    def gradient(x: Any, seed: Any) -> Any:
        given = leaves(x)
        apply(*given).backward(torch.tensor(np.array(seed)))
        found = [None if leaf.grad is None else leaf.grad.numpy() for leaf in given]
        return found if isinstance(x, (list, tuple)) else found[0]

    own = reference(function, "function")
    needs = "; ".join(filter(None, ["from minigrad.testing import from_torch", own.needs]))
    for i, (made, role) in enumerate(((f, "forward"), (gradient, "backward"))):
        made.__name__ = made.__qualname__ = f"{name_of(function)}.{role}"
        made.__dict__["reference"] = Reference(f"from_torch({own.expression})[{i}]", needs, own.remark)
    return f, gradient
