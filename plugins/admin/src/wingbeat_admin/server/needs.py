"""What each request takes: roles in the places of what it is about, found on the things themselves.

Each of these gives needs one by one; what comes next is looked at when the one before is met. What a body names inside is looked at
like what it names outside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from litestar import Request

from wingbeat.base.errors import AccessDenied, ConflictError, InputError, NotFound, WingbeatError
from wingbeat.base.ids import digest
from wingbeat.contracts.access import EVERY, Grant, Role, access_of
from wingbeat.contracts.admin import (
    BY_LABEL,
    ENTITY_LABEL,
    Admin,
    Definition,
    Launch,
    NotificationQuery,
    Notifying,
    Registration,
)
from wingbeat.contracts.backfill import Backfill, Backfilling
from wingbeat.contracts.engine import POOL_LABEL, Engine, LaunchRequest
from wingbeat.contracts.places import Setting
from wingbeat.contracts.retention import RETENTION_LABEL
from wingbeat.spec.codec import canonical, check_closure
from wingbeat.spec.definition import Kind, borrowed_of, check_borrowed
from wingbeat.spec.entities import Closure
from wingbeat.spec.identity import check_place, parse_identity, parse_name, parse_reference
from wingbeat.spec.labels import DOMAIN, PROJECT, RESERVED, check_labels
from wingbeat.spec.literal import Inline
from wingbeat.spec.triggers import OnArtifactSpec, OnEndSpec, OnVersionSpec
from wingbeat_admin.client.access import KeyRequest
from wingbeat_admin.local.backfills import unknown_backfill
from wingbeat_admin.local.grants import unknown_key
from wingbeat_admin.local.inventory import unregistered
from wingbeat_admin.server.bodies import Again, body_of, reference_of
from wingbeat_admin.server.policy import Caller, Need
from wingbeat_admin.server.reach import Reach, uris_of

T = TypeVar("T")

_OF_LAUNCH = (ENTITY_LABEL, POOL_LABEL, RETENTION_LABEL)
"""Labels of ours that a launch says: what it is of, and what its launch plan, or the execution that it is again, asks for."""
LABELS_MAX, LABEL_LENGTH_MAX = 100, 2000
"""Of an execution; of a label's name, and of its value. They are in every list of executions."""


class Asked:
    """A request, with what is needed to decide about it; `object`, place and `denied` are told to the audit log."""

    def __init__(
        self, request: Request[Any, Any, Any], caller: Caller, admin: Admin, engine: Engine, reach: Reach, scheme: str
    ) -> None:
        self.request, self.caller, self.admin, self.engine = request, caller, admin, engine
        self.reach, self.scheme, self.denied = reach, scheme, False
        self.object, self.project, self.domain = unquote(request.url.path), "", ""

    @property
    def path(self) -> dict[str, Any]:
        """Parameters of the path."""
        return self.request.path_params

    async def body(self, kind: type[T]) -> T:
        """The body, as the route will read it."""
        return await body_of(self.request, kind)

    def check_content(self, closures: Iterable[Closure], value: Any) -> None:
        """Raise ContentMissing if these closures, or a value, refer to content that the caller may not refer to."""
        if not self.caller.is_mighty:
            self.reach.check(self.caller, uris_of(closures, self.scheme, msgspec.to_builtins(value)))

    def need(self, role: Role, project: str, domain: str, unknown: WingbeatError | None = None) -> Need:
        """A need about the thing that is asked for."""
        self.project, self.domain = project, domain
        return Need(role, project, domain, unknown or self._unknown(role, project, domain))

    def _unknown(self, role: Role, project: str, domain: str) -> WingbeatError:
        if project != EVERY:
            return unknown_project(project)
        return AccessDenied(
            f"{self.caller.name} may not do this in {project}/{domain}: it takes the role {role} in every project.",
            hint="Name one in which you have it: -p PROJECT -d DOMAIN.",
        )


_NONE: tuple[Need, ...] = ()
Needs = Callable[[Asked], AsyncIterator[Need]]


async def anybody(asked: Asked) -> AsyncIterator[Need]:
    """To be known is enough: what is listed is limited to where the caller may look."""
    for need in _NONE:
        yield need


def somewhere(role: Role) -> Needs:
    """A role in any place: what is listed, or put, is limited by itself."""

    async def needs(asked: Asked) -> AsyncIterator[Need]:
        if asked.caller.places(role) == ():
            raise AccessDenied(f"{asked.caller.name} may not do this: it takes the role {role} somewhere.")
        for need in _NONE:
            yield need

    return needs


async def of_new_content(asked: Asked) -> AsyncIterator[Need]:
    """To put content takes the role runner in some place; or to be an attempt, which has content to put."""
    if not asked.caller.is_attempt:
        async for need in somewhere(Role.RUNNER)(asked):
            yield need


