"""Artifacts as the author writes them: what a workflow publishes, and what a launch plan takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from wingbeat.author.source import Location, caller
from wingbeat.base.errors import CompileError, InputError
from wingbeat.spec.artifacts import NewestSpec, PublishSpec
from wingbeat.spec.identity import parse_name

_NONE: Mapping[str, str] = MappingProxyType({})
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?\Z")


class Artifact:
    """An output under a name of its own: ``@workflow(publishes={"o0": Artifact("roads", partitions={"city": "city"})})``.

    Each execution of the workflow, registered, that succeeds makes a version of it: ``project/domain/roads@EXECUTION``.

    Args:
        name: In the project and domain where the workflow is registered.

        partitions: Keys, and the inputs of the workflow that give their values: texts, whole numbers, truth values, dates or
            names of enums.

    Raises:
        CompileError: The name is none.
    """

    def __init__(self, name: str, *, partitions: Mapping[str, str] = _NONE) -> None:
        where = caller()
        for each in (name, *partitions):
            if not _NAME.match(each):
                raise CompileError(
                    f"{each!r} cannot name an artifact, or a key of its partition ({where}): {where.text}",
                    hint="Use letters, digits, '.', '_' and '-'.",
                )
        self.spec = PublishSpec(name, dict(partitions))


class Newest:
    """The newest version of an artifact, as an input of a launch plan: ``inputs={"roads": Newest("maps/production/roads")}``.

    The admin looks for it when it launches; whoever gives the input himself is not asked. A launch plan that is called in a
    workflow, or launched by a program without an admin, has to be given it.

    Args:
        artifact: ``project/domain/name``.

        partitions: Only those whose keys have these values: ``{"city": "sf"}``.

    Raises:
        CompileError: It is no such name.
    """

    def __init__(self, artifact: str, *, partitions: Mapping[str, str] = _NONE) -> None:
        where = caller()
        try:
            self.spec = NewestSpec(str(parse_name(artifact)), dict(partitions))
        except InputError as error:
            raise CompileError(f"{error.message} ({where}): {where.text}", hint=error.hint) from None


def as_publishes(given: Mapping[str, Artifact] | None, name: str, where: Location) -> dict[str, PublishSpec]:
    """By output. Raises CompileError."""
    found: dict[str, PublishSpec] = {}
    for output, artifact in (given or {}).items():
        if not isinstance(artifact, Artifact):
            raise CompileError(
                f"{name}: publishes takes artifacts by output, not {artifact!r} ({where}).",
                hint='Such as publishes={"o0": Artifact("roads")}.',
            )
        if artifact.spec.name in {other.name for other in found.values()}:
            raise CompileError(f"{name} publishes two outputs as {artifact.spec.name!r} ({where}).")
        found[output] = artifact.spec
    return found
