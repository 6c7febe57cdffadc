r"""A line of mathematics as HTML: fractions, sums and products with limits, binomials and matrices.

What is written is plain text with sub- and superscripts (`words.rich`) and these few commands, each with its
arguments in braces: `\frac{a}{b}`, `\sum{below}{above}`, `\prod{below}{above}`, `\binom{n}{k}` and
`\matrix{a & b ; c & d}`. Nothing of it needs a font or a script.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

COMMANDS = {"frac": 2, "sum": 2, "prod": 2, "binom": 2, "matrix": 1}
_SIGNS = {"sum": "Σ", "prod": "∏"}
_COMMAND = re.compile(r"\\([a-z]+)\{")
Set = Callable[[str], str]


def html(formula: str, words: Set) -> str:
    """Return `formula` as HTML, its plain parts set by `words`.

    >>> html(r"\\frac{a}{b} x", str)
    '<span class="frac"><span>a</span><span>b</span></span> x'
    """
    return "".join(_command(*part, words) if isinstance(part, tuple) else words(part) for part in _parts(formula))


def linear(formula: str) -> str:
    """Return `formula` in one line of plain text, as it is read out.

    >>> linear(r"\\sum{k}{} \\frac{a + b}{c}"), linear(r"\\matrix{1 & 2 ; 3 & 4}")
    ('Σ_{k} (a + b)/c', '[1, 2; 3, 4]')
    """
    return "".join(_read(*part) if isinstance(part, tuple) else part for part in _parts(formula))


def _parts(formula: str) -> Iterator[str | tuple[str, list[str]]]:
    """Yield plain text, and commands with their arguments."""
    at = 0
    while found := _COMMAND.search(formula, at):
        name = found[1]
        if name not in COMMANDS:
            raise ValueError(f"formula: no command {name!r}; there are {', '.join(COMMANDS)}")
        if found.start() > at:
            yield formula[at : found.start()]
        arguments, at = [], found.end() - 1
        for _ in range(COMMANDS[name]):
            argument, at = _argument(formula, at)
            arguments.append(argument)
        yield name, arguments
    if at < len(formula):
        yield formula[at:]


def _argument(formula: str, at: int) -> tuple[str, int]:
    """Return what stands in the braces that open at `at`, and the place behind them."""
    depth = 0
    for place in range(at, len(formula)):
        depth += {"{": 1, "}": -1}.get(formula[place], 0)
        if not depth:
            break
    if depth or formula[at : at + 1] != "{":
        raise ValueError(f"formula: braces do not match in {formula!r}")
    return formula[at + 1 : place], place + 1


def _command(name: str, arguments: list[str], words: Set) -> str:
    if name == "matrix":
        rows = [[html(entry.strip(), words) for entry in row.split("&")] for row in arguments[0].split(";")]
        lines = "".join(f"<span>{''.join(f'<span>{entry}</span>' for entry in row)}</span>" for row in rows)
        return f'<span class="matrix">{lines}</span>'
    first, second = (html(argument, words) for argument in arguments)
    if name in _SIGNS:
        return f'<span class="limits"><span>{second}</span><span>{_SIGNS[name]}</span><span>{first}</span></span>'
    return f'<span class="{name}"><span>{first}</span><span>{second}</span></span>'


def _read(name: str, arguments: list[str]) -> str:
    if name == "matrix":
        return "[" + "; ".join(", ".join(e.strip() for e in row.split("&")) for row in arguments[0].split(";")) + "]"
    first, second = (linear(argument) for argument in arguments)
    if name in _SIGNS:
        return _SIGNS[name] + "".join(f"{mark}{{{part}}}" for mark, part in (("_", first), ("^", second)) if part)
    if name == "binom":
        return f"({first} over {second})"
    return "/".join(f"({part})" if " " in part else part for part in (first, second))
