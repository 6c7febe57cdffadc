"""The pen: draws a picture's boxes, edges, gradients, tags and legend as ink."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from .ink import Circle, Group, Item, Rect, Shape, Sheet, area, line
from .layout.picture import Picture, Sample
from .layout.routes import Arrow, Path
from .layout.sizes import ACTIVATION, CHIP, NOTE, OP, TEXT
from .layout.spot import Spot
from .layout.stamp import Route, Word
from .scene import Box, Edge, Mark, Scale
from .words import Rich, Run, plain

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
_ROLES = {"input": "x", "output": "y", "affine": "y", "loss": "loss", "delay": "late", "closed": "shut"}


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
    tinted = [spot for place, (_, spot) in enumerate(body.bands) if place % 2]
    for bridges in (False, True):
        for edge, route in body.wires:
            if bool(route.over) == bridges:
                yield _edge(edge, route, scale, tinted)
    for box, spot in body.boxes:
        yield _box(box, spot)
    for tag, spot in body.chips:
        yield _item(tag.title, tag.label, spot, tag.id)
    yield from (Group((word,), part=word.part) for word in body.words)


def _edge(edge: Edge, route: Route, scale: Scale, tinted: Sequence[Spot]) -> Group:
    hidden = " hid" if edge.hidden else ""
    forward = (Shape("f" + hidden, route.forward.path), area("fh", route.forward.head))
    if edge.mark is None:
        return Group(forward, title=edge.title, part=edge.id)
    gaps = _gaps(edge.mark, route, scale, tinted)
    return Group((*forward, *gaps, _gradient(edge.mark, route.back, scale)), title=edge.title, part=edge.id)


def _gaps(mark: Mark, route: Route, scale: Scale, tinted: Sequence[Spot]) -> Iterable[Shape]:
    """Return gaps in the lanes that the gradient passes over, so that it is seen to pass and not to join."""
    wide = (scale.width(mark.norm) if mark.state == "measured" else 5.0) + 4
    for x, y in route.over:
        ground = "tint" if any(band.left < x < band.right for band in tinted) else "gap"
        yield line(ground, ((x, y - 9), (x, y + 9)), wide)


def _gradient(mark: Mark, arrow: Arrow, scale: Scale) -> Group:
    stroke, head = Shape("r", arrow.path), area("rh", arrow.head)
    if mark.state == "measured" and not scale.below(mark.norm):
        return Group((Shape("r", arrow.path, width=scale.width(mark.norm)), head), f"g{mark.bin}")
    if mark.state == "measured":
        return Group((stroke, head), "below")
    if mark.state == "zero":
        return Group((stroke, _nought(arrow)), "zero")
    if mark.state == "cut":
        return Group((_bar(arrow),), "cut")
    name = "hollow" if mark.state == "structural" else "nan"
    return Group((stroke, Shape("in", arrow.path), head), name)


def _nought(arrow: Arrow) -> Word:
    """Return a `0` beside the middle of the longest stretch of a dotted edge."""
    points = arrow.path.points()
    stretches = list(itertools.pairwise(points))
    (ax, ay), (bx, by) = max(stretches, key=lambda pair: abs(pair[0][0] - pair[1][0]) + abs(pair[0][1] - pair[1][1]))
    upright = abs(by - ay) > abs(bx - ax)
    x, y = (ax + bx) / 2 - (8 if upright else 0), (ay + by) / 2 + (5 if upright else -4)
    if abs(bx - ax) > 1 and abs(by - ay) > 1:
        x, y = (ax + bx) / 2 - 6, (ay + by) / 2 + 13
    return Word((Run("0"),), x, y, ACTIVATION)


def _bar(arrow: Arrow) -> Shape:
    tip, left, right = arrow.head
    (ax, ay), (bx, by) = left, right
    dx, dy = (bx - ax) * 0.4, (by - ay) * 0.4
    x, y = (tip[0] + (ax + bx) / 2) / 2, (tip[1] + (ay + by) / 2) / 2
    return line("r", ((x - dx * 2, y - dy * 2), (x + dx * 2, y + dy * 2)))


def style_of(role: str, kind: str) -> str:
    """Return the style of a box: its kind's colour, or its role's."""
    return _KINDS.get(kind, "") or _ROLES.get(role, "p")


def _box(box: Box, spot: Spot) -> Group:
    name = style_of(box.role, box.kind)
    label: tuple[Word, ...] = ()
    if box.role == "gate" and box.note:
        label = (
            Word(box.label, spot.x, spot.y - 1, TEXT, style="bold"),
            Word(box.note, spot.x, spot.y + 15, ACTIVATION),
        )
    elif not box.tags and box.role != "junction":
        size = {"function": NOTE, "delay": NOTE, "op": OP}.get(box.role, TEXT)
        label = (Word(box.label, spot.x, spot.y + size * 0.35, size),)
    return Group((_shape(box.role, spot), *label), name, box.title, part=box.id)


def _shape(role: str, spot: Spot) -> Item:
    if role == "junction":
        return Circle("dot", spot.x, spot.y, spot.w / 2) if spot.w <= spot.h else Rect("dot", spot, spot.h / 2)
    if role == "pointwise":
        return Circle("s", spot.x, spot.y, spot.w / 2)
    if role == "constant":
        return Group(())
    if role in ("input", "state"):
        return Rect("s", spot, spot.h / 2)
    if role == "loss":
        return area("s", ((spot.left, spot.y), (spot.x, spot.top), (spot.right, spot.y), (spot.x, spot.bottom)))
    if role == "closed":
        inner = Spot(spot.x, spot.y, spot.w - 7, spot.h - 7)
        return Group((Rect("s", spot, 9), Rect("s", inner, 6)))
    return Rect("s", spot, 2 if role == "delay" else 5)


def _item(title: str, label: Rich, spot: Spot, part: str = "") -> Group:
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
    return Group((area("s", corners), Word(label, spot.x, spot.y + CHIP * 0.3, CHIP)), "w", title, part=part)


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
    if sample.kind == "below":
        return _gradient(Mark("measured", 1e-9, 1.0), back, Scale(1.0))
    if sample.kind in ("zero", "structural", "nonfinite", "cut", "wrong"):
        return _gradient(Mark(sample.kind), back, Scale(1.0))  # type: ignore[arg-type]
    if sample.kind == "parameter":
        return _item("", (), spot)
    name = "h" if sample.kind == "state" else style_of(sample.kind, "")
    around = Spot(spot.x, spot.y, spot.h, spot.h) if sample.kind in ("input", "pointwise") else spot
    return Group((_shape(sample.kind, around),), name)
