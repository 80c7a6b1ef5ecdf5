import itertools
import sys
import textwrap

import pytest

from wingbeat.author.closing import close
from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten

COUNT = itertools.count()


class Project:
    """Modules of a user, imported from a folder."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, source):
        path = self.folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    def load(self, source, name="flows"):
        """A module of that source under a name of its own, as if in a new process."""
        unique = f"{name}_{next(COUNT)}"
        self.write(unique, source)
        return __import__(unique)

    def closed(self, source, entity="flow"):
        closure, locations = close(getattr(self.load(PRELUDE + textwrap.dedent(source)), entity), None)
        check(closure, locations)
        return closure

    def plan(self, source, entity="flow"):
        return flatten(self.closed(source, entity))


PRELUDE = """\
from dataclasses import dataclass
from typing import NamedTuple, Optional
from wingbeat import File, task, workflow, FailurePolicy, Retry, Cache, Resources, Timeout

class Pair(NamedTuple):
    low: int
    high: float

@dataclass
class Point:
    x: int
    y: float = 0.0

@task
def number(n: int = 1, m: int = 2) -> int: return n
@task
def text(n: int) -> str: return str(n)
@task
def wide(v: int | str) -> str: return str(v)
@task
def real(v: float) -> float: return v
@task
def both(n: int) -> tuple[int, str]: return n, "x"
@task
def pair(n: int) -> Pair: return Pair(n, 1.0)
@task
def point(n: int) -> Point: return Point(n)
@task
def total(ns: list[int]) -> int: return sum(ns)
@task
def table(ns: dict[str, int]) -> int: return 0
@task
def items(n: int) -> list[int]: return [n]
@task
def nothing(n: int = 0) -> None: ...

"""
PRELUDE_LINES = PRELUDE.count("\n")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield Project(tmp_path)
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and file.startswith(str(tmp_path)):
            del sys.modules[name]
