"""What is asked by values, in the words of the options of a launch: as the history and artifacts have them, where their types are
known."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wingbeat.contracts.admin import Admin
    from wingbeat.contracts.artifacts import Artifacts
    from wingbeat.spec.entities import Variable
    from wingbeat.types.model import LiteralType


class Stored(NamedTuple):
    """What to ask by.

    Attributes:
        text: As it is kept.

        known: Which values there are, as a sentence, where the text is none of them; older versions may have had others.
    """

    text: str
    known: str = ""


def stored(name: str, text: str, kind: LiteralType) -> Stored:
    """A value of an option, as it is kept: of an enum the name of a member, of a truth value ``true`` or ``false``, of a
    duration and a moment ISO 8601."""
    from wingbeat.types.model import EnumType
    from wingbeat_cli.values import is_bool, parse, unwrapped

    inner, _ = unwrapped(kind)
    if isinstance(inner, EnumType):
        try:
            return Stored(str(parse(text, inner)))
        except ValueError:
            return Stored(text, f"{name} is one of {', '.join(inner.members)}")
    if is_bool(kind):
        with contextlib.suppress(ValueError):
            return Stored("true" if parse(text, inner) else "false")
        return Stored(text, f"{name} is true or false")
    if _is_time(inner):
        return _time(name, text, inner)
    return Stored(text)


def _is_time(kind: LiteralType) -> bool:
    from wingbeat.types.model import Simple
    from wingbeat_cli.values import unwrapped

    return unwrapped(kind)[0] in (Simple("datetime"), Simple("timedelta"))


def _time(name: str, text: str, kind: LiteralType) -> Stored:
    from datetime import timedelta

    from wingbeat.types.times import format_timedelta
    from wingbeat_cli.values import parse

    try:
        found = parse(text, kind)
        return Stored(found if isinstance(found, str) else format_timedelta(timedelta(seconds=found)))
    except (ValueError, OverflowError) as error:
        return Stored(text, f"{name}: {error}")


async def stored_conditions(admin: Admin, entity: str, given: Sequence[str]) -> list[Stored]:
    """Conditions, as ``inputs.city=sf``, on executions of something registered. Raises InputError for what is none."""
    from wingbeat.base.errors import AccessDenied, NotFound
    from wingbeat.spec.valuefilter import parse_value_filter

    if not entity or not given:
        return [Stored(each) for each in given]
    try:
        interface = (await admin.entity(entity)).interface
    except (AccessDenied, NotFound):  # it may have been, and what has run of it is still there
        return [Stored(each) for each in given]
    found = []
    for each in given:
        condition = parse_value_filter(each)
        variable: Variable | None = getattr(interface, condition.side.removesuffix("s"))(condition.name)
        if variable is None or (condition.operator not in ("=", "!=") and not _is_time(variable.type)):
            found.append(Stored(each))
            continue
        name = f"{condition.side}.{condition.name}"
        one = stored(name, condition.value, variable.type)
        found.append(Stored(f"{name}{condition.operator}{one.text}", one.known))
    return found


async def stored_keys(
    admin: Admin, artifacts: Artifacts, place: tuple[str, str, str], given: Mapping[str, str]
) -> dict[str, Stored]:
    """Keys of partitions of an artifact (its project, domain and name), as what has published its newest version has them."""
    from wingbeat.base.errors import AccessDenied, NotFound
    from wingbeat.contracts.artifacts import ArtifactQuery

    found = {key: Stored(text) for key, text in given.items()}
    if not given or not place[2]:
        return found
    newest = (await artifacts.artifacts(ArtifactQuery(*place, limit=1))).items
    if not newest:
        return found
    try:
        workflow = (await admin.definition(newest[0].entity)).closure.workflow
    except (AccessDenied, NotFound):
        return found
    spec = workflow.publishes.get(newest[0].output)
    for key, text in given.items():
        variable = workflow.interface.input("" if spec is None else spec.partitions.get(key, ""))
        if variable is not None:
            found[key] = stored(key, text, variable.type)
    return found
