"""`Kernel` with tasks in its own loop: everything an embedder sees."""

import asyncio
import dataclasses
import threading
import types

import pytest

from wingbeat import CompileError, ExecutionFailed, InputError, Kernel, NonRetryable, Retry, run, task, workflow
from wingbeat.base.errors import ConfigurationError, ConflictError, EngineStopped, NotFound, WingbeatError
from wingbeat.builtin.sqlite import SQLiteJournal
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.storage import ContentLost
from wingbeat.testing.fakes import MemoryCatalog


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


STATE = types.SimpleNamespace()  # not a list: values of globals are part of a task's code


@task
def double(n: int) -> int:
    return 2 * n


@task
async def slowly(n: int) -> int:
    await asyncio.sleep(0)
    return n


@task
def shift(p: Point) -> Point:
    return Point(p.x + 1, p.y)


@task
def fail(n: int) -> int:
    raise ValueError(f"not {n}")


@task
def long(n: int) -> list[str]:
    return ["x" * 1000] * n


@task(retries=3)
def never(n: int) -> int:
    STATE.attempts.append(n)
    raise NonRetryable("give up")


@task(retries=Retry(2, factor=3, jitter=0))
def sometimes(n: int) -> int:
    STATE.attempts.append(n)
    if len(STATE.attempts) < 3:
        raise OSError("not yet")
    return n


@task
async def forever(n: int) -> int:
    STATE.started.append(n)
    await STATE.gate.wait()
    return n


@workflow
def chain(n: int) -> int:
    return double(slowly(double(n)))


@workflow
def moved(p: Point) -> Point:
    return shift(shift(p))


@workflow
def failing(n: int = 3) -> int:
    return double(fail(double(n)))


@workflow
def waiting(n: int = 1) -> int:
    return double(forever(n))


@task
def text_of(n: str) -> str:
    return n


@task
def half_of(n: float) -> float:
    return n / 2


INLINE = (double, slowly, shift, fail, never, sometimes, forever, text_of, half_of)


@pytest.fixture(autouse=True)
def _fresh():
    STATE.attempts, STATE.started, STATE.gate = [], [], asyncio.Event()


@pytest.fixture
def kernel_at(tmp_path):
    def make(**options):
        return Kernel(tmp_path / "home", inline=INLINE, discover=False, **options)

    return make


async def until(condition, what="the condition"):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{what} did not come true")


# -- results


async def test_a_workflow_gives_its_value(kernel_at):
    async with kernel_at() as kernel:
        execution = await kernel.launch(chain, {"n": 3})
        assert await execution.result() == 12
        assert await execution.result() == 12, "as often as it is asked"
        assert (await (await kernel.get(execution.id)).result()) == 12


async def test_a_task_alone_can_be_launched(kernel_at):
    async with kernel_at() as kernel:
        assert await (await kernel.launch(double, {"n": 4})).result() == 8


async def test_values_keep_their_class(kernel_at):
    async with kernel_at() as kernel:
        execution = await kernel.launch(moved, {"p": Point(1, 2)}, name="mine")
        assert await execution.result() == Point(3, 2)
        assert await (await kernel.get("mine")).result() == Point(3, 2)
        assert await (await kernel.recover("mine")).result() == Point(3, 2)


async def test_a_failure_says_who_what_and_where(kernel_at):
    async with kernel_at() as kernel:
        execution = await kernel.launch(failing, name="mine")
        with pytest.raises(ExecutionFailed) as caught:
            await execution.result()
        error = caught.value
        assert (error.execution, error.node, error.code, error.kind, error.message) == (
            "mine", "n1", "ValueError", "USER", "not 6",
        )  # fmt: skip
        assert str(error) == "mine/n1: not 6"
        view = await execution.describe()
        assert [n.phase for n in view.nodes] == ["SUCCEEDED", "FAILED", "NOT_STARTED"]


