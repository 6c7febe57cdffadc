"""The lessons of a lecture on recurrent nets: text, figures and numbers, all computed when a lesson is made.

>>> from viz import lessons
>>> lesson = lessons.make("shared-weight")
>>> lesson.title, all(claim.holds for claim in lesson.claims)
('One weight, used T times', True)
"""

from __future__ import annotations

from types import ModuleType

from . import (
    broken,
    cliff,
    conveyor,
    dial,
    eigenvalues,
    fans,
    four_paths,
    hello,
    shapes,
    shared_weight,
    three_cells,
    truncated,
)
from .lesson import Lesson
from .page import page

__all__ = ["LESSONS", "TITLES", "Lesson", "make", "page"]

_MODULES: dict[str, ModuleType] = {
    "shared-weight": shared_weight,
    "shapes": shapes,
    "four-paths": four_paths,
    "dial": dial,
    "eigenvalues": eigenvalues,
    "cliff": cliff,
    "truncated": truncated,
    "conveyor-belt": conveyor,
    "three-cells": three_cells,
    "fans": fans,
    "hello": hello,
    "broken-gradient": broken,
}
LESSONS = tuple(_MODULES)
"""The names of the lessons, in the order of the lecture."""
TITLES: dict[str, str] = {name: module.TITLE for name, module in _MODULES.items()}


def make(name: str) -> Lesson:
    """Return the lesson called `name`, its numbers computed; raises KeyError for a name that LESSONS lacks."""
    lesson: Lesson = _MODULES[name].lesson()
    return lesson