def everywhere(role: Role) -> Needs:
    """A role in every place: it is about all of them."""

    async def needs(asked: Asked) -> AsyncIterator[Need]:
        yield Need(
            role, EVERY, EVERY, AccessDenied(f"{asked.caller.name} may not do this: it takes the role {role} in */*.")
        )

    return needs


def of_entity(role: Role) -> Needs:
    """A role where the entity of the path is: its name says where, for ever."""

    async def needs(asked: Asked) -> AsyncIterator[Need]:
        reference = reference_of(**asked.path)
        asked.object = reference
        name, _ = parse_reference(reference)
        yield asked.need(role, name.project, name.domain, unregistered(name))

    return needs


async def of_activation(asked: Asked) -> AsyncIterator[Need]:
    """To activate a launch plan whose trigger waits for others, and takes what they give, is to read that."""
    async for need in of_entity(Role.DEVELOPER)(asked):
        yield need
    definition = await asked.admin.definition(asked.object)
    trigger = None if definition.plan is None else definition.plan.trigger
    match trigger:
        case OnEndSpec(workflow=text) | OnVersionSpec(entity=text) | OnArtifactSpec(artifact=text):
            watched = parse_name(text)
            what = f"read {watched}, for which {asked.object} waits"
            yield Need(Role.VIEWER, watched.project, watched.domain, unregistered(watched), what)


def of_execution(role: Role) -> Needs:
    """A role where the execution of the path is, as its labels say."""

    async def needs(asked: Asked) -> AsyncIterator[Need]:
        id = asked.object = str(asked.path["execution"])
        project, domain = await _place(asked, id)
        yield asked.need(role, project, domain, unknown_execution(id))

    return needs


async def of_registration(asked: Asked) -> AsyncIterator[Need]:
    """To register in a place, with what the definitions need."""
    given = await asked.body(Registration)
    for definition in given.definitions:
        check_closure(definition.closure)
    names = [definition.name for definition in given.definitions]
    asked.object = f"{given.project}/{given.domain}: {', '.join(names[:5])}"
    yield asked.need(Role.DEVELOPER, given.project, given.domain)
    for used in borrowed_of(given.definitions):  # to run what others have registered
        yield _of_reference(used, given.definitions)
    for definition in given.definitions:
        for input, spec in {} if definition.plan is None else definition.plan.newest.items():
            name, what = parse_name(spec.artifact), f"read the artifact {spec.artifact}, which {definition.name} takes"
            taken = f"which the input {input!r} of the launch plan {definition.name} takes"
            yield Need(Role.VIEWER, name.project, name.domain, NotFound(f"There is no artifact {name}, {taken}."), what)
    closures = [definition.closure for definition in given.definitions]
    asked.check_content(closures, given.definitions)


async def of_launch(asked: Asked) -> AsyncIterator[Need]:
    """To launch what is registered, with values that the caller may refer to."""
    given = await asked.body(Launch)
    _check_labels(given.labels)
    asked.object = given.entity
    name, _ = parse_reference(given.entity)
    yield asked.need(Role.RUNNER, name.project, name.domain, unregistered(name))
    await _check_id(asked, given.name)
    asked.check_content((), given.inputs)


async def of_new_backfill(asked: Asked) -> AsyncIterator[Need]:
    """To run a range of a schedule, or to see what that would do, takes what to launch takes."""
    given = await asked.body(Backfill)
    asked.object = given.entity
    name, _ = parse_reference(given.entity)
    yield asked.need(Role.RUNNER, name.project, name.domain, unregistered(name))
    asked.check_content((), given.inputs)


def of_backfill(role: Role) -> Needs:
    """A role where the launch plan of a backfill is."""

    async def needs(asked: Asked) -> AsyncIterator[Need]:
        id = asked.object = str(asked.path["backfill"])
        unknown = unknown_backfill(id)
        if not isinstance(asked.admin, Backfilling):
            raise unknown
        name = parse_identity((await asked.admin.backfill(id)).entity).entity
        yield asked.need(role, name.project, name.domain, unknown)

    return needs


async def of_engine_launch(asked: Asked) -> AsyncIterator[Need]:
    """To run code takes more than to run again what is registered; to recover an execution takes that it may be read."""
    given = stamped(await asked.body(LaunchRequest), asked.caller)
    check_closure(given.closure)
    _check_labels(given.labels)
    asked.object = given.name or given.closure.root
    project, domain = given.labels.get("project", ""), given.labels.get("domain", "")
    entity = given.labels.get(ENTITY_LABEL, "")
    yield asked.need(Role.RUNNER if entity else Role.DEVELOPER, project, domain)
    whole = Definition(Kind.WORKFLOW, given.closure.workflow.name, given.closure)
    registered: dict[str, Definition] = {}
    for used in borrowed_of([whole]):  # its code is that of what is registered, so nobody has to reach it
        yield _of_reference(used, [whole])
        registered[used] = await asked.admin.definition(used)
    check_borrowed([whole], registered)
    if entity:
        await _check_entity(asked, entity, given)
    if given.recover:
        what = f"read the execution {given.recover}"
        yield Need(Role.VIEWER, *await _place(asked, given.recover), unknown_execution(given.recover), what)
    await _check_id(asked, given.name)
    asked.check_content((given.closure,), [given.closure, given.inputs])


