"""The warm parent: forks attempts of one code bundle in one environment, and reaps them.

``python -m wingbeat.runtime.parent CONFIG`` with its listening socket as descriptor 3. It outlives the kernel that
started it: it goes on reaping and writing ``exit``, serves the next kernel, and ends by itself when it has been idle.
It holds nothing of the command that started it: own session, own log, no descriptor but its own. All of its state is in
the attempts' directories; killing it loses none of them.
"""

# ruff: noqa: SIM105
# descriptors and processes, not paths

from __future__ import annotations

import fcntl
import gc
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections import deque

import msgspec
from msgspec import Struct

from wingbeat.runtime import attempt, claim, limits, reap
from wingbeat.runtime.job import (
    Ended,
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

LISTENER_FD = 3
LOCK = "lock"
"""Held, in the parents' folder, by who starts a parent and by a parent that ends."""


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
    inputs: bytes
    watchers: list[Client]
    spare: str = ""


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
        self._busy_at = time.monotonic()
        self._spares = [f"{config.spares}/0"]
        self._spares_made = 1
        for sock in (listener, self._wake_in, self._wake_out):
            sock.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._own_signals()

    def serve(self) -> Child | None:
        """Serve until idle for long enough (returns None). In a forked child it returns the attempt to be."""
        while True:
            self._poll(self._timeout())
            self._reap()
            while self._waiting:
                if (child := self._start(*self._waiting.popleft())) is not None:
                    return child
                self._busy_at = time.monotonic()
            if self._timeout() == 0 and self._may_leave():
                return None

    def _timeout(self) -> float | None:
        if self._children or self._waiting:
            return None
        return max(0.0, self._busy_at + self._config.idle_s - time.monotonic())

    def _poll(self, timeout: float | None) -> None:
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
                    self._waiting.append((client, message))
                case Watch(name):
                    if name in self._pids:
                        self._children[self._pids[name]].watchers.append(client)
                    else:
                        self._send(client, Unknown(name))
                case ListRunning():
                    self._send(client, Running(list(self._pids)))

    def _start(self, client: Client, run: Run) -> Child | None:
        """Start an attempt; in the forked child returns it."""
        if (pid := self._pids.get(run.id)) is not None:
            self._children[pid].watchers.append(client)
            self._send(client, Started(run.id, pid, "runs already"))
            return None
        child = Child(read_job(run.job), run.inputs, [client], self._spare())
        if self._preloader.wanted(child.job, busy=bool(self._children)):
            self._send(client, Importing(child.job.module))
            self._preloader.load(child.job)
            self._own_signals()
            self._send(client, Importing(""))
        why = self._preloader.unforkable or ("the task asks for it" if child.job.spawn else "")
        try:
            pid = self._spawn(child.job) if why else os.fork()
        except OSError as error:
            sys.stderr.write(f"{run.id}: no process can be made for it: {error}\n")
            self._send(client, Unknown(run.id))
            return None
        if pid == 0:
            self._let_go()
            return child
        self._children[pid] = child
        self._pids[run.id] = pid
        self._send(client, Started(run.id, pid, f"spawn: {why}" if why else "fork"))
        return None

    def _spawn(self, job: Job) -> int:
        arguments = [sys.executable, "-P", "-m", "wingbeat.runtime.attempt", job.directory, self._config.name]
        return os.posix_spawn(sys.executable, arguments, os.environ, setsid=True, setsigdef=[signal.SIGCHLD])

    def _spare(self) -> str:
        """A name for an empty folder; there is one if an earlier attempt has left it."""
        if self._spares:
            return self._spares.pop()
        self._spares_made += 1
        return f"{self._config.spares}/{self._spares_made}"

    def _let_go(self) -> None:
        """In a forked child: keep nothing of the parent's."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        for sock in (self._listener, self._wake_in, self._wake_out, *(c.sock for c in self._clients)):
            sock.close()

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

    def _finish(self, pid: int) -> None:
        """Kill what the attempt left, keep how it ended, tell who asked."""
        child = self._children.pop(pid)
        del self._pids[child.job.id]
        reap.kill_group(pid)
        _, status, spent = os.wait4(pid, 0)
        reap.kill_orphans(set(self._children))
        self._spares.append(child.spare)
        end = self._close(child.job, pid, status, spent)
        for client in child.watchers:
            self._send(client, Ended(child.job.id, duplicate=not end))
        self._busy_at = time.monotonic()

    def _close(self, job: Job, pid: int, status: int, spent: resource.struct_rusage) -> bool:
        """Write ``exit`` and remove control groups. False if the attempt was claimed by another process."""
        usage = limits.Usage()
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            self._preloader.succeeded(job.module)
        if code == attempt.DUPLICATE or job.limited:
            owner = claim.read(job.directory)
            if owner is None or owner.pid != pid:
                return code != attempt.DUPLICATE
            usage = limits.usage(owner.groups)
            limits.remove(owner.groups)
        try:
            reap.write_exit(job.directory, reap.exit_of(pid, status, spent, usage))
        except OSError as error:
            sys.stderr.write(f"{job.id}: its exit cannot be written: {error}\n")
        return True

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
            self._selector.unregister(client.sock)
            client.sock.close()

    def _own_signals(self) -> None:
        """Be woken when a child ends. Again after an import, which can have taken the signals over."""
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
            os.unlink(f"{self._config.directory}/{self._config.name}")
            _remove_folders(self._config.spares)
            return True


def _nothing(_signal: int, _frame: object) -> None:
    """A handler must exist for the wake-up descriptor to be written."""


def _remove_folders(folder: str) -> None:
    """Remove a folder of empty folders."""
    try:
        for name in os.listdir(folder):
            os.rmdir(f"{folder}/{name}")
        os.rmdir(folder)
    except OSError as error:
        sys.stderr.write(f"{folder} stays: {error}\n")


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
    os.set_inheritable(LISTENER_FD, False)
    os.chdir("/")
    sys.argv = ["wingbeat"]
    attempt.own_streams()
    attempt.become_subreaper()
    enter_bundle(config.bundle, config.cache)
    os.makedirs(config.spares, exist_ok=True)
    attempt.rehearse(config.spares)
    server = Parent(config, socket.socket(fileno=LISTENER_FD))
    gc.collect()
    gc.freeze()
    child = server.serve()
    if child is not None:
        del server
        attempt.run(child.job, child.inputs, config.name, child.spare)


if __name__ == "__main__":
    main(sys.argv[1])
