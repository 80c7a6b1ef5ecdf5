"""The secrets of an attempt, in its process."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import cast

from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.contracts.secrets import SecretSource, SecretUnavailable, SourceRef
from wingbeat.runtime.errors import AttemptInputError
from wingbeat.runtime.files import write_all
from wingbeat.runtime.mask import MASKED_CHARS_MIN, Mask, forms
from wingbeat.spec.entities import SecretSpec

CERTAIN_CHARS = 16
"""A value that is this long is in no outputs by chance."""


class SecretInOutput(ConfigurationError):
    """A task gave a secret away as data, which is stored as it is."""


class Secrets:
    """What an attempt has of its secrets.

    Args:
        task: The task's name, for messages.

        values: By name.
    """

    def __init__(self, task: str, values: Mapping[str, str] | None = None) -> None:
        self._task = task
        self.values = dict(values or {})

    def get(self, name: str) -> str:
        """The value of a secret that the task declares. Raises ConfigurationError."""
        if name not in self.values:
            declared = ", ".join(map(repr, sorted(self.values))) or "none"
            raise ConfigurationError(
                f"Task {self._task} does not declare the secret {name!r}.",
                hint=f"Declare it: @task(secrets=[{name!r}]). It declares {declared}.",
            )
        return self.values[name]

    @cached_property
    def mask(self) -> Mask:
        """What masks them; asked for when they are all there."""
        return Mask(self.values.values())

    def look_up(self, specs: Sequence[SecretSpec], source: SourceRef | None) -> None:
        """Get the values of all that are declared.

        Raises ConfigurationError where one cannot be had, AttemptInputError where trying again may help.
        """
        if source is None:
            raise ConfigurationError(f"Task {self._task} has secrets, but its executor was given no source of them.")
        made = load_source(source)
        for spec in specs:
            self.values[spec.name] = self._value(made, source, spec.name)

    def _value(self, made: SecretSource, source: SourceRef, name: str) -> str:
        where = f"Task {self._task}: the secret {name!r}"
        try:
            value: object = made.get(name)
        except ConfigurationError as error:
            error.message = f"Task {self._task}: {error.message}"
            raise error from None  # what it was made from may hold the value, which nobody can mask yet
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it may raise anything; what is raised here says so
            told = error.message if isinstance(error, SecretUnavailable) else type(error).__name__
            raise AttemptInputError(
                f"{where} cannot be read from the source {source.name!r}: {told}",
                "SecretUnavailable", ErrorKind.SYSTEM, retryable=True,
            ) from None  # fmt: skip
        if not isinstance(value, str):
            raise ConfigurationError(f"{where} is {type(value).__name__}, not text, in the source {source.name!r}.")
        if not value or "\0" in value or not _encodable(value):
            raise ConfigurationError(f"{where} is empty, or no text that can be written as UTF-8 ({source.name!r}).")
        return value

    def place(self, specs: Sequence[SecretSpec]) -> None:
        """Put them into the environment of this process, which is the attempt's alone, and into files in memory."""
        for spec in specs:
            if spec.env:
                os.environ[spec.env] = self.values[spec.name]
            if spec.file:
                os.environ[spec.file] = _in_memory(spec.name, self.values[spec.name])

    def unmasked(self) -> list[str]:
        """Names of those that are too short to be masked."""
        return [name for name, value in self.values.items() if len(value.strip()) < MASKED_CHARS_MIN]

    def check_outputs(self, data: bytes) -> None:
        """Raise SecretInOutput if encoded outputs hold a secret that is not in them by chance."""
        for name, value in self.values.items():
            if len(value) >= CERTAIN_CHARS and any(form in data for form in forms(value)):
                raise SecretInOutput(
                    f"Task {self._task} gives the value of the secret {name!r} away, as an output or to what it calls: it "
                    "would be stored as it is.",
                    hint=f"Whoever needs it declares it: @task(secrets=[{name!r}]).",
                )


def load_source(ref: SourceRef) -> SecretSource:
    """The source, made. Raises ConfigurationError."""
    module, _, name = ref.target.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"The source of secrets {ref.name!r} ({ref.target}) cannot be imported where the task runs: {error}.",
            hint=f"Install the distribution that provides {module.partition('.')[0]!r} in the task's environment.",
        ) from error
    except (Exception, SystemExit) as error:
        raise _unmade(ref, error) from error
    try:
        return cast(SecretSource, made(**ref.settings))
    except (Exception, SystemExit) as error:
        raise _unmade(ref, error) from error


def _unmade(ref: SourceRef, error: BaseException) -> ConfigurationError:
    return ConfigurationError(
        f"The source of secrets {ref.name!r} ({ref.target}) cannot be made: {type(error).__name__}: {error}."
    )


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _in_memory(name: str, value: str) -> str:
    """The path of a file with the value, for this process and those that it starts."""
    if sys.platform != "linux":
        raise ConfigurationError(
            f"The secret {name!r} cannot be in a file: that takes Linux, where a file can be in memory only.",
            hint=f"Take it by current().secret({name!r}), or by env=.",
        )
    fd = os.memfd_create("secret")
    write_all(fd, value.encode())
    os.fchmod(fd, 0o400)
    return f"/proc/{os.getpid()}/fd/{fd}"
