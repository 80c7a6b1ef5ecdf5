"""The container executor keeps the contract: with commands, and with Python functions in an image."""

import textwrap

import pytest

from wingbeat.base.ids import digest
from wingbeat.builtin.filestore import FileStore
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.runtime.bundle import BUNDLE_FILE, bundle_info_bytes
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.entities import Entry, Interface, TaskSpec, Variable
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance.executor import ExecutorContract
from wingbeat.types import literal_type
from wingbeat_container.executor import ContainerExecutor
from wingbeat_container.settings import ContainerSettings

pytestmark = [pytest.mark.containers, pytest.mark.timeout(180)]

MARK = 'echo x >> "$(cat inputs/place)/marks"; '
WAIT = 'while ! test -e "$(cat inputs/place)/gate"; do sleep 0.02; done; '
COMMANDS = {
    "succeed": MARK + "echo 7 > outputs/o0",
    "fail": MARK + """echo '{"code": "ValueError", "message": "as asked"}' > error.json; exit 1""",
    "wait": MARK + WAIT + "echo 7 > outputs/o0",
    "advance": MARK
    + """say() { echo "{\\"fraction\\": $1, \\"text\\": \\"$2\\", \\"at\\": $(date +%s)}" > .report; mv .report report; }; """
    + "say 0.5 half; "
    + WAIT
    + "say 1.0 whole; echo 7 > outputs/o0",
    "count": MARK
    + "n=0; test -e checkpoint/count && n=$(cat checkpoint/count); echo $((n + 1)) > checkpoint/count; "
    + "cat checkpoint/count > outputs/o0",
}
FUNCTIONS = """
    import os, time

    from wingbeat import current

    def mark(place):
        with open(os.path.join(place, "marks"), "a") as file:
            file.write("x\\n")

    def succeed(place: str) -> int:
        mark(place)
        return 7

    def fail(place: str) -> int:
        mark(place)
        raise ValueError("as asked")

    def wait(place: str) -> int:
        mark(place)
        while not os.path.exists(os.path.join(place, "gate")):
            time.sleep(0.01)
        return 7

    def advance(place: str) -> int:
        current().progress(0.5, "half")
        wait(place)
        current().progress(1.0, "whole")
        return 7

    def count(place: str) -> int:
        mark(place)
        number = int(current().checkpoint.load("count") or 0) + 1
        current().checkpoint.save("count", str(number).encode())
        return number
"""
INTERFACE = Interface((Variable("place", literal_type(str)),), (Variable("o0", literal_type(int)),))


class Contained(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _engine(self, podman):
        self.podman = podman

    def make(self, place):
        bundle = place / "bundle"
        bundle.mkdir(exist_ok=True)
        (bundle / BUNDLE_FILE).write_bytes(bundle_info_bytes((".",)))
        (bundle / "functions.py").write_text(textwrap.dedent(FUNCTIONS))
        return ContainerExecutor(
            str(place / "home"),
            storage=FileStore(str(place / "home/storage")),
            bundle_path=lambda digest: str(bundle),
            settings=ContainerSettings(socket=self.podman.socket, slots=2, mounts=(f"{place}:{place}:rw",)),
        )

    def task(self, kind):
        raise NotImplementedError

    def request(self, place, name, kind):
        return AttemptRequest(name, self.task(kind), {"place": Inline(str(place))}, bundle=digest(b"x"))


class TestCommands(Contained):
    def task(self, kind):
        command = ("sh", "-c", "cd /wingbeat; " + COMMANDS[kind])
        spec = ContainerSpec("localhost/wingbeat-shell:1", command, pull="never")
        return TaskSpec(f"functions.{kind}", INTERFACE, Entry("functions", kind), container=spec, executor="container")


class TestFunctions(Contained):
    def task(self, kind):
        spec = ContainerSpec("localhost/wingbeat-python:1", pull="never")
        return TaskSpec(f"functions.{kind}", INTERFACE, Entry("functions", kind), container=spec, executor="container")
