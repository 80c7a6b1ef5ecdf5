"""What must hold, by the names that the reliability goals have.

I1 what was acknowledged ends once faults stop, and every call is answered. I2 the journal, folded, is the live state. I3 no
attempt runs twice at once; none starts that the journal does not want; a kernel that was fenced out does nothing more. I4
attempts are numbered without gaps, within their budgets. I5 a node reads exactly what was recorded. I6 one result for each
node; the first valid one wins. I7 the catalog never gives a foreign value. I8 concurrency and limits are kept. I9 what has
ended leaves nothing running. I11 memory, queues and tasks are bounded. I12 answers do not contradict the journal. (I10 is about
schedules, which are an admin's: a scene with more in it has them.)
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from wingbeat.base.ids import split_attempt_id
from wingbeat.contracts.engine import ExecutionView
from wingbeat.engine.archive import LIMIT
from wingbeat.engine.asked import QUOTA
from wingbeat.engine.children import PARENT
from wingbeat.engine.views import timed_out_around
from wingbeat.machine.fact import (
    AttemptLost,
    AttemptQueued,
    AttemptStarted,
    Fact,
    NodeEnded,
    NodeSucceeded,
    Suspended,
    Turned,
    decode_facts,
)
from wingbeat.machine.fold import replay
from wingbeat.machine.graph import Graph, is_item, item_of, node_of
from wingbeat.machine.state import PHASES, decode_state, encode_state, graph_of
from wingbeat.spec.phase import ExecutionPhase, NodePhase
from wingbeat.spec.plan import MapKind
from wingbeat.testing.invariants import Broken, check_fact, check_state
from wingbeat.testing.virtual.shadow import Shadow, outputs_of
from wingbeat.testing.virtual.world import World, shown

if TYPE_CHECKING:
    from wingbeat.testing.virtual.executor import Attempt, Outside
    from wingbeat.testing.virtual.journal import Store
    from wingbeat.testing.virtual.kernels import Kernel
    from wingbeat.testing.virtual.run import Scene

STATE_CHECKED = 0.05


def phase_of(shadow: Shadow, address: int) -> NodePhase:
    """The phase of a node or item, also of an item that has ended."""
    state = shadow.machine.state
    seen = state.seen(address)
    if seen is not None:
        return seen.phase
    mapping = state.maps.get(node_of(address))
    return PHASES[mapping.phases[item_of(address)]] if mapping is not None else NodePhase.NOT_STARTED


def check_fact_said(world: World, shadow: Shadow, fact: Fact) -> None:
    """Before a fact becomes true."""
    state = shadow.machine.state
    if isinstance(fact, NodeSucceeded | NodeEnded):
        what = f"{shadow.id}/{shadow.machine.graph.id(fact.node)} ends twice: {shown(fact)}"
        world.check(not phase_of(shadow, fact.node).terminal, "I6", what)
    if isinstance(fact, AttemptQueued):
        seen = state.seen(fact.node)
        expected = seen.next_attempt if seen is not None else 0
        still = seen.open_attempt if seen is not None else None
        world.check(fact.attempt == expected and still is None, "I4", f"{shadow.id}: {fact} does not follow {still}")
    if isinstance(fact, AttemptStarted | AttemptLost | Suspended) or (
        isinstance(fact, NodeSucceeded) and fact.attempt >= 0 and fact.node not in state.bodies
    ):
        seen = state.seen(fact.node)
        attempt = seen.open_attempt if seen is not None else None
        holds = attempt is not None and attempt.number == fact.attempt
        world.check(holds, "I6", f"{shadow.id}: {shown(fact)} is about {attempt}")
    if isinstance(fact, NodeSucceeded) and (task := shadow.computed(fact)) is not None:
        expected_outputs = outputs_of(task, shadow.values(fact.node))
        what = f"{shadow.id}/{shadow.machine.graph.id(fact.node)} has {fact.outputs}, not {expected_outputs}: {fact}"
        world.check(fact.outputs == expected_outputs, "I7" if fact.cache else "I5", what)
    if isinstance(fact, Turned) and fact.scope == 0 and ExecutionPhase(fact.phase).terminal:
        left = [id for (execution, _), id in world.running.items() if execution == shadow.id]
        world.check(not left, "I9", f"{shadow.id} is {fact.phase}, and these run: {left}")


def check_row(world: World, shadow: Shadow) -> None:
    """After the facts of a row have become true."""
    try:
        check_fact(shadow.machine, shadow.facts[-1])
        if world.chance.rng("checks").random() < STATE_CHECKED:
            check_state(shadow.machine)
    except Broken as error:
        world.fail("I5", f"{shadow.id}: {error}")


def check_limits(store: Store) -> None:
    """After a commit: of a limit, and of a place, no more have begun and not ended than it says."""
    for name, limit in store.limits.items():
        under = [id for id in store.live if store.records[id].labels.get(LIMIT) == name]
        begun = [id for id in under if store.shadows[id].machine.state.began_at is not None]
        store.world.fired["execution waited for its turn"] += len(under) > len(begun)
        store.world.check(len(begun) <= limit, "I8", f"limit {name} is {limit}, and these are under way: {begun}")
    if store.quota is not None and store.quota.executions is not None:
        labels = {id: store.records[id].labels for id in store.live}
        under = [id for id, found in labels.items() if QUOTA in found and PARENT not in found]
        begun = [id for id in under if store.shadows[id].machine.state.began_at is not None]
        store.world.fired["execution waited for its place"] += len(under) > len(begun)
        told = f"the quota is {store.quota.executions}, and these are under way: {begun}"
        store.world.check(len(begun) <= store.quota.executions, "I8", told)


def check_attempt(outside: Outside, attempt: Attempt) -> None:
    """Before an attempt starts to run."""
    world, shadow = outside.world, outside.store.shadows.get(attempt.execution)
    if shadow is None:
        world.fail("I3", f"{attempt.id} starts, of which nothing is in the journal")
        return
    open_ = shadow.open_attempt(attempt.node)
    if open_ is None or open_[1].number != attempt.number or shadow.over:
        world.fail("I3", f"{attempt.id} starts, which the journal does not want: {open_}")
        return
    other = world.running.get((attempt.execution, attempt.node))
    world.check(other is None, "I3", f"{attempt.id} starts while {other} runs")
    address, machine = open_[0], shadow.machine
    world.check(attempt.request.inputs == shadow.values(address), "I5", f"{attempt.id} reads {attempt.request.inputs}")
    kind = machine.graph.kind(address)
    if is_item(address) and isinstance(kind, MapKind) and kind.spec.concurrency is not None:
        prefix = f"{machine.graph.id(node_of(address))}."
        items = [
            n
            for e, n in world.running
            if e == attempt.execution and n.startswith(prefix) and n[len(prefix) :].isdecimal()
        ]
        world.check(len(items) < kind.spec.concurrency, "I8", f"{attempt.id} starts beside {items}")
    _check_pool(outside, attempt)


def _check_pool(outside: Outside, attempt: Attempt) -> None:
    """Slots are kept, also for what an earlier kernel has started: but for executions that could not be read meanwhile, whose slots
    nobody knows."""
    world, pool = outside.world, attempt.request.task.pool
    if pool is None or attempt.execution in world.unread:
        return
    others = [outside.attempts[id] for (execution, _), id in world.running.items() if execution not in world.unread]
    pools = {one.id: one.request.task.pool for one in others}
    weights = {id: other.weight for id, other in pools.items() if other is not None and other.name == pool.name}
    limit = outside.pools[pool.name]
    world.fired["pool: beside others"] += bool(weights)
    told = f"{attempt.id} starts beside {list(weights)}, in the pool {pool.name!r} of {limit}"
    held = sum(min(weight, limit) for weight in (pool.weight, *weights.values()))
    world.check(held <= limit, "I8", told)


def check_live(kernel: Kernel) -> None:
    """What a kernel has in memory is what the journal says, where neither is ahead of the other."""
    engine, store = kernel.engine, kernel.scene.store
    for live in engine._lives.values():  # noqa: SLF001  # nothing public shows the state
        shadow, rows = store.shadows.get(live.id), store.rows.get(live.id, ())
        if shadow is None or live.facts or live.sequence != len(rows) or engine._fence != store.fence:  # noqa: SLF001
            continue
        same = live.machine.state == shadow.machine.state
        kernel.world.check(same, "I2", f"{live.id} in {kernel.name} is not what the journal says")


def check_view(world: World, store: Store, view: ExecutionView) -> None:
    """What was answered is in the journal by now: an answer may lag, not lead."""
    shadow = store.shadows.get(view.id)
    if shadow is None:
        world.fail("I12", f"{view.id} was described before it was durable")
        return
    state, graph = shadow.machine.state, shadow.machine.graph
    if view.phase.terminal:
        same = view.phase is state.phase and view.outputs == (
            state.outputs if state.phase is ExecutionPhase.SUCCEEDED else None
        )
        world.check(same, "I12", f"{view.id} was said to be {view.phase}; the journal says {state.phase}")
    for number, node in enumerate(view.nodes):  # nodes in their order, then items
        address = number if number < len(state.nodes) and graph.id(number) == node.id else graph.find(node.id)
        if address is None:
            world.fail("I12", f"{view.id} was said to have a node {node.id}")
            return
        if node.phase.terminal:
            phase = phase_of(shadow, address)
            if phase is NodePhase.ABORTED and timed_out_around(shadow.machine, address) is not None:
                phase = NodePhase.TIMED_OUT
            what = f"{view.id}/{node.id} was said to be {node.phase}; the journal says {phase}"
            world.check(phase is node.phase, "I12", what)


def check_closed(kernel: Kernel) -> None:
    """A kernel that was closed has left nothing."""
    left = [task.get_coro() for task in kernel.process.left()]
    kernel.world.check(not left, "I11", f"{kernel.name} was closed and still has {left}")
    check_heard(kernel)


def check_heard(kernel: Kernel) -> None:
    """What failed in a kernel was heard by somebody."""
    for task in kernel.process.tasks:
        if task.done() and not task.cancelled() and getattr(task, "_log_traceback", False):
            error = task.exception()
            kernel.world.fail("I11", f"nobody heard that {task.get_coro()} of {kernel.name} failed: {error!r}")


def check_quiet(kernel: Kernel) -> None:
    """A kernel for which there is nothing to do holds nothing."""
    engine, world = kernel.engine, kernel.world
    world.check(engine.idle(), "I11", f"{kernel.name} is not idle at the end")
    held = {
        "inbox": engine._inbox, "launching": engine._launching,  # noqa: SLF001
        "touched": engine._touched, "holding": engine._holding, "ended": engine._ended,  # noqa: SLF001
        "reservations": engine._memo._reservations, "lookups": engine._memo._tasks,  # noqa: SLF001
        "limits": engine._admission._limits._groups, "places": engine._admission._places._groups,  # noqa: SLF001
        "limits that come next": engine._admission._next,  # noqa: SLF001
        "children": engine._children._tasks, "loads": engine._loading._tasks,  # noqa: SLF001
    }  # fmt: skip
    for dispatcher in engine._dispatchers.values():  # noqa: SLF001
        held |= {"queue": dispatcher._queue, "lined": dispatcher._lined, "background": dispatcher._background}  # noqa: SLF001
    for name, what in held.items():
        world.check(not what, "I11", f"{kernel.name} still holds {name} at the end: {shown(what)}")


def check_end(scene: Scene) -> None:
    """When everything has ended."""
    world, store = scene.world, scene.store
    for id, shadow in store.shadows.items():
        world.check(shadow.over, "I1", f"{id} has not ended: {shadow.machine.state.phase}")
        _check_folds(store, shadow)
        _check_attempts(world, shadow)
    for id in scene.acknowledged:
        world.check(id in store.records, "I1", f"{id} was acknowledged and is not in the journal")
    world.check(not world.running, "I9", f"these run at the end: {list(world.running.values())}")
    for id in scene.outside.attempts:
        execution, node, number = split_attempt_id(id)
        known = store.shadows[execution].machine
        address = known.graph.find(node)
        world.check(address is not None and number >= 0, "I3", f"{id} is not in the journal")


def _check_folds(store: Store, shadow: Shadow) -> None:
    """The rows, read again, are the state; so is every snapshot with the rows behind it."""
    world, plan = store.world, store.plans[store.records[shadow.id].closure]
    rows = [decode_facts(row.body) for row in store.rows[shadow.id]]
    templates = shadow.machine.graph.templates
    facts = [fact for row in rows for fact in row]
    world.check(replay(Graph(plan, templates), facts) == shadow.machine.state, "I2", f"{shadow.id} folds differently")
    try:
        check_state(shadow.machine)
    except Broken as error:
        world.fail("I2", f"{shadow.id}: {error}")
    for snapshot in store.snapshots.get(shadow.id, ()):
        graph = Graph(plan, templates)
        state = decode_state(_state(snapshot.body))
        replay(graph_of(graph, state), [f for row in rows[snapshot.sequence + 1 :] for f in row], state)
        same = encode_state(state) == encode_state(shadow.machine.state) or state == shadow.machine.state
        world.check(same, "I2", f"the snapshot of {shadow.id} at {snapshot.sequence} folds differently")


def _state(body: bytes) -> bytes:
    import msgspec

    return bytes(msgspec.msgpack.decode(body, type=tuple[int, msgspec.Raw])[1])


def _check_attempts(world: World, shadow: Shadow) -> None:
    """Every attempt was made once, ended once, and was numbered without gaps."""
    queued = Counter((f.node, f.attempt) for f in shadow.facts if isinstance(f, AttemptQueued))
    ended = Counter(
        (f.node, f.attempt)
        for f in shadow.facts
        if isinstance(f, AttemptLost | Suspended) or (isinstance(f, NodeSucceeded) and f.attempt >= 0)
    )
    world.check(queued == ended, "I4", f"{shadow.id}: attempts made {queued - ended}, ended {ended - queued}")
    numbers: dict[int, list[int]] = {}
    for node, number in queued:
        numbers.setdefault(node, []).append(number)
    whole = all(sorted(found) == list(range(len(found))) for found in numbers.values())
    world.check(whole, "I4", f"{shadow.id}: attempts are numbered {numbers}")
