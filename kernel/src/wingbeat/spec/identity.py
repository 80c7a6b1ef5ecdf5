"""Names of what is registered: ``project/domain/name@version``."""

from __future__ import annotations

import re

from msgspec import Struct

from wingbeat.base.errors import InputError

PROJECT_LENGTH_MAX = 63
NAME_LENGTH_MAX = 255
VERSION_LENGTH_MAX = 128

_PLACE = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?\Z")
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")
_NUMBER = re.compile(r"0*([0-9]+)")
_VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._+-]*[A-Za-z0-9])?\Z")


class Name(Struct, frozen=True, order=True):
    """All versions of something registered: ``project/domain/name``."""

    project: str
    domain: str
    name: str

    def __str__(self) -> str:
        return f"{self.project}/{self.domain}/{self.name}"

    def at(self, version: str) -> Identity:
        """One version of it."""
        return Identity(self.project, self.domain, self.name, version)


class Identity(Struct, frozen=True, order=True):
    """One version of a task, a workflow or a launch plan: ``project/domain/name@version``. What it stands for never changes."""

    project: str
    domain: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.project}/{self.domain}/{self.name}@{self.version}"

    @property
    def entity(self) -> Name:
        """Its name without the version."""
        return Name(self.project, self.domain, self.name)


def check_place(project: str, domain: str) -> None:
    """Raises InputError for what cannot name a project or a domain: they become parts of URLs, paths and labels."""
    for what, given in (("project", project), ("domain", domain)):
        if len(given) > PROJECT_LENGTH_MAX or not _PLACE.match(given):
            raise InputError(
                f"{given[:80]!r} cannot name a {what}.",
                hint=f"Use lower-case letters, digits, '-' and '_', at most {PROJECT_LENGTH_MAX}; such as 'eta'.",
            )


def check_version(version: str) -> None:
    """Raises InputError for what cannot be a version."""
    if len(version) > VERSION_LENGTH_MAX or not _VERSION.match(version):
        raise InputError(
            f"{version[:80]!r} cannot be a version.",
            hint=f"Use letters, digits, '.', '_', '+' and '-', at most {VERSION_LENGTH_MAX}; such as 'v1' or a commit.",
        )


def version_key(version: str) -> str:
    """What versions are sorted by, as texts: numbers in them count as numbers, so v9 is before v10."""
    return _NUMBER.sub(lambda found: f"{len(found[1]):03d}{found[1]}", version)


def parse_name(text: str) -> Name:
    """A name without a version. Raises InputError."""
    parts = text.split("/")
    if len(parts) != 3 or "@" in text:
        raise InputError(f"{text[:300]!r} is no PROJECT/DOMAIN/NAME.", hint="Such as 'eta/production/etafile.train'.")
    check_place(parts[0], parts[1])
    if len(parts[2]) > NAME_LENGTH_MAX or not _NAME.match(parts[2]):
        raise InputError(
            f"{parts[2][:80]!r} cannot name a task, workflow or launch plan.", hint="Such as 'etafile.train'."
        )
    return Name(*parts)


def parse_reference(text: str) -> tuple[Name, str]:
    """A name, and the version that follows an ``@``; empty where none does. Raises InputError."""
    name, at, version = text.partition("@")
    if at:
        check_version(version)
    return parse_name(name), version


def parse_identity(text: str) -> Identity:
    """A name with its version. Raises InputError."""
    name, version = parse_reference(text)
    if not version:
        raise InputError(f"{text!r} names no version.", hint=f"Such as '{text}@v1'.")
    return name.at(version)
