"""What an attempt has left: outputs into storage, or its error. Its container does not run any more.

Whatever is there came out of somebody's program: no link is followed out of the attempt's own folder, nothing is read that is
no file, and nothing without a bound.
"""

from __future__ import annotations

import os
import stat
from typing import IO, Any

import msgspec
from msgspec import Struct

from wingbeat.attempts import AttemptFiles, PlacedSecrets, Values, job_outcome, reported
from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import AttemptRequest, Failed, Outcome, Succeeded
from wingbeat.contracts.storage import Storage
from wingbeat.spec.literal import Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.types import (
    Blob,
    Directory,
    File,
    LimitExceeded,
    ValueMismatch,
    check_depth,
    decode_generic,
    encode_generic,
)
from wingbeat.types.model import BlobIO
from wingbeat_container.manifest import INSIDE
from wingbeat_container.page import bring_page
from wingbeat_container.plain import is_path, optional, parsed, plain
from wingbeat_container.staging import STORE, TASK, Files, offloaded
from wingbeat_container.verdict import End, evidence, failure, without_outcome

TEXT_BYTES_MAX = 256 * 2**20
ERROR_BYTES_MAX = 2**20
MESSAGE_CHARS_MAX = 4000
TRACE_CHARS_MAX = 32_000


class Said(Struct, frozen=True):
    """``error.json``, as a program writes it."""

    code: str = "Error"
    message: str = ""
    kind: str = "user"
    retryable: bool = True
    trace: str = ""


