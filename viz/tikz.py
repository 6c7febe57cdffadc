"""A sheet as TikZ: a standalone LaTeX document, for pdfLaTeX, XeLaTeX and LuaLaTeX alike.

The document is plain ASCII. What pdfLaTeX's fonts lack (emoji, other scripts) is given by its code point, which the
other two print as the character; no character of a name can start a command, a comment or a group.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence

from .ink import Circle, Group, Item, Rect, Sheet
from .layout.routes import Path, Point
from .layout.stamp import Word
from .svg import STYLES, num
from .theme import resolve
from .words import Rich, clean

LARGEST = 15000.0
"""Sides in bp above which TeX's arithmetic overflows; larger figures are scaled down."""

_PREAMBLE = r"""\documentclass[border=0pt]{standalone}
\usepackage{iftex}
\usepackage{amssymb}
\usepackage{tikz}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \usepackage{textcomp}
  \usepackage[scaled]{helvet}
  \newcommand\minigradchar[1]{\fbox{\tiny U+#1}}
\else
  \usepackage{fontspec}
  \newcommand\minigradchar[1]{\symbol{"#1}}
\fi
\renewcommand\familydefault{\sfdefault}"""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "{-}",
    ",": "{,}",
    "\u00a0": "~",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "…": r"\ldots{}",
    "·": r"\textperiodcentered{}",
    "½": r"\textonehalf{}",
    "¼": r"\textonequarter{}",
    "¾": r"\textthreequarters{}",
    "°": r"\textdegree{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "€": r"\texteuro{}",
}
_MATH = {
    "×": r"\times",
    "÷": r"\div",
    "−": "-",
    "±": r"\pm",
    "∂": r"\partial",
    "∇": r"\nabla",
    "∞": r"\infty",
    "≤": r"\leq",
    "≥": r"\geq",
    "≠": r"\neq",
    "≈": r"\approx",
    "⊙": r"\odot",
    "‖": r"\|",
    "→": r"\rightarrow",
    "←": r"\leftarrow",
    "↑": r"\uparrow",
    "↓": r"\downarrow",
    "✓": r"\checkmark",
    "✗": r"\times",
    "√": r"\surd",
    "Σ": r"\Sigma",
    "Δ": r"\Delta",
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "η": r"\eta",
    "θ": r"\theta",
    "λ": r"\lambda",
    "μ": r"\mu",
    "ρ": r"\rho",
    "σ": r"\sigma",
    "τ": r"\tau",
    "φ": r"\varphi",
    "∈": r"\in",
    "∑": r"\sum",
    "∏": r"\prod",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
    "\u0328": "k",
}
_SCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₋", "0123456789-", strict=True)) | {"ₖ": "k", "ₜ": "t"}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True)) | {"ʸ": "y", "ᵀ": "T"}


