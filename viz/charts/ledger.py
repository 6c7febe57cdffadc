"""The ledger: what the largest paths, or the classes of a partition, add to a gradient, line by line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from minigrad import Node, Parameter
from minigrad.paths import Flow

from ..chart import WIDTH, Chart, proved
from ..ink import Sheet
from ..labels import at_step, name_of
from ..measure import norm, rounding
from ..shares import label_of
from ..words import Rich, Run, number, one_line


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a path, or a class of them. `count` is the number of paths in decimal digits, "" if not known."""

    label: Rich
    count: str
    norm: float
    share: float
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Ledger(Chart):
    """Entries that sum to a gradient, and the norm of that gradient."""

    kind: ClassVar[str] = "ledger"

    label: Rich
    heading: str
    entries: tuple[Entry, ...]
    total: float
    note: Rich
    longest: float
    span: tuple[float, float]
    """The norm that fills its column, and the ends of the waterfall; shared by compared ledgers."""

    @property
    def summary(self) -> str:
        """Size of the chart in a few words."""
        return f"{len(self.entries)} entries"

    def sheet(self, wide: float = WIDTH) -> Sheet:
        """Return the chart as ink."""
        from .ledger_sheet import lay

        return lay(self, wide)


@dataclass(frozen=True, slots=True)
class _Line:
    """An entry and the arrays behind it."""

    label: Rich
    count: int | None
    gradients: list[Any]
    share: float
    rest: bool = False

    @property
    def norm(self) -> float:
        return norm(*self.gradients)


def scene(flow: Flow, parts: Mapping[Any, Any] | None, by: str, top: int, budget: int) -> Ledger:
    """Return what the ledger of `flow` shows: its largest paths, or `parts` by their keys."""
    note: Rich = ()
    if parts is None:
        lines, spent = _paths(flow, top, budget)
        note = (Run("The search stopped at its budget: longer lists need a larger one."),) if spent else ()
    else:
        lines = _parts(parts, top)
    whole = _arrays(flow.gradient)
    label = label_of(flow)
    total = norm(*whole)
    entries = tuple(
        Entry(line.label, "" if line.count is None else str(line.count), line.norm, line.share, line.rest)
        for line in lines
    )
    what = "largest paths" if parts is None else "parts"
    return Ledger(
        (Run("What adds up to ∂L/∂"), *label),
        (Run(f"The {what}: norms, which do not add, and signed shares, which sum to 1."),),
        _sentence(flow, label, total, lines),
        _proof(label, lines, whole),
        label,
        "path, from the loss back to the weight" if parts is None else one_line(by, 50),
        entries,
        total,
        note,
        max((entry.norm for entry in entries if math.isfinite(entry.norm)), default=0.0),
        _span([entry.share for entry in entries]),
    )


def _span(shares: Sequence[float]) -> tuple[float, float]:
    ends = [0.0, 1.0, *itertools.accumulate(share for share in shares if math.isfinite(share))]
    return min(ends), max(ends)


def _arrays(gradient: Any) -> list[Any]:
    return list(gradient) if isinstance(gradient, list) else [gradient]


def _paths(flow: Flow, top: int, budget: int) -> tuple[list[_Line], bool]:
    ranking = flow.top(top, budget)
    lines = []
    for path in ranking.paths:
        gradients = [path.gradient if path.source is source else np.zeros(source.shape) for source in flow.sources]
        lines.append(_Line(path_label(path.nodes), 1, gradients, path.share))
    rest = ranking.remainder
    if rest.count:
        lines.append(_Line((Run("all other paths"),), rest.count, _arrays(rest.gradient), rest.share, True))
    return lines, ranking.spent


