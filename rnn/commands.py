"""`minigrad train` and `minigrad sample`: what they take and what they do. The console script registers them."""

from __future__ import annotations

import argparse
import hashlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from minigrad.console import say
from minigrad.errors import Misuse

from .character import CELLS, CharacterLearner, CharacterModel, common_characters
from .checkpoint import Checkpoint, CheckpointError, read_checkpoint
from .optim import Adam, Optimiser
from .tasks import TASKS, Task
from .tasks.characters import CharacterTask
from .train import Learner, Training, TrainingError, train

# A text may have more kinds of characters than this; the rarest are then read as one.
MOST_CHARACTERS = 1000
# The end of a text at least ten times as long, to judge by.
HELD_OUT = 2000
TEXT_DEFAULTS: dict[str, Any] = {
    "cell": "lstm",
    "hidden": 128,
    "layers": 1,
    "dropout": 0.0,
    "window": 50,
    "batch": 16,
    "steps": 2000,
    "lr": 3e-3,
    "clip": 1.0,
}


@dataclass(frozen=True)
class Job:
    """One call of `minigrad train`: what was asked for, where the run is kept, and what was kept there before."""

    options: argparse.Namespace
    path: Path | None
    saved: Checkpoint | None

    def settings(self, defaults: dict[str, Any]) -> dict[str, Any]:
        """What was asked for, else what was kept, else the defaults. Only steps and lr may change on the way."""
        kept = {} if self.saved is None else self.saved.header.get("settings", {})
        settings = {}
        for name, default in defaults.items():
            asked = getattr(self.options, name, None)
            if asked is not None and name in kept and kept[name] != asked and name not in ("steps", "lr"):
                raise Misuse(f"--{name} {asked} does not fit the checkpoint, which was made with {kept[name]}")
            settings[name] = asked if asked is not None else kept.get(name, default)
        return settings

    def train(self, learner: Learner, optimiser: Optimiser, clip: float, header: dict[str, Any]) -> Training:
        """Train as the header's settings say, telling how it goes."""
        steps = header["settings"]["steps"]
        if self.saved is not None and self.saved.header["step"] >= steps:
            say(f"{self.path} is at step {self.saved.header['step']} already; give a larger --steps N to go on")
        run = train(
            learner,
            optimiser,
            steps,
            rng=header["settings"]["seed"],
            clip=clip,
            every=self.options.every,
            checkpoint=self.path,
            header=header,
            resume=self.saved is not None,
            report=_report(learner),
        )
        if run.interrupted:
            kept = f" --checkpoint {self.path}" if self.options.checkpoint is not None else ""
            again = f"; go on with: minigrad train {self.options.what} --resume{kept}" if self.path is not None else ""
            say(f"stopped at step {run.step} of {steps}{again}")
        return run


