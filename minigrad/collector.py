"""The garbage collector's rest while many small objects are made that all live."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let nothing be searched for garbage meanwhile.

    A plan, or a figure of a long sequence, is up to a million objects that all live until it is done. They make the
    collector look through everything again at every quarter that is added: a third of the time of a figure and half of
    that of a plan, and nothing is found.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
