"""`wingbeat config`: the settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from wingbeat_cli.errors import USAGE, message_of
from wingbeat_cli.group import HELP, Session, output_option

if TYPE_CHECKING:
    from wingbeat.base.settings import Said
    from wingbeat.kernel.installed import Mistake, Setting


@click.group("config", context_settings=HELP)
def command() -> None:
    """Show the settings."""


@command.command("show")
@click.argument("names", metavar="[SECTION[.KEY]]...", nargs=-1)
@click.option("--explain", is_flag=True, help="Say where each value comes from, and what it means.")
@output_option()
@click.pass_obj
def show(session: Session, /, names: tuple[str, ...], explain: bool, output: str) -> int:
    """Show the settings that hold here: all, or those of some sections, or single ones.

    The first that says something wins: --set, WINGBEAT_SECTION__KEY in the environment, the project's wingbeat.toml or
    pyproject.toml, the user's wingbeat.toml, the default. What files and variables say that nobody reads is warned of.

    What is wrong stands in its place, with what is wrong and where; the exit status is 2 then. Other commands refuse it.
    """
    from wingbeat.kernel import configuration_of
    from wingbeat_cli.door import show_warnings

    show_warnings()
    mistakes: list[Mistake] = []
    sections = configuration_of(settings=session.settings, mistakes=mistakes)
    lines = [line for section, found in sections.items() for line in _lines(section, found, mistakes)]
    lines += [Line(_name(mistake), None, mistake) for mistake in mistakes if mistake.section not in sections]
    missing = [name for name in names if not any(line.is_of(name) for line in lines)]
    if missing:
        raise click.UsageError(_unknown(missing[0], [each for found in sections.values() for each in found]))
    chosen = [line for line in lines if not names or any(line.is_of(name) for name in names)]
    wrong = [line.mistake for line in chosen if line.mistake is not None]
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"settings": [_document(line) for line in chosen]}, output)
    else:
        _show(chosen, explain=explain)
    if not wrong:
        return 0
    told = ", ".join(dict.fromkeys(_name(mistake) for mistake in wrong))
    click.echo(f"error: {'this setting is' if len(wrong) == 1 else 'these settings are'} wrong: {told}", err=True)
    return USAGE


class Line(NamedTuple):
    """A line of what is shown.

    Attributes:
        setting: None where there is no such setting.

        mistake: What is wrong with what is said of it.
    """

    name: str
    setting: Setting | None
    mistake: Mistake | None = None

    def is_of(self, name: str) -> bool:
        """Whether it is asked for by that name, of a section or of a setting. What is wrong with a section as a whole is told with
        each setting of it."""
        section = self.name.partition(".")[0]
        return name in (self.name, section) or (self.name == section and name.startswith(f"{section}."))


def _lines(section: str, settings: list[Setting], mistakes: list[Mistake]) -> Iterator[Line]:
    """Those of a section. What is wrong with it comes first, what there is not comes last."""
    own = [mistake for mistake in mistakes if mistake.section == section]
    yield from (Line(section, None, mistake) for mistake in own if not mistake.key)
    by_key = {mistake.key: mistake for mistake in reversed(own)}  # of those about one key, the first would hold
    for setting in settings:
        yield Line(f"{section}.{setting.key}", setting, by_key.pop(setting.key, None))
    yield from (
        Line(_name(mistake), None, mistake) for mistake in own if by_key.get(mistake.key) is mistake and mistake.key
    )


def _name(mistake: Mistake) -> str:
    return f"{mistake.section}.{mistake.key}" if mistake.key else mistake.section


def _show(lines: list[Line], *, explain: bool) -> None:
    import sys
    from shutil import get_terminal_size
    from textwrap import wrap

    from wingbeat_cli.render.table import coloured, columns, echo, paint

    heading = ("SETTING", "VALUE", "FROM") if explain else ("SETTING", "VALUE")
    rows = [(line.name, _value(line), _origins(line))[: len(heading)] for line in lines]
    colour, width = coloured(sys.stdout), get_terminal_size((0, 0)).columns
    first, *others = columns(rows, heading=heading, colour=colour)
    echo([first])
    for text, line in zip(others, lines, strict=True):
        echo([text])
        if line.mistake is not None:
            error = f"error: {message_of(line.mistake.error)} {line.mistake.error.hint}".rstrip()
            echo([f"    {paint(error, 'error') if colour else error}"])
        if explain and line.setting is not None and line.setting.doc:
            doc, indent = line.setting.doc.replace("``", ""), " " * 4
            echo(wrap(doc, width, initial_indent=indent, subsequent_indent=indent) if width else [indent + doc])


def _value(line: Line) -> str:
    """What is said, also where it is wrong."""
    if line.mistake is not None:
        return "" if line.mistake.said.value is None else _text(line.mistake.said.value)
    assert line.setting is not None, "it is there, or it is a mistake"
    return _text(line.setting.said[0].value)


def _origins(line: Line) -> str:
    """Where its value is said, and what it stands before."""
    first, *others = ((_where(each.origin), _text(each.value)) for each in _said(line))
    told = "; ".join(f"{where}: {value}" for where, value in others if where != "default")
    return f"{first[0]} (over {told})" if told else first[0]


def _said(line: Line) -> list[Said]:
    """What is said of it, the first of which holds, or is wrong."""
    said = [*line.setting.said] if line.setting else []
    if line.mistake is not None and line.mistake.said not in said[:1]:  # a value may fit, and be wrong all the same
        said.insert(0, line.mistake.said)
    return said


def _where(origin: str) -> str:
    from wingbeat.kernel.installed import GIVEN

    return "--set" if origin == GIVEN else origin


def _text(value: Any) -> str:
    import msgspec

    plain = msgspec.to_builtins(value)
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()


def _document(line: Line) -> dict[str, Any]:
    import msgspec

    said = [{"value": msgspec.to_builtins(each.value), "from": _where(each.origin)} for each in _said(line)]
    meaning = line.setting.doc if line.setting else ""
    found: dict[str, Any] = {"setting": line.name, **said[0], "over": said[1:], "meaning": meaning}
    if line.mistake is not None:
        error = line.mistake.error
        found["error"] = {"message": message_of(error), "hint": error.hint}
    return found


def _unknown(name: str, found: list[Setting]) -> str:
    from difflib import get_close_matches

    known = {*(s.section for s in found), *(f"{s.section}.{s.key}" for s in found)}
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"sections: {', '.join(sorted({s.section for s in found}))}"
    return f"there is no setting {name!r}; {hint}"
