"""Test classes that a plugin names: of a type that keeps its contract, and of one that does not; of a notifier."""

import json
from pathlib import Path

from small import LinesNotifier

from wingbeat.testing.conformance.notifier import Arrived, NotifierContract
from wingbeat.testing.conformance.types import TypeContract
from wingbeat.testing.conformance.wrapper import WrapperContract
from wingbeat.types import BlobType, register

SAMPLES = ((), (1,), (2, 1))


class Ring:
    def __init__(self, numbers=()):
        self.numbers = numbers

    def __eq__(self, other):
        return isinstance(other, Ring) and other.numbers == self.numbers

    __hash__ = None


class Forgetful(Ring):
    pass


class RingHandler:
    layout = "file"
    name = "ring.txt"

    def write(self, value, path):
        Path(path).write_text(" ".join(map(str, value.numbers)))

    def read(self, path, hint):
        numbers = tuple(int(number) for number in Path(path).read_text().split())
        return Forgetful() if hint is Forgetful else Ring(numbers)


class TestRing(TypeContract):
    def hint(self):
        register("own_kits.Ring", BlobType("ring"), "own_kits:RingHandler")
        return Ring

    def samples(self):
        return [self.hint()(numbers) for numbers in SAMPLES]


class TestForgetful(TestRing):
    def hint(self):
        register("own_kits.Forgetful", BlobType("ring"), "own_kits:RingHandler")
        return Forgetful


class TestTalks(NotifierContract):
    """Of a notifier that answers, where nothing is to be answered."""

    patience_s = 1.0

    class Talking(LinesNotifier):
        async def notify(self, message):
            await super().notify(message)
            return {"a": 1}

    def make(self, home):
        return self.Talking(Path(home.path, "out"))

    def arrived(self, home):
        lines = Path(home.path, "out").read_text().splitlines() if Path(home.path, "out").exists() else []
        return [Arrived(json.loads(line)["id"], line) for line in lines]


class TestHangs(WrapperContract):
    target = "wrapped:HangsWhenItIsEntered"
