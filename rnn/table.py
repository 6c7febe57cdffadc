"""Backpropagation through time, term by term: what each loss sends through each step's use of a weight.

The gradient of sum_t L_t in W is the sum over (t, k) of dL_t/dh_k . d+h_k/dW, where d+ is the immediate partial: the
use of W at step k alone (Werbos 1990; Pascanu et al. 2013, eq. 4). `bptt` makes that table in one reverse sweep that
carries the cotangents of all losses at once. A loss is structurally absent at later steps, so the work is T^2/2 rows;
a row is read off where it enters a matrix product, h^T delta, whose norm and inner products need no matrix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import minigrad as mg
from minigrad import GradientError, Node, Run, describe
from minigrad.node import Array
from minigrad.ops import Stacked
from minigrad.paths import Cotangents, Paths, Reach, Rows, join_rows, sweep
from minigrad.paths.measure import Floats, directions, largest, norms
from minigrad.run import values_of

from .arrivals import Arrivals, Pending, Use, uses_of
from .readings import Readings
from .unroll import Unrolled

# Rows handled at once where contributions must be written out: bounds the memory, not the result.
_CHUNK_BYTES = 1 << 26
# Rows of written-out contributions that a table keeps for the next question.
_KEPT_BYTES = 1 << 28


@dataclass(frozen=True)
class Proof:
    """The contributions, summed, against the gradient computed by `mg.grad` and the reference interpreter.

    Attributes:
        terms: how many contributions were summed.
        difference: the largest difference between an element of the sum and of the gradient.
        relative: that difference divided by the largest element of the gradient.

    >>> str(Proof(terms=36, difference=1.1e-15, relative=3e-15, name="weight_hh_l0"))
    'sum of 36 contributions = dL/dweight_hh_l0, max difference 1.1e-15'
    """

    terms: int
    difference: float
    relative: float
    name: str

    def __str__(self) -> str:
        return f"sum of {self.terms} contributions = dL/d{self.name}, max difference {self.difference:.1e}"


@dataclass(frozen=True)
class Lag:
    """All contributions that bridge the same number of steps.

    Attributes:
        gradient: their sum, in the shape of the source.
        norm: its Frobenius norm.
        share: its signed share of the whole gradient.
    """

    gradient: Array
    norm: float
    share: float

    def __repr__(self) -> str:
        return f"<lag: share {self.share:.3g}, norm {self.norm:.3g}>"


class Table:
    """The contributions to a gradient by loss t and by step k of use. See `bptt`.

    Attributes:
        losses, source, steps: what was asked about, and over how many steps.
        norm: (losses, T), the Frobenius norm of each contribution.
        share: (losses, T), the signed share <contribution, total> / |total|^2; all together sum to 1. NaN where the
            total is 0.
        lag: (losses, T), how many steps each contribution bridges.
        present: (losses, T), whether any path leads from the use at step k to loss t. Where not, the contribution is
            structurally 0, not small. (Among losses that read a stack of all outputs, to the steps that a loss reads.)
        total: the sum of all contributions, in the shape of the source.
    """

    def __init__(
        self,
        losses: Sequence[Node],
        source: Node,
        steps: int,
        feed: Mapping[Node, ArrayLike] | None = None,
        *,
        run: Run | None = None,
    ) -> None:
        self.losses = list(losses)
        self.source = source
        self.steps = steps
        self._feed = dict(feed or {})
        self._paths = Paths(self.losses, source, "bptt", fed=self._feed)
        self._values = values_of(self.losses, self._feed, run, "bptt")
        self._cotangents = Cotangents(self._values)
        self._uses = {use.exit: use for use in uses_of(self._paths, source, steps)}
        self._gradients = Gradients(self)
        shape = (len(self.losses), steps)
        self.norm: Floats = np.zeros(shape)
        self.share: Floats = np.zeros(shape)
        self.present: NDArray[np.bool_] = np.zeros(shape, bool)
        self.total: Array = np.zeros(source.shape, source.dtype)
        self._fill()

    @property
    def gradient(self) -> Gradients:
        """`gradient[t][k]` is the contribution itself, in the shape of the source; made when asked for."""
        return self._gradients

    @property
    def lag(self) -> NDArray[np.intp]:
        """(losses, T): how many steps lie between the use at step k and the step at which the loss looks at the net.

        With one loss a step, loss t looks at step t: the lag is t - k, and k - t for a weight of the direction that
        reads backward. Other losses look at the first use that they meet going back: the last step of all, or, for the
        direction that reads backward, step 0.
        """
        at = np.arange(self.steps)
        if len(self.losses) == self.steps:
            return np.abs(at[:, None] - at)
        backward = all(use.exit.user.scope.get("direction") == "reverse" for use in self._uses.values())
        met = np.where(self.present, at, self.steps if backward else -1)
        nearest = met.min(axis=1, initial=self.steps) if backward else met.max(axis=1, initial=-1)
        return np.abs(nearest[:, None] - at)

    @np.errstate(all="ignore")
    def by_lag(self) -> dict[int, Lag]:
        """The contributions summed by lag (see `lag`), for every lag that has a path.

        >>> import numpy as np
        >>> import minigrad as mg, rnn
        >>> net = rnn.unroll(rnn.RNN(1, 2, rng=0), np.ones((3, 1, 1)))
        >>> table = rnn.bptt([mg.sum(step.h) for step in net.steps], net.model.parameters["weight_ih_l0"], net)
        >>> lags = table.by_lag()
        >>> list(lags), round(sum(lag.share for lag in lags.values()), 12)
        ([0, 1, 2], 1.0)
        """
        sums: dict[int, Array] = {}
        lags = self.lag
        for step, rows in self._contributions():
            for row, contribution in enumerate(rows.stack):
                lag = int(lags[rows.start + row, step])
                if not self.present[rows.start + row, step]:
                    continue
                if lag in sums:
                    sums[lag] += contribution
                else:
                    sums[lag] = contribution.copy()
        return {lag: self._part(sums[lag]) for lag in sorted(sums)}

    def truncated(self, window: int) -> Lag:
        """What truncated backpropagation would keep: all contributions that bridge fewer than `window` steps.

        >>> import numpy as np
        >>> import minigrad as mg, rnn
        >>> net = rnn.unroll(rnn.RNN(1, 2, rng=0), np.ones((5, 1, 1)))
        >>> table = rnn.bptt([mg.sum(step.h) for step in net.steps], net.model.parameters["weight_ih_l0"], net)
        >>> table.truncated(2).share < table.truncated(5).share
        True
        """
        if window < 1:
            raise ValueError(f"truncated: expects a window of 1 step or more, got {window!r}")
        kept = [part.gradient for lag, part in self.by_lag().items() if lag < window]
        return self._part(np.sum(kept, axis=0) if kept else np.zeros_like(self.total))

    def clipped(self, largest_norm: float) -> Lag:
        """The whole gradient scaled down to `largest_norm` if it is larger (Pascanu et al. 2013)."""
        if not largest_norm > 0:
            raise ValueError(f"clipped: expects a norm above 0, got {largest_norm!r}")
        size = float(norms(self.total[None])[0])
        return self._part(self.total * min(1.0, largest_norm / size) if size else self.total)

    def _part(self, gradient: Array) -> Lag:
        share = float(np.vdot(gradient, directions([self.total])[0]))
        return Lag(gradient, float(norms(gradient[None])[0]), share)

    def proof(self) -> Proof:
        """Compare the sum of all contributions with the gradient that `mg.grad` gives."""
        if any(node.args for node in self._feed):
            raise GradientError("proof: an inner node was fed, so the graph of mg.grad is not the one of this table")
        loss = mg.ops.add_n(*self.losses)
        gradient = mg.grad(loss, self.source)
        leaves = {node: self._values[node] for node in mg.walk(loss) if not node.args}
        reference = mg.run(gradient, leaves)[gradient]
        difference = largest(self.total - reference)
        scale = largest(reference)
        name = self.source.name or "source"
        return Proof(int(self.present.sum()), difference, difference / scale if scale else difference, name)

    def __repr__(self) -> str:
        return f"<table of {self.norm.shape[0]} losses by {self.norm.shape[1]} steps for {describe(self.source)}>"

    def _seeds(self, only: int | None = None) -> dict[Node, Pending]:
        seeds: dict[Node, Rows] = {}
        for t, loss in enumerate(self.losses):
            if loss in self._paths.out and only in (None, t):
                row = Rows(t, np.ones(1, loss.dtype))
                seeds[loss] = join_rows([seeds[loss], row]) if loss in seeds else row
        return {loss: Pending(*rows) for loss, rows in seeds.items()}

    def _arrivals(self, only: int | None = None) -> Iterator[tuple[Use, Rows]]:
        """Each use with the cotangents of all losses (or only one) where they enter it."""
        algebra = Arrivals(self._cotangents, self._uses)
        for _ in sweep(self._paths, algebra, self._seeds(only)):
            yield from algebra.arrived
            algebra.arrived.clear()

    def _contributions(self, only: int | None = None) -> Iterator[tuple[int, Rows]]:
        """The contributions of every use with its step, written out, a bounded number at a time."""
        for use, rows in self._arrivals(only):
            for part in self._written(use, rows):
                yield use.step, part

    def _pulled(self, use: Use, cotangent: Any) -> Any:
        """What cotangents that enter the use contribute to the source."""
        for edge in reversed(use.chain):
            cotangent = self._cotangents.along(edge, cotangent)
        return cotangent

    def _written(self, use: Use, rows: Rows) -> Iterator[Rows]:
        chunk = max(1, _CHUNK_BYTES // max(1, self.source.size * self.source.dtype.itemsize))
        for first in range(0, len(rows.stack), chunk):
            part = Stacked(rows.stack[first : first + chunk])
            yield Rows(rows.start + first, self._pulled(use, part).value)

    @np.errstate(all="ignore")
    def _fill(self) -> None:
        direction = directions([self._whole()])[0]
        readings = Readings(self._uses.values(), self._cotangents, direction, len(self.losses))
        bits: dict[Node, int] = {}
        for t, loss in enumerate(self.losses):
            bits[loss] = bits.get(loss, 0) | 1 << t
        reached = dict(sweep(self._paths, Reach(), bits))
        waiting = Counter(use.step for use in self._uses.values())
        parts: dict[int, list[Rows]] = {}
        for use, rows in self._arrivals():
            entries = (slice(rows.start, rows.stop), use.step)
            doubles = readings.in_doubles(rows.stack)
            self.total += self._pulled(use, rows.stack.sum(0))
            self.share[entries] += readings.shares(use, doubles)
            self.present[entries] |= _bits(reached[use.exit.user], rows.start, rows.stop)
            waiting[use.step] -= 1
            if use.step not in parts and not waiting[use.step]:
                sizes = readings.norms(use, doubles)
                self.norm[entries] = self._norms_written(use, rows) if sizes is None else sizes
                continue
            # Norms do not add: where a step uses the source more than once its contributions are summed first.
            parts.setdefault(use.step, []).extend(self._written(use, rows))
            if not waiting[use.step]:
                joined = join_rows(parts.pop(use.step))
                self.norm[joined.start : joined.stop, use.step] = norms(joined.stack)

    def _whole(self) -> Array:
        """The whole gradient, by one sweep with all losses seeded alike."""
        seeds = {
            loss: np.asarray(times, loss.dtype)
            for loss, times in Counter(self.losses).items()
            if loss in self._paths.out
        }
        return next(value for node, value in sweep(self._paths, self._cotangents, seeds) if node is self.source)

    def _norms_written(self, use: Use, rows: Rows) -> Floats:
        return np.concatenate([norms(part.stack) for part in self._written(use, rows)])


class Gradients(Sequence["Contributions"]):
    """`table.gradient`: a sequence of rows, one a loss."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: dict[int, Contributions] = {}
        self._kept = max(1, _KEPT_BYTES // max(1, table.source.size * 8 * table.steps))

    def __len__(self) -> int:
        return len(self._table.losses)

    def __getitem__(self, t: Any) -> Any:
        if isinstance(t, slice):
            return [self[i] for i in range(len(self))[t]]
        t = range(len(self))[t]
        row = self._rows.pop(t, None) or Contributions(self._table, t)
        self._rows[t] = row
        if len(self._rows) > self._kept:
            del self._rows[next(iter(self._rows))]
        return row


class Contributions(Sequence[Array]):
    """`table.gradient[t]`: what loss t sends through each step's use, one array a step, made when asked for."""

    def __init__(self, table: Table, t: int) -> None:
        self._table = table
        self._t = t
        self._made: dict[int, Array] | None = None

    def __len__(self) -> int:
        return self._table.steps

    @np.errstate(all="ignore")
    def __getitem__(self, k: Any) -> Any:
        if isinstance(k, slice):
            return [self[i] for i in range(len(self))[k]]
        if self._made is None:
            self._made = {}
            for step, rows in self._table._contributions(only=self._t):
                self._made[step] = self._made.get(step, 0) + rows.stack[0]
        step = range(len(self))[k]
        source = self._table.source
        return self._made[step] if step in self._made else np.zeros(source.shape, source.dtype)


def bptt(
    losses: Node | Sequence[Node],
    source: Node,
    unrolled: Unrolled,
    feed: Mapping[Node, ArrayLike] | None = None,
    *,
    run: Run | None = None,
) -> Table:
    """The contributions to d sum(losses) / d source, by loss t and by step k at which the source is used.

    `losses` are scalar nodes (usually one a step), `source` any parameter of the net, its input, or one of the states
    in `unrolled.initial`; a use belongs to step k if it was made inside `scope(t=k)`, as `unroll` does. Entry [t][k] is
    what loss t sends through that use alone: the immediate partial, so that the entries sum to the gradient and none
    counts twice. `feed` maps inputs to arrays; an inner node that is fed is a constant (see `forced`). `run` is what
    `mg.run(losses, feed)` gave, of these losses or of more, where there is one: nothing is then computed twice.

    Raises GradientError if a loss is not a scalar, if no path leads from the source to any loss, or if a use of the
    source belongs to no step; FeedError if the run lacks a node or was made with another feed.

    >>> import numpy as np
    >>> import minigrad as mg, rnn
    >>> net = rnn.unroll(rnn.RNN(2, 3, rng=0), np.ones((4, 1, 2)))
    >>> losses = [mg.sum(step.h * step.h) for step in net.steps]
    >>> table = rnn.bptt(losses, net.model.parameters["weight_hh_l0"], net)
    >>> table.norm.shape, round(float(table.share.sum()), 12)
    ((4, 4), 1.0)
    >>> bool(table.present[1, 2]), table.gradient[3][1].shape
    (False, (3, 3))
    """
    targets = [losses] if isinstance(losses, Node) else list(losses)
    for loss in targets:
        if not isinstance(loss, Node):
            raise TypeError(f"bptt: expects the losses as nodes, got {type(loss).__name__}; evaluate nothing before")
        if loss.shape != ():
            raise GradientError(f"bptt: expects scalar losses, got {describe(loss)} of shape {loss.shape}; sum it")
    if not isinstance(source, Node):
        raise TypeError(f"bptt: expects the source as a node, got {type(source).__name__}")
    if not isinstance(unrolled, Unrolled):
        raise TypeError(f"bptt: expects what rnn.unroll returned, got {type(unrolled).__name__}")
    if not targets:
        raise GradientError("bptt: the list of losses is empty; give at least one scalar node")
    return Table(targets, source, len(unrolled.steps), feed, run=run)


def _bits(number: int, start: int, stop: int) -> NDArray[np.bool_]:
    """The bits from `start` to before `stop`."""
    window = number >> start & (1 << (stop - start)) - 1
    octets = np.frombuffer(window.to_bytes((stop - start + 7) // 8, "little"), np.uint8)
    return np.unpackbits(octets, bitorder="little")[: stop - start].astype(bool)
