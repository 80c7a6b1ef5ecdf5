"""The process executor keeps the contract."""

from wingbeat.builtin.process.plugin import make
from wingbeat.testing.conformance.executor import ExecutorContract


class TestProcessExecutor(ExecutorContract):
    settings = {"process": {"slots": 2, "parent_idle_s": 0.5, "cancel_grace_s": 0.2}}

    def make(self, home):
        return make(home)
