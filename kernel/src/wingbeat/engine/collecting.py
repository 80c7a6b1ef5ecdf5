"""The garbage collector, out of the way."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Do not look for garbage meanwhile: what is read from the journal stays, and to go through it again and again as it
    grows would take longer than to read it."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
