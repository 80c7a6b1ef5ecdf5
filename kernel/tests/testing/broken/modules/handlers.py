"""Handlers of types with one fault each."""

import pickle
import time
from pathlib import Path

import msgspec
import small
from small import RingHandler


class Whole(RingHandler):
    def read(self, path, hint):
        return hint(super().read(path, hint).numbers)


class WritesTheTime(Whole):
    def write(self, value, path):
        Path(path).write_bytes(msgspec.json.encode(value.numbers) + b" " * (time.monotonic_ns() % 997))


class LosesTheOrder(Whole):
    def write(self, value, path):
        Path(path).write_bytes(msgspec.json.encode(sorted(value.numbers)))


class Unpickles(RingHandler):
    def write(self, value, path):
        Path(path).write_bytes(pickle.dumps(value.numbers))

    def read(self, path, hint):
        return hint(pickle.loads(Path(path).read_bytes()))


class TakesDamageForWhole(Whole):
    last = ()

    def write(self, value, path):
        super().write(value, path)
        type(self).last = value.numbers

    def read(self, path, hint):
        try:
            return super().read(path, hint)
        except msgspec.DecodeError:
            return hint(self.last)


class GivesAnotherClass(RingHandler):
    def read(self, path, hint):
        return small.Ring(super().read(path, hint).numbers)


class ChangesTheValue(Whole):
    def write(self, value, path):
        super().write(value, path)
        value.numbers = ()


class DecimalHandler:
    layout, name = "file", "number"

    def write(self, value, path):
        Path(path).write_text(str(value))

    def read(self, path, hint):
        return hint(Path(path).read_text())
