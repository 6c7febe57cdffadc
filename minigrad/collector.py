"""The garbage collector's rest while many small objects are made that all live."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let nothing be searched for garbage meanwhile.

    The graph of a long sequence, its gradient, its plan or its figure are up to a million objects that all live until
    it is done. They make the collector look through everything again at every quarter that is added: a third of the
    time of a figure and half of that of a graph or a plan, and nothing is found.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
