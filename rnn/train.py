"""The training loop: batches, clipping, optimiser, progress, and checkpoints from which a run goes on bit for bit.

What a run is at any step is its parameters, the optimiser's memory, the generator, what the learner carries from batch
to batch and the counters. All of it is in every checkpoint, so a run that was killed and resumed ends exactly where an
unbroken one does.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Protocol

import numpy as np
from tqdm import tqdm

from minigrad import Parameter
from minigrad.node import Array

from .checkpoint import Checkpoint, CheckpointError, read_checkpoint, write_checkpoint
from .optim import Optimiser, clip_norm


class Batch(NamedTuple):
    """One step's result: the loss, the gradient of every parameter by name, and how many tokens were read."""

    loss: float
    gradients: dict[str, Array]
    tokens: int


class Learner(Protocol):
    """What can be trained.

    `gradients` draws the next batch with the generator and differentiates its loss. `carried` returns what passes from
    batch to batch (a position in a text, a hidden state) and `resume` puts it back. `held_out` is the loss on data
    that no batch is drawn from, or None where there are none: by it the best parameters are chosen.
    """

    parameters: dict[str, Parameter]

    def gradients(self, generator: np.random.Generator) -> Batch: ...

    def carried(self) -> dict[str, Array]: ...

    def resume(self, carried: Mapping[str, Array]) -> None: ...

    def held_out(self) -> float | None: ...


class TrainingError(RuntimeError):
    """A run that cannot go on: its loss or gradient is no longer a number."""


