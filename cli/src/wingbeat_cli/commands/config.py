"""`wingbeat config`: the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.group import HELP, Session, output_option

if TYPE_CHECKING:
    from wingbeat.kernel.installed import Setting


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
    """
    from wingbeat.kernel import configuration_of
    from wingbeat_cli.door import show_warnings

    show_warnings()
    found = [setting for section in configuration_of(settings=session.settings).values() for setting in section]
    chosen = [s for s in found if not names or s.section in names or f"{s.section}.{s.key}" in names]
    missing = [n for n in names if not any(n in (s.section, f"{s.section}.{s.key}") for s in found)]
    if missing:
        raise click.UsageError(_unknown(missing[0], found))
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"settings": [_document(setting) for setting in chosen]}, output)
        return 0
    import sys

    from wingbeat_cli.render.table import coloured, columns, echo

    rows = [(f"{s.section}.{s.key}", _text(s.said[0].value)) for s in chosen]
    if not explain:
        echo(columns(rows, heading=("SETTING", "VALUE"), colour=coloured(sys.stdout)))
        return 0
    heading = ("SETTING", "VALUE", "FROM")
    told = [(*row, _origins(setting)) for row, setting in zip(rows, chosen, strict=True)]
    lines = columns(told, heading=heading, colour=coloured(sys.stdout))
    echo(line for pair in zip(lines, ["", *(s.doc for s in chosen)], strict=True) for line in _paired(*pair))
    return 0


def _paired(line: str, doc: str) -> list[str]:
    return [line, *([f"    {doc.replace('``', '')}"] if doc else [])]


def _origins(setting: Setting) -> str:
    """Where its value is said, and what it stands before."""
    first, *others = ((_where(said.origin), _text(said.value)) for said in setting.said)
    told = "; ".join(f"{where}: {value}" for where, value in others if where != "default")
    return f"{first[0]} (over {told})" if told else first[0]


def _where(origin: str) -> str:
    from wingbeat.kernel.installed import GIVEN

    return "--set" if origin == GIVEN else origin


def _text(value: Any) -> str:
    import msgspec

    plain = msgspec.to_builtins(value)
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()


def _document(setting: Setting) -> dict[str, Any]:
    import msgspec

    said = [{"value": msgspec.to_builtins(s.value), "from": _where(s.origin)} for s in setting.said]
    return {"setting": f"{setting.section}.{setting.key}", **said[0], "over": said[1:], "meaning": setting.doc}


def _unknown(name: str, found: list[Setting]) -> str:
    from difflib import get_close_matches

    known = {*(s.section for s in found), *(f"{s.section}.{s.key}" for s in found)}
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"sections: {', '.join(sorted({s.section for s in found}))}"
    return f"there is no setting {name!r}; {hint}"
