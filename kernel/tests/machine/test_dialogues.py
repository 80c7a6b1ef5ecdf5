"""What the machine answers, said as dialogues: events in, effects out."""

import pytest

from wingbeat.machine import event as e
from wingbeat.machine.attempts import SYSTEM
from wingbeat.machine.fact import AttemptLost
from wingbeat.spec.entities import ConcurrencySpec, FailurePolicy, RetrySpec, TimeoutSpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.plans import Job, make_plan
from wingbeat.testing.playbook import Playbook

CHAIN = {"a": Job(), "b": Job(["a"]), "c": Job(["b"])}
DIAMOND = {"a": Job(), "b": Job(["a"]), "c": Job(["a"]), "d": Job(["b", "c"])}
FINISH_WHAT_CAN = FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE


def play(jobs=None, **options) -> Playbook:
    return Playbook(make_plan(jobs or {"a": Job()}, **options))


# -- success


def test_a_chain_runs_in_the_order_of_its_data():
    p = play(CHAIN, returns=["c"])
    assert p.launch() == ["submit a/0"]
    assert p.running("a") == []
    assert p.succeeded("a") == ["submit b/0"]
    assert p.succeeded("b") == ["submit c/0"]
    assert p.succeeded("c", value=7) == ["finish"]
    assert p.phase == "SUCCEEDED"
    assert p.machine.state.outputs == {"o0": Inline(7)}


def test_branches_run_side_by_side_and_join_when_both_are_there():
    p = play(DIAMOND)
    p.launch()
    assert p.succeeded("a", value=1) == ["submit b/0", "submit c/0"]
    assert p.succeeded("c", value=3) == []
    assert p.succeeded("b", value=2) == ["submit d/0"]
    assert p.machine.values(p.plan.index["d"]) == {"given": Inline([2, 3])}


def test_an_order_without_data_is_kept():
    p = play({"a": Job(), "b": Job(after=["a"])})
    assert p.launch() == ["submit a/0"]
    assert p.succeeded("a") == ["submit b/0"]


def test_a_workflow_without_nodes_succeeds_at_once():
    p = Playbook(make_plan({}, returns=["x"], inputs=["x"]), {"x": 5})
    assert p.launch() == ["finish"]
    assert p.machine.state.outputs == {"o0": Inline(5)}


# -- catalog


def test_a_hit_needs_no_attempt():
    p = play({"a": Job(cache=True), "b": Job(["a"])})
    assert p.launch() == ["lookup a"]
    assert p.hit("a", 4) == ["submit b/0"]
    assert (p.node("a").phase, p.node("a").cache, p.node("a").source) == ("SUCCEEDED", "HIT", "other/n/0")
    assert p.node("a").attempts == []


def test_a_miss_is_computed_and_published_before_the_execution_ends():
    p = play({"a": Job(cache=True)})
    p.launch()
    assert p.missed("a") == ["submit a/0"]
    assert p.succeeded("a") == ["publish a"]
    assert p.phase == "SUCCEEDING"
    assert p.stored("a") == ["finish"]
    assert (p.phase, p.node("a").cache, p.node("a").cache_reason) == ("SUCCEEDED", "POPULATED", "no such key")


def test_what_follows_does_not_wait_for_a_publication():
    p = play({"a": Job(cache=True), "b": Job(["a"])})
    p.launch()
    p.missed("a")
    assert p.succeeded("a") == ["publish a", "submit b/0"]


def test_a_publication_that_fails_fails_nothing():
    p = play({"a": Job(cache=True)})
    p.launch()
    p.missed("a")
    p.succeeded("a")
    p.stored("a", "PUT_FAILURE")
    assert (p.phase, p.node("a").cache) == ("SUCCEEDED", "PUT_FAILURE")


@pytest.mark.parametrize("status", ["DISABLED", "LOOKUP_FAILURE"])
def test_without_a_catalog_the_task_runs_and_says_why(status):
    p = play({"a": Job(cache=True)})
    p.launch()
    assert p.missed("a", status=status, publish=False) == ["submit a/0"]
    assert p.succeeded("a") == ["finish"]
    assert (p.node("a").cache, p.node("a").cache_reason) == (status, "no such key")


def test_what_somebody_else_computes_is_looked_for_again():
    p = play({"a": Job(cache=True)})
    p.launch()
    assert p.held("a", 2.0) == ["timer lookup a at 2"]
    assert "other/n" in p.machine.notes[0]
    assert p.timer("lookup", "a") == ["lookup a"]
    assert p.hit("a") == ["finish"]
    assert p.timer("lookup", "a") == []