class OutputError(Exception):
    """An output is missing or of another type."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Collector:
    """Takes what attempts have left into storage."""

    def __init__(self, storage: Storage, files: Files) -> None:
        self._storage, self._files = storage, files

    def outcome(
        self, request: AttemptRequest, attempt: AttemptFiles, end: End, secrets: PlacedSecrets | None = None
    ) -> Outcome:
        """What became of an attempt whose container has ended so; its page is masked. Raises OSError if storage fails."""
        spec = request.task.container
        assert spec is not None
        folder = f"{attempt.path}/{TASK}"
        page = bring_page(folder, attempt, secrets)
        found = self._of_command(request, attempt, end) if spec.command else self._of_function(request, attempt, end)
        seen = {**evidence(end), **(reported(folder) if _regular(f"{folder}/report") else {})}
        seen.pop("deck", None)  # where it was
        seen.update(page)
        if isinstance(found, Succeeded):
            return Succeeded(found.outputs, evidence=seen)
        if isinstance(found, Failed):
            info = found.error
            if os.path.exists(attempt.log):
                seen["log"] = attempt.log
            return Failed(msgspec.structs.replace(info, evidence={**info.evidence, **seen}))
        return found

    def _of_command(self, request: AttemptRequest, attempt: AttemptFiles, end: End) -> Outcome:
        folder = f"{attempt.path}/{TASK}"
        if (said := _said(folder)) is not None:
            return Failed(said)
        if (wrong := failure(end)) is not None:
            return Failed(wrong)
        values = Values(self._storage, f"{attempt.path}/scratch")
        io = _Contained(values.io, folder)
        outputs: Literals = {}
        try:
            together = _together(folder)
            for variable in request.task.interface.outputs:
                value = self._value(folder, variable, together)
                try:
                    outputs[variable.name] = values.literal(encode_generic(value, variable.type, io), variable.type)
                except (ValueMismatch, LimitExceeded, ValueError, PermissionError) as error:
                    raise OutputError("TypeError", f"output {variable.name}: {error}") from error
        except OutputError as error:
            return Failed(ErrorInfo(error.code, f"Task {request.task.name}: {error}"))
        return Succeeded(outputs)

    def _value(self, folder: str, variable: Any, together: dict[str, Any]) -> Any:
        path = f"{folder}/outputs/{variable.name}"
        if _is_folder(f"{folder}/outputs") and os.path.lexists(path):
            if is_path(variable.type):
                return path
            data = read(path, TEXT_BYTES_MAX)
            if data is None:
                raise OutputError("TypeError", f"output {variable.name}: {INSIDE}/outputs/{variable.name} is no file")
            try:
                return parsed(data, variable.type)
            except (ValueMismatch, LimitExceeded) as error:
                raise OutputError("TypeError", f"output {variable.name}: {error}") from error
        if variable.name in together:
            return together[variable.name]
        if optional(variable.type):
            return None
        raise OutputError(
            "OutputMissing",
            f"it ended well, but left no output {variable.name}: neither {INSIDE}/outputs/{variable.name} "
            f"nor {variable.name!r} in {INSIDE}/outputs.json",
        )

    def _of_function(self, request: AttemptRequest, attempt: AttemptFiles, end: End) -> Outcome:
        folder = f"{attempt.path}/{TASK}"
        outcome = job_outcome(folder) if all(_regular(f"{folder}/{n}") for n in _named(folder)) else None
        if outcome is None or not end.started:
            return Failed(without_outcome(end) if end.started else failure(end) or without_outcome(end))
        if isinstance(outcome, Succeeded):
            try:
                self._take(request, folder, outcome.outputs, Values(self._storage, f"{attempt.path}/scratch"))
            except (ValueMismatch, LimitExceeded, ValueError, FileNotFoundError) as error:
                message = f"Task {request.task.name}: what its outputs refer to is not in its store: {error}"
                return Failed(ErrorInfo("OutputLost", message, ErrorKind.SYSTEM))
        return outcome

    def _take(self, request: AttemptRequest, folder: str, outputs: Literals, values: Values) -> None:
        """Have in storage what the outputs of a Python task refer to, which it has put into its own store."""
        adopt = self._files.adopt
        root = f"{folder}/{STORE}"

        def put(content: File | Directory) -> str:
            if content.blob is not None:
                adopt(content.blob, root)
            return ""

        for variable in request.task.interface.outputs:
            literal = outputs[variable.name]
            for blob in offloaded(literal):
                adopt(blob, root)
            plain(decode_generic(values.wire(literal), variable.type, values.io), put)


class _Contained:
    """A `BlobIO` that takes paths as the container knows them, and none that lead out of its folder."""

    def __init__(self, io: BlobIO, folder: str) -> None:
        self._io, self._folder = io, folder

    def put_file(self, path: str, name: str) -> Blob:
        inside = self._inside(path)
        _no_other(inside, path)
        if not _regular(inside):
            raise IsADirectoryError(path) if os.path.isdir(inside) else FileNotFoundError(path)
        return self._io.put_file(inside, name)

    def put_directory(self, path: str, name: str) -> Blob:
        inside = self._inside(path)
        _no_other(inside, path)
        if not _is_folder(inside):
            raise NotADirectoryError(path) if os.path.exists(inside) else FileNotFoundError(path)
        return self._io.put_directory(inside, name)

    def fetch(self, blob: Blob) -> str:
        return self._io.fetch(blob)

    def open(self, blob: Blob, mode: str) -> IO[Any]:
        return self._io.open(blob, mode)

    def scratch(self, name: str) -> str:
        return self._io.scratch(name)

    def _inside(self, path: str) -> str:
        if path.startswith(self._folder + "/"):
            local = path
        elif path.startswith(INSIDE + "/"):
            local = f"{self._folder}/{path.removeprefix(INSIDE + '/')}"
        else:
            local = os.path.normpath(f"{self._folder}/{path.lstrip('/')}") if not path.startswith("/") else ""
        parent = os.path.realpath(os.path.dirname(local)) if local else ""
        if not (parent + "/").startswith(os.path.realpath(self._folder) + "/"):
            raise ValueMismatch(f"the path {path!r} is not below {INSIDE}")
        return f"{parent}/{os.path.basename(local)}"


def read(path: str, bytes_max: int) -> bytes | None:
    """The content of a regular file, None if there is none. Raises `OutputError` if it is too long."""
    try:
        # Neither a link nor a pipe may lead elsewhere, or have this wait.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        return None
    with open(fd, "rb") as file:
        if status.st_size > bytes_max:
            raise OutputError(
                "LimitExceeded", f"{os.path.basename(path)} has {status.st_size} bytes; at most {bytes_max} are read"
            )
        return file.read(bytes_max)


def _together(folder: str) -> dict[str, Any]:
    """What ``outputs.json`` says."""
    data = read(f"{folder}/outputs.json", TEXT_BYTES_MAX)
    if data is None:
        return {}
    try:
        check_depth(data)
        found = msgspec.json.decode(data)
    except (ValueError, LimitExceeded) as error:
        raise OutputError("TypeError", f"{INSIDE}/outputs.json cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise OutputError("TypeError", f"{INSIDE}/outputs.json is no object with a field for each output")
    return found


def _said(folder: str) -> ErrorInfo | None:
    """The error that a program has left."""
    try:
        data = read(f"{folder}/error.json", ERROR_BYTES_MAX)
        if data is None:
            return None
        check_depth(data)
        said = msgspec.json.decode(data, type=Said)
    except (ValueError, LimitExceeded, OutputError) as error:
        return ErrorInfo("Error", f"The program failed; its error.json cannot be read: {error}")
    kind = ErrorKind.SYSTEM if said.kind.lower() == "system" else ErrorKind.USER
    code = said.code[:100] or "Error"
    return ErrorInfo(code, said.message[:MESSAGE_CHARS_MAX] or code, kind, said.retryable, said.trace[:TRACE_CHARS_MAX])


def _named(folder: str) -> list[str]:
    """Files with the outcome of a Python task."""
    return [name for name in ("outputs", "suspended", "error") if os.path.lexists(f"{folder}/{name}")]


def _no_other(path: str, name: str) -> None:
    """Raise ValueError for what is there and neither a file nor a folder."""
    if os.path.islink(path):
        raise ValueError(f"{name} is a link, which is not followed")
    if os.path.lexists(path) and not _regular(path) and not _is_folder(path):
        raise ValueError(f"{name} is neither a file nor a folder, but a pipe or the like")


def _regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
