"""What every engine must do, wherever it is. Derive one test class and say how one is reached::

    class TestMyEngine(EngineContract):
        @contextlib.asynccontextmanager
        async def opened(self, home: TemporaryHome) -> AsyncIterator[Engine]:
            async with MyEngine(home.path) as engine:
                yield engine

Engines that are opened in one home, one after the other, are the same engine after a restart. What runs are the workflows of
`wingbeat.testing.conformance.engine_flows`: attempts have to be able to import that.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from wingbeat.author.closing import close
from wingbeat.base.errors import ConfigurationError, ConflictError, NotFound
from wingbeat.compile.check import check
from wingbeat.contracts.engine import POOL_LABEL, Engine, LaunchRequest
from wingbeat.contracts.observer import Published
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.entities import Closure, ConcurrencySpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase, NodePhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.home import TemporaryHome


def closure_of(workflow: Any) -> Closure:
    """A workflow, compiled; its code is found without a bundle."""
    closure, locations = close(workflow, StorageIO(None, ""))
    check(closure, locations)
    return closure


class EngineContract(Kit):
    """The contract of `wingbeat.contracts.engine.Engine` as tests."""

    runs_attempts = True

    def opened(self, home: TemporaryHome) -> contextlib.AbstractAsyncContextManager[Engine]:
        """An engine that runs what is launched, for as long as the context is entered."""
        raise NotImplementedError(f"{type(self).__name__} has to say how an engine is reached: def opened(self, home)")

    def request(self, workflow: Any, name: str = "", **inputs: Any) -> LaunchRequest:
        """What is launched; more of it by `msgspec.structs.replace`."""
        return LaunchRequest(closure_of(workflow), {key: Inline(value) for key, value in inputs.items()}, name)

    async def test_what_is_launched_runs_and_is_described(self, home: TemporaryHome) -> None:
        """`launch`, `wait`, `describe`: from the request to the outputs, and every node of it."""
        async with self.opened(home) as engine:
            reply = await engine.launch(self.request(flows.twice, n=5))
            assert reply.created
            assert await engine.wait(reply.id) is ExecutionPhase.SUCCEEDED
            view = await engine.describe(reply.id)
            assert (view.id, view.outputs) == (reply.id, {"o0": Inline(7)})
            assert [node.phase for node in view.nodes] == [NodePhase.SUCCEEDED] * 2
            assert view.inputs == {"n": Inline(5)}
            assert view.ended_at is not None
            assert (await engine.describe(reply.id, nodes=False)).nodes == []

    async def test_a_name_is_launched_once(self, home: TemporaryHome) -> None:
        """`launch`, called again with the same name and content, answers with what is there; also many at once."""
        async with self.opened(home) as engine:
            request = self.request(flows.twice, "mine", n=1)
            replies = await asyncio.gather(*(engine.launch(request) for _ in range(10)))
            assert {reply.id for reply in replies} == {"mine"}
            assert sum(reply.created for reply in replies) == 1
            await engine.wait("mine")
            assert not (await engine.launch(request)).created
            with pytest.raises(ConflictError):
                await engine.launch(self.request(flows.twice, "mine", n=2))
            assert [found.id for found in await engine.executions()] == ["mine"]

    async def test_a_failure_comes_with_the_error(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`wait`: the terminal phase. `describe`: the error, and whose it is."""
        async with self.opened(home) as engine:
            reply = await engine.launch(self.request(flows.fails, n=1, least=str(tmp_path / "least")))
            assert await engine.wait(reply.id) is ExecutionPhase.FAILED
            view = await engine.describe(reply.id)
            assert view.error is not None
            assert (view.error.code, view.outputs) == ("ValueError", None)
            assert "as asked" in view.error.message

    async def test_what_is_not_there_is_not_found(self, home: TemporaryHome) -> None:
        """Every call about an execution raises `NotFound` for one that there is not."""
        async with self.opened(home) as engine:
            calls = (
                engine.wait("x"), engine.describe("x"), engine.closure("x"), engine.abort("x", "enough"),
                engine.signal("x", "go", Inline(True), "s"), engine.explain_waiting("x"), engine.explain_cache("x", "n0"),
                anext(aiter(engine.events("x"))),
            )  # fmt: skip
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(error).__name__ for error in found] == ["NotFound"] * len(calls)

    async def test_events_go_on_behind_any_cursor(self, home: TemporaryHome) -> None:
        """`events`: everything behind a cursor, in order, until the execution has ended."""
        async with self.opened(home) as engine:
            reply = await engine.launch(self.request(flows.twice, n=1))
            live = [event async for event in engine.events(reply.id)]
            every = [event async for event in engine.events(reply.id)]
            assert live == every
            cursors = [event.cursor for event in every]
            assert cursors == sorted(set(cursors))
            assert (every[-1].kind, every[-1].phase) == ("execution", "SUCCEEDED")
            for place, event in enumerate(every):
                assert [e async for e in engine.events(reply.id, event.cursor)] == every[place + 1 :]

    async def test_abort_returns_when_it_has_ended(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`abort`: returns at the end; what has ended stays as it is."""
        async with self.opened(home) as engine:
            reply = await engine.launch(self.request(flows.endless, path=str(tmp_path / "never")))
            await self._begun(engine, reply.id)
            await engine.abort(reply.id, "enough")
            view = await engine.describe(reply.id)
            assert view.phase is ExecutionPhase.ABORTED
            assert "enough" in view.reason
            await engine.abort(reply.id, "again")
            assert await engine.describe(reply.id) == view
            done = await engine.launch(self.request(flows.twice, n=1))
            await engine.wait(done.id)
            await engine.abort(done.id, "too late")
            assert (await engine.describe(done.id)).phase is ExecutionPhase.SUCCEEDED

    async def test_a_gate_is_answered_once(self, home: TemporaryHome) -> None:
        """`signal`: durable when it returns; the same again changes nothing, also after the end; another answer is a conflict."""
        async with self.opened(home) as engine:
            reply = await engine.launch(self.request(flows.gated, n=1))
            for _ in range(2):
                await engine.signal(reply.id, "go", Inline(True), "s")
            assert await engine.wait(reply.id) is ExecutionPhase.SUCCEEDED
            assert (await engine.describe(reply.id)).outputs == {"o0": Inline(2)}
            with pytest.raises(ConflictError):
                await engine.signal(reply.id, "go", Inline(False), "other")
            await engine.signal(reply.id, "go", Inline(True), "once more")

    async def test_executions_are_listed_in_pages_the_newest_first(self, home: TemporaryHome) -> None:
        """`executions`: newest first, continuing behind an id, which has to be there."""
        async with self.opened(home) as engine:
            for number in range(5):
                await engine.launch(self.request(flows.twice, f"e{number}", n=number))
            pages, after = list[str](), ""
            while page := await engine.executions(after=after, limit=2):
                pages += [summary.id for summary in page]
                after = page[-1].id
            assert pages == [f"e{number}" for number in reversed(range(5))]
            with pytest.raises(NotFound):
                await engine.executions(after="nowhere")

    async def test_changes_are_followed_across_executions(self, home: TemporaryHome) -> None:
        """`changes`: what there is, then what comes; behind any number; also over a restart."""
        async with self.opened(home) as engine:
            await engine.wait((await engine.launch(self.request(flows.twice, "first", n=1))).id)
            following: Any = engine.changes()
            seen: dict[str, str] = {}
            last = 0
            async with asyncio.timeout(self.patience_s * 2 / 3), contextlib.aclosing(following) as found:
                async for changes in found:
                    for change in changes:
                        assert change.number > last
                        last, seen[change.execution.id] = change.number, change.execution.phase.value
                    if seen.get("first") == "SUCCEEDED" and "second" not in seen:
                        await engine.launch(self.request(flows.twice, "second", n=2))
                    if seen.get("second") == "SUCCEEDED":
                        break
        async with self.opened(home) as engine:
            await engine.launch(self.request(flows.twice, "third", n=3))
            following = engine.changes(last)
            async with asyncio.timeout(self.patience_s * 2 / 3), contextlib.aclosing(following) as found:
                async for changes in found:
                    assert {change.execution.id for change in changes} <= {"third"}
                    if changes and changes[-1].execution.phase.terminal:
                        break
            seen, following = {}, engine.changes()
            async with asyncio.timeout(self.patience_s * 2 / 3), contextlib.aclosing(following) as found:
                async for changes in found:
                    if not changes:
                        break
                    seen |= {change.execution.id: "" for change in changes}
            assert set(seen) == {"first", "second", "third"}, "an empty list says that this was all there is"

    async def test_the_closure_is_what_was_launched(self, home: TemporaryHome) -> None:
        """`closure`: the spec that an execution runs, whole."""
        async with self.opened(home) as engine:
            request = self.request(flows.twice, n=1)
            reply = await engine.launch(request)
            assert await engine.closure(reply.id) == request.closure

    async def test_a_restart_loses_nothing(self, home: TemporaryHome) -> None:
        """Executions outlive the engine: what has ended is there, what waits goes on, and can be answered."""
        async with self.opened(home) as engine:
            done = await engine.launch(self.request(flows.twice, "done", n=1))
            await engine.wait(done.id)
            before = await engine.describe("done")
            await engine.launch(self.request(flows.gated, "waits", n=1))
        async with self.opened(home) as engine:
            assert await engine.describe("done") == before
            await engine.signal("waits", "go", Inline(True), "s")
            assert await engine.wait("waits") is ExecutionPhase.SUCCEEDED
            assert not (await engine.launch(self.request(flows.gated, "waits", n=1))).created

    async def test_results_are_taken_over(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`launch` with `recover`: what succeeded does not run again. `recovery_plan`: says so before, and launches nothing."""
        least = tmp_path / "least"
        async with self.opened(home) as engine:
            request = self.request(flows.fails, "first", n=1, least=str(least))
            await engine.launch(request)
            await engine.wait("first")
            least.write_text("0")
            again = LaunchRequest(request.closure, request.inputs, "second", recover="first")
            plan = await engine.recovery_plan(again)
            assert len(plan.nodes) == 2
            assert [found.id for found in await engine.executions()] == ["first"]
            assert (await engine.launch(again)).recovered == 1
            assert await engine.wait("second") is ExecutionPhase.SUCCEEDED
            first, last = (await engine.describe("second")).nodes
            assert (first.phase, last.phase) == (NodePhase.RECOVERED, NodePhase.SUCCEEDED)
            with pytest.raises(NotFound):
                await engine.launch(LaunchRequest(request.closure, request.inputs, "third", recover="nowhere"))

    async def test_what_is_launched_again_is_under_its_limit(self, home: TemporaryHome) -> None:
        """`launch` with `POOL_LABEL`, as an execution has it that was launched with a limit: it waits for that, too."""
        async with self.opened(home) as engine:
            limit = ConcurrencySpec("nightly", 1)
            request = replace(self.request(flows.gated, "first", n=1), concurrency=limit)
            try:
                await engine.launch(request)
            except ConfigurationError as error:
                pytest.skip(f"this engine has no limits of executions: {error.message}")
            label = (await engine.describe("first", nodes=False)).labels[POOL_LABEL]
            again = replace(self.request(flows.gated, "again", n=1), labels={POOL_LABEL: label})
            await engine.launch(again)
            assert (await engine.describe("again", nodes=False)).phase is ExecutionPhase.QUEUED
            assert "nightly" in await engine.explain_waiting("again")
            await engine.signal("first", "go", Inline(True), "s")
            await engine.signal("again", "go", Inline(True), "s")
            assert await engine.wait("again") is ExecutionPhase.SUCCEEDED
            assert (await engine.describe("again", nodes=False)).labels[POOL_LABEL] == label

    async def test_who_stops_waiting_disturbs_nobody(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`wait`, `events`: cancelled or left, others go on."""
        gate = tmp_path / "gate"
        async with self.opened(home) as engine:
            reply = await engine.launch(self.request(flows.endless, path=str(gate)))
            waiting = [asyncio.create_task(engine.wait(reply.id)) for _ in range(3)]
            reading = asyncio.create_task(_all(engine, reply.id))
            await self._begun(engine, reply.id)
            waiting[0].cancel()
            left = engine.events(reply.id)
            await anext(aiter(left))
            gate.touch()
            assert await asyncio.gather(*waiting[1:]) == [ExecutionPhase.SUCCEEDED] * 2
            assert (await reading)[-1].phase == "SUCCEEDED"
            with contextlib.suppress(asyncio.CancelledError):
                await waiting[0]

    async def test_what_it_waits_for_is_told(self, home: TemporaryHome) -> None:
        """`explain_waiting`: for what, by name, of one node or of all."""
        async with self.opened(home) as engine:
            reply = await engine.launch(self.request(flows.gated, n=1))
            (gate, _) = (await engine.describe(reply.id)).nodes
            assert "go" in await engine.explain_waiting(reply.id)
            assert "go" in await engine.explain_waiting(reply.id, gate.id)

    async def _begun(self, engine: Engine, execution: str) -> None:
        async for event in engine.events(execution):
            if (event.kind, event.phase) == ("attempt", "RUNNING"):
                return


async def _all(engine: Engine, execution: str) -> list[Published]:
    return [event async for event in engine.events(execution)]
