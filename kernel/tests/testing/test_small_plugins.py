"""The kits are passed by small plugins that keep their contracts."""

import json
from pathlib import Path

import pytest

from wingbeat.testing.conformance.command import CommandContract
from wingbeat.testing.conformance.notifier import Arrived, NotifierContract
from wingbeat.testing.conformance.observer import ObserverContract
from wingbeat.testing.conformance.types import TypeContract
from wingbeat.testing.conformance.wrapper import WrapperContract
from wingbeat.types import BlobType, register

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE / "broken" / "modules"))


class TestObserver(ObserverContract):
    def make(self, home):
        from small import LinesObserver

        return LinesObserver(Path(home.path, "events"))

    def told(self, home, observer):
        return observer.told()


class TestNotifier(NotifierContract):
    def make(self, home):
        from small import LinesNotifier

        return LinesNotifier(Path(home.path, "messages"))

    def arrived(self, home):
        lines = Path(home.path, "messages").read_text().splitlines()
        return [Arrived(json.loads(line)["id"], line) for line in lines]


class TestWrapper(WrapperContract):
    target = "wrapped:SleepWrapper"
    offers = ("Session", "session")


class TestType(TypeContract):
    def hint(self):
        from small import Ring

        register("small.Ring", BlobType("ring"), "small:RingHandler")
        return Ring

    def samples(self):
        ring = self.hint()
        return [ring(), ring((1, 2)), ring((2, 1))]


class TestCommand(CommandContract):
    target = "commanding:good"
    line = "Keep notes in the home."
    calls = (("add", "bread"),)
