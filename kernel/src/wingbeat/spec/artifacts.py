"""Artifacts: outputs of executions under names of their own, which others look for, wait for and take."""

from __future__ import annotations

from wingbeat.types.model import Strict


class PublishSpec(Strict, frozen=True, omit_defaults=True):
    """An output that becomes a version of an artifact when the execution of a registered workflow has succeeded.

    Attributes:
        name: Of the artifact, in the project and domain where the workflow is registered.

        partitions: Keys of the partition, and the inputs that give their values.
    """

    name: str
    partitions: dict[str, str] = {}


class KeySpec(Strict, frozen=True, omit_defaults=True):
    """An input of a launch plan that gives the value of a key.

    Attributes:
        date: Of a moment, its date alone, in the zone that it is said in: of a tick, that of its schedule.
    """

    input: str
    date: bool = False


class NewestSpec(Strict, frozen=True, omit_defaults=True):
    """The newest version of an artifact, as it is when something is launched.

    Attributes:
        artifact: ``project/domain/name``.

        partitions: Values that keys of its partition have to have.

        inputs: Keys that have to have the value that an input has when it is launched.
    """

    artifact: str
    partitions: dict[str, str] = {}
    inputs: dict[str, KeySpec] = {}
