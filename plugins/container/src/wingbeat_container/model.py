"""What is said of a container engine, apart from how it is spoken to: the client is imported when it is needed first."""

from __future__ import annotations

from msgspec import Struct


class Unreachable(Exception):
    """The engine did not answer: whether it did what was asked is not known."""


class Refused(Exception):
    """The engine answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Image(Struct, frozen=True):
    """An image that the engine has. `digest` is that of the registry, empty if it comes from none."""

    id: str
    digest: str = ""


NEVER = "0001-01-01"
"""How engines begin a moment that there was not."""


class Seen(Struct, frozen=True):
    """A container as it is now.

    Attributes:
        state: ``created``, ``running``, ``exited``, ….

        attempt: Whose it is, by its label.

        created: When it was made, in epoch seconds; 0 if the answer does not say.
    """

    id: str
    state: str
    attempt: str = ""
    pid: int = 0
    exit_code: int = 0
    oom: bool = False
    message: str = ""
    image: str = ""
    started_at: str = ""
    finished_at: str = ""
    created: float = 0.0

    @property
    def moments(self) -> dict[str, str]:
        """When it was started and ended, as evidence; nothing of what has not happened."""
        found = {"started_at": self.started_at, "finished_at": self.finished_at}
        return {name: moment for name, moment in found.items() if moment and not moment.startswith(NEVER)}

    @property
    def begun(self) -> bool:
        """Whether it was ever started."""
        return self.state not in ("created", "configured", "initialized")

    @property
    def ended(self) -> bool:
        """Whether it was started and does not run any more."""
        return self.state in ("exited", "dead", "stopped")
