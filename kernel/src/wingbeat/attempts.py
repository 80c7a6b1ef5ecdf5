"""The directory of an attempt, as its executor sees it: the door for executors that are not in the box.

Whoever runs attempts elsewhere (in containers, on other machines) keeps the promises of `wingbeat.contracts.executor` with what
is here: a claim that only one can make, the checkpoint of the attempt before, the files that a Python task is started from
and leaves, and values on their way between storage and the world outside.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.ids import attempt_folder, split_attempt_id
from wingbeat.builtin.process.progress import Watch
from wingbeat.builtin.process.slots import Slots
from wingbeat.builtin.process.verdict import written
from wingbeat.contracts.executor import AttemptRequest, Outcome
from wingbeat.contracts.secrets import SourceRef
from wingbeat.contracts.storage import Storage, StorageRef
from wingbeat.runtime import checkpoint, files, limits, logs, report
from wingbeat.runtime.attempt import variables
from wingbeat.runtime.claim import Claim, publish, read
from wingbeat.runtime.job import Job
from wingbeat.runtime.placed import PlacedSecrets
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.literal import Literal
from wingbeat.spec.whole import literal_of, materialise
from wingbeat.types import Blob, LiteralType, Wire

CONTAINED = "wingbeat.runtime.contained"
"""``python -m`` this, with a directory, is the process of a Python task: it finds there what `write_job` wrote.

Variables of its environment that begin with ``WINGBEAT_SECRET_`` are taken out of that before anything of the user's runs."""


