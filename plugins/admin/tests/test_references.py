"""One team uses what another has registered: from its code, in its version, whatever the files are called here."""

import contextlib
import sqlite3
import sys
import textwrap

import pytest

from wingbeat import CompileError, Kernel, LaunchPlan
from wingbeat.contracts.admin import Launch, Registration
from wingbeat.kernel import compile_file, definitions_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local.admin import LocalAdmin

PRICE = """
    from wingbeat import LaunchPlan, gather, task, workflow
    import rates

    @task
    def fare(km: float, base: float = 3.0) -> float:
        return base + km * rates.PER_KM

    @task
    def fails(km: float) -> float:
        raise ValueError(f"no fare for {km} at {rates.PER_KM}")

    @task
    def note(km: float, error: Failure) -> None:
        print(f"noted at {rates.PER_KM}")

    @workflow(on_failure=note)
    def strict(km: float) -> float:
        return fails(km)

    @workflow
    async def tour(kms: list[float]) -> float:
        return sum(await gather(*[fare(km) for km in kms]))

    daily = LaunchPlan(tour, name="daily", fixed={"kms": [1.0, 2.0]})
"""
RIDES = """
    from wingbeat import ExecutionFailed, map_task, reference, task, workflow
    import rates

    fare = reference("pricing/production/price.fare@v3")
    strict = reference("pricing/production/price.strict@v3")
    tour = reference("pricing/production/price.tour@v3")
    daily = reference("pricing/production/daily@v3")

    @task
    def tell(fare: float, all: list[float], tour: float, daily: float) -> str:
        return f"{fare} {all} {tour} {daily} {rates.OURS}"

    @workflow
    def ride(km: float, kms: list[float]) -> str:
        return tell(fare(km), map_task(fare)(km=kms), tour(kms), daily())

    @workflow
    async def body(km: float, kms: list[float]) -> str:
        try:
            await strict(km)
        except ExecutionFailed as error:
            return str(error) + " " + await tell(await fare(km), await map_task(fare)(km=kms), await tour(kms), await daily())
        return "it did not fail"
"""


def project(folder, per_km, **modules):
    """A project with a module `rates` of its own."""
    folder.mkdir()
    (folder / "wingbeat.toml").touch()
    (folder / "rates.py").write_text(per_km)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text).lstrip())
    return folder


async def register(home, folder, team, version):
    import asyncio

    definitions = await asyncio.to_thread(definitions_of, str(folder), home)
    async with Kernel(home) as kernel:
        admin = await kernel.admin()
        return await admin.register(Registration(team, "production", tuple(definitions), version))


@pytest.fixture
async def home(tmp_path):
    """With two versions of the pricing team's."""
    price = PRICE.replace("import LaunchPlan", "import Failure, LaunchPlan")
    await register(tmp_path / "home", project(tmp_path / "p3", "PER_KM = 2.0", price=price), "pricing", "v3")
    await register(tmp_path / "home", project(tmp_path / "p4", "PER_KM = 9.0", price=price), "pricing", "v4")
    return tmp_path / "home"


async def launched(home, entity, inputs):
    async with Kernel(home) as kernel:
        admin = await kernel.admin()
        reply = await admin.launch(Launch(entity, inputs))
        execution = await kernel.get(reply.id)
        return await execution.result(), await execution.describe()


async def test_it_runs_from_the_code_that_is_registered(home, tmp_path):
    await register(home, project(tmp_path / "eta", 'OURS = "ours"', rides=RIDES), "eta", "v1")
    for name in ("p3", "eta"):
        for file in (tmp_path / name).iterdir():
            file.unlink()
    result, view = await launched(home, "eta/production/rides.ride@v1", {"km": 1.0, "kms": [1.0, 2.0]})
    assert result == "5.0 [5.0, 7.0] 12.0 12.0 ours"
    of = {node.id: node.of for node in view.nodes}
    assert of["n0"] == of["n1"] == "pricing/production/price.fare@v3"
    assert {whose for node, whose in of.items() if node.startswith("n2")} == {"pricing/production/price.tour@v3"}
    assert not of["n4"]


