"""Words on a figure: rich text with sub- and superscripts, numbers, and how wide a word is.

Nothing here knows what a figure shows. The width of a character is the largest of DejaVu Sans, Liberation Sans
(Arial's metrics) and Inter, so a label that fits here fits wherever the figure is opened.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Shift = Literal["", "sub", "sup"]

SMALL = 0.85
"""Size of a sub- or superscript relative to the text it belongs to."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text on, below or above the line."""

    text: str
    shift: Shift = ""


Rich = tuple[Run, ...]

NO_BREAK = "\N{NO-BREAK SPACE}"

_WIDTHS = {
    0.23: "′",
    0.28: "'ijl",
    0.30: "I",
    0.32: " ,.\u00a0·",
    0.34: ":;|",
    0.37: "/\\f",
    0.39: "ʸᵀ",
    0.41: "!()[]t₁₇",
    0.43: "r²₂₅₆₈₉",
    0.45: "³₀₃₄",
    0.47: '"-',
    0.50: "*`‖",
    0.53: "s“”⁻",
    0.55: "Jz",
    0.57: "?L_c–",
    0.60: "kvxyŷλ",
    0.62: "Faeoθτ",
    0.65: "$0123456789Tbdghnpqu{}ĥΣβρσ∂",
    0.67: "EKPSYα",
    0.69: "ABVXZΔ∇",
    0.74: "CRφ␣",
    0.76: "HNU",
    0.79: "&DGOQ",
    0.82: "w",
    0.84: "#+<=>^~±×÷−≤≥⊙",
    0.89: "M∈✓",
    0.94: "∞",
    0.96: "%",
    0.99: "Wm¼½↵",
    1.02: "@…←→",
    1.06: "◇",
}
_ADVANCE = {char: width for width, chars in _WIDTHS.items() for char in chars}
_UNKNOWN = 1.05

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS = re.compile("[\t\n\r\x85\u2028\u2029]+")


def clean(text: str) -> str:
    """Return `text` with every character XML forbids shown as U+FFFD.

    >>> clean("a\\x00b")
    'a\\ufffdb'
    """
    return _FORBIDDEN.sub("\ufffd", text)


def one_line(text: str, limit: int = 60) -> str:
    """Return `text` cleaned, on one line, and cut to `limit` characters with an ellipsis.

    >>> one_line("two\\nlines")
    'two lines'
    >>> one_line("abcdef", 4)
    'abc…'
    """
    text = _BREAKS.sub(" ", clean(text[: limit + 1]))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def unbroken(text: str) -> str:
    """Return `text` with spaces at which no line is broken."""
    return text.replace(" ", NO_BREAK)


def tick(holds: bool) -> str:
    """Return the sign before a proof."""
    return "✓" if holds else "✗"


def width(text: str | Rich, size: float) -> float:
    """Return how wide `text` is set at `size`, never less than what a sans-serif face needs.

    >>> round(width("tanh", 10), 1)
    23.3
    """
    if isinstance(text, str):
        return size * sum(_ADVANCE.get(char, _UNKNOWN) for char in text)
    return sum(width(run.text, size * SMALL if run.shift else size) for run in text)


def plain(text: Rich) -> str:
    """Return `text` on one line, subscripts after `_` and superscripts after `^`.

    >>> plain((Run("W"), Run("hh", "sub")))
    'W_hh'
    """
    marks = {"": "", "sub": "_", "sup": "^"}
    return "".join(marks[run.shift] + run.text for run in text)


def rich(text: str) -> Rich:
    """Return `text` with what follows a `_` or `^` (a word, or braces) set below or above the line.

    >>> rich("W_hh x")
    (Run(text='W', shift=''), Run(text='hh', shift='sub'), Run(text=' x', shift=''))
    """
    runs = []
    for piece in re.findall(r"[_^]\{[^{}]*\}|[_^]\w+|[^_^]+|[_^]", text):
        if len(piece) > 1 and piece[0] in "_^":
            inner = piece[2:-1] if piece[1] == "{" else piece[1:]
            runs.append(Run(inner, "sub" if piece[0] == "_" else "sup"))
        else:
            runs.append(Run(piece))
    return tuple(runs)


def number(value: float, digits: int = 2) -> str:
    """Return `value` with `digits` significant digits, the same in every locale.

    >>> number(0.2684), number(2.8e-17), number(-0.0), number(1234.5), number(float("nan"))
    ('0.27', '2.8e-17', '0', '1200', 'NaN')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -3 <= power < 4:
        return f"{float(f'{mantissa}e{power}'):.{max(0, digits - 1 - power)}f}"
    return f"{mantissa}e{power}"


def percent(share: float, digits: int = 2) -> str:
    """Return a share as a percentage.

    >>> percent(0.9712), percent(-0.00034), percent(0.0)
    ('97 %', '-0.034 %', '0 %')
    """
    return f"{number(100 * share, digits)} %"


def plural(count: int, noun: str) -> str:
    """Return the count with its noun.

    >>> plural(1, "step"), plural(1200, "step")
    ('1 step', '1,200 steps')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def wrap(text: Rich, size: float, room: float) -> list[Rich]:
    """Return `text` broken at spaces into lines at most `room` wide (a longer word stands alone)."""
    words: list[list[Run]] = [[]]
    for run in text:
        for place, part in enumerate(run.text.split(" ")):
            if place:
                words.append([])
            if part:
                words[-1].append(Run(part, run.shift))
    lines: list[list[Run]] = []
    for word in words:
        longer = _followed(lines[-1], word) if lines and lines[-1] else [*word]
        if lines and width(tuple(longer), size) <= room:
            lines[-1] = longer
        else:
            lines.append([*word])
    return [tuple(line) for line in lines]


def _followed(line: list[Run], word: list[Run]) -> list[Run]:
    """Return `line`, a space and `word`, the space in a run with its neighbour (a lone one would get lost)."""
    if not word:
        return line
    word = [Run(" " + word[0].text), *word[1:]] if not word[0].shift else [Run(" "), *word]
    if line[-1].shift or word[0].shift:
        return [*line, *word]
    return [*line[:-1], Run(line[-1].text + word[0].text), *word[1:]]


def fit(text: Rich, size: float, room: float) -> Rich:
    """Return `text`, cut with an ellipsis where it is wider than `room`."""
    if width(text, size) <= room:
        return text
    kept: list[Run] = []
    left = room - width("…", size)
    for run in text:
        part = ""
        for char in run.text:
            left -= width(char, size * SMALL if run.shift else size)
            if left < 0:
                return (*kept, Run(part + "…", run.shift))
            part += char
        kept.append(run)
    return text