def test_a_reservation_is_given_back_when_the_node_fails():
    p = play({"a": Job(cache=True)})
    p.launch()
    p.missed("a")
    assert p.failed("a") == ["release a", "finish"]


def test_a_reservation_that_is_granted_too_late_is_given_back():
    p = play({"a": Job(cache=True), "b": Job()})
    p.launch()
    p.failed("b")
    assert p.phase == "FAILED"
    assert p.missed("a") == ["release a"]
    assert p.missed("a", publish=False) == []


# -- retries


def test_a_user_error_is_retried_as_often_as_declared():
    p = play({"a": Job(retry=RetrySpec(2, delay_s=10, jitter=0))})
    p.launch()
    assert p.failed("a", 0) == ["timer retry a/1 at 10"]
    assert (p.node("a").phase, p.node("a").reason) == ("QUEUED", "ValueError here")
    p.at = 10
    assert p.timer("retry", "a", 1) == ["submit a/1"]
    assert p.failed("a", 1) == ["timer retry a/2 at 30"]
    p.at = 30
    assert p.timer("retry", "a", 2) == ["submit a/2"]
    assert p.failed("a", 2) == ["finish"]
    assert p.phase == "FAILED"
    assert [x.phase for x in p.node("a").attempts] == ["RETRYABLE_FAILED", "RETRYABLE_FAILED", "FAILED"]


def test_no_error_is_retried_by_default():
    p = play()
    p.launch()
    assert p.failed("a") == ["finish"]
    error = p.machine.state.error
    assert error is not None
    assert (error.code, error.node) == ("ValueError", "a")


def test_the_delay_grows_to_its_bound_and_no_further():
    p = play({"a": Job(retry=RetrySpec(5, delay_s=10, factor=3, delay_s_max=50, jitter=0))})
    p.launch()
    dues = []
    for attempt in range(5):
        (line,) = p.failed("a", attempt)
        dues.append(float(line.rpartition(" ")[2]))
        p.timer("retry", "a", attempt + 1)
    assert dues == [10, 30, 50, 50, 50]


def test_jitter_follows_from_the_seed_and_stays_in_its_share():
    def due(seed):
        p = play({"a": Job(retry=RetrySpec(1, delay_s=100, jitter=0.4))})
        p.launch(seed=seed)
        return float(p.failed("a")[0].rpartition(" ")[2])

    dues = [due(seed) for seed in range(200)]
    assert dues == [due(seed) for seed in range(200)]
    assert 80 <= min(dues) < 85
    assert 115 < max(dues) <= 120


def test_budgets_of_users_and_systems_are_apart():
    p = play({"a": Job(retry=RetrySpec(1, delay_s=1, jitter=0))})
    p.launch()
    for attempt in range(SYSTEM.count):
        assert p.lost("a", attempt)[0].startswith("timer retry")
        p.timer("retry", "a", attempt + 1)
    assert p.failed("a", SYSTEM.count)[0].startswith("timer retry"), "the user's budget is whole still"
    p.timer("retry", "a", SYSTEM.count + 1)
    assert p.lost("a", SYSTEM.count + 1) == ["finish"], "the system's budget is spent"
    assert (p.node("a").user_failures, p.node("a").system_failures) == (1, SYSTEM.count + 1)


def test_what_is_said_to_be_final_is_not_retried():
    p = play({"a": Job(retry=RetrySpec(5))})
    p.launch()
    assert p.failed("a", retryable=False) == ["finish"]


def test_only_the_named_errors_are_retried():
    jobs = {"a": Job(retry=RetrySpec(5, on=("OSError",)))}
    p = play(jobs)
    p.launch()
    assert p.failed("a", code="ValueError") == ["finish"]
    p = play(jobs)
    p.launch()
    assert p.failed("a", code="OSError") == ["timer retry a/1 at 0"]


def test_an_attempt_that_was_stopped_by_somebody_else_counts_for_the_system():
    p = play()
    p.launch()
    (line,) = p.aborted("a", reason="node drained")
    assert line.startswith("timer retry a/1")
    assert p.node("a").system_failures == 1


# -- timeouts


def timed(**bounds) -> Playbook:
    return play({"a": Job(timeout=TimeoutSpec(**bounds), retry=RetrySpec(1, delay_s=4, jitter=0))})


def test_an_attempt_that_runs_too_long_is_stopped_and_retried_as_the_users_error():
    p = timed(run_s=5)
    p.launch()
    p.at = 2
    assert p.running("a") == ["timer run a/0 at 7"]
    p.at = 7
    assert p.timer("run", "a", 0) == ["cancel a/0"]
    assert p.aborted("a") == ["timer retry a/1 at 11"]
    error = p.node("a").attempts[0].error
    assert error is not None
    assert (error.code, error.message) == ("TimedOut", "The attempt ran longer than its timeout of 5 s.")
    assert p.node("a").user_failures == 1


