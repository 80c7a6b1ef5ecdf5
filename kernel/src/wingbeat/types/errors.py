"""What can be wrong with a type or a value; each message says where, what was expected and what was found."""

from __future__ import annotations

__all__ = ["LimitExceeded", "UnsupportedType", "ValueMismatch", "shown"]


def shown(value: object, limit: int = 80) -> str:
    """A value for an error message: its type and the start of its repr (`str 'a'`)."""
    if value is None:
        return "None"
    name = type(value).__name__
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a foreign __repr__ may raise; the message about the value matters more
        return name
    return f"{name} {text if len(text) <= limit else text[: limit - 1] + '…'}"


class _Located(TypeError):
    """A type error that knows its place inside a value; containers add their step while it passes through them."""

    def __init__(self, message: str, *, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.steps = path

    @property
    def path(self) -> str:
        """The place, as one would write it in Python: `v.points[2].x`; empty at the root."""
        return "".join(self.steps).removeprefix(".")

    def within(self, step: str) -> _Located:
        """Put one more step (`.x`, `[2]`, `["key"]`) in front of the path, and return the error itself."""
        self.steps = (step, *self.steps)
        return self

    def named(self, name: str) -> _Located:
        """Say what the whole value is called (the argument's name), and return the error itself."""
        return self.within(f".{name}")

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.steps else self.message


class UnsupportedType(_Located):
    """A type hint that has no literal type; the message says what to write instead."""


class ValueMismatch(_Located):
    """A value that is not of its declared type."""

    @classmethod
    def expected(cls, what: str, value: object) -> ValueMismatch:
        """The usual message: `expected int, got str 'a'`."""
        return cls(f"expected {what}, got {shown(value)}")


class LimitExceeded(ValueError):
    """Bytes or values beyond the limits of depth, number of nodes, or size."""
