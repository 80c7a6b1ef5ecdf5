"""Settings of the container executor."""

from __future__ import annotations

import os
import resource

from msgspec import Struct

from wingbeat.base.settings import Count, Seconds

NOFILE_MAX = 2**16
NPROC_MAX = 2**15


class ContainerSettings(Struct, frozen=True, omit_defaults=True):
    """How attempts run in containers of this machine.

    Attributes:
        socket: Path of the engine's Unix socket. Empty: that of ``DOCKER_HOST``, else the first that is there of those where
            Docker and Podman have it.

        slots: How many containers run at once; 0 is one for each core, at least two. A task with ``resources.cpu`` over 1 takes
            that many, at most all.

        connect_s: How long an engine that has never answered may take to, before the attempt fails.

        request_s: How long an answer of the engine may take.

        pull_s: How long fetching an image may take.

        start_s: How long starting a container may take.

        cancel_grace_s: Time between SIGTERM and SIGKILL when an attempt is cancelled.

        keep_s: A container that has ended and that nobody asked about is removed after this long. One whose outcome is kept is
            removed at once.

        sweep_s: Time between two looks for such containers.

        log_bytes_max: The middle of an attempt's log is taken out when the log is longer.

        tmp_bytes_max: Size of ``/tmp`` in a container that may not write into its image; it counts as memory.

        pids_max: How many processes and threads a container may have.

        ulimits: Limits of the container's processes, as ``nofile=1024:1024``. Those of ``nofile`` and ``nproc`` are else as high
            as the kernel's own, at most 65536 and 32768.

        security: Security options, as the engine takes them.

        mounts: Folders of the machine that every container gets, as ``/data:/data:ro`` (or ``:rw``).
    """

    socket: str = ""
    slots: Count = 0
    connect_s: Seconds = 10.0
    request_s: Seconds = 60.0
    pull_s: Seconds = 1800.0
    start_s: Seconds = 120.0
    cancel_grace_s: Seconds = 2.0
    keep_s: Seconds = 7 * 86400.0
    sweep_s: Seconds = 60.0
    log_bytes_max: Count = 64 * 2**20
    tmp_bytes_max: Count = 256 * 2**20
    pids_max: Count = 4096
    ulimits: tuple[str, ...] = ()
    security: tuple[str, ...] = ("no-new-privileges",)
    mounts: tuple[str, ...] = ()

    @property
    def slot_count(self) -> int:
        """The slots, counted."""
        return self.slots or max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)

    @property
    def all_ulimits(self) -> tuple[str, ...]:
        """Ulimits with the defaults: engines that may not raise limits fail with their own, which are higher."""
        chosen = {"nofile": _own(resource.RLIMIT_NOFILE, NOFILE_MAX), "nproc": _own(resource.RLIMIT_NPROC, NPROC_MAX)}
        said = dict(each.split("=", 1) for each in self.ulimits)
        return tuple(f"{name}={value}" for name, value in sorted({**chosen, **said}.items()))


def _own(which: int, most: int) -> str:
    hard = resource.getrlimit(which)[1]
    limit = most if hard == resource.RLIM_INFINITY else min(hard, most)
    return f"{limit}:{limit}"
