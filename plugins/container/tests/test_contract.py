"""The container executor keeps the contract: with commands, and with Python functions in an image."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import AttemptRequest, Failed
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.entities import Entry, TaskSpec
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance.executor import ExecutorContract
from wingbeat.testing.conformance.executor_stage import INTERFACE
from wingbeat.testing.home import TemporaryHome
from wingbeat_container import plugin

pytestmark = [pytest.mark.containers, pytest.mark.timeout(300)]

ALIVE = (
    'cd /wingbeat; place="$(cat inputs/place)"; exec 9> "$place/alive"; flock 9 || exit 99; echo $$ >> "$place/marks"; '
)
WAIT = 'while test -d "$place" && ! test -e "$place/gate"; do sleep 0.02; done; '
SAY = """say() { echo "{\\"fraction\\": $1, \\"text\\": \\"$2\\", \\"at\\": $(date +%s)}" > .report; mv .report report; }; """
SEVEN = "echo 7 > outputs/o0"
COMMANDS = {
    "succeed": SEVEN,
    "fail": """echo '{"code": "ValueError", "message": "as asked"}' > error.json; exit 1""",
    "wait": WAIT + SEVEN,
    "stubborn": "trap '' TERM INT HUP; " + WAIT + SEVEN,
    "family": "(" + WAIT + ") & wait; " + SEVEN,
    "crash": "exit 3",
    "variable": 'echo "$KIT_NUMBER" > outputs/o0',
    "advance": SAY + "say 0.5 half; " + WAIT + "say 1.0 whole; " + SEVEN,
    "count": "n=0; test -e checkpoint/count && n=$(cat checkpoint/count); echo $((n + 1)) > checkpoint/count; "
    "cat checkpoint/count > outputs/o0",
}


class Contained(ExecutorContract):
    load = 12
    examples = 3
    patience_s = 150.0

    @pytest.fixture(autouse=True)
    def _engine(self, podman):
        self.podman = podman

    def another_home(self, folder, name):
        places = Path(f"{folder / name}.places")
        places.mkdir(parents=True)
        given = {"socket": self.podman.socket, "slots": 4, "mounts": [f"{places}:{places}:rw"], "cancel_grace_s": 0.2}
        return TemporaryHome(folder / name, {"container": given})

    def make(self, home):
        return plugin._executor(home)

    async def test_what_was_killed_meanwhile_is_lost_and_not_run_again(self, home):
        """As that of the kit, which knows of no processes but those of this machine."""
        stage = await self._left_running(home)
        self.podman.run("kill", *self.podman.containers())
        await self.until(lambda: not stage.runs("e/n/0"), "the end of the attempt")
        async with self.started(home, [stage.request("e/n/0", "wait")]) as second:
            outcome = await second.reports.outcome("e/n/0")
            assert isinstance(outcome, Failed)
            assert outcome.error.kind is ErrorKind.SYSTEM
            assert second.starts("e/n/0") == 1


class TestCommands(Contained):
    def request(self, home, place, name, kind):
        spec = ContainerSpec("localhost/wingbeat-shell:1", ("sh", "-c", ALIVE + COMMANDS[kind]), pull="never")
        task = TaskSpec(f"kit.{kind}", INTERFACE, Entry("kit", kind), container=spec, executor="container")
        return AttemptRequest(name, task, {"place": Inline(str(place))})


class TestFunctions(Contained):
    def request(self, home, place, name, kind):
        request = super().request(home, place, name, kind)
        spec = ContainerSpec("localhost/wingbeat-python:1", pull="never")
        return replace(request, task=replace(request.task, container=spec, executor="container"))
