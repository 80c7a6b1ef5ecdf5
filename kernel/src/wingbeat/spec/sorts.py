"""What lists are sorted by: ``name``, ``-created_at`` (the greatest first), ``inputs.city``; nothing but what a list allows."""

from __future__ import annotations

import re

from msgspec import Struct

from wingbeat.base.errors import InputError

_OF_VALUE = r"\.[A-Za-z_]\w{0,254}"
_NAMES = {"inputs": _OF_VALUE, "outputs": _OF_VALUE, "labels": r"\.[^\s\x00-\x1f]{1,255}"}


class Sort(Struct, frozen=True):
    """What a list is sorted by.

    Attributes:
        key: One of the keys of the list; or ``inputs``, ``outputs`` or ``labels``.

        name: Of the input, output or label.

        descending: Whether the greatest, or the newest, comes first.
    """

    key: str
    name: str = ""
    descending: bool = False


class Sorts(Struct, frozen=True):
    """What a list may be sorted by.

    Attributes:
        keys: What all that is in it has.

        sides: Of ``inputs``, ``outputs`` and ``labels``, those that it may be sorted by, by name.
    """

    keys: tuple[str, ...]
    sides: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """All that is allowed, as a sentence."""
        every = ", ".join((*self.keys, *(f"{side}.NAME" for side in self.sides)))
        return f"It is one of {every}; with '-' before it, the greatest first."

    @property
    def pattern(self) -> str:
        """The same as a regular expression."""
        return f"^-?({'|'.join((*self.keys, *(side + _NAMES[side] for side in self.sides)))})$"

    def parse(self, text: str) -> Sort:
        """Read one. Raises InputError, which lists what is allowed."""
        if "\n" in text or not re.match(self.pattern, text):
            raise InputError(f"{text[:80]!r} is nothing that this list is sorted by.", hint=self.told)
        key, _, name = text.removeprefix("-").partition(".")
        return Sort(key, name, text.startswith("-"))


EXECUTION_SORTS = Sorts(
    ("created_at", "ended_at", "duration", "name", "version", "workflow", "phase", "by"),
    ("inputs", "outputs", "labels"),
)
ENTITY_SORTS = Sorts(("created_at", "name", "version"))
