"""What an attempt finds: its directory, filled before its container is made.

::

    /wingbeat/inputs.json     every input by name, as plain JSON; a file or folder as its path
              inputs/NAME     each input by itself: the text of a scalar, the JSON of a structure, the file or folder itself
              files/N/…       the files and folders, under their own names; read-only
              outputs/        where outputs are left: outputs/NAME each, or all in outputs.json
              checkpoint/     what the attempt before has left
              work/           where the command is run

Of a Python task the directory is that of any attempt's process (`wingbeat.attempts`), with a store of its own, in which the
content of its inputs is mounted, and with the Python packages that it needs under ``.runtime``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from msgspec import Struct, structs

from wingbeat.attempts import AttemptFiles, Values, files_at, write_job
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.contracts.storage import Storage
from wingbeat.spec.literal import Offloaded
from wingbeat.types import Blob, Directory, File, LimitExceeded, ValueMismatch, decode_generic
from wingbeat_container.manifest import INSIDE, Mount
from wingbeat_container.packages import PURE, packages
from wingbeat_container.placeholders import filled, used
from wingbeat_container.plain import is_path, plain, text
from wingbeat_container.secrets import INSIDE as SECRETS

TASK = "task"
"""Folder in an attempt's directory that its container has as its own."""
STORE = "store"
BUNDLE = ".bundle"
MOUNTS_MAX = 512
WORD_BYTES_MAX = 128 * 1024 - 1
"""Longest word of a command that Linux takes."""
_ODD = re.compile(r"[^\w./+-]")
"""Engines take mounts apart at commas and colons."""


class StagingError(Exception):
    """Inputs that cannot be given to a container; nothing about them changes by trying again."""


class Staged(Struct, frozen=True):
    """What a container is made with."""

    command: tuple[str, ...]
    mounts: tuple[Mount, ...]


class Files(Protocol):
    """A storage whose content can be mounted into a container, and taken from what it has left."""

    scheme: str

    def share(self, blob: Blob) -> dict[str, str]:
        """What a store elsewhere has to find below its root to have this blob: place there, and path here."""

    def adopt(self, blob: Blob, root: str) -> None:
        """Have a blob that is in the store at `root`, of which nothing is believed. Raises OSError, ValueError."""


