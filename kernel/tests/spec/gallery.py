"""Closures of format 1 that together use everything the format has. Their golden files never change."""

from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import (
    CacheSpec,
    Closure,
    Constant,
    Entry,
    EnvironmentSpec,
    FailurePolicy,
    Interface,
    Isolation,
    ListBinding,
    MapBinding,
    NodeSpec,
    Promise,
    ResourceSpec,
    RetrySpec,
    TaskSpec,
    TimeoutSpec,
    Variable,
    WorkflowSpec,
    WrapperSpec,
)
from wingbeat.types import (
    BlobType,
    Column,
    DictType,
    DirectoryType,
    EnumType,
    FileType,
    Hashed,
    ListType,
    LiteralValues,
    RecordField,
    RecordType,
    RecursionRef,
    SetType,
    Simple,
    TableType,
    TupleType,
    UnionType,
)

INT, STR, NONE = Simple("int"), Simple("str"), Simple("none")
TYPES = [
    *(Simple(n) for n in ("none", "bool", "int", "float", "str", "bytes", "datetime", "date", "timedelta")),
    ListType(INT), TupleType((INT, STR)), SetType(STR), DictType(INT, STR), UnionType((INT, STR, NONE)),
    EnumType("Colour", ("RED", "GREEN")), EnumType("Rights", ("R", "W"), flag=True), LiteralValues((1, True, "x", None)),
    RecordType("Tree", (RecordField("value", INT, default=3), RecordField("below", ListType(RecursionRef("Tree")), optional=True))),
    FileType("csv"), DirectoryType(), TableType((Column("x", Simple("float")),)), BlobType("npy"),
    BlobType("model", "directory"), Hashed(INT),
]  # fmt: skip


def closure_of(workflow, *entities, **more):
    everything = {spec_digest(e): e for e in (*entities, workflow)}
    return Closure(spec_digest(workflow), everything, **more)


def small():
    task = TaskSpec("m.f", Interface((Variable("n", INT),), (Variable("o0", INT),)), Entry("m", "f"))
    node = NodeSpec("n0", inputs={"n": Promise(output="n")})
    return closure_of(WorkflowSpec("m.w", task.interface, (spec_digest(task),), (node,), {"o0": Promise("n0")}), task)


def types():
    variables = tuple(Variable(f"v{i}", t, doc="what it is") for i, t in enumerate(TYPES))
    outputs = {v.name: Promise(output=v.name) for v in variables}
    return closure_of(WorkflowSpec("m.types", Interface(variables, variables), outputs=outputs))


def everything():
    task = TaskSpec(
        name="pipeline.train",
        interface=Interface(
            (Variable("rows", ListType(INT)), Variable("options", DictType(STR, INT), default={"a": 1}, doc="Größe")),
            (Variable("model", BlobType("xgboost")), Variable("score", Simple("float"))),
        ),
        entry=Entry("pipeline", "train"),
        code="sha256:" + "0" * 64,
        doc="Trains.",
        retry=RetrySpec(3, 1.5, 2.0, 60.0, 0.25, ("OSError",)),
        timeout=TimeoutSpec(1.0, 2.0, 3.0),
        cache=CacheSpec("v1", ignore=("options",), serialize=False, ttl_s=60.0),
        resources=ResourceSpec(2.0, 512 * 2**20),
        environment=EnvironmentSpec(("numpy==2.1.0",), ("pandas",), "3.12"),
        isolation=Isolation.SPAWN,
        wrappers=(WrapperSpec("spark", "m:W", {"cores": 2}),),
        variables={"OMP_NUM_THREADS": "1"},
        executor="process",
    )
    derived = TaskSpec("m.g", Interface(), Entry("m", "g"), cache=CacheSpec("sha256:1", derived=True))
    inner = WorkflowSpec(
        "pipeline.inner", Interface((Variable("n", INT),), (Variable("o0", Simple("float")),)), (spec_digest(task),),
        (NodeSpec("n0", inputs={"rows": ListBinding((Promise(output="n"), Constant(2)))}),), {"o0": Promise("n0", "score")},
    )  # fmt: skip
    outer = WorkflowSpec(
        name="pipeline.outer",
        interface=Interface((Variable("n", INT, default=1),), (Variable("o0", DictType(STR, Simple("float"))),)),
        calls=(spec_digest(inner), spec_digest(derived)),
        nodes=(
            NodeSpec("n0", 1),
            NodeSpec("n1", 0, {"n": Promise(output="n")}, ("n0",)),
        ),
        outputs={"o0": MapBinding({"score": Promise("n1"), "one": Constant(1.0)})},
        failure_policy=FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
        timeout_s=3600.0,
        doc="All of it.",
    )
    return closure_of(outer, inner, task, derived, bundle="sha256:b", environment="sha256:e")


GALLERY = {"small": small, "types": types, "everything": everything}
