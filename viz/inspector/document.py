"""One self-contained HTML file: drawing, data, style and script, and a policy that forbids the network.

The policy names the hashes of the one script and of the styles, so nothing else can run, whatever a text in the
data or the drawing says. Data is JSON with every character escaped that could end the element it stands in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from ..svg import text
from ..theme import page_rules

SCRIPTS = (
    "page.js",
    "camera.js",
    "diagram.js",
    "cells.js",
    "details.js",
    "light.js",
    "pass.js",
    "find.js",
    "table.js",
    "start.js",
)
"""The script, in the order in which its files rely on each other."""

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def html(title: str, about: str, drawings: Sequence[tuple[str, str]], data: Any) -> str:
    """Return the page; `drawings` are an id and an SVG document each."""
    style, script = _style([identity for identity, _ in drawings]), _script()
    shown = [
        f'<div class="drawing" data-view="{place}"{" hidden" if place else ""}>{svg}</div>'
        for place, (_, svg) in enumerate(drawings)
    ]
    styles = [style, *(found for _, svg in drawings for found in _STYLE.findall(svg))]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(script, styles)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{text(title)}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            f'<h1 class="unseen">{text(title)}</h1>',
            f'<p class="unseen">{text(about)}</p>',
            _read("page.html").rstrip().replace("<!-- drawings -->", "\n".join(shown)),
            f'<script type="application/json" id="data">{embedded(data)}</script>',
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def embedded(data: Any) -> str:
    """Return `data` as JSON that can stand in a script element.

    >>> embedded({"name": "</script>&\\u2028"})
    '{"name":"\\\\u003c/script\\\\u003e\\\\u0026\\\\u2028"}'
    """
    written = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", written)


@cache
def _read(name: str) -> str:
    return resources.files(__package__).joinpath("app", name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    """The files of the script as one, in a scope of their own."""
    parts = [_read(name) for name in SCRIPTS]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def _style(identities: Sequence[str]) -> str:
    return page_rules(identities) + _read("page.css")


def _policy(script: str, styles: Sequence[str]) -> str:
    """Return the content security policy: this script, these styles, and nothing from anywhere."""
    allowed = " ".join(dict.fromkeys(_hash(style) for style in styles))
    return f"default-src 'none'; script-src {_hash(script)}; style-src {allowed}; base-uri 'none'; form-action 'none'"


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode('utf-8')).digest()).decode('ascii')}'"
