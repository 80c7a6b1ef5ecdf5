"""The container executor: `wingbeat.contracts.executor.Executor` with containers of this machine.

Everything that matters is in the attempt's directory and at the engine, so this object and the machine can go down at any time.
What to do about an attempt is always decided from there:

=================================  ====================================================================
seen                               what follows
=================================  ====================================================================
``outcome`` in its directory       that is reported
its claim says cancelled           `Aborted`
no claim                           it never began, and a container of its name is left from somebody who
                                   did not come to start it: that is removed, another made, the attempt
                                   claimed, the container started
claim, and the container runs      it is followed
claim, and it has ended            its outcome is taken
claim, and it never started        whoever claimed it died in that moment: it is removed, and lost
claim, and no container            it is lost
=================================  ====================================================================

An attempt never runs twice: only who made the claim sends a start, once, to the container that he made himself, by its id; and
nobody makes one for an attempt that is claimed. A start that is answered late, or never, finds its container running, ended or
gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from wingbeat.attempts import AttemptFiles, PlacedSecrets, Slots, Watch
from wingbeat.base.errors import ConfigurationError, ErrorKind
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
from wingbeat.contracts.storage import Storage
from wingbeat.spec.phase import AttemptPhase
from wingbeat_container import manifest, memory, output
from wingbeat_container.collecting import Collector, OutputError
from wingbeat_container.connection import Connection
from wingbeat_container.images import ImageError
from wingbeat_container.kept import OUTCOME, clear, kept
from wingbeat_container.model import Image, Refused, Seen, Unreachable
from wingbeat_container.plans import check_mounts, plan
from wingbeat_container.secrets import Held, masked
from wingbeat_container.settings import ContainerSettings
from wingbeat_container.staging import TASK, Files, Stage, Staged, StagingError
from wingbeat_container.verdict import LOST, End, failure

if TYPE_CHECKING:
    from wingbeat_container.client import Engine

CREATES_MAX = 5
TROUBLE_S = 0.5
"""Pause before what the machine or the engine refused is tried again."""
SETTLE_S = 5.0
"""How long a start may be under way at the engine that nobody waits for any more."""
LOOK_S = 30.0
"""A container that is waited for is looked at this often in any case."""
END_S = 0.03
"""Pause before the first look at a container whose process has ended."""
UNHEARD_S = 1.0
"""How long the engine may take to say what was seen already."""
LOG_S = 10.0
"""How long the end of the log may take to come when the container has ended."""

DEFAULTS = ContainerSettings()


class Attempt:
    """An attempt that this kernel follows to its end."""

    __slots__ = (
        "container",
        "files",
        "image",
        "name",
        "reason",
        "refusal",
        "request",
        "secrets",
        "slots",
        "task",
        "usage",
    )

    def __init__(self, files: AttemptFiles, name: str, request: AttemptRequest | None) -> None:
        self.files, self.name, self.request = files, name, request
        self.container = ""
        self.image: Image | None = None
        self.secrets: PlacedSecrets | None = None
        self.reason: str | None = None
        self.refusal: str | None = None
        self.slots = 0
        self.task: asyncio.Task[None] | None = None
        self.usage = memory.Usage()

    @property
    def id(self) -> str:
        """``execution/node/attempt``."""
        return self.files.id

    @property
    def memory_bytes(self) -> int | None:
        """Its limit."""
        return None if self.request is None else self.request.task.resources.memory_bytes


class ContainerExecutor:
    """Runs attempts as containers of the engine behind a Unix socket.

    Args:
        home: Folder of the kernel; attempts are below it.

        storage: Where inputs are and outputs go.

        files: The storage of files of the home, of which Python tasks have a part.

        bundle_path: Local folder of the bundle of a digest; called in a thread.

        settings: Socket, slots, times, limits.
    """

    def __init__(
        self,
        home: str,
        *,
        storage: Storage,
        files: Files,
        bundle_path: Callable[[str], str],
        settings: ContainerSettings = DEFAULTS,
    ) -> None:
        from hashlib import sha256

        home = os.path.realpath(home)
        self._attempts_dir = os.path.join(home, "attempts")
        self._home = sha256(home.encode()).hexdigest()[:16]
        self._held = Held(self._home)
        self._used = os.path.join(home, "containers")
        self._bundle_path, self._settings = bundle_path, settings
        self._stage, self._collector = Stage(storage, files), Collector(storage, files)
        check_mounts(settings)
        self._slots = Slots(settings.slot_count)
        self._attempts: dict[str, Attempt] = {}
        self._watch = Watch(self._advanced)
        self._background: set[asyncio.Task[Any]] = set()
        self._sweeps = False
        self._unheard: set[asyncio.Task[None]] = set()
        self._connection = Connection(settings)
        self._sink: Sink | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Containers, with everything that goes with attempts; no functions without an image."""
        return Capabilities(
            adopts=True, isolates=True, reports_running=True, reports_progress=True, carries_checkpoints=True,
            functions=False, containers=True, secrets=True,
        )  # fmt: skip

    # -- contracts.executor.Executor

    async def start(self, sink: Sink) -> None:
        """Nothing is asked of the engine yet: whoever runs no containers need not have one."""
        self._sink = sink
        try:
            os.makedirs(self._attempts_dir, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"The container executor cannot use {self._attempts_dir}: {error}.") from error
        if os.path.exists(self._used):
            self._begin_to_sweep()

    async def submit(self, request: AttemptRequest) -> None:
        """Take an attempt, unless it is followed already; its directory and the engine say whether it ever began."""
        if not self._sweeps:
            with contextlib.suppress(OSError):
                os.makedirs(self._used, exist_ok=True)
            self._begin_to_sweep()
        if request.id not in self._attempts:
            self._follow(self._attempt(request.id, request))

    async def recover(self, requests: Sequence[AttemptRequest]) -> None:
        """Adopt."""
        for request in requests:
            await self.submit(request)

    async def cancel(self, attempt: str, reason: str) -> None:
        """Stop an attempt: SIGTERM, SIGKILL after a grace, until it is gone; or see to it that it never starts."""
        known = self._attempts.get(attempt)
        files = self._files(attempt)
        files.make()
        if files.refuse(reason):
            if known is not None and known.task is not None:
                known.task.cancel()
                await asyncio.wait({known.task})
            if known is not None:
                self._spawn(self._discard(known.name))
            self._tell.ended(attempt, Aborted(reason))
            return
        if (refused := files.refused()) is not None:
            self._tell.ended(attempt, Aborted(refused))
            return
        if known is None:
            known = self._attempt(attempt, None)
            self._follow(known)
        if known.reason is None and kept(files) is None:
            known.reason = reason
        hit("container.cancel")
        await self._kill(known)

    async def list(self) -> list[str]:
        """Attempts whose containers run, also those that nobody asked to recover."""
        found = {name for name, attempt in self._attempts.items() if attempt.slots}
        if os.path.exists(self._used):
            with contextlib.suppress(Unreachable, Refused, ConfigurationError):
                engine = (await self._connection.get()).engine
                there = await engine.list(f"{manifest.LABEL_HOME}={self._home}")
                found |= {seen.attempt for seen in there if seen.begun and not seen.ended and seen.state != "removing"}
        return sorted(found)

    async def close(self) -> None:
        """Stop following. What runs goes on."""
        self._watch.close()
        if self._unheard:  # their answer is on its way
            await asyncio.wait(self._unheard, timeout=UNHEARD_S)
        tasks = [a.task for a in self._attempts.values() if a.task is not None] + list(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._attempts.clear()
        await self._connection.close()

    # -- following

    @property
    def _tell(self) -> Sink:
        assert self._sink is not None, "start() comes first"
        return self._sink

    def _files(self, attempt: str) -> AttemptFiles:
        return AttemptFiles(self._attempts_dir, attempt)

    def _attempt(self, name: str, request: AttemptRequest | None) -> Attempt:
        return Attempt(self._files(name), manifest.container_name(self._home, name), request)

    def _follow(self, attempt: Attempt) -> None:
        self._attempts[attempt.id] = attempt
        attempt.task = asyncio.get_running_loop().create_task(self._run(attempt))

    async def _run(self, attempt: Attempt) -> None:
        """Follow an attempt to its end and report it."""
        try:
            outcome = await self._patiently(attempt)
        except ConfigurationError as error:
            outcome = Failed(ErrorInfo("ConfigurationError", str(error), ErrorKind.SYSTEM, retryable=False))
        except StagingError as error:
            outcome = Failed(ErrorInfo("InputError", str(error), retryable=False))
        except ImageError as error:
            outcome = Failed(error.info)
        except Exception as error:  # noqa: BLE001  # an attempt that is never heard of again would hang its execution
            await self._see_gone(attempt)
            trace = "".join(traceback.format_exception(error))
            outcome = Failed(
                ErrorInfo("ExecutorError", f"{type(error).__name__}: {error}", ErrorKind.SYSTEM, trace=trace)
            )
        finally:
            self._watch.remove(attempt.id)
            self._slots.release(attempt.slots)
            attempt.slots = 0
            if self._attempts.get(attempt.id) is attempt:
                del self._attempts[attempt.id]
        if attempt.reason is not None and not isinstance(outcome, Succeeded):
            outcome = Aborted(attempt.reason, outcome.error.evidence if isinstance(outcome, Failed) else {})
        self._tell.ended(attempt.id, outcome)

    async def _patiently(self, attempt: Attempt) -> Outcome:
        """The outcome; what the machine or the engine refuses now is tried again, because nothing may be concluded from it."""
        while True:
            try:
                attempt.files.make()
                return await self._outcome(attempt)
            except OSError as error:
                self._waits(attempt, f"the machine refuses: {error}")
            except Unreachable as error:
                self._waits(attempt, f"the container engine does not answer: {error}")
            except Refused as error:
                if not attempt.files.claimed():
                    return Failed(ErrorInfo("EngineFailed", f"The container engine refuses: {error}", ErrorKind.SYSTEM))
                self._waits(attempt, f"the container engine refuses: {error}")
            await asyncio.sleep(TROUBLE_S)

    async def _outcome(self, attempt: Attempt) -> Outcome:
        while True:
            if (ended := kept(attempt.files)) is not None:
                self._spawn(self._discard(attempt.name))
                return ended
            if (refused := attempt.files.refused()) is not None:
                return Aborted(refused)
            if attempt.files.claimed():
                break
            await self._launch(attempt)
        outcome = await self._to_its_end(attempt)
        attempt.files.write(OUTCOME, msgspec.json.encode(outcome))
        hit("container.outcome-written")
        self._spawn(self._discard(attempt.name))
        if isinstance(outcome, Succeeded) or attempt.secrets is not None:  # which may be in what it has left
            await asyncio.to_thread(clear, f"{attempt.files.path}/{TASK}", report=attempt.secrets is None)
        return outcome

    async def _launch(self, attempt: Attempt) -> None:
        """Make the container, claim the attempt and start it. Returns when its directory and the engine say what is to be done."""
        request = attempt.request
        assert request is not None, "an attempt without a request is claimed already"
        link = await self._connection.get()
        engine, images = link.engine, link.images
        await self._take_slots(attempt, request)
        spec = request.task.container
        assert spec is not None, "the engine gives it tasks with a container"
        if (left := await engine.inspect(attempt.name)) is not None and left.begun:
            attempt.files.claim()  # which is gone, with the power: what has begun is not begun again
            return
        if await images.missing(spec):
            self._tell.progress(attempt.id, AttemptPhase.INITIALIZING, f"pulling image {spec.image}")
        attempt.image = await images.get(spec)
        if request.checkpoint or not attempt.id.endswith("/0"):
            await asyncio.to_thread(attempt.files.carry_checkpoint, request.checkpoint)
        staged = await asyncio.to_thread(self._staged, attempt.files, request)
        secrets = ""
        if request.task.secrets:
            attempt.secrets = await self._placed(attempt, request)
            secrets = self._held.path(attempt.name)
        body = manifest.body(plan(request, staged, attempt.image, link.user, self._home, self._settings, secrets))
        hit("container.staged")
        container = await self._create(engine, attempt, body)
        hit("container.created")
        if not container:
            return
        if not attempt.files.claim():
            await engine.remove(container)
            return
        hit("container.claimed")
        attempt.container = container
        try:
            await engine.start(container, self._settings.start_s)
        except Refused as error:
            attempt.refusal = error.message
        hit("container.started")

    async def _placed(self, attempt: Attempt, request: AttemptRequest) -> PlacedSecrets:
        found = await asyncio.to_thread(self._held.put, attempt.name, request)
        if isinstance(found, ErrorInfo):
            raise ImageError(found)
        hit("container.secrets-placed")
        return found

    async def _take_slots(self, attempt: Attempt, request: AttemptRequest) -> None:
        if attempt.slots:
            return
        count = self._slots.wanted(request.task.resources.cpu)
        if not self._slots.try_acquire(count):
            self._waits(attempt, f"{self._slots.total} slots are taken")
            await self._slots.acquire(count)
        attempt.slots = count

    async def _create(self, engine: Engine, attempt: Attempt, body: dict[str, Any]) -> str:
        """A container of the attempt's name that was made here and now; empty if one has begun meanwhile."""
        for _ in range(CREATES_MAX):
            if (left := await engine.inspect(attempt.name)) is not None:
                if left.begun:
                    return ""
                await engine.remove(left.id)
            try:
                return await engine.create(attempt.name, body)
            except Refused as error:
                if error.status != 409:
                    info = ErrorInfo("NotCreated", f"The container cannot be made: {error.message}", ErrorKind.SYSTEM)
                    raise ImageError(info) from error
        raise Unreachable(f"there is a container named {attempt.name} again and again")

    async def _to_its_end(self, attempt: Attempt) -> Outcome:
        """Follow an attempt that is claimed."""
        engine = (await self._connection.get(patient=True)).engine
        seen = await self._begun(engine, attempt)
        if seen is None:
            return Failed(LOST)
        hit("container.adopted")
        if attempt.secrets is None:
            attempt.secrets = await asyncio.to_thread(self._held.known, attempt.name, attempt.request)
        if attempt.refusal is not None and seen.state != "running":
            return await self._collected(attempt, seen, started=False)
        pump = asyncio.create_task(
            output.follow(engine, seen.id, attempt.files, self._settings.log_bytes_max, attempt.secrets)
        )
        looking = asyncio.create_task(memory.watch(seen.pid, seen.id, attempt.usage))
        try:
            if not seen.ended:
                self._told_running(attempt, seen)
            ended = await self._ended(engine, seen, looking)
            if ended is None:
                return Failed(LOST)
            await asyncio.wait({pump}, timeout=LOG_S)
            pump.cancel()
            await output.complete(engine, seen.id, attempt.files, self._settings.log_bytes_max, attempt.secrets)
        finally:
            pump.cancel()
            looking.cancel()
        hit("container.ended")
        return await self._collected(attempt, ended, started=True)

    async def _begun(self, engine: Engine, attempt: Attempt) -> Seen | None:
        """The container of a claimed attempt, once it has begun; None if it is lost."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTLE_S
        while True:
            seen = await engine.inspect(attempt.container or attempt.name)
            if seen is None or seen.begun or attempt.refusal is not None:
                return seen
            if loop.time() > end and await engine.remove(seen.id):
                return None
            await asyncio.sleep(0.1)

    async def _ended(self, engine: Engine, seen: Seen, looking: asyncio.Task[bool]) -> Seen | None:
        """The container once it does not run any more; None if it is gone. However long the engine does not answer.

        Its process is seen to end some time before the engine says so; the request that waits for that is left to itself then.
        """
        found: Seen | None = seen
        waiting: asyncio.Task[None] | None = None
        pause = END_S
        while found is not None and not found.ended:
            if waiting is None:
                waiting = self._spawn(engine.wait(seen.id, LOOK_S))
            try:
                if looking.done() and looking.result():
                    await asyncio.wait({waiting}, timeout=pause)
                    pause = min(2 * pause, TROUBLE_S)
                else:
                    await asyncio.wait(
                        {waiting} if looking.done() else {waiting, looking}, return_when="FIRST_COMPLETED"
                    )
                if waiting.done():
                    done, waiting = waiting, None
                    await done
                found = await engine.inspect(seen.id)
            except (Unreachable, Refused):
                await asyncio.sleep(TROUBLE_S)
        if waiting is not None and not waiting.done():
            self._unheard.add(waiting)
            waiting.add_done_callback(self._unheard.discard)
        return found

    async def _collected(self, attempt: Attempt, seen: Seen, *, started: bool) -> Outcome:
        """The outcome of a container that does not run."""
        request = attempt.request
        if request is None:
            return Failed(LOST)
        spec = request.task.container
        assert spec is not None
        end = End(
            started=started,
            exit_code=seen.exit_code,
            oom=seen.oom,
            oom_kills=attempt.usage.oom_kills,
            memory_peak_bytes=attempt.usage.peak_bytes,
            message=attempt.refusal or seen.message,
            memory_bytes=attempt.memory_bytes,
            program=spec.command[0] if spec.command else "python3",
        )
        seen_of_it = {**self._where(attempt, seen), **seen.moments}
        if not started and (info := failure(end)) is not None:
            return Failed(msgspec.structs.replace(info, evidence=seen_of_it))
        try:
            outcome = await asyncio.to_thread(self._collector.outcome, request, attempt.files, end, attempt.secrets)
        except OutputError as error:
            outcome = Failed(ErrorInfo(error.code, f"Task {request.task.name}: {error}"))
        if attempt.secrets is not None:
            outcome = masked(outcome, request.task.name, attempt.secrets)
        match outcome:
            case Succeeded(outputs, found):
                return Succeeded(outputs, evidence={**seen_of_it, **found})
            case Failed(info):
                return Failed(msgspec.structs.replace(info, evidence={**seen_of_it, **info.evidence}))
            case _:
                return outcome

    def _told_running(self, attempt: Attempt, seen: Seen) -> None:
        if not attempt.slots:  # adopted: it runs without having waited for them
            attempt.slots = self._slots.wanted(attempt.request.task.resources.cpu if attempt.request else None)
            self._slots.take(attempt.slots)
        self._watch.add(attempt.id, f"{attempt.files.path}/{TASK}")
        self._tell.running(attempt.id, {**self._where(attempt, seen), "log": attempt.files.log})

    def _where(self, attempt: Attempt, seen: Seen) -> dict[str, Any]:
        spec = attempt.request.task.container if attempt.request else None
        found = {"container": seen.id[:12], "image": spec.image if spec else "", "image_id": seen.image}
        if attempt.image is not None and attempt.image.digest:
            found["digest"] = attempt.image.digest
        found["engine"] = self._connection.name
        return found

    def _waits(self, attempt: Attempt, reason: str) -> None:
        self._tell.progress(attempt.id, AttemptPhase.WAITING_FOR_RESOURCES, reason)

    def _advanced(self, name: str, progress: Progress) -> None:
        attempt = self._attempts.get(name)
        if attempt is not None and attempt.secrets is not None:
            progress = msgspec.structs.replace(progress, text=attempt.secrets.text(progress.text))
        self._tell.advanced(name, progress)

    def _staged(self, files: AttemptFiles, request: AttemptRequest) -> Staged:
        spec = request.task.container
        assert spec is not None
        if spec.command:
            return self._stage.command(request, files)
        return self._stage.function(request, files, self._bundle_path(request.bundle) if request.bundle else "")

    # -- ending

    async def _kill(self, attempt: Attempt) -> None:
        """Stop a claimed attempt until its end has been reported."""
        assert attempt.task is not None
        while not attempt.task.done():
            await self._stop(attempt)
            await asyncio.wait({attempt.task}, timeout=1.0)

    async def _stop(self, attempt: Attempt) -> None:
        try:
            engine = (await self._connection.get(patient=True)).engine
            await engine.stop(attempt.name, self._settings.cancel_grace_s)
        except (Unreachable, Refused, OSError):
            await asyncio.sleep(TROUBLE_S)

    async def _see_gone(self, attempt: Attempt) -> None:
        """Return when nothing of an attempt runs that is not followed any more."""
        while attempt.files.claimed():
            with contextlib.suppress(Unreachable, Refused):
                engine = (await self._connection.get(patient=True)).engine
                seen = await engine.inspect(attempt.name)
                if seen is None or not seen.begun or seen.ended:
                    return
            await self._stop(attempt)

    async def _discard(self, name: str) -> None:
        """Remove a container that has ended or will never start; the sweep does it if this does not."""
        await asyncio.to_thread(self._held.forget, name)
        with contextlib.suppress(Unreachable, Refused, ConfigurationError):
            await (await self._connection.get()).engine.remove(name)
            hit("container.removed")

    def _begin_to_sweep(self) -> None:
        self._sweeps = True
        self._spawn(self._sweep())

    async def _sweep(self) -> None:
        """From time to time, remove containers of this home that nobody needs any more."""
        while True:
            with contextlib.suppress(Exception):  # whatever the engine answers, the next look may find another
                secrets = set(self._held.containers())
                engine = (await self._connection.get()).engine
                for seen in await engine.list(f"{manifest.LABEL_HOME}={self._home}"):
                    if seen.attempt not in self._attempts and self._is_waste(seen):
                        await engine.remove(seen.id)
                    else:
                        secrets.discard(manifest.container_name(self._home, seen.attempt))
                for name in secrets.difference(attempt.name for attempt in self._attempts.values()):
                    await asyncio.to_thread(self._held.forget, name)
            await asyncio.sleep(self._settings.sweep_s)

    def _is_waste(self, seen: Seen) -> bool:
        if seen.begun and not seen.ended:
            return False
        files = self._files(seen.attempt)
        done = kept(files) is not None or files.refused() is not None
        return done or time.time() - seen.created > self._settings.keep_s

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._let_go)
        return task

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it has seen it
