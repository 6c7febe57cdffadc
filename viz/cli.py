"""The console command `minigrad`.

Each subcommand is a `Command`: how it is described, which arguments it takes, and what it does.
Wrong use is a `Refusal`: one sentence on standard error and exit code 2. No traceback reaches the
user; what fails for another reason exits with 1.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import webbrowser
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

import minigrad
import rnn
from minigrad import Parameter
from minigrad import check as checking
from rnn import commands as training

from . import charts, engines, lessons
from .drawing import LEVELS, figure_of, study
from .figure import WRITERS, Figure, MissingExtra, UnsupportedFormat, replace
from .proof import Proof
from .theme import THEMES
from .words import number, one_line, plain, plural

CELLS: dict[str, Callable[..., rnn.cells.Recurrent]] = {"rnn": rnn.RNN, "lstm": rnn.LSTM, "gru": rnn.GRU}
LONGEST = 2000


class Refusal(Exception):
    """Wrong use, said in one sentence."""


@dataclass(frozen=True)
class Command:
    """A subcommand of `minigrad`."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 for failed, 2 for wrong use."""
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except (Refusal, checking.Misuse, training.Misuse) as refusal:
        _say(f"minigrad: {refusal}", sys.stderr)
        return 2
    except (MissingExtra, TimeoutError) as unmet:
        _say(f"minigrad: {unmet}", sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        _say(f"minigrad: this failed ({type(error).__name__}: {one_line(str(error), 300)})", sys.stderr)
        return 1


def _parser() -> _Parser:
    parser = _Parser(prog="minigrad", description="Look at how gradients flow through a recurrent net.")
    parser.add_argument("--version", action="version", version=f"minigrad {minigrad.__version__}")
    parser.set_defaults(run=lambda _: _help(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


_FRESH = (
    "The net is fresh: its weights are random and not trained. It reads the text one character\n"
    "at a time and predicts each next one; the arrows show the gradient of the summed loss."
)


def _draw_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  minigrad draw lstm --text hello -o hello.svg\n"
        "  minigrad draw rnn --steps 8 --level op\n"
        "  minigrad draw gru --layers 2 --bidirectional\n"
        "  minigrad draw lstm --text hello --edges share\n"
        "  minigrad draw rnn --steps 3 --level op --engine dot\n"
        "  minigrad draw lstm --level rolled\n"
        "  minigrad draw gru --level open --step 3\n"
        "  minigrad draw lstm --steps 12 --chart river -o river.pdf\n\n" + _FRESH
    )
    _net_arguments(parser)
    parser.add_argument(
        "--chart",
        choices=CHARTS,
        help="instead of the net, a chart of the gradient of its recurrent weight: by loss and step (triangle), "
        "as it flows back through the lanes (river), or path by path (ledger)",
    )
    parser.add_argument(
        "--engine",
        choices=("lanes", "dot"),
        default="lanes",
        help="what lays the net out: lanes, states straight across equal steps (default), or dot, which is Graphviz",
    )
    parser.add_argument("--theme", choices=THEMES, default="light", help="colours of the figure (default: light)")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to write the figure, in the format of its ending (default: CELL.svg; - for standard output)",
    )


def _inspect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  minigrad inspect lstm --text hello -o hello.html --open\n"
        "  minigrad inspect rnn --steps 6 --level op\n\n"
        "The page is one file and works without a network: pan, zoom, search, step through the\n"
        "forward and the backward pass, close cells, light up paths of the gradient.\n" + _FRESH
    )
    _net_arguments(parser)
    parser.set_defaults(engine="lanes")
    parser.add_argument("--theme", choices=THEMES, default="auto", help="colours of the page (default: auto)")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to write the page (default: CELL.html; - for standard output)"
    )
    parser.add_argument("--open", action="store_true", help="show the page in the browser")


def _net_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cell", metavar="CELL", choices=CELLS, help="the kind of net: rnn, lstm or gru")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--text", metavar="TEXT", type=_text, help="what the net reads (default: hello)")
    length.add_argument(
        "--steps", metavar="T", type=_whole("--steps", 1, LONGEST), help="how many steps, over a sample text"
    )
    parser.add_argument(
        "--hidden",
        metavar="H",
        type=_whole("--hidden", 1, 4096),
        default=8,
        help="size of the hidden state (default: 8)",
    )
    parser.add_argument(
        "--layers",
        metavar="N",
        type=_whole("--layers", 1, 8),
        default=1,
        help="how many nets are stacked, each reading the states of the one below (default: 1)",
    )
    parser.add_argument("--bidirectional", action="store_true", help="add a net that reads from right to left")
    parser.add_argument(
        "--reset",
        choices=("after", "before"),
        help="where the reset gate of a GRU acts: after the product with the recurrent weights (default) or before it",
    )
    told = "show every step of a long sequence, not its ends and most telling steps alone"
    parser.add_argument("--whole", action="store_true", help=told)
    parser.add_argument(
        "--level",
        choices=LEVELS,
        default="cell",
        help="cell: gates and states, as drawn by hand (default); op: every single operation; rolled: one cell for all "
        "steps, its states looping back; open: every operation of one step, with its equations and their numbers",
    )
    parser.add_argument(
        "--step",
        metavar="T",
        type=_whole("--step", 1, LONGEST),
        help="which step is open at --level open, counted from 1 as on the figure (default: the middle one)",
    )
    parser.add_argument(
        "--edges",
        choices=("magnitude", "share"),
        default="magnitude",
        help="what the width of a gradient arrow says: magnitude, the norm of what comes back (default), or share, "
        "the signed share of the gradient of the recurrent weight that passes",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=_whole("--seed", 0, 2**63),
        default=0,
        help="seed of the random weights (default: 0)",
    )


