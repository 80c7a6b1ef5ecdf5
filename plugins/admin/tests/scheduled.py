"""A virtual world with an admin beside every kernel: schedules, triggers and backfills over an engine that is killed, held and
started again, by a clock that jumps. What was launched is compared with what had to be (I10), the history with the journal (I12).

One kernel has the home at a time, as the lock of a home has it; what they leave is in one file.
"""

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from wingbeat.base.errors import ConflictError, InputError, WingbeatError
from wingbeat.contracts.admin import CAUSE_LABEL, ENTITY_LABEL, Definition, ExecutionQuery, Kind, Launch, Registration
from wingbeat.contracts.backfill import BACKFILL_LABEL, Backfill
from wingbeat.contracts.refusals import RefusalQuery
from wingbeat.spec.entities import Interface, LaunchPlanSpec, Variable
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.ticks import ticks
from wingbeat.spec.triggers import CronSpec, OnEndSpec, RateSpec, ScheduleSpec
from wingbeat.testing.graphs import INT, ONE, Graphs
from wingbeat.testing.virtual import run
from wingbeat.testing.virtual.kernels import Gone, Kernel
from wingbeat.testing.virtual.run import Scene
from wingbeat_admin.local import schema
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.local.due import tick_cause

WHOLE, FIDDLED, FIRED, FILLED = (f"jobs/night/{name}" for name in ("whole", "fiddled", "fired", "filled"))
SINGLE_HOLDER = ("kernel: held beyond a takeover", "kernel: taken over while it runs")
"""Faults that the lock of a home rules out."""
THINKS_S, AGAIN_S, ABREAST_S = 6.0, 2.0, 120.0
BACKFILLS_MAX, BACK_TICKS = 2, 8
QUIET = 30
"""So often in a row nothing has to be due, and nothing to run, until all is over."""


schema.BUSY_S = 0.0


@dataclass
class Filling:
    """A backfill: of which launch plan, from when to when, and whether somebody has stopped it."""

    plan: str
    since: float
    until: float
    stopped: bool = False


class Admin(LocalAdmin):
    """One whose file is not waited for: the machine of this world does not fail."""

    db = None

    def _open(self):
        store = super()._open()
        self.db = store.db
        self.db.execute("PRAGMA synchronous=OFF")
        return store


class Here:
    """The admin in the process of a kernel."""

    def __init__(self, scene, kernel):
        path = Path(scene.folder.name, "admin.sqlite")
        self.admin = Admin(path, kernel.engine, scene.storage, clock=scene.world.clock.now)

    async def start(self):
        await self.admin.start()

    async def close(self):
        await self.admin.close()

    def kill(self):
        if self.admin.db is not None:
            self.admin.db.close()


