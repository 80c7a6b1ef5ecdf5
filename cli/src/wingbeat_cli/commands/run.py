"""`wingbeat run FILE ENTITY`: compile, launch, follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.group import HELP, Session, foresee_output, not_empty, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel
    from wingbeat.spec.entities import Closure, Interface


@dataclass
class Wish:
    """What is to be run, and how.

    Attributes:
        source: The file and the entity.

        name: The execution's id; empty for one that is made.

        fresh: Never resume.

        project, domain: Where the execution is.

        output: ``table``, ``json`` or ``yaml``.
    """

    source: tuple[str, str]
    closure: Closure
    inputs: dict[str, Any]
    name: str
    fresh: bool
    project: str
    domain: str
    output: str


def _ours(function: Any) -> Any:
    """The options of `run` itself; they may stand before FILE or behind ENTITY."""
    name = click.option(
        "--name", default="", metavar="ID", help="Id of the execution; the same name again starts nothing new."
    )
    fresh = click.option("--fresh", is_flag=True, help="Start anew, also if the same run did not finish.")
    # Short ones only: an input may be called project.
    project = click.option(
        "-p",
        "project",
        default="",
        callback=not_empty,
        metavar="PROJECT",
        help="Whose it is; else that of project.name.",
    )
    domain = click.option(
        "-d",
        "domain",
        default="",
        callback=not_empty,
        metavar="DOMAIN",
        help="Where it is used; else project.domain.",
    )
    return name(fresh(project(domain(output_option()(function)))))


@click.command("run", context_settings={**HELP, "allow_interspersed_args": False}, options_metavar="[OPTIONS]")
@click.argument("file", type=click.Path())
@click.argument("entity", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[INPUTS]")
@_ours
@click.pass_context
def command(ctx: click.Context, /, file: str, entity: str | None, arguments: tuple[str, ...], **_: Any) -> int:
    """Run a workflow or a task of a Python file.

    Its inputs are options; `wingbeat run FILE ENTITY --help` lists them. The run is durable: if it was killed, the same
    command goes on where it was. Ctrl-C aborts it.
    """
    _check_file(file, ctx)
    if entity is None or entity.startswith("-"):
        return _list(ctx, file, asked=entity in {"-h", "--help"})
    from wingbeat.kernel import compile_file
    from wingbeat_cli.door import given, within
    from wingbeat_cli.interrupts import undone

    foresee_output(ctx, arguments)
    with undone():
        closure = compile_file(file, entity, settings=given())
    # Beside this command's context, not below it: usage lines would repeat FILE and ENTITY.
    path = f"{ctx.info_name} {file} {entity}"
    command = entity_command(closure.workflow.name, closure.workflow.interface, closure.workflow.doc, _ours)
    with command.make_context(path, list(arguments), parent=ctx.parent) as inner:
        wish = _wish((file, entity), closure, ctx, inner)
    return within(lambda kernel: _run(kernel, wish))


def _remember(ctx: click.Context, output: str) -> None:
    session = ctx.find_object(Session)
    if session is not None:
        session.output = output


def _wish(source: tuple[str, str], closure: Closure, outer: click.Context, inner: click.Context) -> Wish:
    """What both halves of the command line ask for together; what stands behind ENTITY wins."""
    from wingbeat_cli.options import given

    said: dict[str, Any] = {}
    for name in ("name", "fresh", "project", "domain", "output"):
        context = inner if inner.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE else outer
        said[name] = context.params[name]
    _remember(outer, said["output"])
    said["project"], said["domain"] = _place(said["project"], said["domain"])
    return Wish(source, closure, given(inner, closure.workflow.interface), **said)


def _place(project: str, domain: str) -> tuple[str, str]:
    """Where an execution is, also where the line does not say it. Raises InputError for what is no name."""
    from wingbeat.kernel import place_of
    from wingbeat.spec.identity import check_place
    from wingbeat_cli.door import given

    name, where = place_of(given())
    check_place(project or name, domain or where)
    return project or name, domain or where


def _check_file(file: str, ctx: click.Context) -> None:
    from pathlib import Path

    path = Path(file)
    if path.is_dir():
        raise click.UsageError(f"{file} is a folder; name a Python file", ctx)
    if not path.exists():
        raise click.UsageError(f"there is no file {file}", ctx)


def _list(ctx: click.Context, file: str, *, asked: bool) -> int:
    """Say what can be run: as help if it was asked for, else as an error."""
    from wingbeat.kernel import entities_of
    from wingbeat_cli.interrupts import undone

    with undone():
        names = entities_of(file)
    found = f"{file} has: {', '.join(names)}" if names else f"{file} has no workflow and no task"
    if not asked:
        raise click.UsageError(f"name what to run; {found}", ctx)
    click.echo(f"{ctx.get_usage()}\n\n{found}")
    return 0


def entity_command(name: str, interface: Interface, doc: str, more: Callable[[Any], Any]) -> click.Command:
    """A command whose options are the inputs of an interface, with `more` of its own."""
    from wingbeat_cli.options import input_option, input_options, normalized

    @more
    def nothing(**_: Any) -> None:
        """Hold the options of ours."""

    ours = list(reversed(getattr(nothing, "__click_params__", [])))
    options = input_options(interface)
    # Inputs first: they are what people look for.
    params: list[click.Parameter] = [*options, input_option(), *ours]
    return click.Command(
        name,
        context_settings={**HELP, "token_normalize_func": normalized},
        params=params,
        help=_help(name, interface, doc),
        options_metavar="[INPUTS]",
    )


def _help(name: str, interface: Interface, doc: str) -> str:
    from wingbeat.types.text import describe
    from wingbeat_cli.options import nameless

    outputs = [f"{v.name}: {describe(v.type)}" + (f"  {v.doc}" if v.doc else "") for v in interface.outputs]
    parts = [_laid_out(paragraph) for paragraph in (doc or name).split("\n\n")]
    for heading, lines in (("Outputs:", outputs), ("Inputs whose names are options:", nameless(interface))):
        if lines:
            parts.append("\n".join(["\b", heading, *(f"  {line}" for line in lines)]))
    return "\n\n".join(parts)


def _laid_out(paragraph: str) -> str:
    """A paragraph of a docstring; one that is indented keeps its lines."""
    return f"\b\n{paragraph}" if "\n " in paragraph else paragraph


async def _run(kernel: Kernel, wish: Wish) -> int:
    from wingbeat_cli.follow import follow

    labels = {"project": wish.project, "domain": wish.domain}
    execution = await kernel.launch(
        wish.closure, wish.inputs, name=wish.name or None, resume=not wish.fresh, labels=labels
    )
    note = ""
    if execution.created and execution.recovered:
        note = "going on with one that was being aborted (--fresh starts anew)"
    elif not execution.created and wish.name:
        note = f"execution {execution.id} is there already"
    elif not execution.created:
        note = f"resuming {execution.id}, which had not ended (--fresh starts anew)"
    return await follow(kernel, execution, wish.output, note=note, source=wish.source)
