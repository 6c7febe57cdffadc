"""A sheet as SVG: one self-contained element, the same bytes on every run.

The root has a view box and no size, a title and a description; every box and every edge carries
its own `<title>`; ids start with a prefix made from the content, so that figures on one page do
not collide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from xml.sax.saxutils import escape as _escape

from .ink import Circle, Group, Item, Rect, Shape, Sheet
from .layout.routes import Path
from .layout.stamp import Word
from .theme import literal, stylesheet
from .words import NO_BREAK, SMALL, Rich, clean

_ANCHORS = {"middle": "m", "end": "e"}
_CLASSES = re.compile(r' class="([^"]*)"')
BLANKS = f" {NO_BREAK}"
STYLES = {"quiet": "q", "note": "q", "header": "q", "title": "b", "bold": "b", "pale": "pale", "inked": "inked"}
"""Class names of the styles of words."""


def render(
    sheet: Sheet, theme: str = "light", attributes: Mapping[str, str] | None = None, *, variables: bool = True
) -> str:
    """Return `sheet` as an SVG document.

    `attributes` are written on the groups that draw these parts of the scene. Without `variables` the style sheet is
    plain CSS, which simple converters read.
    """
    prefix = sheet.identity
    marks = attributes or {}
    body = "\n".join(drawn(item, marks) for item in sheet.items)
    used = {"paper", *(name for found in _CLASSES.findall(body) for name in found.split())}
    style = (stylesheet if variables else literal)(theme, prefix, used)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{prefix}" '
        f'viewBox="0 0 {num(sheet.width)} {num(sheet.height)}" role="img" '
        f'aria-labelledby="{prefix}-t {prefix}-d">',
        f'<title id="{prefix}-t">{text(sheet.title)}</title>',
        f'<desc id="{prefix}-d">{text(sheet.about)}</desc>',
        f"<style>\n{style}\n</style>",
        '<rect class="paper" width="100%" height="100%"/>',
        body,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def num(value: float) -> str:
    """Return a coordinate with at most one decimal, never `-0`.

    >>> num(3.0), num(-0.04), num(2.25)
    ('3', '0', '2.2')
    """
    shown = f"{value:.1f}"
    shown = shown[:-2] if shown.endswith(".0") else shown
    return "0" if shown == "-0" else shown


def text(words: str) -> str:
    """Return `words` escaped for XML content and attributes, forbidden characters shown as U+FFFD.

    >>> text('</script><b>&"')
    '&lt;/script&gt;&lt;b&gt;&amp;&quot;'
    """
    return _escape(clean(words), {'"': "&quot;", "'": "&#39;"})


def drawn(item: Item, attributes: Mapping[str, str]) -> str:
    """Return one item as SVG elements."""
    if isinstance(item, Group):
        return _group(item, attributes)
    if isinstance(item, Word):
        return word(item)
    if isinstance(item, Rect):
        return _rect(item)
    if isinstance(item, Circle):
        return f'<circle class="{item.style}" cx="{num(item.x)}" cy="{num(item.y)}" r="{num(item.r)}"/>'
    return _shape(item)


def _group(group: Group, attributes: Mapping[str, str]) -> str:
    name = (f' class="{group.style}"' if group.style else "") + attributes.get(group.part, "")
    title = "" if group.title is None else f"<title>{text(group.title)}</title>"
    inside = [drawn(item, attributes) for item in group.items]
    if not name and group.title is None and group.offset is None:
        return "".join(inside)
    if group.offset is None:
        return f"<g{name}>{title}{''.join(inside)}</g>"
    x, y = group.offset
    return "\n".join([f'<g{name} transform="translate({num(x)} {num(y)})">{title}', *inside, "</g>"])


def _rect(rect: Rect) -> str:
    spot = rect.spot
    corner = f' rx="{num(rect.radius)}"' if rect.radius else ""
    return (
        f'<rect{_ink(rect.style, rect.fill)} x="{num(spot.left)}" y="{num(spot.top)}" '
        f'width="{num(spot.w)}" height="{num(spot.h)}"{corner}/>'
    )


def _shape(shape: Shape) -> str:
    wide = "" if shape.width is None else f' stroke-width="{num(shape.width)}"'
    end = "z" if shape.closed else ""
    return f'<path{_ink(shape.style, shape.fill)} d="{path(shape.path)}{end}"{wide}/>'


def _ink(style: str, fill: str) -> str:
    return (f' class="{style}"' if style else "") + (f' fill="{fill}"' if fill else "")


@lru_cache(maxsize=4096)
def path(found: Path) -> str:
    """Return the `d` attribute of a path; columns that are alike share theirs."""
    parts = [f"M{num(found.start[0])},{num(found.start[1])}"]
    for step in found.steps:
        points = " ".join(f"{num(x)},{num(y)}" for x, y in step)
        parts.append(("L" if len(step) == 1 else "C") + points)
    return "".join(parts)


def word(found: Word) -> str:
    """Return one line of text; runs below or above the line become tspans."""
    classes = [_ANCHORS.get(found.anchor, ""), STYLES.get(found.style, "")]
    shown = " ".join(name for name in classes if name)
    attribute = f' class="{shown}"' if shown else ""
    return (
        f'<text{attribute} x="{num(found.x)}" y="{num(found.y)}" font-size="{num(found.size)}">'
        f"{_runs(found.text, found.size)}</text>"
    )


def _runs(words: Rich, size: float) -> str:
    parts, height = [], 0.0
    for run in words:
        wanted = {"": 0.0, "sub": 0.22, "sup": -0.34}[run.shift] * size
        if wanted == height and not run.shift:
            parts.append(text(run.text))
            continue
        # Some renderers drop a space at the ends of a tspan; between two of them they keep it.
        inner = run.text.strip(BLANKS)
        before = run.text[: len(run.text) - len(run.text.lstrip(BLANKS))]
        after = run.text[len(before) + len(inner) :]
        small = f' font-size="{num(size * SMALL)}"' if run.shift else ""
        parts.append(f'{before}<tspan dy="{num(wanted - height)}"{small}>{text(inner)}</tspan>{after}')
        height = wanted
    return "".join(parts)
