"""The storages of a home as one: what is new goes to the first, what is there is read by the scheme of its URI."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, cast

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.storage import Storage, StorageFailed, StorageRef
from wingbeat.runtime.plugged import CONTENT_S_MAX, IMPORT_S_MAX, Plugin, deadline
from wingbeat.types import Blob

_SAID = (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError, ConfigurationError)
"""What a storage says by the contract about what it was asked for; all else is about itself."""


def make_storage(ref: StorageRef) -> Storage:
    """What a reference says. Raises ConfigurationError, whatever its module or class raises."""
    module, _, name = ref.target.partition(":")
    try:
        with deadline(_plugin(ref), None, "import", IMPORT_S_MAX):
            return cast(Storage, getattr(importlib.import_module(module), name)(**ref.settings))
    except ConfigurationError:
        raise
    except ImportError as error:
        raise ConfigurationError(
            f"The storage {ref.scheme!r} cannot be imported here: {error}.",
            hint="Add the distribution that has it to the packages of the task's environment.",
        ) from error
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"The storage {ref.scheme!r} cannot be made: {type(error).__name__}: {error}."
        ) from error


class Storages:
    """A `wingbeat.contracts.storage.Storage` over several, each made on first use.

    Args:
        refs: The first is where what is new goes.
    """

    def __init__(self, refs: Sequence[StorageRef]) -> None:
        self._refs = {ref.scheme: ref for ref in refs}
        self._made: dict[str, Storage] = {}
        self.scheme = refs[0].scheme

    def of(self, scheme: str) -> Storage:
        """The storage of a scheme. Raises ValueError if there is none."""
        made = self._made.get(scheme)
        if made is None:
            if scheme not in self._refs:
                known = ", ".join(f"{name}:" for name in self._refs)
                raise ValueError(f"there is no storage for {scheme[:200]!r}; what is here: {known}")
            made = self._made[scheme] = make_storage(self._refs[scheme])
        return made

    def put_bytes(self, data: bytes) -> Blob:
        """See `Storage`."""
        return cast(Blob, self._ask(Blob, self.scheme, "put_bytes", data))

    def put_file(self, path: str, name: str = "") -> Blob:
        """See `Storage`."""
        return cast(Blob, self._ask(Blob, self.scheme, "put_file", path, name))

    def put_directory(self, path: str, name: str = "") -> Blob:
        """See `Storage`."""
        return cast(Blob, self._ask(Blob, self.scheme, "put_directory", path, name))

    def put_files(self, files: Mapping[str, str | bytes]) -> Blob:
        """See `Storage`."""
        return cast(Blob, self._ask(Blob, self.scheme, "put_files", files))

    def read_bytes(self, blob: Blob, bytes_max: int = 256 * 2**20) -> bytes:
        """See `Storage`."""
        return cast(bytes, self._find(bytes, "read_bytes", blob, bytes_max))

    def fetch(self, blob: Blob) -> str:
        """See `Storage`."""
        return cast(str, self._find(str, "fetch", blob))

    def verify(self, blob: Blob) -> str | None:
        """See `Storage`."""
        try:
            return cast(str | None, self._ask(str | None, _scheme(blob), "verify", blob))
        except (ConfigurationError, ValueError) as error:
            return str(error)

    def _find(self, kind: type, call: str, blob: Blob, *args: Any) -> Any:
        """Code and locks are known by their digest alone, and are looked for in the storage that is chosen now: those of
        executions from before another one was chosen are in that one."""
        scheme = _scheme(blob)
        try:
            return self._ask(kind, scheme, call, blob, *args)
        except FileNotFoundError:
            if scheme == self.scheme:
                for other in self._refs:
                    if other != scheme:
                        moved = Blob(f"{other}:{blob.digest}", blob.digest, blob.size, blob.name, layout=blob.layout)
                        try:
                            return self._ask(kind, other, call, moved, *args)
                        except (OSError, ConfigurationError):
                            continue
            raise

    def _ask(self, kind: type | UnionType, scheme: str, call: str, *args: Any) -> Any:
        """What a storage answers. Raises what its contract says, and StorageFailed for all else."""
        storage = self.of(scheme)
        try:
            with deadline(_plugin(self._refs[scheme]), storage, call, CONTENT_S_MAX):
                answer = getattr(storage, call)(*args)
        except _SAID:
            raise
        except (Exception, SystemExit) as error:
            raise StorageFailed(f"The storage {scheme!r} failed ({call}): {type(error).__name__}: {error}") from error
        if not isinstance(answer, kind):
            raise StorageFailed(f"The storage {scheme!r} answers {call} with {type(answer).__name__}.")
        return answer


def _plugin(ref: StorageRef) -> Plugin:
    return Plugin(f"The storage {ref.scheme!r}", ref.target)


def _scheme(blob: Blob) -> str:
    return blob.uri.partition(":")[0]
