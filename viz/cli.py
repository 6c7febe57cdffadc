"""The console command `minigrad`.

Each subcommand is a `Command`: how it is described, which arguments it takes, and what it does.
Wrong use is a `Misuse`: one sentence on standard error and exit code 2. No traceback reaches the
user; what fails for another reason exits with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

import minigrad
from minigrad import check as checking
from minigrad.console import say
from minigrad.errors import Misuse
from rnn import commands as training

from . import lessons
from .figure import WRITERS, Figure, MissingExtra, UnsupportedFormat, replace
from .options import CHARTS, drawn, net_arguments
from .proof import Proof
from .theme import THEMES
from .words import number, one_line, plain, plural


@dataclass(frozen=True)
class Command:
    """A subcommand of `minigrad`."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        raise Misuse(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 for failed, 2 for wrong use."""
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except Misuse as refusal:
        say(f"minigrad: {refusal}", sys.stderr)
        return 2
    except (MissingExtra, TimeoutError) as unmet:
        say(f"minigrad: {unmet}", sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        say(f"minigrad: this failed ({type(error).__name__}: {one_line(str(error), 300)})", sys.stderr)
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
    net_arguments(parser)
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
    net_arguments(parser)
    parser.set_defaults(engine="lanes")
    parser.add_argument("--theme", choices=THEMES, default="auto", help="colours of the page (default: auto)")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to write the page (default: CELL.html; - for standard output)"
    )
    parser.add_argument("--open", action="store_true", help="show the page in the browser")


def _draw(options: argparse.Namespace) -> int:
    target = _target(options.output, f"{options.cell}.svg", WRITERS)
    return _write_net(options, target, lambda figure: figure.svg)


def _inspect(options: argparse.Namespace) -> int:
    if options.open and options.output == "-":
        raise Misuse("--open needs a file to show; leave out -o -")
    target = _target(options.output, f"{options.cell}.html", (".html",))
    code = _write_net(options, target, lambda figure: figure.html)
    if options.open and target is not None and not webbrowser.open(target.resolve().as_uri()):
        say(f"minigrad: found no browser; open {target} in one", sys.stderr)
        return 1
    return code


def _write_net(options: argparse.Namespace, target: Path | None, page: Callable[[Figure], str]) -> int:
    """Draw the net the options ask for, write it, and say what it is."""
    text, found, figure = drawn(options)
    where, stream = _written(target, lambda: page(figure).encode("utf-8"), figure.save)
    read, said = one_line(text[:-1], 40), one_line(text[1:], 40)
    say(
        f"{where}: {found.kind}, hidden size {options.hidden}, {plural(len(text) - 1, 'step')}, "
        f'reading "{read}" and predicting "{said}".',
        stream,
    )
    return _print_proof(found.proof, stream) if found.proof else 0


def _print_proof(proof: Proof, stream: TextIO) -> int:
    name = plain(proof.label)
    verb = "sum" if proof.holds else "do NOT sum"
    losses = f"{proof.groups} groups of losses" if proof.groups else "every loss step t"
    say(
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
            raise Misuse("-o needs the lesson to write, like minigrad lesson all -o lessons.html")
        for each in lessons.LESSONS:
            say(f"{each:<16}{lessons.TITLES[each]}")
        return 0
    if name != "all" and name not in lessons.LESSONS:
        known = ", ".join(lessons.LESSONS)
        raise Misuse(f"there is no lesson {one_line(name)!r}; choose one of {known}, or all")
    target = _target(options.output, "lessons.html" if name == "all" else f"{name}.html", (".html",))
    made = {each: lessons.make(each) for each in (lessons.LESSONS if name == "all" else [name])}
    page = lessons.page(made, lessons.LESSONS).encode("utf-8")
    where, stream = _written(target, lambda: page, lambda path: replace(path, page))
    claims = [claim for lesson in made.values() for claim in lesson.claims]
    held = sum(claim.holds for claim in claims)
    what = plural(len(made), "lesson") if name == "all" else next(iter(made.values())).title
    say(f"{where}: {what}; {held} of {plural(len(claims), 'claim')} checked and found to hold.", stream)
    return 0 if held == len(claims) else 1


def _target(given: str | None, default: str, endings: Iterable[str]) -> Path | None:
    """Return the file to write, or None for standard output; refuse early what cannot be written."""
    if given == "-":
        return None
    if given == "":
        raise Misuse("-o expects a file name, got an empty one")
    path = Path(given or default)
    if path.suffix.lower() not in endings:
        known = ", ".join(endings)
        raise Misuse(f"cannot write {one_line(str(path))!r}: the name must end in one of {known}")
    if path.is_dir():
        raise Misuse(f"cannot write {one_line(str(path))!r}: it is a folder")
    if not path.parent.is_dir():
        raise Misuse(f"cannot write {one_line(str(path))!r}: the folder {one_line(str(path.parent))!r} does not exist")
    return path


def _written(target: Path | None, page: Callable[[], bytes], save: Callable[[Path], object]) -> tuple[str, TextIO]:
    """Save `target`, or write the page to standard output; return its name, and where to speak of it."""
    if target is None:
        sys.stdout.buffer.write(page())
        sys.stdout.buffer.flush()
        return "standard output", sys.stderr
    _store(target, save)
    return str(target), sys.stdout


def _store(target: Path, save: Callable[[Path], object]) -> None:
    """Save `target`; refuse in one sentence where that cannot be done."""
    try:
        save(target)
    except UnsupportedFormat as error:
        raise Misuse(str(error)) from None
    except PermissionError:
        raise Misuse(f"cannot write {one_line(str(target))!r}: permission denied") from None
    except OSError as error:
        raise Misuse(f"cannot write {one_line(str(target))!r}: {error.strerror or error}") from None


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
