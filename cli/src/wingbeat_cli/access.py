"""`wingbeat get apikeys`, `grants` and `audit`: commands of the group `get`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import not_empty, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wingbeat.contracts.access import ApiKey, AuditEntry, AuditPage, Grant, KeyLimits
    from wingbeat.kernel import Kernel


@click.command("apikeys")
@output_option()
def apikeys(output: str) -> int:
    """List API keys: what they may do, and until when. The keys themselves were shown once."""
    from wingbeat.contracts.access import access_of
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> list[ApiKey]:
        return await access_of(await kernel.admin()).keys()

    found = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"items": [document.api_key(each) for each in found]}, output)
    elif found:
        limited = any(key.limits != type(key.limits)() for key in found)
        heading = ("NAME", "CREATED", "BY", "EXPIRES", "ROLES", *(("A MINUTE",) if limited else ()))
        _echo(heading, [(*_key(each), *((_limits(each.limits),) if limited else ())) for each in found])
    else:
        click.echo("there are no keys", err=True)
    return 0


@click.command("grants")
@click.option("--principal", default="", metavar="apikey:NAME|user:NAME|group:NAME", help="Of this principal only.")
@output_option()
def grants(principal: str, output: str) -> int:
    """List who has which role where."""
    from wingbeat.contracts.access import access_of
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> list[Grant]:
        return await access_of(await kernel.admin()).grants(principal)

    found = within(work)
    if output != "table":
        import msgspec

        from wingbeat_cli.render import document

        document.dump({"items": [msgspec.to_builtins(each) for each in found]}, output)
    elif found:
        rows = [(each.principal, each.role.value, each.project, each.domain) for each in found]
        _echo(("PRINCIPAL", "ROLE", "PROJECT", "DOMAIN"), rows)
    else:
        click.echo("nobody has a role", err=True)
    return 0


@click.command("audit")
@click.option("--principal", default="", help="By this principal only, as apikey:ci.")
@click.option("--action", default="", help="Of this action only, as launch.")
@click.option("--outcome", type=click.Choice(["allowed", "denied", "failed"]), help="Of this outcome only.")
@click.option("--project", "-p", callback=not_empty, default="", help="In this project only.")
@click.option("--domain", "-d", callback=not_empty, default="", help="In this domain only.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option("--after", type=int, default=0, metavar="NUMBER", help="Continue behind this entry: see -o json.")
@click.option("--verify", is_flag=True, help="Say whether all entries are as they were written, instead.")
@click.option(
    "--held", default="", metavar="NUMBER:DIGEST", help="With --verify: what it has said of the newest entry before."
)
@output_option()
def audit(
    principal: str, action: str, outcome: str | None, project: str, domain: str, limit: int, after: int, verify: bool, held: str,
    output: str,
) -> int:  # fmt: skip
    """List what was done, or denied, by whom and from where; the newest first.

    With --verify, go along the digests of all entries: each is over an entry and the digest before it. The status is 1 if something
    is not as it was written. Who can write the file can write all digests anew; so keep what this prints elsewhere, and ask with
    --held later.
    """
    from wingbeat.contracts.access import AuditQuery, Outcome, access_of
    from wingbeat_cli.door import within

    if verify:
        return _verify(held, output)
    if held:
        raise click.UsageError("--held goes with --verify")
    wanted = AuditQuery(principal, action, Outcome(outcome) if outcome else None, project, domain, after, limit)

    async def work(kernel: Kernel) -> AuditPage:
        return await access_of(await kernel.admin()).audit(wanted)

    page = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"items": [document.audit(each) for each in page.items], "next": page.following or None}, output)
    elif page.items:
        heading = ("AT", "PRINCIPAL", "ACTION", "ON", "OUTCOME", "FROM")
        _echo(heading, [_entry(each) for each in page.items])
    else:
        click.echo("there are no such entries", err=True)
    return 0


def _verify(held: str, output: str) -> int:
    from wingbeat.contracts.access import AuditCheck, access_of
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> AuditCheck:
        return await access_of(await kernel.admin()).verify_audit(held)

    found = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({name: getattr(found, name) for name in found.__struct_fields__}, output)
        return 1 if found.wrong else 0
    for wrong in found.wrong:
        click.echo(wrong)
    if not found.wrong:
        since = f" since {found.first}" if found.count else ""
        older = f"; {found.before} older ones have no digest" if found.before else ""
        click.echo(f"all {found.count} entries{since} are as they were written{older}")
    if found.newest:
        click.echo(f"newest {found.newest}")
    return 1 if found.wrong else 0


def _limits(limits: KeyLimits) -> str:
    both = ((limits.requests_per_minute, "requests"), (limits.launches_per_minute, "launches"))
    return ", ".join(f"{number} {what}" for number, what in both if number is not None)


def _key(key: ApiKey) -> tuple[str, ...]:
    from wingbeat_cli.render.table import moment

    roles = ", ".join(f"{grant.role} in {grant.project}/{grant.domain}" for grant in key.grants)
    expires = "never" if key.expires_at is None else moment(key.expires_at)
    return key.name, moment(key.created_at), key.by, expires, roles


def _entry(entry: AuditEntry) -> tuple[str, ...]:
    from wingbeat_cli.render.table import moment

    who = entry.principal or "nobody known"
    return moment(entry.at), who, entry.action, entry.object, entry.outcome.value, entry.address or "the home"


def _echo(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from wingbeat_cli.render.table import coloured, columns, echo

    echo(columns(rows, heading=heading, colour=coloured(sys.stdout)))
