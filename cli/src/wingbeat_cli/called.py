"""A plugin's command that is called: imported, given what was said before its name, and left to Ctrl-C as Python has it."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wingbeat.base.errors import ConfigurationError

if TYPE_CHECKING:
    from msgspec import Struct

    from wingbeat_cli.group import Session
    from wingbeat_cli.plugged import Plugged

    S = TypeVar("S", bound=Struct)


class Called:
    """A `wingbeat.contracts.command.Invocation`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def home(self) -> str:
        """See `Invocation.home`."""
        from wingbeat.kernel import home_path

        return str(home_path())

    @property
    def endpoint(self) -> str:
        """See `Invocation.endpoint`."""
        return self._session.endpoint

    @property
    def output(self) -> str:
        """See `Invocation.output`."""
        return self._session.output

    @property
    def project(self) -> str:
        """See `Invocation.project`."""
        return self._place()[0]

    @property
    def domain(self) -> str:
        """See `Invocation.domain`."""
        return self._place()[1]

    @property
    def given(self) -> Mapping[str, Mapping[str, Any]]:
        """See `Invocation.given`."""
        from wingbeat_cli.door import meant

        return meant(self._session)

    def settings(self, section: str, struct: type[S]) -> S:
        """See `Invocation.settings`."""
        from wingbeat.kernel.installed import section_of

        return section_of(section, struct, self.given)

    def show(self, document: Mapping[str, Any]) -> None:
        """See `Invocation.show`."""
        from wingbeat_cli.render.document import dump

        dump(dict(document), "yaml" if self.output == "yaml" else "json")

    def _place(self) -> tuple[str, str]:
        from wingbeat.kernel import place_of

        return place_of(self.given)


def load(found: Plugged, session: Session) -> click.Command:
    """The command, ready to be called.

    Raises:
        ConfigurationError: It is refused, cannot be imported, or is no command.
    """
    if found.problem:
        raise ConfigurationError(
            f"The command {found.name!r} is refused: {found.problem}.",
            hint="Switch all but one off: plugins.disabled = […], by the names of the plugins.",
        )
    command = _imported(found)
    session.plugin = found.plugin
    settings = {**command.context_settings, "obj": Called(session)}
    command.context_settings = settings
    return _with_output(command)


def unbound() -> None:
    """Undo what holds for our own commands only: a plugin's may take long, and cleans up behind itself when it is interrupted."""
    from wingbeat_cli.interrupts import raise_again

    raise_again()
    gc.freeze()
    gc.enable()  # see `main`


def _imported(found: Plugged) -> click.Command:
    from importlib import import_module

    module, _, attribute = found.target.partition(":")
    told = f"The command {found.name!r} of plugin {found.plugin!r} ({found.target})"
    off = f"Switch the plugin off with plugins.disabled = [{found.plugin!r}], or repair it."
    try:
        command = getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"{told} cannot be imported: {type(error).__name__}: {error}.", hint=off) from error
    if not isinstance(command, click.Command):
        raise ConfigurationError(
            f"{told} is no command of click: it is of the class {type(command).__name__}.", hint=off
        )
    return command


def _with_output(command: click.Command) -> click.Command:
    """A command with the option for the form of its output, and a group whose commands have it."""
    if isinstance(command, click.Group):
        _with_output_inside(command)
        return command
    from wingbeat_cli.group import output_of_another

    taken = {text for parameter in command.params for text in parameter.opts}
    if "--output" not in taken:
        command.params.append(output_of_another(*(["-o"] if "-o" not in taken else []), "--output"))
    return command


def _with_output_inside(group: click.Group) -> None:
    inner = group.get_command

    def get_command(ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = inner(ctx, cmd_name)
        return None if found is None else _with_output(found)

    if inner.__qualname__ != get_command.__qualname__:  # else it was called before in this process
        group.get_command = get_command  # type: ignore[method-assign]
