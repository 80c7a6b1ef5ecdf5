"""Artifacts as the author writes them: what a workflow publishes, and what a launch plan takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from wingbeat.author.source import Location, caller
from wingbeat.base.errors import CompileError, InputError
from wingbeat.spec.artifacts import KeySpec, NewestSpec, PublishSpec
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


class InputKey:
    """An input of a launch plan, as the value of a key: `Inputs` gives them."""

    def __init__(self, spec: KeySpec) -> None:
        self.spec = spec

    @property
    def date(self) -> InputKey:
        """Of a moment, its date alone, as ``2026-11-30``, in the zone that it is said in: of a tick, that of its schedule."""
        return InputKey(KeySpec(self.spec.input, date=True))


class _Inputs:
    def __getattr__(self, name: str) -> InputKey:
        if name.startswith("__"):
            raise AttributeError(name)
        return InputKey(KeySpec(name))

    def __getitem__(self, name: str) -> InputKey:
        return InputKey(KeySpec(name))


Inputs = _Inputs()
"""The inputs of a launch plan, for `Newest`: ``Inputs.city``."""


class Newest:
    """The newest version of an artifact, as an input of a launch plan: ``inputs={"roads": Newest("maps/production/roads")}``.

    The admin looks for it when it launches; whoever gives the input himself is not asked. A launch plan that is called in a
    workflow, or launched by a program without an admin, has to be given it.

    Args:
        artifact: ``project/domain/name``.

        partitions: Only those whose keys have these values: ``{"city": "sf"}``. ``{"city": Inputs.city}`` is that of an input when
            it is launched, and ``{"day": Inputs.at.date}`` the day of one that takes the tick.

    Raises:
        CompileError: It is no such name.
    """

    def __init__(self, artifact: str, *, partitions: Mapping[str, str | InputKey] = _NONE) -> None:
        where = caller()
        texts = {key: value for key, value in partitions.items() if isinstance(value, str)}
        inputs = {key: value.spec for key, value in partitions.items() if isinstance(value, InputKey)}
        if stray := [key for key in partitions if key not in texts and key not in inputs]:
            raise CompileError(
                f"The key {stray[0]!r} of {artifact} is a text, or an input ({where}): {where.text}",
                hint="Such as partitions={'city': 'sf'}, or partitions={'city': Inputs.city}.",
            )
        try:
            self.spec = NewestSpec(str(parse_name(artifact)), texts, inputs)
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
