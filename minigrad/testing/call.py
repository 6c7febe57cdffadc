"""One call of an op, as `check_op` looks at it: its shape and dtype rules, its value, what has no gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..derivative import Edge
from ..node import Array, Node
from ..ops.core import Op
from .cases import Case
from .failure import indexed
from .graphs import graph_subject
from .rounding import ROUNDING
from .subject import Subject
from .written import code, code_of_param, home_of, line


class Call:
    """One call of an op on input nodes, and on the arrays themselves."""

    def __init__(
        self, op: Op, case: Case, leaves: Sequence[Node], seed: int, reproduce: Callable[[], str] | None = None
    ) -> None:
        self.op, self.case, self.leaves, self.seed = op, case, leaves, seed
        self.reproduce = reproduce or (lambda: written_call(op, case, seed))
        mutation = getattr(op, "mutation", None)
        self.name = f"{op.name} (mutant: {mutation})" if mutation else op.name
        with np.errstate(all="ignore"):
            self.value = self.kernel(case.args)

    def kernel(self, arrays: Sequence[Array]) -> Array:
        """The op on arrays, without the interpreter."""
        return np.asarray(self.op.kernel(*arrays, **self.case.params))

    def subject(self, y: Node) -> Subject:
        """The call as a subject of the laws."""
        edges = tuple(Edge(y, slot) for slot in range(len(y.args)))
        return graph_subject(
            y, self.leaves, self.case.args, name=self.name, reproduce=self.reproduce, random=self.seed, edges=edges
        )

    def build(self) -> Node:
        """The op on input nodes."""
        y: Node = self.op(*self.leaves, **self.case.params)
        return y

    def check_value(self, y: Node, reference: Callable[..., Any] | None) -> None:
        """The shape and dtype rules against the kernel, the kernel against a reference."""
        s = self.subject(y)
        if y.shape != self.value.shape:
            raise s.fail(
                "the shape rule agrees with the kernel", detail=f"{y.shape}, the kernel gives {self.value.shape}"
            )
        if y.dtype != self.value.dtype:
            raise s.fail(
                "the dtype rule agrees with the kernel", detail=f"{y.dtype}, the kernel gives {self.value.dtype}"
            )
        kinds = {a.dtype for a in self.case.args if a.dtype.kind == "f"}
        if kinds == {np.dtype(np.float32)} and y.dtype == np.dtype(float) and "dtype" not in self.case.params:
            raise s.fail("float32 stays float32", detail="the result is float64")
        if reference is None:
            return
        with np.errstate(all="ignore"):
            want = np.asarray(reference(*self.case.args, **self.case.params))
        if want.shape != self.value.shape:
            raise s.fail("the value is the reference's", detail=f"shape {self.value.shape}, reference {want.shape}")
        compare_to_reference(s, self.value, want)

    def check_no_gradient(self, y: Node) -> None:
        """Integer and boolean results, and values that stop gradients: every edge answers None, or zeros."""
        with np.errstate(all="ignore"):
            for slot in range(len(y.args)):
                ct = np.ones(y.shape, y.dtype if y.dtype.kind == "f" else float)
                term = self.op.pull(ct, slot, self.value, self.case.args, self.case.params)
                if np.any(ct != 1):
                    raise self.subject(y).fail("nothing is written into", element="the seed")
                if term is not None and np.any(np.asarray(term)):
                    edge = f"edge to {self.leaves[slot].name}"
                    raise self.subject(y).fail("no gradient passes here", element=edge, detail=f"pull gives {term!r}")


def written_call(op: Op, case: Case, seed: int) -> str:
    """The line that checks this call again."""
    mutation = getattr(op, "mutation", None)
    chosen = f"next(m for m in mutants(mg.ops.REGISTRY[{op.name!r}]) if m.mutation == {mutation!r})"
    params = ", ".join(f"{key!r}: {code_of_param(value)}" for key, value in case.params.items())
    options = [f"params={{{params}}}"] if params else []
    options += [f"seed={seed}"] if seed else []
    given = ", ".join([chosen if mutation else repr(op.name), f"args=({', '.join(map(code, case.args))},)", *options])
    home = home_of(op)
    return line([*([home] if home else []), f"check_op({given})"], "check_op, mutants" if mutation else "check_op")


def compare_to_reference(s: Subject, got: Array, want: Array) -> None:
    """The kernel's value against a NumPy reference, NaN and infinities in the same places."""
    with np.errstate(all="ignore"):
        close = np.abs(got - want) <= ROUNDING * s.eps * np.abs(want)
        wrong = ~(close | (got == want) | (np.isnan(got) & np.isnan(want)))
    for at in map(tuple, np.argwhere(wrong)):
        raise s.fail("the value is the reference's", element=indexed("y", at), got=got[at], expected=want[at])
