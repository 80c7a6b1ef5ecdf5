"""How functions are found, what they are given and what becomes of what they return."""

import shutil

import msgspec
import pytest

from wingbeat.contracts.executor import Succeeded
from wingbeat.contracts.storage import StorageRef
from wingbeat.spec.entities import Isolation, WrapperSpec
from wingbeat.spec.literal import INLINE_BYTES_MAX, Inline, LiteralList, LiteralMap, Offloaded, Picked
from wingbeat.types import literal_type

pytestmark = pytest.mark.anyio

STORE = """
import hashlib, os
from wingbeat.types import Blob
class Store:
    scheme = "test"
    def __init__(self, root):
        self.root = root
    def put_bytes(self, data):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.root, digest), "wb") as file:
            file.write(data)
        return Blob(uri="test:sha256:" + digest, digest="sha256:" + digest, size=len(data), name="")
    def read_bytes(self, blob, bytes_max=0):
        with open(os.path.join(self.root, blob.digest.removeprefix("sha256:")), "rb") as file:
            return file.read()
"""


@pytest.fixture
def storage(world, tmp_path):
    world.module("teststore", STORE)
    (tmp_path / "store").mkdir()
    return StorageRef("test", "teststore:Store", {"root": str(tmp_path / "store")})


async def run(world, sink, request, storage):
    executor = await world.executor(sink, storage=storage)
    await executor.submit(request)
    return await sink.outcome(request.id)


async def test_a_large_output_is_stored_and_travels_by_reference(world, sink, storage, tmp_path):
    world.module("m", "def f(n: int) -> list[int]:\n    return list(range(n))\n")
    outcome = await run(world, sink, world.request("m:f", inputs={"n": INLINE_BYTES_MAX}), storage)
    literal = outcome.outputs["o0"]
    assert isinstance(literal, Offloaded)
    stored = (tmp_path / "store" / literal.uri[-64:]).read_bytes()
    assert msgspec.json.decode(stored) == list(range(INLINE_BYTES_MAX))
    assert literal.size == len(stored) > INLINE_BYTES_MAX


async def test_deferred_inputs_are_put_together_in_the_attempts_process(world, sink, storage, tmp_path):
    world.module(
        "m",
        """
        def big(n: int) -> list[int]:
            return list(range(n))
        def use(a: list[list[int]], b: dict[str, int], c: int) -> list[int]:
            return [len(a), len(a[0]), a[1][0], b["x"], c]
        """,
    )
    executor = await world.executor(sink, storage=storage)
    await executor.submit(world.request("m:big", "x1/n0/0", {"n": 50_000}))
    large = (await sink.outcome("x1/n0/0")).outputs["o0"]
    inputs = {
        "a": LiteralList((large, Inline([7]))),
        "b": LiteralMap({"x": Picked(large, (5,), literal_type(list[int]))}),
        "c": Picked(LiteralMap({"k": LiteralList((large,))}), ("k", 0, 9), literal_type(dict[str, list[list[int]]])),
    }
    await executor.submit(world.request("m:use", "x1/n1/0", inputs))
    assert (await sink.outcome("x1/n1/0")).outputs["o0"] == Inline([2, 50_000, 7, 5, 9])


async def test_an_input_that_is_gone_from_storage_is_a_systems_error(world, sink, storage):
    world.module("m", "def f(x: int) -> int:\n    return x\n")
    lost = Offloaded("test:sha256:" + "0" * 64, 100_000, "sha256:" + "0" * 64)
    outcome = await run(world, sink, world.request("m:f", inputs={"x": lost}), storage)
    assert (outcome.error.code, outcome.error.kind, outcome.error.retryable) == ("InputLost", "SYSTEM", True)


async def test_a_part_that_is_not_there_is_told_with_its_place(world):
    world.module("m", "def f(x: int) -> int:\n    return x\n")
    outcome = await world.run(world.request("m:f", inputs={"x": Picked(Inline([1]), (4,), literal_type(list[int]))}))
    assert "there is no item 4" in outcome.error.message


@pytest.mark.parametrize(
    ("module", "function"),
    [("01_dataflow", "f"), ("package.inner.deep", "f"), ("shadow", "Holder.f"), ("decorated", "f")],
)
async def test_functions_are_found_wherever_a_task_can_be(world, module, function):
    source = {
        "shadow": "class Holder:\n    @staticmethod\n    def f() -> int:\n        return 1\n",
        "decorated": "class Task:\n    def __init__(self, fn): self.fn = fn\n@Task\ndef f() -> int: return 1\n",
    }.get(module, "assert __name__ != '__main__'\ndef f() -> int:\n    return 1\n")
    world.module(module.replace(".", "/"), source)
    outcome = await world.run(world.request(f"{module}:{function}"))
    assert outcome.outputs == {"o0": Inline(1)}


