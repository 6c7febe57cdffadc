"""What a check says when it fails: one property, one element, two numbers, and a line that shows it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..node import Array
from .written import code

if TYPE_CHECKING:
    from ..derivative import Edge
    from ..node import Node


@dataclass
class Finding:
    """The parts of a failure, for reports that arrange them in another way.

    Attributes:
        subject: what was checked.
        law: the property that does not hold.
        inputs: name -> array, the input it does not hold at.
        element: which number is wrong, like `d y[0] / d x[2]` or `loss 9, lag 7, W_hh[0, 1]`.
        got, expected: the two numbers; None where the failure is not about a number.
        source: where the expected number comes from, like `complex step`.
        detail: a sentence more, if there is something to say.
        reproduce: code that fails in the same way when pasted.
        graph, edges: the output node and the wrong edges, where the subject is a graph.
    """

    subject: str
    law: str
    inputs: dict[str, Array] = field(default_factory=dict)
    element: str = ""
    got: Any = None
    expected: Any = None
    source: str = ""
    detail: str = ""
    reproduce: str = ""
    graph: Node | None = None
    edges: tuple[Edge, ...] = ()

    @property
    def relative_error(self) -> float:
        """|got - expected| relative to the larger of the two; NaN where they are not numbers."""
        if self.got is None or self.expected is None:
            return float("nan")
        got, expected = complex(self.got), complex(self.expected)
        largest = max(abs(got), abs(expected))
        return abs(got - expected) / largest if largest else 0.0

    def __str__(self) -> str:
        rows = [("input", _inputs(self.inputs)), ("element", self.element)]
        if self.got is not None:
            rows += [("got", repr(np.asarray(self.got).item()))]
        if self.expected is not None:
            source = f"   ({self.source})" if self.source else ""
            rows += [("expected", repr(np.asarray(self.expected).item()) + source)]
        if self.got is not None and self.expected is not None:
            rows += [("relative error", f"{self.relative_error:.1e}")]
        rows += [("", self.detail), ("reproduce", self.reproduce)]
        lines = [f"{self.subject}: {self.law}"]
        for label, text in rows:
            for part in text.splitlines():
                lines.append(f"  {label:<16}{part}")
                label = ""
        return "\n".join(lines)


class GradientFailure(AssertionError):
    """A property of a gradient that does not hold; `finding` has its parts."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


def _inputs(inputs: dict[str, Array]) -> str:
    return "\n".join(f"{name} = {_shortened(code(value))}" for name, value in inputs.items())


def _shortened(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:340]} ... {text[-40:]}"


def indexed(name: str, index: tuple[int, ...]) -> str:
    """`x[0, 2]`, or `x` for the only element of a scalar."""
    return f"{name}[{', '.join(str(int(i)) for i in index)}]" if index else name


Hook = Callable[[Finding], "str | None"]
_hooks: list[Hook] = []


def on_failure(hook: Hook) -> Hook:
    """Call `hook(finding)` for every failed check of a pytest run; what it returns is printed in the report.

    A figure package uses it to save the offending graph with the bad edges marked and to answer where. Installed
    packages may declare hooks instead, as entry points of the group `minigrad.failure`.

    >>> hook = on_failure(lambda finding: f"noted: {finding.law}")
    >>> hook(Finding("tanh", "the seed 0 gives 0"))
    'noted: the seed 0 gives 0'
    >>> forget(hook)
    """
    _hooks.append(hook)
    return hook


def forget(hook: Hook) -> None:
    """Take back `on_failure(hook)`."""
    _hooks.remove(hook)


def hooks() -> list[Hook]:
    """The hooks in force: registered ones, then those of installed packages."""
    from importlib.metadata import entry_points

    return [*_hooks, *(point.load() for point in entry_points(group="minigrad.failure"))]