def _parts(parts: Mapping[Any, Any], top: int) -> list[_Line]:
    """Return the parts, largest first (numbered ones in order), those beyond `top` joined in one line."""
    lines = [
        _Line((Run(one_line(str(key), 40)),), getattr(part, "count", None), _arrays(part.gradient), part.share)
        for key, part in parts.items()
    ]
    numbered = all(isinstance(key, int) for key in parts)
    ranked = sorted(range(len(lines)), key=lambda place: -lines[place].norm)
    kept = set(ranked[:top])
    shown = [lines[place] for place in (sorted(kept) if numbered else ranked[:top])]
    rest = [lines[place] for place in range(len(lines)) if place not in kept]
    if not rest:
        return shown
    gradients = [sum(arrays[1:], start=arrays[0]) for arrays in zip(*(line.gradients for line in rest), strict=True)]
    counts = [line.count for line in rest if line.count is not None]
    count = sum(counts) if len(counts) == len(rest) else None
    joined = _Line((Run(f"{len(rest)} smaller parts"),), count, gradients, math.fsum(line.share for line in rest), True)
    return [*shown, joined]


def path_label(nodes: Sequence[Node]) -> Rich:
    """Return the named nodes of a path (those in a step, if any) from the loss back to the source.

    A run of one name is shown by its first and last step.
    """
    named = [node for node in reversed(nodes) if node.name is not None and not isinstance(node, Parameter)]
    named = [node for node in named if isinstance(node.scope.get("t"), int)] or named
    words: list[Run] = []
    for name, group in itertools.groupby(named, key=lambda node: str(node.name)):
        steps = [node.scope.get("t") for node in group]
        first, last = (_at(name, step) for step in (steps[0], steps[-1]))
        words += [Run(" ← ")] if words else []
        words += (
            [*first, Run("…"), *last] if len(steps) > 2 else [*first, Run(" ← "), *last] if len(steps) > 1 else first
        )
    source = nodes[0]
    step = nodes[1].scope.get("t") if len(nodes) > 1 else None
    words += [Run(" ← ")] if words else []
    words += name_of(source.name or source.op.name)
    return (*words, Run(f" at {step + 1}")) if isinstance(step, int) else tuple(words)


def _at(name: str, step: object) -> Rich:
    return at_step(name, step) if isinstance(step, int) else (Run(one_line(name, 8)),)


def _sentence(flow: Flow, label: Rich, total: float, lines: Sequence[_Line]) -> Rich:
    words = [Run("|∂L/∂"), *label, Run(f"| = {number(total)}, over {counted(str(flow.count()))} paths. ")]
    listed = [line for line in lines if not line.rest]
    if not 0 < total < math.inf or not listed:
        return (*words, Run("Shares of it are not defined."))
    carried = 100 * math.fsum(line.share for line in listed)
    times = math.fsum(line.norm for line in listed) / total
    words.append(Run(f"The {len(listed)} listed here carry {number(carried, 3)} % of it; "))
    words.append(Run(f"their norms sum to {number(times)} times its norm."))
    return tuple(words)


def counted(digits: str) -> str:
    """Return a whole number with thousands marked; above 15 digits its first three and the power of ten.

    >>> counted("7018916985076"), counted("123456789" * 3)
    ('7,018,916,985,076', '1.23e26')
    """
    return f"{int(digits):,}" if len(digits) <= 15 else f"{digits[0]}.{digits[1:3]}e{len(digits) - 1}"


def _proof(label: Rich, lines: Sequence[_Line], whole: Sequence[Any]) -> Rich:
    """Return the line that says that all entries together are the gradient."""
    sums = [np.zeros(np.shape(gradient)) for gradient in whole]
    for line in lines:
        sums = [total + part for total, part in zip(sums, line.gradients, strict=True)]
    differences = [float(np.max(np.abs(total - part), initial=0.0)) for total, part in zip(sums, whole, strict=True)]
    difference = math.nan if any(map(math.isnan, differences)) else max(differences)
    size = math.fsum(line.norm for line in lines)
    tolerance = max(rounding(np.asarray(gradient).dtype, size) for gradient in whole)
    return proved(difference <= tolerance, len(lines), label, difference, "entry")
