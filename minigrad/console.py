"""What a command of the console has to say reaches the reader on any terminal."""

from __future__ import annotations

import sys
from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Print at once, to standard output or `stream`; what its encoding lacks is shown as a question mark."""
    stream = sys.stdout if stream is None else stream
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding, "replace"), file=stream, flush=True)
