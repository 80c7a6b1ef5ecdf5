"""Wrappers: entered inside the attempt's process, around the user's function.

A wrapper is a class found by the path that the task's spec holds (`WrapperSpec.target`), so the attempt's environment needs
the distribution that defines it and nothing else. It uses only the standard library until it is entered.
"""

from __future__ import annotations

from typing import Any, Protocol

from wingbeat.contracts.gang import Member


class AttemptInfo(Protocol):
    """What a wrapper may know of the attempt.

    Attributes:
        directory: Where this process may write: the attempt's, or of a gang's later members their own.

        cpu: Cores that this process may use; None if nobody has said.

        member: Which process of a gang this one is; None outside of gangs.
    """

    id: str
    directory: str
    cpu: float | None
    memory_bytes: int | None
    member: Member | None


class Wrapper(Protocol):
    """One attempt's wrapper: constructed with its configuration, entered once, left once."""

    def __init__(self, config: dict[str, Any]) -> None: ...

    def enter(self, attempt: AttemptInfo) -> dict[type | str, Any]:
        """Prepare, and offer parameters: by type (the class that a parameter is annotated with) or by parameter name.

        Raises anything: the attempt fails with it. Raise an error whose text says what to install if something is missing.
        """

    def leave(self, error: BaseException | None) -> None:
        """Clean up; `error` is what the function raised. Called once after `enter` succeeded, also when it failed."""
