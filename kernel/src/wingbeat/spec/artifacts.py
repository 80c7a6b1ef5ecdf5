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


class NewestSpec(Strict, frozen=True, omit_defaults=True):
    """The newest version of an artifact, as it is when something is launched.

    Attributes:
        artifact: ``project/domain/name``.

        partitions: Values that keys of its partition have to have.
    """

    artifact: str
    partitions: dict[str, str] = {}