async def test_non_retryable_is_not_retried_and_others_are(kernel_at):
    async with kernel_at() as kernel:
        with pytest.raises(ExecutionFailed, match="give up"):
            await (await kernel.launch(never, {"n": 1})).result()
        assert STATE.attempts == [1]
        STATE.attempts.clear()
        assert await (await kernel.launch(sometimes, {"n": 5})).result() == 5
        assert STATE.attempts == [5, 5, 5]


# -- launch


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "chain needs 'n' \\(int\\)"),
        ({"n": 1, "m": 2}, "has no input 'm'.*\\n.*It takes n"),
        ({"n": "three"}, "Input 'n' of .*chain takes int"),
        ({"n": 1.5}, "Input 'n' of .*chain takes int"),
    ],
)
async def test_wrong_inputs_are_refused_before_anything_runs(kernel_at, inputs, message):
    async with kernel_at() as kernel:
        with pytest.raises(InputError, match=message):
            await kernel.launch(chain, inputs)
        assert await kernel.engine.executions() == []


async def test_what_is_neither_task_nor_workflow_is_refused(kernel_at):
    async with kernel_at() as kernel:
        with pytest.raises(CompileError, match="neither a task nor a workflow"):
            await kernel.launch(lambda: 1)  # type: ignore[arg-type]


async def test_the_same_name_is_the_same_execution(kernel_at):
    async with kernel_at() as kernel:
        one = await kernel.launch(chain, {"n": 1}, name="mine")
        two = await kernel.launch(chain, {"n": 1}, name="mine")
        assert (one.id, one.created, two.id, two.created) == ("mine", True, "mine", False)
        assert await two.result() == 4
        with pytest.raises(ConflictError):
            await kernel.launch(chain, {"n": 2}, name="mine")


async def test_many_executions_at_once(kernel_at):
    async with kernel_at() as kernel:
        executions = await asyncio.gather(*(kernel.launch(chain, {"n": n}) for n in range(300)))
        assert await asyncio.gather(*(e.result() for e in executions)) == [4 * n for n in range(300)]


async def test_what_does_not_exist_is_not_found(kernel_at):
    async with kernel_at() as kernel:
        for call in (kernel.get, kernel.recover):
            with pytest.raises(NotFound):
                await call("nope")


# -- recover


async def test_recover_runs_what_did_not_succeed(kernel_at):
    async with kernel_at() as kernel:
        old = await kernel.launch(failing, name="old")
        await old.wait()
        new = await kernel.recover("old")
        assert new.recovered == 1
        with pytest.raises(ExecutionFailed):
            await new.result()
        assert [n.phase for n in (await new.describe()).nodes] == ["RECOVERED", "FAILED", "NOT_STARTED"]


async def test_relaunch_runs_everything_again_with_the_same_inputs_and_labels(kernel_at):
    async with kernel_at() as kernel:
        first = await kernel.launch(double, {"n": 4}, labels={"team": "eta", "wingbeat/entity": "a/b/c@v1"})
        assert await first.result() == 8
        again = await kernel.relaunch(first.id)
        assert (again.id != first.id, again.recovered, await again.result()) == (True, 0, 8)
        labels = (await again.describe()).labels
        assert {**labels, "team": "eta", "wingbeat/entity": "a/b/c@v1"} == labels
        assert (await kernel.relaunch(first.id, name=again.id)).created is False
        other = await kernel.relaunch(first.id, double)
        assert "wingbeat/entity" not in (await other.describe()).labels, (
            "what is compiled anew is not what was registered"
        )
        with pytest.raises(NotFound):
            await kernel.relaunch("nope")


async def test_an_execution_is_run_again_with_inputs_that_the_other_version_can_take(kernel_at):
    async with kernel_at() as kernel:
        await (await kernel.launch(double, {"n": 4}, "old")).result()
        assert await (await kernel.relaunch("old", half_of)).result() == 2.0
        told = "Input 'n' of .*text_of takes str, and was int in old: "
        with pytest.raises(InputError, match=told):
            await kernel.relaunch("old", text_of)
        with pytest.raises(InputError, match=told):
            await kernel.recover("old", text_of)
        with pytest.raises(InputError, match=told):
            await kernel.recovery_plan("old", text_of)


