"""Executors with one fault each; `test_kits_catch.py` runs the kit on them. Each class says which tests fail, all others pass."""

import asyncio
import os
import shutil
import threading
from collections import OrderedDict

import test_inline_contract as inline
from msgspec.structs import replace

from wingbeat.base.errors import ErrorKind
from wingbeat.builtin.inline import InlineExecutor
from wingbeat.builtin.process.executor import ProcessExecutor
from wingbeat.builtin.process.plugin import make as make_process
from wingbeat.contracts.executor import Aborted, ErrorInfo, Failed, Succeeded
from wingbeat.runtime import claim
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance.executor import ExecutorContract


class Waiting(InlineExecutor):
    """All that it is given goes through `submit`."""

    def submit_nowait(self, request):
        return False


class InLoop(inline.TestInlineExecutor):
    __test__ = False
    load, examples, patience_s, settle_s = 50, 5, 2.0, 0.3

    def make(self, home):
        made = super().make(home)
        made.__class__ = self.Faulty
        return made


class InProcesses(ExecutorContract):
    __test__ = False
    load, examples, patience_s = 10, 2, 5.0
    settings = {"process": {"slots": 4, "parent_idle_s": 0.2, "cancel_grace_s": 0.2}}

    def make(self, home):
        made = make_process(home)
        made.__class__ = self.Faulty
        return made


class TestRunsAgainWhenItIsSubmittedAgain(InLoop):
    __test__ = True
    caught_by = {
        "test_the_same_attempt_twice_runs_once",
        "test_many_submits_of_one_attempt_at_once_run_once",
        "test_a_submit_that_is_cancelled_may_be_repeated",
        "test_whatever_is_called_in_whatever_order_each_attempt_has_one_fate",
    }

    class Faulty(Waiting):
        async def submit(self, request):
            if request.id not in getattr(self, "cancelled", ()):
                self._past.pop(request.id, None)
            await super().submit(request)

        async def cancel(self, attempt, reason):
            self.cancelled = {*getattr(self, "cancelled", ()), attempt}
            await super().cancel(attempt, reason)


class TestStartsWhatWasCancelledBefore(InLoop):
    __test__ = True
    caught_by = {
        "test_what_was_cancelled_before_it_came_does_not_start",
        "test_whatever_is_called_in_whatever_order_each_attempt_has_one_fate",
    }

    class Faulty(InlineExecutor):
        async def cancel(self, attempt, reason):
            unknown = attempt not in self._running and attempt not in self._past
            await super().cancel(attempt, reason)
            if unknown:
                del self._past[attempt]


class TestSaysNothingOfUnknownIds(InLoop):
    __test__ = True
    caught_by = {
        "test_what_was_cancelled_before_it_came_does_not_start",
        "test_whatever_is_called_in_whatever_order_each_attempt_has_one_fate",
    }

    class Faulty(InlineExecutor):
        async def cancel(self, attempt, reason):
            if attempt in self._running or attempt in self._past:
                await super().cancel(attempt, reason)
            else:
                self._past[attempt] = None


class TestReportsTheEndOfWhatStillRuns(InLoop):
    __test__ = True
    caught_by = {
        "test_a_cancelled_attempt_is_gone_when_cancel_returns",
        "test_cancelling_twice_is_cancelling",
        "test_what_is_cancelled_while_it_starts_is_gone",
    }

    class Faulty(InlineExecutor):
        async def cancel(self, attempt, reason):
            running = self._running.pop(attempt, None)
            self._over(attempt)
            self._sink.ended(attempt, Aborted(reason))
            if running is not None:
                asyncio.get_running_loop().call_later(0.05, running.cancel)


class TestReportsSuccessWhateverHappened(InLoop):
    __test__ = True
    caught_by = {
        "test_failure_comes_with_the_error",
        "test_an_attempt_whose_secret_is_missing_fails_for_good",
        "test_what_an_attempt_says_of_its_secrets_is_masked",
        "test_a_value_of_another_type_is_a_failure",
        "test_many_attempts_at_once_all_end",
        "test_whatever_is_called_in_whatever_order_each_attempt_has_one_fate",
    }

    class Faulty(InlineExecutor):
        def _call(self, task, request):
            outcome = super()._call(task, request)
            return Succeeded({"o0": Inline(7)}) if isinstance(outcome, Failed) else outcome