class Admins(Scene):
    """A scene whose kernels have admins over one file.

    Attributes:
        overlaps: What the policy of the schedule is drawn from.

        rates: Of faults, for all seeds.

        told: What the history has said of executions, by id: it never goes back.

        backfills: Those that were created, by id.
    """

    again = "SEED={seed} pytest plugins/admin/tests/test_scheduled.py -k some"
    overlaps = ("skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all")
    rates: dict[str, float] = {}

    def __init__(self, world):
        self.folder = tempfile.TemporaryDirectory()
        world.chance.rates |= dict.fromkeys(SINGLE_HOLDER, 0.0) | self.rates
        super().__init__(world)
        self.store.launched = self.check_overlap
        self.told: dict[str, ExecutionPhase] = {}
        self.backfills: dict[str, Filling] = {}
        self.rng = world.chance.rng("schedules")
        graphs = Graphs(world.chance.rng("scheduled graphs"))
        flow, other = (graphs.close(graphs.workflow(0)) for _ in range(2))
        self.flow = f"jobs/night/{flow.workflow.name}"
        self.schedule = ScheduleSpec(
            self.rng.choice((RateSpec(300.0), RateSpec(900.0), CronSpec("*/5 * * * *"))),
            catch_up="all",
            overlap=self.rng.choice(self.overlaps),
            jitter_s=self.rng.choice((0.0, 0.0, 20.0)),
        )
        often = ScheduleSpec(
            RateSpec(self.rng.choice((120.0, 600.0))),
            catch_up=self.rng.choice(("none", "last", "all")),
            window_s=self.rng.choice((None, 600.0)),
            overlap=self.rng.choice(("skip", "allow_all")),
            pause_on_failure=self.rng.random() < 0.3,
        )
        phases = self.rng.choice(((ExecutionPhase.SUCCEEDED,), tuple(each for each in ExecutionPhase if each.terminal)))
        takes = {"x": "o0"} if phases == (ExecutionPhase.SUCCEEDED,) else {}
        self.phases = phases
        self.definitions = (
            Definition(Kind.WORKFLOW, flow.workflow.name, flow),
            _plan("whole", flow, self.schedule),
            _plan("fiddled", flow, often),
            _plan("fired", other, OnEndSpec(self.flow, phases, takes)),
            _plan("filled", flow, self.schedule),
        )

    def beside(self, kernel):
        return Here(self, kernel)

    async def leave(self, kernels):
        """One process works with a home."""
        for kernel in kernels:
            kernel.thaw()
            await kernel.close()

    def others(self):
        return [Operator(self).run()]

    async def calmed(self, last):
        """What was decided on is launched, what is to be filled is; then nobody launches anything more."""
        operator = Operator(self)
        await operator.set_up()
        await asyncio.sleep(ABREAST_S)
        self.until = self.world.clock.now() - ABREAST_S / 2
        self.since = await operator.certainly(lambda admin: admin.do(_since))
        for name in (WHOLE, FIDDLED):
            await operator.certainly(lambda admin, name=name: admin.deactivate(f"{name}@v1"))
        for id in self.backfills:
            with contextlib.suppress(ConflictError, InputError):  # it is over, or was aborted
                await operator.certainly(lambda admin, backfill=id: admin.resume_backfill(backfill))
        quiet = 0
        while quiet < QUIET:
            await asyncio.sleep(AGAIN_S)
            await self._answer(last)
            due = await operator.certainly(lambda admin: admin.do(_due))
            quiet = 0 if due or self.store.live else quiet + 1

    async def ended(self, last):
        await asyncio.sleep(ABREAST_S)
        await check(self, last.beside.admin)

    def check_overlap(self, record):
        """What the schedule that nobody touched launches has no other one of it beside itself, where its policy says so."""
        if self.schedule.overlap in ("allow_all", "terminate_other") or not _is_tick(record, WHOLE):
            return
        beside = [id for id in self.store.live if id != record.execution and _is_tick(self.store.records[id], WHOLE)]
        told = f"{record.execution} was launched beside {beside}: {self.schedule.overlap}"
        self.world.check(not beside, "I8", told)

    def ranges(self, plan, *, stopped=False):
        """From when to when backfills of a launch plan go."""
        return [(f.since, f.until) for f in self.backfills.values() if f.plan == plan and f.stopped >= stopped]

    def close(self):
        """Forget the file."""
        self.folder.cleanup()


def _plan(name, closure, trigger):
    interface = Interface((Variable("x", INT, default=1),), ONE.outputs)
    spec = LaunchPlanSpec(name, closure.root, interface, trigger=trigger)
    return Definition(Kind.LAUNCHPLAN, name, closure, spec)


def _is_tick(record, plan):
    """Whether a schedule has launched it."""
    labels = record.labels
    own = labels.get(ENTITY_LABEL, "").partition("@")[0] == plan and BACKFILL_LABEL not in labels
    return own and labels.get(CAUSE_LABEL, "").startswith("tick ")


def _since(store):
    """Since when launch plans have been active."""
    return dict(store.db.execute("SELECT project || '/' || domain || '/' || name, since FROM active"))


def _due(store):
    """How many launches are decided on, and ticks of backfills not over."""
    (waiting,) = store.db.execute("SELECT count(*) FROM due WHERE state = 'waiting'").fetchone()
    (filling,) = store.db.execute("SELECT count(*) FROM backfills WHERE ended_at IS NULL").fetchone()
    return waiting + filling


