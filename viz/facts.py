"""What a figure knows, as JSON: strict, on any machine the same, one line for each thing in a list.

JSON has no NaN and no infinity; they are written as the strings "NaN", "Infinity" and "-Infinity". What is no
character by itself, half of a surrogate pair, is written as U+FFFD.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from typing import Any

_SURROGATES = re.compile(r"\\\\|\\ud[89ab]..\\ud[c-f]..|\\ud[89a-f]..")


class Facts:
    """Frozen data, a dataclass of strings, numbers and tuples, that can be written as JSON."""

    __slots__ = ()

    def to_json(self) -> str:
        """Return the facts as JSON on one line, keys in order of definition."""
        return _json(self)

    def digest(self) -> str:
        """Return eight hexadecimal digits that depend on the content alone."""
        return hashlib.sha256(self.to_json().encode("ascii")).hexdigest()[:8]


def document(kind: str, theme: str, facts: Facts) -> str:
    """Return `facts` as a JSON document that says what it is, a line for each field and each element of a list.

    >>> import json, viz, rnn
    >>> document = json.loads(viz.facts.document("lanes", "light", viz.draw(rnn.read("hi", rnn.RNN)).scene))
    >>> document["format"], document["kind"], len(document["scene"]["boxes"])
    ('minigrad figure 1', 'lanes', 7)
    """
    lines = [f'  "{name}": {_listed(value)}' for name, value in _fields(facts).items()]
    head = f'{{"format": "minigrad figure 1", "kind": {_json(kind)}, "theme": {_json(theme)}, "scene": {{'
    return "\n".join([head, ",\n".join(lines), "}}"]) + "\n"


def _listed(value: Any) -> str:
    if isinstance(value, tuple) and any(dataclasses.is_dataclass(element) for element in value):
        return "[\n" + ",\n".join(f"    {_json(element)}" for element in value) + "]"
    return _json(value)


def _json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False, default=_fields)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False)
    return _SURROGATES.sub(lambda found: r"\ufffd" if len(found[0]) == 6 else found[0], text)


def _fields(value: Any) -> dict[str, Any]:
    names = _NAMES.get(type(value))
    if names is None:
        if not dataclasses.is_dataclass(value):
            raise TypeError(f"a fact must be plain data, got {type(value).__name__}")
        names = _NAMES[type(value)] = tuple(field.name for field in dataclasses.fields(value))
    return {name: getattr(value, name) for name in names}


_NAMES: dict[type, tuple[str, ...]] = {}
"""The fields of each kind of fact met so far."""


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, tuple | list):
        return [_finite(element) for element in value]
    return {name: _finite(part) for name, part in _fields(value).items()} if dataclasses.is_dataclass(value) else value
