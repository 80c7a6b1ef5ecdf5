"""The storages of a home as one: what is new goes to the first, what is there is read by the scheme of its URI."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, cast

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.storage import ContentLost, Storage, StorageFailed, StorageRef
from wingbeat.runtime.plugged import CONTENT_S_MAX, IMPORT_S_MAX, OWN, Plugin, deadline, is_theirs
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
    except BaseException as error:
        if not is_theirs(error):
            raise
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
        blob = self._put("put_bytes", data)
        if not self._is_own(self.scheme) and (blob.digest, blob.size) != (_digest(data), len(data)):
            raise _failed(self.scheme, "put_bytes", "it answers with another digest or size than the bytes have")
        return blob

    def put_file(self, path: str, name: str = "") -> Blob:
        """See `Storage`."""
        return self._put("put_file", path, name)

    def put_directory(self, path: str, name: str = "") -> Blob:
        """See `Storage`."""
        return self._put("put_directory", path, name)

    def put_files(self, files: Mapping[str, str | bytes]) -> Blob:
        """See `Storage`."""
        return self._put("put_files", files)

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
        except FileNotFoundError as error:
            if scheme == self.scheme:
                for other in self._refs:
                    if other != scheme:
                        moved = Blob(f"{other}:{blob.digest}", blob.digest, blob.size, blob.name, layout=blob.layout)
                        try:
                            return self._ask(kind, other, call, moved, *args)
                        except (OSError, ConfigurationError):
                            continue
            raise ContentLost(f"{blob.uri} is not, or not any more, in the storage {scheme!r}: {error}") from error

    def _ask(self, kind: type | UnionType, scheme: str, call: str, *args: Any) -> Any:
        """What a storage answers. Raises what its contract says, and StorageFailed for all else."""
        storage = self.of(scheme)
        try:
            with deadline(_plugin(self._refs[scheme]), storage, call, CONTENT_S_MAX):
                answer = getattr(storage, call)(*args)
        except _SAID:
            raise
        except BaseException as error:
            if not is_theirs(error):
                raise
            raise _failed(scheme, call, f"{type(error).__name__}: {error}") from error
        if not isinstance(answer, kind):
            raise StorageFailed(f"The storage {scheme!r} answers {call} with {type(answer).__name__}.")
        if not self._is_own(scheme) and (wrong := _wrong(call, args, answer)):
            raise _failed(scheme, call, wrong)
        return answer

    def _put(self, call: str, *args: Any) -> Blob:
        blob = cast(Blob, self._ask(Blob, self.scheme, call, *args))
        if blob.uri != f"{self.scheme}:{blob.digest}":
            raise _failed(self.scheme, call, f"it answers with the address {blob.uri!r} for {blob.digest!r}")
        return blob

    def _is_own(self, scheme: str) -> bool:
        """Whether a storage compares what it reads with digests itself."""
        return self._refs[scheme].target.partition(".")[0] in OWN


def _wrong(call: str, args: tuple[Any, ...], answer: Any) -> str:
    """What is wrong with what a storage gives for a blob; empty if nothing is, as far as is seen at once."""
    if call == "read_bytes" and _digest(answer) != args[0].digest:
        return f"it answers with {len(answer)} bytes that are not those of {args[0].uri}"
    if call == "fetch":
        if not os.path.exists(answer):
            return f"it answers with a path where nothing is: {answer}"
        if os.path.isdir(answer) != (args[0].layout == "directory"):
            return f"it answers with the path of another kind than a {args[0].layout}: {answer}"
    return ""


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _failed(scheme: str, call: str, why: str) -> StorageFailed:
    return StorageFailed(f"The storage {scheme!r} failed ({call}): {why}")


def _plugin(ref: StorageRef) -> Plugin:
    return Plugin(f"The storage {ref.scheme!r}", ref.target)


def _scheme(blob: Blob) -> str:
    return blob.uri.partition(":")[0]
