"""Random workflows of every node kind, as specs, through the real compile. The same generator gives the same closure."""

from __future__ import annotations

import random
from functools import lru_cache

from msgspec import Struct

from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import (
    AllOf,
    Arm,
    Binding,
    BranchSpec,
    CacheSpec,
    Case,
    Closure,
    Compare,
    Constant,
    Entity,
    Entry,
    FailurePolicy,
    FormulaInput,
    Formulas,
    GateSpec,
    Given,
    Input,
    Interface,
    LaunchPlanSpec,
    ListBinding,
    MapSpec,
    NodeSpec,
    Not,
    Number,
    Operation,
    PoolSpec,
    Promise,
    RetrySpec,
    TaskSpec,
    Text,
    TimeoutSpec,
    Value,
    Variable,
    WorkflowSpec,
)
from wingbeat.spec.plan import Plan
from wingbeat.testing.authored import Book
from wingbeat.testing.faults import Dice
from wingbeat.types import Failure, ListType, Simple, UnionType, literal_type

INT = Simple("int")
ONE = Interface((Variable("x", INT),), (Variable("o0", INT),))
MANY = Interface((Variable("given", ListType(INT)),), (Variable("o0", INT),))
_MAYBE = UnionType((INT, Simple("none")))
TWO = Interface((Variable("x", _MAYBE), Variable("y", _MAYBE)), (Variable("o0", INT),))
LIST = Interface((Variable("x", INT),), (Variable("o0", ListType(INT)),))
HANDLER = Interface((Variable("x", INT), Variable("error", literal_type(Failure))), ())
POLICIES = tuple(FailurePolicy)
POOL = "shared"
OTHER_POOL = "spare"
"""The pools of which some tasks want slots, some of them another one when they have failed. Machines know nothing of pools: engines
do."""
FLAT = ("task", "task", "task", "list")
NESTING = (
    *FLAT,
    "map",
    "map",
    "flow",
    "branch",
    "gate",
    "gate",
    "dynamic",
    "child",
    "flowmap",
    "childmap",
    "dynamicmap",
)


class Made(Struct, frozen=True):
    """A random graph: what is launched, and by digest what its bodies may call; each as a plan and as it was written."""

    plan: Plan
    templates: dict[str, Plan]
    book: Book
    books: dict[str, Book]


@lru_cache(maxsize=1)
def plans_of(number: int, depth: int) -> Made:
    """The random graph of that number."""
    rng = Dice(f"{number}/graph")
    graphs = Graphs(rng)
    book = _book(graphs.closure(rng.choice((0, 0, 1, 1, 2)) if depth < 0 else depth))
    books = {root: _book(graphs.close(root)) for root in graphs.templates}
    return Made(book.plan, {root: each.plan for root, each in books.items()}, book, books)


def _book(closure: Closure) -> Book:
    check(closure)
    return Book(flatten(closure), closure, closure.workflow)


