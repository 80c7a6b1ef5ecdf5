"""Functions of options become formulas; what cannot be one is refused with the user's line."""

import pytest

from wingbeat import CompileError, Pool, Resources, Retry, Timeout, task, where, workflow
from wingbeat.author.closing import close
from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.spec.chosen import AT_FAILURE, AT_QUEUE, choose, pools_of, settled
from wingbeat.spec.entities import PoolSpec
from wingbeat.spec.formulas import Known
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.types import ValueMismatch

OOM = ErrorInfo("OutOfMemory", "too much")


@task(
    retries=lambda error: Retry(where(error.code == "OutOfMemory", 4, 1), delay="2s", jitter=0),
    timeout=lambda inputs: Timeout(run=10 + inputs.n * 2, total="1h"),
    resources=lambda attempt, inputs: Resources(mem=("1Gi" * 2**attempt).at_most("6Gi"), cpu=2),
    pool=lambda inputs: Pool("gpu", weight=where(inputs.n > 10, 2, 1)),
)
def train(n: int) -> int:
    return n


@task(resources=Resources(cpu=1, mem="1Gi"), retries=2)
def plain(n: int) -> int:
    return n


@workflow
def flow(n: int) -> int:
    a = train(n)
    b = train.override(resources=Resources(mem="512Mi"), retries=0)(a)
    return plain.override(resources=lambda inputs: Resources(cpu=1 + inputs.n // 4))(b)


def compiled(entity):
    closure, locations = close(entity, None)
    check(closure, locations)
    return closure


def chosen(task_spec, names, n=3, attempt=0, error=None):
    return choose(task_spec, Known({"n": Inline(n)}, task_spec.interface, attempt, error), names)


@pytest.fixture
def tasks():
    plan = flatten(compiled(flow))
    return [plan.tasks[node.task] for node in plan.nodes]


def test_what_a_function_computes_is_in_the_spec(tasks):
    spec = tasks[0]
    assert chosen(spec, AT_QUEUE) == {"timeout.run_s": 16.0, "resources.memory_bytes": 2**30, "pool.weight": 1}
    assert chosen(spec, AT_QUEUE, n=11, attempt=1)["resources.memory_bytes"] == 2**31
    assert chosen(spec, AT_QUEUE, n=11, attempt=9, error=OOM)["resources.memory_bytes"] == 6 * 2**30
    assert chosen(spec, AT_QUEUE, n=11)["pool.weight"] == 2
    assert chosen(spec, AT_FAILURE, error=OOM) == {"retry.count": 4}
    assert chosen(spec, AT_FAILURE, error=ErrorInfo("ValueError", "bad")) == {"retry.count": 1}
    assert (spec.resources.cpu, spec.retry.delay_s, spec.timeout.total_s) == (2.0, 2.0, 3600.0)


def test_the_pool_itself_may_depend_on_the_call():
    by_size = plain.override(
        pool=lambda inputs, error: where(inputs.n > 10, "gpu", where(error.code == "Killed", "b", "c"))
    )
    weighed = plain.override(pool=lambda inputs: Pool(where(inputs.n > 10, "gpu", "cpu"), weight=inputs.n))

    @workflow
    def choosing(n: int) -> int:
        return weighed(by_size(n))

    plan = flatten(compiled(choosing))
    first, second = (plan.tasks[node.task] for node in plan.nodes)
    assert pools_of(first) == {"gpu", "b", "c"}
    assert chosen(first, AT_QUEUE, n=11) == {"pool.name": "gpu"}
    assert chosen(first, AT_QUEUE, error=ErrorInfo("Killed", "")) == {"pool.name": "b"}
    assert settled(second, chosen(second, AT_QUEUE, n=11)).pool == PoolSpec("gpu", 11)


@task(pool=lambda inputs: inputs.team)
def of_team(team: str) -> str:
    return team


@workflow
def of_number(n: int) -> int:
    return plain.override(pool=lambda inputs: inputs.n)(n)


def test_the_name_of_a_pool_may_be_an_input_and_is_a_text():
    (spec,) = flatten(compiled(of_team)).tasks
    assert pools_of(spec) == set()
    known = Known({"team": Inline("maps")}, spec.interface)
    assert choose(spec, known, AT_QUEUE) == {"pool.name": "maps"}
    with pytest.raises(ValueMismatch, match="pool.name would be empty"):
        choose(spec, Known({"team": Inline("")}, spec.interface), AT_QUEUE)
    with pytest.raises(CompileError, match=r"pool\.name is a number, not a text"):
        compiled(of_number)


def test_an_override_replaces_an_option_whole(tasks):
    fixed, computed = tasks[1], tasks[2]
    assert sorted(fixed.formulas) == ["pool.weight", "timeout.run_s"]
    assert (fixed.resources.memory_bytes, fixed.resources.cpu, fixed.retry.count) == (2**29, None, 0)
    assert sorted(computed.formulas) == ["resources.cpu"]
    assert computed.resources.memory_bytes is None
    assert computed.retry.count == 2


def made(**options):
    @task(**options)
    def one(n: int) -> int:
        return n

    return one


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resources": lambda rows: Resources(mem=rows)}, "takes 'rows'"),
        (
            {"resources": lambda attempt: Resources(mem="2Gi" if attempt else "1Gi")},
            "'if', 'and', 'or' or 'not' needs a value",
        ),
        ({"resources": lambda attempt: Resources(mem=attempt * "many")}, "'many' is not a size"),
        ({"retries": lambda attempt: Retry(1, factor=attempt)}, "Retry.factor cannot depend on the call"),
        ({"timeout": lambda attempt: Timeout(total=attempt)}, "Timeout.total cannot depend on the call"),
        ({"timeout": lambda inputs: Timeout(run=len(inputs.n))}, "len"),
        ({"resources": lambda inputs: Resources(mem=f"{inputs.n}Gi")}, "Multiply a size: 'inputs.n * \"1Gi\"'"),
        ({"resources": lambda inputs: Resources(cpu=1 if 3 in inputs.n else 2)}, "'in' needs a value"),
        ({"resources": lambda attempt: Resources(mem=attempt.bytes)}, "bytes of something computed"),
        ({"resources": lambda attempt: Resources(mem=2**attempt + [])}, "cannot hold"),
        ({"resources": lambda attempt: 1 / 0}, "ZeroDivisionError"),
        ({"resources": lambda inputs: 17}, "resources: 17 is not a Resources(cpu=…, mem=…)"),
        ({"resources": lambda inputs: None}, "resources: None is not a Resources"),
        ({"resources": 5}, "resources: 5 is not a Resources"),
        ({"resources": "2Gi"}, "resources: '2Gi' is not a Resources"),
        ({"resources": Resources(mem=-5)}, "mem is more than nothing"),
        ({"resources": Resources(cpu="two")}, "Resources.cpu cannot be 'two'"),
        ({"retries": 1.5}, "retries: 1.5 is not a number or a Retry"),
        ({"retries": lambda attempt: 2.5}, "retries: 2.5 is not a number or a Retry"),
        ({"retries": "three"}, "retries: 'three' is not a number or a Retry"),
        ({"retries": Retry("three")}, "Retry.count cannot be 'three'"),
        ({"pool": 3}, "pool: 3 is not a name or a Pool"),
        ({"resources": lambda attempt: Resources(mem=where(attempt > 1, "2Gi", "big"))}, "'big' is not a size"),
    ],
)
def test_what_cannot_be_a_formula_names_the_line(options, words):
    with pytest.raises(CompileError, match="test_formulas.py:") as caught:
        made(**options)
    assert words in str(caught.value)


@task(resources=lambda inputs: Resources(mem=inputs.m))
def misnamed(n: int) -> int:
    return n


@task(resources=lambda inputs: Resources(mem=inputs.names))
def no_number(names: list[str]) -> int:
    return len(names)


@workflow
def overrides() -> int:
    return plain.override(resources=lambda inputs: Resources(mem=inputs.m))(1)


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        (misnamed, "there is no input 'm'; the inputs are: n"),
        (no_number, "is no number; its size is '.bytes'"),
        (overrides, "there is no input 'm'; the inputs are: n"),
    ],
)
def test_inputs_that_do_not_fit_are_found_when_it_is_compiled(entity, words):
    with pytest.raises(CompileError, match="test_formulas.py:") as caught:
        compiled(entity)
    assert words in str(caught.value)


def test_called_directly_nothing_is_chosen():
    assert train(3) == 3
    assert where(train(3) > 2, "a", "b") == "a"
