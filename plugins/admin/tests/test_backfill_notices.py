"""What is told of backfills: of the whole, and how often."""

from msgspec.structs import replace

from wingbeat.contracts.backfill import BackfillEntry, BackfillPhase, FailedTick
from wingbeat.spec.identity import parse_identity
from wingbeat.spec.notifications import NotifySpec
from wingbeat.spec.phase import ExecutionPhase
from wingbeat_admin.local.backfill_notices import messages_of

PLAN = "eta/production/plan@v1"
OVER = BackfillEntry("week", PLAN, BackfillPhase.ENDED, 0.0, 7.0, 10.0, 4, ended_at=20.0, succeeded=500)
ENDS = (ExecutionPhase.SUCCEEDED, ExecutionPhase.FAILED, ExecutionPhase.ABORTED)


def told(entry, *specs):
    return messages_of(
        entry, parse_identity(PLAN), "maps.build", specs or (NotifySpec("ops", ENDS), NotifySpec("ops", ENDS))
    )


def test_a_channel_is_told_once_of_each_end():
    (message,) = told(OVER)
    assert (message.phase, message.ticks, message.at) == (ExecutionPhase.SUCCEEDED, {"succeeded": 500}, 20.0)
    assert (message.workflow, message.entity) == ("maps.build", PLAN), "as messages of its executions"
    assert [each.id for each in told(OVER)] == [message.id]
    assert told(replace(OVER, ended_at=30.0))[0].id != message.id
    assert told(OVER, NotifySpec("ops", (ExecutionPhase.FAILED,))) == []


def test_some_of_what_has_failed_is_told_and_how_many_more():
    failures = [FailedTick(float(n), f"plan-{n}", "FAILED") for n in range(20)]
    (message,) = told(replace(OVER, failed=30, failures=failures))
    assert message.phase is ExecutionPhase.FAILED
    assert message.reason.splitlines()[0] == "1970-01-01T00:00:00+00:00 plan-0: FAILED"
    assert message.reason.splitlines()[5:] == ["and 25 more"]


def test_who_has_aborted_it_says_why():
    (message,) = told(replace(OVER, phase=BackfillPhase.ABORTED, reason="not wanted", waiting=3))
    assert (message.phase, message.reason) == (ExecutionPhase.ABORTED, "not wanted")
    assert message.title == f"the backfill week of {PLAN} was aborted: 500 succeeded, 3 not begun, of 503 ticks"
