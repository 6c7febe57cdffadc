"""The garbage collector's rest while a figure is made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let nothing be searched for garbage meanwhile.

    A figure of a long sequence is a million small objects that all live until it is done. They make the collector
    look through everything again at every quarter that is added, which took a third of the time and found nothing.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
