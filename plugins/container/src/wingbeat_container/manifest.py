"""What the engine is asked to create for an attempt: the body of ``POST /containers/create``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

INSIDE = "/wingbeat"
"""Where an attempt finds its directory."""
LOG_TIMES, LOG_BYTES_MIN = 16, 64 * 2**20
"""How much longer the engine's own log may be: it has the time before each line, and what it drops cannot be read any more."""
LABEL_HOME = "wingbeat.home"
LABEL_ATTEMPT = "wingbeat.attempt"
LABEL_KERNEL = "wingbeat.kernel"
LABEL_TASK = "wingbeat.task"


class Mount(Struct, frozen=True):
    """A file or folder of the machine, in the container."""

    source: str
    target: str
    writable: bool = False


class Plan(Struct, frozen=True):
    """A container, in our words.

    Attributes:
        image: Id of the image, so that what was looked at is what runs.

        user: ``uid:gid``, or empty for the image's own.
    """

    image: str
    command: tuple[str, ...]
    labels: Mapping[str, str]
    variables: Mapping[str, str]
    mounts: tuple[Mount, ...]
    user: str = ""
    network: bool = False
    writable: bool = False
    cpu: float | None = None
    memory_bytes: int | None = None
    pids_max: int = 4096
    tmp_bytes_max: int = 256 * 2**20
    log_bytes_max: int = 64 * 2**20
    ulimits: tuple[str, ...] = ()
    security: tuple[str, ...] = ("no-new-privileges",)


def body(plan: Plan) -> dict[str, Any]:
    """The JSON that says so."""
    host: dict[str, Any] = {
        "Mounts": [_mount(each) for each in plan.mounts],
        "NetworkMode": "bridge" if plan.network else "none",
        "ReadonlyRootfs": not plan.writable,
        "CapDrop": ["ALL"],
        "SecurityOpt": list(plan.security),
        "PidsLimit": plan.pids_max,
        "Ulimits": [_ulimit(each) for each in plan.ulimits],
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(max(LOG_TIMES * plan.log_bytes_max, LOG_BYTES_MIN))},
        },
        "RestartPolicy": {"Name": "no"},
    }
    if not plan.writable:
        host["Tmpfs"] = {"/tmp": f"rw,nosuid,nodev,exec,mode=1777,size={plan.tmp_bytes_max}"}  # noqa: S108  # the container's
    if plan.memory_bytes is not None:
        host |= {"Memory": plan.memory_bytes, "MemorySwap": plan.memory_bytes}  # no swap beside it
    if plan.cpu is not None:
        host["NanoCpus"] = round(plan.cpu * 1e9)
    return {
        "Image": plan.image,
        "Entrypoint": list(plan.command),
        "Cmd": [],
        "User": plan.user,
        "WorkingDir": f"{INSIDE}/work",
        "Env": [f"{name}={value}" for name, value in sorted(plan.variables.items())],
        "Labels": dict(plan.labels),
        "Tty": False,
        "OpenStdin": False,
        "HostConfig": host,
    }


def container_name(home: str, attempt: str) -> str:
    """Name of an attempt's container: the same whoever asks, and no other's on this machine.

    Args:
        home: Identity of the home, a hexadecimal digest.
    """
    from hashlib import sha256

    execution, node, number = attempt.split("/")
    readable = "-".join(
        "".join(c if c.isalnum() and c.isascii() else "-" for c in part)[:40] for part in (execution, node)
    )
    return f"wingbeat-{readable}-{number}-{sha256(f'{home}/{attempt}'.encode()).hexdigest()[:16]}"


def _mount(mount: Mount) -> dict[str, Any]:
    # Not as `Binds`: a source that is not there is to be an error, and no new folder.
    return {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": not mount.writable}


def _ulimit(text: str) -> dict[str, Any]:
    name, _, values = text.partition("=")
    soft, _, hard = values.partition(":")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}


def parse_mount(text: str) -> Mount:
    """A mount as settings write it: ``SOURCE:TARGET[:ro|rw]``. Raises ValueError."""
    parts: Sequence[str] = text.split(":")
    if (
        len(parts) not in (2, 3)
        or not all(part.startswith("/") for part in parts[:2])
        or parts[2:] not in ([], ["ro"], ["rw"])
    ):
        raise ValueError(f"{text!r} is no mount; write for example '/data:/data:ro'")
    return Mount(parts[0], parts[1], writable=parts[2:] == ["rw"])
