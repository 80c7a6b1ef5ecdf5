"""What kernels of tests go by: the defaults, whatever the machine of the test is set up for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wingbeat.base.settings import PREFIX
from wingbeat.host.discover import boot
from wingbeat.kernel.settings import OWN

OF_PROJECTS = "bundle"
"""The section that only a project's file may have."""


def default_settings() -> dict[str, dict[str, Any]]:
    """Every setting of the kernel and of what is in the box, by section. Given to a kernel, they hide files and variables."""
    found = boot([], {}, settings=OWN).settings
    return {
        section: msgspec.to_builtins(msgspec.structs.asdict(struct()))  # a struct may leave its defaults out
        for section, (struct, _) in found.items()
        if section != OF_PROJECTS
    }


def without_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables but for ``WINGBEAT_SECTION__KEY`` of the kernel and of what is in the box; a plugin's own stay."""
    known = boot([], {}, settings=OWN).settings
    starts = tuple(f"{PREFIX}{section.upper()}__" for section in known)
    return {name: value for name, value in variables.items() if not name.startswith(starts)}
