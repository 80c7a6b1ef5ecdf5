"""From what a caller launches to a closure and literals, and back: Python values by the hints of the functions, plain data
by the literal types."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from wingbeat.base.errors import CompileError, InputError
from wingbeat.base.ids import digest
from wingbeat.contracts.engine import ExecutionView
from wingbeat.contracts.storage import ContentLost, StorageFailed
from wingbeat.host.home import HomeFolder
from wingbeat.kernel.code import freeze, own_tasks, pack_checked, runs_plain
from wingbeat.runtime.storageio import StorageIO
from wingbeat.runtime.threads import in_thread
from wingbeat.spec.codec import canonical
from wingbeat.spec.definition import Definition
from wingbeat.spec.entities import Closure, Interface, LaunchPlanSpec, Variable
from wingbeat.spec.literal import Inline, Literal, Literals, Picked
from wingbeat.spec.whole import literal_of, materialise
from wingbeat.types import (
    Blob,
    LiteralType,
    ValueMismatch,
    codec,
    compatible,
    convert,
    decode_generic,
    describe,
    encode_generic,
)

if TYPE_CHECKING:
    from wingbeat.author.launchplan import LaunchPlan
    from wingbeat.author.signature import Signature
    from wingbeat.author.task import Task
    from wingbeat.author.workflow import Workflow


SEEN_S = 600.0
"""What is launched again and again is looked for in storage so often."""


class Prepared:
    """Something that can be launched; `plan` is the launch plan, if it is launched through one."""

    def __init__(
        self, preparer: Preparer, closure: Closure, signature: Signature | None, plan: LaunchPlanSpec | None = None
    ) -> None:
        self._preparer, self.closure, self._signature, self.plan = preparer, closure, signature, plan
        self._name = closure.workflow.name if plan is None else plan.name
        self._interface = closure.workflow.interface if plan is None else plan.interface
        self._blobs = any(_stores(v) for v in closure.workflow.interface.inputs)
        self.seen_at = time.monotonic()

    async def encode(self, values: Mapping[str, Any]) -> Literals:
        """Inputs as literals, defaults filled in. Raises InputError."""
        if self._blobs:  # files are read and stored: not in the event loop
            return await in_thread(self._encode, values)
        return self._encode(values)

    async def adapt(self, view: ExecutionView, ran: Interface) -> Literals:
        """The inputs of another execution, as far as there are inputs of the same name. Raises InputError for one that is missing
        there, or of another type.

        Args:
            ran: The interface of what it ran.
        """
        variables = self.closure.workflow.interface.inputs
        literals: Literals = {}
        for variable in variables:
            before = ran.input(variable.name)
            if before is None or variable.name not in view.inputs:
                continue
            if (why := compatible(before.type, variable.type)) is not None:
                now, was = describe(variable.type), describe(before.type)
                raise InputError(
                    f"Input {variable.name!r} of {self._name} takes {now}, and was {was} in {view.id}: {why}.",
                    hint="It cannot be run with the inputs of that execution: launch it with others.",
                )
            value = view.inputs[variable.name]
            same = before.type == variable.type
            literals[variable.name] = value if same else Picked(value, (), before.type, variable.type)
        return {**await in_thread(self._defaults, self.closure.workflow.interface, literals), **literals}

    def decode(self, outputs: Literals) -> Any:
        """Outputs as the function would return them (for a closure: plain). Raises StorageFailed."""
        preparer, signature = self._preparer, self._signature
        if signature is not None:
            codecs = signature.output_codecs
            found = {}
            for name, value in outputs.items():
                with _of(name):
                    found[name] = codecs[name].decode(preparer.whole(value), preparer.io)
            return signature.join(found)
        values = []
        for v in self.closure.workflow.interface.outputs:
            with _of(v.name):
                values.append(decode_generic(preparer.whole(outputs[v.name]), v.type, preparer.io))
        return None if not values else values[0] if len(values) == 1 else tuple(values)

    def _encode(self, values: Mapping[str, Any]) -> Literals:
        interface, name = self._interface, self._name
        for given in values:
            if interface.input(given) is None:
                names = ", ".join(v.name for v in interface.inputs) or "no inputs"
                raise InputError(f"{name} has no input {given!r}.", hint=f"It takes {names}.")
        literals = {v.name: self._one(name, v, values[v.name]) for v in interface.inputs if v.name in values}
        fixed = {} if self.plan is None else {name: Inline(value) for name, value in self.plan.fixed.items()}
        return {**self._defaults(interface, literals), **literals, **fixed}

    def _one(self, name: str, variable: Variable, value: Any) -> Literal:
        io = self._preparer.io
        try:
            if self._signature is not None:
                wire = self._signature.codecs[variable.name].encode(value, io)
            else:
                wire = encode_generic(value, variable.type, io)
        except StorageFailed:
            raise
        except (ValueMismatch, OSError) as error:
            raise InputError(f"Input {variable.name!r} of {name} takes {describe(variable.type)}: {error}") from error
        return literal_of(wire, variable.type, io.put_bytes)

    def _defaults(self, interface: Interface, given: Literals) -> Literals:
        missing = [v for v in interface.inputs if v.required and v.name not in given]
        if missing:
            needed = ", ".join(f"{v.name!r} ({describe(v.type)})" for v in missing)
            raise InputError(f"{self._name} needs {needed}.")
        return {v.name: Inline(v.default) for v in interface.inputs if not v.required and v.name not in given}


class Preparer:
    """Closures of one kernel, made once for each workflow of the program.

    Args:
        definition: Answers with what is registered under an id, for references. Raises NotFound.

    Attributes:
        io: Where content of inputs and outputs is stored and fetched.
    """

    def __init__(
        self, home: HomeFolder, inline: frozenset[str], definition: Callable[[str], Awaitable[Definition]]
    ) -> None:
        self._home, self._inline, self._definition = home, inline, definition
        self.io = StorageIO(home.storage(), str(home.folder / "scratch"))
        self._prepared: dict[int, tuple[object, Prepared]] = {}
        self._known: dict[str, Prepared] = {}
        self._definitions: dict[str, Definition] = {}

    async def prepare(self, entity: Workflow[..., Any] | Task[..., Any] | LaunchPlan[Any] | Closure) -> Prepared:
        """Compile and check. Raises CompileError with every finding."""
        known = self._prepared.get(id(entity))
        if known is not None and known[0] is entity and await self._is_there(known[1]):
            return known[1]
        if isinstance(entity, Closure):  # not kept: each may be another object, as those that `recover` reads
            return Prepared(self, entity, None)
        from wingbeat.author.reference import NotDefined, defined

        while True:
            try:
                with defined(self._definitions):
                    return await self._prepare(entity)
            except NotDefined as error:
                self._definitions[error.reference] = await self._definition(error.reference)

    async def _is_there(self, prepared: Prepared) -> bool:
        """Whether code and environment are in storage still: they may have been collected. Looked at now and then, which counts
        as their use, so that they stay until the next time."""
        now = time.monotonic()
        if now - prepared.seen_at < SEEN_S:
            return True
        scheme, closure = self.io.storage.scheme, prepared.closure
        bundle, lock = closure.bundle, closure.environment
        blobs = [Blob(f"{scheme}:{bundle}", bundle, 0, "", "directory")] if bundle else []
        blobs += [Blob(f"{scheme}:{lock}", lock, 0, "")] if lock else []
        try:
            for blob in blobs:
                await in_thread(self.io.storage.fetch, blob)
        except FileNotFoundError:
            return False
        prepared.seen_at = now
        return True

    async def _prepare(self, entity: Workflow[..., Any] | Task[..., Any] | LaunchPlan[Any]) -> Prepared:
        from wingbeat.author.closing import close  # the command line launches closures, and never needs it
        from wingbeat.author.launchplan import LaunchPlan
        from wingbeat.compile.check import check

        launched = entity.workflow if isinstance(entity, LaunchPlan) else entity
        closure, locations = close(launched, self.io)
        check(closure, locations)
        for name, borrowed in closure.borrowed.items():
            if (task := closure.entities[name].name) in self._inline:
                raise CompileError(
                    f"{task} is given to this kernel as inline, and is to run as it is registered with {borrowed.of}.",
                    hint="Give the kernel no task of that name, or call that one.",
                )
        if any(task.name not in self._inline for task in own_tasks(closure)):
            closure = await in_thread(self._with_code, closure, entity)
        plan = None
        if isinstance(entity, LaunchPlan):
            _ = entity.signature  # which is where it is told that it gives what the workflow does not take
            plan = entity.spec(self.io, closure.root, closure.workflow.interface)
        prepared = Prepared(self, closure, launched.signature, plan)
        key = digest(canonical(closure))
        self._known[key] = (
            prepared if plan is None else self._known.get(key, Prepared(self, closure, launched.signature))
        )
        self._prepared[id(entity)] = (entity, prepared)
        return prepared

    def known(self, closure: str) -> Prepared | None:
        """What was prepared under a closure's digest in this process."""
        return self._known.get(closure)

    def wires(self, interface: Interface, values: Mapping[str, Any]) -> dict[str, Any]:
        """Plain data as wire values. Raises InputError."""
        found = {}
        for name, value in values.items():
            variable = interface.input(name)
            if variable is None:
                names = ", ".join(v.name for v in interface.inputs) or "none"
                raise InputError(f"There is no input {name!r}.", hint=f"The inputs are: {names}.")
            try:
                found[name] = encode_generic(value, variable.type, self.io)
            except StorageFailed:
                raise
            except (ValueMismatch, OSError) as error:
                raise InputError(f"Input {name!r} takes {describe(variable.type)}: {error}") from error
        return found

    def answer(self, name: str, value: Any, type_: LiteralType) -> Literal:
        """The answer to a gate: plain data, or a Python value of the type. Raises InputError."""
        try:
            wire = encode_generic(value, type_, self.io)
        except StorageFailed:
            raise
        except (ValueMismatch, OSError) as error:
            try:
                own = codec(type(value))
                if compatible(own.type, type_) is not None:
                    raise ValueMismatch(str(error))  # noqa: TRY301
                wire = convert(own.encode(value, self.io), own.type, type_)
            except (ValueMismatch, TypeError):
                raise InputError(f"{name!r} takes {describe(type_)}: {error}") from error
        return literal_of(wire, type_, self.io.put_bytes)

    def whole(self, literal: Literal) -> Any:
        """The wire form of a value that may be stored."""
        return literal.value if isinstance(literal, Inline) else materialise(literal, self.io.read)

    def _with_code(self, closure: Closure, entity: Workflow[..., Any] | Task[..., Any] | LaunchPlan[Any]) -> Closure:
        from wingbeat.author.modules import file_of

        file = file_of(entity.fn)
        storage, cache = self._home.storage(), self._home.folder / "bundles"
        bundle = pack_checked(file, storage, cache) if file else None
        environment = ""
        if runs_plain(closure):
            environment = freeze(bundle.root if bundle else str(Path.cwd()), storage, cache)
        return msgspec.structs.replace(closure, bundle=bundle.digest if bundle else "", environment=environment)


