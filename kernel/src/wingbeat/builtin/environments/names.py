"""Names of distributions, as registries compare them."""

from __future__ import annotations

import re

KERNEL = "wingbeat"

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def normalized(name: str) -> str:
    """The name of a distribution as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(line: str) -> str:
    """The normalized name that a requirement line begins with; empty for options and paths."""
    found = _NAME.match(line)
    return normalized(found[1]) if found else ""


def is_wingbeat(name: str) -> bool:
    """Whether a distribution is the kernel or one of its family, which come from here and from no registry."""
    return name == KERNEL or name.startswith(KERNEL + "-")
