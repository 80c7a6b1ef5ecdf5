"""Secrets of an attempt whose process cannot ask their source: its executor does, puts the values where the attempt finds them, and
masks what it hears of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import AttemptRequest, ErrorInfo
from wingbeat.contracts.secrets import SecretMissing
from wingbeat.runtime.errors import AttemptInputError, describe
from wingbeat.runtime.files import read_all, write_all
from wingbeat.runtime.mask import Mask, Stream
from wingbeat.runtime.secrets import SecretInOutput, Secrets
from wingbeat.spec.literal import Literals

VALUE_BYTES_MAX = 2**24


class FolderSource:
    """Secrets in files below a folder, each as it was put there: what an attempt asks that has its secrets placed.

    Args:
        folder: The folder, absolute.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def get(self, name: str) -> str:
        """See `wingbeat.contracts.secrets.SecretSource.get`."""
        try:
            return _read(f"{self._folder}/{name}")
        except OSError as error:
            raise SecretMissing(f"The secret {name!r} is not in {self._folder}: {error}.") from error


class PlacedSecrets:
    """The values of an attempt's secrets, for its executor.

    Args:
        values: By name.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def look_up(cls, request: AttemptRequest) -> PlacedSecrets | ErrorInfo:
        """Those that the task of an attempt declares, or why the attempt fails. Blocks as long as the source does."""
        found = Secrets(request.task.name)
        try:
            found.look_up(request.task.secrets, request.secrets)
        except (ConfigurationError, AttemptInputError) as error:
            return describe(error)
        return cls(found.values)

    @classmethod
    def read(cls, folder: str) -> PlacedSecrets | None:
        """What was put into a folder; None if there is no such folder. Raises OSError."""
        if not os.path.isdir(folder):
            return None
        paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
        return cls({os.path.relpath(path, folder): _read(path) for path in paths})

    def put(self, folder: str) -> None:
        """Make a folder with a file for each, below its name, which everybody may read who gets there. Raises OSError."""
        os.mkdir(folder)
        for name, value in self._values.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
            try:
                write_all(fd, value.encode())
                os.fchmod(fd, 0o444)  # whatever the mask of this process is
            finally:
                os.close(fd)
        for at, _, _ in os.walk(folder):
            os.chmod(at, 0o755)  # noqa: S103  # whoever gets there is meant to

    def stream(self) -> Stream:
        """What masks a log."""
        return Stream(self._mask)

    def text(self, text: str) -> str:
        """The text, masked."""
        return self._mask.text(text)

    def error(self, info: ErrorInfo) -> ErrorInfo:
        """The error, masked."""
        evidence: dict[str, Any] = self._masked(info.evidence)
        return msgspec.structs.replace(
            info,
            code=self.text(info.code),
            message=self.text(info.message),
            trace=self.text(info.trace),
            evidence=evidence,
        )

    def leaked(self, task: str, outputs: Literals) -> ErrorInfo | None:
        """Why an attempt fails that gives one away; None if it does not."""
        try:
            Secrets(task, self._values).check_outputs(msgspec.json.encode(outputs))
        except SecretInOutput as error:
            return describe(error)
        return None

    @cached_property
    def _mask(self) -> Mask:
        return Secrets("", self._values).mask

    def _masked(self, value: Any) -> Any:
        """Plain data, masked; it came as JSON, so it is as deep as that may be."""
        if isinstance(value, dict):
            return {self.text(str(key)): self._masked(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._masked(each) for each in value]
        return self.text(value) if isinstance(value, str) else value


def _read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read_all(fd, VALUE_BYTES_MAX).decode()
    finally:
        os.close(fd)
