"""`wingbeat reject ID NAME`: let an approval fail."""

from __future__ import annotations

from wingbeat_cli.commands.approve import decision

command = decision("reject", False, "Let an approval fail: so does its node.")