def _text(given: str) -> str:
    if not given:
        raise Refusal("the text is empty; give two characters or more, like --text hello")
    if len(given) == 1:
        raise Refusal(
            f"a text of one character ({one_line(given)!r}) has no next character to predict; "
            "give two or more, like --text hello"
        )
    if len(given) > LONGEST + 1:
        raise Refusal(f"the text has {len(given):,} characters; a figure of at most {LONGEST + 1:,} can be drawn")
    return given


def _whole(option: str, low: int, high: int) -> Callable[[str], int]:
    def read(given: str) -> int:
        try:
            value = int(given)
        except ValueError:
            raise Refusal(f"{option} expects a whole number, got {one_line(given)!r}") from None
        if not low <= value <= high:
            raise Refusal(f"{option} expects a whole number from {low} to {high:,}, got {one_line(given)}")
        return value

    return read


def _draw(options: argparse.Namespace) -> int:
    target = _target(options.output, f"{options.cell}.svg", WRITERS)
    return _write_net(options, target, lambda figure: figure.svg)


def _inspect(options: argparse.Namespace) -> int:
    if options.open and options.output == "-":
        raise Refusal("--open needs a file to show; leave out -o -")
    target = _target(options.output, f"{options.cell}.html", (".html",))
    code = _write_net(options, target, lambda figure: figure.html)
    if options.open and target is not None and not webbrowser.open(target.resolve().as_uri()):
        _say(f"minigrad: found no browser; open {target} in one", sys.stderr)
        return 1
    return code


def _write_net(options: argparse.Namespace, target: Path | None, written: Callable[[Figure], str]) -> int:
    """Draw the net the options ask for, write it, and say what it is."""
    text = options.text
    if text is None:
        count = 4 if options.steps is None else options.steps
        text = ("hello" * (count // 5 + 1))[: count + 1]
    chart = getattr(options, "chart", None)
    _check_together(options, chart)
    engines.check(options.engine)
    step = _step(options, len(text) - 1, chart)
    reading = rnn.read(text, _net(options), options.hidden, rng=options.seed)
    found = study(reading, edges=options.edges)
    if chart is None:
        whole = len(text) if options.whole else None
        figure = figure_of(found, options.level, options.theme, whole, sites=False, step=step, engine=options.engine)
    elif found.proof is None or len(reading.losses) < 2:
        raise Refusal(f"a {chart} shows a gradient through time; give two steps or more, like --steps 4")
    else:
        figure = CHARTS[chart](reading, found.proof.weight, options.theme)
    stream = sys.stdout
    if target is None:
        sys.stdout.buffer.write(written(figure).encode("utf-8"))
        sys.stdout.buffer.flush()
        stream = sys.stderr
    else:
        _store(target, lambda: figure.save(target))
    where = "standard output" if target is None else str(target)
    read, said = one_line(text[:-1], 40), one_line(text[1:], 40)
    _say(
        f"{where}: {found.kind}, hidden size {options.hidden}, {plural(len(text) - 1, 'step')}, "
        f'reading "{read}" and predicting "{said}".',
        stream,
    )
    return _print_proof(found.proof, stream) if found.proof else 0


def _check_together(options: argparse.Namespace, chart: str | None) -> None:
    """Refuse options that have nothing to say beside others."""
    given = {
        "--edges share": options.edges == "share",
        "--engine dot": options.engine == "dot",
        f"--level {options.level}": options.level != "cell",
        "--whole": options.whole,
    }
    for option in (option for option, there in given.items() if there and chart is not None):
        raise Refusal(f"{option} is for the net: a {chart} has no edges and no boxes; leave out one of the two")
    if options.whole and options.level in ("rolled", "open"):
        shown = "one drawing of all steps" if options.level == "rolled" else "one step"
        raise Refusal(f"--whole goes with --level cell or op: --level {options.level} shows {shown}; leave out --whole")


def _step(options: argparse.Namespace, count: int, chart: str | None) -> int | None:
    """Return the step to open, counted from 0, or None for the middle one; refuse one that is not there."""
    step: int | None = options.step
    if step is None:
        return None
    if options.level != "open" or chart is not None:
        raise Refusal("--step says which step is open; it goes with --level open")
    if step > count:
        raise Refusal(f"--step expects a step of the net, from 1 to {count}, got {step}")
    return step - 1


def _print_proof(proof: Proof, stream: TextIO) -> int:
    name = plain(proof.label)
    verb = "sum" if proof.holds else "do NOT sum"
    losses = f"{proof.groups} groups of losses" if proof.groups else "every loss step t"
    _say(
        f"Proof: {plural(proof.contributions, 'contribution')}, of {losses} through every use k of {name}, "
        f"{verb} to dL/d{name}; largest difference {number(proof.difference)}.",
        stream,
    )
    return 0 if proof.holds else 1


def _lesson_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  minigrad lesson                  the lessons by name\n"
        "  minigrad lesson four-paths\n"
        "  minigrad lesson all -o lecture.html\n\n"
        "A page is one file and works without a network; every number on it is computed as it is written."
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="which lesson, or all; without it, they are listed")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to write the page (default: NAME.html; - for standard output)"
    )


