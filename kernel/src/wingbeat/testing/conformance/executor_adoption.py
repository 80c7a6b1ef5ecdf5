"""The part of the kit for executors that is about one kernel after another."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Aborted, Failed, Succeeded
from wingbeat.testing.conformance.executor_stage import ExecutorStage, Reports, Stage, place_of, runs, starts
from wingbeat.testing.home import TemporaryHome

ONE, OTHER = "e/n/0", "e/other/0"


class AdoptionTests(ExecutorStage):
    """A new object over what an earlier one has left. Most are only for executors that adopt."""

    async def _left_running(self, home: TemporaryHome, kind: str = "wait") -> Stage:
        """Start an attempt, and close the executor that did."""
        async with self.started(home) as stage:
            if not stage.can.adopts:
                pytest.skip("it does not adopt")
            await stage.submit(ONE, kind)
            await stage.begun(ONE)
        return stage

    async def test_what_runs_is_adopted_by_the_next_executor(self, home: TemporaryHome) -> None:
        """`recover`: goes on reporting it if it runs; without the capability it is reported lost, `Failed` of kind SYSTEM."""
        async with self.started(home) as stage:
            request = await stage.submit(ONE, "wait")
            await stage.begun(ONE)
        async with self.started(home, [request]) as second:
            if second.can.adopts:
                second.let_go(ONE)
                assert isinstance(await second.reports.outcome(ONE), Succeeded)
            else:
                outcome = await second.reports.outcome(ONE)
                assert isinstance(outcome, Failed)
                assert outcome.error.kind is ErrorKind.SYSTEM
                assert not second.runs(ONE)
            assert second.starts(ONE) == 1

    def test_what_runs_when_the_kernel_is_killed_runs_once(self, home: TemporaryHome) -> None:
        """`recover`, after a crash: as after a `close`, which a kernel that is killed does not call."""

        async def life() -> None:
            stage = Stage(self, home, self.make(home))
            await stage.executor.start(stage.reports)
            await stage.executor.recover([])
            await stage.submit(ONE, "wait")
            await asyncio.sleep(3600)

        async def next_life() -> None:
            request = self.request(home, place_of(home, ONE), ONE, "wait")
            async with asyncio.timeout(self.patience_s), self.started(home, [request]) as stage:
                stage.let_go(ONE)
                outcome = await stage.reports.outcome(ONE)
                assert isinstance(outcome, Succeeded if stage.can.adopts else Failed)
                assert stage.starts(ONE) == 1

        self.crash(life, lambda: starts(home, ONE) > 0)
        asyncio.run(next_life())

    async def test_the_outcome_of_what_ended_meanwhile_is_taken(self, home: TemporaryHome) -> None:
        """`recover`: reports its outcome if it ended, reported before or not."""
        stage = await self._left_running(home)
        async with self.started(home) as first:
            reported = await first.run(OTHER)
        stage.let_go(ONE)
        await self.until(lambda: not stage.runs(ONE), "the end of the attempt")
        requests = [stage.request(ONE, "wait"), stage.request(OTHER, "succeed")]
        async with self.started(home, requests) as second:
            assert isinstance(await second.reports.outcome(ONE), Succeeded)
            assert isinstance(await second.reports.outcome(OTHER), type(reported))
            assert (second.starts(ONE), second.starts(OTHER)) == (1, 1)

    async def test_what_never_started_is_run_when_it_is_adopted(self, home: TemporaryHome) -> None:
        """`recover`: runs it if it never started."""
        async with self.started(home) as stage:
            if not stage.can.adopts:
                pytest.skip("it does not adopt")
            request = stage.request(ONE, "succeed")
            await stage.executor.recover([request])
            assert isinstance(await stage.reports.outcome(ONE), Succeeded)
            assert stage.starts(ONE) == 1

    async def test_what_was_killed_meanwhile_is_lost_and_not_run_again(self, home: TemporaryHome) -> None:
        """`recover`: reports it lost (`Failed`) if it began and nothing of it is left. Only on this machine, isolated."""
        stage = await self._left_running(home)
        if not stage.can.isolates:
            pytest.skip("it does not isolate")
        os.kill(int((stage.place(ONE) / "marks").read_text()), signal.SIGKILL)
        await self.until(lambda: not stage.runs(ONE), "the end of the attempt")
        async with self.started(home, [stage.request(ONE, "wait")]) as second:
            assert isinstance(await second.reports.outcome(ONE), Failed)
            assert second.starts(ONE) == 1

    async def test_adopting_twice_is_adopting_once(self, home: TemporaryHome) -> None:
        """`recover`, called again: with the same ones when it raised; so is a submit of what was adopted."""
        stage = await self._left_running(home)
        request = stage.request(ONE, "wait")
        async with self.started(home, [request]) as second:
            await second.executor.recover([request])
            await second.executor.submit(request)
            second.let_go(ONE)
            assert isinstance(await second.reports.outcome(ONE), Succeeded)
            await second.run(OTHER)
            assert second.starts(ONE) == 1

    async def test_many_are_adopted_at_once(self, home: TemporaryHome) -> None:
        """`recover`: with every attempt whose end is not in the journal, whatever has become of each."""
        async with self.started(home) as stage:
            if not stage.can.adopts:
                pytest.skip("it does not adopt")
            requests = [await stage.submit(f"e/n{n}/0") for n in range(10)]
            await stage.reports.outcome("e/n0/0")
        requests += [stage.request(f"e/n{n}/0", "succeed") for n in range(10, 20)]
        async with self.started(home, requests) as second:
            outcomes = [await second.reports.outcome(request.id) for request in requests]
            assert {type(outcome) for outcome in outcomes} == {Succeeded}
            assert [second.starts(request.id) for request in requests] == [1] * 20

    async def test_an_adopted_attempt_is_listed_and_can_be_cancelled(self, home: TemporaryHome) -> None:
        """`list` and `cancel`: as if this executor had started it."""
        stage = await self._left_running(home)
        async with self.started(home, [stage.request(ONE, "wait")]) as second:
            await self._listed(second)
            await second.executor.cancel(ONE, "enough")
            assert not second.runs(ONE)
            assert isinstance(await second.reports.outcome(ONE), Aborted)

    async def test_what_nobody_asked_to_adopt_is_listed_and_can_be_cancelled(self, home: TemporaryHome) -> None:
        """`list`: also what an earlier kernel left, for the reaper. `cancel`: stops it, though this one never heard of it."""
        await self._left_running(home)
        async with self.started(home) as second:
            await self._listed(second)
            await second.executor.cancel(ONE, "enough")
            assert not second.runs(ONE)
            assert isinstance(await second.reports.outcome(ONE), Aborted)
            assert list(await second.executor.list()) == []

    async def test_what_was_cancelled_stays_cancelled(self, home: TemporaryHome) -> None:
        """`cancel` of an unknown id, then a restart: a late submit and `recover` do not start it, and report `Aborted`."""
        async with self.started(home) as stage:
            if not stage.can.adopts:
                pytest.skip("it does not adopt")
            await stage.executor.cancel(ONE, "enough")
        async with self.started(home, [stage.request(ONE, "succeed")]) as second:
            assert isinstance(await second.reports.outcome(ONE), Aborted)
            await second.submit(ONE)
            await second.run(OTHER)
            assert second.starts(ONE) == 0

    async def test_how_far_an_adopted_attempt_is_is_told_again(self, home: TemporaryHome) -> None:
        """`Sink.advanced`: after a restart the executor tells again. Only for executors that report progress."""
        async with self.started(home) as stage:
            if not (stage.can.adopts and stage.can.reports_progress):
                pytest.skip("it does not adopt, or does not report progress")
            request = await stage.submit(ONE, "advance")
            await stage.reports.advance(ONE)
        async with self.started(home, [request]) as second:
            assert (await second.reports.advance(ONE)).text == "half"
            second.let_go(ONE)
            await second.reports.outcome(ONE)

    async def _listed(self, stage: Stage) -> None:
        found: Any = []
        for _ in range(200):  # it may be found by and by
            found = list(await stage.executor.list())
            if found:
                break
            await asyncio.sleep(0.01)
        assert found == [ONE]


__all__ = ["AdoptionTests", "Reports", "runs"]