class Operator:
    """Somebody who registers, activates, pauses, launches and looks, by whatever admin there is."""

    def __init__(self, scene):
        self.scene, self.world, self.rng = scene, scene.world, scene.world.chance.rng("operator")

    async def run(self):
        await self.set_up()
        while not self.world.calm:
            await asyncio.sleep(self.rng.expovariate(1 / THINKS_S))
            if not self.world.calm:
                what = self.rng.choice(("launch", "launch", "look", "look", "fiddle", "fill", "fill_more"))
                self.world.fired[f"operator: {what}"] += 1
                await getattr(self, f"_{what}")()

    async def set_up(self):
        """Register and activate, however often it has to be tried."""
        definitions = self.scene.definitions
        await self.certainly(lambda admin: admin.register(Registration("jobs", "night", definitions, "v1")))
        for name in (WHOLE, FIDDLED, FIRED):
            await self.certainly(lambda admin, name=name: admin.activate(f"{name}@v1"))

    async def certainly(self, make):
        """Ask until there is an answer."""
        while True:
            try:
                return await self._ask(make)
            except Gone:
                await asyncio.sleep(AGAIN_S)

    async def perhaps(self, make):
        """Ask once, and perhaps leave meanwhile. None if nobody knows what has become of it, or it was refused."""
        seconds = self.rng.expovariate(1.0) if self.world.chance.fires("user: leaves") else None
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(make)
        except (Gone, TimeoutError, WingbeatError):
            return None

    async def _ask(self, make):
        kernels = [kernel for kernel in self.scene.kernels if kernel.answers and kernel.stopped is None]
        if not kernels:
            raise Gone
        kernel: Kernel = self.rng.choice(kernels)
        try:
            return await kernel.call(lambda engine: make(kernel.beside.admin))
        except run.REFUSALS as error:
            raise Gone from error
        except WingbeatError as error:
            if "not open" in error.message:  # it is being closed
                raise Gone from error
            raise

    # -- what is done

    async def _launch(self):
        number = self.rng.randint(1, 1000)
        await self.perhaps(
            lambda admin: admin.launch(Launch(f"{self.scene.flow}@v1", {"x": self.rng.randint(1, 3)}, f"m{number}"))
        )

    async def _look(self):
        page = await self.perhaps(lambda admin: admin.executions(ExecutionQuery("jobs", limit=1000)))
        if page is not None:
            check_told(self.scene, page.items)

    async def _fiddle(self):
        how = self.rng.choice(("pause", "resume", "activate", "deactivate"))
        reference = f"{FIDDLED}@v1"
        if how == "pause":
            await self.perhaps(lambda admin: admin.pause(reference, "for a while"))
        else:
            await self.perhaps(lambda admin: getattr(admin, how)(reference))

    async def _fill(self):
        """Fill the past, or what the schedule launches itself."""
        if len(self.scene.backfills) >= BACKFILLS_MAX:
            return
        name, of = f"b{len(self.scene.backfills)}", self.rng.choice((WHOLE, FILLED))
        now, step = self.world.clock.now(), 900.0
        backfill = Backfill(
            f"{of}@v1", now - BACK_TICKS * step, now, name=name, concurrency=self.rng.choice((1, 3)),
            reverse=self.rng.random() < 0.5,
        )  # fmt: skip
        if await self.perhaps(lambda admin: admin.create_backfill(backfill)) is not None:
            self.scene.backfills[name] = Filling(of, backfill.since, backfill.until)

    async def _fill_more(self):
        if self.scene.backfills:
            id = self.rng.choice(sorted(self.scene.backfills))
            how = self.rng.choice(("pause", "resume", "abort"))
            if how == "resume":
                await self.perhaps(lambda admin: admin.resume_backfill(id))
            else:
                self.scene.backfills[id].stopped |= how == "abort"
                await self.perhaps(lambda admin: getattr(admin, f"{how}_backfill")(id, "as asked"))


# -- what must be true


def check_told(scene, entries):
    """The history may lag behind the journal; it does not lead, and never goes back."""
    world, records = scene.world, scene.store.records
    for entry in entries:
        record = records.get(entry.id)
        if record is None:
            world.fail("I12", f"the history has {entry.id}, which is not in the journal")
        elif entry.phase.terminal:
            world.check(
                record.phase == entry.phase, "I12", f"the history has {entry.id} {entry.phase}, not {record.phase}"
            )
    now = {entry.id: entry.phase for entry in entries}
    for id, phase in scene.told.items():
        back = id not in now or (phase.terminal and now[id] is not phase)
        world.check(not back, "I12", f"the history had {id} {phase}, and has it {now.get(id)} now")
    scene.told = now


