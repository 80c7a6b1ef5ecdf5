"""Specs as bytes: canonical, of one digest for ever, and read within bounds."""

import importlib.util
import json
from pathlib import Path

import msgspec
import pytest

from wingbeat import Cache, Environment, Resources, Retry, Timeout, task, workflow
from wingbeat.author.closing import close
from wingbeat.author.task import Task, TaskOptions
from wingbeat.base.errors import ConfigurationError
from wingbeat.base.ids import digest
from wingbeat.spec.codec import (
    canonical,
    check_closure,
    json_schema,
    mention,
    read_bounded,
    read_closure,
    read_entity,
    read_known,
    spec_digest,
    task_identity,
)
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.entities import (
    CacheSpec,
    Closure,
    Entry,
    EnvironmentSpec,
    Interface,
    Isolation,
    MapSpec,
    NodeSpec,
    Number,
    PoolSpec,
    ResourceSpec,
    RetrySpec,
    SecretSpec,
    StoredDefinition,
    TaskSpec,
    TimeoutSpec,
    Variable,
    WorkflowSpec,
    WrapperSpec,
)
from wingbeat.spec.gang import GangSpec, RoleSpec
from wingbeat.spec.mention import Mention
from wingbeat.types import LimitExceeded, RecordType, Simple
from wingbeat.types.model import Strict

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).parent / "golden"
DIGESTS = {
    "control": "sha256:6bcdd1c62468ba2480e9f260c139a4076877a01e02b4bd22fd40f7ad816a2d9d",
    "everything": "sha256:e82b01a57296d0727dfaa3784d988c446ac787d67ca01681735f6ec7ab5f4f3c",
    "limits": "sha256:a20d7448f39ec9770dde72209267a0bf32fec3ecca65ce849e2b0e9cb61d0bc4",
    "plans": "sha256:5384601ba29e37905305b0287326ddf330019a2cea2478fdefcdef236f247d8e",
    "small": "sha256:e35166a9e042a211bd63f8a0ec4241c791a558200e5b11a1567f054987efd7b1",
    "types": "sha256:6b9620b481dbb8a202aa80a90410948eef4356d35f21481d3d12fd52ff57f965",
}


# -- golden files


def test_there_is_a_golden_file_for_every_closure_of_the_gallery(gallery):
    assert {f.stem for f in (GOLDEN / "v1").glob("*.json")} == set(gallery) == set(DIGESTS)


@pytest.mark.parametrize("name", DIGESTS)
def test_a_golden_file_is_read_and_written_as_it_is(name):
    data = (GOLDEN / "v1" / f"{name}.json").read_bytes()
    assert digest(data) == DIGESTS[name], "golden files of a released format never change"
    closure = read_closure(data)
    assert canonical(closure) == data


@pytest.mark.parametrize("name", DIGESTS)
def test_the_gallery_still_gives_its_golden_files(name, gallery):
    assert canonical(gallery[name]()) == (GOLDEN / "v1" / f"{name}.json").read_bytes()


# -- canonical


def test_canonical_json_is_sorted_dense_and_readable_by_anybody():
    data = canonical({"b": 1, "a": [1.5, "ü", None, True]})
    assert data == '{"a":[1.5,"ü",null,true],"b":1}'.encode()
    assert json.loads(data) == {"b": 1, "a": [1.5, "ü", None, True]}


def test_the_order_of_keys_does_not_matter():
    one = TaskSpec("m.f", *_plain(), variables={"A": "1", "B": "2"})
    two = TaskSpec("m.f", *_plain(), variables={"B": "2", "A": "1"})
    assert spec_digest(one) == spec_digest(two)


def test_a_default_that_is_written_out_does_not_matter():
    assert spec_digest(TaskSpec("m.f", *_plain())) == spec_digest(TaskSpec("m.f", *_plain(), doc="", executor=""))


def _plain():
    from wingbeat.spec.entities import Entry, Interface

    return Interface(), Entry("m", "f")


def something(n: int) -> int:
    return n


@pytest.mark.parametrize(
    "options",
    [
        {"resources": Resources(cpu=1, mem="512Mi")},
        {"retries": Retry(3, delay=1, factor=3, delay_max=10, jitter=0)},
        {"retries": 2},
        {"timeout": 5},
        {"timeout": Timeout(run=1, queue=2, total=3)},
        {"cache": Cache(ttl=60)},
        {"environment": Environment(packages=["numpy"])},
    ],
    ids=lambda o: repr(next(iter(o.values()))),
)
def test_whole_numbers_among_the_options_survive_the_way_to_bytes_and_back(options):
    """An int where the format has a float would come back as another text, and so as another digest."""
    closure, _ = close(Task(something, TaskOptions(**options)), None)
    assert read_closure(canonical(closure)) == closure


