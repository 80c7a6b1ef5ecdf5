"""`wingbeat plugins`: what is installed beside the kernel, and in it."""

from __future__ import annotations

import sys
from contextlib import closing
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.group import HELP, Session, output_option
from wingbeat_cli.overview import COMMANDS

if TYPE_CHECKING:
    from wingbeat.kernel.installed import PluginView
    from wingbeat.testing.check import Result

KITS = ("executor", "storage", "journal", "catalog", "observer")
"""Seams with a kit for what a plugin has registered by name."""
LESS = ("maker of environments", "admin", "engine", "notifier", "command")
"""Seams with a kit that tests less by name than a test class of the plugin's own does, and so is run where there is none."""
CALLED = {"maker of environments": "environments"}
"""Seams whose kit has another name."""


@click.group("plugins", context_settings=HELP)
def command() -> None:
    """Show plugins, and try them."""


@command.command("list")
@output_option()
@click.pass_obj
def list_(session: Session, /, output: str) -> int:
    """List the plugins: their versions, how long their import takes, and below each what it offers; also those that are off or
    broken.

    CONTRACTS is the version of the contracts that each was built for; the kernel takes those up to its own.
    """
    from importlib.metadata import version

    from wingbeat.contracts.plugin import API_VERSION
    from wingbeat.kernel import plugins_of

    plugins = [_refused(plugin) for plugin in plugins_of(settings=session.settings)]
    kernel = {"version": version("wingbeat"), "contracts": ".".join(map(str, API_VERSION))}
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"kernel": kernel, "plugins": [_document(plugin) for plugin in plugins]}, output)
    else:
        from wingbeat_cli.render.plugins import listed
        from wingbeat_cli.render.table import coloured, echo

        click.echo(f"kernel: wingbeat {kernel['version']}, contracts {kernel['contracts']}")
        echo(listed(plugins, width=get_terminal_size((0, 0)).columns, colour=coloured(sys.stdout)))
    return 0


@command.command("check")
@click.argument("name")
@click.option(
    "--seam",
    default="",
    help="Only what it offers for this seam: executor, storage, journal, catalog, observer, environments, admin, engine, notifier, "
    "command; plugin is the plugin itself, and kit its own test classes.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0.1, 86_400),
    metavar="SECONDS",
    help="How long a test waits for what the plugin does before it counts as hanging; by default what its kit takes for enough: "
    "45 for most, 300 for environments, 20 for commands. Give more on a slow machine.",
)
@output_option()
@click.pass_context
def check(ctx: click.Context, /, name: str, seam: str, patience: float | None, output: str) -> int:
    """Run the conformance kits on a plugin, and on everything that it offers: NAME is that of the plugin.

    They need what `pip install "wingbeat[testing]"` installs, and work in folders of their own; settings of the plugin are those
    that hold here: an engine, say, is that of the endpoint that they name, and the kit launches at it. Nothing is sent to the
    channels of notifiers.

    Test classes of the plugin's own know more of it than its names say: where there are some, admins, commands, engines,
    environments and notifiers are tested by those; with --seam also by their names.
    """
    from wingbeat.kernel import plugins_of

    session = ctx.find_object(Session) or Session()
    found = {plugin.name: plugin for plugin in plugins_of(settings=session.settings)}
    if name not in found:
        raise click.UsageError(f"there is no plugin {name!r}; installed: {', '.join(sorted(found))}", ctx)
    plugin = found[name]
    if plugin.state != "on":
        raise click.UsageError(
            f"the plugin {name!r} is {plugin.state}{f': {plugin.problem}' if plugin.problem else ''}", ctx
        )
    entry = "" if name == "builtin" else name  # what is in the box has no entry point
    offered = [("plugin", entry), *((offer.seam, offer.name) for offer in plugin.offers if offer.seam in KITS)]
    by_name = [(CALLED.get(offer.seam, offer.seam), offer.name) for offer in plugin.offers if offer.seam in LESS]
    if not plugin.kits or seam in dict(by_name):
        offered += by_name
    offered += [("kit", target) for target in plugin.kits]
    chosen = [offer for offer in offered if not seam or offer[0] == seam]
    if not chosen:
        raise click.UsageError(_unchecked(name, seam, plugin, [s for s, _ in offered]), ctx)
    from wingbeat_cli.interrupts import undone

    with undone():
        status = _checked(plugin, chosen, _said(plugin, session), output, patience)
    untested = [
        offer.seam if offer.seam == "types" else f"{offer.seam} {offer.name}"
        for offer in plugin.offers
        if offer.seam not in (*KITS, *LESS)
    ]
    if untested and not plugin.kits and not seam:
        click.echo(
            f"not tested: {', '.join(dict.fromkeys(untested))}. A name is not enough for that; "
            "let the plugin name its test classes in PluginInfo.kits.",
            err=True,
        )
    return status