async def test_modules_of_the_bundle_find_each_other_and_leave_no_bytecode_there(world, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    world.module("helper", "VALUE = 5\n")
    world.module("m", "import helper\nfrom pathlib import Path\ndef f() -> int:\n    return helper.VALUE\n")
    before = sorted(world.bundle.rglob("*"))
    assert (await world.run(world.request("m:f"))).outputs["o0"] == Inline(5)
    assert sorted(world.bundle.rglob("*")) == before
    assert list((world.home / "cache").rglob("helper*.pyc"))


async def test_two_bundles_never_share_a_module(world, sink, tmp_path):
    world.module("m", "def f() -> int:\n    return 1\n")
    executor = await world.executor(sink)
    await executor.submit(world.request("m:f", "x1/n0/0"))
    assert (await sink.outcome("x1/n0/0")).outputs["o0"] == Inline(1)
    other = tmp_path / "other"
    shutil.copytree(world.bundle, other)
    (other / "m.py").write_text("def f() -> int:\n    return 2\n")
    executor._bundle_path = lambda _: str(other)
    request = msgspec.structs.replace(world.request("m:f", "x1/n1/0"), bundle="sha256:other")
    await executor.submit(request)
    assert (await sink.outcome("x1/n1/0")).outputs["o0"] == Inline(2)


async def test_asynchronous_functions_are_run_to_their_end(world):
    world.module("m", "import asyncio\nasync def f() -> int:\n    await asyncio.sleep(0)\n    return 3\n")
    assert (await world.run(world.request("m:f"))).outputs["o0"] == Inline(3)


async def test_several_outputs_come_from_a_tuple_or_a_named_tuple(world):
    world.module(
        "m",
        """
        from typing import NamedTuple
        class Pair(NamedTuple):
            low: int
            high: str
        def named() -> Pair:
            return Pair(1, "b")
        def plain() -> tuple[int, str]:
            return 1, "b"
        def nothing() -> None:
            pass
        """,
    )
    for function, outputs in (("named", ("low", "high")), ("plain", ("o0", "o1")), ("nothing", ())):
        outcome = await world.run(world.request(f"m:{function}", f"x1/{function}/0", outputs=outputs))
        assert isinstance(outcome, Succeeded)
        assert tuple(outcome.outputs) == outputs
        assert [literal.value for literal in outcome.outputs.values()] == [1, "b"][: len(outputs)]


async def test_wrappers_offer_parameters_and_are_left_whatever_happens(world):
    world.module(
        "w",
        """
        from marking import mark
        class Session: pass
        class Wrapper:
            def __init__(self, config):
                self.config = config
            def enter(self, attempt):
                mark(f"enter {self.config['n']} {attempt.id}")
                return {Session: Session(), "named": self.config["n"]}
            def leave(self, error):
                mark(f"leave {self.config['n']} {type(error).__name__}")
        """,
    )
    world.module(
        "m",
        """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from w import Session
        def f(x: int, session: Session, named: int) -> int:
            assert type(session).__name__ == "Session"
            if x < 0:
                raise ValueError
            return x + named
        """,
    )
    wrappers = tuple(WrapperSpec("w", "w:Wrapper", {"n": n}) for n in (1, 2))
    outcome = await world.run(world.request("m:f", "x1/n0/0", {"x": 10}, wrappers=wrappers))
    assert outcome.outputs["o0"] == Inline(12)
    await world.run(world.request("m:f", "x1/n1/0", {"x": -1}, wrappers=wrappers))
    assert world.marks() == [
        "enter 1 x1/n0/0", "enter 2 x1/n0/0", "leave 2 NoneType", "leave 1 NoneType",
        "enter 1 x1/n1/0", "enter 2 x1/n1/0", "leave 2 ValueError", "leave 1 ValueError",
    ]  # fmt: skip


async def test_a_wrapper_that_is_not_installed_says_what_is_missing(world):
    world.module("m", "def f() -> int:\n    return 1\n")
    outcome = await world.run(world.request("m:f", wrappers=(WrapperSpec("spark", "wingbeat_gone.x:W"),)))
    assert outcome.error.retryable is False
    assert "wingbeat_gone" in outcome.error.message


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_inputs_may_be_longer_than_a_message(world, isolation):
    world.module("m", "def f(texts: list[str]) -> int:\n    return sum(map(len, texts))\n")
    inputs = {"texts": ["x" * 60_000] * 1200}
    outcome = await world.run(world.request("m:f", inputs=inputs, isolation=isolation))
    assert outcome.outputs["o0"] == Inline(72_000_000)
    assert isolation is Isolation.SPAWN or not (world.attempt("x1/n0/0") / "inputs").exists()
