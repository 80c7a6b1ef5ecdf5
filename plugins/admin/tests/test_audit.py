"""What is done and denied is noted, once, for those who may read it."""

import asyncio

import msgspec
import pytest

from wingbeat.base.errors import NotFound
from wingbeat.contracts.access import AuditEntry, AuditQuery, Grant, Outcome, Role
from wingbeat.contracts.admin import Registration
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.server.noting import DENIED_MAX, Notes

OWN, FOREIGN = ("maps", "production"), ("eta", "production")


class NoEngine:
    """Nothing happens in it."""

    async def changes(self, after=0):
        yield []
        await asyncio.Event().wait()


async def test_what_is_done_and_denied_is_noted(server):
    dev, foreign = await server.key("dev", ("developer", *OWN)), await server.key("foreign", ("viewer", *FOREIGN))
    headers = {"x-request-id": "request7"}
    await server.http.get("/api/v1/me", headers={"authorization": f"Bearer {dev}"})
    given = Registration(*OWN, server.definitions()[:1], "v2")
    await server.call(dev, "POST", "/registrations", given)
    other = msgspec.structs.replace(server.definitions()[1], name="flows.twice")
    assert (await server.call(dev, "POST", "/registrations", Registration(*OWN, (other,), "v2"))).status_code == 409
    launched = (await server.call(dev, "POST", "/executions", server.launch(OWN, name="noted"))).json()["id"]
    await server.call(foreign, "GET", f"/executions/{launched}")
    await server.call(dev, "GET", "/executions/nowhere")  # not there is not denied
    await server.http.get(f"/api/v1/executions/{launched}", headers=headers)
    items = (await server.call(server.owner, "GET", "/audit?limit=5")).json()["items"]
    told = [(each["principal"], each["action"], each["outcome"], each.get("project", "")) for each in items]
    assert told == [
        ("", "execution.read", "denied", ""),
        ("apikey:foreign", "execution.read", "denied", "maps"),
        ("apikey:dev", "launch", "allowed", "maps"),
        ("apikey:dev", "register", "failed", "maps"),
        ("apikey:dev", "register", "allowed", "maps"),
    ]
    assert (items[0]["request"], items[0]["address"], items[1]["object"]) == ("request7", "127.0.0.1", "noted")
    assert items[4]["object"] == "maps/production/flows.twice@v2"


async def test_an_admin_reads_the_log_of_its_own_place(server):
    key = await server.key("boss", ("admin", *OWN))
    items = (await server.call(key, "GET", "/audit?limit=1000")).json()["items"]
    assert items and {(each["project"], each["domain"]) for each in items} == {OWN}
    assert (await server.call(key, "GET", "/audit?project=eta")).json()["items"] == []


async def test_a_change_and_its_entry_are_one(tmp_path, monkeypatch):
    home = TemporaryHome(tmp_path)
    admin = LocalAdmin(tmp_path / "admin.sqlite", NoEngine(), home.storage())
    await admin.start()
    try:

        def fails(*_):
            raise OSError("the disk")

        monkeypatch.setattr("wingbeat_admin.local.audit.append", fails)
        with pytest.raises(OSError, match="the disk"):
            await admin.access.create_key("ci", [Grant("", Role.VIEWER)])
        monkeypatch.undo()
        assert await admin.access.keys() == await admin.access.grants() == []
        await admin.access.create_key("ci", [Grant("", Role.VIEWER)])
        with pytest.raises(NotFound):
            await admin.access.delete_key("other")
        assert [each.action for each in (await admin.access.audit(AuditQuery())).items] == ["apikey.create"]
    finally:
        await admin.close()


async def test_entries_that_come_at_once_are_all_noted_or_said_not_to_be(tmp_path, monkeypatch):
    admin = LocalAdmin(tmp_path / "admin.sqlite", NoEngine(), TemporaryHome(tmp_path).storage())
    await admin.start()
    try:
        entries = [AuditEntry(0.0, "x", "launch", str(number), Outcome.ALLOWED) for number in range(100)]
        await asyncio.gather(*(admin.access.note(entry) for entry in entries))
        found = (await admin.access.audit(AuditQuery(limit=1000))).items
        assert sorted(int(each.object) for each in found) == [*range(100)]

        def fails(*_):
            raise OSError("the disk")

        monkeypatch.setattr("wingbeat_admin.local.audit.append", fails)
        done = await asyncio.gather(*(admin.access.note(entry) for entry in entries), return_exceptions=True)
        assert [type(each) for each in done] == [OSError] * 100
    finally:
        await admin.close()


async def test_old_entries_go(tmp_path):
    now = [1e9]
    admin = LocalAdmin(
        tmp_path / "admin.sqlite", NoEngine(), TemporaryHome(tmp_path).storage(), audit_days=30, clock=lambda: now[0]
    )
    await admin.start()
    try:
        for day, name in ((0, "a"), (29, "b"), (58, "c")):
            now[0] = 1e9 + day * 86_400
            await admin.access.create_key(name, [])
        assert [each.object for each in (await admin.access.audit(AuditQuery())).items] == ["c", "b"]
        page = await admin.access.audit(AuditQuery(limit=1))
        assert [each.object for each in (await admin.access.audit(AuditQuery(after=page.following))).items] == ["b"]
    finally:
        await admin.close()


async def test_denials_do_not_fill_the_disk():
    class Kept:
        def __init__(self):
            self.entries = []

        async def note(self, entry):
            self.entries.append(entry)

    now, kept = [0.0], Kept()
    notes = Notes(kept, lambda: now[0])
    denied, allowed = (AuditEntry(0.0, "", "x", "y", outcome) for outcome in (Outcome.DENIED, Outcome.ALLOWED))
    for _ in range(DENIED_MAX + 50):
        await notes.note(denied)
    await notes.note(allowed)
    assert len(kept.entries) == DENIED_MAX + 1
    now[0] = 61.0
    await notes.note(denied)
    assert [each.object for each in kept.entries[-2:]] == ["50 more within a minute", "y"]
