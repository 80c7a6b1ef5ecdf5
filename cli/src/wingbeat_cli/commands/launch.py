"""`wingbeat launch PROJECT/DOMAIN/NAME@VERSION`: run something registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.arguments import reference_argument
from wingbeat_cli.group import HELP, Session, foresee_output, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Entity
    from wingbeat.kernel import Kernel
    from wingbeat.spec.entities import Interface


def _ours(function: Any) -> Any:
    """The options of `launch` itself; they may stand before the reference or behind it."""
    name = click.option(
        "--name", default="", metavar="ID", help="Id of the execution; the same name again starts nothing new."
    )
    wait = click.option("--wait", is_flag=True, help="Stay until it has ended, and print its outputs.")
    label = click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="For finding it.")
    return name(wait(label(output_option()(function))))


@click.command("launch", context_settings={**HELP, "allow_interspersed_args": False}, options_metavar="[OPTIONS]")
@reference_argument("PROJECT/DOMAIN/NAME[@VERSION]")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[INPUTS]")
@_ours
@click.pass_context
def command(ctx: click.Context, /, reference: str, arguments: tuple[str, ...], **_: Any) -> int:
    """Run a version of a workflow, a task or a launch plan that is registered.

    Its inputs are options; with --help behind it, they are listed. Without a version it is the active one of a launch plan,
    and the newest of others. With --wait, Ctrl-C aborts it.
    """
    from wingbeat_cli.door import within

    foresee_output(ctx, arguments)
    return within(lambda kernel: _launch(kernel, ctx, reference, arguments))


async def _launch(kernel: Kernel, ctx: click.Context, reference: str, arguments: tuple[str, ...]) -> int:
    from wingbeat.contracts.admin import ENTITY_LABEL, Launch
    from wingbeat_cli.follow import left
    from wingbeat_cli.near import hinted
    from wingbeat_cli.options import given

    admin = await kernel.admin()
    async with hinted(admin, reference):
        entity = await admin.entity(reference)
    _check_fixed(entity, arguments, ctx)
    with _context(entity, ctx, reference, arguments) as inner:
        inputs = given(inner, _asked_for(entity))
        asked = _asked(ctx, inner)
    wires = kernel.wires(entity.interface, inputs)
    # As it was written: so the same again, under the same name, is known also when there is a newer version.
    reply = await admin.launch(Launch(reference, wires, asked["name"], _labels(asked["labels"], ctx)))
    if asked["wait"]:
        from wingbeat_cli.follow import follow

        note = "" if reply.created else f"execution {reply.id} is there already"
        execution = await kernel.get(reply.id)
        return await follow(kernel, execution, asked["output"], note=note, again=bool(asked["name"]))
    of = entity.id
    if not reply.created:  # which may have been of another version
        of = (await kernel.engine.describe(reply.id, nodes=False)).labels.get(ENTITY_LABEL, of)
    told = {"id": reply.id, "entity": of, "created": reply.created}
    return left(kernel, told, asked["output"])


def _asked(outer: click.Context, inner: click.Context) -> dict[str, Any]:
    """What both halves of the command line ask for together; what stands behind the reference wins."""
    said: dict[str, Any] = {}
    for name in ("name", "wait", "labels", "output"):
        context = inner if inner.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE else outer
        said[name] = context.params[name]
    session = outer.find_object(Session)
    if session is not None:
        session.output = said["output"]
    return said


def _context(entity: Entity, ctx: click.Context, reference: str, arguments: tuple[str, ...]) -> click.Context:
    import json

    from wingbeat_cli.commands.run import entity_command

    fixed = [f"  {name} = {json.dumps(wire, ensure_ascii=False)}" for name, wire in entity.fixed.items()]
    told = ["\n".join(["\b", "Fixed by the launch plan:", *fixed])] if fixed else []
    command = entity_command(entity.id, _asked_for(entity), "\n\n".join([entity.doc or entity.id, *told]), _ours)
    return command.make_context(f"{ctx.info_name} {reference}", list(arguments), parent=ctx.parent)


def _asked_for(entity: Entity) -> Interface:
    """What is to be given: what takes an artifact by itself is not."""
    from msgspec.structs import replace

    newest = {name: f"the newest {spec.artifact}" for name, spec in entity.newest.items()}
    inputs = [replace(v, default=newest[v.name]) if v.name in newest else v for v in entity.interface.inputs]
    return replace(entity.interface, inputs=tuple(inputs))


def _check_fixed(entity: Entity, arguments: tuple[str, ...], ctx: click.Context) -> None:
    from wingbeat_cli.options import normalized

    for name in entity.fixed:
        option = normalized(f"--{name}")
        for argument in arguments:
            word = normalized(argument.partition("=")[0])
            if word == option or argument.startswith((f"{name}=", f"--input={name}=")):
                raise click.UsageError(
                    f"input {name!r} is fixed by the launch plan {entity.id}: nobody can give it", ctx
                )


def _labels(pairs: tuple[str, ...], ctx: click.Context) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--label takes NAME=VALUE, not {pair!r}", ctx)
        found[name] = value
    return found
