"""Secrets of attempts: in memory on this machine, read-only files in the container, gone with it.

::

    /dev/shm/wingbeat-UID/HOME/CONTAINER/NAME   here; nobody else gets below the first folder
    /run/secrets/NAME                           in the container, whoever it runs as

The engine is told the place only: what it is told as a variable it writes down.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat

from wingbeat.attempts import PlacedSecrets
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import AttemptRequest, ErrorInfo, Failed, Outcome, Succeeded
from wingbeat.spec.entities import TaskSpec
from wingbeat_container.config import AS_FILE, NOT_IN_VARIABLE, in_variable

MEMORY = "/dev/shm"  # noqa: S108  # in memory, below a folder of our own
INSIDE = "/run/secrets"
"""Where Docker's own are, too."""


class Held:
    """The secrets of this home's attempts.

    Args:
        home: Identity of the home.
    """

    def __init__(self, home: str) -> None:
        self._top = f"{MEMORY}/wingbeat-{os.getuid()}"
        self._folder = f"{self._top}/{home}"

    def path(self, container: str) -> str:
        """Where those of a container are."""
        return f"{self._folder}/{container}"

    def known(self, container: str, request: AttemptRequest | None) -> PlacedSecrets | None:
        """Those of a container that was started by somebody else, None if it has none. Raises OSError where they are gone and the
        source has none either: nothing could be masked."""
        found = PlacedSecrets.read(self.path(container))
        if found is not None or request is None or not request.task.secrets:
            return found
        looked = PlacedSecrets.look_up(request)
        if isinstance(looked, PlacedSecrets):
            return looked
        raise OSError(looked.message)

    def put(self, container: str, request: AttemptRequest) -> PlacedSecrets | ErrorInfo:
        """Look them up and put them there, in the place of what is left from somebody who did not come to start the container;
        or say why the attempt fails. Raises OSError, ConfigurationError."""
        task, secret = request.task, in_variable(request.task)
        if secret is not None and task.container is not None and task.container.command:
            raise ConfigurationError(
                f"Task {task.name} wants {NOT_IN_VARIABLE.format(secret)}.", hint=AS_FILE.format(secret)
            )
        found = PlacedSecrets.look_up(request)
        if isinstance(found, PlacedSecrets):
            self._make()
            self.forget(container)
            found.put(self.path(container))
        return found

    def forget(self, container: str) -> None:
        """They are needed no more."""
        shutil.rmtree(self.path(container), ignore_errors=True)

    def containers(self) -> list[str]:
        """Of which containers some are there."""
        with contextlib.suppress(OSError):
            return os.listdir(self._folder)
        return []

    def _make(self) -> None:
        """Everybody may make folders in memory: take none that somebody else has made."""
        if not os.path.isdir(MEMORY):
            raise ConfigurationError(
                f"Secrets of containers are kept in memory, in {MEMORY}, which this machine does not have.",
                hint="They take Linux. Give the task no secrets, or run it as a process.",
            )
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._top, 0o700)
        found = os.lstat(self._top)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise ConfigurationError(
                f"{self._top} is no folder that only you can get into; secrets are not put there.", hint="Remove it."
            )
        os.makedirs(self._folder, exist_ok=True)


def variables(task: TaskSpec) -> dict[str, str]:
    """What a program finds in its environment: paths. A Python task sets its variables itself."""
    if task.container is None or not task.container.command:
        return {}
    return {secret.file: f"{INSIDE}/{secret.name}" for secret in task.secrets if secret.file}


def masked(outcome: Outcome, task: str, secrets: PlacedSecrets) -> Outcome:
    """The outcome of an attempt as it may be kept: a failure, if it gives a secret away."""
    match outcome:
        case Succeeded(outputs, evidence):
            leak = secrets.leaked(task, outputs)
            info = secrets.error(leak or ErrorInfo("", "", evidence=evidence))
            return Failed(info) if leak else Succeeded(outputs, info.evidence)
        case Failed(info):
            return Failed(secrets.error(info))
        case _:
            return outcome
