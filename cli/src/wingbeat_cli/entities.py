"""`wingbeat describe task|workflow|launchplan`: a version of something registered in full, and who refers to it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import reference_argument
from wingbeat_cli.group import output_option

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Definition, Entity
    from wingbeat.contracts.references import ReferrerPage
    from wingbeat.kernel import Kernel

KINDS = {"task": "a task", "workflow": "a workflow", "launchplan": "a launch plan"}
REFERRERS_MAX = 1000
"""So many are listed."""


def entity(kind: str) -> click.Command:
    """The command for one kind of what is registered."""

    @click.command(
        kind,
        help=f"Show a version of {KINDS[kind]}: what it takes and gives, what holds for it, and which registered versions refer "
        "to it.",
    )
    @reference_argument("PROJECT/DOMAIN/NAME[@VERSION]", kind)
    @output_option()
    def describe(reference: str, output: str) -> int:
        from wingbeat_cli.door import within

        return within(lambda kernel: _describe(kernel, kind, reference, output))

    return describe


async def _describe(kernel: Kernel, kind: str, reference: str, output: str) -> int:
    from wingbeat.base.errors import InputError
    from wingbeat.contracts.references import Referring
    from wingbeat_cli.near import hinted
    from wingbeat_cli.render import planned

    admin = await kernel.admin()
    async with hinted(admin, reference):
        found = await admin.entity(reference)
    if found.kind != kind:
        raise InputError(f"{found.id} is a {found.kind.label}.", hint=f"wingbeat describe {found.kind} {found.id}")
    definition = await admin.definition(found.id)
    referrers = await admin.referrers(found.id, limit=REFERRERS_MAX) if isinstance(admin, Referring) else None
    if output != "table":
        from wingbeat_cli.render import document

        told = None if referrers is None else [document.referrer(each) for each in referrers.items]
        more = {} if referrers is None else {"referred_to_elsewhere": referrers.elsewhere}
        about = planned.document(definition)
        document.dump(
            {**document.entity(found), "digest": found.digest, **about, "referred_to_by": told, **more}, output
        )
    else:
        _echo(found, definition, referrers)
    return 0


def _echo(found: Entity, definition: Definition, referrers: ReferrerPage | None) -> None:
    from wingbeat_cli.render import planned
    from wingbeat_cli.render.table import coloured, columns, echo, moment

    colour = coloured(sys.stdout)
    state = f"paused: {found.paused}" if found.paused else "active" if found.active else ""
    if found.kind == "launchplan" and not state:
        state = "not active"
    facts = [
        (found.kind.value, found.id),
        ("doc", found.doc.partition("\n")[0]),
        ("registered", f"{moment(found.created_at)}{f' by {found.by}' if found.by else ''}"),
        ("digest", found.digest),
        ("state", state),
        ("next", "" if found.next is None else moment(found.next)),
        *planned.facts(definition),
    ]
    lines = columns([(name, value) for name, value in facts if value], colour=colour)
    for name, variables in (("inputs", planned.inputs(definition)), ("outputs", planned.outputs(definition))):
        if variables:
            lines += ["", name, *(f"  {each}" for each in variables)]
    lines += ["", "referred to by", *_referrers(referrers, colour=colour)]
    echo(lines)


def _referrers(page: ReferrerPage | None, *, colour: bool) -> list[str]:
    from wingbeat_cli.render.table import columns

    if page is None:
        return ["  the admin that is chosen does not know"]
    rows = [(each.id, each.kind.label, "active" if each.active else "") for each in page.items]
    lines = [f"  {line}".rstrip() for line in columns(rows, colour=colour)]
    if page.following:
        lines.append("  … and older ones")
    if page.elsewhere:
        versions = "version" if page.elsewhere == 1 else "versions"
        lines.append(f"  {page.elsewhere:,} {versions} where you may not look")
    return lines or ["  nobody"]
