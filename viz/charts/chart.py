"""What all charts share: a title, a generated sentence, a proof, and the way down to ink."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from ..facts import Facts
from ..ink import Sheet
from ..words import Rich


@dataclass(frozen=True, slots=True)
class Chart(Facts, ABC):
    """The scene of a chart: plain data. Its layout is a function of that data alone."""

    kind: ClassVar[str]

    title: Rich
    subtitle: Rich
    sentence: Rich
    proof: Rich

    @property
    @abstractmethod
    def summary(self) -> str:
        """Size of the chart in a few words."""

    @abstractmethod
    def sheet(self) -> Sheet:
        """Return the chart as ink."""
