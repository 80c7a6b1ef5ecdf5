"""An empty project, domain or version is refused: a script's variable that is not set is no choice of the default."""

import click
import pytest

from wingbeat_cli.group import cli


def commands(command: click.Command, path: tuple[str, ...] = ()):
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in command.list_commands(click.Context(command)):
        yield from commands(command.get_command(click.Context(command), name), (*path, name))


ASKED = sorted(
    (*path, option)
    for path, command in commands(cli)
    for parameter in command.params
    if isinstance(parameter, click.Option) and not parameter.is_flag
    for option in parameter.opts
    if option in {"--project", "-p", "--domain", "-d", "--version"}
)


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize("line", ASKED, ids=" ".join)
def test_an_empty_one_is_refused(wingbeat, line, empty):
    behind = ["flow.py", "pipeline"] if line[0] == "run" else []
    result = wingbeat(*line, empty, *behind)
    assert result.status == 2
    assert "it is empty" in result.err


def test_there_are_such_options():
    assert {("register", "-p"), ("register", "--version"), ("run", "-d"), ("get", "tasks", "--version")} <= set(ASKED)


def test_behind_the_entity_too(world, wingbeat):
    result = wingbeat("run", "flow.py", "pipeline", "-p", "")
    assert (result.status, "it is empty" in result.err) == (2, True)