async def test_a_dynamic_workflow_calls_it_and_its_failures_are_handled_where_it_is(home, tmp_path):
    await register(home, project(tmp_path / "eta", 'OURS = "ours"', rides=RIDES), "eta", "v1")
    result, view = await launched(home, "eta/production/rides.body@v1", {"km": 1.0, "kms": [1.0, 2.0]})
    assert result.partition(": ")[2] == "no fare for 1.0 at 2.0 (price.py:10) 5.0 [5.0, 7.0] 12.0 12.0 ours"
    (handler,) = [node for node in view.nodes if node.task == "price.note"]
    assert handler.phase == "SUCCEEDED"
    assert handler.of == "pricing/production/price.strict@v3"


async def test_its_owner_knows_who_refers_to_it_also_in_a_file_from_before(home, tmp_path):
    await register(home, project(tmp_path / "eta", 'OURS = "ours"', rides=RIDES), "eta", "v1")
    expected = {
        "price.fare": {"rides.body", "rides.ride"},  # by a task that several have in common, too
        "price.tour": {"rides.body", "rides.ride"},
        "daily": {"rides.body", "rides.ride"},
        "price.strict": {"rides.body"},
        "price.note": set(),  # what is named by a body is known, not what that reaches
    }
    storage = TemporaryHome(home).storage()
    for _ in range(2):
        admin = LocalAdmin(home / "admin.sqlite", NoEngine(), storage)
        await admin.start()
        for name, names in expected.items():
            found = await admin.referrers(f"pricing/production/{name}@v3")
            whole = {f"eta/production/{each}@v1" for each in names}
            assert {each.id for each in found.items} == whole, name
            assert (await admin.referrers(f"pricing/production/{name}@v4")).items == []
            hidden = await admin.referrers(f"pricing/production/{name}@v3", within=("maps/*", "pricing/*"))
            assert (hidden.items, hidden.elsewhere) == ([], len(names))
        await admin.close()
        with contextlib.closing(sqlite3.connect(home / "admin.sqlite")) as file:
            file.execute("DELETE FROM refers")
            file.execute("UPDATE meta SET value = 0 WHERE key = 'references'")
            file.commit()


class NoEngine:
    """Nothing happens in it."""

    async def changes(self, after=0):
        yield []


async def test_another_version_is_taken_by_saying_so(home, tmp_path):
    newer = RIDES.replace("price.fare@v3", "price.fare@v4").replace("ride(", "dear(")
    folder = project(tmp_path / "eta", 'OURS = "ours"', rides=RIDES)
    await register(home, folder, "eta", "v1")
    (folder / "rides.py").write_text(textwrap.dedent(newer).lstrip())
    await register(home, folder, "eta", "v2")
    inputs = {"km": 1.0, "kms": [2.0]}
    assert (await launched(home, "eta/production/rides.ride@v1", inputs))[0] == "5.0 [7.0] 7.0 12.0 ours"
    assert (await launched(home, "eta/production/rides.dear@v2", inputs))[0] == "12.0 [21.0] 7.0 12.0 ours"


def test_what_is_not_there_is_told_with_the_file(tmp_path):
    folder = project(tmp_path / "eta", "", rides=RIDES)
    with pytest.raises(CompileError, match=r"rides\.py.*pricing/production") as caught:
        compile_file(str(folder / "rides.py"), "ride", tmp_path / "home")
    assert "Traceback" not in str(caught.value)


async def test_a_program_launches_what_borrows(home, tmp_path, monkeypatch):
    folder = project(tmp_path / "eta", 'OURS = "ours"', rides=RIDES)
    monkeypatch.syspath_prepend(str(folder))
    import rides

    try:
        async with Kernel(home) as kernel:
            execution = await kernel.launch(LaunchPlan(rides.ride, inputs={"km": 1.0}), {"kms": [1.0]})
            assert await execution.result() == "5.0 [5.0] 5.0 12.0 ours"
        async with Kernel(home, inline=[rides.tell]) as kernel:
            execution = await kernel.launch(rides.ride, {"km": 1.0, "kms": [1.0]})
            assert await execution.result() == "5.0 [5.0] 5.0 12.0 ours"
    finally:
        for name in ("rides", "rates"):
            sys.modules.pop(name, None)