class TestAnswersWithTheWrongType(InLoop):
    __test__ = True
    caught_by = {"test_answers_are_of_the_declared_types"}

    class Faulty(Waiting):
        async def submit(self, request):
            await super().submit(request)
            return request.id


class TestReportsWhatIsNoOutcome(InLoop):
    __test__ = True
    caught_by = {
        "test_success_comes_with_the_outputs",
        "test_an_attempt_has_the_secrets_of_its_task",
        "test_the_same_attempt_twice_runs_once",
        "test_many_submits_of_one_attempt_at_once_run_once",
        "test_a_submit_that_is_cancelled_may_be_repeated",
        "test_what_was_cancelled_before_it_came_does_not_start",
        "test_what_is_cancelled_while_it_starts_is_gone",
        "test_cancelling_what_has_ended_changes_nothing",
        "test_ids_are_only_names",
        "test_many_attempts_at_once_all_end",
        "test_nothing_is_left_open_by_one_kernel_after_another",
        "test_it_keeps_nothing_large_of_what_has_ended",
        "test_an_attempt_begins_with_the_checkpoint_of_the_one_before",
        "test_a_node_that_recovers_another_begins_with_a_copy_of_its_checkpoint",
        "test_whatever_is_called_in_whatever_order_each_attempt_has_one_fate",
    }

    class Faulty(InlineExecutor):
        def _call(self, task, request):
            outcome = super()._call(task, request)
            return outcome.outputs if isinstance(outcome, Succeeded) else outcome


class TestReportsFromAnotherThread(InLoop):
    __test__ = True
    caught_by = {
        "test_failure_comes_with_the_error",
        "test_an_attempt_whose_secret_is_missing_fails_for_good",
        "test_what_an_attempt_says_of_its_secrets_is_masked",
        "test_a_value_of_another_type_is_a_failure",
        "test_many_attempts_at_once_all_end",
        "test_whatever_is_called_in_whatever_order_each_attempt_has_one_fate",
    }

    class Faulty(InlineExecutor):
        def _call(self, task, request):
            outcome = super()._call(task, request)
            if isinstance(outcome, Failed):
                thread = threading.Thread(target=self._sink.ended, args=(request.id, outcome))
                thread.start()
                thread.join()
            return outcome


class TestHangsWhenItIsAskedToCancelTwice(InLoop):
    __test__ = True
    caught_by = {"test_cancelling_twice_is_cancelling"}

    class Faulty(InlineExecutor):
        async def cancel(self, attempt, reason):
            self.cancelling = getattr(self, "cancelling", set())
            if attempt in self.cancelling and "wait" in str(self._running.get(attempt)):
                await asyncio.Event().wait()
            self.cancelling.add(attempt)
            await super().cancel(attempt, reason)


class TestLosesAttemptsUnderLoad(InLoop):
    __test__ = True
    caught_by = {"test_many_attempts_at_once_all_end"}

    class Faulty(Waiting):
        async def submit(self, request):
            self.taken = getattr(self, "taken", 0) + 1
            if self.taken != 40 or request.id.startswith("x"):
                await super().submit(request)


class TestLeavesFilesOpen(InLoop):
    __test__ = True
    caught_by = {"test_nothing_is_left_open_by_one_kernel_after_another"}

    class Faulty(InlineExecutor):
        async def start(self, sink):
            await super().start(sink)
            for _ in range(2):
                os.open("/dev/null", os.O_RDONLY)


class TestKeepsWhatHasEnded(InLoop):
    __test__ = True
    caught_by = {"test_it_keeps_nothing_large_of_what_has_ended"}

    class Faulty(Waiting):
        async def submit(self, request):
            self.kept = [*getattr(self, "kept", ()), os.urandom(400_000)]
            await super().submit(request)


class TestGoesOnAfterClose(InLoop):
    __test__ = True
    caught_by = {
        "test_closing_does_not_wait_for_attempts",
        "test_what_runs_is_adopted_by_the_next_executor",
    }

    class Faulty(InlineExecutor):
        async def close(self):
            pass


class TestLeavesATaskWhenItIsClosed(InLoop):
    __test__ = True
    caught_by = {"test_closing_does_not_wait_for_attempts"}

    class Faulty(InlineExecutor):
        async def start(self, sink):
            await super().start(sink)
            self.beat = asyncio.create_task(asyncio.sleep(60), name="beat")


