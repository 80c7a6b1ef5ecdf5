"""The warm parent: forks attempts of one code bundle in one environment, and reaps them.

``python -m wingbeat.runtime.parent CONFIG`` with its listening socket as descriptor 3. It outlives the kernel that
started it: it goes on reaping and writing ``exit``, serves the next kernel, and ends by itself when it has been idle.
It holds nothing of the command that started it: own session, own log, no descriptor but its own. All of its state is in
the attempts' directories; killing it loses none of them.
"""

# ruff: noqa: SIM105
# descriptors and processes, not paths

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` wraps: its conversions to enums write to eighty pages that a forked child would share
import fcntl
import gc
import os
import resource
import selectors
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from wingbeat.contracts.failpoints import hit
from wingbeat.runtime import attempt, claim, files, inuse, limits, logs, reap, withheld
from wingbeat.runtime.job import (
    BROKEN,
    CONTROL_FD,
    DUPLICATE,
    LISTENER_FD,
    LOCK,
    Ended,
    Exit,
    Frames,
    Hello,
    Importing,
    Job,
    ListRunning,
    Message,
    ParentConfig,
    Run,
    Running,
    Started,
    Unknown,
    Watch,
    pack,
    read_job,
)
from wingbeat.runtime.load import enter_bundle
from wingbeat.runtime.preload import Preloader

if TYPE_CHECKING:
    from wingbeat.runtime.logfilter import Filter

LOGS_S = 1.0
"""How often the size of the logs of running attempts is looked at."""


class Client:
    """A connected kernel."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.frames = Frames()
        self.rest = bytearray()

    def send(self, message: Message) -> bool:
        """Send what fits now, keep the rest: a stopped kernel must not stop this process. False if it is gone."""
        self.rest += pack(message)
        return self.flush()

    def flush(self) -> bool:
        """Send what was kept."""
        try:
            while self.rest:
                del self.rest[: self.sock.send(self.rest)]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


class Child(Struct):
    """A running attempt and who wants to know of its end."""

    job: Job
    run: Run
    watchers: list[Client]
    spare: str = ""
    filter: Filter | None = None


class Parent:
    """The loop. One thread; everything is done when its event comes."""

    def __init__(self, config: ParentConfig, listener: socket.socket) -> None:
        self._config = config
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._clients: set[Client] = set()
        self._children: dict[int, Child] = {}
        self._pids: dict[str, int] = {}
        self._waiting: deque[tuple[Client, Run]] = deque()
        self._preloader = Preloader(config.preload_s, config.skip)
        self._wake_in, self._wake_out = socket.socketpair()
        self._busy_at = self._logs_at = self._left_at = time.monotonic()
        self._spares = [f"{config.spares}/0"]
        self._spares_made = 1
        self._filters: set[int] = set()
        for sock in (listener, self._wake_in, self._wake_out):
            sock.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._own_signals()

    def serve(self) -> None:
        """Serve until idle for long enough."""
        while True:
            self._poll(self._timeout())
            self._reap()
            self._trim_logs()
            self._end_turns()
            while self._waiting:
                self._start(*self._waiting.popleft())
                self._busy_at = time.monotonic()
            if self._timeout() == 0 and self._may_leave():
                return

    def _timeout(self) -> float:
        if self._children or self._waiting:
            return LOGS_S
        return max(0.0, self._busy_at + self._config.idle_s - time.monotonic())

    def _poll(self, timeout: float) -> None:
        for key, events in self._selector.select(timeout):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._wake_in:
                self._drain()
            elif events & selectors.EVENT_READ:
                self._receive(key.data)
            else:
                self._settle(key.data, key.data.flush())

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        hit("parent.accepted")
        sock.setblocking(False)
        client = Client(sock)
        self._clients.add(client)
        self._selector.register(sock, selectors.EVENT_READ, client)
        self._send(client, Hello(os.getpid()))

    def _drain(self) -> None:
        try:
            while self._wake_in.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _receive(self, client: Client) -> None:
        try:
            data = client.sock.recv(1 << 18)
            messages = client.frames.feed(data)
        except BlockingIOError:
            return
        except (OSError, ValueError, msgspec.DecodeError):
            data, messages = b"", []
        if not data:
            self._drop(client)
        for message in messages:
            match message:
                case Run():
                    hit("parent.received")
                    self._waiting.append((client, message))
                case Watch(name):
                    if name in self._pids:
                        self._children[self._pids[name]].watchers.append(client)
                    else:
                        self._send(client, Unknown(name))
                case ListRunning():
                    self._send(client, Running(list(self._pids)))

    def _start(self, client: Client, run: Run) -> None:
        """Start an attempt. In the forked child it never returns: to unwind what the parent was doing would write to
        some two hundred pages that are shared until then, a fifth of all that the child does."""
        if (pid := self._pids.get(run.id)) is not None:
            self._children[pid].watchers.append(client)
            self._send(client, Started(run.id, pid, "runs already"))
            return
        job = read_job(run.job)
        if self._preloader.wanted(job, busy=bool(self._children)):
            self._send(client, Importing(job.module))
            hit("parent.preloading")
            self._preloader.load(job)
            hit("parent.preloaded")
            self._own_signals()
            self._send(client, Importing(""))
        why = self._preloader.unforkable or ("the task asks for it" if job.spawn else "")
        child = Child(job, run, [client], "" if why else self._spare())
        try:
            pid = self._spawn(child) if why else self._fork(child)
        except OSError as error:
            sys.stderr.write(f"{run.id}: no process can be made for it: {error}\n")
            self._send(client, Unknown(run.id))
            return
        if not pid:
            self._send(client, Ended(run.id))
            return
        self._children[pid] = child
        self._pids[run.id] = pid
        hit("parent.started")
        self._send(client, Started(run.id, pid, f"spawn: {why}" if why else "fork"))

    def _fork(self, child: Child) -> int:
        """Claim an attempt and fork its process; 0 if somebody else has claimed it. Raises OSError if it cannot be forked.

        What can be done before the fork is done here, where no page has to be copied first. The child never returns: to
        unwind what the parent was doing would write to shared pages too.
        """
        job, name = child.job, self._config.name
        groups = attempt.control_groups(job)
        lock = claim.publish(job.directory, claim.Claim(parent=name, groups=groups))
        if lock is None:
            return 0
        try:
            hit("parent.claimed")
            _move_or_make(child.spare, f"{job.directory}/{files.WORK}")
            with suppress(FileNotFoundError):
                os.rename(f"{child.spare}.{files.LOG}", f"{job.directory}/{files.LOG}")
            log = files.open_log(job.directory)
            try:
                held = self._descriptors()
                with (
                    self._filtered(child, log, [*held, lock]) as (output, control),
                    _environment(attempt.variables(job)),
                ):
                    pid = os.fork()
                    if pid == 0:
                        _let_go(held, lock)
                        if output != log:
                            os.close(log)
                        attempt.run(job, child.run.inputs, output, groups, child.spare, control)
            finally:
                os.close(log)
            hit("parent.forked")
            with suppress(OSError):  # it runs, and has said what matters most itself
                claim.complete(lock, claim.Claim(pid, claim.start_time(pid), name, groups))
        finally:
            os.close(lock)  # without a process, the claim is nobody's
        return pid

    def _spawn(self, child: Child) -> int:
        """Start a fresh interpreter, which claims the attempt itself."""
        job = child.job
        hit("parent.spawning")
        _write_request(child)
        arguments = [sys.executable, "-P", "-m", "wingbeat.runtime.attempt", job.directory, self._config.name]
        if not job.secrets:
            return os.posix_spawn(sys.executable, arguments, os.environ, setsid=True, setsigdef=[signal.SIGCHLD])
        log = files.open_log(job.directory)
        try:
            with self._filtered(child, log, self._descriptors()) as (output, control):
                return os.posix_spawn(
                    sys.executable, arguments, {**os.environ, **withheld.variables}, setsid=True,
                    setsigdef=[signal.SIGCHLD],
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2),
                        (os.POSIX_SPAWN_DUP2, control, CONTROL_FD),
                    ],
                )  # fmt: skip
        finally:
            os.close(log)

    @contextmanager
    def _filtered(self, child: Child, log: int, held: list[int]) -> Iterator[tuple[int, int]]:
        """Where an attempt that is started meanwhile writes what it prints, and, if that is a filter, what is to be masked."""
        if not child.job.secrets:
            yield log, -1
            return
        from wingbeat.runtime import logfilter, secrets  # noqa: F401  # and all that the attempt needs: once

        child.filter = logfilter.start(log, held)
        self._filters.add(child.filter.pid)
        try:
            yield child.filter.output, child.filter.control
        except OSError:
            self._filters.discard(child.filter.pid)  # nobody waits for it
            raise
        finally:
            child.filter.let_go()

    def _spare(self) -> str:
        """A name for an empty folder; there is one if an earlier attempt has left it."""
        if self._spares:
            return self._spares.pop()
        self._spares_made += 1
        return f"{self._config.spares}/{self._spares_made}"

    def _descriptors(self) -> list[int]:
        sockets = (self._listener, self._wake_in, self._wake_out, *(c.sock for c in self._clients))
        return [self._selector.fileno(), *(s.fileno() for s in sockets)]

    def _reap(self) -> None:
        while self._children:
            # The zombie keeps its number until it is waited for, so its group can be killed without hitting a stranger.
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return
            if found.si_pid in self._children:
                self._finish(found.si_pid)
            else:
                os.waitpid(found.si_pid, 0)
                self._filters.discard(found.si_pid)

    def _finish(self, pid: int) -> None:
        """Kill what the attempt left, keep how it ended, tell who asked."""
        hit("parent.child-ended")
        child = self._children.pop(pid)
        del self._pids[child.job.id]
        reap.kill_group(pid)
        _, status, spent = os.wait4(pid, 0)
        reap.kill_orphans(self._filters.union(self._children))
        if child.filter is not None and child.filter.pid in self._filters:
            self._filters.discard(child.filter.pid)
            child.filter.wait()
        hit("parent.reaped")
        end = self._close(child, pid, status, spent)
        hit("parent.closed")
        self._settle_log(child)
        if child.spare:
            self._spares.append(child.spare)
            _keep_empty(f"{child.job.directory}/{files.WORK}", child.spare, status)
        for client in child.watchers:
            self._send(client, Ended(child.job.id, end))
        self._busy_at = time.monotonic()

    def _settle_log(self, child: Child) -> None:
        """Shorten the log of an attempt that has ended, and keep an empty one for the next: as with the folder, to move one
        is cheaper than to make one."""
        log = f"{child.job.directory}/{files.LOG}"
        with suppress(OSError):  # user code may have removed it
            size = os.stat(log).st_size
            if size > self._config.log_bytes_max:
                logs.trim(child.job.directory, self._config.log_bytes_max)
            elif not size and child.spare:
                os.rename(log, f"{child.spare}.{files.LOG}")

    def _trim_logs(self) -> None:
        now = time.monotonic()
        if now < self._logs_at:
            return
        self._logs_at = now + LOGS_S
        for child in self._children.values():
            try:
                logs.trim(child.job.directory, self._config.log_bytes_max)
            except FileNotFoundError:  # not made yet, or removed by user code
                pass
            except OSError as error:
                sys.stderr.write(f"{child.job.id}: its log cannot be shortened: {error}\n")

    def _end_turns(self) -> None:
        """Kill bodies of dynamic workflows whose kernel has been away for long: a turn takes moments, so this one may go on for
        ever, and who comes makes it again. Tasks go on."""
        if not self._clients and time.monotonic() > self._left_at + self._config.idle_s:
            for pid, child in self._children.items():
                if child.job.replay is not None:
                    reap.kill_group(pid)

    def _close(self, child: Child, pid: int, status: int, spent: resource.struct_rusage) -> Exit | None:
        """How the attempt ended; None if it was claimed by another process. Remove its control groups.

        Of a success the outputs tell enough to whoever comes later, so ``exit`` is written only if nobody is there now. To a
        failure belongs what it was asked for.
        """
        usage, job = limits.Usage(), child.job
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            self._preloader.succeeded(job.module)
        if code == DUPLICATE or job.limited:
            owner = claim.read(job.directory)
            if owner is not None and owner.pid == pid:
                usage = limits.usage(owner.groups)
                limits.remove(owner.groups)
            elif code == DUPLICATE:
                return None
        end = reap.exit_of(pid, status, spent, usage)
        if code != 0 or self._clients.isdisjoint(child.watchers):
            try:
                if code != 0 and child.spare:
                    _write_request(child)
                reap.write_exit(job.directory, end)
            except OSError as error:
                sys.stderr.write(f"{job.id}: its exit cannot be written: {error}\n")
        return end

    def _send(self, client: Client, message: Message) -> None:
        if client in self._clients:
            self._settle(client, client.send(message))

    def _settle(self, client: Client, alive: bool) -> None:
        if not alive:
            self._drop(client)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.rest else 0)
        if self._selector.get_key(client.sock).events != events:
            self._selector.modify(client.sock, events, client)

    def _drop(self, client: Client) -> None:
        if client in self._clients:
            self._clients.discard(client)
            self._left_at = time.monotonic()
            self._selector.unregister(client.sock)
            client.sock.close()

    def _own_signals(self) -> None:
        """Be woken when a child ends, and leave the others to the attempts. Again after an import, which can have taken the
        signals over."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.set_wakeup_fd(self._wake_out.fileno(), warn_on_full_buffer=False)

    def _may_leave(self) -> bool:
        """Remove the socket's name, unless somebody is connecting or a request is on its way."""
        with open(f"{self._config.directory}/{LOCK}", "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._busy_at = time.monotonic()
                return False
            before = len(self._clients)
            self._poll(0)
            if self._waiting or len(self._clients) > before:
                self._busy_at = time.monotonic()
                return False
            hit("parent.leaving")
            os.unlink(f"{self._config.directory}/{self._config.name}")
            _remove(self._config.spares)
            return True


def _let_go(descriptors: list[int], lock: int) -> None:
    """In a forked child: take the claim and keep nothing of the parent's, but its objects; to free them would cost more."""
    try:
        hit("attempt.forked")
        os.setsid()
        claim.begin(lock)
        signal.set_wakeup_fd(-1)
        _signal.signal(signal.SIGCHLD, 0)
        for fd in descriptors:
            os.close(fd)
    except BaseException:  # noqa: BLE001 - two processes must not both go on as the parent
        traceback.print_exc(file=sys.stderr)
        os._exit(BROKEN)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Have environment variables; in a forked child, which never comes to the end of this, for good."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _nothing(_number: int, _frame: object) -> None:
    """A handler must exist for the wake-up descriptor to be written."""


def _move_or_make(spare: str, folder: str) -> None:
    """Have an empty folder; to move one is much cheaper than to make one, on some file systems by a millisecond."""
    try:
        os.rename(spare, folder)
    except OSError:
        with suppress(FileExistsError):  # made by who could not fork the process then, and is empty
            os.mkdir(folder)


def _keep_empty(folder: str, spare: str, status: int) -> None:
    """Move the working directory of an attempt that succeeded to where the next one finds it."""
    with suppress(OSError):
        if status == 0 and not os.listdir(folder):
            os.rename(folder, spare)


def _write_request(child: Child) -> None:
    if child.run.inputs:
        files.write_atomic(child.job.directory, files.INPUTS, child.run.inputs)
    files.write_atomic(child.job.directory, files.REQUEST, child.run.job)


def _remove(folder: str) -> None:
    if os.path.isdir(folder):
        import shutil  # a parent need not share it with its attempts

        shutil.rmtree(folder, ignore_errors=True)


def _close_inherited() -> None:
    """Close what a library of the embedding program left open for its children."""
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    for fd in [int(name) for name in os.listdir(folder)]:
        if fd > LISTENER_FD:
            try:
                os.close(fd)
            except OSError:
                pass


def main(argument: str) -> None:
    """Be a warm parent."""
    config = msgspec.json.decode(argument, type=ParentConfig)
    _close_inherited()
    inuse.hold()
    withheld.withhold()
    os.set_inheritable(LISTENER_FD, False)
    os.chdir("/")
    sys.argv = ["wingbeat"]
    attempt.own_streams()
    attempt.become_subreaper()
    enter_bundle(config.bundle, config.cache)
    _remove(config.spares)  # of a parent that was killed
    os.makedirs(config.spares, exist_ok=True)
    attempt.rehearse(config.spares)
    server = Parent(config, socket.socket(fileno=LISTENER_FD))
    gc.collect()
    gc.freeze()
    hit("parent.up")
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1])
