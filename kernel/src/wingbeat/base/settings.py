"""Settings: a struct for each section, filled from several layers, the first that says something wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError

S = TypeVar("S", bound=Struct)

Count = Annotated[int, msgspec.Meta(ge=0)]
"""A setting that counts something."""
Seconds = Annotated[float, msgspec.Meta(ge=0)]
"""A setting that is a time."""

PREFIX = "WINGBEAT_"
ENVIRONMENT = "environment"
"""The layer of the environment's variables, each of which is named where it is said what it sets."""


def from_environment(variables: Mapping[str, str], section: str) -> dict[str, str]:
    """What ``WINGBEAT_SECTION__KEY`` variables set in a section."""
    start = f"{PREFIX}{section.upper()}__"
    return {name[len(start) :].lower(): value for name, value in variables.items() if name.startswith(start)}


def variable(section: str, key: str) -> str:
    """The environment variable that sets a key."""
    return f"{PREFIX}{section.upper()}__{key.upper()}"


def sections(variables: Mapping[str, str]) -> list[str]:
    """The sections in which ``WINGBEAT_SECTION__KEY`` variables set something."""
    found = (name[len(PREFIX) :].partition("__") for name in variables if name.startswith(PREFIX))
    return sorted({section.lower() for section, mark, key in found if section and mark and key})


class Said(NamedTuple):
    """A value of a setting, and where it is said."""

    value: Any
    origin: str


def settings(section: str, struct: type[S], layers: Sequence[tuple[str, Mapping[str, Any]]]) -> S:
    """`struct` filled from `layers` (where it says so, and what), the earlier ones winning.

    Raises:
        ConfigurationError: A key that the struct does not have, or a value that does not fit; says where it stands.
    """
    return struct(**{key: found[0].value for key, found in said(section, struct, layers).items()})


def said(section: str, struct: type[Struct], layers: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, list[Said]]:
    """What `layers` say of each key, the one that wins first. Raises as `settings`."""
    known = {field.name: field for field in msgspec.structs.fields(struct)}
    values: dict[str, list[Said]] = {}
    for layer_of, layer in layers:
        for key, value in layer.items():
            origin = variable(section, key) if layer_of == ENVIRONMENT else layer_of
            if key not in known:
                import difflib

                near = difflib.get_close_matches(key, known, 1)
                hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(sorted(known))}."
                raise ConfigurationError(f"There is no setting {section}.{key} ({origin}).", hint=hint)
            try:
                converted = _converted(value, known[key].type)
            except msgspec.ValidationError as error:
                if key in values:
                    continue  # it does not count
                shown = "" if is_secret(known[key].type) else f" = {value!r}"
                raise ConfigurationError(
                    f"The setting {section}.{key}{shown} does not fit: {error} ({origin})."
                ) from None
            values.setdefault(key, []).append(Said(converted, origin))
    return values


def is_secret(kind: Any) -> bool:
    """Whether a setting of this type is shown to nobody: ``Annotated[str, Meta(extra={"secret": True})]``."""
    return any(bool((getattr(note, "extra", None) or {}).get("secret")) for note in getattr(kind, "__metadata__", ()))


def _converted(value: Any, kind: Any) -> Any:
    """Raises msgspec.ValidationError. Text stands for a number and the like; for a list or table it is JSON."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
            raise
        try:
            return msgspec.json.decode(value, type=kind)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError as error:
            raise msgspec.ValidationError(f"it is no JSON: {error}") from error
