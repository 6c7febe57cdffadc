"""What `minigrad draw` and `minigrad inspect` are asked for: a net, how it is shown, and the figure of it."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable

import minigrad
import rnn
from minigrad import Parameter
from minigrad.errors import Misuse

from . import charts, engines
from .drawing import figure_of
from .figure import Figure
from .scene import LEVELS
from .study import Study, study
from .words import one_line

CELLS: dict[str, Callable[..., rnn.cells.Recurrent]] = {"rnn": rnn.RNN, "lstm": rnn.LSTM, "gru": rnn.GRU}
LONGEST = 2000


def net_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which net is drawn, and how."""
    _which_net(parser)
    _what_is_shown(parser)
    parser.add_argument(
        "--seed",
        metavar="N",
        type=_whole("--seed", 0, 2**63),
        default=0,
        help="seed of the random weights (default: 0)",
    )


def _which_net(parser: argparse.ArgumentParser) -> None:
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


def _what_is_shown(parser: argparse.ArgumentParser) -> None:
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


def _text(given: str) -> str:
    if not given:
        raise Misuse("the text is empty; give two characters or more, like --text hello")
    if len(given) == 1:
        raise Misuse(
            f"a text of one character ({one_line(given)!r}) has no next character to predict; "
            "give two or more, like --text hello"
        )
    if len(given) > LONGEST + 1:
        raise Misuse(f"the text has {len(given):,} characters; a figure of at most {LONGEST + 1:,} can be drawn")
    return given


def _whole(option: str, low: int, high: int) -> Callable[[str], int]:
    def read(given: str) -> int:
        try:
            value = int(given)
        except ValueError:
            raise Misuse(f"{option} expects a whole number, got {one_line(given)!r}") from None
        if not low <= value <= high:
            raise Misuse(f"{option} expects a whole number from {low} to {high:,}, got {one_line(given)}")
        return value

    return read


def drawn(options: argparse.Namespace) -> tuple[str, Study, Figure]:
    """Return the text that is read, the net that reads it, and its figure or chart. Raises Misuse."""
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
        raise Misuse(f"a {chart} shows a gradient through time; give two steps or more, like --steps 4")
    else:
        figure = CHARTS[chart](reading, found.proof.weight, options.theme)
    return text, found, figure


def _check_together(options: argparse.Namespace, chart: str | None) -> None:
    """Refuse options that have nothing to say beside others."""
    given = {
        "--edges share": options.edges == "share",
        "--engine dot": options.engine == "dot",
        f"--level {options.level}": options.level != "cell",
        "--whole": options.whole,
    }
    for option in (option for option, there in given.items() if there and chart is not None):
        raise Misuse(f"{option} is for the net: a {chart} has no edges and no boxes; leave out one of the two")
    if options.whole and options.level in ("rolled", "open"):
        shown = "one drawing of all steps" if options.level == "rolled" else "one step"
        raise Misuse(f"--whole goes with --level cell or op: --level {options.level} shows {shown}; leave out --whole")


def _step(options: argparse.Namespace, count: int, chart: str | None) -> int | None:
    """Return the step to open, counted from 0, or None for the middle one; refuse one that is not there."""
    step: int | None = options.step
    if step is None:
        return None
    if options.level != "open" or chart is not None:
        raise Misuse("--step says which step is open; it goes with --level open")
    if step > count:
        raise Misuse(f"--step expects a step of the net, from 1 to {count}, got {step}")
    return step - 1


def _net(options: argparse.Namespace) -> Callable[..., rnn.cells.Recurrent]:
    """Return what makes the net that the options ask for."""
    given = {"layers": options.layers, "bidirectional": options.bidirectional}
    if options.reset is not None:
        if options.cell != "gru":
            raise Misuse(f"--reset is for gru: {options.cell} has no reset gate")
        given["reset"] = options.reset
    return functools.partial(CELLS[options.cell], **given)


def _triangle(reading: rnn.Reading, weight: Parameter, theme: str) -> Figure:
    return charts.triangle(rnn.bptt(reading.losses, weight, reading.unrolled), theme=theme)


def _river(reading: rnn.Reading, weight: Parameter, theme: str) -> Figure:
    return charts.river(minigrad.flow(reading.loss, weight), theme=theme)


def _ledger(reading: rnn.Reading, weight: Parameter, theme: str) -> Figure:
    return charts.ledger(minigrad.flow(reading.loss, weight), theme=theme)


CHARTS = {"triangle": _triangle, "river": _river, "ledger": _ledger}
