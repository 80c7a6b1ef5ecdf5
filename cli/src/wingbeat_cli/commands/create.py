"""`wingbeat create`: keys and roles, for whoever is to use a server; quotas and defaults of places; backfills."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.backfills import create as backfill
from wingbeat_cli.group import HELP, not_empty, output_option
from wingbeat_cli.places import create as setting

if TYPE_CHECKING:
    from wingbeat.contracts.access import NewKey
    from wingbeat.kernel import Kernel

ROLES = ("viewer", "runner", "developer", "admin")


@click.group("create", context_settings=HELP)
def command() -> None:
    """Make API keys, give roles, set quotas and defaults of places, and run ranges of a schedule."""


command.add_command(setting)
command.add_command(backfill)


def _place(function: Any) -> Any:
    project = click.option(
        "--project", "-p", callback=not_empty, default="*", show_default=True, help="In this project; '*' is every one."
    )
    domain = click.option(
        "--domain", "-d", callback=not_empty, default="*", show_default=True, help="In this domain; '*' is every one."
    )
    return project(domain(function))


@command.command("apikey")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), help="What it may do; without one, nothing until it is granted.")
@_place
@click.option("--expires", default="90d", show_default=True, metavar="AGE|never", help="After so long: 12h, 90d.")
@click.option("--requests-per-minute", type=click.IntRange(1, 10**6), help="So many requests of any kind at most.")
@click.option("--launches-per-minute", type=click.IntRange(1, 10**6), help="So many that launch something at most.")
@output_option()
def apikey(
    name: str,
    role: str | None,
    project: str,
    domain: str,
    expires: str,
    requests_per_minute: int | None,
    launches_per_minute: int | None,
    output: str,
) -> int:
    """Make an API key, and print it: this once, for only its hash is kept.

    Who has it sets WINGBEAT_API_KEY, and works with the server by WINGBEAT_ENDPOINT as far as its roles go.
    """
    import time

    from wingbeat.base.units import parse_duration_s
    from wingbeat.contracts.access import Grant, KeyLimits, Role, access_of
    from wingbeat_cli.door import within

    try:
        expires_at = None if expires == "never" else time.time() + parse_duration_s(expires)
    except ValueError as error:
        raise click.UsageError(f"--expires: {error}, or 'never'") from None
    grants = [Grant(f"apikey:{name}", Role(role), project, domain)] if role else []
    limits = KeyLimits(requests_per_minute, launches_per_minute)

    async def work(kernel: Kernel) -> NewKey:
        return await access_of(await kernel.admin()).create_key(name, grants, expires_at, limits=limits)

    made = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"name": made.name, "key": made.secret}, output)
        return 0
    click.echo(made.secret)
    sys.stderr.write(f"this is the key {made.name}; it is not shown again\n")
    return 0


@command.command("grant")
@click.argument("principal", metavar="apikey:NAME|user:NAME|group:NAME")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What it may do there.")
@_place
@output_option()
def grant(principal: str, role: str, project: str, domain: str, output: str) -> int:
    """Give a principal a role in a domain of a project, in the place of another one that it has there.

    A viewer reads. A runner launches what is registered, stops and answers it. A developer registers, activates, and runs
    code. An admin gives keys and roles, and reads the audit log. Each may do what those before it may.
    """
    from wingbeat.contracts.access import Grant, Role, access_of
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> bool:
        return await access_of(await kernel.admin()).create_grant(Grant(principal, Role(role), project, domain))

    changed = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(
            {"principal": principal, "role": role, "project": project, "domain": domain, "changed": changed}, output
        )
    else:
        click.echo(f"{principal} is {role} in {project}/{domain}" + ("" if changed else ", as before"))
    return 0
