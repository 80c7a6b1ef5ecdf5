"""What the tests of retention run: values of every kind that refer to content."""

import time
from dataclasses import dataclass
from pathlib import Path

from wingbeat import Directory, File, LaunchPlan, approve, map_task, step, task, workflow


@dataclass
class Pair:
    one: File
    others: list[File]


@task
def long(n: int) -> list[str]:
    return [f"{n}{letter * 40_000}" for letter in "ab"]


@task
def files(n: int) -> Pair:
    paths = [Path(f"{name}{n}.txt") for name in "abc"]
    for path in paths:
        path.write_text(f"{path}")
    return Pair(File(str(paths[0])), [File(str(path)) for path in paths[1:]])


@task
def folder(n: int) -> Directory:
    Path("out/in").mkdir(parents=True)
    Path("out/in/deep.txt").write_text(f"deep {n}")
    return Directory("out")


@task
def many(n: int) -> list[File]:
    """So many that their list is stored itself."""
    found = []
    for i in range(400):
        Path(f"{i}.txt").write_text(f"{n} {i}")
        found.append(File(f"{i}.txt"))
    return found


@workflow
def everything(n: int) -> tuple[list[str], Pair, Directory, list[File]]:
    return long(n=n), files(n=n), folder(n=n), many(n=n)


@task
def size(word: str) -> int:
    return len(word)


@workflow
def sizes(words: list[str]) -> list[int]:
    return map_task(size)(word=words)


def stored(text: str) -> File:
    path = Path("stored.txt")
    path.write_text(text)
    return File(str(path))


@task
def late(at: str) -> File:
    file = step(stored)("late")
    Path(at, "stored").touch()
    while not Path(at, "go").exists():
        time.sleep(0.01)
    return file


@workflow
def waits(at: str) -> File:
    return late(at=at)


@task
def fails(at: str) -> str:
    file = step(made)(at)
    if not Path(at, "go").exists():
        raise RuntimeError("not yet")
    return Path(file).read_text()


def made(at: str) -> File:
    with Path(at, "calls").open("a") as calls:
        calls.write(".")
    return stored("made once")


@workflow
def failing(at: str) -> str:
    return fails(at=at)


plan = LaunchPlan(sizes, name="child")


@workflow
def parent(words: list[str]) -> list[int]:
    found = plan(words=words)
    approve("go")
    return found


short = LaunchPlan(sizes, name="short", retention_days=1)
long_ = LaunchPlan(sizes, name="long", retention_days=400)


@task
def shuts() -> int:
    Path("shut/in").mkdir(parents=True)
    Path("shut/in/file").touch()
    Path("shut/in").chmod(0o500)
    Path("shut").chmod(0o500)
    return 1


@workflow
def shutting() -> int:
    return shuts()
