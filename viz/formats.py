"""The formats a figure is written in, by file ending: each takes a figure and returns bytes.

Drawings (SVG, TikZ, PNG, PDF) are made from the figure's ink, graphs (DOT, GraphML) from its boxes and edges, JSON
from its scene. PNG and PDF need a converter that is not installed by default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import facts, graph, svg, tikz
from .layout import Picture
from .scene import Scene

if TYPE_CHECKING:
    from .figure import Figure

LARGEST_IMAGE = 16000
"""Most pixels along a side of a PNG."""


class UnsupportedFormat(ValueError):
    """A file ending no renderer writes, or one that this kind of figure has no form in."""


class MissingExtra(ImportError):
    """What a format needs is not installed; the message says how to get it."""


def _svg(figure: Figure) -> bytes:
    return figure.svg.encode("utf-8")


def _html(figure: Figure) -> bytes:
    return figure.html.encode("utf-8")


def _json(figure: Figure) -> bytes:
    return facts.document(figure.kind, figure.theme, figure.scene).encode("ascii")


def _tex(figure: Figure) -> bytes:
    return tikz.render(figure.sheet, figure.theme).encode("ascii")


def _dot(figure: Figure) -> bytes:
    return str(graph.digraph(picture_of(figure, ".dot"), figure.theme).source).encode("utf-8")


def _graphml(figure: Figure) -> bytes:
    return graph.graphml(picture_of(figure, ".graphml")).encode("utf-8")


def picture_of(figure: Figure, what: str) -> Picture:
    """Return the boxes and edges of `figure`; raise UnsupportedFormat for a chart, which has none."""
    if isinstance(figure.scene, Scene):
        return figure.picture
    raise UnsupportedFormat(
        f"{what} holds a graph, and a {figure.kind} is a chart; choose one of .svg, .html, .json, .tex, .png, .pdf"
    )


def _png(figure: Figure) -> bytes:
    sheet = figure.sheet
    density = min(2.0, LARGEST_IMAGE / max(sheet.width, sheet.height))
    return _typeset(figure, ".png", format="png", ppi=72 * density)


def _pdf(figure: Figure) -> bytes:
    return _typeset(figure, ".pdf", format="pdf")


def _typeset(figure: Figure, ending: str, **options: Any) -> bytes:
    """Return the figure, alone on its page, as Typst sets it. The page is undated: same figure, same bytes.

    The SVG goes in as data, so nothing in it is read as markup. Its colours are plain: converters know no variables.
    """
    try:
        import typst
    except ImportError:
        raise MissingExtra(
            f"writing {ending} needs the package typst, which is not installed; run: pip install 'minigrad[images]'"
        ) from None
    drawn = svg.render(figure.sheet, figure.theme, variables=False)
    sides = {"width": f"{figure.sheet.width:.1f}", "height": f"{figure.sheet.height:.1f}"}
    made: bytes = typst.compile(_PAGE.encode("ascii"), sys_inputs={"svg": drawn, **sides}, **options)
    return made


_PAGE = """
#set document(date: none)
#set page(width: auto, height: auto, margin: 0pt)
#let side(name) = float(sys.inputs.at(name)) * 1pt
#image(bytes(sys.inputs.svg), format: "svg", width: side("width"), height: side("height"))
"""


WRITERS: dict[str, Callable[[Figure], bytes]] = {
    ".svg": _svg,
    ".html": _html,
    ".json": _json,
    ".dot": _dot,
    ".graphml": _graphml,
    ".tex": _tex,
    ".png": _png,
    ".pdf": _pdf,
}
