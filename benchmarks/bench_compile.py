"""Compile of a workflow of 500 steps: trace, close, check, canonical JSON, plan."""

import msgspec
from benchmarks.harness import Line, duration, folder, repeat, report

from wingbeat import workflow
from wingbeat.author.closing import close
from wingbeat.builtin.filestore import FileStore
from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import Closure

STEPS = 500
TIMES = 20
GOAL_S = 0.040
GOAL_KB = 40


def measure() -> list[Line]:
    """The raw limit is to write and read the same document once."""
    from benchmarks.programs import noop

    with folder() as home:
        io = StorageIO(FileStore(str(home / "storage")), str(home / "scratch"))
        sizes: list[int] = []

        def once(_: int) -> None:
            fresh = workflow(noop.chain_500.fn)  # a workflow keeps its signature
            closure, locations = close(fresh, io)
            check(closure, locations)
            sizes.append(len(canonical(closure)))
            assert len(flatten(closure).nodes) == STEPS

        timings = repeat(once, TIMES)
        body = canonical(close(noop.chain_500, io)[0])
    limit = repeat(lambda _: canonical(msgspec.json.decode(body, type=Closure)), TIMES)
    size = sizes[-1] / 1000
    return [
        duration(
            f"compile of {STEPS} steps", timings, raw=limit, raw_what="decoding and encoding the same document",
            goal_s=GOAL_S,
        ),
        Line(
            f"compile of {STEPS} steps: canonical JSON", "kB", size, size, None, STEPS * 32 / 1000,
            "32 bytes a step: the least that names a node, its task and its input", f"<= {GOAL_KB} kB", size <= GOAL_KB,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    report(measure())
