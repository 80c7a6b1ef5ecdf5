"""References to secrets. Their values are in no spec."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from wingbeat.types.model import Strict

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$(?!\n)"
"""Parts that begin with a letter or a digit, between slashes: as a path it stays below where it begins."""
NAME_CHARS_MAX = 200
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"

Name = Annotated[str, Meta(pattern=NAME, max_length=NAME_CHARS_MAX)]
Variable = Annotated[str, Meta(pattern=rf"{VARIABLE}|^$(?!\n)", max_length=NAME_CHARS_MAX)]


def is_name(name: object) -> bool:
    """Whether it is a secret's."""
    return isinstance(name, str) and len(name) <= NAME_CHARS_MAX and re.search(NAME, name) is not None


def is_variable(name: object) -> bool:
    """Whether it is an environment variable's."""
    return isinstance(name, str) and len(name) <= NAME_CHARS_MAX and re.search(VARIABLE, name) is not None


class SecretSpec(Strict, frozen=True, omit_defaults=True):
    """A secret that a task's attempts may have.

    Attributes:
        name: What its source knows it by.

        env: Environment variable that holds its value, in the attempt's own process; empty for none.

        file: Environment variable that holds the path of a file with its value; empty for none.
    """

    name: Name
    env: Variable = ""
    file: Variable = ""
