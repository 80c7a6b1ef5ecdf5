"""References to secrets. Their values are in no spec."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from wingbeat.types.model import Strict

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$(?!\n)"
"""Parts that begin with a letter or a digit, between slashes: as a path it stays below where it begins."""
NAME_CHARS_MAX = 200
TOKEN = "@token"  # noqa: S105  # the word that stands for it
"""In the place of a name: a token of the attempt itself, which the server of its home issues. No source has it: it is no name."""
API_KEY, ENDPOINT = "WINGBEAT_API_KEY", "WINGBEAT_ENDPOINT"
"""Environment variables by which commands and clients know who they are, and which server they work with."""
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"

Name = Annotated[str, Meta(pattern=rf"{NAME}|^{TOKEN}$(?!\n)", max_length=NAME_CHARS_MAX)]
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
        name: What its source knows it by; or ``@token``, a token of the attempt that its server issues.

        env: Environment variable that holds its value, in the attempt's own process; empty for none.

        file: Environment variable that holds the path of a file with its value; empty for none.
    """

    name: Name
    env: Variable = ""
    file: Variable = ""
