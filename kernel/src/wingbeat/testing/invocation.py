"""What a command of a plugin is given, for tests: without a command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from wingbeat.testing.home import TemporaryHome

S = TypeVar("S", bound=Struct)


class TemporaryInvocation:
    """A `wingbeat.contracts.command.Invocation` for a folder, which need not exist::

        CliRunner().invoke(command, ["--all"], obj=TemporaryInvocation(tmp_path / "home"))

    Args:
        home: The folder of the home; it is not made.

        output: What ``-o`` would say.

        given: Settings by section, as ``--set`` would say them.

        place: Project and domain.
    """

    def __init__(
        self,
        home: Path,
        output: str = "table",
        given: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        endpoint: str = "",
        place: tuple[str, str] = ("default", "development"),
    ) -> None:
        self.home, self.output, self.given, self.endpoint = str(home.absolute()), output, given or {}, endpoint
        self.project, self.domain = place

    def settings(self, section: str, struct: type[S]) -> S:
        """See `Invocation.settings`."""
        return TemporaryHome.read(section, struct, self.given)

    def show(self, document: Mapping[str, Any]) -> None:
        """See `Invocation.show`; as JSON, which is YAML, too."""
        sys.stdout.write(f"{json.dumps(document)}\n")


__all__ = ["TemporaryInvocation"]