class Graphs:
    """Makes entities; keeps them all.

    Attributes:
        entities: By digest.

        templates: Roots of closures that the bodies of dynamic workflows call.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.entities: dict[str, Entity] = {}
        self.templates: list[str] = []
        self._count = 0

    def closure(self, depth: int = 2) -> Closure:
        """A random workflow with everything that it reaches."""
        return self.close(self.workflow(depth))

    def close(self, root: str) -> Closure:
        """The closure of a workflow."""
        found: dict[str, Entity] = {}
        todo = [root]
        while todo:
            digest = todo.pop()
            if digest not in found:
                found[digest] = self.entities[digest]
                todo += getattr(found[digest], "calls", ())
        return Closure(root, found)

    def add(self, entity: Entity) -> str:
        """Keep an entity; its digest."""
        digest = spec_digest(entity)
        self.entities[digest] = entity
        return digest

    def task(self, interface: Interface, *, dynamic: bool = False) -> str:
        """A task with random policies."""
        rng, number = self.rng, self.number()
        name = f"{'body' if dynamic else 'job'}{number}"
        return self.add(
            TaskSpec(
                name=f"jobs.{name}",
                interface=interface,
                entry=Entry("jobs", name),
                retry=RetrySpec(rng.choice((0, 0, 1, 3)), delay_s=rng.choice((0.0, 1.0, 40.0)), delay_s_max=60.0),
                timeout=TimeoutSpec(*(rng.choice((None, None, None, None, s)) for s in (5.0, 8.0, 30.0))),
                cache=CacheSpec("1") if not dynamic and rng.random() < 0.3 else None,
                dynamic=dynamic,
                formulas=self._formulas(number, interface),
                pool=PoolSpec(POOL, 1 + number % 2, number % 4 // 3) if _wants_slots(number) else None,
            )
        )

    def _formulas(self, number: int, interface: Interface) -> Formulas:
        """Options that depend on the call, of every third task; some give nothing for some calls or attempts."""
        attempt, error = Given("attempt"), Given("error.code")
        doubled = Operation("mul", (Number(1024), Operation("pow", (Number(2), attempt))))
        variable = interface.inputs[0]
        of_input = FormulaInput(variable.name, measure="length" if isinstance(variable.type, ListType) else "value")
        out_of_memory = Operation("eq", (error, Text("OutOfMemory")))
        choices: tuple[Formulas, ...] = (
            {"resources.memory_bytes": doubled},
            {
                "retry.count": Operation("where", (out_of_memory, Number(3), Number(0))),
                "resources.memory_bytes": doubled,
            },
            {"timeout.run_s": Operation("div", (Number(20.0), Operation("sub", (Number(2), attempt))))},
            {"resources.cpu": Operation("div", (Number(4), of_input))},
        )
        chosen = {} if number % 3 else choices[number // 3 % len(choices)]
        if _wants_slots(number) and number % 2:
            first = Operation("eq", (attempt, Number(0)))
            chosen = {**chosen, "pool.name": Operation("where", (first, Text(POOL), Text(OTHER_POOL)))}
        return chosen

    def workflow(self, depth: int) -> str:
        """A random workflow from int to int; `depth` bounds what is nested in it."""
        return _Body(self, depth).workflow()

    def single(self, digest: str) -> str:
        """A workflow of one call, as a dynamic body makes it."""
        return self._one((digest,), NodeSpec("n0", 0, {"x": Promise(output="x")}))

    def _one(self, calls: tuple[str, ...], node: NodeSpec) -> str:
        return self.add(WorkflowSpec(f"jobs.one{self.number()}", ONE, calls, (node,), {"o0": Promise("n0", "o0")}))

    def number(self) -> int:
        """For a name that nothing else has."""
        self._count += 1
        return self._count

    def template(self, depth: int) -> str:
        """Something that a body may call, from an int to an int."""
        rng = self.rng
        kind = rng.choice(("task", "task", "workflow", "gate", "dynamic") if depth > 0 else ("task", "task", "gate"))
        if kind == "task":
            root = self.single(self.task(ONE))
        elif kind == "dynamic":
            root = self.single(self.dynamic(depth - 1))
        elif kind == "gate":
            gate = self.gate()
            root = self._one((), NodeSpec("n0", -1, self.gated(Promise(output="x"), gate), kind=gate))
        else:
            root = self.workflow(depth - 1)
        self.templates.append(root)
        return root

    def gate(self) -> GateSpec:
        """A gate that lets an int through, or waits for one."""
        value = Variable("value", INT)
        if self.rng.random() < 0.5:
            duration = Variable("duration", Simple("timedelta"), default="PT7S")
            return GateSpec("sleep", f"gate{self.number()}", Interface((duration, value), ONE.outputs))
        timeout_s = self.rng.choice((None, 20.0, 20.0))
        if self.rng.random() < 0.4:
            return GateSpec("input", f"gate{self.number()}", Interface((), ONE.outputs), timeout_s)
        return GateSpec("approve", f"gate{self.number()}", Interface((value,), ONE.outputs), timeout_s)

    def gated(self, value: Binding, spec: GateSpec) -> dict[str, Binding]:
        """What a gate is given."""
        return {"value": value} if spec.interface.inputs else {}

    def dynamic(self, depth: int) -> str:
        """A dynamic workflow, and things that its body may call."""
        for _ in range(2):
            self.template(depth - 1)
        return self.task(ONE, dynamic=True)


class _Body:
    """One workflow while it is put together. `ints` and `lists` are what later nodes may consume."""

    def __init__(self, graphs: Graphs, depth: int) -> None:
        self.graphs, self.rng, self.depth = graphs, graphs.rng, depth
        self.calls: list[str] = []
        self.nodes: list[NodeSpec] = []
        self.ints: list[Promise] = [Promise(output="x")]
        self.lists: list[Promise] = []
        self.inside: list[str] = []

    def workflow(self) -> str:
        for _ in range(self.rng.randint(1, 4)):
            self.node(None)
        rng, graphs = self.rng, self.graphs
        handler = None
        if rng.random() < 0.3:
            handler = self.call(graphs.task(HANDLER))
        return graphs.add(
            WorkflowSpec(
                name=f"jobs.flow{graphs.number()}",
                interface=ONE,
                calls=tuple(self.calls),
                nodes=tuple(self.nodes),
                outputs={"o0": rng.choice(self.ints)},
                failure_policy=rng.choice(POLICIES),
                timeout_s=rng.choice((None, None, None, 60.0)),
                on_failure=handler,
            )
        )

    def call(self, digest: str) -> int:
        self.calls.append(digest)
        return len(self.calls) - 1

    def node(self, arm: Arm | None) -> Promise:
        """Add a random node; the int that it gives."""
        kind = self.rng.choice(NESTING if self.depth > 0 else FLAT)
        made = getattr(self, f"_{kind}")(arm)
        if arm is None:
            self.ints.append(made)
        return Promise(made.node, made.output)

    def _put(self, node: NodeSpec) -> Promise:
        self.nodes.append(node)
        return Promise(node.id, "o0")

    def _id(self) -> str:
        return f"n{len(self.nodes)}"

    def _int(self) -> Binding:
        choices: list[Binding] = [*self.ints, Constant(self.rng.randint(0, 9))]
        return self.rng.choice(choices)

    def _many(self) -> Binding:
        if self.lists and self.rng.random() < 0.5:
            return self.rng.choice(self.lists)
        return ListBinding(tuple(self._int() for _ in range(self.rng.choice((0, 1, 2, 3, 5)))))

    def _after(self) -> tuple[str, ...]:
        outside = [n.id for n in self.nodes if n.arm is None and n.id not in self.inside]
        return (self.rng.choice(outside),) if outside and self.rng.random() < 0.15 else ()

    def _task(self, arm: Arm | None) -> Promise:
        call = self.call(self.graphs.task(MANY))
        return self._put(NodeSpec(self._id(), call, {"given": self._many()}, self._after(), arm=arm))

    def _list(self, arm: Arm | None) -> Promise:
        if arm is not None:
            return self._task(arm)
        call = self.call(self.graphs.task(LIST))
        self.lists.append(self._put(NodeSpec(self._id(), call, {"x": self._int()}, self._after())))
        return self._task(None)

    def _mapped(self, digest: str, arm: Arm | None) -> Promise:
        rng = self.rng
        if arm is None and not self.lists and rng.random() < 0.5:
            self._list(None)  # which may be what it goes over
        spec = MapSpec(("x",), rng.choice((None, 1, 2)))
        made = self._put(NodeSpec(self._id(), self.call(digest), {"x": self._many()}, self._after(), spec, arm))
        if rng.random() < 0.4:  # another one over what it gives
            spec = MapSpec(("x",), rng.choice((None, 1, 2)))
            made = self._put(NodeSpec(self._id(), self.call(digest), {"x": made}, self._after(), spec, arm))
        call = self.call(self.graphs.task(MANY))
        total = self._put(NodeSpec(self._id(), call, {"given": made}, arm=arm))
        if rng.random() < 0.4:  # another one, of which some items may fail
            ratio = 0.7 if self.graphs.number() % 3 else 0.5
            tolerant = MapSpec(("x",), rng.choice((None, 2)), *rng.choice(((1, None), (None, ratio), (0, None))))
            some = self._put(NodeSpec(self._id(), self.call(digest), {"x": self._many()}, self._after(), tolerant, arm))
            if rng.random() < 0.5:  # and two over what that gives
                spec = MapSpec(("x", "y"), rng.choice((None, 2)), 0)
                call = self.call(self.graphs.task(TWO))
                made = self._put(NodeSpec(self._id(), call, {"x": some, "y": some}, self._after(), spec, arm))
                call = self.call(self.graphs.task(TWO))
                self._put(NodeSpec(self._id(), call, {"x": some, "y": made}, (), spec, arm))
        return total

    def _map(self, arm: Arm | None) -> Promise:
        return self._mapped(self.graphs.task(ONE), arm)

    def _flowmap(self, arm: Arm | None) -> Promise:
        return self._mapped(self.graphs.workflow(self.depth - 1), arm)

    def _childmap(self, arm: Arm | None) -> Promise:
        return self._mapped(self._launchplan(), arm)

    def _dynamicmap(self, arm: Arm | None) -> Promise:
        return self._mapped(self.graphs.dynamic(self.depth - 1), arm)

    def _one(self, digest: str, arm: Arm | None) -> Promise:
        return self._put(NodeSpec(self._id(), self.call(digest), {"x": self._int()}, self._after(), arm=arm))

    def _flow(self, arm: Arm | None) -> Promise:
        return self._one(self.graphs.workflow(self.depth - 1), arm)

    def _dynamic(self, arm: Arm | None) -> Promise:
        return self._one(self.graphs.dynamic(self.depth - 1), arm)

    def _child(self, arm: Arm | None) -> Promise:
        return self._one(self._launchplan(), arm)

    def _launchplan(self) -> str:
        workflow = self.graphs.workflow(0)
        return self.graphs.add(LaunchPlanSpec(f"jobs.plan{self.graphs.number()}", workflow, ONE))

    def _gate(self, arm: Arm | None) -> Promise:
        spec = self.graphs.gate()
        return self._put(NodeSpec(self._id(), -1, self.graphs.gated(self._int(), spec), self._after(), spec, arm))

    def _branch(self, arm: Arm | None) -> Promise:
        rng, number = self.rng, len(self.nodes)
        id = self._id()
        inputs = {"c0": self._int(), "c1": self._int()}
        self.nodes.append(NodeSpec(id))  # its place; what it is made of comes behind it
        conditions = [Compare("ge", Input("c0"), Value(rng.randint(0, 9)), "number")]
        conditions.append(Compare(rng.choice(("eq", "ne", "lt")), Input("c0"), Input("c1"), "number"))
        whens = rng.choice(((conditions[0],), (AllOf(tuple(conditions)), Not(conditions[1]))))
        cases = []
        self.inside.append(id)
        for i, when in enumerate((*whens, None)):
            before = list(self.ints)
            made: list[Promise] = []
            for _ in range(rng.choice((0, 1, 2))):
                made.append(self.node(Arm(id, i)))
                self.ints.append(made[-1])
            outside: list[Binding] = [*before, Constant(1)]
            cases.append(Case(when, {"o0": made[-1] if made else rng.choice(outside)}))
            self.ints = before
        self.inside.pop()
        interface = Interface((Variable("c0", INT), Variable("c1", INT)), ONE.outputs)
        spec = BranchSpec(interface, tuple(cases))
        self.nodes[number] = NodeSpec(id, -1, inputs, self._after_of(number), spec, arm)
        return Promise(id, "o0")

    def _after_of(self, number: int) -> tuple[str, ...]:
        outside = [n.id for n in self.nodes[:number] if n.arm is None and n.id not in self.inside]
        return (self.rng.choice(outside),) if outside and self.rng.random() < 0.15 else ()


def _wants_slots(number: int) -> bool:
    return number % 5 == 1
