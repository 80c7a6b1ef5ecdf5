"""Test classes that a plugin names: of a type that keeps its contract, and of one that does not."""

from pathlib import Path

from wingbeat.testing.conformance.types import TypeContract
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
