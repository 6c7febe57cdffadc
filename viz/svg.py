"""A picture as SVG: one self-contained element, the same bytes on every run.

The root has a view box and no size, a title and a description; every box and every edge carries
its own `<title>`; ids start with a prefix made from the content, so that figures on one page do
not collide.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from xml.sax.saxutils import escape as _escape

from .layout.picture import Picture, Sample
from .layout.routes import Arrow, Path
from .layout.sizes import ACTIVATION, CHIP, NOTE, OP, TEXT
from .layout.spot import Spot
from .layout.stamp import Route, Word
from .scene import Box, Edge, Mark, Scale
from .theme import stylesheet
from .words import SMALL, Rich, clean, plain

_KINDS = {
    "f": "kf",
    "i": "ki",
    "g": "kg",
    "o": "ko",
    "r": "ki",
    "z": "kf",
    "n": "kg",
    "h": "h",
    "c": "c",
    "L": "loss",
}
_ROLES = {"input": "x", "output": "y", "affine": "y", "loss": "loss"}


def render(picture: Picture, theme: str = "light") -> str:
    """Return `picture` as an SVG document."""
    scene = picture.scene
    prefix = "mg" + scene.digest()
    about = " ".join(plain(text) for text in (scene.subtitle, scene.sentence, scene.proof) if text)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{prefix}" '
        f'viewBox="0 0 {num(picture.width)} {num(picture.height)}" role="img" '
        f'aria-labelledby="{prefix}-t {prefix}-d">',
        f'<title id="{prefix}-t">{text(plain(scene.title))}</title>',
        f'<desc id="{prefix}-d">{text(about)}</desc>',
        f"<style>\n{stylesheet(theme, prefix)}\n</style>",
        '<rect class="paper" width="100%" height="100%"/>',
        f'<g transform="translate({num(picture.origin[0])} {num(picture.origin[1])})">',
        *_body(picture),
        "</g>",
        *(_item(item.title, item.label, spot) for item, spot in picture.dock),
        *(_sample(sample) for sample in picture.samples),
        *(word(found) for found in picture.words),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


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


def _body(picture: Picture) -> Iterable[str]:
    body, scale = picture.body, picture.scene.scale
    for place, (_, spot) in enumerate(body.bands):
        if place % 2:
            yield _rect(Spot(spot.x, body.height / 2, spot.w, body.height), "band", 0)
    for cell, spot in body.frames:
        yield f"<g><title>{text(cell.title)}</title>{_rect(spot, 'cell', 16)}</g>"
    for bridge in (False, True):
        for edge, route in body.wires:
            if route.bridge == bridge:
                yield _edge(edge, route, scale)
    for box, spot in body.boxes:
        yield _box(box, spot)
    for tag, spot in body.chips:
        yield _item(tag.title, tag.label, spot)
    for found in body.words:
        yield word(found)


def path(found: Path) -> str:
    """Return the `d` attribute of a path."""
    parts = [f"M{num(found.start[0])},{num(found.start[1])}"]
    for step in found.steps:
        points = " ".join(f"{num(x)},{num(y)}" for x, y in step)
        parts.append(("L" if len(step) == 1 else "C") + points)
    return "".join(parts)


def _head(arrow: Arrow) -> str:
    return "M" + "L".join(f"{num(x)},{num(y)}" for x, y in arrow.head) + "z"


def _edge(edge: Edge, route: Route, scale: Scale) -> str:
    hidden = " hid" if edge.hidden else ""
    forward = f'<path class="f{hidden}" d="{path(route.forward.path)}"/><path class="fh" d="{_head(route.forward)}"/>'
    back = _gradient(edge.mark, route.back, scale) if edge.mark else ""
    return f"<g><title>{text(edge.title)}</title>{forward}{back}</g>"


def _gradient(mark: Mark, arrow: Arrow, scale: Scale) -> str:
    line = path(arrow.path)
    head = f'<path class="rh" d="{_head(arrow)}"/>'
    if mark.state == "measured" and not scale.below(mark.norm):
        wide = num(scale.width(mark.norm))
        return f'<g class="g{mark.bin}"><path class="r" d="{line}" stroke-width="{wide}"/>{head}</g>'
    if mark.state == "measured":
        return f'<g class="below"><path class="r" d="{line}"/>{head}</g>'
    if mark.state == "zero":
        return f'<g class="zero"><path class="r" d="{line}"/>{_nought(arrow)}</g>'
    if mark.state == "cut":
        return f'<g class="cut"><path class="r" d="{_bar(arrow)}"/></g>'
    name = "hollow" if mark.state == "structural" else "nan"
    return f'<g class="{name}"><path class="r" d="{line}"/><path class="in" d="{line}"/>{head}</g>'


def _nought(arrow: Arrow) -> str:
    """Return a `0` beside the middle of the longest stretch of a dotted edge."""
    points = arrow.path.points()
    stretches = list(itertools.pairwise(points))
    (ax, ay), (bx, by) = max(stretches, key=lambda pair: abs(pair[0][0] - pair[1][0]) + abs(pair[0][1] - pair[1][1]))
    upright = abs(by - ay) > abs(bx - ax)
    x, y = (ax + bx) / 2 - (8 if upright else 0), (ay + by) / 2 + (5 if upright else -4)
    return f'<text class="m" x="{num(x)}" y="{num(y)}" font-size="{num(ACTIVATION)}">0</text>'


def _bar(arrow: Arrow) -> str:
    tip, left, right = arrow.head
    (ax, ay), (bx, by) = left, right
    dx, dy = (bx - ax) * 0.4, (by - ay) * 0.4
    x, y = (tip[0] + (ax + bx) / 2) / 2, (tip[1] + (ay + by) / 2) / 2
    return f"M{num(x - dx * 2)},{num(y - dy * 2)}L{num(x + dx * 2)},{num(y + dy * 2)}"


def _rect(spot: Spot, name: str, radius: float) -> str:
    corner = f' rx="{num(radius)}"' if radius else ""
    return (
        f'<rect class="{name}" x="{num(spot.left)}" y="{num(spot.top)}" '
        f'width="{num(spot.w)}" height="{num(spot.h)}"{corner}/>'
    )


def _box(box: Box, spot: Spot) -> str:
    name = _KINDS.get(box.kind, "") or _ROLES.get(box.role, "p")
    shape = _shape(box.role, spot)
    label = ""
    if box.role == "gate" and box.note:
        label = word(Word(box.label, spot.x, spot.y - 1, TEXT, style="bold"))
        label += word(Word(box.note, spot.x, spot.y + 15, ACTIVATION))
    elif not box.tags and box.role != "junction":
        size = {"function": NOTE, "op": OP}.get(box.role, TEXT)
        label = word(Word(box.label, spot.x, spot.y + size * 0.35, size))
    return f'<g class="{name}"><title>{text(box.title)}</title>{shape}{label}</g>'


def _shape(role: str, spot: Spot) -> str:
    if role == "junction":
        return f'<circle class="dot" cx="{num(spot.x)}" cy="{num(spot.y)}" r="{num(spot.w / 2)}"/>'
    if role == "pointwise":
        return f'<circle class="s" cx="{num(spot.x)}" cy="{num(spot.y)}" r="{num(spot.w / 2)}"/>'
    if role in ("input", "state"):
        return _rect(spot, "s", spot.h / 2)
    if role == "loss":
        corners = (
            (spot.left, spot.y),
            (spot.x, spot.top),
            (spot.right, spot.y),
            (spot.x, spot.bottom),
        )
        points = "L".join(f"{num(x)},{num(y)}" for x, y in corners)
        return f'<path class="s" d="M{points}z"/>'
    return _rect(spot, "s", 5)


def _item(title: str, label: Rich, spot: Spot) -> str:
    """Return a parameter tag: a flat hexagon with its name."""
    nose = 4.0
    corners = (
        (spot.left - nose + 2, spot.y),
        (spot.left + 2, spot.top),
        (spot.right - 2, spot.top),
        (spot.right + nose - 2, spot.y),
        (spot.right - 2, spot.bottom),
        (spot.left + 2, spot.bottom),
    )
    points = "L".join(f"{num(x)},{num(y)}" for x, y in corners)
    shown = word(Word(label, spot.x, spot.y + CHIP * 0.3, CHIP))
    return f'<g class="w"><title>{text(title)}</title><path class="s" d="M{points}z"/>{shown}</g>'


def word(found: Word) -> str:
    """Return one line of text; runs below or above the line become tspans."""
    names = {"quiet": "q", "note": "q", "header": "q", "title": "b", "bold": "b"}
    classes = [{"middle": "m", "end": "e"}.get(found.anchor, ""), names.get(found.style, "")]
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
        small = f' font-size="{num(size * SMALL)}"' if run.shift else ""
        parts.append(f'<tspan dy="{num(wanted - height)}"{small}>{text(run.text)}</tspan>')
        height = wanted
    return "".join(parts)


def _sample(sample: Sample) -> str:
    """Return a drawn example for the legend."""
    spot = sample.spot
    line = f"M{num(spot.left)},{num(spot.y)}L{num(spot.right)},{num(spot.y)}"
    size = min(spot.w / 2, 12.0)
    tip = (
        (spot.left, spot.y),
        (spot.left + size, spot.y - size / 2),
        (spot.left + size, spot.y + size / 2),
    )
    back = Arrow(Path((spot.right, spot.y), (((spot.left + size * 0.8, spot.y),),)), tip)
    if sample.kind == "ruler":
        return f'<g class="g2"><path class="r" d="{line}" stroke-width="{num(sample.value)}"/></g>'
    if sample.kind == "gain":
        mark = (0.1, 0.5, 1.0, 2.0, 5.0)[int(sample.value)]
        return _gradient(Mark("measured", 1.0, mark), back, Scale(1.0))
    if sample.kind == "forward":
        small = tuple((spot.right - (x - spot.left) * 0.7, y) for x, y in tip)
        return (
            f'<path class="f" d="{line}"/><path class="fh" d="M{"L".join(f"{num(x)},{num(y)}" for x, y in small)}z"/>'
        )
    if sample.kind == "below":
        return _gradient(Mark("measured", 1e-9, 1.0), back, Scale(1.0))
    if sample.kind in ("zero", "structural", "nonfinite", "cut"):
        return _gradient(Mark(sample.kind), back, Scale(1.0))  # type: ignore[arg-type]
    if sample.kind == "parameter":
        return _item("", (), spot)
    name = {"state": "h", "input": "x", "output": "y", "loss": "loss"}.get(sample.kind, "p")
    around = Spot(spot.x, spot.y, spot.h, spot.h) if sample.kind in ("input", "pointwise") else spot
    return f'<g class="{name}">{_shape(sample.kind, around)}</g>'