class Stage:
    """Fills the directories of attempts.

    Args:
        storage: Where content is.

        files: That of the home, of which Python tasks have a part.
    """

    def __init__(self, storage: Storage, files: Files) -> None:
        self._storage, self._files = storage, files

    def command(self, request: AttemptRequest, attempt: AttemptFiles) -> Staged:
        """For a command of the author's. Raises `StagingError`; OSError if content cannot be read."""
        folder = self._folder(request, attempt, "inputs", "outputs", "files")
        values = Values(self._storage, f"{attempt.path}/scratch")
        mounts = _Mounts(folder, self._storage.fetch)
        texts, everything = {}, {}
        spec = request.task.container
        assert spec is not None
        placed = used(spec.command)
        for variable in request.task.interface.inputs:
            if variable.name not in request.inputs:
                continue
            try:
                wire = values.wire(request.inputs[variable.name])
                value = decode_generic(wire, variable.type, values.io)
            except (ValueMismatch, LimitExceeded) as error:
                raise StagingError(f"Task {request.task.name}: input {variable.name}: {error}") from error
            said = plain(value, mounts.place)
            everything[variable.name] = said
            path = f"{folder}/inputs/{variable.name}"
            if is_path(variable.type) and said is not None:
                os.symlink(os.path.relpath(said, f"{INSIDE}/inputs"), path)
                texts[variable.name] = said
            else:
                data = value if isinstance(value, bytes) else text(said)
                _write(path, data)
                inline = isinstance(said, str | int | float | None) and not isinstance(value, bytes)
                texts[variable.name] = data.decode() if inline else f"{INSIDE}/inputs/{variable.name}"
            if variable.name in placed and len(texts[variable.name].encode()) > WORD_BYTES_MAX:
                raise StagingError(
                    f"Task {request.task.name}: input {variable.name} is too long for a command; "
                    f"read it from {INSIDE}/inputs/{variable.name}."
                )
        _write(f"{folder}/inputs.json", msgspec.json.format(msgspec.json.encode(everything), indent=2))
        outputs = {each.name: f"{INSIDE}/outputs/{each.name}" for each in request.task.interface.outputs}
        command = tuple(filled(spec.command, texts, outputs))
        return Staged(command, (Mount(folder, INSIDE, writable=True), *self._checkpoint(attempt), *mounts.found))

    def function(self, request: AttemptRequest, attempt: AttemptFiles, bundle: str) -> Staged:
        """For the task's own function. `bundle` is a local folder, empty if there is none. Raises as `command` does."""
        folder = self._folder(request, attempt, STORE, BUNDLE)
        mounts = _Mounts(folder, self._storage.fetch)
        values = Values(self._storage, f"{attempt.path}/scratch")
        for variable in request.task.interface.inputs:
            if variable.name not in request.inputs:
                continue
            for blob in _blobs(request.inputs[variable.name], variable.type, values, request.task.name):
                if not blob.uri.startswith(f"{self._files.scheme}:"):
                    raise ConfigurationError(
                        f"Task {request.task.name}: input {variable.name} is stored as {blob.uri.partition(':')[0]}:, and a "
                        f"Python task in a container reads only what is stored as {self._files.scheme}:, which can be mounted.",
                        hint="Give the task a command, or run it in a process.",
                    )
                for place, path in self._files.share(blob).items():
                    mounts.add(path, f"{STORE}/{place}")
        for place, path in packages().items():
            mounts.add(path, place)
        if bundle:
            mounts.add(bundle, BUNDLE)
        write_job(
            request,
            folder,
            inside=INSIDE,
            bundle=f"{INSIDE}/{BUNDLE}" if bundle else "",
            storages=(files_at(f"{INSIDE}/{STORE}"),),
            secrets=SECRETS if request.task.secrets else "",
        )
        command = ("python3", f"{INSIDE}/{PURE}/wingbeat_container/inside.py", INSIDE)
        return Staged(command, (Mount(folder, INSIDE, writable=True), *self._checkpoint(attempt), *mounts.found))

    def _folder(self, request: AttemptRequest, attempt: AttemptFiles, *names: str) -> str:
        """The folder that the container has as its own, made anew: nothing has run in it, as nobody has claimed the attempt."""
        folder = f"{attempt.path}/{TASK}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        os.makedirs(attempt.checkpoint, exist_ok=True)
        for name in ("work", "checkpoint", *names):
            os.mkdir(f"{folder}/{name}")
        spec = request.task.container
        if spec is not None and spec.user:  # it may be anybody
            for path in (folder, attempt.checkpoint, *(f"{folder}/{name}" for name in ("work", *names))):
                os.chmod(path, 0o777)  # noqa: S103  # nobody gets here but through the home, whose own mode decides
        return folder

    def _checkpoint(self, attempt: AttemptFiles) -> tuple[Mount, ...]:
        return (Mount(attempt.checkpoint, f"{INSIDE}/checkpoint", writable=True),)


class _Mounts:
    """Mounts below an attempt's folder, and the places for them."""

    def __init__(self, folder: str, fetch: Callable[[Blob], str]) -> None:
        self._folder, self._fetch = folder, fetch
        self._found: dict[str, Mount] = {}

    @property
    def found(self) -> tuple[Mount, ...]:
        return tuple(self._found.values())

    def place(self, content: File | Directory) -> str:
        """Have a file or folder in the container; says where."""
        assert content.blob is not None
        place = f"files/{len(self._found)}/{_ODD.sub('_', content.name) or 'content'}"
        self.add(self._fetch(structs.replace(content.blob, name="")), place)
        return f"{INSIDE}/{place}"

    def add(self, source: str, place: str) -> None:
        """Have `source` there. What is mounted over has to be there already: the image's files may be read-only."""
        if place in self._found or _ODD.search(place):
            return  # with such a name it is copied from what has none
        if len(self._found) >= MOUNTS_MAX:
            raise StagingError(f"More than {MOUNTS_MAX} files go into one container; pass them as one Directory.")
        target = f"{self._folder}/{place}"
        if os.path.isdir(source):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _write(target, b"")
        self._found[place] = Mount(source, f"{INSIDE}/{place}")


def _blobs(literal: Any, type_: Any, values: Values, task: str) -> list[Blob]:
    """All content that an input refers to."""
    found: list[Blob] = []

    def keep(content: File | Directory) -> str:
        if content.blob is not None:
            found.append(content.blob)
        return ""

    try:
        plain(decode_generic(values.wire(literal), type_, values.io), keep)
    except (ValueMismatch, LimitExceeded) as error:
        raise StagingError(f"Task {task}: {error}") from error
    return [*found, *offloaded(literal)]


def offloaded(literal: Any) -> list[Blob]:
    """The values by reference in a literal, which the task's process reads itself."""
    if isinstance(literal, Offloaded):
        return [Blob(uri=literal.uri, digest=literal.uri.partition(":")[2], size=literal.size, name="")]
    parts = getattr(literal, "items", None) or [getattr(literal, "of", None)]
    return [blob for part in (parts.values() if isinstance(parts, dict) else parts) if part for blob in offloaded(part)]


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
