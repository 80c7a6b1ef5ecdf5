"""What every executor must do. Derive one test class and say how an executor is made::

    class TestMyExecutor(ExecutorContract):
        def make(self, home: Home) -> Executor:
            return MyExecutor(home.path, home.settings("mine", MySettings))

That is all for an executor that runs Python functions: the kit puts a code bundle (`wingbeat.testing.conformance.tasks`) into the
storage of the home, and submits attempts that run the functions in it. Others (containers, say) override `request` and give
attempts that do the same: ``succeed`` gives the output ``o0`` 7, ``wait`` goes on until there is a file ``gate``, ….

What an executor cannot do it says in its `Capabilities`; the tests of that are skipped.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Aborted, Capabilities, Failed, Outcome, Succeeded
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance.executor_adoption import AdoptionTests
from wingbeat.testing.conformance.executor_stage import Reports, Stage
from wingbeat.testing.conformance.kit import held, slow
from wingbeat.testing.home import TemporaryHome

ONE, OTHER = "e/n/0", "e/other/0"
CANARY = "canary-7d02f1-in-a-secret"
FIRST = 4
"""So many attempts show how long one takes."""
LEAK_ATTEMPTS = 4
LEAK_BYTES_MAX = 50_000
"""What is kept of an attempt that has ended, at most: its outcome is the kernel's to keep."""
LOAD_MIN = 20
"""So many are some load, however slow each is."""


