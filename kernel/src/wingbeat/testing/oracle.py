"""What an execution should have done, told from what its authors wrote (`wingbeat.testing.authored`) and from what the world said:
none of it is asked of the machine, whose facts are read beside that, from the first to the last.

It holds that values are those that the bindings say, that branches, gates, maps, children and failure handlers do what they are
documented to do, that failures are tried again as often and as late as was asked for, and that a failure has the rest of its
workflow stopped, or not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from wingbeat.machine import event as e
from wingbeat.machine import fact as f
from wingbeat.machine.graph import is_item, item_of, node_of
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import BranchSpec, GateSpec, MapSpec, RetrySpec
from wingbeat.spec.literal import Inline, Literal, LiteralList, Literals, Offloaded
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.authored import Book, Known, Read, Site, arm_of, formula, listed, needed
from wingbeat.testing.invariants import Broken
from wingbeat.testing.timeouts import Times, check_over

if TYPE_CHECKING:
    from wingbeat.testing.simulation import World

SYSTEM = RetrySpec(count=3, delay_s=0.1, factor=3.0, delay_s_max=30.0, jitter=0.5)
"""As documented: how failures are tried again that are not the user's."""
TIMED_OUT = ("ExecutionTimedOut", "TimedOut")
"""Codes of errors of workflows, not of nodes, that took too long."""
_FAILED = ("FAILED", "TIMED_OUT")
_NONE = Inline(None)


class Part(Struct):
    """A scope: the execution itself, or a workflow that runs within it."""

    book: Book
    known: Known
    begun: bool = True
    running: bool = True
    failed: bool = False
    error: ErrorInfo | None = None
    aborted: str = ""
    outputs: Literals | None = None
    began_at: float = 0.0


class Items(Struct):
    """A map that has begun. `values`: by item, what it gave; None where it failed."""

    total: int
    values: dict[int, Literals | None] = {}
    failed: int = 0
    stopping: bool = False


class Tries(Struct):
    """The failures of a node or item, and when it is tried again."""

    user: int = 0
    system: int = 0
    again_at: float = 0.0


def check(world: World) -> None:
    """An execution that has ended did what it should have done. Raises Broken."""
    Oracle(world).read()


