"""The process executor: `wingbeat.contracts.executor.Executor` with processes of this machine.

Everything that matters is in the attempts' directories (`wingbeat.runtime.files`), so this object, the warm parents and
the machine can go down at any time. What to do about an attempt is always decided from its directory:

=====================  ============================================================
claim                  what follows
=====================  ============================================================
none                   it never began: start it
says cancelled         `Aborted`
locked                 it runs: wait for its end, asking its parent if that lives
not locked             it has ended: its outcome, or what can be said of its end
=====================  ============================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.base.ids import attempt_folder
from wingbeat.builtin.process import gang
from wingbeat.builtin.process.adopt import until_gone
from wingbeat.builtin.process.parents import Answer, ParentError, ParentKey, Parents
from wingbeat.builtin.process.progress import Watch
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.builtin.process.slots import Slots
from wingbeat.builtin.process.verdict import ended, verdict, written
from wingbeat.contracts.environment import Environments
from wingbeat.contracts.executor import (
    Aborted,
    AttemptRequest,
    Capabilities,
    ErrorInfo,
    Failed,
    Outcome,
    Progress,
    Sink,
    Succeeded,
)
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.storage import StorageFailed, StorageRef
from wingbeat.runtime import claim, files
from wingbeat.runtime.checkpoint import carry
from wingbeat.runtime.job import Exit, Job
from wingbeat.runtime.reap import kill_group
from wingbeat.runtime.threads import in_thread
from wingbeat.spec.entities import Isolation
from wingbeat.spec.phase import AttemptPhase

LAUNCHES_MAX = 5
"""How often an attempt is sent to a parent that dies before it starts it."""
UNNAMED_S = 0.02
"""Pause before an attempt that has no number yet is looked at again."""
TROUBLE_S = 0.5
"""Pause before what the machine refused (processes, descriptors, disk) is tried again."""


DEFAULTS = ProcessSettings()


class Attempt:
    """An attempt that this kernel follows to its end."""

    __slots__ = ("directory", "how", "id", "line", "reason", "request", "slots", "task")

    def __init__(self, name: str, directory: str, request: AttemptRequest | None) -> None:
        self.id = name
        self.directory = directory
        self.request = request
        self.how = ""
        self.reason: str | None = None
        self.slots = 0
        self.line: Slots | None = None
        self.task: asyncio.Task[None] | None = None


class ProcessExecutor:
    """Runs attempts as processes forked from warm parents.

    Args:
        home: Folder of the engine; attempts, parents and bytecode are below it.

        environments: Makes the interpreters.

        bundle_path: Local folder of the bundle of a digest; called in a thread. Raises `OSError` if it is not to be
        had.

        storages: How an attempt's process makes its storage: see `Home.storages`.

        settings: Slots and times.
    """

    def __init__(
        self,
        home: str,
        *,
        environments: Environments,
        bundle_path: Callable[[str], str],
        storages: Sequence[StorageRef] = (),
        settings: ProcessSettings = DEFAULTS,
    ) -> None:
        home = os.path.abspath(home)
        self._attempts_dir = os.path.join(home, "attempts")
        self._environments = environments
        self._bundle_path = bundle_path
        self._storages = tuple(storages)
        self._settings = settings
        self._slots, self._turns = Slots(settings.slot_count), Slots(settings.slot_count)
        self._parents = Parents(home, settings, self._on_started)
        self._attempts: dict[str, Attempt] = {}
        self._bundles: dict[str, str] = {"": ""}
        self._environments_seen: set[Any] = set()
        self._preparing: defaultdict[Any, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._sink: Sink | None = None
        self._watch = Watch(self._advanced)

    @property
    def capabilities(self) -> Capabilities:
        """It can do everything that the contract knows, but containers."""
        return Capabilities(
            adopts=True,
            isolates=True,
            reports_running=True,
            reports_progress=True,
            carries_checkpoints=True,
            secrets=True,
            gangs=True,
        )

    async def start(self, sink: Sink) -> None:
        """Make the folders."""
        self._sink = sink
        try:
            os.makedirs(self._attempts_dir, exist_ok=True)
            self._parents.prepare()
        except OSError as error:
            raise ConfigurationError(f"The process executor cannot use {self._attempts_dir}: {error}.") from error

    async def submit(self, request: AttemptRequest) -> None:
        """Take an attempt, unless it is followed already; its directory says whether it ever began."""
        if request.id not in self._attempts:
            directory = self._directory(request.id)
            try:
                fresh = _make_directory(directory)
            except OSError:  # a full disk, mostly; who follows it waits for what the machine refuses
                fresh = False
            hit("executor.directory-made")
            self._follow(Attempt(request.id, directory, request), fresh=fresh)

    async def recover(self, requests: Sequence[AttemptRequest]) -> None:
        """Adopt: what runs has its slots before anything else is started."""
        found = [Attempt(r.id, self._directory(r.id), r) for r in requests if r.id not in self._attempts]
        for attempt in found:
            if claim.held(attempt.directory):
                self._hold(attempt)
        for attempt in found:
            self._follow(attempt, fresh=_make_directory(attempt.directory))

    async def cancel(self, attempt: str, reason: str) -> None:
        """Stop an attempt: SIGTERM, SIGKILL after a grace, until it is gone; or see to it that it never starts."""
        known = self._attempts.get(attempt)
        directory = self._directory(attempt)
        _make_directory(directory)
        if claim.refuse(directory, reason):
            if known is not None:
                await self._drop(known)
            self._tell.ended(attempt, Aborted(reason))
            return
        if known is None:
            known = Attempt(attempt, directory, None)
            self._follow(known, fresh=False)
        if known.reason is None and written(directory) is None:
            known.reason = reason
        hit("executor.cancel")
        await self._kill(known)

    async def list(self) -> list[str]:
        """Attempts that run, also those of earlier kernels that nobody asked to recover."""
        found = {name for name, attempt in self._attempts.items() if attempt.slots}
        for link in await self._parents.all():
            found.update(await link.running())
        return sorted(found)

    async def close(self) -> None:
        """Stop following. What runs goes on."""
        self._watch.close()
        tasks = [a.task for a in self._attempts.values() if a.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._attempts.clear()
        self._parents.close()

    @property
    def _tell(self) -> Sink:
        assert self._sink is not None, "start() comes first"
        return self._sink

    def _directory(self, attempt: str) -> str:
        parts = attempt.split("/")
        if (
            len(parts) != 3
            or any(part in ("", ".", "..") or "\0" in part for part in parts)
            or not parts[2].isdecimal()
        ):
            raise ValueError(f"{attempt!r} is no attempt's id: expected execution/node/attempt")
        return f"{self._attempts_dir}/{attempt_folder(parts[0], parts[1], int(parts[2]))}"

    def _follow(self, attempt: Attempt, *, fresh: bool) -> None:
        self._attempts[attempt.id] = attempt
        attempt.task = asyncio.get_running_loop().create_task(self._run(attempt, fresh))

    async def _run(self, attempt: Attempt, fresh: bool) -> None:
        """Follow an attempt to its end and report it."""
        try:
            while True:
                try:
                    outcome = await self._outcome(attempt, fresh)
                    hit("executor.ended")
                    break
                except StorageFailed:
                    raise
                except OSError as error:
                    # Whether it runs cannot be told now (no descriptors, full disk), so nothing may be concluded.
                    self._tell.progress(attempt.id, AttemptPhase.WAITING_FOR_RESOURCES, f"the machine refuses: {error}")
                    await asyncio.sleep(TROUBLE_S)
                    fresh = False
        except ConfigurationError as error:
            outcome = Failed(ErrorInfo("EnvironmentError", str(error), retryable=False))
        except StorageFailed as error:
            outcome = Failed(ErrorInfo("StorageFailed", str(error), ErrorKind.SYSTEM))
        except ParentError as error:
            outcome = Failed(ErrorInfo("ParentError", str(error), ErrorKind.SYSTEM))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an attempt that is never heard of again would hang its execution
            trace = "".join(traceback.format_exception(error))
            outcome = Failed(
                ErrorInfo("ExecutorError", f"{type(error).__name__}: {error}", ErrorKind.SYSTEM, trace=trace)
            )
        finally:
            self._watch.remove(attempt.id)
            if attempt.line is not None:
                attempt.line.release(attempt.slots)
            attempt.slots, attempt.line = 0, None
            if self._attempts.get(attempt.id) is attempt:
                del self._attempts[attempt.id]
        if attempt.reason is not None and not isinstance(outcome, Succeeded):
            outcome = Aborted(attempt.reason, outcome.error.evidence if isinstance(outcome, Failed) else {})
        self._tell.ended(attempt.id, outcome)

    async def _outcome(self, attempt: Attempt, fresh: bool) -> Outcome:
        launches = 0
        if not fresh:
            _make_directory(attempt.directory)
        while True:
            owner = None if fresh and not launches else claim.read(attempt.directory)
            if owner is not None:
                if owner.cancelled is not None:
                    return Aborted(owner.cancelled)
                return self._verdict(attempt, await self._until_ended(attempt, owner))
            launches += 1
            if launches > LAUNCHES_MAX:
                raise ParentError("The warm parent died again and again before it started the attempt.")
            answer = await self._launch(attempt)
            if isinstance(answer, Exit):
                return self._verdict(attempt, answer)
            if answer == "unknown":
                launches -= 1
                reason = "no process can be made for it (limit of processes or memory?)"
                self._tell.progress(attempt.id, AttemptPhase.WAITING_FOR_RESOURCES, reason)
                await asyncio.sleep(TROUBLE_S)

    async def _until_ended(self, attempt: Attempt, owner: claim.Claim) -> Exit | None:
        """Wait for the end of an attempt that somebody has claimed, and for its warm parent to be done with it."""
        if claim.held(attempt.directory):
            self._hold(attempt)
            self._on_started(attempt.id, owner.pid, "adopted")
        elif (end := ended(attempt.directory)) is not None:
            return end
        hit("executor.adopted")
        link = await self._parents.find(owner.parent)
        if link is not None and isinstance(answer := await link.watch(attempt.id), Exit):
            return answer
        if (end := ended(attempt.directory)) is None:
            await until_gone(owner, attempt.directory, attempt.id)
        return end or ended(attempt.directory)

    async def _launch(self, attempt: Attempt) -> Answer:
        """Prepare, wait for slots, hand over to a parent. Answers as `Link.run` does."""
        request = attempt.request
        assert request is not None, "an attempt without a request is claimed already"
        key = await self._prepare(request)
        if not attempt.slots:
            line = self._line(request)
            count = gang.slots(line, request.task)
            if not line.try_acquire(count):
                reason = f"{line.total} slots are taken"
                self._tell.progress(attempt.id, AttemptPhase.WAITING_FOR_RESOURCES, reason)
                await line.acquire(count)
            attempt.slots, attempt.line = count, line
        hit("executor.slots-taken")
        if request.checkpoint:  # which may have to be copied
            await asyncio.to_thread(carry, self._attempts_dir, attempt.id, request.checkpoint)
        elif not attempt.id.endswith("/0"):
            carry(self._attempts_dir, attempt.id, "")
        job = msgspec.json.encode(self._job(attempt, request, key.bundle))
        inputs = msgspec.json.encode(request.inputs)
        if len(inputs) > files.INPUTS_SENT_MAX:
            await asyncio.to_thread(files.write_atomic, attempt.directory, files.INPUTS, inputs)
            inputs = b""
        link = await self._parents.get(key)
        hit("executor.before-send")
        running = link.run(attempt.id, job, inputs)
        hit("executor.sent")
        return await running

    async def _prepare(self, request: AttemptRequest) -> ParentKey:
        """The interpreter and the code, made where they are not there yet."""
        seen = (request.declared_environment, request.environment)
        async with self._preparing[
            *seen, request.bundle
        ]:  # in order of arrival: who waits while it is made is not overtaken
            if seen not in self._environments_seen:
                self._tell.progress(request.id, AttemptPhase.INITIALIZING, "preparing the environment")
            interpreter = await self._environments.ensure(*seen)
            self._environments_seen.add(seen)
            bundle = self._bundles.get(request.bundle)
            if bundle is None:
                bundle = await in_thread(self._bundle_path, request.bundle)
                self._bundles[request.bundle] = bundle = os.path.realpath(bundle)
        return ParentKey(interpreter, bundle, tuple(sorted(request.task.variables.items())))

    def _job(self, attempt: Attempt, request: AttemptRequest, bundle: str) -> Job:
        task = request.task
        return Job(
            id=attempt.id,
            directory=attempt.directory,
            task=task.name,
            module=task.entry.module,
            function=task.entry.function,
            outputs=tuple(output.name for output in task.interface.outputs),
            run_s=task.timeout.run_s,
            bundle=bundle,
            cache=self._parents.cache,
            spawn=task.isolation is Isolation.SPAWN,
            storages=self._storages,
            wrappers=task.wrappers,
            variables={**task.variables, **request.variables},
            cpu=task.resources.cpu,
            memory_bytes=task.resources.memory_bytes,
            deck_bytes_max=self._settings.deck_bytes_max,
            replay=request.replay,
            secrets=task.secrets,
            source=request.secrets,
            gang=None if task.gang is None else gang.job(task.gang, self._settings),
        )

    def _verdict(self, attempt: Attempt, end: Exit | None) -> Outcome:
        memory = attempt.request.task.resources.memory_bytes if attempt.request else None
        if attempt.request is None or attempt.request.task.gang is not None:
            return gang.verdict(attempt.directory, end, memory, attempt.how)
        return verdict(attempt.directory, end, memory, attempt.how)

    def _hold(self, attempt: Attempt) -> None:
        """Count the slots of an attempt that runs without having waited for them."""
        if not attempt.slots:
            attempt.line = self._line(attempt.request)
            attempt.slots = gang.slots(attempt.line, attempt.request.task) if attempt.request else 1
            attempt.line.take(attempt.slots)

    def _line(self, request: AttemptRequest | None) -> Slots:
        """Turns of bodies have slots of their own: behind the tasks that it waits for, none could answer to them in time."""
        return self._slots if request is None or request.replay is None else self._turns

    def _on_started(self, name: str, pid: int, how: str) -> None:
        attempt = self._attempts.get(name)
        if attempt is not None:
            attempt.how = how
            self._watch.add(name, attempt.directory)
            log = os.path.join(attempt.directory, files.LOG)
            self._tell.running(name, {"pid": pid, "process": how, "log": log})

    def _advanced(self, name: str, progress: Progress) -> None:
        self._tell.advanced(name, progress)

    async def _drop(self, attempt: Attempt) -> None:
        """Stop following an attempt that will never run."""
        assert attempt.task is not None
        attempt.task.cancel()
        await asyncio.wait({attempt.task})

    async def _kill(self, attempt: Attempt) -> None:
        """Signal a running attempt until its end has been reported."""
        assert attempt.task is not None
        number, grace = signal.SIGTERM, self._settings.cancel_grace_s
        while not attempt.task.done():
            owner = claim.read(attempt.directory)
            if owner is not None and owner.pid and claim.held(attempt.directory):
                kill_group(owner.pid, number)
                hit("executor.signalled")
                await asyncio.wait({attempt.task}, timeout=grace)
                number, grace = signal.SIGKILL, 1.0
            else:  # it is about to say its number, or to be reported
                await asyncio.wait({attempt.task}, timeout=UNNAMED_S)


def _make_directory(directory: str) -> bool:
    """Make an attempt's directory. False if it was there."""
    try:
        os.mkdir(directory)
    except FileExistsError:
        return False
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(directory))
        return _make_directory(directory)
    return True