class ExecutorContract(AdoptionTests):
    """The contract of `wingbeat.contracts.executor.Executor` as tests.

    Attributes:
        load: So many attempts are submitted at once in the test of load, at most: fewer, and at least `LOAD_MIN`, where the first
            ones show that so many would take longer than the test waits.

        examples: So many random stories are told in the test against a model.
    """

    load: ClassVar[int] = 300
    examples: ClassVar[int] = 15

    # Outcomes

    async def test_success_comes_with_the_outputs(self, home: TemporaryHome) -> None:
        """`Succeeded`: the function returned, `outputs` are inline or offloaded. `Sink.ended`: nothing of it runs any more."""
        async with self.started(home) as stage:
            outcome = await stage.run(ONE)
            assert not stage.runs(ONE)
            assert isinstance(outcome, Succeeded), f"it was to succeed: {outcome}"
            assert outcome.outputs == {"o0": Inline(7)}
            assert stage.starts(ONE) == 1

    async def test_failure_comes_with_the_error(self, home: TemporaryHome) -> None:
        """`Failed`: the user's error, with its class as `code` and its text."""
        async with self.started(home) as stage:
            outcome = await stage.run(ONE, "fail")
            assert isinstance(outcome, Failed)
            assert (outcome.error.code, outcome.error.kind) == ("ValueError", ErrorKind.USER)
            assert "as asked" in outcome.error.message

    async def test_a_value_of_another_type_is_a_failure(self, home: TemporaryHome) -> None:
        """`Failed`: what a function gives has to be of the type that it declares."""
        async with self.started(home) as stage:
            if not stage.can.functions:
                pytest.skip("it runs no functions")
            outcome = await stage.run(ONE, "wrong")
            assert isinstance(outcome, Failed)
            assert outcome.error.kind is ErrorKind.USER

    async def test_a_function_that_is_not_there_is_refused_or_a_failure(self, home: TemporaryHome) -> None:
        """`submit`: raises, or takes the attempt and reports that it failed; it is never silent."""
        async with self.started(home) as stage:
            if not stage.can.functions:
                pytest.skip("it runs no functions")
            try:
                await stage.submit(ONE, "missing")
            except Exception:  # noqa: BLE001  # it may be anything
                return
            assert isinstance(await stage.reports.outcome(ONE), Failed)

    async def test_an_attempt_that_ends_without_a_word_has_failed(self, home: TemporaryHome) -> None:
        """`Failed`: a crash. Only for executors that isolate."""
        async with self.started(home) as stage:
            if not stage.can.isolates:
                pytest.skip("it does not isolate")
            outcome = await stage.run(ONE, "crash")
            assert isinstance(outcome, Failed)
            assert outcome.error.message
            assert isinstance(await stage.run(OTHER), Succeeded), "others go on"

    async def test_variables_are_set(self, home: TemporaryHome) -> None:
        """`AttemptRequest.variables`: added in the attempt's process. Only for executors that isolate."""
        async with self.started(home) as stage:
            if not stage.can.isolates:
                pytest.skip("it does not isolate")
            outcome = await stage.run(ONE, "variable", variables={"KIT_NUMBER": "11"})
            assert isinstance(outcome, Succeeded)
            assert outcome.outputs == {"o0": Inline(11)}

    async def test_variables_of_the_kernel_that_hold_secrets_stay_there(
        self, home: TemporaryHome, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`AttemptRequest.secrets`: no attempt finds a variable ``WINGBEAT_SECRET_…``. Only for functions that are isolated."""
        monkeypatch.setenv("WINGBEAT_SECRET_KIT_HIDDEN", CANARY)
        async with self.started(home) as stage:
            if not (stage.can.functions and stage.can.isolates):
                pytest.skip("it does not isolate, or runs no functions")
            outcome = await stage.run(ONE, "withheld")
            assert isinstance(outcome, Succeeded), f"it was to succeed: {outcome}"
            assert outcome.outputs == {"o0": Inline(0)}, "the task found the variables that hold secrets of the kernel"

    async def test_a_running_attempt_is_reported_and_listed(self, home: TemporaryHome) -> None:
        """`list`: the attempts that hold resources now. `Sink.running`: told when an attempt begins to run."""
        async with self.started(home) as stage:
            assert list(await stage.executor.list()) == []
            await stage.submit(ONE, "wait")
            await stage.begun(ONE)
            assert list(await stage.executor.list()) == [ONE]
            stage.let_go(ONE)
            assert isinstance(await stage.reports.outcome(ONE), Succeeded)
            if stage.can.reports_running:
                assert ONE in stage.reports.began
            assert list(await stage.executor.list()) == []

    # Secrets

    async def test_an_attempt_has_the_secrets_of_its_task(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`Capabilities.secrets`: as `AttemptRequest` says, in the variables that the task names too, where it isolates."""
        async with self.started(home) as stage:
            outcome = await stage.run_with_secret(ONE, "secret", tmp_path / "secrets", CANARY)
            assert isinstance(outcome, Succeeded), f"it was to succeed: {outcome}"
            times = 2 if stage.can.isolates else 1
            assert outcome.outputs == {"o0": Inline(times * len(CANARY))}

    async def test_what_an_attempt_says_of_its_secrets_is_masked(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`AttemptRequest.secrets`: values are masked in its log and its error, and no file in the home has one."""
        async with self.started(home) as stage:
            outcome = await stage.run_with_secret(ONE, "tell", tmp_path / "secrets", CANARY)
            assert isinstance(outcome, Failed)
            assert outcome.error.code == "ValueError", f"it was to fail as asked: {outcome.error}"
            assert CANARY not in msgspec.json.encode(outcome).decode(), "its error has the value of a secret"
        held = [path for path in Path(home.path).rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
        assert held == [], "files have the value of a secret"

    async def test_an_attempt_whose_secret_is_missing_fails_for_good(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`SecretMissing`: the attempt fails and is not tried again; its function is not called."""
        async with self.started(home) as stage:
            outcome = await stage.run_with_secret(ONE, "secret", tmp_path / "secrets", "")
            assert isinstance(outcome, Failed)
            assert not outcome.error.retryable, f"nothing is mended by another try: {outcome.error}"
            assert "kit/token" in outcome.error.message
            assert stage.starts(ONE) == 0

    # The second call

    async def test_the_same_attempt_twice_runs_once(self, home: TemporaryHome) -> None:
        """`submit`, called again: must not start a second one, while the first runs and after it has ended."""
        async with self.started(home) as stage:
            request = await stage.submit(ONE, "wait")
            await stage.executor.submit(request)
            await stage.begun(ONE)
            await asyncio.gather(*(stage.executor.submit(request) for _ in range(5)))
            stage.let_go(ONE)
            await stage.reports.outcome(ONE)
            await stage.executor.submit(request)
            await stage.run(OTHER)
            await self.turns()
            assert stage.starts(ONE) == 1

    async def test_many_submits_of_one_attempt_at_once_run_once(self, home: TemporaryHome) -> None:
        """`submit`, called again: also while the first call has not returned."""
        async with self.started(home) as stage:
            request = stage.request(ONE, "succeed")
            await asyncio.gather(*(stage.executor.submit(request) for _ in range(20)))
            assert isinstance(await stage.reports.outcome(ONE), Succeeded)
            await stage.run(OTHER)
            assert stage.starts(ONE) == 1

    async def test_a_submit_that_is_cancelled_may_be_repeated(self, home: TemporaryHome) -> None:
        """`submit`, called again: with the same id after a lost answer, at whatever moment it was lost."""
        async with self.started(home) as stage:
            for turns in range(6):
                name = f"e/n{turns}/0"
                request = stage.request(name, "succeed")
                lost = asyncio.ensure_future(stage.executor.submit(request))
                for _ in range(turns):
                    await asyncio.sleep(0)
                lost.cancel()
                await asyncio.gather(lost, return_exceptions=True)
                await stage.executor.submit(request)
                assert isinstance(await stage.reports.outcome(name), Succeeded)
                assert stage.starts(name) == 1

    # Cancelling

    async def test_a_cancelled_attempt_is_gone_when_cancel_returns(self, home: TemporaryHome) -> None:
        """`cancel`: returns when nothing of it runs; its end is reported through the sink."""
        async with self.started(home) as stage:
            await stage.submit(ONE, "wait")
            await stage.begun(ONE)
            await stage.executor.cancel(ONE, "enough")
            assert not stage.runs(ONE)
            assert isinstance(await stage.reports.outcome(ONE), Aborted)
            assert list(await stage.executor.list()) == []

    @pytest.mark.parametrize("kind", ["stubborn", "family"])
    async def test_what_does_not_end_when_asked_to_is_ended(self, home: TemporaryHome, kind: str) -> None:
        """`cancel`: returns when nothing of it runs: a process that ignores signals, and children. Only where isolated."""
        async with self.started(home) as stage:
            if not stage.can.isolates:
                pytest.skip("it does not isolate")
            await stage.submit(ONE, kind)
            await stage.begun(ONE)
            await stage.executor.cancel(ONE, "enough")
            assert not stage.runs(ONE)
            assert isinstance(await stage.reports.outcome(ONE), Aborted)

    async def test_cancelling_twice_is_cancelling(self, home: TemporaryHome) -> None:
        """`cancel`, called again: fine, at the same time and afterwards."""
        async with self.started(home) as stage:
            await stage.submit(ONE, "wait")
            await stage.begun(ONE)
            await asyncio.gather(*(stage.executor.cancel(ONE, "enough") for _ in range(3)))
            assert not stage.runs(ONE)
            await stage.executor.cancel(ONE, "enough")
            assert isinstance(await stage.reports.outcome(ONE), Aborted)

    async def test_what_was_cancelled_before_it_came_does_not_start(self, home: TemporaryHome) -> None:
        """`cancel` of an unknown id: reports `Aborted`; a late submit of that id does not start."""
        async with self.started(home) as stage:
            await stage.executor.cancel(ONE, "enough")
            assert isinstance(await stage.reports.outcome(ONE), Aborted)
            await stage.submit(ONE)
            assert isinstance(await stage.run(OTHER), Succeeded)
            await self.turns()
            assert stage.starts(ONE) == 0
            assert {type(outcome) for outcome in stage.reports.outcomes[ONE]} == {Aborted}

    async def test_what_is_cancelled_while_it_starts_is_gone(self, home: TemporaryHome) -> None:
        """`cancel`: at whatever moment of its start; it has one end, and nothing of it comes later."""
        async with self.started(home) as stage:
            await stage.run(OTHER)  # what is prepared once is prepared
            for turns in range(8):
                name = f"e/n{turns}/0"
                request = await stage.submit(name, "wait")
                for _ in range(turns * 3):
                    await asyncio.sleep(0.001 if turns > 4 else 0)
                await stage.executor.cancel(name, "enough")
                assert not stage.runs(name)
                assert isinstance(await stage.reports.outcome(name), Aborted)
                await stage.executor.submit(request)
            assert isinstance(await stage.run("e/last/0"), Succeeded)
            await self.turns()
            assert list(await stage.executor.list()) == []
            assert not any(stage.runs(f"e/n{turns}/0") for turns in range(8))

    async def test_cancelling_what_has_ended_changes_nothing(self, home: TemporaryHome) -> None:
        """`Sink.ended`: the first report counts; `cancel` reports how it really ended, or `Aborted`."""
        async with self.started(home) as stage:
            assert isinstance(await stage.run(ONE), Succeeded)
            await stage.executor.cancel(ONE, "enough")
            assert isinstance(stage.reports.outcomes[ONE][0], Succeeded)
            assert stage.starts(ONE) == 1

    async def test_one_is_cancelled_and_the_others_go_on(self, home: TemporaryHome) -> None:
        """`cancel` stops one attempt: neither the next of its node nor one of another execution."""
        async with self.started(home) as stage:
            stays = ("e/n1/0", "f/n/0")
            for name in (*stays, ONE):
                await stage.submit(name, "wait")
            await stage.executor.cancel(ONE, "enough")
            for name in stays:
                stage.let_go(name)
                assert isinstance(await stage.reports.outcome(name), Succeeded)

    # Answers and arguments

    async def test_answers_are_of_the_declared_types(self, home: TemporaryHome) -> None:
        """`capabilities`: a `Capabilities`, constant. `list`: ids. The other calls answer nothing."""
        executor: Any = self.make(home)
        can, reports = executor.capabilities, Reports()
        assert isinstance(can, Capabilities)
        answers = [await executor.start(reports), await executor.recover([])]
        stage = Stage(self, home, executor)
        answers.append(await executor.submit(stage.request(ONE, "wait")))
        await stage.begun(ONE)
        found = list(await executor.list())
        assert all(isinstance(name, str) for name in found), found
        answers += [await executor.cancel(ONE, "enough"), await executor.close()]
        assert answers == [None] * 5
        assert executor.capabilities == can

    @pytest.mark.parametrize("name", ["x1-2/n0.17/0", "x1/n0.n1.3.n2/12", "x" * 63 + "/n/3"])
    async def test_ids_are_only_names(self, home: TemporaryHome, name: str) -> None:
        """`AttemptRequest.id`: ``execution/node/attempt``, of items and nodes inside of others too."""
        async with self.started(home) as stage:
            assert isinstance(await stage.run(name), Succeeded)
            assert list(stage.reports.outcomes) == [name]

    # Load

    async def test_many_attempts_at_once_all_end(self, home: TemporaryHome) -> None:
        """`submit`: returns when the attempt is accepted, not when it has ended; each is run once, and reported."""
        async with self.started(home) as stage:
            each_s = await self._pace(stage)
            load = bearable(self.load, each_s, self.patience_s)
            names = [f"e/n{number}/0" for number in range(load)]
            await asyncio.gather(
                *(stage.submit(name, "fail" if n % 10 == 9 else "succeed") for n, name in enumerate(names))
            )
            with slow(f"{load} attempts were submitted at once. {FIRST} that were before took {each_s:.2g} s each"):
                outcomes = [await stage.reports.outcome(name) for name in names]
            wanted = [Failed if n % 10 == 9 else Succeeded for n in range(load)]
            assert [type(outcome) for outcome in outcomes] == wanted
            assert [stage.starts(name) for name in names] == [1] * load
            assert list(await stage.executor.list()) == []

    async def _pace(self, stage: Stage) -> float:
        """Seconds that one of some attempts at once takes; the very first, which may set up things, does not count."""
        await stage.run("f/first/0")
        names = [f"f/n{number}/0" for number in range(FIRST)]
        began = time.monotonic()
        await asyncio.gather(*(stage.submit(name) for name in names))
        for name in names:
            await stage.reports.outcome(name)
        return (time.monotonic() - began) / len(names)

    async def test_nothing_is_left_open_by_one_kernel_after_another(self, home: TemporaryHome) -> None:
        """`close`: lets go of everything that belongs to this kernel."""
        counts = []
        for life in range(4):
            async with self.started(home) as stage:
                for number in range(3):
                    await stage.run(f"e{life}/n{number}/0")
            counts.append(held())
        await self.closed(counts[1] + 2, counts)

    async def test_it_keeps_nothing_large_of_what_has_ended(self, home: TemporaryHome) -> None:
        """Bounded: a kernel runs for months; of an attempt that has ended an executor keeps little more than its id."""

        async def grown(stage: Stage, letter: str) -> float:
            before = tracemalloc.get_traced_memory()[0]
            await asyncio.gather(*(stage.run(f"e/{letter}{number}/0") for number in range(LEAK_ATTEMPTS)))
            end = time.monotonic() + self.settle_s
            while True:
                gc.collect()
                each = (tracemalloc.get_traced_memory()[0] - before) / LEAK_ATTEMPTS
                if each < LEAK_BYTES_MAX or time.monotonic() > end:
                    return each
                await asyncio.sleep(0.03)

        async with self.started(home) as stage:
            tracemalloc.start()
            try:
                await grown(stage, "a")  # what is kept once is kept once
                each = await grown(stage, "b")
            finally:
                tracemalloc.stop()
        assert each < LEAK_BYTES_MAX, f"it keeps {each:,.0f} bytes of each attempt"

    # The end

    async def test_closing_does_not_wait_for_attempts(self, home: TemporaryHome) -> None:
        """`close`: what runs goes on, if the executor adopts; else it ends. Nothing watches it then, and nothing is reported."""
        before = asyncio.all_tasks()
        async with self.started(home) as stage:
            await stage.submit(ONE, "wait")
            await stage.begun(ONE)
        assert ONE not in stage.reports.outcomes or not stage.can.adopts
        if stage.can.adopts:
            assert stage.runs(ONE), "it adopts, so what runs goes on when it is closed; it has ended"
        else:
            assert not stage.runs(ONE), "it does not adopt, so what runs ends when it is closed; it goes on"
        await self.turns()
        left = asyncio.all_tasks() - before
        assert not left, f"when it is closed it leaves tasks: {', '.join(sorted(task.get_name() for task in left))}"
        stage.let_go(ONE)
        await self.until(lambda: not stage.runs(ONE), "the end of what was left running")
        stage.reports.check()

    async def test_what_was_never_started_can_be_closed(self, home: TemporaryHome) -> None:
        """`close`: also when the kernel failed before it came to call `start`."""
        await self.make(home).close()

    # Progress and checkpoints

    async def test_how_far_an_attempt_is_is_told_while_it_runs_and_stays_in_its_evidence(
        self, home: TemporaryHome
    ) -> None:
        """`Sink.advanced`. Only for executors that report progress."""
        async with self.started(home) as stage:
            if not stage.can.reports_progress:
                pytest.skip("it does not report progress")
            await stage.submit(ONE, "advance")
            progress = await stage.reports.advance(ONE)
            assert (progress.fraction, progress.text) == (0.5, "half")
            assert progress.at > 0
            stage.let_go(ONE)
            outcome = await stage.reports.outcome(ONE)
            assert isinstance(outcome, Succeeded)
            kept = outcome.evidence["progress"]
            assert (kept["fraction"], kept["text"]) == (1.0, "whole")

    async def test_an_attempt_begins_with_the_checkpoint_of_the_one_before(self, home: TemporaryHome) -> None:
        """`AttemptRequest`: the latest earlier attempt of its node that ran at all. Only where checkpoints are carried."""
        async with self.started(home) as stage:
            if not stage.can.carries_checkpoints:
                pytest.skip("it does not carry checkpoints")
            assert await self._counted(stage, "e/n/0") == 1
            assert await self._counted(stage, "e/n/1") == 2
            await stage.executor.cancel("e/n/2", "before it came")
            assert await self._counted(stage, "e/n/3") == 3
            assert await self._counted(stage, OTHER) == 1

    async def test_a_node_that_recovers_another_begins_with_a_copy_of_its_checkpoint(self, home: TemporaryHome) -> None:
        """`AttemptRequest.checkpoint`: copied, however often it is recovered; its own attempts go before."""
        async with self.started(home) as stage:
            if not stage.can.carries_checkpoints:
                pytest.skip("it does not carry checkpoints")
            assert await self._counted(stage, "e/n/0") == 1
            for name, expected in (("f/n/0", 2), ("g/n/0", 2), ("g/n/1", 3)):
                assert await self._counted(stage, name, checkpoint="e/n") == expected
            assert await self._counted(stage, "h/n/0", checkpoint="gone/n") == 1

    async def _counted(self, stage: Stage, name: str, **changed: Any) -> Any:
        outcome = await stage.run(name, "count", **changed)
        assert isinstance(outcome, Succeeded)
        value = outcome.outputs["o0"]
        assert isinstance(value, Inline)
        return value.value

    # Against a model

    def test_whatever_is_called_in_whatever_order_each_attempt_has_one_fate(self, home: TemporaryHome) -> None:
        """Idempotent by the attempt's id: submits and cancels in any order, repeated, at once or after a while."""
        steps = st.lists(
            st.tuples(
                st.sampled_from(["submit", "cancel", "settle"]), st.integers(0, 2), st.sampled_from(["succeed", "fail"])
            ),
            min_size=1,
            max_size=8,
        )
        numbers = iter(range(10**6))
        with asyncio.Runner() as runner:
            stage = Stage(self, home, self.make(home))
            stage.reports = runner.run(_reports())
            runner.run(stage.executor.start(stage.reports))

            @settings(
                max_examples=self.examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
                print_blob=False,
            )  # fmt: skip
            @given(steps=steps)
            @example([("submit", 0, "succeed"), ("settle", 0, ""), ("submit", 0, ""), ("cancel", 0, "")])
            @example([("cancel", 0, ""), ("submit", 0, "succeed"), ("submit", 1, "fail"), ("submit", 1, "")])
            def told(steps: list[tuple[str, int, str]]) -> None:
                runner.run(self._story(stage, f"x{next(numbers)}", steps))

            try:
                told()
            finally:
                runner.run(stage.executor.close())
            stage.reports.check()

    async def _story(self, stage: Stage, execution: str, steps: list[tuple[str, int, str]]) -> None:
        kinds: dict[str, str] = {}
        refused: set[str] = set()
        async with asyncio.timeout(self.patience_s):
            for call, number, kind in steps:
                name = f"{execution}/n{number}/0"
                if call == "submit":
                    await stage.submit(name, kinds.setdefault(name, kind))
                elif call == "cancel":
                    refused |= {name} - set(kinds)
                    await stage.executor.cancel(name, "enough")
                elif name in kinds:
                    await stage.reports.outcome(name)
            for name in {*kinds, *refused}:
                outcome = await stage.reports.outcome(name)
                _check_fate(stage, name, outcome, kinds.get(name), refused=name in refused)


def bearable(load: int, each_s: float, patience_s: float) -> int:
    """Of `load` attempts, as many as take at most half of the patience where each takes `each_s`; at least `LOAD_MIN`."""
    return min(load, max(LOAD_MIN, int(patience_s / 2 / max(each_s, 1e-6))))


def _check_fate(stage: Stage, name: str, outcome: Outcome, kind: str | None, *, refused: bool) -> None:
    if refused:
        assert isinstance(outcome, Aborted)
        assert stage.starts(name) == 0
        return
    assert stage.starts(name) <= 1
    wanted = Succeeded if kind == "succeed" else Failed
    assert isinstance(outcome, Aborted | wanted)


async def _reports() -> Reports:
    return Reports()