class TestForgetsWhatItCancelled(InLoop):
    __test__ = True
    caught_by = {"test_what_is_cancelled_while_it_starts_is_gone"}

    class Faulty(InlineExecutor):
        def _over(self, attempt):
            self._past = getattr(self, "_past", OrderedDict())
            super()._over(attempt)

        async def cancel(self, attempt, reason):
            running = attempt in self._running
            await super().cancel(attempt, reason)
            if running:
                self._past.pop(attempt, None)


class TestAdoptsOnlyTheFirst(InProcesses):
    __test__ = True
    caught_by = {"test_the_outcome_of_what_ended_meanwhile_is_taken", "test_many_are_adopted_at_once"}

    class Faulty(ProcessExecutor):
        async def recover(self, requests):
            await super().recover(requests[:1])


class TestGivesAttemptsTheKernelsWholeEnvironment(InProcesses):
    __test__ = True
    caught_by = {"test_variables_of_the_kernel_that_hold_secrets_stay_there"}

    class Faulty(ProcessExecutor):
        async def submit(self, request):
            await super().submit(replace(request, variables={**os.environ, **request.variables}))


class TestLeavesSecretsOut(InProcesses):
    __test__ = True
    caught_by = {
        "test_an_attempt_has_the_secrets_of_its_task",
        "test_what_an_attempt_says_of_its_secrets_is_masked",
        "test_an_attempt_whose_secret_is_missing_fails_for_good",
    }

    class Faulty(ProcessExecutor):
        async def submit(self, request):
            await super().submit(replace(request, task=replace(request.task, secrets=()), secrets=None))


class TestKeepsValuesOfSecrets(InProcesses):
    __test__ = True
    caught_by = {"test_what_an_attempt_says_of_its_secrets_is_masked"}

    class Faulty(ProcessExecutor):
        async def submit(self, request):
            if request.secrets is not None and os.listdir(place := f"{request.secrets.settings['folder']}/kit"):
                shutil.copytree(place, f"{self._directory(request.id)}.secrets")
            await super().submit(request)


class TestReportsAsLostWhatStillRuns(InProcesses):
    __test__ = True
    caught_by = {
        "test_what_runs_is_adopted_by_the_next_executor",
        "test_what_runs_when_the_kernel_is_killed_runs_once",
        "test_adopting_twice_is_adopting_once",
        "test_an_adopted_attempt_is_listed_and_can_be_cancelled",
        "test_how_far_an_adopted_attempt_is_is_told_again",
    }
    perhaps = {"test_many_are_adopted_at_once"}  # where some of them run still

    class Faulty(ProcessExecutor):
        async def recover(self, requests):
            held = [request for request in requests if claim.held(self._directory(request.id))]
            for request in held:
                self._sink.ended(request.id, Failed(ErrorInfo("Lost", "it is gone", ErrorKind.SYSTEM)))
            await super().recover([request for request in requests if request not in held])


class TestRunsAgainWhatItIsAskedToAdopt(InProcesses):
    __test__ = True
    caught_by = {
        "test_what_runs_is_adopted_by_the_next_executor",
        "test_what_runs_when_the_kernel_is_killed_runs_once",
        "test_the_outcome_of_what_ended_meanwhile_is_taken",
        "test_what_was_killed_meanwhile_is_lost_and_not_run_again",
        "test_many_are_adopted_at_once",
        "test_what_was_cancelled_stays_cancelled",
    }
    perhaps = {
        "test_adopting_twice_is_adopting_once",
        "test_an_adopted_attempt_is_listed_and_can_be_cancelled",
        "test_how_far_an_adopted_attempt_is_is_told_again",
    }

    class Faulty(ProcessExecutor):
        async def start(self, sink):
            await super().start(Renamed(sink))

        async def recover(self, requests):
            await super().recover([replace(request, id=f"{request.id}77") for request in requests])


class Renamed:
    """Reports what runs under a name of its own as what it was asked for."""

    def __init__(self, sink):
        self.sink = sink

    def __getattr__(self, call):
        return lambda attempt, *more: getattr(self.sink, call)(attempt.removesuffix("77"), *more)


class TestListsOnlyItsOwn(InProcesses):
    __test__ = True
    caught_by = {"test_what_nobody_asked_to_adopt_is_listed_and_can_be_cancelled"}

    class Faulty(ProcessExecutor):
        async def list(self):
            return sorted(name for name, attempt in self._attempts.items() if attempt.slots)
