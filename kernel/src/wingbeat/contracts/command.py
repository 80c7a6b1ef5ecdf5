"""Commands: what a plugin adds to ``wingbeat`` at the shell, each a command of click or a group of them.

A plugin registers a name, a place and a line of help; the place is imported when the command is called or completed, and not for
``wingbeat --help``. The kit is `wingbeat.testing.conformance.command.CommandContract`. What holds:

- *Made* once for each process that calls it: `click.Command` at a place ``module:attribute``. Importing it does no I/O.
- *Called* with an `Invocation` as the object of its context (`click.pass_obj`), after the options before its name are read. It
  answers an exit status, or None for 0.
- *Options*: the host adds ``-o``/``--output`` to each command that is no group and has no option of that name; the choice is
  `Invocation.output`. ``--help`` comes from click.
- *Raises*: what is a `WingbeatError` or of click is told as an error of any command, with its exit status. Anything else is a
  failure of the plugin: it is named, the traceback is kept in a file, and the status is 70.
- *Help and completion* change nothing: they write nothing, and open no kernel that runs executions.
- *Names*: one that is a command of ``wingbeat`` itself, or that another plugin offers too, is offered by nobody else: it is told
  whose it is, and never decided by the order of installation.
- *Interrupted*: Ctrl-C raises KeyboardInterrupt in it; the status is 130.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from msgspec import Struct

S = TypeVar("S", bound=Struct)

OUTPUTS = ("table", "json", "yaml")
"""Forms of the output: for people, and two documents for programs."""


class Invocation(Protocol):
    """What was said before the name of a command, and what holds here besides."""

    @property
    def home(self) -> str:
        """The home's folder, absolute. It need not exist, nor be what `endpoint` has chosen."""

    @property
    def endpoint(self) -> str:
        """URL of the server that ``--endpoint`` or ``WINGBEAT_ENDPOINT`` names; empty where neither does."""

    @property
    def output(self) -> str:
        """One of `OUTPUTS`: what ``-o`` says, else ``table``."""

    @property
    def project(self) -> str:
        """The project of what is named without one. Raises `ConfigurationError`, as everything below."""

    @property
    def domain(self) -> str:
        """The domain of what is named without one."""

    @property
    def given(self) -> Mapping[str, Mapping[str, Any]]:
        """What ``--set`` and ``--endpoint`` mean, by section and key: ``Kernel(called.home, settings=called.given)`` works with
        what the user wants, the home here or a server."""

    def settings(self, section: str, struct: type[S]) -> S:
        """The plugin's settings: `struct` with what the section of the configuration sets."""

    def show(self, document: Mapping[str, Any]) -> None:
        """Print a document, as JSON or YAML as `output` says; as JSON where that is ``table``.

        Args:
            document: Of plain data: dicts with strings as keys, lists, strings, numbers, booleans, None.
        """


__all__ = ["OUTPUTS", "Invocation"]
