"""Doing in a row what would otherwise happen one inside the other, as deep as a workflow is long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def in_row(asked: list[tuple[Any, ...]], do: Callable[..., None], *what: Any) -> None:
    """Call `do`; if it is being called for something else that was `asked`, after that."""
    asked.append(what)
    if len(asked) > 1:
        return
    for each in asked:  # to which more may be added meanwhile
        do(*each)
    asked.clear()
