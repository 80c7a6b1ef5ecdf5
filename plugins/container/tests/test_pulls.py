"""Images from a registry of the tests' own."""

import asyncio
import shutil
import socket
import subprocess
import time

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.builtin.filestore import FileStore
from wingbeat.contracts.executor import Failed, Succeeded
from wingbeat.testing.conformance.executor import Reports
from wingbeat_container.executor import ContainerExecutor
from wingbeat_container.settings import ContainerSettings

pytestmark = [pytest.mark.containers, pytest.mark.timeout(180)]

CONFIG = """
version: 0.1
log: {{accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
ECHO = "echo 1 > /wingbeat/outputs/o0"


class Registry:
    """A registry without TLS, and what was asked of it."""

    def __init__(self, podman, folder) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self._podman, self._log = f"127.0.0.1:{port}", podman, folder / "log"
        (folder / "config.yml").write_text(CONFIG.format(folder=folder, port=port))
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log
            )
        end = time.monotonic() + 30
        while not self._answers(port):
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.05)

    def _answers(self, port: int) -> bool:
        with socket.socket() as trying:
            return trying.connect_ex(("127.0.0.1", port)) == 0

    def push(self, name: str, source: str = "localhost/wingbeat-shell:1") -> None:
        self._podman.run("push", "--tls-verify=false", source, f"docker://{self.address}/{name}")

    def manifests_read(self) -> int:
        return self._log.read_text().count('"GET /v2/shell/manifests/')


@pytest.fixture(scope="module")
def registry(podman, tmp_path_factory):
    if shutil.which("docker-registry") is None:
        pytest.skip("not run here: what fetches images: there is no docker-registry (`make podman`)")
    made = Registry(podman, tmp_path_factory.mktemp("registry"))
    podman.allow_plain(made.address)
    podman.stop()
    podman.start()
    made.push("shell:1")
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture
async def running(podman, tmp_path):
    executor = ContainerExecutor(
        str(tmp_path / "home"),
        storage=FileStore(str(tmp_path / "home/storage")),
        files=FileStore(str(tmp_path / "home/storage")),
        bundle_path=lambda digest: "",
        settings=ContainerSettings(socket=podman.socket, slots=4),
    )
    reports = Reports()
    reports.said = []
    reports.progress = lambda attempt, phase, reason: reports.said.append((phase, reason))
    await executor.start(reports)
    yield executor, reports
    await executor.close()


async def test_an_image_is_fetched_once_for_all_that_want_it(registry, podman, running, ask):
    executor, reports = running
    image = f"{registry.address}/shell:1"
    before = registry.manifests_read()
    names = [f"e/n{number}/0" for number in range(4)]
    await asyncio.gather(*(executor.submit(ask(ECHO, id=name, image=image, pull="missing")) for name in names))
    outcomes = [await reports.outcome(name) for name in names]
    assert all(isinstance(each, Succeeded) for each in outcomes), outcomes
    assert ("INITIALIZING", f"pulling image {image}") in reports.said
    assert registry.manifests_read() - before <= 2  # by tag, then by digest
    digests = {each.evidence["digest"] for each in outcomes}
    assert len(digests) == 1
    (digest,) = digests
    await executor.submit(ask(ECHO, id="e/pinned/0", image=f"{registry.address}/shell@{digest}", pull="missing"))
    pinned = await reports.outcome("e/pinned/0")
    assert isinstance(pinned, Succeeded), pinned
    assert pinned.evidence["image_id"] == outcomes[0].evidence["image_id"]


async def test_always_sees_a_tag_that_has_moved(registry, podman, running, ask):
    executor, reports = running
    registry.push("moving:1")
    image = f"{registry.address}/moving:1"
    await executor.submit(ask(ECHO, id="e/a/0", image=image, pull="always"))
    first = await reports.outcome("e/a/0")
    registry.push("moving:1", "localhost/wingbeat-python:1")
    await executor.submit(ask(ECHO, id="e/b/0", image=image, pull="missing"))
    await executor.submit(ask(ECHO, id="e/c/0", image=image, pull="always"))
    same, moved = await reports.outcome("e/b/0"), await reports.outcome("e/c/0")
    assert first.evidence["image_id"] != moved.evidence["image_id"]
    assert isinstance(same, Succeeded)


@pytest.mark.parametrize(
    ("name", "pull", "code", "kind", "retryable"),
    [
        ("nothing:1", "missing", "ImageNotFound", ErrorKind.USER, False),
        ("nothing:1", "never", "ImageNotFound", ErrorKind.USER, False),
    ],
)
async def test_an_image_that_is_not_there(registry, running, ask, name, pull, code, kind, retryable):
    executor, reports = running
    await executor.submit(ask(ECHO, image=f"{registry.address}/{name}", pull=pull))
    outcome = await reports.outcome("e/n/0")
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.kind, outcome.error.retryable) == (code, kind, retryable), outcome


async def test_a_registry_that_is_down_is_the_systems(registry, running, ask):
    executor, reports = running
    await executor.submit(ask(ECHO, image="127.0.0.1:9/shell:1", pull="missing"))
    outcome = await reports.outcome("e/n/0")
    assert (outcome.error.code, outcome.error.kind) == ("ImagePullFailed", ErrorKind.SYSTEM), outcome