def test_the_run_timer_does_nothing_to_another_attempt():
    p = timed(run_s=5)
    p.launch()
    p.running("a")
    p.failed("a")
    p.timer("retry", "a", 1)
    assert p.timer("run", "a", 0) == []


def test_an_attempt_that_waits_too_long_for_its_start_is_stopped():
    p = timed(queue_s=5)
    assert p.launch() == ["submit a/0", "timer queue a/0 at 5"]
    assert p.timer("queue", "a", 0) == ["cancel a/0"]
    p.aborted("a")
    assert "waited for its start longer" in p.node("a").reason


def test_an_attempt_that_has_started_waits_no_more():
    p = timed(queue_s=5)
    p.launch()
    p.running("a")
    assert p.timer("queue", "a", 0) == []


def test_the_total_timeout_ends_the_node_for_good():
    p = timed(total_s=5)
    assert p.launch() == ["submit a/0", "timer total a/0 at 5"]
    assert p.timer("total", "a", 0) == ["cancel a/0"]
    assert p.aborted("a") == ["finish"]
    assert (p.phase, p.node("a").phase) == ("FAILED", "TIMED_OUT")


def test_the_total_timeout_ends_a_node_between_attempts():
    p = timed(total_s=5)
    p.launch()
    p.failed("a")
    assert p.timer("total", "a", 0) == ["finish"]
    assert p.node("a").phase == "TIMED_OUT"
    assert p.machine.state.error is not None
    assert p.timer("retry", "a", 1) == []


def test_the_total_timeout_that_comes_while_an_attempt_is_stopped_ends_the_node_behind_it():
    p = timed(queue_s=3, total_s=5)
    p.launch()
    assert p.timer("queue", "a", 0) == ["cancel a/0"]
    assert p.timer("total", "a", 0) == []
    assert p.aborted("a") == ["timer retry a/1 at 4", "timer total a/0 at 5"]


def test_a_restart_between_attempts_keeps_the_total_timeout():
    p = timed(total_s=5)
    p.launch()
    p.failed("a")
    assert p.restart() == ["timer retry a/1 at 4", "timer total a/0 at 5"]


def test_an_attempt_that_succeeds_while_it_is_being_stopped_has_succeeded():
    p = timed(run_s=5)
    p.launch()
    p.running("a")
    p.timer("run", "a", 0)
    assert p.succeeded("a") == ["finish"]
    assert p.phase == "SUCCEEDED"


def test_an_execution_that_takes_too_long_times_out():
    p = play(CHAIN, timeout_s=9)
    assert p.launch() == ["timer execution at 9", "submit a/0"]
    assert p.timer("execution") == ["cancel a/0"]
    assert p.phase == "FAILING"
    assert p.aborted("a") == ["finish"]
    assert p.phase == "TIMED_OUT"
    assert p.phases() == {"a": "ABORTED", "b": "NOT_STARTED", "c": "NOT_STARTED"}


# -- failure policies


def test_the_first_failure_stops_the_rest():
    p = play(DIAMOND)
    p.launch()
    p.succeeded("a")
    assert p.failed("b") == ["cancel c/0"]
    assert p.phase == "FAILING"
    assert p.aborted("c") == ["finish"]
    assert p.phases() == {"a": "SUCCEEDED", "b": "FAILED", "c": "ABORTED", "d": "NOT_STARTED"}
    assert p.machine.state.error is not None
    assert p.machine.state.error.node == "b"


def test_the_first_failure_ends_what_is_between_attempts():
    p = play({"a": Job(retry=RetrySpec(3, delay_s=60)), "b": Job()})
    p.launch()
    p.failed("a")
    assert p.failed("b") == ["finish"]
    assert p.phases() == {"a": "ABORTED", "b": "FAILED"}
    assert p.timer("retry", "a", 1) == []


def test_finish_what_can_goes_on_with_everything_that_has_its_data():
    p = play({**DIAMOND, "e": Job(["c"])}, failure_policy=FINISH_WHAT_CAN)
    p.launch()
    p.succeeded("a")
    assert p.failed("b") == []
    assert p.phase == "RUNNING"
    assert p.succeeded("c") == ["submit e/0"]
    assert p.succeeded("e") == ["finish"]
    assert p.phase == "FAILED"
    assert p.phases() == {"a": "SUCCEEDED", "b": "FAILED", "c": "SUCCEEDED", "d": "NOT_STARTED", "e": "SUCCEEDED"}


