"""A journal that raises, exits, hangs, or answers with something else stops the engine, is named, and keeps nothing open."""

import asyncio
import time

import pytest

from wingbeat import calls
from wingbeat.base.errors import JournalUnknown
from wingbeat.contracts.journal import StorageFull
from wingbeat.engine import bounded
from wingbeat.engine import engine as engine_module
from wingbeat.testing.plans import Job, make_closure

ONE = make_closure({"a": Job()}, returns=["a"])


class Odd:
    """A journal of which some calls do something else; `do` may be set later."""

    def __init__(self, journal, **do):
        self.journal, self.do = journal, do

    def __getattr__(self, call):
        return self.do.get(call) or getattr(self.journal, call)


async def hang(*_, **__):
    await asyncio.Event().wait()


async def leave(*_, **__):
    raise SystemExit(4)


async def burn(*_, **__):
    raise RuntimeError("disk on fire")


async def seven(*_, **__):
    return 7


@pytest.fixture
def journal(bench):
    made = Odd(bench.make_journal())
    bench.journal = lambda: made
    return made


@pytest.mark.parametrize(
    ("does", "why"),
    [
        (hang, "failed: it did not answer within 0.05 s"),
        (leave, "failed: SystemExit: 4"),
        (burn, "failed: RuntimeError: disk on fire"),
    ],
)
async def test_an_append_that_goes_wrong_stops_the_engine_and_names_the_journal(bench, journal, does, why, monkeypatch):
    async with bench.engine() as engine:
        journal.do["append"] = does
        if does is hang:
            monkeypatch.setattr(bounded, "APPEND_S_MAX", 0.05)
        with pytest.raises(JournalUnknown, match=rf"The journal 'test' {why} \(append\)"):
            await engine.launch(bench.request(ONE, "mine"))
        with pytest.raises(JournalUnknown):
            await engine.launch(bench.request(ONE))
    del journal.do["append"]
    monkeypatch.undo()
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE, "mine"))
        assert await engine.wait(reply.id) == "SUCCEEDED"


@pytest.mark.parametrize(
    ("call", "does", "why"),
    [
        ("open", leave, "failed: SystemExit: 4"), ("records", burn, "disk on fire"),
        ("records", seven, "answered records with int, not with list"), ("open", hang, "did not answer within 0.05 s"),
    ],
)  # fmt: skip
async def test_an_engine_does_not_open_over_one_that_goes_wrong(bench, journal, call, does, why, monkeypatch):
    if does is hang:
        monkeypatch.setattr(bounded, "OPEN_S_MAX", 0.05)
    journal.do[call] = does
    with pytest.raises(JournalUnknown, match=f"The journal 'test' .*{why}"):
        async with bench.engine():
            pass


@pytest.mark.parametrize("does", [hang, leave, burn])
async def test_one_that_does_not_close_is_told_and_keeps_nothing(bench, journal, does, monkeypatch, caplog):
    monkeypatch.setattr(bounded, "CLOSE_S_MAX", 0.05)
    async with bench.engine():
        journal.do["close"] = does
    assert "The journal 'test'" in caplog.text
    await journal.journal.close()


async def test_a_disk_that_stays_full_is_no_journal_that_hangs(bench, journal, monkeypatch):
    monkeypatch.setattr(engine_module, "FULL_AGAIN_S", 0.15)
    monkeypatch.setattr(bounded, "APPEND_S_MAX", 1.0)
    full = []

    async def append(batch, fence):
        if len(full) < 10:
            full.append(batch)
            raise StorageFull("The disk is full.")
        await journal.journal.append(batch, fence)

    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        for _ in range(200):
            await asyncio.sleep(0.005)
            if bench.executor.running:
                break
        journal.do["append"] = append
        bench.executor.end(f"{reply.id}/a/0")
        assert await engine.wait(reply.id) == "SUCCEEDED"
    assert len(full) == 10


class Keeping:
    """A call that cannot be cancelled, and how many of it there were."""

    def __init__(self):
        self.calls = 0

    async def __call__(self, *_, **__):
        self.calls += 1
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue


@pytest.fixture
def impatient(monkeypatch):
    for name in ("OPEN_S_MAX", "APPEND_S_MAX", "READ_S_MAX", "CLOSE_S_MAX"):
        monkeypatch.setattr(bounded, name, 0.05)
    monkeypatch.setattr(calls, "LET_GO_S_MAX", 0.05)


def test_an_append_that_cannot_be_cancelled_ends_the_engine_and_keeps_nobody(bench, journal, impatient, caplog):
    """Neither who has launched, nor who closes, nor who ends the loop; and nothing is written behind it."""
    keeping = Keeping()

    async def main():
        async with bench.engine() as engine:
            journal.do["append"] = keeping
            with pytest.raises(
                JournalUnknown, match=r"The journal 'test' failed: it did not answer within 0\.05 s \(append\)"
            ):
                await engine.launch(bench.request(ONE))
            with pytest.raises(JournalUnknown):
                await engine.launch(bench.request(ONE))

    async def again():
        async with bench.engine() as engine:
            assert await engine.executions() == []

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 10
    assert keeping.calls == 1
    assert (
        "The journal 'test' failed: it does not let go of a call that was cancelled (append), and is asked"
        in caplog.text
    )
    bench.journal = bench.make_journal
    asyncio.run(again())


def test_a_close_that_cannot_be_cancelled_keeps_nobody(bench, journal, impatient, caplog):
    async def close():
        await journal.journal.close()
        await Keeping()()

    async def main():
        async with bench.engine() as engine:
            await engine.wait((await engine.launch(bench.request(ONE))).id)
            journal.do["close"] = close

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 10
    assert "The journal 'test' failed: it did not answer within 0.05 s (close)" in caplog.text


def test_a_start_that_cannot_be_cancelled_fails_in_time(bench, journal, impatient):
    async def main():
        journal.do["open"] = Keeping()
        async with bench.engine():
            pass

    with pytest.raises(JournalUnknown, match="did not answer within"):
        asyncio.run(main())


async def test_who_is_cancelled_waits_until_the_journal_has_let_go(bench, monkeypatch):
    """Else the next call would come beside what is still being written."""
    order = []

    class Slow:
        async def append(self, batch, fence):
            order.append(f"begins {batch}")
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                await asyncio.sleep(0.02)
                order.append(f"lets go of {batch}")
                raise
            order.append(f"ends {batch}")

    journal = bounded.BoundedJournal(Slow(), "slow")
    first = asyncio.create_task(journal.append(1, 0))
    await asyncio.sleep(0.005)
    first.cancel()
    await asyncio.sleep(0)
    first.cancel()  # who cancels twice does not wait, but the next one does
    await asyncio.gather(first, return_exceptions=True)
    assert first.cancelled()
    await journal.append(2, 0)
    assert order == ["begins 1", "lets go of 1", "begins 2", "ends 2"]


async def test_a_journal_that_cancels_itself_is_named(bench, journal):
    async def cancels(*_, **__):
        raise asyncio.CancelledError

    async with bench.engine() as engine:
        journal.do["records"] = cancels
        with pytest.raises(JournalUnknown, match=r"failed: it has cancelled the call itself \(records\)"):
            await engine.executions()