class AttemptFiles:
    """The directory of one attempt.

    Args:
        attempts: Folder of all attempts, ``HOME/attempts``.

        attempt: ``execution/node/attempt``. Raises ValueError if it is none.
    """

    def __init__(self, attempts: str, attempt: str) -> None:
        parts = attempt.split("/")
        wrong = any(part in ("", ".", "..") or "\0" in part for part in parts)
        if len(parts) != 3 or wrong or not parts[2].isdecimal():
            raise ValueError(f"{attempt!r} is no attempt's id: expected execution/node/attempt")
        self.id, self._attempts = attempt, attempts
        self.path = f"{attempts}/{attempt_folder(*split_attempt_id(attempt))}"

    @property
    def log(self) -> str:
        """Path of what it prints."""
        return f"{self.path}/{files.LOG}"

    @property
    def checkpoint(self) -> str:
        """Path of its checkpoint."""
        return f"{self.path}/{files.CHECKPOINT}"

    def make(self) -> None:
        """Make the directory, unless it is there."""
        os.makedirs(self.path, exist_ok=True)

    def claim(self) -> bool:
        """Claim the attempt, durably, to start it now. False if that was done before, or it was refused: then it must not be
        started."""
        return self._publish(Claim())

    def refuse(self, reason: str) -> bool:
        """See to it that nobody can claim the attempt. False if somebody has."""
        return self._publish(Claim(cancelled=reason))

    def _publish(self, made: Claim) -> bool:
        fd = publish(self.path, made)
        if fd is None:
            return False
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return True

    def claimed(self) -> bool:
        """Whether it may have been started, or was refused."""
        return read(self.path) is not None

    def refused(self) -> str | None:
        """Why it will never start; None if nobody said so."""
        found = read(self.path)
        return None if found is None else found.cancelled

    def carry_checkpoint(self, source: str) -> None:
        """Give it the checkpoint with which it begins (`AttemptRequest.checkpoint`), before it is claimed. Raises OSError."""
        checkpoint.carry(self._attempts, self.id, source)

    def read(self, name: str) -> bytes | None:
        """A file of the directory, None if there is none. Raises ValueError if it is too large."""
        return files.read_file(self.path, name)

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the directory, whole or not at all."""
        files.write_atomic(self.path, name, data)


def trim_log(folder: str, bytes_max: int) -> bool:
    """Take the middle out of the log in a folder, if it is longer. False if it is not. Raises OSError."""
    return logs.trim(folder, bytes_max)


def fetch_bundle(storage: Storage, digest: str) -> str:
    """A local folder of the code bundle of a digest (`AttemptRequest.bundle`), read-only; empty for none. Raises OSError."""
    if not digest:
        return ""
    return storage.fetch(Blob(f"{storage.scheme}:{digest}", digest, 0, "bundle", layout="directory"))


def files_at(root: str) -> StorageRef:
    """The storage of files below `root`, for `write_job`: where an attempt cannot reach that of the home."""
    return StorageRef("store", "wingbeat.builtin.filestore:FileStore", {"root": root})


def write_job(
    request: AttemptRequest, folder: str, *, inside: str, bundle: str, storages: Sequence[StorageRef], secrets: str = ""
) -> None:
    """Write what the process of a Python task is started from (`CONTAINED`).

    Args:
        folder: Where its directory is here.

        inside: Where it finds that directory.

        bundle: Where it finds the code.

        storages: What it reads from; the first is where it stores. `Home.storages` where it can reach them, or `files_at`.

        secrets: Where it finds its secrets, which were put there (`PlacedSecrets`); empty if it has none. Whoever keeps its log
            masks that.

    Raises ConfigurationError if the task has secrets and nothing says where they are.
    """
    task = request.task
    if task.secrets and not secrets:
        raise ConfigurationError(
            f"Task {task.name} has secrets, and its executor has not said where the attempt finds them.",
            hint="Whoever keeps what an attempt prints has to mask it: look them up by PlacedSecrets, put them into a folder, "
            "and give that as write_job(…, secrets=…).",
        )
    job = Job(
        id=request.id,
        directory=inside,
        task=task.name,
        module=task.entry.module,
        function=task.entry.function,
        outputs=tuple(output.name for output in task.interface.outputs),
        run_s=task.timeout.run_s,
        bundle=bundle,
        storages=tuple(storages),
        wrappers=task.wrappers,
        variables={**task.variables, **request.variables},
        secrets=task.secrets,
        source=SourceRef("placed", "wingbeat.runtime.placed:FolderSource", {"folder": secrets}) if secrets else None,
        cpu=task.resources.cpu,
        memory_bytes=task.resources.memory_bytes,
        replay=request.replay,
    )
    files.write_atomic(folder, files.REQUEST, msgspec.json.encode(job))
    files.write_atomic(folder, files.INPUTS, msgspec.json.encode(request.inputs))


def job_outcome(folder: str) -> Outcome | None:
    """What the process of a Python task has written of its end; None if nothing that can be read."""
    return written(folder)


def attempt_variables(request: AttemptRequest, inside: str) -> dict[str, str]:
    """The environment variables that every attempt finds; `inside` is where it finds its directory."""
    task = request.task
    job = Job(
        id=request.id,
        directory=inside,
        task=task.name,
        module="",
        function="",
        variables={**task.variables, **request.variables},
    )
    return {**limits.thread_variables(task.resources.cpu), **variables(job)}


def reported(folder: str) -> dict[str, Any]:
    """The last that an attempt has said of itself, as it stands in the evidence of its end."""
    found = report.read(folder)
    return {} if found is None else report.evidence_of(report.progress_of(found, folder))


class Values:
    """Values between literals and wires, over a storage.

    Args:
        scratch: Folder for what is written before it is stored.
    """

    def __init__(self, storage: Storage, scratch: str) -> None:
        self.io = StorageIO(storage, scratch)

    def wire(self, literal: Literal) -> Wire:
        """The wire form of an input. Raises OSError, `ValueMismatch`, `LimitExceeded`."""
        return materialise(literal, self.io.read)

    def literal(self, wire: Wire, type_: LiteralType) -> Literal:
        """An output: inline, or stored where it is large."""
        return literal_of(wire, type_, self.io.put_bytes)


__all__ = [
    "CONTAINED", "AttemptFiles", "PlacedSecrets", "Slots", "Values", "Watch", "attempt_variables", "fetch_bundle", "files_at",
    "job_outcome", "reported", "trim_log", "write_job",
]  # fmt: skip
