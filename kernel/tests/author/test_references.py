"""What a reference says before anything runs: its types, and what is wrong with a call of it."""

import pytest

from wingbeat import CompileError, Kernel, LaunchPlan, map_task, reference, task, workflow
from wingbeat.author.closing import close
from wingbeat.author.reference import NotDefined, defined
from wingbeat.compile.check import check
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.codec import canonical
from wingbeat.spec.definition import Definition, Kind, check_borrowed, read_definition
from wingbeat.spec.entities import FORMAT_BORROWING, Borrowed, TaskSpec

FARE = "pricing/production/price.fare@v3"
IO = StorageIO(None, "")


@task
def fare(km: float, base: float = 3.0) -> float:
    return base + km


@task
def later(amount: float) -> str:
    return f"{amount:.2f}"


@workflow
def trip(km: float) -> str:
    return later(fare(km))


def registered(entity, kind, bundle="sha256:theirs", environment="sha256:lock"):
    closure, _ = close(entity, IO)
    import msgspec

    return Definition(kind, entity.name, msgspec.structs.replace(closure, bundle=bundle, environment=environment))


def compiled(flow, **definitions):
    with defined({id: registered(*given) for id, given in definitions.items()}):
        closure, locations = close(flow, IO)
        check(closure, locations)
    return closure


theirs = reference(FARE)


@workflow
def ride(km: float) -> float:
    return theirs(km)


def test_what_is_borrowed_is_what_is_registered_with_its_code():
    closure = compiled(ride, **{FARE: (fare, Kind.TASK)})
    ((digest, code),) = closure.borrowed.items()
    spec = closure.entities[digest]
    assert isinstance(spec, TaskSpec)
    assert spec.name == fare.name
    assert code == Borrowed(FARE, "sha256:theirs", "sha256:lock")
    assert (closure.bundle, closure.environment, closure.format) == ("", "", FORMAT_BORROWING)


def test_a_workflow_is_borrowed_with_all_that_it_calls():
    whole = reference("pricing/production/price.trip@v3")

    @workflow
    def two(km: float) -> list[str]:
        return [whole(km), whole(1)]

    closure = compiled(two, **{whole.name: (trip, Kind.WORKFLOW)})
    assert sorted(closure.entities[digest].name for digest in closure.borrowed) == sorted([fare.name, later.name])


def test_what_others_have_borrowed_stays_where_it_is():
    inner = compiled(ride, **{FARE: (fare, Kind.TASK)})
    middle = reference("eta/production/rides.ride@v1")

    @workflow
    def outer(km: float) -> float:
        return middle(km)

    with defined({middle.name: Definition(Kind.WORKFLOW, "rides.ride", inner)}):
        closure, _ = close(outer, IO)
    assert [code.of for code in closure.borrowed.values()] == [FARE]


def test_the_definition_is_asked_for_where_it_is_not_at_hand():
    with pytest.raises(NotDefined) as caught:
        close(ride, IO)
    assert caught.value.reference == FARE
    assert "test_references.py" in str(caught.value)


@pytest.mark.parametrize("id", ["price.fare", "pricing/production/price.fare", "../x/y@v1", "", "a/b/c@"])
def test_an_id_that_is_none_is_told_with_its_line(id):
    with pytest.raises(CompileError, match=r"test_references\.py"):
        reference(id)


def test_calls_are_checked_by_the_types_that_are_registered():
    def call(how):
        @workflow
        def calls(km: float, name: str) -> float:
            return how(km, name)

        return compiled(calls, **{FARE: (fare, Kind.TASK)})

    call(lambda km, name: theirs(km, base=2))  # a whole number is a float
    for how, told in (
        (lambda km, name: theirs(name), "km"),
        (lambda km, name: theirs("far"), "km"),
        (lambda km, name: theirs(km, speed=3), "speed"),
        (lambda km, name: theirs(), "km"),
    ):
        with pytest.raises(CompileError, match=told) as caught:
            call(how)
        assert "test_references.py" in str(caught.value)


def test_a_map_over_a_reference_gives_a_list():
    @workflow
    def fares(kms: list[float]) -> list[float]:
        return map_task(theirs)(km=kms)

    assert compiled(fares, **{FARE: (fare, Kind.TASK)}).workflow.interface.outputs[0].type.item.name == "float"


def test_two_codes_of_one_task_are_told_apart_or_refused():
    other = reference("pricing/production/price.fare@v4")

    @workflow
    def both(km: float) -> list[float]:
        return [theirs(km), other(km)]

    with pytest.raises(CompileError, match=r"@v3 and with .*@v4"):
        compiled(both, **{FARE: (fare, Kind.TASK), other.name: (fare, Kind.TASK, "sha256:another")})

    @workflow
    def own(km: float) -> list[float]:
        return [theirs(km), fare(km)]

    with pytest.raises(CompileError, match="as it is here"):
        compiled(own, **{FARE: (fare, Kind.TASK)})


def test_called_as_plain_python_it_is_what_stands_for_it():
    with pytest.raises(CompileError, match="plain=function"):
        ride.plain(1.0)
    assert reference(FARE, plain=lambda km: 7.0)(1.0) == 7.0


def test_a_definition_is_read_as_it_was_written():
    definition = registered(trip, Kind.WORKFLOW)
    assert read_definition(canonical(definition)) == definition


def test_a_borrowed_task_has_to_be_there_as_it_is_registered():
    closure = compiled(ride, **{FARE: (fare, Kind.TASK)})
    borrower = [Definition(Kind.WORKFLOW, "rides.ride", closure)]
    check_borrowed(borrower, {FARE: registered(fare, Kind.TASK)})
    for there in ({}, {FARE: registered(later, Kind.TASK)}, {FARE: registered(fare, Kind.TASK, "sha256:another")}):
        with pytest.raises(Exception, match="borrows"):
            check_borrowed(borrower, there)


def test_a_launch_plan_is_an_execution_of_its_own():
    plan = LaunchPlan(trip, name="daily", fixed={"km": 10.0})
    closure, _ = close(trip, IO)
    spec = plan.spec(IO, closure.root, closure.workflow.interface)
    daily = reference("pricing/production/daily@v3")

    @workflow
    def day() -> str:
        return daily()

    with defined({daily.name: Definition(Kind.LAUNCHPLAN, "daily", closure, spec)}):
        found, locations = close(day, IO)
        check(found, locations)
    assert len(found.borrowed) == 2


async def test_a_kernel_without_an_admin_says_so(tmp_path):
    async with Kernel(tmp_path / "home", discover=False) as kernel:
        with pytest.raises(Exception, match="admin"):
            await kernel.launch(ride, {"km": 1.0})
