"""The leader of a gang: an attempt's process that forks its members, and ends when they have.

To everybody else a gang is an attempt like any other: it is claimed once, by the leader, so it runs once; its end is the
leader's end; whoever cancels it signals the leader. What holds a gang together does not depend on the kernel or the warm
parent, which may be gone: the leader stops the others when one fails. If it is killed itself, so are the members (by the
system, and by whoever reaps or adopts the attempt), and each of them holds the claim as long as it lives.

Its one record is the file ``gang``. Only when nothing of any member runs are the outputs of the first one published, or the
error of the one that failed first.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import msgspec
from msgspec.structs import replace

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import ErrorInfo
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.gang import Member
from wingbeat.runtime import attempt, claim, files, limits, logfilter, logs, reap
from wingbeat.runtime.gangrecord import Record, Seen
from wingbeat.runtime.job import BROKEN, Exit, Gang, Job
from wingbeat.runtime.logfilter import Filter

HOST = "127.0.0.1"
POLL_S = 0.05
"""How often members are looked at where the system does not tell of their end."""
LOGS_S = 1.0
PORT_MIN = 10_000
PORT_TRIES = 1000


class Process:
    """A member, seen by its leader."""

    def __init__(self, job: Job, *, serves: bool) -> None:
        assert job.member is not None
        self.name, self.job, self.serves = job.member.name, job, serves
        self.groups = attempt.control_groups(job)
        self.pid = 0
        self.fd: int | None = None
        self.filter: Filter | None = None
        self.exit: Exit | None = None
        self.stopped = False

    @property
    def runs(self) -> bool:
        """Whether it has a process that has not been reaped."""
        return self.pid > 0 and self.exit is None

    @property
    def succeeded(self) -> bool:
        """Whether its outcome is there, however its process ended after that."""
        return os.path.exists(f"{self.job.own}/{files.OUTPUTS}")


def lead(job: Job, inputs: bytes, control: int = -1) -> int:
    """Run the members of an attempt to their end, and publish what became of it. Answers with the exit code.

    If it has secrets, this process's streams, and `control`, lead to the filter of the first member.

    Told to stop (SIGTERM), it stops them, and ends by that signal.
    """
    gang = job.gang
    assert gang is not None
    with _reserved(gang) as addresses, _told_to_stop() as asked:
        leader = Leader(job, gang, addresses, asked, control)
        try:
            leader.begin(inputs)
            leader.follow()
        except OSError as error:
            if leader.begun:
                raise
            leader.kill()
            message = f"Not all processes of the gang could be made: {error}. None of them has begun."
            _write_error(job.directory, ErrorInfo("GangNotStarted", message, ErrorKind.SYSTEM))
            return 1
        finally:
            leader.kill()
        code = leader.publish()
    if code and asked.came and not leader.failed:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    return code


class Leader:
    """The members of one attempt.

    Args:
        addresses: Where each may listen.

        asked: Says whether the attempt is to be stopped.

        control: By which the first member tells its filter what to mask.

    Attributes:
        failed: The name of the member that failed first.

        begun: Whether members may have begun.
    """

    def __init__(self, job: Job, gang: Gang, addresses: dict[str, tuple[str, ...]], asked: Asked, control: int) -> None:
        self.failed, self.begun = "", False
        self._job, self._gang, self._asked, self._control = job, gang, asked, control
        serving = {role.name for role in gang.roles if role.serves}
        self._members = [
            Process(replace(job, gang=None, member=Member(role, index, addresses)), serves=role in serving)
            for role, index in gang.names
        ]
        self._poll = select.epoll() if hasattr(select, "epoll") and hasattr(os, "pidfd_open") else None
        self._kill_at: float | None = None

    def begin(self, inputs: bytes) -> None:
        """Fork all members, and let them go on once each has a process. Raises OSError; then none of them has begun."""
        gate, opener = os.pipe()
        hit("gang.claimed")
        try:
            for member in self._members:
                os.makedirs(f"{member.job.own}/{files.WORK}", exist_ok=True)
                self._fork(member, inputs, gate, opener)
                hit("gang.forked")
            self._record()
            hit("gang.recorded")
            self.begun = True
            os.write(opener, bytes(len(self._members)))
        finally:
            os.close(gate)
            os.close(opener)  # who has not read by then was not to begin
        hit("gang.begun")

    def _fork(self, member: Process, inputs: bytes, gate: int, opener: int) -> None:
        if member is self._members[0]:
            log, control = os.dup(1), self._control
        else:
            log, control = self._log(member, (gate, opener))
        held, leader = claim.lend(), os.getpid()
        pid = -1
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            pid = os.fork()
            if pid == 0:
                _be(member, inputs, log, control, held, leader, (gate, opener), self._descriptors())
        finally:
            if pid != 0:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
                os.close(log)
                os.close(held)
                if control >= 0:
                    os.close(control)
        member.pid = pid
        with suppress(OSError):
            os.setpgid(pid, pid)  # it does so too; whoever comes first
        if self._poll is not None:
            member.fd = os.pidfd_open(pid)
            self._poll.register(member.fd, select.EPOLLIN)

    def _log(self, member: Process, unwanted: tuple[int, ...]) -> tuple[int, int]:
        """Where a member that is not the first writes what it prints, and, if that is a filter, what is to be masked."""
        log = files.open_log(member.job.own)
        if not self._job.secrets:
            return log, -1
        try:
            member.filter = logfilter.start(log, [*unwanted, *self._descriptors()])
        finally:
            os.close(log)
        return member.filter.output, member.filter.control

    def _descriptors(self) -> list[int]:
        own = [member.fd for member in self._members if member.fd is not None]
        return [*own, *([] if self._poll is None else [self._poll.fileno()]), *self._asked.descriptors]

    def follow(self) -> None:
        """Return when all members have ended: by themselves, or stopped."""
        if self._poll is not None:
            self._poll.register(self._asked.descriptors[0], select.EPOLLIN)
        logs_at = time.monotonic() + LOGS_S
        while any(member.runs for member in self._members):
            for member in self._ended(self._wait_s(logs_at)):
                self._reap(member)
            if self._asked.came:
                self._stop(self._members, "the attempt is to end")
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self.kill()
            if time.monotonic() >= logs_at:
                logs_at = time.monotonic() + LOGS_S
                self._trim_logs()
        hit("gang.ended")

    def kill(self) -> None:
        """Kill and reap what still runs; nothing if all have ended."""
        for member in self._members:
            if member.runs:
                member.stopped = True
                reap.kill_group(member.pid)
        for member in self._members:
            if member.runs:
                self._close(member)

    def publish(self) -> int:
        """Say what became of the attempt, as the outcome of one that has one process. Answers with the exit code."""
        self._record()
        first, directory = self._members[0], self._job.directory
        if not self.failed and all(member.succeeded or member.serves for member in self._members):
            hit("gang.succeeded")
            os.rename(f"{first.job.own}/{files.OUTPUTS}", f"{directory}/{files.OUTPUTS}")
            hit("gang.published")
            return 0
        with suppress(StopIteration, FileNotFoundError):
            failed = next(member for member in self._members if member.name == self.failed)
            os.rename(f"{failed.job.own}/{files.ERROR}", f"{directory}/{files.ERROR}")
        return 1

    def _wait_s(self, logs_at: float) -> float:
        until = logs_at if self._kill_at is None else min(logs_at, self._kill_at)
        return min(max(0.0, until - time.monotonic()), POLL_S if self._poll is None else LOGS_S)

    def _ended(self, timeout_s: float) -> list[Process]:
        """Members that have ended, in that order where the system tells it."""
        running = [member for member in self._members if member.runs]
        if self._poll is not None:
            found = [fd for fd, _ in self._poll.poll(timeout_s)]
            self._asked.drain()
            return [member for fd in found for member in running if member.fd == fd]
        time.sleep(timeout_s)
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return [member for member in running if os.waitid(os.P_PID, member.pid, flags) is not None]

    def _reap(self, member: Process) -> None:
        self._close(member)
        hit("gang.member-ended")
        if not member.succeeded and not member.stopped and not self.failed:
            self.failed = self._first(member).name
            self._stop(self._members, f"{self.failed} has failed")
        elif all(other.exit is not None or other.serves for other in self._members):
            self._stop(self._members, "all others have succeeded")
        self._record()

    def _first(self, ended: Process) -> Process:
        """Which of the members that have failed did so first, the first of them having ended now: one that still cleans up may
        have written its error before."""

        def failed_at(member: Process) -> float:
            try:
                return os.stat(f"{member.job.own}/{files.ERROR}").st_mtime
            except FileNotFoundError:
                return time.time() if member is ended else float("inf")

        return min([ended, *(m for m in self._members if not m.stopped and m is not ended)], key=failed_at)

    def _stop(self, members: list[Process], why: str) -> None:
        """Ask those to end that run and were not asked yet; they are killed after a grace."""
        stopped = [member for member in members if member.runs and not member.stopped]
        for member in stopped:
            member.stopped = True
            reap.kill_group(member.pid, signal.SIGTERM)
        if stopped:
            self._kill_at = time.monotonic() + self._gang.grace_s
            _say(f"{why}; stopping {', '.join(member.name for member in stopped)}")

    def _close(self, member: Process) -> None:
        """Kill what a member that has ended, or was killed, has left; keep how it ended."""
        os.waitid(os.P_PID, member.pid, os.WEXITED | os.WNOWAIT)
        reap.kill_group(member.pid)  # while its number is taken
        _, status, spent = os.wait4(member.pid, 0)
        member.exit = reap.exit_of(member.pid, status, spent, limits.usage(member.groups))
        if member.fd is not None:
            os.close(member.fd)
            member.fd = None
        reap.kill_orphans(self._kept())
        if member.filter is not None:
            member.filter.wait()
            member.filter = None
        limits.remove(member.groups)
        if not member.succeeded and not member.stopped:
            how = member.exit.signal or f"exit code {member.exit.exit_code}"
            _say(f"{member.name} has failed ({how})")

    def _kept(self) -> set[int]:
        """Children that still have something to do."""
        running = {member.pid for member in self._members if member.runs}
        return running | {member.filter.pid for member in self._members if member.filter is not None}

    def _record(self) -> None:
        """Whoever follows the attempt may know less of it, but this fails no attempt."""
        seen = {m.name: Seen(m.pid, m.exit, m.stopped) for m in self._members if m.pid}
        with suppress(OSError):
            files.write_atomic(self._job.directory, files.GANG, msgspec.json.encode(Record(seen, self.failed)))

    def _trim_logs(self) -> None:
        for member in self._members[1:]:  # the first one's is the attempt's, and its parent's business
            with suppress(OSError):
                logs.trim(member.job.own, self._gang.log_bytes_max)


def _say(what: str) -> None:
    """In the log, which loses it where the disk is full, or where the first member was killed before it had its secrets."""
    with suppress(OSError):
        sys.stderr.write(f"wingbeat: {what}\n")


def _write_error(directory: str, error: ErrorInfo) -> None:
    files.write_when_there_is_room(directory, files.ERROR, msgspec.json.encode(error))


def _be(
    member: Process,
    inputs: bytes,
    log: int,
    control: int,
    held: int,
    leader: int,
    gate: tuple[int, int],
    descriptors: list[int],
) -> NoReturn:
    """In the forked process: be the member, once all others have a process too."""
    try:
        os.setpgid(0, 0)  # a group of its own in the leader's session, so that it can be stopped alone
        attempt.end_with_parent()
        claim.hold(held)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for fd in (gate[1], *descriptors):
            os.close(fd)
        if os.read(gate[0], 1) != b"\0" or os.getppid() != leader:
            os._exit(BROKEN)  # the leader could not start all, or is dead
        os.close(gate[0])
        os.environ.update(attempt.variables(member.job))
    except BaseException:  # noqa: BLE001 - two processes must not both go on as the leader
        traceback.print_exc(file=sys.stderr)
        os._exit(BROKEN)
    attempt.run(member.job, inputs, log, member.groups, control=control)


class Asked:
    """Whether this process was told to stop."""

    def __init__(self, reader: socket.socket, writer: socket.socket) -> None:
        self.came = False
        self._reader = reader
        self.descriptors = [reader.fileno(), writer.fileno()]

    def drain(self) -> None:
        """Have the next signal wake whoever waits for the first descriptor."""
        with suppress(BlockingIOError):
            while self._reader.recv(64):
                pass


@contextmanager
def _told_to_stop() -> Iterator[Asked]:
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        asked = Asked(reader, writer)

        def come(_number: int, _frame: object) -> None:
            asked.came = True

        signal.signal(signal.SIGTERM, come)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield asked
        finally:
            signal.set_wakeup_fd(-1)


@contextmanager
def _reserved(gang: Gang) -> Iterator[dict[str, tuple[str, ...]]]:
    """An address for each member, by role. No other gang of this machine is given one of them meanwhile."""
    held: list[socket.socket] = []
    try:
        found: dict[str, tuple[str, ...]] = {}
        for role in gang.roles:
            found[role.name] = tuple(f"{HOST}:{_free_port(held)}" for _ in range(role.count))
        yield found
    finally:
        for sock in held:
            sock.close()


def _free_port(held: list[socket.socket]) -> int:
    """A port at which nobody listens, below those that the system gives to outgoing connections: members open it only when
    their libraries are loaded. An abstract name, which ends with this process, keeps other gangs off it."""
    for _ in range(PORT_TRIES):
        port = PORT_MIN + int.from_bytes(os.urandom(4), "big") % (_ephemeral() - PORT_MIN)
        if sys.platform == "linux":
            mark = socket.socket(socket.AF_UNIX)
            try:
                mark.bind(f"\0wingbeat-port-{port}")
            except OSError:
                mark.close()
                continue
            held.append(mark)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
    raise OSError(f"no free port was found for a member of the gang, of {PORT_TRIES} that were tried")


def _ephemeral() -> int:
    """The first port that the system may give to an outgoing connection."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            first = int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        first = 32_768
    return first if first > PORT_MIN + PORT_TRIES else 60_000
