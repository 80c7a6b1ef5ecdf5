"""A Podman of the tests' own: its service, its storage, and images made of this machine's programs."""

import asyncio
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from wingbeat.builtin.filestore import FileStore
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.runtime.bundle import BUNDLE_FILE, bundle_info_bytes
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.entities import Entry, Interface, TaskSpec, Variable
from wingbeat.spec.literal import Offloaded
from wingbeat.testing.conformance.executor import Reports
from wingbeat.types import literal_type
from wingbeat_container.executor import ContainerExecutor
from wingbeat_container.settings import ContainerSettings

SHELL, PYTHON = "localhost/wingbeat-shell:1", "localhost/wingbeat-python:1"
PROGRAMS = ("sh", "awk", "cat", "cp", "date", "dd", "echo", "flock", "head", "id", "ln", "ls", "mkdir", "mkfifo", "mv", "sleep",
            "touch", "wc")  # fmt: skip
WAIT_S = 60.0
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "ensurepip", "lib2to3"}


class Podman:
    """An engine whose service can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, str(folder / "podman.sock")
        self._service: subprocess.Popen[bytes] | None = None
        self.command = [
            "podman", "--root", str(folder / "root"), "--runroot", str(folder / "run"), "--tmpdir", str(folder / "tmp"),
            "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
        ]  # fmt: skip
        (folder / "registries.conf").write_text("")

    def run(self, *arguments: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*self.command, *arguments], check=check, capture_output=True, env=self.environment, **options
        )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf")}

    def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        with (self.folder / "service.log").open("ab") as log:
            command = [*self.command, "system", "service", "--time", "0", f"unix://{self.socket}"]
            # conmon leaves a file where it is started when a container runs out of memory
            self._service = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment, cwd=self.folder)
        end = time.monotonic() + WAIT_S
        while not os.path.exists(self.socket):
            assert time.monotonic() < end, (self.folder / "service.log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        if self._service is not None:
            self._service.send_signal(signal.SIGKILL)
            self._service.wait()
            self._service = None

    def allow_plain(self, registry: str) -> None:
        """Let images be fetched from a registry without TLS; from the next start on."""
        (self.folder / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')

    def containers(self, *more: str) -> list[str]:
        return self.run("ps", "--quiet", "--no-trunc", *more).stdout.decode().split()

    def close(self) -> None:
        self.stop()
        self.run("rm", "--force", "--all", "--time", "0", check=False)
        self.run("umount", "--all", "--force", check=False)
        for name in ("root/overlay", "root"):
            subprocess.run(["umount", str(self.folder / name)], check=False, capture_output=True)


@pytest.fixture(scope="session")
def podman():
    if os.geteuid() or shutil.which("podman") is None or shutil.which("runc") is None:
        pytest.skip(
            "not run here: what needs containers: there is no Podman with runc, or this is not root (`make podman`)"
        )
    folder = Path(tempfile.mkdtemp(prefix="wingbeat-podman-"))  # a socket's path has to be short
    made = Podman(folder)
    try:
        made.start()
        for name, fill in ((SHELL, _shell), (PYTHON, _python)):
            made.run("import", "-", name, input=_archive(fill))
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def _archive(fill) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        seen: set[str] = set()
        for folder in ("tmp", "etc", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        _add(archive, seen, "/etc/os-release")
        fill(archive, seen)
    return made.getvalue()


def _add(archive, seen: set[str], path: str, place: str = "") -> None:
    """A file of this machine, with the libraries that it is linked with, under the names by which it asks for them."""
    place = place or path
    if place in seen:
        return
    seen.add(place)
    archive.add(os.path.realpath(path), place.lstrip("/"), recursive=False)
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return
    linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"(/\S+) \(", linked):
        _add(archive, seen, library)
        if "/libc.so" in library:  # what wheels are linked with, and every system has beside it
            for name in ("libpthread.so.0", "libdl.so.2", "librt.so.1"):
                if os.path.exists(beside := os.path.join(os.path.dirname(library), name)):
                    _add(archive, seen, beside)


def _shell(archive, seen: set[str]) -> None:
    for name in PROGRAMS:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found, name
        _add(archive, seen, os.path.realpath(found), f"/bin/{name}")


def _python(archive, seen: set[str]) -> None:
    """The Python that runs the tests, without what was installed into it."""
    _shell(archive, seen)
    python = os.path.realpath(sys.executable)
    _add(archive, seen, python)
    for place in ("/bin/python3", "/usr/bin/python3"):
        if place not in seen and place != python:
            seen.add(place)
            entry = tarfile.TarInfo(place.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, python
            archive.addfile(entry)
    library = sysconfig.get_path("stdlib")
    for folder, folders, files in os.walk(library):
        folders[:] = [name for name in folders if name not in LEFT_OUT and not name.startswith("config-")]
        for name in files:
            _add(archive, seen, os.path.join(folder, name), os.path.join(folder, name))


def interface(inputs: dict[str, object], outputs: dict[str, object]) -> Interface:
    return Interface(*(tuple(Variable(n, literal_type(t)) for n, t in side.items()) for side in (inputs, outputs)))


@pytest.fixture
def ask():
    """An attempt that runs a command in the image with a shell."""

    def made(
        command,
        inputs=None,
        outputs=None,
        *,
        id="e/n/0",
        types=None,
        function="",
        bundle="",
        resources=None,
        **container,
    ):
        sides = interface(types or {}, {"o0": int} if outputs is None else outputs)
        words = () if function else ("sh", "-c", command) if isinstance(command, str) else tuple(command)
        spec = ContainerSpec(**{"image": PYTHON if function else SHELL, "pull": "never", "command": words, **container})
        module, _, name = (function or "m:f").partition(":")
        more = {} if resources is None else {"resources": resources}
        task = TaskSpec("m.f", sides, Entry(module, name), container=spec, executor="container", **more)
        return AttemptRequest(id=id, task=task, inputs=inputs or {}, bundle=bundle)

    return made


class Bench:
    """An executor in a home of its own."""

    def __init__(self, podman, place: Path, **settings: Any) -> None:
        self.podman, self.place = podman, place
        self.home = place / "home"
        self.store = FileStore(str(self.home / "storage"))
        self.settings = ContainerSettings(**{"socket": podman.socket, "slots": 2, **settings})

    @contextlib.asynccontextmanager
    async def started(self):
        executor = ContainerExecutor(
            str(self.home),
            storage=self.store,
            files=self.store,
            bundle_path=lambda digest: str(self.place / "bundle"),
            settings=self.settings,
        )
        reports = Reports()
        reports.said = []
        reports.progress = lambda attempt, phase, reason: reports.said.append((phase, reason))
        reports.evidence = {}

        def running(attempt, evidence=None, tell=reports.running):
            reports.evidence[attempt] = evidence
            tell(attempt, evidence)

        reports.running = running
        await executor.start(reports)
        await executor.recover([])
        try:
            yield executor, reports
        finally:
            await executor.close()

    async def run(self, request):
        async with self.started() as (executor, reports):
            await executor.submit(request)
            return await reports.outcome(request.id)

    def log(self, attempt: str = "e/n.0") -> str:
        return (self.home / "attempts" / attempt / "log").read_text()

    def containers(self, *more: str) -> list[str]:
        """Of this home."""
        return self.podman.containers("--filter", f"label=wingbeat.home={self.executor_home()}", *more)

    def executor_home(self) -> str:
        """What the executor calls this home."""
        return ContainerExecutor(str(self.home), storage=self.store, files=self.store, bundle_path=str)._home

    def value(self, literal) -> Any:
        if isinstance(literal, Offloaded):
            blob = self.store.blob(literal.uri.partition(":")[2])
            return json.loads(self.store.read_bytes(blob))
        return literal.value

    def bundle(self, source: str) -> None:
        folder = self.place / "bundle"
        folder.mkdir()
        (folder / BUNDLE_FILE).write_bytes(bundle_info_bytes((".",)))
        (folder / "code.py").write_text(source)


@pytest.fixture
def make_bench(podman, tmp_path):
    """Executors in homes of their own, below a folder of that name."""
    return lambda name="", **settings: Bench(podman, tmp_path / name, **settings)


@pytest.fixture
def bench(make_bench):
    return make_bench()


@pytest.fixture
def until():
    async def wait(true) -> None:
        async with asyncio.timeout(60):
            while not true():
                await asyncio.sleep(0.02)

    return wait
