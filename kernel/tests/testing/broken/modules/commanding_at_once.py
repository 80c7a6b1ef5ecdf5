"""A command whose module writes when it is imported."""

from pathlib import Path

import click

Path("began").touch()


@click.command()
def late():
    """Do nothing that was not done already."""