@task
def step(n: int) -> int:
    return n


@workflow
def five_hundred(n: int) -> int:
    for _ in range(500):
        n = step(n)
    return n


def test_five_hundred_steps_fit_forty_kilobytes():
    closure, _ = close(five_hundred, None)
    assert len(closure.workflow.nodes) == 500
    assert len(canonical(closure)) <= 40_000


# -- schema


def test_the_published_schema_is_current():
    spec = importlib.util.spec_from_file_location("spec_schema", ROOT / "tools" / "spec_schema.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.PATH.read_text(encoding="utf-8") == tool.text(), "run 'make schema'"


def test_the_schema_knows_every_entity_and_binding():
    names = json_schema()["$defs"]
    assert {
        "Closure",
        "TaskSpec",
        "WorkflowSpec",
        "NodeSpec",
        "Promise",
        "Constant",
        "ListBinding",
        "MapBinding",
        "LaunchPlanSpec",
        "ConcurrencySpec",
        "MapSpec",
        "BranchSpec",
        "GateSpec",
        "OverrideSpec",
        "Compare",
        "AllOf",
        "AnyOf",
        "Not",
    } <= set(names)


# -- hostile documents


def nested(levels: int) -> bytes:
    return b'{"root":"x","entities":{},"more":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize("levels", [64, 1_000, 100_000])
def test_what_is_nested_too_deeply_is_refused(levels):
    with pytest.raises(LimitExceeded, match="deeper than 64"):
        read_closure(nested(levels))


def test_what_is_too_large_is_refused():
    with pytest.raises(LimitExceeded, match="over the limit of 100"):
        read_bounded(b"[" + b"1," * 100 + b"1]", msgspec.json.Decoder(), bytes_max=100)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b'{"root":1,"entities":{}}', b'{"root":"x"', b"\xff\xfe", b'{"root":"x","entities":[]}',
        b'{"root":"x","entities":{"x":{"entity":"spell"}}}', b'{"root":"x","entities":{"x":{"entity":"task"}}}',
    ],
)  # fmt: skip
def test_what_has_another_shape_is_refused(data):
    with pytest.raises(msgspec.DecodeError):
        read_closure(data)
    with pytest.raises(msgspec.DecodeError):
        read_entity(data)


def test_what_a_later_version_says_beside_the_entities_is_left_alone(gallery):
    data = json.loads(canonical(gallery["small"]()))
    data["later"] = {"more": [1]}
    assert read_closure(json.dumps(data).encode()) == gallery["small"]()


def parts_of(type_) -> set[type]:
    """The structs that a type is made of."""
    found: set[type] = set()
    waiting = [type_]
    while waiting:
        each = waiting.pop()
        if isinstance(each, msgspec.inspect.StructType) and each.cls not in found:
            found.add(each.cls)
            waiting += [field.type for field in each.fields]
        elif isinstance(each, msgspec.inspect.UnionType):
            waiting += each.types
        waiting += [getattr(each, name) for name in ("item_type", "key_type", "value_type") if hasattr(each, name)]
        waiting += getattr(each, "item_types", ())
    return found


def test_no_part_of_a_spec_leaves_out_what_it_does_not_know():
    parts = parts_of(msgspec.inspect.type_info(Closure)) - {Closure}
    assert {NodeSpec, MapSpec, RecordType} < parts
    assert {part.__name__ for part in parts if not part.__struct_config__.forbid_unknown_fields} == set()


def older(struct: type, without: str) -> type:
    """A struct as it was when a field had not been invented."""
    fields = [
        (field.name, field.type, field.default_factory if field.default is msgspec.NODEFAULT else field.default)
        for field in msgspec.structs.fields(struct)
        if field.name != without
    ]
    config = struct.__struct_config__
    return msgspec.defstruct(
        struct.__name__, [(n, t) if d is msgspec.NODEFAULT else (n, t, d) for n, t, d in fields], bases=(Strict,),
        frozen=True, tag_field=config.tag_field, tag=config.tag,
    )  # fmt: skip


