"""Executions that are run again over HTTP: by whom, and what is noted of it. What becomes of them is in the kit."""

from wingbeat.contracts.admin import ENTITY_LABEL, Registration
from wingbeat.contracts.relaunch import Relaunch
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import workflow
from wingbeat.testing.conformance.admin_references import SOURCE, borrower
from wingbeat_admin.client.admin import HttpAdmin

OWN, OTHER_DOMAIN, FOREIGN = ("maps", "production"), ("maps", "development"), ("eta", "production")


async def test_who_may_launch_what_refers_to_others_may_run_it_again(server):
    for place, *definitions in ((OWN, workflow(flows.twice, "twice")), (FOREIGN, borrower("rides.ride", "v1"))):
        given = Registration(*place, tuple(definitions), "v1")
        assert (await server.call(server.owner, "POST", "/registrations", given)).status_code == 201
    key = await server.key("run", ("runner", *FOREIGN))
    assert (await server.call(key, "GET", f"/entities/{SOURCE}/v1")).status_code == 404
    launch = {"entity": "eta/production/rides.ride@v1", "inputs": {"n": 1}, "name": "first"}
    assert (await server.call(key, "POST", "/executions", launch)).status_code == 201
    assert (await server.call(key, "GET", "/executions/first/wait")).json() == "SUCCEEDED"
    for what in ("relaunch", "recover"):
        answer = await server.call(key, "POST", f"/executions/first/{what}", {"name": what})
        assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1/executions/{what}"), answer.text
        assert (await server.call(key, "POST", f"/executions/first/{what}", {"name": what})).status_code == 200
        labels = (await server.call(key, "GET", f"/executions/{what}")).json()["labels"]
        assert (labels[ENTITY_LABEL], labels["wingbeat/by"]) == (launch["entity"], "apikey:run")
    api, transfer = server.over(key)  # which has nothing of the code
    admin = HttpAdmin(api, transfer)
    await admin.start()
    try:
        assert (await admin.relaunch(Relaunch("first", launch["entity"], "version"))).created
    finally:
        await admin.close()


async def test_another_version_takes_to_read_the_one_and_to_launch_the_other(server):
    answers = {}
    for name, *grants in (
        ("both", ("viewer", *FOREIGN), ("runner", *OWN)),
        ("reader", ("viewer", *FOREIGN), ("viewer", *OWN)),
        ("blind", ("runner", *OWN)),
        ("stranger", ("runner", *FOREIGN)),
    ):
        key = await server.key(name, *grants)
        body = {"entity": "maps/production/flows.gated@v1", "name": name}
        answer = await server.call(key, "POST", f"/executions/{server.execution(FOREIGN)}/relaunch", body)
        answers[name] = answer.status_code, answer.json().get("title", "")
        again = await server.call(
            key, "POST", f"/executions/{server.execution(FOREIGN)}/relaunch", {"name": f"{name}-2"}
        )
        assert again.status_code == {"both": 403, "reader": 403, "blind": 404, "stranger": 201}[name]
    assert [status for status, _ in answers.values()] == [201, 403, 404, 404]
    assert answers["blind"][1] == f"There is no execution {server.execution(FOREIGN)!r}."
    assert answers["stranger"][1].startswith("Nothing is registered as maps/production/flows.gated")


async def test_code_that_is_not_registered_takes_a_developer(server):
    dev, run = await server.key("dev", ("developer", *OWN)), await server.key("run", ("runner", *OWN))
    assert (await server.call(dev, "POST", "/engine/launches", server.code(OWN, name="code"))).status_code == 200
    found = [await server.call(key, "POST", "/executions/code/relaunch", {"name": "new"}) for key in (run, dev)]
    assert [answer.status_code for answer in found] == [403, 201]
    labels = (await server.call(dev, "GET", "/executions/new")).json()["labels"]
    assert (labels["project"], labels["domain"], ENTITY_LABEL in labels) == (*OWN, False)


async def test_it_has_names_of_its_own_in_the_audit_log_and_counts_as_a_launch(server):
    execution = server.execution(OWN)
    await server.call(server.owner, "POST", f"/executions/{execution}/relaunch", {"name": "again"})
    body = {"entity": "maps/production/flows.gated@v1"}
    await server.call(server.owner, "POST", f"/executions/{execution}/recover", body)  # which is under way
    noted = (await server.call(server.owner, "GET", "/audit", params={"limit": 2})).json()["items"]
    assert [(each["action"], each["object"]) for each in noted] == [
        ("recover", f"{execution}: {body['entity']}"),
        ("relaunch", execution),
    ]
    setting = {"name": "launches_per_minute", "value": 1, "project": "maps", "domain": "production"}
    assert (await server.call(server.owner, "POST", "/settings", setting)).status_code == 200
    for name, status in (("a", 201), ("b", 429), ("a", 200)):
        answer = await server.call(server.owner, "POST", f"/executions/{execution}/relaunch", {"name": name})
        assert answer.status_code == status, answer.text


async def test_an_id_of_another_project_is_taken_and_a_key_makes_one(server):
    key = await server.key("run", ("runner", *OWN))
    path = f"/executions/{server.execution(OWN)}/relaunch"
    taken = await server.call(key, "POST", path, {"name": server.execution(FOREIGN)})
    assert taken.status_code == 409
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "idempotency-key": "k"}
    found = [await server.http.post(f"/api/v1{path}", content=b"{}", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in found] == [201, 200]
    assert found[0].json()["id"] == found[1].json()["id"]
