"""The layout of what stands beside a drawing in words: the equations of an open step, the table of a rolled one."""

from __future__ import annotations

from collections.abc import Iterable

from ..scene import OpenScene, RolledScene, Scene
from ..words import Rich, width, wrap
from .sizes import NOTE, TEXT
from .stamp import Body, Word

GUTTER = 36.0
ROOM = 540.0
"""Most that the equations may take of the width."""

FORMULA = TEXT + 1
NUMBERS = NOTE
LINE, TALL = 1.35, 1.55
BETWEEN = 22.0
INDENT, HANGING, APART = 18.0, 22.0, 11.0


def beside(body: Body, scene: Scene) -> Body:
    """Return `body` with the words that `scene` has beside it, if it has any."""
    if isinstance(scene, OpenScene):
        return _equations(body, scene)
    return _tabled(body, scene) if isinstance(scene, RolledScene) else body


def _equations(body: Body, scene: OpenScene) -> Body:
    """Return `body` with the equations of `scene` at its right: formula and lines of numbers each, the key below."""
    left, y, wide = body.width + GUTTER, 6.0, 0.0
    for rich, indent, size, style, gap in _lines(scene):
        for place, line in enumerate(wrap(rich, size, ROOM - indent - HANGING)):
            y += size * LINE
            start = indent + (HANGING if place else 0.0)
            wide = max(wide, start + width(line, size))
            body.words.append(Word(line, left + start, y, size, "start", style))
        y += gap
    body.width = left + wide
    body.height = max(body.height, y + 20)
    return body


def _tabled(body: Body, scene: RolledScene) -> Body:
    """Return `body` with the table of `scene` at its right, numbers flush right in their columns."""
    if not scene.table:
        return body
    x, high = body.width + GUTTER, TEXT * TALL
    for place in range(len(scene.table[0])):
        wide = max(width(row[place], TEXT) for row in scene.table)
        x += wide
        for line, row in enumerate(scene.table):
            y = (body.height - high * (len(scene.table) - 2)) / 2 + high * line
            if row[place]:
                body.words.append(Word(row[place], x, y, TEXT, "end", "" if line else "quiet"))
        x += BETWEEN
    body.width = x - BETWEEN
    body.height = max(body.height, high * (len(scene.table) + 1))
    return body


def _lines(scene: OpenScene) -> Iterable[tuple[Rich, float, float, str, float]]:
    """Yield every text with its indent, size, style, and the gap that follows."""
    for equation in scene.equations:
        yield equation.formula, 0.0, FORMULA, "math", 2.0 if equation.numbers else APART
        for place, text in enumerate(equation.numbers, 1):
            yield text, INDENT, NUMBERS, "quiet", APART if place == len(equation.numbers) else 0.0
    for text in scene.key:
        yield text, 0.0, NUMBERS, "quiet", 0.0
