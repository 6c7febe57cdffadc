"""The pen: draws a picture's boxes, edges, gradients, tags and legend as ink."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from .colour import cividis, ink_on
from .ink import Circle, Group, Item, Rect, Shape, Sheet, area, line
from .layout.picture import Picture, Sample
from .layout.routes import Arrow, Path, Point, arrow, nearest, towards
from .layout.sizes import ACTIVATION, CHIP, FIGURES, MOST_LOOKS, NOTE, NOTED, OP, SHARE, TEXT, look_width
from .layout.spot import Spot
from .layout.stamp import Placed, Word
from .scene import Box, Edge, Mark, Scale, Tag
from .words import Rich, Run, number, plain

BAR = 10.0
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
    "nan": "odd",
}
_ROLES = {
    "input": "x",
    "parameter": "w",
    "output": "y",
    "affine": "y",
    "loss": "loss",
    "state": "h",
    "delay": "late",
    "closed": "shut",
}


def ink(picture: Picture) -> Sheet:
    """Return `picture` as a sheet that any renderer writes."""
    scene = picture.scene
    items: list[Item] = [Group(tuple(_body(picture)), offset=picture.origin)]
    items += [_item(item.title, item.label, spot, item.id) for item, spot in picture.dock]
    items += [_sample(sample) for sample in picture.samples]
    items += picture.words
    about = " ".join(plain(text) for text in (scene.subtitle, scene.sentence, scene.proof) if text)
    return Sheet("mg" + scene.digest(), plain(scene.title), about, picture.width, picture.height, tuple(items))


def _body(picture: Picture) -> Iterable[Item]:
    body, scale = picture.body, picture.scene.scale
    for place, (_, spot) in enumerate(body.bands):
        if place % 2:
            yield Rect("band", Spot(spot.x, body.height / 2, spot.w, body.height))
    for cell, spot in body.frames:
        yield Group((Rect("cell", spot, 16),), title=cell.title, part=cell.id)
    lefts = [spot.left for _, spot in body.bands]
    forward: dict[int, tuple[Shape, Shape]] = {}
    for bridges in (False, True):
        for edge, placed in body.wires:
            if bool(placed.route.over) == bridges:
                yield _edge(edge, placed, scale, lefts, forward)
    for box, spot in body.boxes:
        yield _box(box, spot)
    for tag, spot in body.chips:
        yield _tag(tag, spot, scale)
    yield from (Group((word,), part=word.part) for word in body.words)


def _edge(
    edge: Edge, placed: Placed, scale: Scale, lefts: Sequence[float], drawn: dict[int, tuple[Shape, Shape]]
) -> Group:
    """Return an edge and its gradient where its column puts them; columns that are alike share what `drawn` keeps."""
    route, at = placed.route, (placed.dx, 0.0)
    forward = drawn.get(id(route))
    if forward is None:
        style = "f hid" if edge.hidden else "f"
        forward = drawn[id(route)] = Shape(style, route.forward.path), area("fh", route.forward.head)
    if edge.mark is None:
        return Group(forward, title=edge.title, offset=at, part=edge.id)
    gaps = tuple(_gaps(edge.mark, placed, scale, lefts)) if route.over else ()
    back = _gradient(edge.mark, route.back, scale, route.forward)
    items: tuple[Item, ...] = (*forward, *gaps, back) if edge.mark.share is None else (*gaps, back, *forward)
    return Group(items, "", edge.title, at, edge.id)


def _gaps(mark: Mark, placed: Placed, scale: Scale, lefts: Sequence[float]) -> Iterable[Shape]:
    """Return gaps in the lanes that the gradient passes over, so that it is seen to pass and not to join."""
    wide = (scale.width(mark.size) if mark.state == "measured" else 5.0) + 4
    for x, y in placed.route.over:
        band = bisect_left(lefts, x + placed.dx) - 1
        ground = "tint" if band % 2 and band >= 0 else "gap"
        yield line(ground, ((x, y - 9), (x, y + 9)), wide)


def _gradient(mark: Mark, arrow: Arrow, scale: Scale, forward: Arrow | None = None) -> Group:
    stroke, head = Shape("r", arrow.path), area("rh", arrow.head)
    if mark.state == "measured" and not scale.below(mark.size):
        wide = scale.width(mark.size)
        head = head if mark.share is None else area("rh", _broad(arrow.head, wide))
        return Group((Shape("r", arrow.path, width=wide), head), f"g{mark.bin}")
    if mark.state == "measured":
        return Group((stroke, head if mark.share is None else area("rh", _small(arrow.head))), "below")
    if mark.state == "zero":
        return Group((stroke, _nought(arrow, forward)), "zero")
    if mark.state == "cut":
        return Group((_bar(arrow),), "cut")
    name = "hollow" if mark.state == "structural" else "nan"
    return Group((stroke, Shape("in", arrow.path), head), name)


def _broad(head: tuple[Point, Point, Point], wide: float) -> tuple[Point, Point, Point]:
    """Return the head of an arrow that is `wide`, broad enough to be seen."""
    tip, (ax, ay), (bx, by) = head
    broad = max(1.0, (wide + 5) / (math.dist((ax, ay), (bx, by)) or 1.0))
    mx, my = (ax + bx) / 2, (ay + by) / 2
    return tip, (mx + (ax - mx) * broad, my + (ay - my) * broad), (mx + (bx - mx) * broad, my + (by - my) * broad)


def _small(head: tuple[Point, Point, Point]) -> tuple[Point, Point, Point]:
    """Return a head for a line that carries next to nothing."""
    tip, left, right = head
    return tip, towards(tip, left, 0.6 * math.dist(tip, left)), towards(tip, right, 0.6 * math.dist(tip, right))


def _nought(arrow: Arrow, forward: Arrow | None) -> Word:
    """Return a `0` beside the middle of the longest stretch of a dotted edge, on the side away from `forward`."""
    (ax, ay), (bx, by) = max(itertools.pairwise(arrow.path.points()), key=lambda pair: math.dist(*pair))
    x, y = (ax + bx) / 2, (ay + by) / 2
    near = (x, y + 1) if forward is None else nearest((x, y), forward.path)
    off = math.dist(near, (x, y)) or 1.0
    return Word((Run("0"),), x + 8 * (x - near[0]) / off, y + 9 * (y - near[1]) / off + 5, ACTIVATION)


def _bar(arrow: Arrow) -> Shape:
    """Return a bar across the middle of an edge that no gradient passes."""
    points = [*arrow.path.points(), arrow.head[0]]
    stretches = list(itertools.pairwise(points))
    left = sum(math.dist(a, b) for a, b in stretches) / 2
    while left > math.dist(*stretches[0]):
        left -= math.dist(*stretches.pop(0))
    a, b = stretches[0]
    (x, y), size = towards(a, b, left), math.dist(a, b) or 1.0
    dx, dy = BAR * (b[1] - a[1]) / size, BAR * (a[0] - b[0]) / size
    return line("r", ((x - dx, y - dy), (x + dx, y + dy)))


def style_of(role: str, kind: str) -> str:
    """Return the style of a box: its kind's colour, or its role's."""
    return _KINDS.get(kind, "") or _ROLES.get(role, "p")


def _box(box: Box, spot: Spot) -> Group:
    name = style_of(box.role, box.kind)
    label: tuple[Word, ...] = ()
    if box.role in NOTED and box.note:
        size = TEXT if box.role in ("input", "parameter") else OP
        label = (
            Word(box.label, spot.x, spot.y - 2, size),
            Word(box.note, spot.x, spot.y + 15, ACTIVATION, style="quiet"),
        )
    elif box.role == "gate" and box.note:
        label = (
            Word(box.label, spot.x, spot.y - 1, TEXT, style="bold"),
            Word(box.note, spot.x, spot.y + 15, ACTIVATION),
        )
    elif box.role == "attention":
        return Group((_shape(box.role, spot), *_looks(box, spot)), name, box.title, part=box.id)
    elif not box.tags and box.role not in ("junction", "bus"):
        size = {"function": NOTE, "delay": NOTE, "op": OP}.get(box.role, TEXT)
        label = (Word(box.label, spot.x, spot.y + size * 0.35, size),)
    return Group((_shape(box.role, spot), *label), name, box.title, part=box.id)


def _looks(box: Box, spot: Spot) -> Iterable[Item]:
    """Return the inside of an attention: its name, and under each state it looks at how much it takes of it."""
    yield Word(box.label, spot.x, spot.top + 20, NOTE, "middle")
    wide = look_width(len(box.looks))
    left = spot.x - wide * len(box.looks) / 2
    for place, look in enumerate(box.looks):
        cell = Spot(left + wide * (place + 0.5), spot.top + 59, wide, 24)
        ground = Rect("heat", cell, fill=cividis(look.weight))
        number_ = f"{look.weight:.2f}".lstrip("0") if look.weight < 0.995 else "1"
        words: tuple[Item, ...] = ()
        if len(box.looks) <= MOST_LOOKS:
            words = (
                Word((Run(number_),), cell.x, cell.y + 5, ACTIVATION, "middle", ink_on(look.weight)),
                Word(look.label, cell.x, cell.top - 6, ACTIVATION, "middle"),
            )
        yield Group((ground, *words), title=f"{plain(look.label)}: weight {number(look.weight, 3)}")


def _shape(role: str, spot: Spot) -> Item:
    if role in ("junction", "bus"):
        return Circle("dot", spot.x, spot.y, spot.w / 2) if spot.w <= spot.h else Rect("dot", spot, spot.h / 2)
    if role == "pointwise":
        return Circle("s", spot.x, spot.y, spot.w / 2)
    if role == "constant":
        return Group(())
    if role in ("input", "state"):
        return Rect("s", spot, spot.h / 2)
    if role == "parameter":
        return _hexagon(spot, 8.0)
    if role == "loss":
        return area("s", ((spot.left, spot.y), (spot.x, spot.top), (spot.right, spot.y), (spot.x, spot.bottom)))
    if role == "closed":
        inner = Spot(spot.x, spot.y, spot.w - 7, spot.h - 7)
        return Group((Rect("s", spot, 9), Rect("s", inner, 6)))
    return Rect("s", spot, 2 if role == "delay" else 5)


def _tag(tag: Tag, spot: Spot, scale: Scale) -> Group:
    """Return a use of a parameter, with the share that leaves through it."""
    if not tag.note:
        return _item(tag.title, tag.label, spot, tag.id)
    figures = Word(tag.note, spot.right - 3, spot.y + ACTIVATION * 0.35, ACTIVATION, "end")
    label = Word(tag.label, spot.left + 3, spot.y + CHIP * 0.3, CHIP, "start")
    items: list[Item] = [_hexagon(Spot(spot.x, spot.y, spot.w + 4, spot.h), 4.0), label, figures]
    if tag.mark is not None and tag.mark.state == "measured":
        start = spot.right - FIGURES - 1
        items.append(_gradient(tag.mark, arrow([(start, spot.y), (start - SHARE + 4, spot.y)]), scale))
    return Group(tuple(items), "w", tag.title, part=tag.id)


def _hexagon(spot: Spot, nose: float) -> Item:
    """Return a flat hexagon in `spot`, its noses left and right."""
    corners = (
        (spot.left, spot.y),
        (spot.left + nose, spot.top),
        (spot.right - nose, spot.top),
        (spot.right, spot.y),
        (spot.right - nose, spot.bottom),
        (spot.left + nose, spot.bottom),
    )
    return area("s", corners)


def _item(title: str, label: Rich, spot: Spot, part: str = "") -> Group:
    """Return a parameter tag: a flat hexagon with its name."""
    return Group(
        (_hexagon(Spot(spot.x, spot.y, spot.w + 4, spot.h), 4.0), Word(label, spot.x, spot.y + CHIP * 0.3, CHIP)),
        "w",
        title,
        part=part,
    )


_SAMPLE_MARKS = {
    "below": Mark("measured", 1e-9, 1.0),
    "zero": Mark("zero"),
    "structural": Mark("structural"),
    "nonfinite": Mark("nonfinite"),
    "cut": Mark("cut"),
    "wrong": Mark("wrong"),
}


def _sample(sample: Sample) -> Item:
    """Return a drawn example for the legend."""
    spot = sample.spot
    ends = ((spot.left, spot.y), (spot.right, spot.y))
    size = min(spot.w / 2, 12.0)
    tip = (
        (spot.left, spot.y),
        (spot.left + size, spot.y - size / 2),
        (spot.left + size, spot.y + size / 2),
    )
    back = Arrow(Path((spot.right, spot.y), (((spot.left + size * 0.8, spot.y),),)), tip)
    if sample.kind == "ruler":
        return Group((line("r", ends, sample.value),), "g2")
    if sample.kind == "gain":
        mark = (0.1, 0.5, 1.0, 2.0, 5.0)[int(sample.value)]
        return _gradient(Mark("measured", 1.0, mark), back, Scale(1.0))
    if sample.kind == "forward":
        return Group((line("f", ends), area("fh", [(spot.right - (x - spot.left) * 0.7, y) for x, y in tip])))
    if sample.kind in _SAMPLE_MARKS:
        return _gradient(_SAMPLE_MARKS[sample.kind], back, Scale(1.0))
    if sample.kind == "parameter":
        return _item("", (), spot)
    name = "h" if sample.kind == "state" else style_of(sample.kind, "")
    around = Spot(spot.x, spot.y, spot.h, spot.h) if sample.kind in ("input", "pointwise") else spot
    return Group((_shape(sample.kind, around),), name)
