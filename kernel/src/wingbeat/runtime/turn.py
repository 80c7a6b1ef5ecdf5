"""One turn of the body of a dynamic workflow: it is run from its beginning, told what is recorded, and ends where it waits.

The key of a call is the path of the user's functions to it and how often that path was taken, so that a line that moves, or a
call that is added elsewhere, changes no other key.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from wingbeat.base.errors import CompileError, ExecutionFailed, NonRetryable
from wingbeat.base.units import counted
from wingbeat.contracts.executor import Call, Kept, Made, Recorded, Replay, Suspended
from wingbeat.contracts.failpoints import hit
from wingbeat.runtime.replayloop import TURNS_MAX, ReplayLoop
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.codec import short_or_digest, template_id
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Inline, Literal, Literals
from wingbeat.spec.whole import literal_of, materialise
from wingbeat.types import ValueMismatch

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from wingbeat.author.source import Location

_HIDDEN = frozenset({"<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<lambda>"})
_TOLD_MAX = 3
"""Of more calls than these a message gives the number."""
_FOLLOWS = "What it does has to follow from its inputs and from what it awaits."
_ASYNCIO = os.path.dirname(asyncio.__file__) + os.sep


class NonDeterministic(NonRetryable):
    """A body calls something else than it did when it was run before."""


class _Waits(BaseException):
    """The body waits for what is not recorded yet."""


class _Stuck(BaseException):
    """The body will never go on, for a reason that is the text."""


def run_turn(
    function: Callable[..., Coroutine[Any, Any, Any]], arguments: Mapping[str, Any], replay: Replay, io: StorageIO
) -> Any:
    """Run the body: what it returned, or `Suspended`. Raises what it raised."""
    return Turn(replay, io).run(function, arguments)


class Turn:
    """A body that is run: `wingbeat.author.dynamic.Body`."""

    def __init__(self, replay: Replay, io: StorageIO) -> None:
        self._io = io
        self._loop = ReplayLoop(replay.began_at, self._idle, self._spins)
        self._made: dict[str, Made] = {made.key: made for made in replay.calls}
        self._templates = {made.template for made in replay.calls} | {kept.template for kept in replay.kept}
        self._kept = _by_what_was_called(replay.kept)
        self._history = deque(replay.history)
        self._references = replay.references
        self._taken: Counter[str] = Counter()
        self._called: dict[str, str] = {}
        self._unawaited: dict[str, Coroutine[Any, Any, Any]] = {}
        self._waiting: dict[str, asyncio.Future[Recorded]] = {}
        self._calls: dict[str, Call] = {}
        self._in_time: frozenset[str] = frozenset()
        self._cancels: list[str] = []
        self._closures: dict[str, Closure] = {}
        self._closed: dict[int, tuple[Any, Closure]] = {}
        self._wake_at: float | None = None
        self._body: Coroutine[Any, Any, Any] | None = None
        self._code: CodeType | None = None

    def run(self, function: Callable[..., Coroutine[Any, Any, Any]], arguments: Mapping[str, Any]) -> Any:
        """See `run_turn`."""
        from wingbeat.author.dynamic import body
        from wingbeat.author.reference import defined, stored

        body.set(self)
        asyncio.set_event_loop(self._loop)
        with defined({name: stored(blob, self._io) for name, blob in self._references.items()}):
            return self._run(function, arguments)

    def _run(self, function: Callable[..., Coroutine[Any, Any, Any]], arguments: Mapping[str, Any]) -> Any:
        hit("turn.begun")
        self._body = function(**arguments)
        self._code = getattr(self._body, "cr_code", None)
        try:
            value = self._ended(self._loop.create_task(self._to_its_end(self._body)))
        except _Waits:
            hit("turn.suspended")
            # The process ends now: what waits is neither cancelled nor cleaned up, it goes on in the next turn.
            return Suspended(
                tuple(self._calls.values()), tuple(self._cancels), self._wake_at, tuple(self._closures.values())
            )
        except NonDeterministic as error:
            raise error.with_traceback(None) from None  # the frames between here and there are of the event loop
        except _Stuck as error:
            raise NonRetryable(str(error)) from None
        except (TypeError, AttributeError) as error:
            if "'coroutine'" not in str(error):
                raise
            raise self._without_await(str(error)).with_traceback(error.__traceback__) from None
        if inspect.iscoroutine(value):
            from wingbeat.author.dynamic import not_awaited

            raise not_awaited(value, next((told for told, made in self._forgotten() if made is value), ""))
        if self._forgotten():
            raise self._without_await("The body ends, and has not made all of its calls")
        if late := [self._called[key] for key in self._calls if key not in self._in_time and key not in self._cancels]:
            raise _not_awaited(
                "The body ends before what it has given to asyncio begins: write 'await' before the gather or the task "
                "of asyncio that makes",
                late,
            )
        return value

    def _ended(self, running: asyncio.Task[Any]) -> Any:
        """What the body gives, or raises, when it has called all that it called before."""
        try:
            value = self._loop.run_until_complete(running)
            self._loop.check()
        except (Exception, SystemExit) as error:
            self._loop.check()
            if omitted := self._omitted():
                error.add_note(f"It was raised before the body has called {omitted}, as it did when it was run before.")
            raise
        if omitted := self._omitted():
            raise NonDeterministic(
                f"The body ends, and has not called {omitted}, as it did when it was run before. {_FOLLOWS}"
            )
        return value

    def _omitted(self) -> str:
        """Calls that it made when it was run before, and not now."""
        missing = [self._before(key) for key in self._made if key not in self._called]
        more = f", and {len(missing) - _TOLD_MAX} more" if len(missing) > _TOLD_MAX else ""
        return f"{', '.join(missing[:_TOLD_MAX])}{more}"

    def _before(self, key: str) -> str:
        """A call that it made when it was run before."""
        values = _values(self._made[key].inputs)
        return repr(key) if values is None else f"{key!r} with {_listed(values)}"

    async def _to_its_end(self, body: Coroutine[Any, Any, Any]) -> Any:
        """Run the body. What tasks of asyncio call after it is not made any more."""
        value = await body
        self._in_time = frozenset(self._calls)
        return value

    def call(
        self, entity: Any, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location
    ) -> Coroutine[Any, Any, Any]:
        """See `Body.call`. The key is taken when the call is made, not when it is awaited."""
        key = self._key(entity.name, sys._getframe(1))  # noqa: SLF001  # the path to a call is that of its frames
        self._called[key] = f"{entity.name} ({where})"
        made = self._unawaited[key] = self._result(key, entity, args, kwargs, where)
        return made

    async def _result(
        self, key: str, entity: Any, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location
    ) -> Any:
        del self._unawaited[key]
        template, inputs = self._closure(entity), self._inputs(entity, args, kwargs, where)
        name = template_id(template)
        if (wrong := self._differs(key, name, inputs)) is not None:
            self._loop.end(wrong)  # not raised here, where the body could catch it
            await self._loop.create_future()
        if key not in self._made and (kept := self._take(key, name, inputs)) is not None:
            return self._value(entity, kept.outputs)
        if key not in self._made:
            self._calls[key] = Call(key, name, inputs)
            if name not in self._templates:
                self._closures[name] = template
        future = self._waiting[key] = self._loop.create_future()
        try:
            recorded = await future
        except asyncio.CancelledError:
            if not future.done() or future.cancelled():
                self._cancels.append(key)
            raise
        finally:
            self._waiting.pop(key, None)
        if recorded.error is not None:
            error = recorded.error
            # Where it was no node of what was called, that has timed out as a whole.
            node = error.node or f"{os.environ.get('WINGBEAT_NODE', '')}.{key}"
            failed = ExecutionFailed(
                error.message, execution=os.environ.get("WINGBEAT_EXECUTION", ""), node=node, code=error.code,
                kind=str(error.kind), retryable=error.retryable,
            )  # fmt: skip
            if error.trace:
                failed.add_note(error.trace.rstrip())
            raise failed
        return self._value(entity, recorded.outputs or {})

    def _forgotten(self) -> list[tuple[str, Coroutine[Any, Any, Any]]]:
        """Calls that nobody has awaited or cancelled, and what they are called in messages."""
        made = self._unawaited.items()
        return [
            (self._called[key], each) for key, each in made if inspect.getcoroutinestate(each) == inspect.CORO_CREATED
        ]

    def _without_await(self, told: str) -> NonRetryable:
        forgotten = self._forgotten()
        for _, each in forgotten:
            each.close()
        return _not_awaited(f"{told}: write 'await' before", [call for call, _ in forgotten])

    # -- what the loop is told

    def _idle(self, timer: float | None) -> None:
        """Nothing can run: tell the next thing that is recorded, or end the turn."""
        if not self._history:
            if timer is None and not self._waiting:
                where = _stands(self._body)
                raise _Stuck(
                    f"The body waits for what nothing can give it: no call of it is under way, and no time ({where}). "
                    "An Event, a Lock or a Queue of asyncio has to be served by another task of the same body."
                )
            self._wake_at = timer
            raise _Waits
        entry = self._history.popleft()
        self._loop.advance(entry.at)
        if not entry.key:
            return
        if entry.key not in self._called:
            now = ", ".join(self._called[key] for key in self._calls) or "nothing else"
            before = self._before(entry.key) if entry.key in self._made else repr(entry.key)
            raise NonDeterministic(f"The body called {before} when it was run before, and now calls {now}. {_FOLLOWS}")
        hit("turn.told")
        future = self._waiting.get(entry.key)
        if future is not None and not future.done():
            future.set_result(entry)

    def _spins(self) -> NoReturn:
        """What runs goes round and waits for nothing."""
        where = next((_stands(task.get_coro()) for task in self._loop.going_on()), None) or _stands(self._body)
        raise _Stuck(
            f"The body goes round without waiting for anything: {TURNS_MAX:,} turns of its loop, and nothing came of them "
            f"({where}). 'asyncio.sleep(0)' only lets others run, and nothing but what is awaited changes: await the call, "
            "a sleep with a time, or an Event that another task of the body sets."
        )

    # -- calls

    def _key(self, name: str, frame: FrameType | None) -> str:
        path = [name.rpartition("/")[2].partition("@")[0].rpartition(".")[2]]  # a reference may name another version
        outermost = None
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith(_ASYNCIO):
                break
            if code.co_name not in _HIDDEN and not _ours(frame):
                path.append(code.co_name)
                outermost = code
            frame = frame.f_back
        if outermost is self._code:  # else it is in a task of asyncio that the body has made
            path.pop()
        key = ".".join(reversed(path))
        number = self._taken[key]
        self._taken[key] += 1
        return f"{key}-{number}"

    def _differs(self, key: str, template: str, inputs: Literals) -> NonDeterministic | None:
        """What is wrong with a call that is another one than when the body was run before."""
        made = self._made.get(key)
        if made is None:
            return None
        now = short_or_digest(inputs)
        if made.template != template:
            values = _values(now)
            given = "" if values is None else f" with {_listed(values)}"
            differs = (
                f"{given}, where it called another task, a map of it, or it with other options when it was run before: "
                f"{self._before(key)}"
            )
        elif made.inputs != now:
            differs = _difference(made.inputs, now)
        else:
            return None
        return NonDeterministic(f"The body calls {self._called[key]} as {key!r}{differs}. {_FOLLOWS}")

    def _take(self, key: str, template: str, inputs: Literals) -> Kept | None:
        """The result of such a call from before the body was begun again: of that key, else of another on the same path. Each is
        taken once."""
        alike = self._kept.get((_path(key), template, short_or_digest(inputs)), {}) if self._kept else {}
        return alike.pop(key if key in alike else next(iter(alike)), None) if alike else None

    def _closure(self, entity: Any) -> Closure:
        from wingbeat.author.closing import close
        from wingbeat.compile.check import check

        known = self._closed.get(id(entity))
        if known is None:
            closure, locations = close(
                entity, self._io, mentioning=False
            )  # the outermost body names what this one does
            check(closure, locations)
            known = self._closed[id(entity)] = (entity, closure)  # which keeps the object, and so its id
        return known[1]

    def _inputs(self, entity: Any, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location) -> Literals:
        signature, interface = entity.signature, self._closure(entity).workflow.interface
        names = list(signature.inputs)
        if len(args) > len(names):
            raise CompileError(
                f"{entity.name} takes {counted(len(names), 'argument')}, and got {len(args)} ({where}).",
                hint=f"It takes {', '.join(names) or 'none'}.",
            )
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        for name in given:
            if name not in signature.inputs:
                from wingbeat.author.source import close_to  # only for who has misspelt it

                raise CompileError(
                    f"{entity.name} has no input {name!r} ({where}).",
                    hint=f"{close_to(name, names)}It takes {', '.join(names) or 'none'}.",
                )
        literals: Literals = {}
        for variable in interface.inputs:
            if variable.name in given:
                made = signature.codecs[variable.name]
                try:
                    wire = made.encode(given[variable.name], self._io)
                except ValueMismatch as error:
                    if "got coroutine " in error.message:
                        raise self._without_await(
                            f"{variable.name!r} of {entity.name} is a call, not its value"
                        ) from None
                    raise TypeError(f"{entity.name}: argument {variable.name!r}: {error} ({where})") from None
                literals[variable.name] = literal_of(wire, made.type, self._io.put_bytes)
            elif variable.required:
                raise CompileError(f"{entity.name} needs {variable.name!r} ({where}).")
            else:
                literals[variable.name] = Inline(variable.default)
        return literals

    def _value(self, entity: Any, outputs: Literals) -> Any:
        codecs = entity.signature.output_codecs
        return entity.signature.join(
            {name: codecs[name].decode(materialise(value, self._io.read), self._io) for name, value in outputs.items()}
        )


def _path(key: str) -> str:
    """A key without how often its path was taken."""
    return key.rpartition("-")[0]


def _by_what_was_called(kept: Iterable[Kept]) -> dict[tuple[str, str, str], dict[str, Kept]]:
    found: dict[tuple[str, str, str], dict[str, Kept]] = {}
    for each in kept:
        found.setdefault((_path(each.key), each.template, each.inputs), {})[each.key] = each
    return found


def _ours(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.startswith(("wingbeat.author.", "wingbeat.runtime.")) or module == "wingbeat"


def _not_awaited(told: str, calls: Sequence[str]) -> NonRetryable:
    from wingbeat.author.dynamic import NotAwaited

    more = f", and {len(calls) - _TOLD_MAX} more" if len(calls) > _TOLD_MAX else ""
    return NotAwaited(f"{told} {', '.join(calls[:_TOLD_MAX]) or 'the call'}{more}.")


def _stands(awaited: Any) -> Location:
    """At which line of the user's a body awaits something."""
    from wingbeat.author.source import Location

    found = Location("?", 0)
    while (frame := getattr(awaited, "cr_frame", None)) is not None and not frame.f_code.co_filename.startswith(
        _ASYNCIO
    ):
        found, awaited = Location(frame.f_code.co_filename, frame.f_lineno), awaited.cr_await
    return found


def _difference(before: str, now: str) -> str:
    """How the inputs of a call differ from those that it had; of long ones only the digest is known."""
    old, new = _values(before), _values(now)
    names = None
    if old is not None and new is not None:
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    given = "" if new is None else f" with {_listed(new, names)}"
    return f"{given}, where it gave {'other inputs' if old is None else _listed(old, names)} when it was run before"


def _values(inputs: str) -> dict[str, Literal] | None:
    return msgspec.json.decode(inputs, type=Literals) if inputs.startswith("{") else None


def _listed(inputs: Mapping[str, Literal], names: Iterable[str] | None = None) -> str:
    said = [f"{name}={_said(inputs[name])}" for name in names or inputs if name in inputs]
    return ", ".join(said) or "no inputs"


def _said(literal: Literal) -> str:
    return repr(literal.value) if isinstance(literal, Inline) else "a value that is stored apart"
