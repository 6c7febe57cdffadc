"""A `Figure`: one scene, shown in a notebook or saved to a file."""

from __future__ import annotations

import os
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigrad.collector import uncollected

from .chart import Chart
from .formats import WRITERS, MissingExtra, UnsupportedFormat
from .ink import Sheet
from .layout import Picture, arrange
from .pen import ink
from .scene import Scene
from .svg import render
from .theme import THEMES

if TYPE_CHECKING:
    from .drawing import Behind

__all__ = ["WRITERS", "Figure", "MissingExtra", "UnsupportedFormat"]


class Figure:
    """What `viz.draw` and its like return.

    Attributes:
        scene: what the figure shows.
        theme: `light`, `dark`, `auto` or `print`.
        behind: the graph and its numbers, where the figure was drawn of a graph; its `html` is then an inspector.

    A `picture` is the scene with coordinates, where it has been laid out already.

    >>> import rnn, viz
    >>> figure = viz.draw(rnn.read("hi", rnn.RNN))
    >>> figure.svg[:4]
    '<svg'
    """

    def __init__(
        self,
        scene: Scene | Chart,
        theme: str = "light",
        behind: Behind | None = None,
        picture: Picture | None = None,
    ) -> None:
        if theme not in THEMES:
            raise ValueError(f"theme must be one of {', '.join(THEMES)}, got {theme!r}")
        self.scene = scene
        self.theme = theme
        self.behind = behind
        self._placed = picture

    @property
    def kind(self) -> str:
        """What kind of figure this is: `lanes`, or the name of the chart."""
        return "lanes" if isinstance(self.scene, Scene) else self.scene.kind

    @cached_property
    @uncollected()
    def picture(self) -> Picture:
        """The scene of a graph with coordinates; raises UnsupportedFormat for a chart."""
        if not isinstance(self.scene, Scene):
            raise UnsupportedFormat(f"a {self.kind} is a chart: it has no boxes and edges")
        return self._placed or arrange(self.scene)

    @cached_property
    @uncollected()
    def sheet(self) -> Sheet:
        """The figure as ink: what every renderer writes."""
        return ink(self.picture) if isinstance(self.scene, Scene) else self.scene.sheet()

    @cached_property
    @uncollected()
    def svg(self) -> str:
        """The figure as an SVG document."""
        return render(self.sheet, self.theme)

    @cached_property
    @uncollected()
    def html(self) -> str:
        """The figure as one HTML file that needs nothing else: an inspector of its graph, or a page to pan and zoom."""
        from .inspector import page

        return page(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the figure to `path`, its format taken from the ending, and return the path.

        The file is complete or not there: it is written under a temporary name and moved into place.
        Raises UnsupportedFormat for an ending nobody writes or one that suits no chart, MissingExtra where the
        converter for .png and .pdf is not installed, OSError where the path cannot be written.
        """
        target = Path(path)
        ending = target.suffix.lower()
        if ending not in WRITERS:
            known = ", ".join(WRITERS)
            raise UnsupportedFormat(f"save: cannot write {ending or 'a file without an ending'}; choose one of {known}")
        replace(target, WRITERS[ending](self))
        return target

    def _repr_svg_(self) -> str | None:
        """Show the figure in a notebook; a figure that cannot be drawn shows as text instead of an error."""
        try:
            return self.svg
        except Exception:
            return None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        shown = self._repr_svg_()
        text = {"text/plain": repr(self)}
        return text if shown is None else {"image/svg+xml": shown, **text}

    def __repr__(self) -> str:
        scene = self.scene
        if not isinstance(scene, Scene):
            return f"<Figure {scene.kind}: {scene.summary}>"
        return (
            f"<Figure {scene.level}: {len(scene.columns)} columns, {len(scene.boxes)} boxes, {len(scene.edges)} edges>"
        )


def replace(target: Path, data: bytes) -> None:
    """Write `data` beside `target` and move it into place."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
