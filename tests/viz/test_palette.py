"""The palette: words can be read, and what a colour says can be told apart by readers who see fewer colours.

Contrast is WCAG 2's. Colour blindness is simulated as by Machado, Oliveira and Fernandes (2009), severity 1, in linear
RGB; distances are those of CIELAB, in which about 2 is the least that can be noticed side by side.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from viz.colour import cividis, ink_on
from viz.theme import THEMES, stylesheet

SEEN = {
    "all": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
PAPERS = ("paper", "band", "cell")
FILLED = ("x", "h", "c", "f", "i", "g", "o", "op", "y", "loss")
GAINS = ("g0", "g1", "g2", "g3", "g4")


def palette(theme: str) -> dict[str, str]:
    """The colours a figure of `theme` defines; of an automatic one, those for the dark."""
    return dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", stylesheet(theme, "figure", set())))


def linear(colour: str) -> np.ndarray:
    levels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, seen: str) -> np.ndarray:
    ratios = XYZ @ np.clip(SEEN[seen] @ linear(colour), 0, 1) / WHITE
    x, y, z = (ratio ** (1 / 3) if ratio > 0.008856 else 7.787 * ratio + 16 / 116 for ratio in ratios)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(colours: dict[str, str], names: tuple[str, ...], seen: str) -> float:
    """The smallest distance between two of the colours."""
    places = [lab(colours[name], seen) for name in names]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(places, 2))


@pytest.mark.parametrize("theme", THEMES)
def test_words_can_be_read(theme):
    colours = palette(theme)
    for ink in ("ink", "quiet"):
        assert min(contrast(colours[ink], colours[paper]) for paper in PAPERS) >= 4.5
    assert min(contrast(colours["ink"], colours[box]) for box in FILLED) >= 7
    assert contrast(colours["w-ink"], colours["w"]) >= 7


@pytest.mark.parametrize("theme", THEMES)
def test_lines_stand_out_from_the_paper(theme):
    """Outlines repeat what letters say, and light arrows are wide ones; both may be fainter than words."""
    colours = palette(theme)
    for name in ("line", "nan", "g0", "g2", "g4", "h-rim", "c-rim", "loss-rim"):
        assert min(contrast(colours[name], colours[paper]) for paper in ("paper", "band")) >= 3, name
    for name in ("x-rim", "w-rim", "i-rim", "g-rim", "o-rim", "f-rim", "y-rim", "op-rim"):
        assert min(contrast(colours[name], colours[paper]) for paper in ("paper", "band")) >= 2.4, name
    for name in ("g1", "g3"):
        assert min(contrast(colours[name], colours[paper]) for paper in ("paper", "band")) >= 1.8, name


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("seen", SEEN)
def test_gains_and_signs_and_lanes_can_be_told_apart(theme, seen):
    colours = palette(theme)
    assert apart(colours, GAINS, seen) >= 15
    assert apart(colours, ("g0", "g4"), seen) >= 50
    assert apart(colours, ("h-rim", "c-rim", "w-rim", "loss-rim"), seen) >= 9


@pytest.mark.parametrize("seen", SEEN)
def test_heat_maps_grow_lighter_for_every_reader(seen):
    lightness = [lab(cividis(place / 20), seen)[0] for place in range(21)]
    assert all(low < high for low, high in itertools.pairwise(lightness))


def test_numbers_on_a_heat_map_can_be_read():
    inks = {"pale": "#ffffff", "inked": "#14191d"}
    assert min(contrast(cividis(place / 40), inks[ink_on(place / 40)]) for place in range(41)) >= 3.5
