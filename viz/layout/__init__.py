"""Where everything on a figure stands: a scene goes in, a picture with coordinates comes out."""

from __future__ import annotations

from ..scene import Scene
from . import cells, steps
from .picture import Picture, compose

__all__ = ["Picture", "arrange"]


def arrange(scene: Scene) -> Picture:
    """Return `scene` with coordinates; the same scene gives the same numbers on every machine."""
    if scene.level == "cell":
        try:
            return compose(scene, cells.arrange(scene))
        except cells.NotACell:
            pass
    return compose(scene, steps.arrange(scene))
