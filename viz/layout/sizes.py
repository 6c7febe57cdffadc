"""Sizes of boxes and text, the same in every layout."""

from __future__ import annotations

from ..scene import Box, Tag
from ..words import width
from .spot import Spot

TEXT = 18.0
NOTE = 16.0
CHIP = 17.0
OP = 15.0
ACTIVATION = 14.5

CHIP_HEIGHT = 26.0
CHIP_GAP = 4.0
CIRCLE = 22.0
PILL_HEIGHT = 30.0
GATE_HEIGHT = 42.0

LOOK = 34.0
MOST_LOOKS = 8
"""Most weights of an attention that are shown with their numbers."""

NOTED = ("op", "input", "parameter", "constant")
"""Roles of the boxes that have their note below their name, in a graph without time."""

BESIDE = 5.0
"""Distance of a gradient arrow's middle from the forward edge it belongs to."""


SHARE = 22.0
"""Length of the arrow in a tag that says what leaves through it."""
FIGURES = width("−99 %", ACTIVATION) + 4
"""Room for the figures of any usual share, the same in every tag, so that steps stay congruent."""


def chip_width(tag: Tag) -> float:
    """Return the width of a parameter tag."""
    return max(26.0, width(tag.label, CHIP) + 6) + (SHARE + FIGURES if tag.note else 0.0)


def look_width(count: int) -> float:
    """Return how wide each of the weights of an attention is drawn: with a number, if there are few of them."""
    return LOOK if count <= MOST_LOOKS else max(4.0, LOOK * MOST_LOOKS / count)


def box_size(box: Box) -> tuple[float, float]:
    """Return width and height of `box`, wide enough for its label."""
    label = width(box.label, TEXT)
    if box.role in ("junction", "bus"):
        return 5.0, 5.0
    if box.role == "attention":
        tags = sum(map(chip_width, box.tags)) + CHIP_GAP * (len(box.tags) + 1)
        wide = max(label + 14, len(box.looks) * look_width(len(box.looks)) + 12, tags)
        return wide, 28.0 + (48.0 if box.looks else 0.0) + (CHIP_HEIGHT + 6 if box.tags else 0.0)
    if box.role == "pointwise":
        return CIRCLE, CIRCLE
    if box.note and box.role in NOTED:
        nose = 16.0 if box.role == "parameter" else 8.0
        size = TEXT if box.role in ("input", "parameter") else OP
        wide = max(width(box.label, size), width(box.note, ACTIVATION)) + 8 + nose
        return max(44.0, wide), GATE_HEIGHT
    if box.role == "input":
        return max(34.0, label + 16), 34.0
    if box.role == "state":
        return label + 13, PILL_HEIGHT
    if box.role == "delay":
        return width(box.label, NOTE) + 14, 24.0
    if box.role == "gate":
        return max(36.0, label + 12, width(box.note, ACTIVATION) + 6), GATE_HEIGHT
    if box.role == "function":
        return width(box.label, NOTE) + 12, 26.0
    if box.role == "loss":
        return max(56.0, label + 34), 38.0
    if box.role == "op":
        tags = sum(chip_width(tag) + CHIP_GAP + 2 for tag in box.tags)
        return width(box.label, OP) + 12 + tags, 30.0
    if box.tags:
        return sum(map(chip_width, box.tags)) + CHIP_GAP * (len(box.tags) + 1), CHIP_HEIGHT + 7
    return label + 14, 28.0


def chip_row(box: Box, spot: Spot) -> list[Spot]:
    """Return where the tags of `box` stand, spread in one row over `spot`."""
    widths = [chip_width(tag) for tag in box.tags]
    gap = (spot.w - sum(widths)) / (len(widths) + 1)
    left, row = spot.left, []
    y = spot.bottom - CHIP_HEIGHT / 2 - 5 if box.role == "attention" else spot.y
    for wide in widths:
        left += gap
        row.append(Spot(left + wide / 2, y, wide, CHIP_HEIGHT))
        left += wide
    return row


def op_row(box: Box, spot: Spot) -> tuple[list[Spot], float]:
    """Return where the tags of an operation stand, beside its label, and where the label starts."""
    room, chips = width(box.label, OP), []
    start = spot.right - 6 - room if box.kind == "postfix" else spot.left + 6
    left = spot.left + 6 if box.kind == "postfix" else start + room + 5
    for tag in box.tags:
        wide = chip_width(tag)
        chips.append(Spot(left + wide / 2, spot.y, wide, CHIP_HEIGHT))
        left += wide + 5
    return chips, start


def chip_block(box: Box, spot: Spot) -> list[Spot]:
    """Return where the tags of `box` stand, in two rows: upper row first."""
    half = (len(box.tags) + 1) // 2
    columns = [max(chip_width(tag) for tag in box.tags[place::half]) for place in range(half)]
    left, block = spot.left + CHIP_GAP, []
    centres = []
    for wide in columns:
        centres.append((left + wide / 2, wide))
        left += wide + CHIP_GAP
    for place in range(len(box.tags)):
        x, wide = centres[place % half]
        above = place < half
        y = spot.y + (CHIP_HEIGHT + CHIP_GAP) / 2 * (-1 if above else 1)
        block.append(Spot(x, y, wide, CHIP_HEIGHT))
    return block


def block_size(box: Box) -> tuple[float, float]:
    """Return width and height of a box whose tags stand in two rows."""
    half = (len(box.tags) + 1) // 2
    columns = [max(chip_width(tag) for tag in box.tags[place::half]) for place in range(half)]
    return sum(columns) + CHIP_GAP * (half + 1), 2 * CHIP_HEIGHT + 3 * CHIP_GAP