async def test_recover_of_something_else_takes_over_nothing(kernel_at):
    async with kernel_at() as kernel:
        await (await kernel.launch(chain, {"n": 1}, name="old")).result()
        new = await kernel.recover("old", waiting)
        assert new.recovered == 0
        await new.abort()


# -- abort and ways out


async def test_abort_ends_it_and_says_why(kernel_at):
    async with kernel_at() as kernel:
        execution = await kernel.launch(waiting)
        await until(lambda: STATE.started)
        await execution.abort("not needed")
        view = await execution.describe()
        assert (view.phase, view.reason) == ("ABORTED", "not needed")
        with pytest.raises(ExecutionFailed, match="aborted: not needed") as info:
            await execution.result()
        assert info.value.code == "Aborted"


async def test_leaving_detaches_and_the_next_kernel_goes_on(kernel_at):
    async with kernel_at() as kernel:
        execution = await kernel.launch(waiting, {"n": 4}, name="mine")
        await until(lambda: STATE.started)
        result = asyncio.create_task(execution.result())
        await asyncio.sleep(0)
    with pytest.raises(EngineStopped):
        await result
    STATE.gate.set()
    async with kernel_at() as kernel:
        again = await kernel.launch(waiting, {"n": 4}, resume=True)
        assert (again.id, again.created) == ("mine", False)
        assert await again.result() == 8
        attempts = (await again.describe()).nodes[0].attempts
        assert [a.phase for a in attempts] == ["RETRYABLE_FAILED", "SUCCEEDED"], (
            "an inline attempt ends with its process"
        )


async def test_drain_waits_for_the_end(kernel_at):
    async with kernel_at(on_exit="drain") as kernel:
        await kernel.launch(waiting, name="mine")
        await until(lambda: STATE.started)
        asyncio.get_running_loop().call_later(0.05, STATE.gate.set)
    async with kernel_at(read_only=True) as kernel:
        assert (await (await kernel.get("mine")).describe()).phase == "SUCCEEDED"


async def test_abort_on_exit_stops_what_runs(kernel_at):
    async with kernel_at(on_exit="abort") as kernel:
        await kernel.launch(waiting, name="mine")
        await until(lambda: STATE.started)
    async with kernel_at(read_only=True) as kernel:
        assert (await (await kernel.get("mine")).describe()).phase == "ABORTED"


async def test_a_closed_kernel_says_so(kernel_at):
    async with kernel_at() as kernel:
        execution = await kernel.launch(chain, {"n": 1})
        await execution.result()
    with pytest.raises(EngineStopped, match="async with Kernel"):
        await execution.describe()
    with pytest.raises(ConfigurationError, match="not open"):
        _ = kernel.engine


async def test_a_kernel_leaves_no_thread_behind(kernel_at):
    before = {t.ident for t in threading.enumerate()}
    async with kernel_at() as kernel:
        await (await kernel.launch(chain, {"n": 1})).result()
    left = [t for t in threading.enumerate() if t.ident not in before and not t.name.startswith("asyncio_")]
    for thread in left:  # told to end; it may still be on its way out
        thread.join(10)
    assert [t for t in left if t.is_alive()] == []


async def test_two_kernels_in_one_process_do_not_see_each_other(tmp_path):
    def at(name):
        return Kernel(tmp_path / name, inline=INLINE, discover=False)

    async with at("one") as one, at("two") as two:
        await (await one.launch(chain, {"n": 1}, name="mine")).result()
        with pytest.raises(NotFound):
            await two.get("mine")


async def test_a_kernel_with_inline_tasks_must_hold_its_home(kernel_at):
    async with kernel_at():
        with pytest.raises(ConfigurationError, match="cannot run inline tasks of this one"):
            async with kernel_at():
                pass


# -- another kernel through the holder