@dataclass
class Training:
    """A run: where it is, and what it has seen.

    Attributes:
        step: steps done.
        losses: the mean loss of each `every` steps.
        norm: the gradient's norm at the last step, before clipping.
        best: the parameters at the end of the best window, or None before the first ends.
        best_loss: the loss that window was chosen by, on the data held out or else its own mean; inf before the first.
        interrupted: whether Ctrl-C ended it.
    """

    learner: Learner
    optimiser: Optimiser
    generator: np.random.Generator
    step: int = 0
    losses: list[float] = field(default_factory=list)
    norm: float = 0.0
    best: dict[str, Array] | None = None
    best_loss: float = np.inf
    interrupted: bool = False
    window: list[float] = field(default_factory=list)

    def advance(self, clip: float) -> Batch:
        """One step. Raises TrainingError, parameters untouched, where the loss or gradient is not finite."""
        batch = self.learner.gradients(self.generator)
        norm = clip_norm(batch.gradients, clip)
        if not (np.isfinite(batch.loss) and np.isfinite(norm)):
            raise TrainingError(
                f"at step {self.step + 1} the loss is {batch.loss:.4g} and the norm of the gradient {norm:.4g}; "
                "train with a smaller learning rate, or clip the gradient"
            )
        self.norm = norm
        self.optimiser.step(batch.gradients)
        self.step += 1
        self.window.append(batch.loss)
        return batch

    def close_window(self) -> None:
        """Record the mean loss since the last call, and keep the parameters if they are the best yet."""
        self.losses.append(float(np.mean(self.window)))
        self.window.clear()
        unseen = self.learner.held_out()
        judged = self.losses[-1] if unseen is None else unseen
        if judged < self.best_loss:
            self.best_loss = judged
            self.best = {name: parameter.value for name, parameter in self.learner.parameters.items()}

    def save(self, path: str | Path, header: Mapping[str, Any]) -> None:
        """Write the whole run to a checkpoint."""
        arrays = {
            **{f"parameters/{name}": parameter.value for name, parameter in self.learner.parameters.items()},
            **{f"best/{name}": value for name, value in (self.best or {}).items()},
            **{f"optimiser/{name}": value for name, value in self.optimiser.state().items()},
            **{f"carried/{name}": value for name, value in self.learner.carried().items()},
            "best_loss": np.array(self.best_loss),
            "losses": np.array(self.losses, dtype=float),
            "window": np.array(self.window, dtype=float),
        }
        state = self.generator.bit_generator.state
        write_checkpoint(path, {**header, "step": self.step, "norm": self.norm, "generator": state}, arrays)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become the run that a checkpoint holds. Raises CheckpointError where it is of another net."""
        values = checkpoint.folder("parameters")
        for name, parameter in self.learner.parameters.items():
            if name not in values or values[name].shape != parameter.shape:
                found = values[name].shape if name in values else "nothing"
                raise CheckpointError(
                    f"the checkpoint is of another net: {name} is {parameter.shape} here, {found} there"
                )
        for name, parameter in self.learner.parameters.items():
            parameter.assign(values[name])
        self.optimiser.restore(checkpoint.folder("optimiser"))
        self.learner.resume(checkpoint.folder("carried"))
        self.generator.bit_generator.state = checkpoint.header["generator"]
        self.step, self.norm = checkpoint.header["step"], checkpoint.header["norm"]
        self.losses, self.window = checkpoint.arrays["losses"].tolist(), checkpoint.arrays["window"].tolist()
        self.best, self.best_loss = checkpoint.folder("best") or None, float(checkpoint.arrays["best_loss"])


def train(
    learner: Learner,
    optimiser: Optimiser,
    steps: int,
    *,
    rng: int | np.random.Generator | None = 0,
    clip: float = np.inf,
    every: int = 100,
    checkpoint: str | Path | None = None,
    header: Mapping[str, Any] | None = None,
    resume: bool = False,
    progress: bool | None = None,
    report: Callable[[Training], None] | None = None,
) -> Training:
    """Train until `steps` steps are done in all.

    The gradient's norm is clipped to `clip`. After every `every` steps the mean loss is recorded, the best parameters
    are kept, `report` is called and the `checkpoint` is replaced; it is written once more at the end. `resume` goes on
    from the checkpoint. `header` is what else the checkpoint should say. `progress` shows a bar with loss, gradient
    norm and tokens a second; None shows it on a terminal only. Ctrl-C ends the run after the step it is in, with the
    best and the last parameters kept; a second Ctrl-C ends it at once, which leaves the last checkpoint.

    Raises TrainingError when the loss or gradient is no longer finite (the checkpoint stays as it last was) and
    CheckpointError for a checkpoint of something else.

    >>> import rnn
    >>> model = rnn.CharacterModel("ehlo", cell="rnn", hidden=16)
    >>> learner = rnn.CharacterLearner(model, "hello" * 20, window=10, batch=1)
    >>> run = rnn.train(learner, rnn.Adagrad(model.parameters, lr=0.1), steps=200, every=100)
    >>> run.losses[1] < run.losses[0], model.sample(9, prime="h", temperature=0)
    (True, 'ellohello')
    """
    run = Training(learner, optimiser, np.random.default_rng(rng))
    if resume and checkpoint is not None:
        run.restore(read_checkpoint(checkpoint))

    def save() -> None:
        if checkpoint is not None:
            run.save(checkpoint, header or {})

    save()  # a path that cannot be written is better known now than after the first hour
    with (
        _interruptible() as stopped,
        tqdm(total=steps, initial=run.step, disable=_hidden(progress), unit="step") as bar,
    ):
        speed = _Speed()
        while run.step < steps and not stopped():
            batch = run.advance(clip)
            speed.count(batch.tokens)
            bar.set_postfix(loss=f"{batch.loss:.4f}", norm=f"{run.norm:.3g}", tok_s=speed, refresh=False)
            bar.update()
            if run.step % every == 0:
                run.close_window()
                save()
                if report is not None:
                    report(run)
        run.interrupted = stopped()
    save()
    return run


def _hidden(progress: bool | None) -> bool | None:
    """tqdm's `disable`: None hides the bar where the output is no terminal."""
    return None if progress is None else not progress


class _Speed:
    """Tokens a second, since the start."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._tokens = 0

    def count(self, tokens: int) -> None:
        self._tokens += tokens

    def __str__(self) -> str:
        return f"{self._tokens / max(time.perf_counter() - self._start, 1e-9):.0f}"


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """While inside, the first Ctrl-C only sets a flag, for a step must not stop halfway; the second raises."""
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    # Only the main thread may handle signals; and a job started in the background is not to be stopped by Ctrl-C.
    if threading.current_thread() is not threading.main_thread() or before in (None, signal.SIG_IGN):
        yield pressed.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