def _said(plugin: PluginView, session: Session) -> dict[str, dict[str, Any]]:
    """The plugin's settings as they hold here, as plain data."""
    import msgspec

    from wingbeat.kernel import configuration_of

    found = configuration_of(settings=session.settings)
    return {
        section: {s.key: msgspec.to_builtins(s.said[0].value) for s in found[section] if len(s.said) > 1}
        for section in plugin.sections
    }


def _unchecked(name: str, seam: str, plugin: PluginView, known: list[str]) -> str:
    """Why nothing of a seam can be checked."""
    can = ", ".join(dict.fromkeys(known))
    if any(seam in (offer.seam, CALLED.get(offer.seam)) for offer in plugin.offers):
        return (
            f"{name} offers a {seam}, for which there is no kit by its name: let the plugin name a test class in "
            f"PluginInfo.kits; what can be checked is: {can}"
        )
    offers = ", ".join(dict.fromkeys(offer.seam for offer in plugin.offers)) or "nothing"
    return f"{name} offers no {seam!r}; it offers: {offers}; what can be checked is: {can}"


def _checked(
    plugin: PluginView,
    offers: list[tuple[str, str]],
    settings: dict[str, dict[str, Any]],
    output: str,
    patience_s: float | None,
) -> int:
    from wingbeat.testing import check

    results = []
    for seam, offered in offers:
        alike: list[Result] = []  # skipped so far, all for one reason
        told = False
        with closing(
            check.run(plugin.target, seam, offered, settings=settings, patience_s=patience_s)
        ) as running:  # what it has started ends with it, also if this is interrupted
            for result in running:
                results.append(result)
                if output != "table":
                    continue
                if not told and result.outcome == "skipped" and result.summary == (alike or [result])[0].summary:
                    alike.append(result)
                    continue
                for each in [*([] if told else alike), result]:
                    _tell(each)
                told = True
        if alike and not told:
            _tell(alike[0], f"all {len(alike)} tests")
    failed = sum(not result.passed for result in results)
    skipped = sum(result.outcome == "skipped" for result in results)
    if output != "table":
        import msgspec

        from wingbeat_cli.render import document

        document.dump(
            {"plugin": plugin.name, "failed": failed, "tests": [msgspec.to_builtins(r) for r in results]}, output
        )
    else:
        click.echo(f"{plugin.name}: {len(results) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def _tell(result: Result, what: str = "") -> None:
    from wingbeat_cli.render.table import coloured, paint

    word = {"passed": "SUCCEEDED", "failed": "FAILED", "skipped": "SKIPPED"}[result.outcome]
    said = result.outcome.ljust(7)
    shown = paint(said, word) if coloured(sys.stdout) else said
    why = f": {result.summary}" if result.outcome != "passed" else ""
    name, bracket, parameters = result.test.removeprefix("test_").partition("[")
    test = what or f"{name.replace('_', ' ')}{bracket}{parameters}"
    click.echo(f"{shown}  {result.seam} {result.name}  {test}{why}")


def _refused(plugin: PluginView) -> PluginView:
    """A plugin, with those of its commands refused that have a name of ours."""
    from msgspec import structs

    from wingbeat_cli.plugged import taken

    ours = [offer.seam == "command" and offer.name in COMMANDS for offer in plugin.offers]
    offers = tuple(
        structs.replace(offer, problem=taken(offer.name, plugin.name)) if of_ours else offer
        for offer, of_ours in zip(plugin.offers, ours, strict=True)
    )
    return structs.replace(plugin, offers=offers)


def _document(plugin: PluginView) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(plugin)
    return document
