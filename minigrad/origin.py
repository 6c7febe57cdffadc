"""Where a node comes from: the scope it was made in, the forward node it differentiates, the source line.

Error messages, figures, lag tables and batching over time read these; the engine itself computes without them.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar, Token
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .node import Node

# A code object and an instruction in it, or (of a node that was loaded) a file and a line.
Site = tuple[CodeType | str, int]


class Scope(Mapping[str, Any]):
    """The labels of the `with scope(...)` blocks around a node, outermost first.

    A mapping of the keyword labels (an inner block wins), plus the positional ones in `labels`.

    >>> import minigrad as mg
    >>> with mg.scope("lstm", layer=0), mg.scope(t=3):
    ...     x = mg.input((2,))
    >>> x.scope["t"], x.scope.labels, str(x.scope)
    (3, ('lstm',), 'lstm layer=0 t=3')
    """

    __slots__ = ("_keywords", "frames", "labels")

    def __init__(self, frames: tuple[tuple[str | None, Any], ...] = ()) -> None:
        self.frames = frames
        self.labels = tuple(str(value) for key, value in frames if key is None)
        self._keywords = {key: value for key, value in frames if key is not None}

    def __getitem__(self, key: str) -> Any:
        return self._keywords[key]

    def get(self, key: str, default: Any = None) -> Any:
        # A mapping's own would raise and catch for every label that is not there; tables and figures ask every node.
        return self._keywords.get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keywords)

    def __len__(self) -> int:
        return len(self._keywords)

    def __bool__(self) -> bool:
        return bool(self.frames)

    def __str__(self) -> str:
        return " ".join([*self.labels, *(f"{key}={value}" for key, value in self._keywords.items())])

    def __repr__(self) -> str:
        return f"Scope({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scope) and self.frames == other.frames

    def __hash__(self) -> int:
        return hash(self.frames)


# What a node made now inherits: its scope, the forward node being differentiated, and that node's site
# (None outside `differentiating`: the caller's line is looked up instead).
inherited: ContextVar[tuple[Scope, Node | None, Site | None]] = ContextVar("inherited", default=(Scope(), None, None))


class scope:
    """Label every node made inside the `with` block.

    Takes positional labels (`"lstm"`) and keyword labels (`layer=0, t=3, role="forget"`); blocks nest. Values must be
    hashable. Figures, lag tables and batching over time read these labels; the engine itself does not.

    >>> import minigrad as mg
    >>> with mg.scope("cell", t=1):
    ...     y = mg.input((3,)) * 2.0
    >>> y.scope["t"]
    1
    """

    __slots__ = ("_frames", "_token")

    def __init__(self, *labels: str, **keywords: Any) -> None:
        self._frames: tuple[tuple[str | None, Any], ...] = (
            *((None, label) for label in labels),
            *keywords.items(),
        )
        hash(self._frames)

    def __enter__(self) -> Scope:
        outer, of, site = inherited.get()
        inner = Scope(outer.frames + self._frames)
        self._token: Token[Any] = inherited.set((inner, of, site))
        return inner

    def __exit__(self, *exc: object) -> None:
        inherited.reset(self._token)


class placed:
    """Nodes made inside take this scope and site, and differentiate the node `of` if there is one."""

    __slots__ = ("_inherited", "_token")

    def __init__(self, scope: Scope, of: Node | None, site: Site) -> None:
        self._inherited = (scope, of, site)

    def __enter__(self) -> None:
        self._token: Token[Any] = inherited.set(self._inherited)

    def __exit__(self, *exc: object) -> None:
        inherited.reset(self._token)


def differentiating(node: Node) -> placed:
    """Nodes made inside belong to the derivative of `node`: they take its scope and site and point at it by `of`."""
    return placed(node.scope, node, node._site)


class sweeping:
    """For a sweep over a graph: nodes made after `at(node)` belong to the derivative of that node."""

    __slots__ = ("_token",)

    def __enter__(self) -> Callable[[Node], None]:
        self._token: Token[Any] = inherited.set(inherited.get())
        return self.at

    @staticmethod
    def at(node: Node) -> None:
        inherited.set((node.scope, node, node._site))

    def __exit__(self, *exc: object) -> None:
        inherited.reset(self._token)


def is_forward() -> bool:
    """Whether nodes made now are written by somebody, and not derived from others."""
    return inherited.get()[1] is None


_hidden_folders = [str(Path(__file__).parent)]
_hidden_file: dict[str, bool] = {}


def hide_frames(folder: str | Path) -> None:
    """Treat the source files in `folder` as library code, so that `site` names the user's line that called it."""
    _hidden_folders.append(str(folder))
    _hidden_file.clear()


def caller() -> Site:
    """The first frame outside the hidden folders. Only the code object and the instruction are kept: the line
    number is worked out when somebody asks. Nearer than three calls up there is only this package."""
    frame = sys._getframe(3)
    while True:
        filename = frame.f_code.co_filename
        hidden = _hidden_file.get(filename)
        if hidden is None:
            hidden = filename.startswith(tuple(_hidden_folders))
            _hidden_file[filename] = hidden
        if not hidden or frame.f_back is None:
            return frame.f_code, frame.f_lasti
        frame = frame.f_back


def here() -> tuple[str, int]:
    """The file and line of the caller outside the hidden folders."""
    return location(caller())


def location(site: Site) -> tuple[str, int]:
    """The file and line of a site."""
    code, instruction = site
    if isinstance(code, str):
        return code, instruction
    # By identity: code objects of two files may be equal.
    found = _lines.get(id(code))
    if found is None:
        if len(_lines) >= _MOST_LINES:
            _lines.clear()
        table = [(start, line) for start, _, line in code.co_lines() if line is not None]
        found = _lines[id(code)] = code, [start for start, _ in table], [line for _, line in table]
    _, starts, lines = found
    place = bisect_right(starts, instruction) - 1
    return code.co_filename, lines[place] if place >= 0 else code.co_firstlineno


@lru_cache(maxsize=256)
def file_name(path: str) -> str:
    """The last part of a path."""
    return Path(path).name


# id of a code object -> the object, which so stays alive, where its lines begin, and their numbers.
_lines: dict[int, tuple[CodeType, list[int], list[int]]] = {}
_MOST_LINES = 1000
