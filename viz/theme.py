"""Colours, as CSS variables: light, dark, print, and auto (light or dark, as the reader's system says).

Every colour is written twice, plainly and as a variable, because slide and vector programs read
the first and browsers the second. Hues are Okabe and Ito's (colour-blind safe) as tints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from functools import cache

THEMES = ("light", "dark", "auto", "print")

_LIGHT = {
    "paper": "#ffffff",
    "band": "#f1f4f7",
    "ink": "#1d2327",
    "quiet": "#55626b",
    "line": "#5c666e",
    "cell": "#ffffff",
    "rim": "#9aa7b1",
    "x": "#d9effb",
    "x-rim": "#2b87b8",
    "h": "#cfe3f2",
    "h-rim": "#0072b2",
    "c": "#cdeee3",
    "c-rim": "#009e73",
    "w": "#fff3d9",
    "w-rim": "#d08f00",
    "w-ink": "#6b4700",
    "f": "#d3efe6",
    "f-rim": "#009e73",
    "i": "#dff2fc",
    "i-rim": "#3a9fd0",
    "g": "#fbe6bd",
    "g-rim": "#c98a00",
    "o": "#f3dfeb",
    "o-rim": "#b5638f",
    "op": "#ffffff",
    "op-rim": "#545d64",
    "y": "#eceff1",
    "y-rim": "#6d7880",
    "loss": "#fbe0d3",
    "loss-rim": "#d55e00",
    "g0": "#0072b2",
    "g1": "#8fbbd9",
    "g2": "#8a8a8a",
    "g3": "#e8a27c",
    "g4": "#d55e00",
    "nan": "#7b2fbe",
}
_DARK = {
    "paper": "#14191d",
    "band": "#1b2228",
    "ink": "#e9eef1",
    "quiet": "#a9b6bf",
    "line": "#93a0a9",
    "cell": "#20282f",
    "rim": "#5c6a74",
    "x": "#153a4f",
    "x-rim": "#56b4e9",
    "h": "#123650",
    "h-rim": "#4aa8e0",
    "c": "#0d3d31",
    "c-rim": "#2bc49a",
    "w": "#3d2f10",
    "w-rim": "#e69f00",
    "w-ink": "#ffdf9e",
    "f": "#10392f",
    "f-rim": "#2bc49a",
    "i": "#153a4f",
    "i-rim": "#56b4e9",
    "g": "#43330f",
    "g-rim": "#e6ad2e",
    "o": "#43273a",
    "o-rim": "#dd92bd",
    "op": "#20282f",
    "op-rim": "#aab6be",
    "y": "#2b343b",
    "y-rim": "#9aa7b0",
    "loss": "#4a2410",
    "loss-rim": "#f2813a",
    "g0": "#2f97dd",
    "g1": "#8fbbd9",
    "g2": "#8f979c",
    "g3": "#e8a27c",
    "g4": "#f27a24",
    "nan": "#c08bf0",
}
_PRINT = _LIGHT | {
    "band": "#ffffff",
    "ink": "#000000",
    "quiet": "#333333",
    "line": "#333333",
    "rim": "#777777",
}
_PALETTES = {"light": _LIGHT, "dark": _DARK, "auto": _LIGHT, "print": _PRINT}

FONT = "Inter,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"

_RULES = f"""
text{{font-family:{FONT};fill:$ink;stroke:none}}
.m{{text-anchor:middle}} .e{{text-anchor:end}} .q{{fill:$quiet}} .b{{font-weight:600}}
.paper{{fill:$paper}} .band{{fill:$band}} .cell{{fill:$cell;stroke:$rim;stroke-width:1.3}}
.f{{fill:none;stroke:$line;stroke-width:1.4}} .fh{{fill:$line}} .hid{{stroke-dasharray:5 5}}
.r{{fill:none}} .gap{{stroke:$paper}} .tint{{stroke:$band}}
.g0 .r{{stroke:$g0}} .g0 .rh{{fill:$g0}} .g1 .r{{stroke:$g1}} .g1 .rh{{fill:$g1}}
.g2 .r{{stroke:$g2}} .g2 .rh{{fill:$g2}} .g3 .r{{stroke:$g3}} .g3 .rh{{fill:$g3}}
.g4 .r{{stroke:$g4}} .g4 .rh{{fill:$g4}}
.zero .r{{stroke:$quiet;stroke-width:1.2;stroke-dasharray:1.2 3.2}} .zero text{{fill:$quiet}}
.below .r{{stroke:$quiet;stroke-width:1;stroke-dasharray:5 3}} .below .rh{{fill:$quiet}}
.hollow .r{{stroke:$quiet;stroke-width:5}} .hollow .in{{fill:none;stroke:$paper;stroke-width:3}}
.hollow .rh{{fill:$paper;stroke:$quiet;stroke-width:1}}
.nan .r{{stroke:$nan;stroke-width:5}} .nan .in{{fill:none;stroke:$paper;stroke-width:2}} .nan .rh{{fill:$nan}}
.odd .s{{fill:$op;stroke:$nan;stroke-width:2.6}}
.cut .r{{stroke:$quiet;stroke-width:3}}
.s{{stroke-width:1.4;fill:$op;stroke:$op-rim}}
.x .s{{fill:$x;stroke:$x-rim}} .h .s{{fill:$h;stroke:$h-rim}} .c .s{{fill:$c;stroke:$c-rim}}
.kf .s{{fill:$f;stroke:$f-rim}} .ki .s{{fill:$i;stroke:$i-rim}} .kg .s{{fill:$g;stroke:$g-rim}}
.ko .s{{fill:$o;stroke:$o-rim}} .y .s{{fill:$y;stroke:$y-rim}} .loss .s{{fill:$loss;stroke:$loss-rim}}
.late .s{{fill:$ink;stroke:$ink}} .late text{{fill:$paper}}
.shut .s{{fill:$paper;stroke:$rim}} .shut text{{fill:$quiet}}
.w .s{{fill:$w;stroke:$w-rim;stroke-width:1.1}} .w text{{fill:$w-ink}} .dot{{fill:$line}}
.ax{{fill:none;stroke:$quiet;stroke-width:1}} .grid{{fill:none;stroke:$band;stroke-width:1.2}}
.pos{{fill:$g0}} .neg{{fill:$g4}} .plain{{fill:$g2}} .rim{{fill:none;stroke:$line;stroke-width:1}}
.fit{{fill:none;stroke:$g4;stroke-width:2.2;stroke-dasharray:7 4}} .spot{{fill:$g0}}
.none{{fill:$paper;stroke:$quiet;stroke-width:1.2;stroke-dasharray:1.2 3.2}}
.faint{{fill:$band;stroke:$rim;stroke-width:0.4}} .heat{{shape-rendering:crispEdges}}
.nonum{{fill:$paper;stroke:$nan;stroke-width:2.5}}
.hair{{fill:$quiet}}
.h .flow{{fill:$h-rim}} .c .flow{{fill:$c-rim}} .w .flow{{fill:$w-rim}} .y .flow{{fill:$y-rim}}
.loss .flow{{fill:$y-rim}} .h .tint{{fill:$h}} .c .tint{{fill:$c}} .y .tint{{fill:$y}}
.flow-line{{fill:none;stroke:$h-rim}} .neg-line{{fill:none;stroke:$g4}} .c .flow-line{{stroke:$c-rim}}
.l0{{fill:none;stroke:$g0;stroke-width:2.6}} .l0 .dot{{stroke:none;fill:$g0}}
.l1{{fill:none;stroke:$g4;stroke-width:2.6;stroke-dasharray:9 4}} .l1 .dot{{stroke:none;fill:$g4}}
.l2{{fill:none;stroke:$c-rim;stroke-width:2.6;stroke-dasharray:3 2}} .l2 .dot{{stroke:none;fill:$c-rim}}
.l3{{fill:none;stroke:$w-rim;stroke-width:2.6;stroke-dasharray:12 3 3 3}} .l3 .dot{{stroke:none;fill:$w-rim}}
.l4{{fill:none;stroke:$quiet;stroke-width:1.8;stroke-dasharray:5 5}} .l4 .dot{{stroke:none;fill:$quiet}}
.lim{{fill:none;stroke-width:1.1;stroke-dasharray:none}}
.l0 .lim{{stroke:$g0}} .l1 .lim{{stroke:$g4}} .l2 .lim{{stroke:$c-rim}} .l3 .lim{{stroke:$w-rim}}
.l4 .lim{{stroke:$quiet}}
.pale{{fill:#ffffff}} .inked{{fill:#000000}}
"""


def stylesheet(theme: str, prefix: str, used: Set[str]) -> str:
    """Return the CSS of `theme` for the figure whose root has the id `prefix`: the rules for the classes `used`."""
    colours = _PALETTES[theme]
    lines = [f"#{prefix}{{{_variables(colours)}}}"]
    if theme == "auto":
        dark = _variables(_DARK)
        lines.append(f"@media (prefers-color-scheme:dark){{#{prefix}{{{dark}}}}}")
    lines += [f"#{prefix} {selector}{{{_twice(body, colours)}}}" for selector, body in _needed(used)]
    return "\n".join(lines)


def literal(theme: str, prefix: str, used: Set[str]) -> str:
    """Return the CSS of `theme` without variables and media queries, for converters that know neither."""
    colours = _PALETTES[theme]
    return "\n".join(f"#{prefix} {selector}{{{_filled(body, colours)}}}" for selector, body in _needed(used))


def _needed(used: Set[str]) -> Iterator[tuple[str, str]]:
    """Yield the rules all of whose classes are in `used`."""
    for selector, body in _rules():
        if all(part[1:] in used for part in selector.split() if part.startswith(".")):
            yield selector, body


def resolve(theme: str, chain: Sequence[str]) -> dict[str, str]:
    """Return the declarations that hold for an element: its own classes last in `chain`, its groups' before.

    A text has the class name `text` beside its own. For renderers that have no style sheets.

    >>> resolve("light", ["zero", "r"])["stroke-dasharray"]
    '1.2 3.2'
    """
    colours = _PALETTES[theme]
    found: dict[str, tuple[int, str]] = {}
    for selector, body in _rules():
        wanted = selector.split()
        if not _matches(wanted, chain):
            continue
        weight = sum(part.startswith(".") for part in wanted)
        for declaration in filter(None, _filled(body, colours).split(";")):
            name, value = declaration.split(":")
            if name not in found or weight >= found[name][0]:
                found[name] = (weight, value)
    return {name: value for name, (_, value) in found.items()}


def _matches(wanted: Sequence[str], chain: Sequence[str]) -> bool:
    """Tell whether the last of `wanted` names the element, and the others, in order, groups round it."""
    names = [classes.split() for classes in chain]
    if not names or wanted[-1].lstrip(".") not in names[-1]:
        return False
    groups = iter(names[:-1])
    return all(any(part.lstrip(".") in classes for classes in groups) for part in wanted[:-1])


@cache
def _rules() -> tuple[tuple[str, str], ...]:
    return tuple((selector.strip(), body) for selector, body in re.findall(r"([^{}\s][^{}]*)\{([^{}]*)\}", _RULES))


def _filled(body: str, colours: dict[str, str]) -> str:
    return re.sub(r"\$([\w-]+)", lambda name: colours[name[1]], body)


def page_rules(prefixes: Sequence[str]) -> str:
    """Return the CSS of a page round the figures with these ids: its colours follow the reader's system.

    `data-theme` on the root element, `light` or `dark`, overrides the system, for the page and the figures.
    """
    lines = [
        f":root{{color-scheme:light dark;{_variables(_LIGHT)}}}",
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(_DARK)}}}}}",
    ]
    for theme, colours in (("light", _LIGHT), ("dark", _DARK)):
        root = f':root[data-theme="{theme}"]'
        inside = "".join(f",{root} #{prefix}" for prefix in prefixes)
        lines.append(f"{root}{inside}{{color-scheme:{theme};{_variables(colours)}}}")
    return "\n".join(lines) + "\n"


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())


def _twice(body: str, colours: dict[str, str]) -> str:
    """Return the declarations of `body`, each that names a colour as a literal and as a variable."""
    found = []
    for declaration in body.split(";"):
        name = re.search(r"\$([\w-]+)", declaration)
        if name:
            found.append(declaration.replace(name[0], colours[name[1]]))
            found.append(declaration.replace(name[0], f"var(--{name[1]})"))
        else:
            found.append(declaration)
    return ";".join(found)
