"""`wingbeat version`: what is installed."""

from __future__ import annotations

import platform

import click

from wingbeat_cli.group import HELP, output_option

GROUP = "wingbeat"
"""Entry-point group of the plugins."""


@click.command("version", context_settings=HELP)
@output_option()
def command(output: str) -> int:
    """Print the versions of Wingbeat, its plugins and Python."""
    from importlib.metadata import entry_points, version

    versions = {"wingbeat": version("wingbeat"), "wingbeat-cli": version("wingbeat-cli")}
    for point in entry_points(group=GROUP):
        if point.dist is not None:
            versions[point.dist.name] = point.dist.version
    versions["python"] = platform.python_version()
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(dict(versions), output)
    else:
        from wingbeat_cli.render.table import columns, echo

        echo(columns(versions.items()))
    return 0
