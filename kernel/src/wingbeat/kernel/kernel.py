"""`Kernel`: an engine inside any asyncio program.

Users import this beside `task`, also in processes that only run tasks and have nothing but msgspec; hence everything that the
engine needs is imported when a kernel is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wingbeat.base.errors import ConfigurationError, InputError
from wingbeat.base.units import parse_duration_s, parse_size
from wingbeat.kernel import attemptfiles
from wingbeat.kernel.whole import opened, whole

if TYPE_CHECKING:
    from types import TracebackType

    from wingbeat.author.launchplan import LaunchPlan
    from wingbeat.author.options import Duration
    from wingbeat.author.task import Task
    from wingbeat.author.workflow import Workflow
    from wingbeat.contracts.admin import Admin
    from wingbeat.contracts.catalog import Evicted
    from wingbeat.contracts.engine import Engine, GateView, LaunchReply, RecoveryPlan, RemoteEngine
    from wingbeat.contracts.retention import Collected
    from wingbeat.engine.engine import LocalEngine
    from wingbeat.host.registry import Registry
    from wingbeat.kernel.beginning import Close
    from wingbeat.kernel.execution import Execution
    from wingbeat.kernel.inputs import Prepared, Preparer
    from wingbeat.kernel.reader import Reader
    from wingbeat.kernel.shared import SharedEngine
    from wingbeat.kernel.upkeep import Upkeep
    from wingbeat.spec.definition import Definition
    from wingbeat.spec.entities import Closure, Interface
    from wingbeat.spec.literal import Literals


class Kernel:
    """A durable engine, embedded. Use it as an async context manager; it may run any number of executions at once.

    Two kernels in one process do not see each other. Several processes may open one home: one holds it, the others work
    through that one and take its place when it ends.

    Args:
        home: Folder of its state; ``$WINGBEAT_HOME`` or ``.wingbeat`` by default.

        plugins: Plugin modules or objects to use besides the installed ones.

        discover: Whether installed plugins are used.

        inline: Tasks that run in this program's event loop, whatever their spec says. Only in the process that holds the
            home.

        settings: By section and key; win over environment and files.

        read_only: Open the journal for reading; nothing can be launched.

        on_exit: What leaving does with what runs: ``detach`` leaves it running, to be adopted by the next kernel of the
            home; ``drain`` waits for the end of what this kernel launched; ``abort`` stops it.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        *,
        plugins: Sequence[object] = (),
        discover: bool = True,
        inline: Sequence[Task[..., Any]] = (),
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        read_only: bool = False,
        on_exit: Literal["detach", "drain", "abort"] = "detach",
    ) -> None:
        from wingbeat.host.config import Configuration
        from wingbeat.host.home import HomeFolder, home_path

        self._home = HomeFolder(home_path(home), Configuration(settings))
        self._plugins, self._discover, self._inline, self._given = plugins, discover, tuple(inline), bool(settings)
        self._read_only, self._on_exit = read_only, on_exit
        self._engine: SharedEngine | None = None
        self._reader: Reader | None = None
        self._preparer: Preparer | None = None
        self._remote: RemoteEngine | None = None
        self._admin: Admin | None = None
        self._closing: list[Close] = []
        self._registry: Registry | None = None
        self._launched, self._brought = set[str](), set[str]()
        self._upkeep: Upkeep | None = None

    async def __aenter__(self) -> Kernel:
        try:
            return await self._open()
        except ConfigurationError as error:  # it says itself what is wrong where; the frames are those of who found it
            raise error.with_traceback(None) from error.__cause__

    async def _open(self) -> Kernel:
        from wingbeat.kernel.inputs import Preparer
        from wingbeat.runtime import load

        if load.importing:
            raise ConfigurationError(
                f"The top level of {load.importing} runs a workflow, and importing it for a task would run it again.",
                hint="Put it under: if __name__ == '__main__':",
            )
        if self._elsewhere != "local":
            await self._connect()
            return self
        if self._read_only:
            from wingbeat.kernel.reader import open_reader

            registry = self._registry = self._boot()
            self._reader = await whole(open_reader(self._home, registry), lambda reader: reader.close())
            self._closing.append(self._reader.close)
            self._preparer = Preparer(self._home, frozenset(), self._definition)
            return self
        from wingbeat.kernel.shared import SharedEngine
        from wingbeat.kernel.watchdog import watchdog_of

        self._home.create()
        registry = self._registry = self._boot()
        self._preparer = Preparer(self._home, frozenset(task.name for task in self._inline), self._definition)
        engine = SharedEngine(self._home.folder, lambda: self._start(registry), self._collect, watchdog_of(registry))
        await opened(engine.open(), lambda: self._unopened(engine))
        self._engine = engine
        if self._given and not engine.holds:
            import logging

            logging.getLogger("wingbeat.settings").warning(
                "Another process holds the home: its settings hold, not those that were given here."
            )
        if self._inline and not engine.holds:
            await engine.close()
            raise ConfigurationError(
                f"Another process holds the home {self._home.folder}, which cannot run inline tasks of this one.",
                hint="Give this kernel a home of its own.",
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._upkeep is not None:
            self._upkeep.close()
        closing, self._closing = self._closing, []
        self._admin = self._remote = self._reader = None
        for close in reversed(closing):  # an admin may still ask its engine
            await whole(close())
        engine, self._engine = self._engine, None
        if engine is None:
            return
        try:
            if self._on_exit != "detach":
                await self._settle(engine)
        finally:
            await whole(engine.close())

    async def _unopened(self, engine: SharedEngine) -> None:
        if self._upkeep is not None:
            self._upkeep.close()
        await engine.close()

    @property
    def _elsewhere(self) -> str:
        """The name of the engine, if that is somewhere else; ``local``."""
        from wingbeat.kernel.settings import KernelSettings

        return self._home.settings("kernel", KernelSettings).engine

    async def _connect(self) -> None:
        from wingbeat.kernel.beginning import engine_elsewhere
        from wingbeat.kernel.inputs import Preparer

        if self._inline:
            raise ConfigurationError("Inline tasks run in the program that holds the home, not elsewhere.")
        self._home.create()
        self._registry = self._boot()
        self._preparer = Preparer(self._home, frozenset(), self._definition)
        self._remote, close = await engine_elsewhere(self._registry, self._home, self._elsewhere)
        self._closing.append(close)

    async def admin(self) -> Admin:
        """The admin of this kernel: what is registered, and what launches from it. Made and started when it is first asked for.

        Raises:
            ConfigurationError: None is installed, or it cannot work here.
        """
        from wingbeat.kernel.beginning import admin_of

        if self._admin is None:
            assert self._registry is not None, "use 'async with Kernel() as kernel'"
            self._admin, close = await admin_of(self._registry, self._home, self.engine)
            self._closing.append(close)
        return self._admin

    async def serve(self, host: str = "127.0.0.1", port: int = 0, *, ready: Callable[[str], None] = print) -> None:
        """Make this kernel and its admin reachable over HTTP, until this is cancelled: see `wingbeat.contracts.server.Serve`.

        Raises:
            ConfigurationError: No server is installed, or it cannot listen there.
        """
        from wingbeat.kernel.making import server_of

        assert self._registry is not None, "use 'async with Kernel() as kernel'"
        serve = server_of(self._registry, self._home)  # before an admin begins: what is due may ask for a token
        await serve(self._home, self.engine, await self.admin(), host=host, port=port, ready=ready)

    def wires(self, interface: Interface, values: Mapping[str, Any]) -> dict[str, Any]:
        """Plain data as wire values, by the types of an interface: what `Admin.launch` takes. Files are stored.

        Raises:
            InputError: One is of another type, or no input of that name.
        """
        assert self._preparer is not None, "use 'async with Kernel() as kernel'"
        return self._preparer.wires(interface, values)

    def _boot(self) -> Registry:
        from wingbeat.kernel.making import booted

        return booted(self._home, self._plugins, discover=self._discover)

    @property
    def engine(self) -> Engine:
        """The engine itself: `wingbeat.contracts.engine.Engine`."""
        engine = self._reader or self._engine or self._remote
        if engine is None:
            raise ConfigurationError("The kernel is not open.", hint="Use 'async with Kernel() as kernel'.")
        return engine

    @property
    def holds(self) -> bool:
        """Whether this process is the one that holds the home: when it leaves, nothing goes on until the next one comes."""
        return self._engine is not None and self._engine.holds

    @property
    def home(self) -> Path:
        """The folder of its state."""
        return self._home.folder

    async def launch(
        self,
        entity: Workflow[..., Any] | Task[..., Any] | LaunchPlan[Any] | Closure,
        inputs: Mapping[str, Any] | None = None,
        name: str | None = None,
        *,
        resume: bool = False,
        labels: Mapping[str, str] | None = None,
    ) -> Execution:
        """Begin an execution; returns when it is durable.

        Args:
            entity: What to run: a workflow, task or launch plan of this program, or a closure.

            inputs: By name: Python values for a workflow or task, plain data (as from JSON) for a closure.

            name: The execution's id. The same name again, with the same content, gives the same execution.

            resume: Go on with an unfinished execution of the same content that nobody waits for, if there is one.

            labels: For finding it.

        Raises:
            CompileError, InputError: Nothing was launched.

            ConflictError: The name is taken by another content.

            LimitReached: As many executions of it are under way as may be at once, and it is not to wait.
        """
        self._check_launches()
        prepared = await self._prepares.prepare(entity)
        literals = await prepared.encode(inputs or {})
        return await self._launch(prepared, literals, name, resume=resume, labels=dict(labels or {}))

    async def recover(
        self,
        id: str,
        entity: Workflow[..., Any] | Task[..., Any] | Closure | str | None = None,
        name: str | None = None,
        *,
        resume: bool = False,
    ) -> Execution:
        """Run an execution again and take over what succeeded in it, where task, code and inputs are the same.

        Args:
            id: The execution to recover. What is under way is not recovered.

            entity: A new version of what it ran, or the reference of one that is registered, ``project/domain/name@version``, whose
                labels the new execution has then; by default, the same.

            name: As of `launch`: id of the new execution.

            resume: As of `launch`: so that it can be asked for again after a crash.

        Raises:
            NotFound: There is no such execution, or version.

            ConflictError: It is under way.
        """
        return await self._again(id, entity, name, recover=True, resume=resume)

    async def relaunch(
        self,
        id: str,
        entity: Workflow[..., Any] | Task[..., Any] | Closure | str | None = None,
        name: str | None = None,
    ) -> Execution:
        """Run an execution anew, with its inputs: everything of it, but what the cache has. It may be under way.

        Args: as of `recover`, and `name` as of `launch`. Raises NotFound.
        """
        return await self._again(id, entity, name)

    async def recovery_plan(
        self, id: str, entity: Workflow[..., Any] | Task[..., Any] | Closure | str | None = None
    ) -> RecoveryPlan:
        """What `recover` would take over, and why not the rest. Launches nothing; also of a kernel that only reads, unless a
        reference is given.

        Args: as of `recover`. Raises NotFound.
        """
        from wingbeat.contracts.engine import LaunchRequest
        from wingbeat.contracts.relaunch import Relaunch
        from wingbeat.kernel.again import as_registered, prepared

        if isinstance(entity, str):
            admin = await as_registered(id, entity, self.engine, self.admin, elsewhere=True)
            assert admin is not None, "a version is named"
            return await admin.recovery(Relaunch(id, entity))
        found, literals, _ = await prepared(id, entity, self.engine, self._prepares)
        return await self.engine.recovery_plan(LaunchRequest(found.closure, literals, recover=id))

    async def _again(
        self,
        id: str,
        entity: Workflow[..., Any] | Task[..., Any] | Closure | str | None,
        name: str | None,
        *,
        recover: bool = False,
        resume: bool = False,
    ) -> Execution:
        from wingbeat.contracts.relaunch import Relaunch
        from wingbeat.kernel.again import as_registered, prepared

        self._check_launches()
        if entity is None or isinstance(entity, str):
            admin = await as_registered(id, entity, self.engine, self.admin, elsewhere=self._remote is not None)
            if admin is not None:
                reply = await admin.relaunch(Relaunch(id, entity or "", name or "", recover, resume))
                return await self._replied(reply)
            entity = None
        found, literals, labels = await prepared(id, entity, self.engine, self._prepares)
        recovered = id if recover else ""
        return await self._launch(found, literals, name, recover=recovered, resume=resume, labels=labels)

    async def _replied(self, reply: LaunchReply) -> Execution:
        execution = await self.get(reply.id)
        execution.created, execution.recovered = reply.created, reply.recovered
        if self._on_exit != "detach":
            self._launched.add(reply.id)
        return execution

    async def signal(self, id: str, name: str, value: Any) -> None:
        """Answer a gate: True or False to an approval, a value to an input. Returns when the answer is durable.

        Args:
            id: The execution.

            name: The gate's name, or the id of its node where several of that name wait. A gate that is not there yet takes
                the answer when it comes.

        Raises:
            NotFound: There is no such execution, or no such gate.

            InputError: The value is of another type.

            ConflictError: Several gates of that name wait; it was answered already with another value; or the execution has
                ended.
        """
        from wingbeat.base.ids import short_id

        gate, preparer = await self.gate(id, name), self._preparer
        assert preparer is not None
        await self.engine.signal(id, name, preparer.answer(name, value, gate.type), short_id(os.urandom(16)))

    async def gate(self, id: str, name: str) -> GateView:
        """What the gate of an execution takes, by its name or the id of its node. It waits, or is still to come.

        Raises:
            NotFound: There is no such execution, or no such gate.

            ConflictError: Several gates of that name wait; or the execution has ended.
        """
        from wingbeat.kernel.answers import gate_of

        return gate_of(await self.engine.describe(id), await self.engine.closure(id), name)

    async def get(self, id: str) -> Execution:
        """The execution of that id. Raises NotFound."""
        from wingbeat.kernel.execution import Execution

        view = await self.engine.describe(id, nodes=False)
        closure = None if self._preparer is None else self._preparer.known(view.closure)
        if closure is not None:
            return Execution(id, self.engine, closure.decode)
        interface = (await self.engine.closure(id)).workflow.interface
        return Execution(id, self.engine, lambda outputs: self._generic(outputs, interface))

    async def evict_cache(
        self,
        *,
        key: str | None = None,
        task: str | None = None,
        older_than: Duration | None = None,
        size_max: str | int | None = None,
        everything: bool = False,
    ) -> Evicted:
        """Remove entries from the cache: those that all that is given selects. What they stand for is computed anew.

        The values themselves stay in storage, where executions refer to them.

        Args:
            key: The entry of this key, as `wingbeat explain cache` shows it.

            task: Those of the task of this name.

            older_than: Those published so long ago, or longer: a `timedelta`, ``"90s"``, ``"7d"``, or seconds.

            size_max: Of what the others select, the least recently used, until at most so much is left, as ``"50Gi"``.

            everything: All entries.

        Raises:
            InputError: Nothing says which, or an age or size is none.

            ConfigurationError: There is no catalog, or this kernel is read-only.
        """
        from wingbeat.contracts.catalog import Eviction

        try:
            seconds = None if older_than is None else parse_duration_s(older_than)
            size = None if size_max is None else parse_size(size_max)
        except ValueError as error:
            raise InputError(f"{error}.") from error
        return await self.engine.evict_cache(Eviction(key, task, seconds, size, everything))

    async def collect(self, *, dry: bool = False) -> Collected:
        """Let go of what is over: of executions whose time is over by the section ``retention`` of the settings or by their launch
        plan, and of content that nothing refers to. A kernel that stays open does so now and then by itself.

        Opens the admin, if one is installed, as `admin` does.

        Args:
            dry: Only look.

        Raises:
            ConfigurationError: It cannot be done from here; the message says where it can.
        """
        from wingbeat.contracts.retention import Collecting

        admin = await self.admin() if self._registry is not None and self._registry.names("admin") else None
        ways: tuple[object, ...] = (self._engine if self.holds else None, self._remote, admin, self._engine)
        for way in ways:
            if isinstance(way, Collecting):
                return await way.collect(dry=dry)
        raise ConfigurationError("What runs executions here keeps everything.")

    async def _collect(self, dry: bool) -> Collected:
        assert self._upkeep is not None, "this process holds the home"
        return await self._upkeep.collect(dry)

    def plain(self, literals: Literals, closure: Closure, *, inputs: bool = False) -> dict[str, Any]:
        """Outputs (or inputs) of an execution as plain data, as for JSON; files are named by a local path. Raises StorageFailed."""
        from wingbeat.kernel.inputs import decode_plain

        interface = closure.workflow.interface
        variables = [v for v in (interface.inputs if inputs else interface.outputs) if v.name in literals]
        return {v.name: decode_plain(v.name, literals[v.name], v.type, self._home) for v in variables}

    @property
    def _attempts(self) -> Path:
        return self._home.folder / ("attempts" if self._remote is None else "elsewhere")

    async def bring_logs(self, execution: str) -> None:
        """Where the engine is elsewhere: have the logs and pages of an execution here, as far as there are new ones, so that
        `log_path` and `deck_path` find them. Raises NotFound."""
        from wingbeat.contracts.attemptfiles import AttemptFiles

        remote: object = self._remote
        if isinstance(remote, AttemptFiles):
            await attemptfiles.bring(remote, execution, self._attempts, again=execution in self._brought)
            self._brought.add(execution)

    def log_path(self, execution: str, node: str, attempt: int) -> Path:
        """Where the output of an attempt's process is; there is no such file if it has printed nothing."""
        from wingbeat.base.ids import attempt_folder

        return self._attempts / attempt_folder(execution, node, attempt) / "log"

    def member_logs(self, execution: str, node: str, attempt: int) -> dict[str, Path]:
        """Of an attempt of several processes, the logs of the others: the first one's is the attempt's. By their names."""
        return attemptfiles.member_logs(self.log_path(execution, node, attempt).parent)

    def attempts(self, execution: str, node: str) -> list[int]:
        """Numbers of the attempts of a node, or of an item of a map, that have left a folder, also if nobody else knows
        them any more: those of items that have ended, and the turns of dynamic workflows."""
        return sorted(n for (n,) in attemptfiles.numbers(self._attempts, execution, node, 1))

    def items(self, execution: str, node: str) -> set[int]:
        """Items of a map of which an attempt has left a folder."""
        return {item for item, _ in attemptfiles.numbers(self._attempts, execution, node, 2)}

    def deck_path(self, execution: str, node: str, attempt: int) -> Path:
        """Where the page of an attempt is; there is no such file if it has made none."""
        return self.log_path(execution, node, attempt).with_name("deck.html")

    async def _launch(
        self,
        prepared: Prepared,
        literals: Literals,
        name: str | None,
        *,
        resume: bool = False,
        recover: str = "",
        labels: dict[str, str] | None = None,
    ) -> Execution:
        from msgspec.structs import replace

        from wingbeat.base.ids import short_id
        from wingbeat.contracts.engine import LaunchRequest
        from wingbeat.contracts.retention import RETENTION_LABEL
        from wingbeat.engine.identity import launch_key
        from wingbeat.kernel.execution import Execution

        key = launch_key(prepared.closure, literals)
        id = name or short_id(os.urandom(16))  # made here, so that the call can be repeated
        plan = prepared.plan
        labels = {**(plan.labels if plan is not None else {}), **(labels or {})}
        if plan is not None and plan.retention_days is not None:
            labels[RETENTION_LABEL] = str(plan.retention_days)
        request = LaunchRequest(prepared.closure, literals, id, key, resume, recover, labels)
        if plan is not None:
            request = replace(
                request, concurrency=plan.concurrency, pool=plan.pool, priority=plan.priority,
                failure_policy=plan.failure_policy,
            )  # fmt: skip
        reply = await self.engine.launch(request)
        if self._on_exit != "detach":
            self._launched.add(reply.id)
        return Execution(reply.id, self.engine, prepared.decode, created=reply.created, recovered=reply.recovered)

    @property
    def _prepares(self) -> Preparer:
        if self._preparer is None:
            raise ConfigurationError("The kernel is not open.", hint="Use 'async with Kernel() as kernel'.")
        return self._preparer

    def _check_launches(self) -> None:
        if self._read_only:
            raise ConfigurationError("This kernel is read-only; it launches nothing.")

    async def _definition(self, id: str) -> Definition:
        return await (await self.admin()).definition(id)

    def _generic(self, outputs: Literals, interface: Any) -> Any:
        from wingbeat.types import decode_generic

        assert self._preparer is not None
        io = self._preparer.io
        values = [decode_generic(self._preparer.whole(outputs[v.name]), v.type, io) for v in interface.outputs]
        return None if not values else values[0] if len(values) == 1 else tuple(values)

    async def _start(self, registry: Registry) -> LocalEngine:
        """Make the engine of this process, which has come to hold the home."""
        from wingbeat.kernel.making import engine_of
        from wingbeat.kernel.upkeep import Upkeep

        inline = None
        if self._inline:
            from wingbeat.builtin.inline import InlineExecutor

            assert self._preparer is not None
            inline = InlineExecutor(self._inline, self._preparer.io, str(self._home.folder / "attempts"))
        engine = engine_of(registry, self._home, inline, frozenset(task.name for task in self._inline))
        self._upkeep = Upkeep(registry, self._home, engine, lambda: self._admin)  # whose settings may be wrong
        await engine.start(f"pid {os.getpid()}")
        return engine

    async def _settle(self, engine: SharedEngine) -> None:
        """Drain or abort what this kernel launched."""
        import asyncio

        if self._on_exit == "abort":
            aborts = (engine.abort(id, "the kernel was closed") for id in self._launched)
            await asyncio.gather(*aborts, return_exceptions=True)
        else:
            await asyncio.gather(*(engine.wait(id) for id in self._launched))