async def of_relaunch(asked: Asked) -> AsyncIterator[Need]:
    """To run an execution again takes what to launch it took, where it is: what it refers to was settled then. To run another one
    in its place takes to read it, and to launch that."""
    given = await asked.body(Again)
    async for need in _of_repeated(asked, given.entity, Role.RUNNER):
        yield need
    await _check_id(asked, given.name)


async def of_recovery(asked: Asked) -> AsyncIterator[Need]:
    """To see what would be taken over from an execution is to read it; and the version that would run."""
    async for need in _of_repeated(asked, (await asked.body(Again)).entity, Role.VIEWER):
        yield need


async def _of_repeated(asked: Asked, entity: str, role: Role) -> AsyncIterator[Need]:
    id = asked.object = str(asked.path["execution"])
    labels = await _labels(asked, id)
    place, unknown = (labels.get("project", ""), labels.get("domain", "")), unknown_execution(id)
    if not entity:
        least = Role.DEVELOPER if role is Role.RUNNER and not labels.get(ENTITY_LABEL) else role
        yield asked.need(least, *place, unknown)
        return
    yield asked.need(Role.VIEWER, *place, unknown)
    asked.object = f"{id}: {entity}"
    name, _ = parse_reference(entity)
    yield asked.need(role, name.project, name.domain, unregistered(name))


async def of_recovery_plan(asked: Asked) -> AsyncIterator[Need]:
    """To see what would be taken over from an execution is to read it."""
    id = asked.object = (await asked.body(LaunchRequest)).recover
    yield asked.need(Role.VIEWER, *await _place(asked, id), unknown_execution(id))


async def of_notification(asked: Asked) -> AsyncIterator[Need]:
    """To send a message again takes what to launch takes, where its execution is."""
    id = asked.object = str(asked.path["notification"])
    unknown = NotFound(f"There is no notification {id!r}.", hint="'wingbeat get notifications' lists them.")
    if not isinstance(asked.admin, Notifying):
        raise unknown
    found = (await asked.admin.notifications(NotificationQuery(id=id, limit=1))).items
    if not found:
        raise unknown
    yield asked.need(Role.RUNNER, found[0].project, found[0].domain, unknown)


async def of_new_key(asked: Asked) -> AsyncIterator[Need]:
    """To give a key a role takes what to give it to anybody takes."""
    given = await asked.body(KeyRequest)
    asked.object = given.name
    for grant in given.grants:
        yield asked.need(Role.ADMIN, grant.project, grant.domain)
    if not given.grants:
        async for need in somewhere(Role.ADMIN)(asked):
            yield need


async def of_key(asked: Asked) -> AsyncIterator[Need]:
    """To delete a key takes what to give it its roles takes: all of them."""
    name = asked.object = str(asked.path["name"])
    for grant in await access_of(asked.admin).grants(f"apikey:{name}") or [Grant("", Role.ADMIN)]:
        yield asked.need(Role.ADMIN, grant.project, grant.domain, unknown_key(name))


async def of_new_grant(asked: Asked) -> AsyncIterator[Need]:
    """To give a role in a place takes to be an admin of all of it."""
    grant = await asked.body(Grant)
    asked.object = f"{grant.principal}: {grant.role} in {grant.project}/{grant.domain}"
    yield asked.need(Role.ADMIN, grant.project, grant.domain)


async def of_grant(asked: Asked) -> AsyncIterator[Need]:
    """To take a role away takes the same."""
    query = asked.request.query_params
    project, domain = query.get("project", ""), query.get("domain", "")
    asked.object = f"{query.get('principal', '')} in {project}/{domain}"
    yield asked.need(Role.ADMIN, project, domain)


async def of_new_setting(asked: Asked) -> AsyncIterator[Need]:
    """To say something of a place takes to be an admin of all of it."""
    given = await asked.body(Setting)
    asked.object = f"{given.name} in {given.project}/{given.domain}"
    yield asked.need(Role.ADMIN, given.project, given.domain)


async def of_setting(asked: Asked) -> AsyncIterator[Need]:
    """To say it no more takes the same."""
    query = asked.request.query_params
    project, domain = query.get("project", ""), query.get("domain", "")
    asked.object = f"{query.get('name', '')} in {project}/{domain}"
    yield asked.need(Role.ADMIN, project, domain)


