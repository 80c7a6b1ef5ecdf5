"""Commands of plugins: one that keeps the contract, and some with one fault each."""

import json
from pathlib import Path

import click

from wingbeat.testing.invocation import TemporaryInvocation


@click.group()
def good():
    """Keep notes in the home."""


@good.command()
@click.argument("text")
@click.pass_obj
def add(called: TemporaryInvocation, text):
    """Write a note."""
    Path(called.home).mkdir(parents=True, exist_ok=True)
    Path(called.home, "notes").write_text(text)
    if called.output == "table":
        click.echo(f"noted in {called.home}")
    else:
        called.show({"text": text})


def no_command():
    """Is a function."""


@click.group()
@click.pass_obj
def helps_by_writing(called):
    """Make the home for everything in it, also for its help."""
    Path(called.home).mkdir(parents=True, exist_ok=True)


@helps_by_writing.command()
def show():
    """Show nothing."""


@click.command()
def says_nothing():
    pass


def _completes(ctx, param, incomplete):
    raise RuntimeError("nobody is there")


@click.command()
@click.argument("name", shell_complete=_completes, required=False)
def cannot_complete(name):
    """Ask somebody for names."""


@click.command()
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def swallows(ctx, words):
    """Take whatever comes."""


swallows.ignore_unknown_options = True


@click.command()
def answers_words():
    """Answer in words."""
    return "done"


@click.command()
def works_here():
    """Make a home where it is called."""
    Path(".wingbeat").mkdir(exist_ok=True)


@click.command()
@click.pass_obj
def prints_beside(called):
    """Print a greeting and a document."""
    click.echo("hello")
    click.echo(json.dumps({}))


_first = []


@click.command()
@click.pass_obj
def remembers(called):
    """Work in the home of the first call."""
    _first.append(called.home)
    click.echo(json.dumps({"home": _first[0]}))