def test_finish_what_can_waits_for_the_catalogs_answer():
    p = play({"a": Job(cache=True), "b": Job()}, failure_policy=FINISH_WHAT_CAN)
    p.launch()
    assert p.failed("b") == []
    assert p.hit("a") == ["finish"]


def test_the_first_error_is_told_when_there_are_several():
    p = play({"a": Job(), "b": Job()}, failure_policy=FINISH_WHAT_CAN)
    p.launch()
    p.failed("b", code="KeyError")
    p.failed("a", code="OSError")
    assert p.machine.state.error is not None
    assert p.machine.state.error.code == "KeyError"


# -- abort


def test_abort_before_the_launch():
    p = play()
    assert p.abort() == ["finish"]
    assert p.launch() == []
    assert p.phase == "ABORTED"


def test_abort_while_attempts_run():
    p = play({"a": Job(), "b": Job()})
    p.launch()
    p.running("a")
    assert p.abort("enough") == ["cancel a/0", "cancel b/0"]
    assert p.aborted("a") == []
    assert p.aborted("b") == ["finish"]
    assert (p.phase, p.machine.state.reason) == ("ABORTED", "enough")


def test_abort_between_attempts():
    p = play({"a": Job(retry=RetrySpec(1, delay_s=60))})
    p.launch()
    p.failed("a")
    assert p.abort() == ["finish"]
    assert p.phases() == {"a": "ABORTED"}


def test_abort_while_the_catalog_is_asked():
    p = play({"a": Job(cache=True)})
    p.launch()
    assert p.abort() == ["finish"]


def test_abort_while_failing():
    p = play({"a": Job(), "b": Job()})
    p.launch()
    p.failed("a")
    assert p.abort() == ["cancel b/0"]
    assert p.aborted("b") == ["finish"]
    assert p.phase == "ABORTED"


def test_abort_while_succeeding():
    p = play({"a": Job(cache=True)})
    p.launch()
    p.missed("a")
    p.succeeded("a")
    assert p.phase == "SUCCEEDING"
    assert p.abort() == ["finish"]
    assert p.phase == "ABORTED"


def test_a_second_abort_changes_nothing():
    p = play()
    p.launch()
    p.abort("first")
    assert p.abort("second") == []
    assert p.machine.state.reason == "first"


def test_a_failure_while_aborting_is_no_reason_to_retry():
    p = play({"a": Job(retry=RetrySpec(3))})
    p.launch()
    p.abort()
    assert p.failed("a") == ["finish"]
    assert p.node("a").phase == "ABORTED"


# -- late, doubled and foreign


def test_a_report_that_comes_twice_counts_once():
    p = play(CHAIN)
    p.launch()
    p.running("a")
    assert p.running("a") == []
    p.succeeded("a")
    assert p.succeeded("a") == []
    assert p.failed("a") == []
    assert p.node("a").phase == "SUCCEEDED"


def test_the_end_of_an_earlier_attempt_does_not_touch_the_next():
    p = play({"a": Job(retry=RetrySpec(1))})
    p.launch()
    p.failed("a", 0)
    p.timer("retry", "a", 1)
    assert p.succeeded("a", 0) == []
    assert p.node("a").phase == "QUEUED"


EVERYTHING = [
    make(node)
    for node in (-7, -1, 0, 1, 99)
    for make in (
        lambda n: e.CacheHit(1.0, n, {"o0": Inline(1)}, "x"),
        lambda n: e.CacheMissed(1.0, n, "MISS", "", publish=True),
        lambda n: e.CacheHeld(1.0, n, "x", 2.0),
        lambda n: e.CacheStored(1.0, n, "POPULATED", ""),
        lambda n: e.AttemptRunning(1.0, n, 0),
        lambda n: e.AttemptRunning(1.0, n, -1),
        lambda n: e.AttemptSucceeded(1.0, n, 0, {"o0": Inline(1)}),
        lambda n: e.AttemptSucceeded(1.0, n, 5, {"o0": Inline(1)}),
        lambda n: e.AttemptFailed(1.0, n, 0, ErrorInfo("Bad", "bad")),
        lambda n: e.AttemptAborted(1.0, n, 0),
        *(lambda n, k=k: e.TimerFired(1.0, k, n, 0) for k in ("run", "queue", "total", "retry", "lookup", "execution")),
    )
] + [e.Launched(1.0, 1), e.AbortAsked(1.0, "x")]
PREFIXES = {
    "before the launch": [],
    "looking": [e.Launched(0, 1)],
    "queued": [e.Launched(0, 1), e.CacheMissed(0, 0, "MISS", "", publish=True)],
    "running": [e.Launched(0, 1), e.CacheMissed(0, 0, "MISS", "", publish=True), e.AttemptRunning(0, 0, 0)],
    "between": [e.Launched(0, 1), e.AttemptFailed(0, 1, 0, ErrorInfo("Bad", "bad"))],
    "aborting": [e.Launched(0, 1), e.AbortAsked(0, "x")],
    "succeeding": [
        e.Launched(0, 1), e.CacheMissed(0, 0, "MISS", "", publish=True), e.AttemptSucceeded(0, 0, 0, {"o0": Inline(1)}),
        e.AttemptSucceeded(0, 1, 0, {"o0": Inline(1)}),
    ],
    "ended": [e.AbortAsked(0, "x")],
}  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_any_event_may_come_in_any_state(prefix):
    for event in EVERYTHING:
        p = play({"a": Job(cache=True), "b": Job(retry=RetrySpec(1, delay_s=5))})
        for earlier in prefix:
            p.say(earlier)
        ended, before = p.phase.terminal, len(p.facts)
        p.say(event)
        if ended:
            assert len(p.facts) == before