async def of_place(asked: Asked) -> AsyncIterator[Need]:
    """To look at what holds in a place takes to look at the place."""
    project, domain = asked.path["project"], asked.path["domain"]
    asked.object = f"{project}/{domain}"
    yield asked.need(Role.VIEWER, project, domain)


def stamped(request: LaunchRequest, caller: Caller) -> LaunchRequest:
    """A launch of a caller, as the engine gets it: with where it is and who has launched it, which nobody can say for themselves.

    Raises:
        InputError: One of its labels is ours, or names no place.
    """
    if not caller.name:
        return request
    for name in request.labels:
        if name.startswith(RESERVED) and name not in _OF_LAUNCH and not caller.is_mighty:
            raise InputError(f"The label {name[:80]!r} is ours.", hint="Choose another name.")
    labels = {"project": PROJECT, "domain": DOMAIN, **request.labels}
    if not (caller.is_mighty and labels.get(BY_LABEL)):  # else an admin elsewhere says for whom it launches
        labels[BY_LABEL] = caller.name
    check_place(labels["project"], labels["domain"])
    if entity := labels.get(ENTITY_LABEL, ""):
        id = parse_identity(entity)
        if (labels["project"], labels["domain"]) != (id.project, id.domain):
            raise InputError(f"An execution of {entity} is in {id.project}/{id.domain}.")
    # What is resumed by this key is looked for in the same place only.
    own = request.launch_key or digest(canonical([request.closure, request.inputs]))
    key = digest(canonical([labels["project"], labels["domain"], own]))
    return msgspec.structs.replace(request, labels=labels, launch_key=key)


def unknown_project(name: str) -> NotFound:
    """What is said of a project in which the caller has no role."""
    return NotFound(
        f"There is no project {name[:80]!r}.", hint="Name one in which you have a role: -p PROJECT -d DOMAIN."
    )


def unknown_execution(id: str) -> NotFound:
    """What is said of an execution that is not there."""
    return NotFound(f"There is no execution {id!r}.", hint="'wingbeat get executions' lists them.")


def _of_reference(used: str, definitions: Iterable[Definition]) -> Need:
    """To use what others have registered is to run it."""
    name = parse_identity(used).entity
    whose = next(each.name for each in definitions if used in borrowed_of([each]))
    return Need(Role.RUNNER, name.project, name.domain, unregistered(name), f"run {used}, to which {whose} refers")


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > LABELS_MAX:
        raise InputError(f"An execution has at most {LABELS_MAX} labels, not {len(labels):,}.")
    if "" in labels:
        check_labels([""])
    for name, value in labels.items():
        if not name.startswith(RESERVED) and max(len(name), len(value)) > LABEL_LENGTH_MAX:
            raise InputError(f"The label {name[:80]!r} is longer than {LABEL_LENGTH_MAX:,} letters.")


async def _place(asked: Asked, id: str) -> tuple[str, str]:
    """Where an execution is. Raises NotFound."""
    labels = await _labels(asked, id)
    return labels.get("project", ""), labels.get("domain", "")


async def _labels(asked: Asked, id: str) -> dict[str, str]:
    """Those of an execution. Raises NotFound."""
    try:
        return (await asked.engine.describe(id, nodes=False)).labels
    except NotFound:
        if asked.caller.places() is None:
            raise  # which says more, where it cannot be read now
        raise unknown_execution(id) from None


async def _check_id(asked: Asked, id: str) -> None:
    """Raise ConflictError if an execution that the caller must not see has this id: nothing is said of it but that."""
    if not id or not asked.caller.name:
        return
    try:
        labels = (await asked.engine.describe(id, nodes=False)).labels
    except NotFound:
        return
    place = labels.get("project", ""), labels.get("domain", "")
    if place != (asked.project, asked.domain):
        raise ConflictError(f"The id {id!r} is taken.", hint="Choose another one: ids are the same for all projects.")


async def _check_entity(asked: Asked, entity: str, request: LaunchRequest) -> None:
    """Raise InputError unless what is launched is what is registered as that; here, or with the admin that asks, which is elsewhere
    then and may do everything."""
    definition: Definition | None
    try:
        definition = await asked.admin.definition(entity)
    except NotFound:
        if asked.caller.is_mighty:
            return
        definition = None
    if definition is None or canonical(definition.closure) != canonical(request.closure):
        raise InputError(f"What is launched is not {entity}.", hint=f"Leave the label {ENTITY_LABEL} out.")
    for name, wire in ({} if definition.plan is None else definition.plan.fixed).items():
        if request.inputs.get(name) != Inline(wire):
            raise InputError(f"Input {name!r} is fixed by the launch plan {entity}: nobody can give it.")
