"""From an attempt, what it was staged with and the settings to the plan of its container."""

from __future__ import annotations

import os

from wingbeat.attempts import attempt_variables
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import AttemptRequest
from wingbeat_container import manifest
from wingbeat_container.model import Image
from wingbeat_container.packages import abi
from wingbeat_container.secrets import INSIDE, variables
from wingbeat_container.settings import ContainerSettings
from wingbeat_container.staging import Staged


def plan(
    request: AttemptRequest,
    staged: Staged,
    image: Image,
    user: str,
    home: str,
    settings: ContainerSettings,
    secrets: str = "",
) -> manifest.Plan:
    """The container of an attempt.

    Args:
        user: Whom it runs as if its task names none.

        home: Identity of the home.

        secrets: Folder of its secrets; empty if it has none.
    """
    task = request.task
    spec = task.container
    assert spec is not None, "the engine gives it tasks with a container"
    own = {
        "HOME": "/tmp",  # noqa: S108  # the container's
        "WINGBEAT_INPUTS": f"{manifest.INSIDE}/inputs",
        "WINGBEAT_OUTPUTS": f"{manifest.INSIDE}/outputs",
        "WINGBEAT_IMAGE": spec.image,
    }
    if not spec.command:
        own |= {"WINGBEAT_PYTHON": abi(), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return manifest.Plan(
        image=image.id,
        command=staged.command,
        labels={
            manifest.LABEL_HOME: home,
            manifest.LABEL_ATTEMPT: request.id,
            manifest.LABEL_KERNEL: f"{os.uname().nodename}:{os.getpid()}",
            manifest.LABEL_TASK: task.name,
        },
        variables={**own, **attempt_variables(request, manifest.INSIDE), **variables(task)},
        mounts=(
            *staged.mounts,
            *([manifest.Mount(secrets, INSIDE)] if secrets else []),
            *map(manifest.parse_mount, settings.mounts),
        ),
        user=spec.user or user,
        network=spec.network,
        writable=spec.writable,
        cpu=task.resources.cpu,
        memory_bytes=task.resources.memory_bytes,
        pids_max=settings.pids_max,
        tmp_bytes_max=settings.tmp_bytes_max,
        log_bytes_max=settings.log_bytes_max,
        ulimits=settings.all_ulimits,
        security=settings.security,
    )


def check_mounts(settings: ContainerSettings) -> None:
    """Raise ConfigurationError for a mount that is none."""
    for text in settings.mounts:
        try:
            manifest.parse_mount(text)
        except ValueError as error:
            raise ConfigurationError(f"[container] mounts: {error}.") from error
