"""Settings of places: `wingbeat get settings`, `create setting` and `delete setting`, commands of those groups."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.group import not_empty, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wingbeat.contracts.places import Setting, Settled
    from wingbeat.kernel import Kernel

NAMES = {
    "executions": "so many executions are under way at once, others wait",
    "launches_per_minute": "so many executions are launched in a minute",
    "versions": "so many versions are registered",
    "cpu": "more cores no task may want",
    "mem": "nor more memory: 8Gi",
    "pool": "of tasks that want none",
    "priority": "of what waits for a limit or a pool",
    "failure_policy": "of workflows that say none: FAIL_IMMEDIATELY, FAIL_AFTER_EXECUTABLE_NODES_COMPLETE",
    "labels": "of executions: team=eta,cost=42",
    "retention_days": "how long executions are kept",
}
"""Settings as they are written here, and what they mean. `mem` is the word of `Resources`; the contract's is in bytes."""
_MEMORY = {"mem": "memory_bytes"}


def _names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]


def _place(function: Any) -> Any:
    project = click.option(
        "--project", "-p", callback=not_empty, default="*", show_default=True, help="Of this project; '*' is every one."
    )
    domain = click.option(
        "--domain", "-d", callback=not_empty, default="*", show_default=True, help="Of this domain; '*' is every one."
    )
    return project(domain(function))


@click.command("settings")
@click.argument("place", required=False, default="", metavar="[PROJECT/DOMAIN[/LAUNCHPLAN[@VERSION]]]")
@output_option()
def listing(place: str, output: str) -> int:
    """List the quotas and defaults of places, as they were set; or what holds in one, or for a launch plan, and who says so.

    Of several the most specific holds: of PROJECT/DOMAIN, then of PROJECT/*, of */DOMAIN, of */*. What a launch plan or a
    launch says itself stands before defaults.
    """
    from wingbeat.contracts.places import places_of
    from wingbeat_cli.door import within

    if place:
        return _settled(place, output)

    async def work(kernel: Kernel) -> list[Setting]:
        return await places_of(await kernel.admin()).settings()

    found = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        items = [{"name": s.name, "value": s.value, "project": s.project, "domain": s.domain} for s in found]
        document.dump({"items": items}, output)
    elif found:
        rows = [(f"{s.project}/{s.domain}", setting_name(s.name), setting_value(s.name, s.value)) for s in found]
        _echo(("PLACE", "SETTING", "VALUE"), rows)
    else:
        click.echo("nothing is set of any place", err=True)
    return 0


def _settled(place: str, output: str) -> int:
    from wingbeat.contracts.places import places_of
    from wingbeat_cli.door import within

    project, slash, rest = place.partition("/")
    domain, _, plan = rest.partition("/")
    if not (project and slash and domain):
        raise click.UsageError(f"{place!r} is no place; write PROJECT/DOMAIN, as eta/production")

    async def work(kernel: Kernel) -> list[Settled]:
        return await places_of(await kernel.admin()).settled(project, domain, plan)

    found = within(work)
    if output != "table":
        import msgspec

        from wingbeat_cli.render import document

        items = [{**msgspec.to_builtins(each), "over": msgspec.to_builtins(each.over)} for each in found]
        document.dump({"items": items}, output)
        return 0
    rows = []
    for each in found:
        over = "; ".join(
            f"{said.source}: {setting_value(each.name, said.value)}" for said in each.over if said.value is not None
        )
        value, source = setting_value(each.name, each.value), each.source
        rows.append((setting_name(each.name), value, f"{source} (over {over})" if over else source))
    _echo(("SETTING", "VALUE", "FROM"), rows)
    return 0


@click.command("setting")
@click.argument("name", shell_complete=_names)
@click.argument("value")
@_place
@output_option()
def create(name: str, value: str, project: str, domain: str, output: str) -> int:
    r"""Set a quota or a default of a domain of a project, instead of what was set there.

    \b
    Quotas, of each project and domain by itself:
      executions           so many are under way at once, others wait
      launches_per_minute  so many are launched; triggers wait, others are told when there is room
      versions             so many versions of workflows, tasks and launch plans are registered
      cpu, mem             more no task may want: 4, 16Gi
    Defaults, where neither launch nor launch plan says something:
      pool, priority       of tasks that want no pool; of what waits for a limit or a pool
      failure_policy       of static workflows that say none: FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
      labels               of executions: team=eta,cost=42
      retention_days       how long executions are kept once they have ended
    """
    from wingbeat.contracts.places import Setting, places_of
    from wingbeat_cli.door import within

    setting = Setting(_MEMORY.get(name, name), _value(name, value), project, domain)

    async def work(kernel: Kernel) -> bool:
        return await places_of(await kernel.admin()).create_setting(setting)

    changed = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        fields = {"name": setting.name, "value": setting.value, "project": project, "domain": domain}
        document.dump({**fields, "changed": changed}, output)
    else:
        told = f"{name} is {setting_value(setting.name, setting.value)} in {project}/{domain}"
        click.echo(told if changed else f"{told}, as before")
    return 0


@click.command("setting")
@click.argument("name", shell_complete=_names)
@_place
@output_option()
def delete(name: str, project: str, domain: str, output: str) -> int:
    """Take a quota or a default away that was set of exactly this place."""
    from wingbeat.contracts.places import places_of
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> None:
        await places_of(await kernel.admin()).delete_setting(_MEMORY.get(name, name), project, domain)

    within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"name": _MEMORY.get(name, name), "project": project, "domain": domain}, output)
    else:
        click.echo(f"{name} is not set of {project}/{domain} any more")
    return 0


def setting_name(name: str) -> str:
    """A setting as it is written here."""
    return next((ours for ours, theirs in _MEMORY.items() if theirs == name), name)


def _value(name: str, text: str) -> Any:
    """What a value is that somebody has written. Raises UsageError."""
    from wingbeat.base.units import parse_size

    if name not in NAMES:
        raise click.UsageError(f"there is no setting {name!r}; there are {', '.join(NAMES)}")
    if name == "pool":
        return text
    if name == "failure_policy":
        return _policy(text)
    try:
        if name == "mem":
            return parse_size(text)
        if name == "labels":
            return _labels(text)
        return _number(text, float if name in ("cpu", "retention_days") else int)
    except ValueError as error:
        raise click.UsageError(f"{name}: {error}") from None


def _number(text: str, kind: type[int | float]) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{text!r} is no {'whole number' if kind is int else 'number'}") from None


def _policy(text: str) -> str:
    from wingbeat.spec.entities import FailurePolicy

    policies = [policy.value for policy in FailurePolicy]
    if text.upper() not in policies:
        raise click.UsageError(f"failure_policy: {text!r} is none; there are {', '.join(policies)}")
    return text.upper()


def _labels(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(key and equals for key, equals, _ in pairs):
        raise ValueError(f"{text!r} is no NAME=VALUE,…")
    return {key: value for key, _, value in pairs}


def setting_value(name: str, value: Any) -> str:
    """A value as people read it."""
    from wingbeat.base.units import format_size

    if value is None:
        return "-"
    if name == "memory_bytes":
        return format_size(value)
    if isinstance(value, dict):
        return ",".join(f"{key}={text}" for key, text in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _echo(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from wingbeat_cli.render.table import coloured, columns, echo

    echo(columns(rows, heading=heading, colour=coloured(sys.stdout)))
