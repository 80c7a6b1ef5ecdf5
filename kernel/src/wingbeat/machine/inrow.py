"""Doing in a row what would otherwise happen one inside the other, as deep as a workflow is long."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any


class InRow:
    """Calls `do`; a call that is asked for while another is made comes after it."""

    def __init__(self, do: Callable[..., None]) -> None:
        self._do = do
        self._asked: deque[tuple[Any, ...]] = deque()

    def __call__(self, *what: Any) -> None:
        self._asked.append(what)
        if len(self._asked) > 1:
            return
        while self._asked:
            self._do(*self._asked[0])
            self._asked.popleft()