class Oracle:
    """Reads the facts of one execution."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.parts = [Part(world.book, Known(world.inputs, 0, self._node), begun=False)]
        self.bases = [0]
        self.count = len(world.plan.nodes)
        self.outputs: dict[int, Literals] = {}
        self.phases: dict[int, str] = {}
        self.begun: set[int] = set()
        self.chosen: dict[int, int] = {}
        self.items: dict[int, Items] = {}
        self.tries: dict[int, Tries] = {}
        self.made: dict[tuple[int, str, str, bytes], Part] = {}
        self.inner: dict[int, Part] = {}
        self.kept: dict[str, Literal] = {}
        self.waiting: dict[int, float] = {}
        self.owed: tuple[int, Literal] | None = None
        self.answers: set[tuple[type, int, float]] | None = None
        self.called: dict[tuple[int, str], list[tuple[str, Literals]]] | None = None
        self.times = Times()

    def read(self) -> None:
        for fact in self.world.durable:
            if self.owed is not None and getattr(fact, "node", -1) != self.owed[0]:
                raise Broken("an answer is taken at once by the gate that waits for it")
            check_ = _OF_FACT.get(type(fact))
            if check_ is not None:
                check_(self, fact)
        if self.owed is not None:
            raise Broken("an answer is taken by the gate that waits for it")

    # -- where things are

    def _part(self, number: int) -> Part:
        return self.parts[bisect_right(self.bases, number) - 1]

    def _at(self, address: int) -> tuple[Part, Site]:
        number = node_of(address)
        part = self._part(number)
        return part, part.book.sites[number - part.known.base]

    def _node(self, number: int, output: str) -> Literal:
        """What a node gave. Of a map that is under way, what it gave so far."""
        mapping = self.items.get(number)
        if mapping is None:
            return self.outputs[number][output]
        values = [mapping.values.get(item) for item in range(mapping.total)]
        return listed([_NONE if value is None else value[output] for value in values])

    def _given(self, address: int) -> Literals:
        """What a node or item is given."""
        part, site = self._at(address)
        if not is_item(address):
            return {name: read(part.known) for name, read in site.reads.items()}
        assert isinstance(site.spec.kind, MapSpec)
        over, item = site.spec.kind.over, item_of(address)
        return {
            name: _item(read(part.known), item) if name in over else read(part.known)
            for name, read in site.reads.items()
        }

    def _answered(self, kind: type, node: int, at: float) -> bool:
        """Whether the world has said something of that kind about a node at that time."""
        if self.answers is None:
            asked = (e.CacheHit, e.CacheMissed)
            self.answers = {(type(said), said.node, said.at) for said in self.world.past if isinstance(said, asked)}
        return (kind, node, at) in self.answers

    # -- beginnings

    def _start(self, address: int) -> None:
        """Something begins: nothing does in a scope that fails or is stopped, nor in a map of which too much has failed."""
        part, site = self._at(address)
        if not part.running or not part.begun:
            raise Broken("nothing begins in a workflow that is being stopped")
        if part.failed and part.book.immediate:
            raise Broken("nothing begins behind the first failure in a workflow that fails immediately")
        self.begun.add(address)
        if is_item(address):
            mapping = self.items[node_of(address)]
            if mapping.stopping:
                raise Broken("no item begins in a map that is being stopped")
            self._check_failures(mapping, site)

    def _check_failures(self, mapping: Items, site: Site) -> None:
        assert isinstance(site.spec.kind, MapSpec)
        if mapping.total - mapping.failed < needed(site.spec.kind, mapping.total):
            raise Broken("a map of which too many items have failed does not go on")

    def began(self, fact: f.Began) -> None:
        self.parts[0].begun, self.parts[0].began_at = True, fact.at

    def queued(self, fact: f.AttemptQueued) -> None:
        self._start(fact.node)
        self.times.queued(fact)
        tries = self.tries.get(fact.node)
        if tries is not None:
            if fact.at < tries.again_at:
                raise Broken("an attempt is made when the delay behind the one before is over")
            tries.again_at = 0.0  # a body goes on by further turns
        attempt = self.world.attempts.get((fact.node, fact.attempt))
        if attempt is not None and attempt.values is not None and attempt.values != self._given(fact.node):
            raise Broken(f"an attempt is given what its bindings say, {self._given(fact.node)}, not {attempt.values}")

    def running(self, fact: f.AttemptStarted) -> None:
        self.times.started(fact)

    def started(self, fact: f.Started) -> None:
        self._start(fact.node)
        launched = self.world.launched.get(fact.node)
        if launched is not None and launched != self._given(fact.node):
            raise Broken(f"a child is launched with what its bindings say, {self._given(fact.node)}, not {launched}")
        if not is_item(fact.node):
            spec = self._at(fact.node)[1].spec.kind
            if isinstance(spec, GateSpec):
                self.waiting[fact.node] = fact.at
                for name in (self.world.machine.graph.id(fact.node), spec.name):
                    if spec.gate != "sleep" and name in self.kept:
                        self.owed = fact.node, self.kept[name]
                        break

    def expanded(self, fact: f.Expanded) -> None:
        self._start(fact.node)
        part, site = self._at(fact.node)
        assert isinstance(site.spec.kind, MapSpec)
        for name in site.spec.kind.over:
            if fact.count != _length(site.reads[name](part.known)):
                raise Broken("a map has an item for each of its lists")
        mapping = self.items[fact.node] = Items(fact.count)
        self._check_failures(mapping, site)

    def chose(self, fact: f.Chose) -> None:
        self._start(fact.node)
        spec = self._at(fact.node)[1].spec.kind
        assert isinstance(spec, BranchSpec)
        if fact.arm != arm_of(spec, self._given(fact.node)):
            raise Broken("a branch takes the first arm whose condition holds")
        self.chosen[fact.node] = fact.arm

    def opened(self, fact: f.Opened) -> None:
        if fact.handler_of >= 0:
            above = self.parts[fact.handler_of]
            book = above.book.handler()
            self._check_handler(above, book, fact.inputs)
        else:
            self._start(fact.parent)
            number = node_of(fact.parent)
            book = self._called(fact, number)
            if not fact.key and fact.inputs != self._given(fact.parent):
                raise Broken("a workflow is given what its bindings say")
        part = Part(book, Known(fact.inputs, self.count, self._node), began_at=fact.at)
        if fact.key:
            call = fact.parent, fact.key, fact.template, canonical(fact.inputs)
            before = self.made.get(call)
            if before is not None and before.outputs is not None:
                raise Broken(f"what has succeeded is not run again when a body is begun anew, as is {fact.key}")
            self.made[call] = part
        self.parts.append(part)
        self.bases.append(self.count)
        self.count += len(book.plan.nodes)
        if not fact.key and fact.handler_of < 0:
            self.inner[fact.parent] = part

    def _called(self, fact: f.Opened, number: int) -> Book:
        if fact.key:
            self._check_call(fact)
            return self.world.books[fact.template]
        part = self._part(number)
        return part.book.inside(number - part.known.base)

    def _check_call(self, fact: f.Opened) -> None:
        """What a body calls is run, with what it is called with."""
        if self.called is None:
            self.called = {}
            for turn in [said for said in self.world.past if isinstance(said, e.AttemptSuspended)]:
                for call in turn.calls:
                    self.called.setdefault((turn.node, call.key), []).append((call.template, call.inputs))
        if (fact.template, fact.inputs) not in self.called.get((fact.parent, fact.key), ()):
            raise Broken(f"a body's call {fact.key} is run as it was called")

    def _check_handler(self, above: Part, book: Book, inputs: Literals) -> None:
        """A handler is given those inputs of its workflow that it takes, and the error."""
        for variable in book.plan.interface.inputs:
            given = inputs[variable.name]
            if variable.name != "error":
                if given != above.known.inputs[variable.name]:
                    raise Broken("a failure handler is given the inputs of its workflow")
                continue
            error = above.error or ErrorInfo("Aborted", above.aborted)
            assert isinstance(given, Inline)
            told = (given.value["code"], given.value["message"], given.value["kind"])
            if told != (error.code, error.message, error.kind):
                raise Broken(f"a failure handler is given the error, {error}, not {given.value}")

    # -- ends

    def succeeded(self, fact: f.NodeSucceeded) -> None:
        address = fact.node
        part, site = self._at(address)
        if fact.attempt >= 0:
            attempt = self.world.attempts.get((address, fact.attempt))
            report = None if attempt is None else attempt.report
            if not isinstance(report, e.AttemptSucceeded) or report.outputs != fact.outputs:
                raise Broken("a node gives what its attempt gave")
        elif fact.cache:
            if not self._answered(e.CacheHit, address, fact.at):
                raise Broken("a node is taken from the catalog when that has it")
        else:
            self._check_kind(fact, part, site)
        self.phases[address] = "SUCCEEDED"
        if is_item(address):
            self.items[node_of(address)].values[item_of(address)] = fact.outputs
        else:
            self.outputs[address] = fact.outputs

    def _check_kind(self, fact: f.NodeSucceeded, part: Part, site: Site) -> None:
        """What holds no process itself has succeeded."""
        address, kind = fact.node, site.spec.kind
        if isinstance(kind, GateSpec):
            self._check_gate(fact, kind)
        elif isinstance(kind, BranchSpec):
            if fact.outputs != _read(site.arms[self.chosen[address]], part.known):
                raise Broken("a branch gives what the arm that was taken says")
        elif isinstance(kind, MapSpec) and not is_item(address):
            self._check_map(self.items[address], site)
        elif site.child:
            ended = self.world.children.get(address)
            if ended is None or ended.error is not None or ended.aborted or ended.outputs != fact.outputs:
                raise Broken("a node succeeds with the child that it launched, and gives what that gave")
        elif address not in self.inner or self.inner[address].outputs != fact.outputs:
            raise Broken("a node succeeds with the workflow that it runs, and gives what that gave")

    def _check_gate(self, fact: f.NodeSucceeded, kind: GateSpec) -> None:
        given = self._given(fact.node)
        if kind.gate != "sleep":
            if self.owed is None or (kind.gate == "approve" and self.owed[1] != Inline(value=True)):
                raise Broken("a gate opens when somebody has approved")
            if kind.gate == "input":
                given["value"] = self.owed[1]
        if fact.outputs != {v.name: given["value"] for v in kind.interface.outputs}:
            raise Broken("a gate lets its value through, or the answer")
        self._left(fact.node, kind)

    def _left(self, gate: int, kind: GateSpec) -> None:
        """A gate has ended, with the answer if there was one."""
        self.owed = None
        self.waiting.pop(gate, None)
        self.kept.pop(kind.name, None)
        self.kept.pop(self.world.machine.graph.id(gate), None)

    def _check_map(self, mapping: Items, site: Site) -> None:
        if len(mapping.values) != mapping.total:
            raise Broken("a map succeeds when all of its items have ended")
        self._check_failures(mapping, site)

    def lost(self, fact: f.AttemptLost) -> None:
        """An attempt has failed: another one follows as its policy says, or its node has failed for good."""
        tries = self.tries.get(fact.node)
        if tries is None:
            tries = self.tries[fact.node] = Tries()
        system = fact.error.kind == "SYSTEM" and not fact.error.node
        if fact.retry_at is not None:
            self._check_retry(fact, tries, system)
            tries.again_at = fact.retry_at
        elif fact.phase == "FAILED":
            self._check_failed(fact, tries, system)
        tries.system += system
        tries.user += not system
        if fact.retry_at is None:
            self._ended(fact.node, fact.phase, fact.error)

    def suspended(self, fact: f.Suspended) -> None:
        """A body has got on: that turns of it were lost before is forgiven."""
        if (tries := self.tries.get(fact.node)) is not None:
            tries.system = 0

    def _policy(self, fact: f.AttemptLost, system: bool) -> tuple[RetrySpec, float | str | None]:
        """What says how often it is tried again; and how often, None where that is not known here."""
        task = self._at(fact.node)[1].task
        assert task is not None
        if system:
            return SYSTEM, SYSTEM.count
        decides = task.formulas.get("retry.count")
        return task.retry, task.retry.count if decides is None else formula(decides, fact.error.code)

    def _check_retry(self, fact: f.AttemptLost, tries: Tries, system: bool) -> None:
        policy, count = self._policy(fact, system)
        before = tries.system if system else tries.user
        if not fact.error.retryable:
            raise Broken("an error that is not to be retried is not")
        if isinstance(count, int | float) and before >= count:
            raise Broken("a node is tried again as often as its policy says")
        assert fact.retry_at is not None
        wait, full = fact.retry_at - fact.at, min(policy.delay_s * policy.factor**before, policy.delay_s_max)
        if abs(wait - full) > full * policy.jitter / 2 + 1e-3:
            raise Broken(f"an attempt follows after about {full} s, not {wait} s")

    def _check_failed(self, fact: f.AttemptLost, tries: Tries, system: bool) -> None:
        part, site = self._at(fact.node)
        policy, count = self._policy(fact, system)
        used = isinstance(count, int | float) and (tries.system if system else tries.user) >= count
        if not fact.error.retryable or used or (policy.on and fact.error.code not in policy.on):
            return
        stopping = is_item(fact.node) and self.items[node_of(fact.node)].stopping
        if stopping or not part.running or (site.task is not None and site.task.formulas and count != policy.count):
            return
        if site.task is not None and site.task.formulas and "no other attempt" in fact.error.message:
            return
        raise Broken("a node fails for good when it was tried as often as its policy says")

    def ended(self, fact: f.NodeEnded) -> None:
        site = self._at(fact.node)[1]
        if site.task is not None and fact.phase == "TIMED_OUT":
            self.times.check_total(fact.node, fact.at, site.task)
        kind, child = site.spec.kind, self.world.children.get(fact.node)
        if isinstance(kind, GateSpec) and fact.node in self.waiting:
            self._check_gate_ended(fact, kind)
        elif isinstance(kind, MapSpec) and not is_item(fact.node):
            mapping = self.items.get(fact.node, Items(0))
            enough = mapping.total - mapping.failed >= needed(kind, mapping.total)
            if fact.node in self.items and enough == (fact.phase == "FAILED"):
                raise Broken("a map fails when too many of its items have, and only then")
        elif site.child and fact.phase == "FAILED" and (child is None or not (child.error or child.aborted)):
            raise Broken("a node whose child succeeded does not fail")
        self._ended(fact.node, fact.phase, fact.error)

    def _check_gate_ended(self, fact: f.NodeEnded, kind: GateSpec) -> None:
        owed = self.owed
        if owed is not None:
            if kind.gate == "input" or owed[1] == Inline(value=True) or fact.phase != "FAILED":
                raise Broken("a gate that was approved opens")
            self._left(fact.node, kind)
            return
        began = self.waiting.pop(fact.node)
        if fact.phase == "FAILED" or (fact.phase == "TIMED_OUT" and kind.timeout_s is None):
            raise Broken("a gate fails when somebody has rejected, or when its time is over")
        if fact.phase == "TIMED_OUT":
            check_over(began, kind.timeout_s, fact.at, "a gate waits for an answer")

    def _ended(self, address: int, phase: str, error: ErrorInfo | None) -> None:
        """A node or item has ended without outputs."""
        self.phases[address] = phase
        part = self._part(node_of(address))
        failed = phase in _FAILED
        if is_item(address):
            mapping = self.items[node_of(address)]
            mapping.failed += failed
            if failed:
                mapping.values[item_of(address)] = None
        elif failed and error is not None:
            part.failed = True
            if part.running and part.error is None:
                part.error = error

    def cancelled(self, fact: f.CancelDecided) -> None:
        if fact.attempt < 0 and fact.node in self.items:
            self.items[fact.node].stopping = True
        task = self._at(fact.node)[1].task
        if task is not None and fact.node not in self.items:
            self.times.check_stopped(fact, task)

    def turned(self, fact: f.Turned) -> None:
        part = self.parts[fact.scope]
        if fact.outputs is not None:
            if fact.outputs != _read(part.book.outputs, part.known):
                raise Broken("a workflow gives what its bindings say")
            part.outputs = fact.outputs
        if fact.phase == "SUCCEEDING":
            return
        if fact.phase == "FAILING" and _timed_out(fact.error):
            check_over(part.began_at, part.book.workflow.timeout_s, fact.at, "a workflow goes on")
        if fact.phase == "SUCCEEDED":
            if part.failed:
                raise Broken("a workflow in which a node has failed does not succeed")
        elif fact.phase == "ABORTING":
            part.aborted = part.aborted or fact.reason
        elif fact.phase == "FAILING" and part.failed and not part.book.immediate and not _timed_out(fact.error):
            self._check_rest(part)
        part.error = part.error or fact.error
        part.running = False

    def _check_rest(self, part: Part) -> None:
        """A workflow that finishes what can be finished fails when all has ended whose upstream nodes have succeeded."""
        base, plan = part.known.base, part.book.plan
        for number, node in enumerate(plan.nodes, base):
            if number in self.phases or number in self.chosen:
                continue  # a branch ends with its workflow
            if number in self.begun:
                raise Broken("a workflow that finishes what can be finished waits for what is under way")
            arm = node.arm
            taken = arm is None or self.chosen.get(base + arm[0]) == arm[1]
            if taken and all(self.phases.get(base + above) == "SUCCEEDED" for above in node.upstream):
                raise Broken("a workflow that finishes what can be finished runs what can be run")

    def said(self, fact: f.CacheSaid) -> None:
        """What is computed was not in the catalog."""
        published = fact.node in self.phases
        if not published and not any(
            isinstance(said, e.CacheMissed) and said.node == fact.node and said.reason == fact.reason
            for said in self.world.past
        ):
            raise Broken("a node is computed when the catalog does not have it")

    def signal(self, fact: f.SignalKept) -> None:
        """An answer: for the gate of that id, or the first that waits under that name, or one that is to come."""
        self.kept[fact.name] = fact.value
        for gate in sorted(self.waiting):
            spec = self._at(gate)[1].spec.kind
            assert isinstance(spec, GateSpec)
            if spec.gate != "sleep" and fact.name in (self.world.machine.graph.id(gate), spec.name):
                self.owed = gate, fact.value
                return


_OF_FACT: dict[type, Callable[[Oracle, Any], None]] = {
    f.Began: Oracle.began,
    f.AttemptQueued: Oracle.queued,
    f.AttemptStarted: Oracle.running,
    f.AttemptLost: Oracle.lost,
    f.Suspended: Oracle.suspended,
    f.NodeSucceeded: Oracle.succeeded,
    f.NodeEnded: Oracle.ended,
    f.CacheSaid: Oracle.said,
    f.CancelDecided: Oracle.cancelled,
    f.Turned: Oracle.turned,
    f.Started: Oracle.started,
    f.Expanded: Oracle.expanded,
    f.Chose: Oracle.chose,
    f.Opened: Oracle.opened,
    f.SignalKept: Oracle.signal,
}


def _timed_out(error: ErrorInfo | None) -> bool:
    return error is not None and error.code in TIMED_OUT and not error.node


def _read(reads: dict[str, Read], known: Known) -> Literals:
    return {name: read(known) for name, read in reads.items()}


def _item(items: Literal, number: int) -> Literal:
    """An item of a list; those that the simulation stores hold the numbers from 0 on."""
    if isinstance(items, Offloaded):
        return Inline(number)
    if isinstance(items, LiteralList):
        return items.items[number]
    assert isinstance(items, Inline)
    return Inline(items.value[number])


def _length(items: Literal) -> int:
    if isinstance(items, Offloaded):
        return int(items.uri)
    assert isinstance(items, Inline | LiteralList)
    return len(items.value if isinstance(items, Inline) else items.items)
