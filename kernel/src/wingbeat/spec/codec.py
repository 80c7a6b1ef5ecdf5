"""Canonical bytes of specs, their digests, and bounded reading of bytes from outside.

Canonical JSON has sorted keys and no insignificant space. Documents are decoded only after a scan of their depth and size,
because a decoder can be made to exhaust the stack of its process by nesting.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.ids import digest
from wingbeat.spec.entities import FORMAT_BORROWING, Borrowed, Closure, Entity, TaskSpec, WorkflowSpec
from wingbeat.spec.mention import Mention
from wingbeat.types import LimitExceeded
from wingbeat.types.bounds import check_depth

SPEC_BYTES_MAX = 10 * 2**20
DEPTH_MAX = 64
SHORT_BYTES_MAX = 160

T = TypeVar("T")

_canonical = msgspec.json.Encoder(order="deterministic")


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Made when something is read: it is dear, and a process that compiles or runs tasks only writes."""
    return msgspec.json.Decoder(kind)


def canonical(document: Any) -> bytes:
    """The canonical JSON of a spec, a struct or a wire value."""
    return _canonical.encode(document)


def short_or_digest(document: Any) -> str:
    """By which a document is known to be the same again: its canonical JSON where that is short, so that it can be shown, or else
    the digest of it."""
    data = canonical(document)
    return data.decode() if len(data) <= SHORT_BYTES_MAX else digest(data)


def spec_digest(entity: Entity) -> str:
    """Identity of a task or workflow: the digest of its canonical JSON."""
    return digest(canonical(entity))


def read_bounded(data: bytes, decoder: msgspec.json.Decoder[T], *, bytes_max: int = SPEC_BYTES_MAX) -> T:
    """Decode JSON from outside within bounds of size and depth.

    Raises:
        wingbeat.types.LimitExceeded: Too large or too deep.

        msgspec.ValidationError: It does not have the shape.
    """
    if len(data) > bytes_max:
        raise LimitExceeded(f"a document of {len(data)} bytes is over the limit of {bytes_max}")
    check_depth(data, depth_max=DEPTH_MAX)
    return decoder.decode(data)


def read_entity(data: bytes) -> Entity:
    """The task or workflow that `data` (JSON) describes."""
    entity: Entity = read_bounded(data, _decoder(Entity))
    return entity


def read_closure(data: bytes) -> Closure:
    """The closure that `data` (JSON) describes; every entity is checked against its digest.

    Raises:
        ConfigurationError: It was written by a newer format, lacks an entity, or an entity is not what its digest says.
    """
    try:
        closure: Closure = read_bounded(data, _decoder(Closure))
    except msgspec.ValidationError as error:
        raise _as_told(error) from error
    check_closure(closure)
    return closure


def read_known(data: bytes, name: str) -> Closure:
    """The closure that was checked once and kept under the digest of its bytes: nothing in it has to be looked at again.

    Raises:
        ConfigurationError: These are not those bytes, and it is not right.
    """
    if digest(data) != name:
        return read_closure(data)
    try:
        closure: Closure = _decoder(Closure).decode(data)
    except msgspec.ValidationError as error:
        raise _as_told(error) from error
    _check_format(closure)
    return closure


def _as_told(error: msgspec.ValidationError) -> Exception:
    """An error of reading; of what only a newer Wingbeat can have written, one that says so."""
    if "unknown field" not in str(error):
        return error
    return ConfigurationError(
        f"The spec says what this Wingbeat does not know: {error}.", hint="A newer one wrote it: upgrade wingbeat."
    )


def _check_format(closure: Closure) -> None:
    if closure.format > FORMAT_BORROWING:
        raise ConfigurationError(
            f"The spec has format {closure.format}; this Wingbeat reads formats up to {FORMAT_BORROWING}.",
            hint="Upgrade wingbeat.",
        )


def task_identity(task: TaskSpec) -> str:
    """Digest of what decides over the outputs of a task, beside its inputs."""
    parts: list[Any] = [task.name, task.code, task.interface, task.environment, task.wrappers, task.variables]
    return digest(canonical(parts + [part for part in (task.container, task.gang) if part is not None]))


def mention(task: TaskSpec) -> Mention:
    """What `task_identity` is made of, in parts that can be compared one by one."""
    return Mention(
        name=task.name,
        code=task.code,
        interface=_part(task.interface),
        environment=_part(task.environment),
        wrappers=_part(task.wrappers),
        variables=_part(task.variables),
        container=_part(task.container),
        gang=_part(task.gang),
        body=task.body,
    )


def _part(value: Any) -> str:
    return digest(canonical(value)) if value else ""


def check_closure(closure: Closure) -> None:
    """Raise ConfigurationError unless `closure` is whole and every entity is what its digest says."""
    _check_format(closure)
    for name, entity in closure.entities.items():
        if spec_digest(entity) != name:
            raise ConfigurationError(f"Entity {entity.name!r} is not what its digest {name[:19]}… says.")
    if not isinstance(closure.entities.get(closure.root, None), WorkflowSpec | None):
        raise ConfigurationError("The root of the spec is no workflow.")
    calls = [c for e in closure.entities.values() for c in getattr(e, "calls", ())]
    missing = {closure.root, *calls} - closure.entities.keys()
    if missing:
        raise ConfigurationError(
            f"The spec refers to {len(missing)} entities that it does not hold: {min(missing)[:19]}…."
        )
    for name, borrowed in closure.borrowed.items():
        if not isinstance(closure.entities.get(name), TaskSpec):
            raise ConfigurationError(f"The spec borrows {name[:19]}… of {borrowed.of}, which is no task of it.")


def borrowing(closure: Closure, borrowed: Mapping[str, Borrowed]) -> Closure:
    """The closure, with the tasks that it borrows."""
    if not borrowed:
        return closure
    return msgspec.structs.replace(closure, borrowed=dict(borrowed), format=FORMAT_BORROWING)


def template_id(closure: Closure) -> str:
    """What a closure that a body calls is known by: its root, and what of it is borrowed. Code and environment of the rest are
    those of the body."""
    return digest(canonical([closure.root, closure.borrowed])) if closure.borrowed else closure.root


def json_schema() -> dict[str, Any]:
    """JSON Schema of the wire format: a `Closure` and all that it holds."""
    return msgspec.json.schema(Closure)
