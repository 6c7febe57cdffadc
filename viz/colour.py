"""Colours for numbers: cividis, which colour-blind and grey-scale readers see as the same ramp.

Source: Nuñez, Anderton and Renslow, "Optimizing colormaps with consideration for color vision deficiency" (2018).
"""

from __future__ import annotations

_CIVIDIS = (
    (0, 34, 78),
    (18, 53, 112),
    (59, 73, 108),
    (87, 93, 109),
    (112, 113, 115),
    (138, 134, 120),
    (165, 156, 116),
    (195, 179, 105),
    (225, 204, 85),
    (254, 232, 56),
)


def cividis(fraction: float) -> str:
    """Return the colour at `fraction` of the ramp, 0 dark blue, 1 yellow.

    >>> cividis(0.0), cividis(1.0), cividis(0.5)
    ('#00224e', '#fee838', '#7d7c76')
    """
    place = min(1.0, max(0.0, fraction)) * (len(_CIVIDIS) - 1)
    low = min(int(place), len(_CIVIDIS) - 2)
    mixed = (a + (b - a) * (place - low) for a, b in zip(_CIVIDIS[low], _CIVIDIS[low + 1], strict=True))
    return "#" + "".join(f"{round(value):02x}" for value in mixed)


def ink_on(fraction: float) -> str:
    """Return the style of words on the colour at `fraction`: light on its dark end, dark on its light end."""
    return "pale" if fraction < 0.47 else "inked"
