"""How much a check tries: three profiles, chosen by `--minigrad-profile` in pytest, by MINIGRAD_PROFILE elsewhere."""

from __future__ import annotations

import os
from typing import NamedTuple


class Profile(NamedTuple):
    """How many examples a property is tried on: cases of an op, and random graphs."""

    name: str
    examples: int
    graphs: int


PROFILES = {
    "quick": Profile("quick", 20, 50),
    "ci": Profile("ci", 100, 500),
    "deep": Profile("deep", 1000, 10_000),
}
_chosen: list[str] = []


def current() -> Profile:
    """The profile in force: the one chosen last, else MINIGRAD_PROFILE, else `quick`.

    >>> current().name in PROFILES
    True
    """
    name = _chosen[-1] if _chosen else os.environ.get("MINIGRAD_PROFILE", "quick")
    if name not in PROFILES:
        raise ValueError(f"MINIGRAD_PROFILE: expects one of {', '.join(PROFILES)}, got {name!r}")
    return PROFILES[name]


def choose(name: str) -> Profile:
    """Put a profile in force for the rest of the process."""
    if name not in PROFILES:
        raise ValueError(f"expects one of {', '.join(PROFILES)}, got {name!r}")
    _chosen.append(name)
    return PROFILES[name]