# -- recover


def test_what_was_recovered_is_not_run_again():
    p = play(CHAIN, returns=["c"])
    assert p.launch(recovered={"a": 1, "b": 2}) == ["submit c/0"]
    assert p.phases() == {"a": "RECOVERED", "b": "RECOVERED", "c": "QUEUED"}
    assert p.node("a").source == "earlier"
    assert p.machine.values(2) == {"given": Inline([2])}


def test_an_execution_of_which_everything_was_recovered_has_succeeded():
    p = play(CHAIN, returns=["c"])
    assert p.launch(recovered={"a": 1, "b": 2, "c": 3}) == ["finish"]
    assert p.machine.state.outputs == {"o0": Inline(3)}


# -- restart


def test_a_restart_performs_again_what_was_under_way():
    p = play({"a": Job(timeout=TimeoutSpec(5, 6, 7)), "b": Job(cache=True), "c": Job(cache=True)}, timeout_s=100)
    p.launch()
    p.missed("c")
    p.succeeded("c")
    assert p.restart() == [
        "lookup b", "submit a/0", "timer queue a/0 at 6", "timer total a/0 at 7", "publish c", "timer execution at 100",
    ]  # fmt: skip
    p.at = 1
    p.running("a")
    assert "timer run a/0 at 6" in p.restart()


def test_a_restart_goes_on_stopping():
    p = play()
    p.launch()
    p.abort()
    assert p.restart() == ["cancel a/0"]
    assert p.aborted("a") == ["finish"]


def test_a_restart_of_what_has_ended_does_nothing():
    p = play()
    p.launch()
    p.succeeded("a")
    assert p.restart() == []


def test_facts_say_whose_budget_a_failure_counted_against():
    p = play({"a": Job(retry=RetrySpec(1))})
    p.launch()
    p.lost("a", 0)
    p.timer("retry", "a", 1)
    p.failed("a", 1)
    assert [f.system for f in p.facts if isinstance(f, AttemptLost)] == [True, False]


# -- a turn under a limit


def queue(p: Playbook, **recovered: int) -> list[str]:
    outputs = {p.address(name): {"o0": Inline(value)} for name, value in recovered.items()}
    return p.say(e.Launched(p.at, 1, outputs, "earlier", queued=ConcurrencySpec("nightly")))


def test_what_waits_for_its_turn_begins_once_with_what_it_was_launched_with():
    p = play(CHAIN, timeout_s=60.0)
    assert queue(p, a=5) == []
    assert p.phase == "QUEUED"
    assert p.restart() == []
    assert p.launch() == []  # the launch is not begun by another one
    p.at += 100.0
    assert p.say(e.Admitted(p.at)) == [f"timer execution at {p.at + 60:g}", "submit b/0"]
    assert p.phase == "RUNNING"
    assert p.say(e.Admitted(p.at)) == []
    assert queue(p) == []


def test_what_waits_for_its_turn_is_aborted_without_having_begun():
    p = play(CHAIN)
    queue(p)
    assert p.abort("not wanted") == ["finish"]
    assert p.phase == "ABORTED"
    assert p.machine.state.began_at is None
    assert p.say(e.Admitted(p.at)) == []


def test_a_turn_is_nothing_to_what_does_not_wait_for_one():
    p = play(CHAIN)
    assert p.say(e.Admitted(p.at)) == []
    assert p.phase == "QUEUED"
    assert p.launch() == ["submit a/0"]
