"""A task as the body of a dynamic workflow names it."""

from __future__ import annotations

from wingbeat.types.model import Strict


class Mention(Strict, frozen=True, omit_defaults=True):
    """A task that the body of a dynamic workflow names, by what decides over its outputs.

    Attributes:
        code: As of the task, and so is `body`.

        interface: Digest of what the task has there; so are the others up to `gang`, empty where it has none.
    """

    name: str
    code: str
    interface: str
    environment: str = ""
    wrappers: str = ""
    variables: str = ""
    container: str = ""
    gang: str = ""
    body: str = ""