async def check(scene, admin):
    """When all is over."""
    world, records = scene.world, scene.store.records
    listed = await _history(admin)
    check_told(scene, listed)
    there = {(record.execution, record.phase) for record in records.values()}
    differ = there ^ {(entry.id, entry.phase.value) for entry in listed}
    world.check(not differ, "I12", f"the history is not the journal: {differ}")
    refused = {(each.entity.partition("@")[0], each.cause) for each in await _refusals(admin)}
    launched: dict[tuple[str, str], list[str]] = {}
    for record in records.values():
        if (cause := record.labels.get(CAUSE_LABEL)) is not None:
            plan = record.labels[ENTITY_LABEL].partition("@")[0]
            launched.setdefault((plan, cause), []).append(record.execution)
    for (plan, cause), executions in launched.items():
        world.check(len(executions) == 1, "I10", f"{plan} was launched for {cause} as {executions}")
    world.fired["launched by a cause"] += len(launched)
    world.fired["refused"] += len(refused)
    world.check(refused.isdisjoint(launched), "I12", f"these were launched and refused: {refused & set(launched)}")
    check_ticks(scene, launched, refused)
    check_fired(scene, launched)
    for id, filling in scene.backfills.items():
        check_filled(scene, await admin.backfill(id), filling.stopped)


async def _history(admin):
    found, after = [], ""
    while True:
        page = await admin.executions(ExecutionQuery(limit=1000, after=after))
        found += page.items
        if not (after := page.following):
            return found


async def _refusals(admin):
    found, after = [], ""
    while True:
        page = await admin.refusals(RefusalQuery(limit=1000, after=after))
        found += page.items
        if not (after := page.following):
            return found


def _ticks(scene, since, until):
    """The ticks from `since` on, before `until`, as causes."""
    found = takewhile(lambda tick: tick < until, ticks(scene.schedule.when, since - 0.001))
    return {tick_cause(tick) for tick in found}


def check_ticks(scene, launched, refused):
    """Each tick of the schedule that nobody touched was launched, or left out as its policy says; none before or behind it."""
    world, since = scene.world, scene.since[WHOLE]
    found = {cause for plan, cause in launched if plan == WHOLE} | {cause for plan, cause in refused if plan == WHOLE}
    due = _ticks(scene, since, scene.until)
    filled = {each for range in scene.ranges(WHOLE) for each in _ticks(scene, *range)}
    given_back = {each for range in scene.ranges(WHOLE, stopped=True) for each in _ticks(scene, *range)}
    world.check(due <= found | given_back, "I10", f"these ticks were lost: {sorted(due - found - given_back)}")
    allowed = _ticks(scene, since, world.clock.latest) | filled
    world.check(found <= allowed, "I10", f"these are no ticks: {sorted(found - allowed)}")
    world.fired["ticks launched"] += len(due & {cause for plan, cause in launched if plan == WHOLE})


def check_fired(scene, launched):
    """Each end of the workflow, also by its launch plans, has started the launch plan that waits for it; nothing else has."""
    of_flow = (scene.flow, WHOLE, FIDDLED, FILLED)
    ended = {
        record.execution
        for record in scene.store.records.values()
        if record.labels.get(ENTITY_LABEL, "").partition("@")[0] in of_flow
        and record.phase in scene.phases and record.ended_at >= scene.since[FIRED]
    }  # fmt: skip
    found = {cause for plan, cause in launched if plan == FIRED}
    scene.world.fired["fired by an end"] += len(found)
    scene.world.check(found == ended, "I10", f"the trigger was fired by {found}, not by {ended}")


def check_filled(scene, entry, stopped):
    """Each tick of a backfill has one execution, unless it was stopped."""
    world, records = scene.world, scene.store.records.values()
    wanted = len(_ticks(scene, entry.since, entry.until))
    world.fired["ticks filled"] += entry.succeeded + entry.failed
    world.check(entry.ended_at is not None and not entry.running, "I1", f"{entry} is not over")
    own = [record for record in records if record.labels.get(BACKFILL_LABEL) == entry.id]
    world.check(all(ExecutionPhase(record.phase).terminal for record in own), "I9", f"{entry.id} has left something")
    if not stopped:
        world.check(entry.total == wanted, "I10", f"{entry} has {entry.total} ticks, not {wanted}")
        succeeded = sum(record.phase == ExecutionPhase.SUCCEEDED for record in own)
        world.check(
            succeeded == entry.succeeded, "I12", f"{entry.id} tells of {entry.succeeded} successes, not {succeeded}"
        )
        world.check(len(own) == entry.succeeded + entry.failed, "I10", f"{entry.id}: {len(own)} executions, {entry}")