def _lesson(options: argparse.Namespace) -> int:
    name = options.name
    if name is None:
        if options.output is not None:
            raise Refusal("-o needs the lesson to write, like minigrad lesson all -o lessons.html")
        for each in lessons.LESSONS:
            _say(f"{each:<16}{lessons.TITLES[each]}", sys.stdout)
        return 0
    if name != "all" and name not in lessons.LESSONS:
        known = ", ".join(lessons.LESSONS)
        raise Refusal(f"there is no lesson {one_line(name)!r}; choose one of {known}, or all")
    target = _target(options.output, "lessons.html" if name == "all" else f"{name}.html", (".html",))
    made = {each: lessons.make(each) for each in (lessons.LESSONS if name == "all" else [name])}
    written = lessons.page(made, lessons.LESSONS).encode("utf-8")
    stream = sys.stdout
    if target is None:
        sys.stdout.buffer.write(written)
        sys.stdout.buffer.flush()
        stream = sys.stderr
    else:
        _store(target, lambda: replace(target, written))
    claims = [claim for lesson in made.values() for claim in lesson.claims]
    held = sum(claim.holds for claim in claims)
    where = "standard output" if target is None else str(target)
    what = plural(len(made), "lesson") if name == "all" else next(iter(made.values())).title
    _say(f"{where}: {what}; {held} of {plural(len(claims), 'claim')} checked and found to hold.", stream)
    return 0 if held == len(claims) else 1


def _net(options: argparse.Namespace) -> Callable[..., rnn.cells.Recurrent]:
    """Return what makes the net that the options ask for."""
    given = {"layers": options.layers, "bidirectional": options.bidirectional}
    if options.reset is not None:
        if options.cell != "gru":
            raise Refusal(f"--reset is for gru: {options.cell} has no reset gate")
        given["reset"] = options.reset
    return functools.partial(CELLS[options.cell], **given)


def _target(given: str | None, default: str, endings: Iterable[str]) -> Path | None:
    """Return the file to write, or None for standard output; refuse early what cannot be written."""
    if given == "-":
        return None
    if given == "":
        raise Refusal("-o expects a file name, got an empty one")
    path = Path(given or default)
    if path.suffix.lower() not in endings:
        known = ", ".join(endings)
        raise Refusal(f"cannot write {one_line(str(path))!r}: the name must end in one of {known}")
    if path.is_dir():
        raise Refusal(f"cannot write {one_line(str(path))!r}: it is a folder")
    if not path.parent.is_dir():
        raise Refusal(f"cannot write {one_line(str(path))!r}: the folder {one_line(str(path.parent))!r} does not exist")
    return path


def _triangle(reading: rnn.Reading, weight: Parameter, theme: str) -> Figure:
    return charts.triangle(rnn.bptt(reading.losses, weight, reading.unrolled), theme=theme)


def _river(reading: rnn.Reading, weight: Parameter, theme: str) -> Figure:
    return charts.river(minigrad.flow(reading.loss, weight), theme=theme)


def _ledger(reading: rnn.Reading, weight: Parameter, theme: str) -> Figure:
    return charts.ledger(minigrad.flow(reading.loss, weight), theme=theme)


CHARTS = {"triangle": _triangle, "river": _river, "ledger": _ledger}


def _store(target: Path, write: Callable[[], object]) -> None:
    """Call what writes `target`; refuse in one sentence where that cannot be done."""
    try:
        write()
    except UnsupportedFormat as error:
        raise Refusal(str(error)) from None
    except PermissionError:
        raise Refusal(f"cannot write {one_line(str(target))!r}: permission denied") from None
    except OSError as error:
        raise Refusal(f"cannot write {one_line(str(target))!r}: {error.strerror or error}") from None


def _say(line: str, stream: TextIO) -> None:
    """Print a line on any terminal: what its encoding lacks is shown as a question mark."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding, "replace"), file=stream)


COMMANDS = {
    "draw": Command("draw a net unrolled in time, with the gradient flowing back", _draw_arguments, _draw),
    "inspect": Command("write a page to walk through a net and its gradient", _inspect_arguments, _inspect),
    "lesson": Command("write a lesson on recurrent nets, with its figures and numbers", _lesson_arguments, _lesson),
    "train": Command(
        "train a task, or a character model on your own text", training.train_arguments, training.run_train
    ),
    "sample": Command("write text with a trained model", training.sample_arguments, training.run_sample),
    "check": Command("check the gradient of a function of your own", checking.check_arguments, checking.run_check),
}