async def test_a_second_kernel_works_through_the_first_and_takes_its_place(kernel_at, tmp_path):
    def guest():
        return Kernel(tmp_path / "home", discover=False)

    async with guest() as second:
        pass  # it may also be the first
    holder = kernel_at()
    await holder.__aenter__()
    async with guest() as second:
        execution = await (await holder.launch(waiting, {"n": 4}, name="mine")).describe()
        assert (await second.get("mine")).id == execution.id
        with pytest.raises(NotFound):
            await second.get("nope")
        seen = []

        async def follow():
            async for event in (await second.get("mine")).events():
                seen.append(event)

        following = asyncio.create_task(follow())
        await until(lambda: STATE.started and seen)
        STATE.gate.set()
        await following
        assert seen[-1].phase == "SUCCEEDED"
        assert await (await second.get("mine")).result() == 8
        mine = await second.get("mine")
        await holder.__aexit__(None, None, None)
        views = await asyncio.gather(*(mine.describe() for _ in range(20)))
        assert {v.phase for v in views} == {"SUCCEEDED"}
        assert second._engine is not None
        assert second._engine.holds


async def test_a_call_that_is_cancelled_while_the_holder_changes_leaves_a_whole_engine(kernel_at, tmp_path):
    holder = kernel_at()
    await holder.__aenter__()
    await (await holder.launch(chain, {"n": 1}, name="mine")).result()
    async with Kernel(tmp_path / "home", discover=False) as second:
        execution = await second.get("mine")
        await holder.__aexit__(None, None, None)
        for turns in range(6):
            call = asyncio.create_task(execution.describe())
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        assert (await execution.describe()).phase == "SUCCEEDED"


# -- read only


async def test_a_read_only_kernel_reads_and_does_nothing_else(kernel_at):
    async with kernel_at() as kernel:
        await (await kernel.launch(chain, {"n": 3}, name="mine")).result()
        async with kernel_at(read_only=True) as reader:
            execution = await reader.get("mine")
            view = await execution.describe()
            assert view.phase == "SUCCEEDED"
            assert reader.plain(view.outputs or {}, await reader.engine.closure("mine")) == {"o0": 12}
            assert [e.phase async for e in execution.events()][-1] == "SUCCEEDED"
            assert "is not cached" in await reader.engine.explain_cache("mine", "n0")
            with pytest.raises(ConfigurationError, match="read-only"):
                await reader.evict_cache(everything=True)
            assert await execution.result() == 12
            with pytest.raises(ConfigurationError, match="read-only"):
                await reader.launch(chain, {"n": 1})
            with pytest.raises(ConfigurationError, match="read-only"):
                await execution.abort()


async def test_a_reader_can_wait_for_the_end(kernel_at):
    async with kernel_at() as kernel:
        await kernel.launch(waiting, {"n": 4}, name="mine")
        async with kernel_at(read_only=True) as reader:
            result = asyncio.create_task((await reader.get("mine")).result())
            await until(lambda: STATE.started, "the start")
            STATE.gate.set()
            assert await result == 8


async def test_a_home_that_does_not_exist_cannot_be_read(tmp_path):
    with pytest.raises(NotFound, match="There is no home at"):
        async with Kernel(tmp_path / "nowhere", read_only=True):
            pass
    assert not (tmp_path / "nowhere").exists()


# -- describe, explain


class _Catalog:
    """A plugin whose catalog is at hand."""

    __name__ = "memory"

    def __init__(self):
        self.catalog = MemoryCatalog()
        self.asked = []

    @hookimpl
    def wingbeat_register(self, registrar):
        registrar.catalog("memory", lambda home: self)

    def __getattr__(self, name):
        return getattr(self.catalog, name)

    async def evict(self, **which):
        self.asked.append({name: value for name, value in which.items() if value is not None})
        return await self.catalog.evict(**which)


async def test_entries_of_the_cache_are_evicted_as_people_say_it(kernel_at):
    plugin = _Catalog()
    async with kernel_at(plugins=[plugin], settings={"kernel": {"catalog": "memory"}}) as kernel:
        await kernel.evict_cache(key="sha256:1", task="m.f", older_than="1h30m", size_max="2Ki")
        with pytest.raises(InputError, match="'soon' is not a duration"):
            await kernel.evict_cache(older_than="soon")
        with pytest.raises(InputError, match="'big' is not a size"):
            await kernel.evict_cache(size_max="big")
        with pytest.raises(InputError, match="Nothing says which"):
            await kernel.evict_cache()
    assert plugin.asked == [{"digest": "sha256:1", "task": "m.f", "older_than_s": 5400.0, "size_max": 2048}]


