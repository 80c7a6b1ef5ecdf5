"""Who is told of what, and what becomes of messages that are not taken."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat import Kernel, Notify, calls
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.admin import ENTITY_LABEL, Launch, NotificationQuery, NotificationState, Registration
from wingbeat.contracts.engine import Summary
from wingbeat.contracts.notifier import Undeliverable
from wingbeat.spec.notifications import NotifySpec
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan, workflow
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local import admin as admin_module
from wingbeat_admin.local import notices, schema, teller
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.local.notices import AGAIN_S, AGAIN_S_MAX, pause_s
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.telling import deadlines, message_of, told
from wingbeat_admin.settings import Rule

FAILED, SUCCEEDED = ExecutionPhase.FAILED, ExecutionPhase.SUCCEEDED
PLAN = "eta/production/plan@v1"


# -- who is told, and of what

names = st.sampled_from(["ops", "team", "oncall"])
specs = st.lists(
    st.builds(
        NotifySpec,
        names,
        st.lists(st.sampled_from(list(ExecutionPhase)), max_size=3).map(tuple),
        st.none() | st.sampled_from([1.0, 60.0]),
    ),
    max_size=5,
)
summaries = st.builds(
    lambda name, phase, created, took: Summary(name, "f", phase, created, created + took if phase.terminal else None),
    st.sampled_from(["x1", "x2"]),
    st.sampled_from(list(ExecutionPhase)),
    st.sampled_from([100.0, 200.0]),
    st.floats(0, 1000),
)


@given(specs, summaries)
def test_a_channel_is_told_once_of_a_phase_whichever_rules_want_it(specs, summary):
    found = told(specs, summary, 5000.0, 0.0)
    assert {message.channel for message in found} == {spec.to for spec in specs if summary.phase in spec.on}
    assert len({message.id for message in found}) == len(found) == len({message.channel for message in found})
    assert [message.id for message in told([*specs, *specs], summary, 9000.0, 0.0)] == [m.id for m in found]
    if summary.phase.terminal:
        assert all(message.at == summary.ended_at for message in found)


@given(summaries, summaries, names, names, st.sampled_from([None, 1.0, 60.0]), st.sampled_from([None, 1.0, 60.0]))
def test_ids_are_of_execution_channel_and_event(one, other, to, also, after, later):
    first, second = message_of(one, to, 0.0, after), message_of(other, also, 1.0, later)
    event = (str(one.phase) if after is None else after, str(other.phase) if later is None else later)
    same = (one.id, one.created_at, to, event[0]) == (other.id, other.created_at, also, event[1])
    assert (first.id == second.id) == same


@given(specs, summaries, st.floats(0, 2000))
def test_what_was_before_is_not_told(specs, summary, since):
    moment = summary.ended_at or summary.created_at
    assert told(specs, summary, 5000.0, since) == ([] if moment < since else told(specs, summary, 5000.0, 0.0))
    found = list(deadlines(specs, summary, since))
    assert {(each.channel, each.after_s) for each in found} == {
        (spec.to, spec.after_s) for spec in specs if spec.after_s and summary.created_at + spec.after_s >= since
    }
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("rule", "project", "fits"),
    [(Rule("ops"), "", True), (Rule("ops"), "eta", True), (Rule("ops", project="eta"), "eta", True),
     (Rule("ops", project="eta"), "maps", False), (Rule("ops", project="e*"), "eta", True),
     (Rule("ops", project="eta", domain="staging"), "eta", False)],
)  # fmt: skip
def test_a_rule_of_the_settings_is_for_some_executions(rule, project, fits):
    assert rule.fits({"project": project, "domain": "production"} if project else {}) is fits


def test_a_rule_of_the_settings_says_what_a_launch_plan_says():
    assert Rule("ops").spec == NotifySpec("ops", (FAILED, ExecutionPhase.TIMED_OUT))
    assert Rule("ops", on=(SUCCEEDED,)).spec == NotifySpec("ops", (SUCCEEDED,))
    assert Rule("ops", after="1h30m").spec == NotifySpec("ops", (), 5400.0)
    for wrong in ("soon", 0, "-1s"):
        with pytest.raises(ConfigurationError, match=r"notify\.rules"):
            Rule("ops", after=wrong).spec  # noqa: B018


def test_who_fails_is_asked_ever_later():
    pauses = [pause_s(tries) for tries in range(100)]
    assert pauses[0] == AGAIN_S
    assert pauses == sorted(pauses)
    assert pauses[-1] == AGAIN_S_MAX


# -- sending


class Fake:
    """Keeps what it is sent, and answers with what `answer` does for each time."""

    def __init__(self, answer=lambda number: None, channels=("ops",)):
        self.channels, self.answer = channels, answer
        self.sent, self.closed = [], 0

    async def notify(self, message):
        self.sent.append(message)
        answer = self.answer(len(self.sent) - 1)
        if asyncio.iscoroutine(answer):
            await answer
        elif answer is not None:
            raise answer

    async def close(self):
        self.closed += 1


@contextlib.asynccontextmanager
async def deployed(tmp_path, *notifiers, **more):
    """An admin with these notifiers, over an engine."""
    home = TemporaryHome(tmp_path / "home")
    async with Kernel(home.path, discover=False) as kernel:
        named = {f"fake{number}": notifier for number, notifier in enumerate(notifiers)}
        path = Path(home.path, "admin.sqlite")
        admin = LocalAdmin(path, kernel.engine, home.storage(), notifiers=named, **more)
        await admin.start()
        try:
            yield admin, kernel
        finally:
            await admin.close()


async def launched(admin, kernel, flow=flows.twice, inputs=None, plan=True, **more):
    """An execution that has ended, of a launch plan or of the workflow itself."""
    made = launchplan(flow, "plan", **more) if plan else workflow(flow, "plan")
    await admin.register(Registration("eta", "production", (made,), "v1"))
    id = (await admin.launch(Launch(PLAN, inputs or {"n": 1}, labels={"for": "a test"}))).id
    await kernel.engine.wait(id)
    return id


async def until(condition):
    async with asyncio.timeout(30):
        while not (found := condition() if not asyncio.iscoroutinefunction(condition) else await condition()):
            await asyncio.sleep(0.01)
    return found


async def states(admin, count=1):
    async def found():
        items = (await admin.notifications(NotificationQuery())).items
        done = all(each.failed or each.state is not NotificationState.WAITING for each in items)
        return items if len(items) >= count and done else None

    return await until(found)


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(notices, "AGAIN_S", 0.02)


async def test_what_a_launch_plan_wants_told_is_sent_with_what_is_known(tmp_path):
    ops, team = Fake(), Fake(channels=("team",))
    async with deployed(tmp_path, ops, team) as (admin, kernel):
        inputs = {"n": 1, "least": str(tmp_path / "least")}
        told = [Notify("ops"), Notify("team", on=["SUCCEEDED"])]
        id = await launched(admin, kernel, flows.fails, inputs, notifications=told)
        await until(lambda: ops.sent)
        (entry,) = await states(admin)
        assert (entry.state, entry.tries) == (NotificationState.DELIVERED, 1)
        assert entry.delivered_at is not None
        (message,) = ops.sent
        assert (message.id, message.channel, message.execution, message.phase) == (entry.id, "ops", id, FAILED)
        assert (message.project, message.domain, message.entity) == ("eta", "production", PLAN)
        assert message.labels == {"for": "a test"}
        assert "as asked" in message.reason
        assert message.ended_at == message.at > message.created_at
        assert message.title == f"{PLAN} has failed: {id}"
    assert team.sent == []
    assert (ops.closed, team.closed) == (1, 1)


async def test_rules_of_the_settings_hold_for_whatever_runs(tmp_path):
    ops = Fake()
    rules = (
        Rule("ops", on=(SUCCEEDED,)),
        Rule("ops", on=(SUCCEEDED, FAILED), project="eta"),
        Rule("ops", project="maps"),
    )
    async with deployed(tmp_path, ops, rules=rules) as (admin, kernel):
        registered = await launched(admin, kernel, plan=False)
        plain = await kernel.launch(flows.twice, {"n": 1})
        await plain.result()
        await until(lambda: len(ops.sent) == 2)
        assert {message.execution for message in ops.sent} == {registered, plain.id}
        assert len(await states(admin, 2)) == 2


async def test_what_runs_for_another_execution_is_not_told(tmp_path):
    ops = Fake()
    async with deployed(tmp_path, ops, rules=(Rule("ops", on=(SUCCEEDED,)),)) as (_, kernel):
        labels = {"wingbeat/parent": "other/n0"}
        await (await kernel.launch(flows.twice, {"n": 1}, labels=labels)).result()
        last = await kernel.launch(flows.twice, {"n": 2})
        await last.result()
        await until(lambda: ops.sent)
        assert [message.execution for message in ops.sent] == [last.id]


async def test_what_was_not_taken_is_sent_again_until_it_is(tmp_path, soon, caplog):
    ops = Fake(lambda number: [OSError("https://key@example.com"), TimeoutError(), None][min(number, 2)])
    async with deployed(tmp_path, ops) as (admin, kernel):
        await launched(admin, kernel, notifications=[Notify("ops", on=["SUCCEEDED"])])
        await until(lambda: len(ops.sent) == 3)
        (entry,) = await states(admin)
        assert len({message.id for message in ops.sent}) == 1
        await until_state(admin, NotificationState.DELIVERED)
        assert entry.id == ops.sent[0].id
    assert "key@example" not in caplog.text
    assert [record.levelname for record in caplog.records if "does not take messages" in record.message] == ["WARNING"]


async def until_state(admin, state):
    async def found():
        return (await admin.notifications(NotificationQuery(state=state))).items

    return (await until(found))[0]


async def test_what_will_never_be_taken_is_given_up_at_once(tmp_path, caplog):
    ops = Fake(lambda number: Undeliverable("the receiver is gone") if number == 0 else None)
    async with deployed(tmp_path, ops) as (admin, kernel):
        id = await launched(admin, kernel, notifications=[Notify("ops", on=["SUCCEEDED"])])
        dead = await until_state(admin, NotificationState.DEAD)
        assert (dead.tries, dead.failed, dead.next) == (1, "the receiver is gone", None)
        assert f"{PLAN} has succeeded: {id} is not told over the channel 'ops'" in caplog.text
        await admin.resend(dead.id)
        again = await until_state(admin, NotificationState.DELIVERED)
        assert (again.id, again.failed) == (dead.id, "")
    assert len({message.id for message in ops.sent}) == 1


async def test_what_fails_for_too_long_is_given_up(tmp_path, soon):
    ops = Fake(lambda number: OSError("no"))
    async with deployed(tmp_path, ops, give_up_s=1.0) as (admin, kernel):
        await launched(admin, kernel, notifications=[Notify("ops", on=["SUCCEEDED"])])
        dead = await until_state(admin, NotificationState.DEAD)
        assert dead.failed == "OSError"
        assert dead.tries == len(ops.sent) > 1


async def test_a_channel_that_hangs_keeps_no_other_one_waiting(tmp_path):
    ops, team = Fake(lambda number: asyncio.Event().wait()), Fake(channels=("team",))
    async with deployed(tmp_path, ops, team) as (admin, kernel):
        both = [Notify("ops", on=["SUCCEEDED"]), Notify("team", on=["SUCCEEDED"])]
        await launched(admin, kernel, notifications=both)
        await until(lambda: team.sent and ops.sent)
        assert (await until_state(admin, NotificationState.DELIVERED)).channel == "team"
    assert ops.closed == 1


async def test_one_that_hangs_is_cancelled_and_asked_again(tmp_path, soon, monkeypatch):
    monkeypatch.setattr(teller, "TELL_S_MAX", 0.05)
    ops = Fake(lambda number: asyncio.Event().wait() if number == 0 else None)
    async with deployed(tmp_path, ops) as (admin, kernel):
        await launched(admin, kernel, notifications=[Notify("ops", on=["SUCCEEDED"])])
        await until_state(admin, NotificationState.DELIVERED)
    assert len(ops.sent) == 2


async def test_one_that_cancels_itself_has_failed_and_is_asked_again(tmp_path, soon):
    async def cancels():
        raise asyncio.CancelledError

    ops = Fake(lambda number: cancels() if number == 0 else None)
    async with deployed(tmp_path, ops) as (admin, kernel):
        await launched(admin, kernel, notifications=[Notify("ops", on=["SUCCEEDED"])])
        entry = await until_state(admin, NotificationState.DELIVERED)
    assert entry.tries == 2


def test_one_that_does_not_let_go_is_named_and_keeps_nobody(tmp_path, soon, monkeypatch, caplog):
    """Neither another channel, nor who closes, nor who ends the loop."""
    monkeypatch.setattr(teller, "TELL_S_MAX", 0.05)
    monkeypatch.setattr(calls, "LET_GO_S_MAX", 0.05)

    async def keep():
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    ops, team = Fake(lambda number: keep()), Fake(channels=("team",))

    async def main():
        async with deployed(tmp_path, ops, team) as (admin, kernel):
            both = [Notify("ops", on=["SUCCEEDED"]), Notify("team", on=["SUCCEEDED"])]
            await launched(admin, kernel, notifications=both)
            await until(lambda: team.sent)
            kept = "it does not let go of a call that was cancelled (notify), and is asked for nothing until that ends"
            while kept not in [entry.failed for entry in await states(admin, 2)]:
                await asyncio.sleep(0.01)

    asyncio.run(main())
    assert "The notifier 'fake0' failed: it does not let go of a call that was cancelled (notify)" in caplog.text
    assert (len(ops.sent), ops.closed) == (1, 1)


@pytest.mark.parametrize("does", ["keep", "cancels", "leaves"])
def test_one_that_does_not_close_is_named_and_keeps_nobody(tmp_path, monkeypatch, caplog, does):
    monkeypatch.setattr(admin_module, "CLOSE_S_MAX", 0.05)
    monkeypatch.setattr(calls, "LET_GO_S_MAX", 0.05)

    class Odd(Fake):
        async def close(self):
            if does == "leaves":
                raise SystemExit(3)
            if does == "cancels":
                raise asyncio.CancelledError
            while True:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()

    async def main():
        async with deployed(tmp_path, Odd()):
            pass

    asyncio.run(main())
    told = {
        "keep": "it did not answer within 0.05 s",
        "cancels": "it has cancelled the call itself",
        "leaves": "SystemExit",
    }
    assert f"The notifier 'fake0' could not be closed: {told[does]}" in caplog.text


async def test_what_waits_is_sent_by_the_next_that_has_the_channel(tmp_path, caplog):
    ops = Fake()
    async with deployed(tmp_path) as (admin, kernel):
        await launched(admin, kernel, notifications=[Notify("ops", on=["SUCCEEDED"])])
        while not (entry := (await states(admin))[0]).failed:
            await asyncio.sleep(0.01)
        assert (entry.state, entry.failed) == (NotificationState.WAITING, "There is no channel 'ops' here.")
        await admin.activate(PLAN)
        assert f"{PLAN} tells the channel 'ops', which is not set up here" in caplog.text
    async with deployed(tmp_path, ops) as (admin, _):
        await admin.resend(entry.id)
        await until(lambda: ops.sent)
    assert [message.id for message in ops.sent] == [entry.id]


async def test_a_file_that_is_made_anew_tells_nothing_again(tmp_path):
    ops, again = Fake(), Fake()
    async with deployed(tmp_path, ops) as (admin, kernel):
        await launched(admin, kernel, notifications=[Notify("ops", on=["SUCCEEDED"])])
        await until(lambda: ops.sent)
    for file in (tmp_path / "home").glob("admin.sqlite*"):
        file.unlink()
    rules = (Rule("ops", on=(SUCCEEDED,)),)
    async with deployed(tmp_path, again, rules=rules) as (_, kernel):
        last = await kernel.launch(flows.twice, {"n": 2})
        await last.result()
        await until(lambda: again.sent)
        assert [message.execution for message in again.sent] == [last.id]


async def test_an_end_in_time_that_was_not_noted_is_no_missed_deadline(tmp_path):
    ops = Fake()
    rules = (Rule("ops", on=(SUCCEEDED,)),)
    async with deployed(tmp_path, ops, rules=rules) as (admin, kernel):
        await admin.close()
        quick = await kernel.launch(flows.twice, {"n": 1})
        await quick.result()
        path = tmp_path / "home" / "admin.sqlite"
        db = sqlite3.connect(path)  # as if it had been noted that it runs, and not more
        view = await quick.describe()
        await asyncio.sleep(0.02)
        db.execute("INSERT INTO deadlines VALUES (?, 'ops', 60.0, ?, 0)", (quick.id, view.ended_at + 0.01))
        db.execute("INSERT INTO executions (id, workflow, phase, created_at, project, domain, name, entity, cause, labels) "
                   "VALUES (?, 'f', 'RUNNING', ?, '', '', '', '', '', '{}')", (quick.id, view.created_at))  # fmt: skip
        db.commit()
        db.close()
    async with deployed(tmp_path, ops, rules=rules):
        await until(lambda: ops.sent)
    assert [(message.after_s, message.phase) for message in ops.sent] == [(None, SUCCEEDED)]


@pytest.mark.parametrize("channels", [("ops",), ("team", "ops")])
def test_a_channel_has_one_meaning(tmp_path, channels):
    home = TemporaryHome(tmp_path)
    with pytest.raises(ConfigurationError, match=r"'ops' is set up twice: in \[mail\] and in \[webhook\]"):
        LocalAdmin(
            tmp_path / "f", object(), home.storage(), notifiers={"mail": Fake(), "webhook": Fake(channels=channels)}
        )


async def test_a_notifier_that_cannot_say_what_it_serves_harms_no_other(tmp_path, caplog):
    class Broken(Fake):
        @property
        def channels(self):
            raise RuntimeError("secret")

        @channels.setter
        def channels(self, _): ...

        async def close(self):
            raise RuntimeError("secret")

    ops = Fake()
    async with deployed(tmp_path, Broken(), ops) as (admin, kernel):
        await launched(admin, kernel, notifications=[Notify("ops", on=["SUCCEEDED"])])
        await until(lambda: ops.sent)
    assert "'fake0' is done without" in caplog.text
    assert "secret" not in caplog.text


def test_a_file_from_before_tells_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "_STEPS", schema._STEPS[:1])
    monkeypatch.setattr(schema, "FORMAT", 1)
    open_file(tmp_path / "f").close()
    monkeypatch.undo()
    db = open_file(tmp_path / "f")
    try:
        assert db.execute("PRAGMA user_version").fetchone() == (schema.FORMAT,)
        (since,) = db.execute("SELECT value FROM meta WHERE key = 'told_since'").fetchone()
        now = db.execute("SELECT unixepoch('now')").fetchone()[0]
        assert abs(now - since) < 60
    finally:
        db.close()


def test_labels_of_ours_are_not_told():
    labels = {ENTITY_LABEL: PLAN, "project": "eta", "domain": "production", "team": "a"}
    message = message_of(Summary("x1", "f", FAILED, 1.0, 2.0, labels), "ops", 2.0)
    assert (message.labels, message.project, message.entity) == ({"team": "a"}, "eta", PLAN)


async def test_deadlines_are_forgotten_with_the_end_also_without_the_rule(tmp_path):
    def rows(store):
        return store._db.execute("SELECT * FROM deadlines").fetchall()

    async with deployed(tmp_path, rules=(Rule("ops", after="1h"),)) as (admin, kernel):
        running = await kernel.launch(flows.gated, {"n": 1}, name="gated")

        async def lined():
            return await admin.do(rows)

        await until(lined)
    async with deployed(tmp_path) as (admin, kernel):
        await kernel.engine.abort(running.id, "as asked")

        async def forgotten():
            return not await admin.do(rows)

        await until(forgotten)
