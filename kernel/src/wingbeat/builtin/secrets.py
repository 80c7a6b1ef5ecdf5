"""Sources of secrets in the box: environment variables, and a folder with a file for each."""

from __future__ import annotations

import os
import re
import stat
from typing import Any

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.settings import SecretSettings
from wingbeat.contracts.secrets import SecretMissing
from wingbeat.runtime import withheld
from wingbeat.runtime.files import read_all
from wingbeat.spec.secrets import is_name

VALUE_BYTES_MAX = 2**20
_OTHERS = stat.S_IRWXO
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def variable_of(name: str) -> str:
    """The environment variable of a secret: ``db/password`` is in ``WINGBEAT_SECRET_DB_PASSWORD``."""
    return withheld.PREFIX + re.sub("[^A-Z0-9]", "_", name.upper())


class EnvironmentSource:
    """Secrets in environment variables of the process that runs the kernel."""

    def get(self, name: str) -> str:
        """See `wingbeat.contracts.secrets.SecretSource.get`."""
        variable = variable_of(name)
        value = withheld.variables.get(variable, os.environ.get(variable))
        if value is None:
            raise SecretMissing(
                f"There is no secret {name!r}: the environment variable {variable} is not set.",
                hint="Set it where the kernel is started, or choose another source by secrets.source.",
            )
        return value


class FileSource:
    """Secrets in files of a folder, each below the name that it has as a path. One line break at the end is not part of it.

    Args:
        folder: The folder, absolute. Links in it may lead elsewhere inside of it only.

        readable: Whether files are taken that every user of the machine may read.
    """

    def __init__(self, folder: str, readable: bool = False) -> None:
        self._folder, self._readable = folder, readable

    def get(self, name: str) -> str:
        """See `wingbeat.contracts.secrets.SecretSource.get`."""
        if not is_name(name):
            raise SecretMissing(f"{name!r} is no name of a secret.")
        root = os.path.realpath(self._folder)
        path = os.path.realpath(os.path.join(root, name))
        if not path.startswith(root + os.sep):  # by a link
            raise SecretMissing(f"The secret {name!r} would be a file outside of the folder {self._folder}.")
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise SecretMissing(
                f"There is no secret {name!r}: there is no file {os.path.join(self._folder, name)}.",
                hint="Put its value there, readable by you alone (chmod 600).",
            ) from None
        except PermissionError as error:
            raise SecretMissing(f"The secret {name!r} cannot be read: {error}.") from error
        try:
            self._check(fd, name)
            data = read_all(fd, VALUE_BYTES_MAX + 1)
        finally:
            os.close(fd)
        if len(data) > VALUE_BYTES_MAX:
            raise SecretMissing(f"The secret {name!r} has over {VALUE_BYTES_MAX} bytes, which is too long.")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise SecretMissing(
                f"The secret {name!r} is no UTF-8 text.", hint="Encode it, as Base64 for example."
            ) from None
        return text.removesuffix("\n").removesuffix("\r")

    def _check(self, fd: int, name: str) -> None:
        """Raise SecretMissing unless it is a file that nobody else can have read or written."""
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise SecretMissing(f"The secret {name!r} is no file in {self._folder}.")
        if found.st_uid not in (0, os.geteuid()):
            raise SecretMissing(f"The file of the secret {name!r} belongs to another user.")
        unwanted = _WRITABLE if self._readable else _WRITABLE | _OTHERS
        if found.st_mode & unwanted:
            raise SecretMissing(
                f"The file of the secret {name!r} can be read or written by others: its mode is {found.st_mode & 0o777:o}.",
                hint="chmod 600 it; or set secrets.readable = true, if others may read it.",
            )


def file_settings(settings: SecretSettings) -> dict[str, Any]:
    """What `FileSource` is constructed with. Raises ConfigurationError."""
    folder = os.path.expanduser(settings.folder)
    if not os.path.isabs(folder):
        wrong = f"secrets.folder = {settings.folder!r} is relative" if folder else "secrets.folder is not set"
        raise ConfigurationError(
            f"The source of secrets 'file' needs a folder: {wrong}.", hint="Say where the files are: an absolute path."
        )
    return {"folder": folder, "readable": settings.readable}
