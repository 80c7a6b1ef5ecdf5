import functools
import itertools
import re
import sys
import textwrap

import pytest

from wingbeat.author.closing import close
from wingbeat.base.errors import CompileError
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
import enum
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NamedTuple, Optional
from wingbeat import File, task, workflow, FailurePolicy, Retry, Cache, Resources, Timeout
from wingbeat import LaunchPlan, Notify, Pool, Failure, approve, case, cond, gather, map_task, sleep, wait_for_input

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
@task
def yes(n: int) -> bool: return n > 0
@task
def texts(ns: list[str]) -> str: return "".join(ns)

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


def said(project, source, entity="flow"):
    """What an author is told, checked to be about the line marked by `# here`."""
    with pytest.raises(CompileError) as caught:
        project.closed(source, entity)
    error = caught.value
    found = re.search(r"(flows_\d+)\.py:(\d+)", str(error))
    assert found, f"no file and line in: {error}"
    line = (project.folder / f"{found[1]}.py").read_text().splitlines()[int(found[2]) - 1]
    assert "# here" in line, f"about another line: {line}"
    return str(error)


@pytest.fixture(name="said")
def said_fixture(project):
    """`said` for the project of the test."""
    return functools.partial(said, project)
