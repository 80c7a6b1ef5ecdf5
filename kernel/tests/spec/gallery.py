"""Closures of format 1 that together use everything the format has. Their golden files never change."""

from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import (
    AllOf,
    AnyOf,
    Arm,
    BranchSpec,
    CacheSpec,
    Case,
    Closure,
    Compare,
    ConcurrencySpec,
    Constant,
    Entry,
    EnvironmentSpec,
    FailurePolicy,
    GateSpec,
    Input,
    Interface,
    Isolation,
    LaunchPlanSpec,
    ListBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    Not,
    NotifySpec,
    OverrideSpec,
    PoolSpec,
    Promise,
    ResourceSpec,
    RetrySpec,
    TaskSpec,
    TimeoutSpec,
    Value,
    Variable,
    WorkflowSpec,
    WrapperSpec,
)
from wingbeat.spec.phase import ExecutionPhase
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


def control():
    """Maps, branches, gates, overrides, launch plans, failure handlers and dynamic workflows."""
    flag, number = Simple("bool"), Simple("float")
    task = TaskSpec(
        "m.f", Interface((Variable("n", INT), Variable("m", INT, default=2)), (Variable("o0", INT),)), Entry("m", "f")
    )
    body = TaskSpec("m.search", task.interface, Entry("m", "search"), dynamic=True)
    inner = WorkflowSpec("m.inner", task.interface, (spec_digest(task),), (NodeSpec("n0", inputs={"n": Promise(output="n")}),),
                         {"o0": Promise("n0")})  # fmt: skip
    plan = LaunchPlanSpec("daily", spec_digest(inner), Interface((Variable("n", INT, default=1),), task.interface.outputs),
                          {"m": 3}, {"team": "eta"}, "Each day.")  # fmt: skip
    tidy = TaskSpec("m.tidy", Interface((Variable("n", INT),)), Entry("m", "tidy"))
    when = AnyOf((
        AllOf((Compare("gt", Input("c0"), Value(10), "number"), Not(Input("c1")))), Compare("eq", Input("c0"), Value(None)),
    ))  # fmt: skip
    branch = BranchSpec(
        Interface((Variable("c0", INT), Variable("c1", flag)), (Variable("o0", INT),)),
        (Case(when, {"o0": Promise("n3")}), Case(None, {"o0": Constant(0)})),
    )
    approve = GateSpec("approve", "deploy", Interface((Variable("value", INT),), (Variable("o0", INT),)), 60.0)
    value = GateSpec("input", "threshold", Interface((), (Variable("o0", number),)))
    nap = GateSpec("sleep", "", Interface((Variable("duration", Simple("timedelta")),)))
    override = OverrideSpec(
        "often",
        RetrySpec(3),
        TimeoutSpec(1.0),
        ResourceSpec(2.0),
        CacheSpec("v2"),
        executor="other",
        variables={"A": "1"},
    )
    nodes = (
        NodeSpec("n0", 0, {"n": Promise(output="ns"), "m": Constant(1)}, kind=MapSpec(("n",), 4, 1, 0.5)),
        NodeSpec("n1", 1, {"n": Constant(1)}),
        NodeSpec("n2", -1, {"c0": Promise("n1"), "c1": Promise(output="flag")}, kind=branch),
        NodeSpec("n3", 2, {"n": Promise("n1")}, arm=Arm("n2", 0)),
        NodeSpec("n4", -1, {"value": Promise("n2")}, kind=approve),
        NodeSpec("n5", -1, kind=value),
        NodeSpec("n6", -1, {"duration": Constant("PT1M")}, ("n5",), kind=nap),
        NodeSpec("n7", 0, {"n": Promise("n4")}, override=override),
        NodeSpec("n8", 0, {"n": Promise("n7")}, override=OverrideSpec(uncached=True)),
    )
    outer = WorkflowSpec(
        name="m.control",
        interface=Interface(
            (Variable("ns", ListType(INT)), Variable("flag", flag), Variable("n", INT, default=0)),
            task.interface.outputs,
        ),
        calls=(spec_digest(task), spec_digest(plan), spec_digest(body), spec_digest(tidy)),
        nodes=nodes,
        outputs={"o0": Promise("n8")},
        on_failure=3,
    )
    return closure_of(outer, task, body, inner, plan, tidy)


def limits() -> Closure:
    """What limits executions."""
    task = TaskSpec("m.f", Interface((), (Variable("o0", INT),)), Entry("m", "f"), pool=PoolSpec("gpu", 2, 5))
    inner = WorkflowSpec("m.inner", task.interface, (spec_digest(task),), (NodeSpec("n0"),), {"o0": Promise("n0")},
                         concurrency=ConcurrencySpec("m.inner"))  # fmt: skip
    plan = LaunchPlanSpec(
        "daily", spec_digest(inner), task.interface, concurrency=ConcurrencySpec("shared", 2, "replace", 5)
    )
    outer = WorkflowSpec("m.outer", task.interface, (spec_digest(plan),), (NodeSpec("n0"),), {"o0": Promise("n0")})
    return closure_of(outer, task, inner, plan)


def plans() -> Closure:
    """What a launch plan says of its executions."""
    task = TaskSpec("m.f", Interface((), (Variable("o0", INT),)), Entry("m", "f"))
    inner = WorkflowSpec("m.inner", task.interface, (spec_digest(task),), (NodeSpec("n0"),), {"o0": Promise("n0")})
    told = (
        NotifySpec("ops", (ExecutionPhase.FAILED, ExecutionPhase.TIMED_OUT)),
        NotifySpec("oncall", (ExecutionPhase.QUEUED,), 7200.0),
    )
    plan = LaunchPlanSpec(
        "daily", spec_digest(inner), task.interface, pool=PoolSpec("gpu", 2), priority=5, retention_days=90, notifications=told,
        failure_policy=FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
    )  # fmt: skip
    outer = WorkflowSpec("m.outer", task.interface, (spec_digest(plan),), (NodeSpec("n0"),), {"o0": Promise("n0")})
    return closure_of(outer, task, inner, plan)


GALLERY = {
    "small": small,
    "types": types,
    "everything": everything,
    "control": control,
    "limits": limits,
    "plans": plans,
}
