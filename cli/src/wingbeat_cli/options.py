"""Options of the command line out of an interface: one for each input, by its literal type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from wingbeat.spec.entities import Interface, Variable
from wingbeat_cli.values import default_text, is_bool, metavar, parse, summary

RESERVED = frozenset({"--name", "--output", "--fresh", "--wait", "--label", "--input", "--help", "-h", "-o"})
"""Options of ours; an input of such a name is given as ``--input NAME=VALUE``."""

_PREFIX = "input_"


class InputValue(click.ParamType[Any]):
    """The value of one input, checked as far as its type tells."""

    name = "value"

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return _Given(parse(value, self.variable.type))
        except ValueError as error:
            raise click.UsageError(f"input '{self.variable.name}': {error}", ctx) from None


class _Given:
    """A converted value, so that a second conversion leaves it alone and None is a value."""

    def __init__(self, value: Any) -> None:
        self.value = value


def input_options(interface: Interface) -> list[click.Option]:
    """An option for each input that has a name left for one."""
    taken = set(RESERVED)
    options = [_option(variable, taken) for variable in interface.inputs]
    return [option for option in options if option is not None]


def nameless(interface: Interface) -> list[str]:
    """The inputs without an option of their own, as the help shows them."""
    there = {option.name for option in input_options(interface)}
    hidden = [variable for variable in interface.inputs if _PREFIX + variable.name not in there]
    return [f"--input {v.name}={metavar(v.type)}  {_help(v)}" for v in hidden]


def input_option() -> click.Option:
    """The option that takes any input by name."""
    return click.Option(
        ["input_pairs", "--input"],
        multiple=True,
        metavar="NAME=VALUE",
        help="Give any input, also one whose name is an option of its own.",
    )


def _option(variable: Variable, taken: set[str]) -> click.Option | None:
    flag = is_bool(variable.type)
    form = _form(variable)
    if form in taken:
        return None
    taken.add(form)
    negative = f"--no-{form[2:]}"
    if flag and negative not in taken:
        taken.add(negative)
        form = f"{form}/{negative}"
    return click.Option(
        [_PREFIX + variable.name, form],
        type=None if flag else InputValue(variable),
        is_flag=flag or None,
        default=None,
        metavar=None if flag else metavar(variable.type),
        help=_help(variable),
    )


def normalized(token: str) -> str:
    """An option as it is declared: an underscore may be written for any hyphen."""
    return token.replace("_", "-")


def _form(variable: Variable) -> str:
    return normalized(f"--{variable.name}")


def _help(variable: Variable) -> str:
    rest = "required" if variable.required else f"default: {default_text(variable)}"
    parts = [variable.doc.strip(), summary(variable.type), f"[{rest}]"]
    return "  ".join(part for part in parts if part)


def given(ctx: click.Context, interface: Interface) -> dict[str, Any]:
    """The inputs that a command line gave, as plain data.

    Raises:
        click.UsageError: One is unknown, given twice, missing or of another type.
    """
    from click.core import ParameterSource

    inputs: dict[str, Any] = {}
    for variable in interface.inputs:
        name = _PREFIX + variable.name
        if name in ctx.params and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            value = ctx.params[name]
            inputs[variable.name] = value.value if isinstance(value, _Given) else value
    inputs = values_of(ctx, interface, ctx.params.get("input_pairs", ()), inputs)
    _check_complete(ctx, interface, inputs)
    return inputs


def values_of(
    ctx: click.Context, interface: Interface, pairs: Iterable[str], there: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The inputs that are given as ``NAME=VALUE``, as plain data, beside those that are `there`.

    Raises:
        click.UsageError: One is unknown, given twice or of another type.
    """
    inputs = dict(there or {})
    for name, text in _pairs(ctx, pairs):
        variable = interface.input(name)
        if variable is None:
            names = ", ".join(v.name for v in interface.inputs) or "none"
            raise click.UsageError(f"there is no input '{name}'; the inputs are: {names}", ctx)
        if name in inputs:
            raise click.UsageError(f"input '{name}' is given twice", ctx)
        inputs[name] = InputValue(variable).convert(text, None, ctx).value
    return inputs


def _pairs(ctx: click.Context, texts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--input takes NAME=VALUE, not {text!r}", ctx)
        yield name.strip(), value


def _check_complete(ctx: click.Context, interface: Interface, inputs: dict[str, Any]) -> None:
    missing = [v for v in interface.inputs if v.required and v.name not in inputs]
    if missing:
        lines = [f"input '{v.name}' is missing; give it as {_example(ctx, v)}" for v in missing]
        raise click.UsageError("\n  ".join(lines), ctx)


def _example(ctx: click.Context, variable: Variable) -> str:
    form = _form(variable)
    if _PREFIX + variable.name not in ctx.params:
        return f"--input {variable.name}={metavar(variable.type)}"
    return f"{form} or --no-{form[2:]}" if is_bool(variable.type) else f"{form} {metavar(variable.type)}"