def test_a_reader_from_before_a_field_refuses_those_that_have_it_and_reads_the_others(gallery):
    """Such as `kind` of nodes: a reader that left it out would call for once what is to be mapped."""
    reader = msgspec.json.Decoder(older(NodeSpec, without="kind"))
    plain, mapped = NodeSpec("n0", 0), NodeSpec("n0", 0, kind=MapSpec(("x",)))
    assert reader.decode(canonical(plain)).id == "n0"
    with pytest.raises(msgspec.ValidationError, match="unknown field `kind`"):
        reader.decode(canonical(mapped))


@pytest.mark.parametrize("trusted", [True, False])
def test_what_only_a_newer_wingbeat_can_have_written_is_told(gallery, trusted):
    data = json.loads(canonical(gallery["small"]()))
    next(iter(data["entities"].values()))["later"] = 1
    body = canonical(data)
    with pytest.raises(ConfigurationError, match="does not know: Object contains unknown field `later`") as info:
        read_known(body, digest(body)) if trusted else read_closure(body)
    assert "upgrade" in info.value.hint


def test_a_newer_format_is_refused_also_where_the_bytes_are_known(gallery):
    body = canonical(msgspec.structs.replace(gallery["small"](), format=3))
    with pytest.raises(ConfigurationError, match="format 3"):
        read_known(body, digest(body))


def test_a_newer_format_is_refused(gallery):
    with pytest.raises(ConfigurationError, match="format 3; this Wingbeat reads formats up to 2"):
        check_closure(msgspec.structs.replace(gallery["small"](), format=3))


def test_an_entity_that_is_not_what_its_digest_says_is_refused(gallery):
    closure = gallery["small"]()
    name, entity = next((d, e) for d, e in closure.entities.items() if isinstance(e, TaskSpec))
    changed = {**closure.entities, name: msgspec.structs.replace(entity, doc="something else")}
    with pytest.raises(ConfigurationError, match=r"'m\.f' is not what its digest"):
        read_closure(canonical(msgspec.structs.replace(closure, entities=changed)))


def test_an_entity_that_is_missing_is_told(gallery):
    closure = gallery["small"]()
    left = {d: e for d, e in closure.entities.items() if isinstance(e, WorkflowSpec)}
    with pytest.raises(ConfigurationError, match="refers to 1 entities that it does not hold"):
        check_closure(msgspec.structs.replace(closure, entities=left))
    with pytest.raises(ConfigurationError, match="does not hold"):
        check_closure(msgspec.structs.replace(closure, root="sha256:other"))


def test_a_root_that_is_no_workflow_is_refused(gallery):
    closure = gallery["small"]()
    task = next(d for d, e in closure.entities.items() if isinstance(e, TaskSpec))
    with pytest.raises(ConfigurationError, match="no workflow"):
        check_closure(msgspec.structs.replace(closure, root=task))


# -- identity of tasks

OTHER = {
    "name": "m.g", "code": "other", "doc": "other", "executor": "other", "body": "other", "dynamic": True,
    "interface": Interface((Variable("n", Simple("int")),)), "entry": Entry("m", "g"), "retry": RetrySpec(1),
    "timeout": TimeoutSpec(1.0), "cache": CacheSpec("1"), "resources": ResourceSpec(1.0), "isolation": Isolation.SPAWN,
    "environment": EnvironmentSpec(("p",)), "wrappers": (WrapperSpec("w", "m:w"),), "variables": {"A": "1"},
    "pool": PoolSpec("p"), "formulas": {"resources.cpu": Number(1)}, "mentions": (Mention("m.f", "", ""),),
    "container": ContainerSpec("image"), "gang": GangSpec((RoleSpec("worker"),)),
    "secrets": (SecretSpec("db/password"),), "references": {"a/b/c@v1": StoredDefinition("file:1", "1", 1)},
}  # fmt: skip
"""Of every field of a task, a value that is not its default."""


def test_there_is_a_value_of_every_field():
    assert OTHER.keys() == set(TaskSpec.__struct_fields__)


@pytest.mark.parametrize("field", OTHER)
def test_a_mention_tells_apart_what_the_identity_does(field):
    one = TaskSpec("m.f", *_plain())
    other = msgspec.structs.replace(one, **{field: OTHER[field]})
    said = [msgspec.structs.replace(mention(task), body="") for task in (one, other)]
    assert (said[0] == said[1]) == (task_identity(one) == task_identity(other))
