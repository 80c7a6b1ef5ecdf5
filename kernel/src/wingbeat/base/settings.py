"""Settings: a struct for each section, filled from several layers, the first that says something wins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.units import parse_size

S = TypeVar("S", bound=Struct)

Count = Annotated[int, msgspec.Meta(ge=0)]
"""A setting that counts something."""
Seconds = Annotated[float, msgspec.Meta(ge=0)]
"""A setting that is a time."""


def _size(value: str | int) -> None:
    if parse_size(value) < 0:
        raise ValueError(f"{value} is less than 0")


Size = Annotated[str | int, msgspec.Meta(extra={"check": _size})]
"""A setting that is a size in bytes: a number, or as ``"512Mi"``, which `wingbeat.base.units.parse_size` reads."""

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


def misspelt(variables: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """Variables that are named almost like those of `known` sections, by a small letter or an underscore, and so set nothing; and
    what each may have meant."""
    found: dict[str, str] = {}
    for name in sorted(variables):
        for section in known:
            begin = f"{PREFIX}{section.upper()}_"
            if (
                name.upper().startswith(begin)
                and not name.startswith(f"{begin}_")
                and (key := name[len(begin) :].strip("_"))
            ):
                found[name] = variable(section, key)
    return found


class Said(NamedTuple):
    """A value of a setting, and where it is said."""

    value: Any
    origin: str


class Mistake(NamedTuple):
    """Something that is said of the settings, and cannot hold.

    Attributes:
        key: Empty where it is about a whole section.

        said: Its value, and where it is said. None for what is better not shown: of a key that there is not, nobody knows
            whether it is a secret.

        error: What is wrong, where, and what may have been meant.
    """

    section: str
    key: str
    said: Said
    error: ConfigurationError


Layers = Sequence[tuple[str, Mapping[str, Any]]]
"""Who says something, and what: the earlier ones win."""
Place = Callable[[str, str, str], str]
"""Where exactly it is said, of who says it, section and key."""


def settings(section: str, struct: type[S], layers: Layers, place: Place | None = None) -> S:
    """`struct` filled from `layers`.

    Raises:
        ConfigurationError: A key that the struct does not have, or a value that does not fit; says where it stands.
    """
    return struct(**{key: found[0].value for key, found in said(section, struct, layers, place).items()})


def said(
    section: str,
    struct: type[Struct],
    layers: Layers,
    place: Place | None = None,
    mistakes: list[Mistake] | None = None,
) -> dict[str, list[Said]]:
    """What `layers` say of each key, the one that wins first. Raises as `settings`, or appends to `mistakes` what is wrong."""
    known = {field.name: field for field in msgspec.structs.fields(struct)}
    values: dict[str, list[Said]] = {}
    for layer_of, layer in layers:
        for key, value in layer.items():
            origin = variable(section, key) if layer_of == ENVIRONMENT else layer_of
            try:
                if key in known:
                    converted = _converted(value, known[key].type)
                    values.setdefault(key, []).append(Said(converted, origin))
                    continue
                shown, error = None, _unknown(section, key, known, place(origin, section, key) if place else origin)
            except msgspec.ValidationError as why:
                if key in values:
                    continue  # it does not count
                shown = None if is_secret(known[key].type) else value
                where = place(origin, section, key) if place else origin
                told = "" if shown is None else f" = {value!r}"
                error = ConfigurationError(f"The setting {section}.{key}{told} does not fit: {why} ({where}).")
            if mistakes is None:
                raise error from None
            mistakes.append(Mistake(section, key, Said(shown, origin), error))
    return values


def _unknown(section: str, key: str, known: Mapping[str, Any], where: str) -> ConfigurationError:
    import difflib

    near = difflib.get_close_matches(key, known, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(sorted(known))}."
    return ConfigurationError(f"There is no setting {section}.{key} ({where}).", hint=hint)


def is_secret(kind: Any) -> bool:
    """Whether a setting of this type is shown to nobody: ``Annotated[str, Meta(extra={"secret": True})]``."""
    return any(bool((getattr(note, "extra", None) or {}).get("secret")) for note in getattr(kind, "__metadata__", ()))


def _converted(value: Any, kind: Any) -> Any:
    """Raises msgspec.ValidationError. Text stands for a number and the like; for a list or table it is JSON. What a type says by
    ``Meta(extra={"check": …})`` is called with it, and may raise ValueError."""
    made = _as(value, kind)
    for note in getattr(kind, "__metadata__", ()):
        try:
            (getattr(note, "extra", None) or {}).get("check", bool)(made)
        except ValueError as error:
            raise msgspec.ValidationError(str(error)) from error
    return made


def _as(value: Any, kind: Any) -> Any:
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