def train_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `minigrad train`."""
    width = max(map(len, TASKS))
    parser.epilog = (
        "tasks:\n" + "\n".join(f"  {name:{width}}  {task.summary}" for name, task in TASKS.items()) + "\n\nexamples:\n"
        "  minigrad train hello\n"
        "  minigrad train recall --cell gru\n"
        "  minigrad train my_text.txt --steps 5000     writes my_text.npz\n"
        "  minigrad train my_text.txt --resume         goes on from my_text.npz\n\n"
        "Ctrl-C ends a run after the step it is in; the checkpoint keeps the best and the last weights."
    )
    parser.add_argument("what", metavar="TASK|FILE", help="a task of the list below, or a text file (UTF-8)")
    parser.add_argument("--steps", type=_whole(0), metavar="N", help="train until N steps are done in all")
    parser.add_argument("--checkpoint", "-o", metavar="FILE", help="where to keep the run (a text: its name, .npz)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, exactly as if never stopped")
    parser.add_argument("--every", type=_whole(1), default=100, metavar="N", help="report and save every N steps (100)")
    parser.add_argument("--seed", type=_whole(0), metavar="N", help="seed of weights and batches (0)")
    parser.add_argument("--cell", choices=list(CELLS), help="the kind of net (texts, adding, recall)")
    parser.add_argument("--lr", type=_positive, metavar="X", help="learning rate")
    texts = parser.add_argument_group("for a text")
    texts.add_argument("--hidden", type=_whole(1), metavar="H", help="size of the hidden state (128)")
    texts.add_argument("--layers", type=_whole(1), metavar="L", help="how many layers (1)")
    texts.add_argument("--dropout", type=_share, metavar="P", help="share of values dropped between layers (0)")
    texts.add_argument("--window", type=_whole(1), metavar="T", help="characters that gradients reach back (50)")
    texts.add_argument("--batch", type=_whole(1), metavar="B", help="places of the text read side by side (16)")


def sample_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `minigrad sample`."""
    parser.epilog = (
        "examples:\n"
        "  minigrad sample my_text.npz --length 500 --temperature 0.7\n"
        '  minigrad sample my_text.npz --prime "From fairest " --top-k 5'
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a file written by minigrad train")
    parser.add_argument("--length", type=_whole(0), metavar="N", help="how many characters to write (500)")
    parser.add_argument("--prime", metavar="TEXT", help="a text to go on from")
    parser.add_argument(
        "--temperature", type=_not_negative, metavar="X", help="below 1 safer, above wilder, 0 greedy (1)"
    )
    parser.add_argument("--top-k", type=_whole(1), metavar="K", help="draw from the K likeliest characters only")
    parser.add_argument("--seed", type=_whole(0), metavar="N", help="the same seed writes the same text")
    parser.add_argument("--last", action="store_true", help="use the last weights instead of the best")


def run_train(options: argparse.Namespace) -> int:
    """Train a task or a text; returns the exit code. Raises Misuse."""
    path = _checkpoint_path(options)
    if path is not None and path.exists() and not options.resume:
        raise Misuse(f"{path} exists: go on from it with --resume, or keep this run elsewhere with --checkpoint FILE")
    if options.resume and (path is None or not path.exists()):
        raise Misuse(f"there is no checkpoint {path} to go on from" if path else "--resume needs --checkpoint FILE")
    try:
        saved = read_checkpoint(path) if options.resume and path is not None else None
        (_train_task if options.what in TASKS else _train_text)(Job(options, path, saved))
    except (CheckpointError, TrainingError, OSError) as error:
        _complain("train", error)
        return 1
    return 0


def run_sample(options: argparse.Namespace) -> int:
    """Write a text from a checkpoint; returns the exit code. Raises Misuse."""
    try:
        saved = read_checkpoint(options.checkpoint)
        learner = _rebuilt(saved, last=options.last)
    except (CheckpointError, OSError) as error:
        _complain("sample", error)
        return 1
    model = getattr(learner, "model", None)
    if isinstance(model, CharacterModel):
        say(_written(model, options))
        return 0
    asked = [name for name in ("length", "prime", "temperature", "top_k", "seed") if getattr(options, name) is not None]
    if asked:
        raise Misuse(
            f"--{asked[0].replace('_', '-')} is for text; the task {saved.header['task']} has one fixed sample"
        )
    assert isinstance(learner, Task)
    say(learner.sample())
    return 0


def _written(model: CharacterModel, options: argparse.Namespace) -> str:
    prime = options.prime or ""
    try:
        return prime + model.sample(
            500 if options.length is None else options.length,
            prime=prime,
            temperature=1.0 if options.temperature is None else options.temperature,
            top_k=options.top_k,
            rng=options.seed,
        )
    except ValueError as error:
        raise Misuse(f"--prime: {error}") from error


def _checkpoint_path(options: argparse.Namespace) -> Path | None:
    if options.checkpoint is not None:
        return Path(options.checkpoint)
    return None if options.what in TASKS else Path(Path(options.what).stem + ".npz")


def _train_task(job: Job) -> None:
    options, saved = job.options, job.saved
    for name in ("hidden", "layers", "dropout", "window", "batch"):
        if getattr(options, name) is not None:
            raise Misuse(f"--{name} is for texts; the task {options.what} fixes its own")
    settings = job.settings({"cell": None, "seed": 0, "lr": None, "steps": TASKS[options.what].steps})
    if saved is not None and saved.header.get("task") != options.what:
        raise CheckpointError(f"{job.path} is a run of {saved.header.get('task')}, not of {options.what}")
    task = _made_task(options.what, settings)
    start, what = task.baseline()
    say(f"{options.what}: {task.summary}. {task.metric}: {task.score():.4g} now, to beat {start:.4g} ({what})")
    optimiser = task.optimiser()
    optimiser.lr = settings["lr"] or optimiser.lr
    job.train(task, optimiser, task.clip, {"task": options.what, "settings": settings})
    score = task.score()
    beaten = score > start if task.larger_is_better else score < start
    verdict = "beats" if beaten else "does not beat"
    say(f"{task.metric}: {score:.4g}, which {verdict} {start:.4g} ({what})\n\n{task.sample()}")


def _made_task(name: str, settings: dict[str, Any]) -> Task:
    more = {}
    if settings["cell"] is not None:
        if "cell" not in inspect.signature(TASKS[name]).parameters:
            raise Misuse(f"--cell is for texts, adding and recall; the task {name} fixes its own")
        more["cell"] = CELLS[settings["cell"]]
    return TASKS[name](settings["seed"], **more)


def _train_text(job: Job) -> None:
    options, path, saved = job.options, job.path, job.saved
    text = read_text(Path(options.what))
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    if saved is not None and saved.header.get("text") != digest:
        raise CheckpointError(
            f"{path} is not a run over the text in {options.what}; the text must be the same to go on"
        )
    text, characters = common_characters(text, MOST_CHARACTERS)
    settings = job.settings(TEXT_DEFAULTS | {"seed": 0})
    model = _made_model(characters, settings)
    aside = HELD_OUT if len(text) >= 10 * HELD_OUT else 0
    learner = CharacterLearner(
        model,
        text[: len(text) - aside],
        window=settings["window"],
        batch=settings["batch"],
        unseen=text[len(text) - aside :],
    )
    say(
        f"{options.what}: {len(text):,} characters, {len(characters):,} kinds; "
        f"{learner.batch} stretches side by side, {learner.window} characters a step; the run is kept in {path}"
    )
    judged = f"on the last {aside:,}, which it does not learn from" if aside else "on the text itself: it is short"
    say(f"the best weights are those with the lowest loss {judged}")
    optimiser = Adam(model.parameters, settings["lr"])
    header = {"task": "text", "text": digest, "characters": characters, "settings": settings}
    run = job.train(learner, optimiser, settings["clip"], header)
    reached = f"loss {run.best_loss:.3f} nats a character at best; " if run.losses else ""
    say(f"{reached}write with: minigrad sample {path}")


def _made_model(characters: str, settings: dict[str, Any]) -> CharacterModel:
    names = ("cell", "hidden", "layers", "dropout", "seed")
    try:
        return CharacterModel(characters, **{name: settings[name] for name in names})
    except ValueError as error:
        raise Misuse(str(error)) from error


def _rebuilt(saved: Checkpoint, *, last: bool) -> Learner:
    """The net that a checkpoint was written by, with its best weights or its last."""
    weights = {} if last else saved.folder("best")
    try:
        learner = _fresh(saved)
        for name, value in (weights or saved.folder("parameters")).items():
            learner.parameters[name].assign(value)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint was not written by minigrad train ({error!r})") from error
    return learner


def _fresh(saved: Checkpoint) -> Learner:
    name, settings = saved.header["task"], saved.header["settings"]
    if name in TASKS:
        return _made_task(name, settings)
    characters = saved.header["characters"]
    return CharacterLearner(_made_model(characters, settings), characters * 2, window=1, batch=1)


def _report(learner: Learner) -> Callable[[Training], None]:
    """Prints the loss of a window and, of a text, what the net writes by now."""

    def report(run: Training) -> None:
        lines = f"step {run.step}: loss {run.losses[-1]:.4f}"
        model = getattr(learner, "model", None)
        if isinstance(learner, CharacterLearner | CharacterTask) and isinstance(model, CharacterModel):
            lines += "\n" + "\n".join(f"    {line}" for line in model.sample(160, rng=run.step).splitlines())
        with tqdm.external_write_mode():
            say(lines)

    return report


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, its line ends as one newline each. Raises Misuse for what is no text to learn from."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise Misuse(f"there is no task and no file called {path}; the tasks are {', '.join(TASKS)}") from None
    except IsADirectoryError:
        raise Misuse(f"{path} is a folder; give one text file") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Misuse(
            f"{path} is not UTF-8 text (byte 0x{raw[error.start]:02x} at {error.start:,}); convert it to UTF-8 first"
        ) from None
    if "\0" in text:
        raise Misuse(f"{path} holds a zero byte at {text.index(chr(0)):,}: it is a binary file, not a text")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) < 2:
        amount = "is empty" if not text else "has one character"
        raise Misuse(f"{path} {amount}; a text needs two or more, one to read and the next to predict")
    return text


def _complain(command: str, error: Exception) -> None:
    reason = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        reason = f"{str(error.filename).removesuffix('.unfinished')}: {error.strerror}"
    say(f"minigrad {command}: {reason}", sys.stderr)


def _number(
    kind: type, low: float, what: str, *, above: bool = False, below: float = float("inf")
) -> Callable[[str], Any]:
    def read(given: str) -> Any:
        try:
            value = kind(given)
        except ValueError:
            value = None
        if value is None or not (low < value if above else low <= value) or not value < below:
            raise argparse.ArgumentTypeError(f"expects {what}, got {given!r}")
        return value

    return read


def _whole(low: int) -> Callable[[str], Any]:
    return _number(int, low, f"a whole number of {low} or more")


_positive = _number(float, 0, "a number above 0", above=True)
_not_negative = _number(float, 0, "a number of 0 or more")
_share = _number(float, 0, "a number of at least 0 and below 1", below=1)