def decode_plain(name: str, literal: Literal, type_: Any, home: HomeFolder) -> Any:
    """A value of that name as plain data; files are named by a local path. Raises StorageFailed."""
    io = StorageIO(home.storage(), str(home.folder / "scratch"))
    with _of(name):
        wire = literal.value if isinstance(literal, Inline) else materialise(literal, io.read)
        return plain(wire, type_, io)


@contextmanager
def _of(name: str) -> Iterator[None]:
    """While a value of that name is read: what its storage fails with says so."""
    try:
        yield
    except StorageFailed as error:
        hint = "Run again what has made it." if isinstance(error, ContentLost) else ""
        raise type(error)(f"The value of {name!r} cannot be read: {error.message}", hint=hint) from error


def plain(wire: Any, type_: Any, io: StorageIO) -> Any:
    """A wire value as it is shown: blobs by their local path, everything else as it is on the wire."""
    if isinstance(wire, dict) and {"uri", "digest", "size"} <= wire.keys():
        from wingbeat.types import Blob

        return io.fetch(msgspec.convert(wire, Blob))
    if isinstance(wire, dict):
        return {key: plain(value, type_, io) for key, value in wire.items()}
    if isinstance(wire, list):
        return [plain(value, type_, io) for value in wire]
    return wire


def _stores(variable: Variable) -> bool:
    from wingbeat.types import ListType, has_blobs

    return has_blobs(variable.type) or isinstance(variable.type, ListType)
