"""The command with its sub-commands, each imported when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from wingbeat_cli.overview import BESIDE, COMMANDS, overview
from wingbeat_cli.plugged import Found, plugged

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""Settings of the context of every command."""


@dataclass
class Session:
    """What a command tells those that report its errors.

    Attributes:
        output: The chosen form of the output: ``table``, ``json`` or ``yaml``.

        settings: What ``--set`` said, by section and key.

        endpoint: URL of the server to work with; empty for the home here.

        plugin: Whose command it is; empty for our own.
    """

    output: str = "table"
    endpoint: str = field(default_factory=lambda: os.environ.get("WINGBEAT_ENDPOINT", ""))
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    plugin: str = ""


class Lazy(click.Group):
    """A group whose commands are the modules of `wingbeat_cli.commands`, and what plugins offer."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *_plugged(ctx).commands]

    def get_command(
        self,
        ctx: click.Context,
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return _of_a_plugin(ctx, cmd_name)
        from importlib import import_module

        module = import_module(f"wingbeat_cli.commands.{BESIDE.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name if cmd_name in BESIDE else "command")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        lines = {**COMMANDS, **{name: each.line for name, each in _plugged(ctx).commands.items() if not each.problem}}
        commands = [CompletionItem(name, help=line) for name, line in lines.items() if name.startswith(incomplete)]
        return commands or click.Command.shell_complete(self, ctx, incomplete)

    def get_help(self, ctx: click.Context) -> str:
        return overview().rstrip()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            found = _plugged(ctx)
            if args[0] not in found.commands:
                raise click.UsageError(_unknown(args[0], found), ctx)
            from wingbeat_cli.called import unbound

            foresee_output(ctx, args[1:])
            unbound()
        return super().resolve_command(ctx, args)


def _plugged(ctx: click.Context) -> Found:
    session = ctx.find_object(Session)
    return plugged(COMMANDS, session.settings if session is not None else None)


def _of_a_plugin(ctx: click.Context, name: str) -> click.Command | None:
    found = _plugged(ctx).commands.get(name)
    if found is None:
        return None
    from wingbeat_cli.called import load

    return load(found, ctx.find_object(Session) or Session())


def _unknown(name: str, found: Found) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [*COMMANDS, *found.commands], 1)
    told = f"there is no command {name!r}"
    if near:
        return " ".join([f"{told}. Did you mean {near[0]!r}?", *found.problems])
    return "; ".join([told, *found.problems])


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"wingbeat {version('wingbeat')}")
        ctx.exit()


def _set(ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> None:
    session = ctx.find_object(Session)
    for pair in value:
        name, equals, text = pair.partition("=")
        section, dot, key = name.partition(".")
        if not (equals and dot and section and key):
            raise click.UsageError(f"--set takes SECTION.KEY=VALUE, not {pair!r}", ctx)
        if session is not None:
            session.settings.setdefault(section, {})[key] = text


def _endpoint(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    session = ctx.find_object(Session)
    if value is not None and session is not None:
        session.endpoint = value


@click.command("wingbeat", cls=Lazy, context_settings=HELP, no_args_is_help=True)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version)
@click.option("--set", "pairs", multiple=True, metavar="SECTION.KEY=VALUE", expose_value=False, callback=_set)
@click.option("--endpoint", metavar="URL", expose_value=False, callback=_endpoint)
def cli() -> None:
    """Run typed workflows durably."""


DOCUMENTS = ("json", "yaml")
"""Forms of the output that programs read."""


def _choose(ctx: click.Context, param: click.Parameter, value: str) -> str:
    session = ctx.find_object(Session)
    if session is not None and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE:
        session.output = value
    return value


F = TypeVar("F", bound=Callable[..., Any])


def output_option(*forms: str) -> Callable[[F], F]:
    """The option of every command that prints data. The first form is what it prints unasked; by default ``table``."""
    kinds = click.Choice(forms or ("table", *DOCUMENTS))
    text = "Form of the output."
    return click.option(
        "-o",
        "--output",
        type=kinds,
        default=kinds.choices[0],
        show_default=True,
        is_eager=True,
        callback=_choose,
        help=text,
    )


def output_of_another(*forms: str) -> click.Option:
    """That option for a command that is not ours, and does not know of it, written in these forms."""
    return click.Option(
        ["wingbeat_output", *forms],
        type=click.Choice(("table", *DOCUMENTS)),
        default="table",
        show_default=True,
        is_eager=True,
        callback=_choose,
        expose_value=False,
        help="Form of the output.",
    )


def not_empty(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """The callback of an option that names a place or a version: an empty one is a variable that a script has not set, and would
    count as an option that is not given."""
    if not value.strip() and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE:
        raise click.BadParameter("it is empty; leave the option out where you mean none.", ctx, param)
    return value


def foresee_output(ctx: click.Context, arguments: Sequence[str]) -> None:
    """Have what goes wrong before `arguments` are read be told in the form that they ask for."""
    import re

    asked = re.findall(rf"(?:^| )(?:-o ?|--output[ =])({'|'.join(DOCUMENTS)})(?= |$)", " ".join(arguments))
    session = ctx.find_object(Session)
    if asked and session is not None:
        session.output = asked[-1]


def invoke(arguments: list[str]) -> int:
    """Run the command and return its exit status; every error is reported."""
    session = Session()
    try:
        status = cli.main(arguments, prog_name="wingbeat", standalone_mode=False, obj=session)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as in `| head`; Python would complain again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the last line of defence: what nobody expected is kept in a file
        from wingbeat_cli.errors import report

        return report(error, session)
    return status if isinstance(status, int) else 0
