"""The process executor keeps the contract of gangs."""

import sys
import textwrap

from wingbeat.builtin.process.executor import ProcessExecutor
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.contracts.environment import Interpreter
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.runtime.bundle import BUNDLE_FILE, bundle_info_bytes
from wingbeat.spec.entities import Entry, Interface, TaskSpec, Variable
from wingbeat.spec.gang import GangSpec, RoleSpec
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance.gang import GangContract
from wingbeat.types import literal_type

FUNCTIONS = """
    import os, time

    from wingbeat import current
    from wingbeat.contracts.gang import member_of

    def mark(place):
        with open(os.path.join(place, "marks"), "a") as file:
            file.write("x\\n")

    def fail(place: str) -> int:
        mark(place)
        raise ValueError("as asked")

    def gang(place: str, kind: str) -> int:
        me = member_of(os.environ)
        with open(os.path.join(place, "marks"), "a") as file:
            file.write(f"{me.name} {me.address}\\n")
        while me.role == "ps" or (kind, me.name) == ("fail", "worker-0"):
            time.sleep(0.01)
        if kind == "again":
            return again(me)
        if kind == "fail":
            raise ValueError("as asked")
        while kind == "wait" and not os.path.exists(os.path.join(place, "gate")):
            time.sleep(0.01)
        return 7 + me.index

    def again(me) -> int:
        shared = current().checkpoint
        if current().attempt > 0:
            return int(bool(shared.load("worker-0") and shared.load("worker-1"))) or fail(".")
        shared.save(me.name, b"x")
        while shared.load("worker-0") is None or shared.load("worker-1") is None or me.index == 0:
            time.sleep(0.01)
        raise ValueError("as asked")

"""
INTERFACE = Interface((Variable("place", literal_type(str)),), (Variable("o0", literal_type(int)),))


class OwnInterpreter:
    async def ensure(self, environment, project_lock):
        return Interpreter("own", sys.executable, isolated=False)


def make(place):
    bundle = place / "bundle"
    bundle.mkdir(exist_ok=True)
    (bundle / BUNDLE_FILE).write_bytes(bundle_info_bytes((".",)))
    (bundle / "functions.py").write_text(textwrap.dedent(FUNCTIONS))
    return ProcessExecutor(
        str(place / "home"),
        environments=OwnInterpreter(),
        bundle_path=lambda digest: str(bundle),
        settings=ProcessSettings(slots=3, parent_idle_s=0.5),
    )


class TestGangs(GangContract):
    def make(self, place):
        return make(place)

    def request(self, place, name, kind):
        gang = GangSpec((RoleSpec("worker", 2), RoleSpec("ps", serves=True)))
        task = TaskSpec("functions.gang", INTERFACE, Entry("functions", "gang"), gang=gang)
        inputs = {"place": Inline(str(place)), "kind": Inline(kind)}
        return AttemptRequest(name, task, inputs, bundle="sha256:bundle")
