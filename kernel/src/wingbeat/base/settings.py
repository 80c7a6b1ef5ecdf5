"""Settings: a struct for each section, filled from several layers, the first that says something wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError

S = TypeVar("S", bound=Struct)

PREFIX = "WINGBEAT_"


def from_environment(variables: Mapping[str, str], section: str) -> dict[str, str]:
    """What ``WINGBEAT_SECTION__KEY`` variables set in a section."""
    start = f"{PREFIX}{section.upper()}__"
    return {name[len(start) :].lower(): value for name, value in variables.items() if name.startswith(start)}


def settings(section: str, struct: type[S], layers: Sequence[tuple[str, Mapping[str, Any]]]) -> S:
    """`struct` filled from `layers` (where it says so, and what), the earlier ones winning.

    Raises:
        ConfigurationError: A key that the struct does not have, or a value that does not fit; says where it stands.
    """
    known = {field.name: field for field in msgspec.structs.fields(struct)}
    values: dict[str, Any] = {}
    for origin, layer in layers:
        for key, value in layer.items():
            if key not in known:
                import difflib

                near = difflib.get_close_matches(key, known, 1)
                hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(sorted(known))}."
                raise ConfigurationError(f"There is no setting {section}.{key} ({origin}).", hint=hint)
            if key in values:
                continue
            try:
                values[key] = msgspec.convert(value, known[key].type, strict=False)
            except msgspec.ValidationError as error:
                raise ConfigurationError(
                    f"The setting {section}.{key} = {value!r} does not fit: {error} ({origin})."
                ) from error
    return struct(**values)
