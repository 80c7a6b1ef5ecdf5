"""Who may see what executions have published, what came of it, and who was told."""

import asyncio

import pytest

from wingbeat import Newest, Notify, OnArtifact, OnVersion
from wingbeat.contracts.admin import Registration
from wingbeat.spec.codec import borrowing
from wingbeat.spec.definition import Definition, Kind
from wingbeat.spec.entities import Borrowed, TaskSpec
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan, workflow


async def published(server, place):
    """An artifact there, that a launch plan of the same place has taken; and somebody was told of that."""
    name = "/".join(place)
    taker = launchplan(
        flows.twice,
        "taker",
        trigger=OnArtifact(f"{name}/numbers", input="n"),
        notifications=[Notify("ops", on=["SUCCEEDED"])],
    )
    given = Registration(*place, (workflow(flows.numbered, "flows.numbered"), taker), "v3")
    assert (await server.call(server.owner, "POST", "/registrations", given)).status_code == 201
    assert (await server.call(server.owner, "POST", f"/entities/{name}/taker/v3/activate", {})).status_code == 200
    id = f"numbers-{'-'.join(place)}"
    launch = {"entity": f"{name}/flows.numbered@v3", "inputs": {"n": 1, "city": "sf"}, "name": id}
    assert (await server.call(server.owner, "POST", "/executions", launch)).status_code == 201
    async with asyncio.timeout(30):
        while not (found := await listed(server, server.owner, "notifications", project=place[0], domain=place[1])):
            await asyncio.sleep(0.05)
    return id, found[0]["id"]


async def listed(server, key, what, **query):
    answer = await server.call(key, "GET", f"/{what}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


@pytest.mark.timeout(120)
async def test_only_what_is_in_ones_places_is_seen(server):
    own, told = await published(server, server.own)
    foreign, told_of_foreign = await published(server, server.foreign)
    viewer = await server.key("viewer", ("viewer", *server.own))
    runner = await server.key("runner", ("runner", *server.own))
    nobody = await server.key("nobody")
    for what in ("artifacts", "notifications"):
        assert len(await listed(server, server.owner, what)) == 2
        (seen,) = await listed(server, viewer, what)
        assert "maps" in str(seen)
        assert await listed(server, nobody, what) == []
        assert await listed(server, viewer, what, project="eta") == []
    after = {"after": f"eta/production/numbers@{foreign}"}
    assert (await server.call(viewer, "GET", "/artifacts", params=after)).status_code == 404
    assert (await server.call(viewer, "GET", "/notifications", params={"after": told_of_foreign})).status_code == 404
    for version in (own, "latest"):
        assert (await server.call(viewer, "GET", f"/artifacts/maps/production/numbers/{version}")).status_code == 200
    for version in (foreign, "latest", "none"):
        assert (await server.call(viewer, "GET", f"/artifacts/eta/production/numbers/{version}")).status_code == 404
    assert (await server.call(viewer, "POST", f"/notifications/{told}/resend", {})).status_code == 403
    assert (await server.call(runner, "POST", f"/notifications/{told}/resend", {})).status_code == 200
    for id in (told_of_foreign, "none"):
        assert (await server.call(runner, "POST", f"/notifications/{id}/resend", {})).status_code == 404


@pytest.mark.timeout(120)
async def test_lineage_ends_where_one_may_not_look(server):
    own, _ = await published(server, server.own)
    foreign, _ = await published(server, server.foreign)
    takes = launchplan(flows.twice, "across", inputs={"n": Newest("maps/production/numbers")})
    given = Registration(*server.foreign, (takes,), "v4")
    assert (await server.call(server.owner, "POST", "/registrations", given)).status_code == 201
    launch = {"entity": "eta/production/across@v4", "name": "across"}
    assert (await server.call(server.owner, "POST", "/executions", launch)).status_code == 201
    async with asyncio.timeout(30):
        while "across" not in (await server.call(server.owner, "GET", "/lineage", params={"of": own})).text:
            await asyncio.sleep(0.05)
    viewer = await server.key("viewer", ("viewer", *server.own))
    answer = await server.call(viewer, "GET", "/lineage", params={"of": "maps/production/numbers"})
    assert answer.status_code == 200
    assert own in answer.text
    assert "across" not in answer.text
    assert answer.json()["effects_elsewhere"] == 1
    for of in (foreign, "eta/production/numbers", "across", "none"):
        assert (await server.call(viewer, "GET", "/lineage", params={"of": of})).status_code == 404


async def test_to_wait_for_what_is_foreign_or_to_take_it_is_to_see_it(server):
    developer = await server.key("developer", ("developer", *server.own))
    waits = {
        "artifact": OnArtifact("eta/production/numbers", input="n"),
        "version": OnVersion("eta/production/flows.twice"),
    }
    for name, trigger in waits.items():
        plan = launchplan(flows.twice, name, inputs={} if name == "artifact" else {"n": 1}, trigger=trigger)
        given = Registration(*server.own, (plan,), "v3")
        assert (await server.call(developer, "POST", "/registrations", given)).status_code == 201
        answer = await server.call(developer, "POST", f"/entities/maps/production/{name}/v3/activate", {})
        assert answer.status_code == 404, name
    takes = launchplan(flows.twice, "takes", inputs={"n": Newest("eta/production/numbers")})
    answer = await server.call(developer, "POST", "/registrations", Registration(*server.own, (takes,), "v3"))
    told = "There is no artifact eta/production/numbers, which the input 'n' of the launch plan takes takes."
    assert (answer.status_code, answer.json()["title"]) == (404, told)


async def test_to_use_what_others_have_registered_is_to_run_it(server):
    own = workflow(flows.twice, "flows.twice")
    (task,) = [name for name, each in own.closure.entities.items() if isinstance(each, TaskSpec)]
    borrowed = borrowing(own.closure, {task: Borrowed("eta/production/flows.twice@v1")})
    given = Registration(*server.own, (Definition(Kind.WORKFLOW, "borrower", borrowed),), "v3")
    for role, status in (("viewer", 403), ("runner", 201)):
        key = await server.key(role, ("developer", *server.own), (role, *server.foreign))
        answer = await server.call(key, "POST", "/registrations", given)
        assert answer.status_code == status
        if status == 403:
            used = "run eta/production/flows.twice@v1, to which borrower refers"
            assert (
                answer.json()["title"] == f"apikey:{role} may not {used}: it takes the role runner in eta/production."
            )
    alone = await server.key("alone", ("developer", *server.own))
    answer = await server.call(alone, "POST", "/registrations", given)
    assert answer.status_code == 404
    assert "eta/production" in answer.text
