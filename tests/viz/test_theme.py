"""The palette: every word can be read on its ground, and colours that tell things apart do so for every eye.

Contrast is WCAG 2's. Colour blindness is simulated with the matrices of Machado, Oliveira and Fernandes (2009) at full
severity, and differences are Euclidean in CIE L*a*b* (a difference of 2 is just seen side by side).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from viz.colour import cividis, ink_on
from viz.svg import STYLES
from viz.theme import THEMES, resolve

EYES = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
WHITE = TO_XYZ.sum(axis=1)
BOXES = ("x", "h", "c", "kf", "ki", "kg", "ko", "y", "loss", "p", "w")
GATES = ("kf", "ki", "kg", "ko")
GAINS = ("g0", "g1", "g2", "g3", "g4")


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    dark, light = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def seen(colour: str, eye: str) -> np.ndarray:
    """CIE L*a*b* of `colour` as `eye` sees it."""
    share = TO_XYZ @ np.clip(EYES[eye] @ linear(colour), 0, 1) / WHITE
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def closest(colours: Sequence[str], eye: str) -> float:
    pairs = itertools.combinations(colours, 2)
    return min(float(np.linalg.norm(seen(one, eye) - seen(other, eye))) for one, other in pairs)


def test_the_simulation_sees_what_is_known():
    """Red and green of one lightness fall together for protanopes and deuteranopes; greys are grey for everyone."""
    for eye in EYES:
        lightness, a, b = seen("#808080", eye)
        assert abs(a) < 1.5
        assert abs(b) < 1.5
        assert 50 < lightness < 57
    red, green = "#c06020", "#6f8a20"
    assert closest((red, green), "deuteranopia") < closest((red, green), "usual") / 3
    assert contrast("#000000", "#ffffff") == pytest.approx(21, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_words_can_be_read_on_their_boxes(theme):
    for box in BOXES:
        ink, ground = resolve(theme, [box, "text"])["fill"], resolve(theme, [box, "s"])["fill"]
        assert contrast(ink, ground) >= 7, box


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["paper", "band", "cell"])
def test_words_can_be_read_between_boxes(theme, ground):
    behind = resolve(theme, [ground])["fill"]
    for style in {"", *STYLES.values()} - {"pale", "inked"}:
        assert contrast(resolve(theme, [f"text {style}".strip()])["fill"], behind) >= 4.5, style
    assert contrast(resolve(theme, ["zero", "text"])["fill"], behind) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eye", EYES)
def test_gains_gates_and_lanes_stay_apart(theme, eye):
    """Gains are told apart by colour alone; gates and lanes have letters too, and their outlines repeat them."""
    assert closest([resolve(theme, [gain, "r"])["stroke"] for gain in GAINS], eye) >= 15
    assert closest([resolve(theme, [gate, "s"])["stroke"] for gate in GATES], eye) >= 10
    assert closest([resolve(theme, [lane, "s"])["stroke"] for lane in ("h", "c")], eye) >= 12
    assert closest([resolve(theme, [role, "s"])["stroke"] for role in ("h", "c", "w", "loss")], eye) >= 9
    assert closest([resolve(theme, [sign])["fill"] for sign in ("pos", "neg")], eye) >= 60


@pytest.mark.parametrize("theme", THEMES)
def test_lines_and_outlines_can_be_seen(theme):
    paper = resolve(theme, ["paper"])["fill"]
    for box in BOXES:
        assert contrast(resolve(theme, [box, "s"])["stroke"], paper) >= 2.7, box
    for gain in GAINS:
        assert contrast(resolve(theme, [gain, "r"])["stroke"], paper) >= 2, gain
    for line in ("zero", "below", "hollow", "nan", "cut"):
        assert contrast(resolve(theme, [line, "r"])["stroke"], paper) >= 4.5, line
    assert contrast(resolve(theme, ["f"])["stroke"], paper) >= 4.5


@pytest.mark.parametrize("eye", EYES)
def test_the_heat_map_grows_lighter_for_every_eye(eye):
    lightness = [seen(cividis(step / 40), eye)[0] for step in range(41)]
    assert all(before < after for before, after in itertools.pairwise(lightness))


def test_numbers_can_be_read_on_every_colour_of_the_heat_map():
    for step in range(101):
        ground, style = cividis(step / 100), ink_on(step / 100)
        assert contrast(resolve("light", [f"text {style}"])["fill"], ground) >= 4.5, step