def render(sheet: Sheet, theme: str = "light") -> str:
    """Return `sheet` as a LaTeX document."""
    unit = min(1.0, LARGEST / max(sheet.width, sheet.height))
    writer = _Writer(theme, unit)
    paper = resolve(theme, ["paper"])["fill"]
    body = [
        rf"\fill[{writer.colour(paper)}] (0,0) rectangle ({num(sheet.width)},{num(sheet.height)});",
        *writer.items(sheet.items, (), (0.0, 0.0)),
    ]
    colours = [rf"\definecolor{{{name}}}{{HTML}}{{{name[2:]}}}" for name in sorted(writer.colours)]
    lines = [
        f"% {latex(sheet.title)}",
        _PREAMBLE,
        *colours,
        r"\begin{document}",
        rf"\begin{{tikzpicture}}[x={unit:.6g}bp,y=-{unit:.6g}bp,line join=round]",
        *body,
        r"\end{tikzpicture}",
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def latex(text: str) -> str:
    r"""Return `text` as LaTeX that prints it: ASCII, every special character disarmed, on one line.

    >>> latex(r"50% of \x_1"), latex("é→🙂")
    ('50\\% of \\textbackslash{}x\\_1', "\\'{e}\\ensuremath{\\rightarrow}\\minigradchar{1F642}")
    """
    return "".join(map(_character, clean(text)))


def _character(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if char in "\t\n\r\x85\u2028\u2029":
        return " "
    if " " <= char <= "~":
        return char
    if char in _MATH:
        return rf"\ensuremath{{{_MATH[char]}}}"
    if char in _SCRIPTS:
        return rf"\textsubscript{{{_SCRIPTS[char]}}}"
    if char in _RAISED:
        return rf"\textsuperscript{{{_RAISED[char]}}}"
    parts = unicodedata.normalize("NFD", char)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        return rf"\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return rf"\minigradchar{{{ord(char):04X}}}"


def rich(words: Rich) -> str:
    """Return rich text as LaTeX, sub- and superscripts with the commands of text."""
    commands = {"": "{}", "sub": r"\textsubscript{{{}}}", "sup": r"\textsuperscript{{{}}}"}
    return "".join(commands[run.shift].format(latex(run.text)) for run in words)


_OPERATORS = frozenset({"tanh", "exp", "log", "sin", "cos", "max", "min"})
_SIGNS = {"·": r"\cdot", "Σ": r"\sum", "′": r"{\prime}", "…": r"\ldots", "\N{NO-BREAK SPACE}": r"\,", "|": r"\vert"}
_PLAIN = frozenset(" 0123456789+-=()[]/,.;:!")


def mathematics(words: Rich) -> str:
    r"""Return rich text that is a formula as LaTeX for math mode; what is no mathematics in it is set as text.

    >>> from viz.words import Run
    >>> print(mathematics((Run("f"), Run("3", "sub"), Run(" = σ(W"), Run("if", "sub"), Run(" x) ⊙ c"))))
    f_{3} = \sigma (W_{if} x) \odot  c
    """
    parts: list[str] = []
    taken: set[str] = set()
    for run in words:
        text = "".join(map(_mathematical, re.findall("[A-Za-z]+|.", clean(run.text), re.DOTALL)))
        if not run.shift:
            parts.append(text)
            taken = set() if text.strip() else taken
            continue
        if run.shift in taken or not parts:
            parts.append("{}")
            taken = set()
        taken.add(run.shift)
        parts.append(f"{'_' if run.shift == 'sub' else '^'}{{{text}}}")
    return "".join(parts)


def _mathematical(piece: str) -> str:
    """Return a word or a character of a formula for math mode."""
    if piece in _PLAIN or (piece.isascii() and piece.isalpha() and len(piece) < 3):
        return piece
    if piece in _OPERATORS:
        return rf"\{piece} "
    if piece.isascii() and piece.isalpha():
        return rf"\mathrm{{{piece}}}"
    sign = _SIGNS.get(piece) or _MATH.get(piece)
    return rf"\mbox{{{latex(piece)}}}" if sign is None else sign + " " * sign[-1].isalpha()


class _Writer:
    """Turns items into TikZ statements and remembers the colours they need."""

    def __init__(self, theme: str, unit: float) -> None:
        self.theme, self.unit = theme, unit
        self.colours: set[str] = set()

    def colour(self, value: str) -> str:
        """Return the name of the colour `#rrggbb`."""
        name = "mg" + value.lstrip("#").upper()
        self.colours.add(name)
        return name

    def items(self, items: Sequence[Item], chain: tuple[str, ...], offset: Point) -> Iterator[str]:
        """Yield the statements that draw `items`, which stand in groups of the styles `chain`."""
        for item in items:
            if isinstance(item, Group):
                dx, dy = item.offset or (0.0, 0.0)
                inner = (*chain, item.style) if item.style else chain
                yield from self.items(item.items, inner, (offset[0] + dx, offset[1] + dy))
            elif isinstance(item, Word):
                yield self._word(item, chain, offset)
            else:
                options = self._options(item, chain)
                if options:
                    yield rf"\path[{options}] {_outline(item, offset, self.unit)};"

    def _options(self, item: Item, chain: tuple[str, ...]) -> str:
        assert not isinstance(item, Word | Group)
        found = resolve(self.theme, [*chain, item.style])
        fill = found.get("fill", "none") if isinstance(item, Circle) else item.fill or found.get("fill", "none")
        stroke, options = found.get("stroke", "none"), []
        if fill != "none":
            options.append(f"fill={self.colour(fill)}")
        if stroke != "none":
            wide = getattr(item, "width", None)
            wide = float(found.get("stroke-width", 1)) if wide is None else wide
            options += [f"draw={self.colour(stroke)}", f"line width={wide * self.unit:.4g}bp"]
            dashes = found.get("stroke-dasharray", "none")
            if dashes != "none":
                parts = zip(itertools.cycle(("on", "off")), map(float, dashes.split()), strict=False)
                options.append("dash pattern=" + " ".join(f"{sign} {part * self.unit:.4g}bp" for sign, part in parts))
        return ",".join(options)

    def _word(self, word: Word, chain: tuple[str, ...], offset: Point) -> str:
        style = STYLES.get(word.style, "")
        found = resolve(self.theme, [*chain, f"text {style}"])
        anchor = {"middle": "base", "end": "base east"}.get(word.anchor, "base west")
        size = f"{word.size * self.unit:.4g}"
        shown = f"${mathematics(word.text)}$" if word.style == "math" else rich(word.text)
        bold = r"\bfseries" if found.get("font-weight") == "600" else ""
        return (
            rf"\node[anchor={anchor},inner sep=0pt,text={self.colour(found['fill'])}] "
            rf"at {_point((word.x, word.y), offset)} {{\fontsize{{{size}bp}}{{{size}bp}}{bold}\selectfont{{}}"
            rf"{shown}}};"
        )


def _outline(item: Item, offset: Point, unit: float) -> str:
    if isinstance(item, Circle):
        return f"{_point((item.x, item.y), offset)} circle[radius={item.r * unit:.4g}bp]"
    if isinstance(item, Rect):
        spot = item.spot
        radius = min(item.radius, spot.w / 2, spot.h / 2) * unit
        corners = f"[rounded corners={radius:.4g}bp] " if radius else ""
        ends = _point((spot.left, spot.top), offset), _point((spot.right, spot.bottom), offset)
        return f"{corners}{ends[0]} rectangle {ends[1]}"
    assert not isinstance(item, Word | Group)
    return _path(item.path, offset) + (" -- cycle" if item.closed else "")


def _path(path: Path, offset: Point) -> str:
    parts = [_point(path.start, offset)]
    for step in path.steps:
        points = [_point(point, offset) for point in step]
        parts.append(f"-- {points[0]}" if len(points) == 1 else ".. controls {} and {} .. {}".format(*points))
    return " ".join(parts)


def _point(point: Point, offset: Point) -> str:
    return f"({num(point[0] + offset[0])},{num(point[1] + offset[1])})"