async def test_explain_cache_speaks_about_every_node(kernel_at):
    async with kernel_at() as kernel:
        execution = await kernel.launch(chain, {"n": 1})
        await execution.result()
        assert "is not cached; @task(cache=True) would" in await kernel.engine.explain_cache(execution.id, "n0")
        with pytest.raises(NotFound, match="no node 'n9'"):
            await kernel.engine.explain_cache(execution.id, "n9")


async def test_run_inside_a_loop_says_what_to_do_instead():
    with pytest.raises(WingbeatError, match="inside a running event loop"):
        run(chain, n=1)


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_kernel_that_is_cancelled_while_it_closes_closes_to_the_end(tmp_path, monkeypatch, read_only):
    begun, done = [], []
    closed = SQLiteJournal.close

    async def slow(journal):
        begun.append(journal)
        await asyncio.sleep(0.05)
        await closed(journal)
        done.append(journal)

    async with Kernel(tmp_path / "home"):
        pass
    monkeypatch.setattr(SQLiteJournal, "close", slow)
    kernel = await Kernel(tmp_path / "home", read_only=read_only).__aenter__()
    closing = asyncio.ensure_future(kernel.__aexit__(None, None, None))
    while not begun:
        await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert done == begun


@pytest.mark.parametrize("read_only", [False, True])
def test_a_kernel_that_is_cancelled_while_it_opens_lets_go_in_order(tmp_path, monkeypatch, read_only):
    begun, done, closed = [], [], []
    opens = "open_to_read" if read_only else "open"
    opened = getattr(SQLiteJournal, opens)

    async def slow(journal, *owner):
        begun.append(journal)
        await asyncio.sleep(0.05)
        done.append(journal)
        return await opened(journal, *owner)

    async def close(journal):
        closed.append(journal)
        await closes(journal)

    async def again():
        async with Kernel(tmp_path / "home"):
            pass

    asyncio.run(again())
    closes = SQLiteJournal.close
    monkeypatch.setattr(SQLiteJournal, opens, slow)
    monkeypatch.setattr(SQLiteJournal, "close", close)

    async def interrupted():
        opening = asyncio.ensure_future(Kernel(tmp_path / "home", read_only=read_only).__aenter__())
        while not begun:
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    asyncio.run(interrupted())
    assert done, "a database that is being opened is opened, and closed"
    assert closed
    asyncio.run(again())


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_section_that_nobody_reads_is_warned_of_and_breaks_nothing(tmp_path, monkeypatch, caplog, read_only):
    monkeypatch.chdir(tmp_path)
    async with Kernel(tmp_path / "home"):
        pass
    assert caplog.messages == []
    (tmp_path / "wingbeat.toml").write_text("[proces]\nslots = 1\n[process]\nslots = 1\n")
    async with Kernel(tmp_path / "home", read_only=read_only):
        pass
    (message,) = caplog.messages
    assert "[proces]" in message
    assert message.endswith("Did you mean [process]?")


async def test_a_result_that_is_not_in_the_storage_any_more_is_named(tmp_path):
    async with Kernel(tmp_path / "home", inline=[long], discover=False) as kernel:
        execution = await kernel.launch(long, {"n": 500})
        assert len(await execution.result()) == 500
        for stored in (tmp_path / "home" / "storage" / "objects").iterdir():
            stored.unlink()
        told = r"The value of 'o0' cannot be read: store:sha256:\w+ is not, or not any more, in the storage 'store'"
        with pytest.raises(ContentLost, match=told) as lost:
            await execution.result()
        assert lost.value.hint == "Run again what has made it."
        view = await execution.describe()
        with pytest.raises(ContentLost, match=told):
            kernel.plain(view.outputs, await kernel.engine.closure(execution.id))
