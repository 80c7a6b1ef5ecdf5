"""`wingbeat spec`: what a file, an execution or a registered version is compiled to, and what differs."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.arguments import complete_sources, placed
from wingbeat_cli.group import DOCUMENTS, HELP, output_option

if TYPE_CHECKING:
    from wingbeat.base.errors import CompileError
    from wingbeat.kernel import Kernel
    from wingbeat.spec.entities import Closure, LaunchPlanSpec


@dataclass
class Compiled:
    """What is compiled.

    Attributes:
        id: Where from: the source as it was given, with its version if that is something registered.

        plan: Of a launch plan, whose workflow is that of the closure.

        chosen: Whether the version was not given.
    """

    id: str
    closure: Closure
    plan: LaunchPlanSpec | None = None
    chosen: bool = False


@click.group("spec", context_settings=HELP)
def command() -> None:
    """Look at what workflows are compiled to.

    SOURCE is FILE:ENTITY; the id of an execution: what that runs; or something registered, [PROJECT/DOMAIN/]NAME[@VERSION]:
    without a version, the active one of a launch plan, and the newest of others; without a place, that of the settings
    project.name and project.domain, unless an execution has this id.
    """


@command.command("show")
@click.argument("source", shell_complete=complete_sources)
@output_option(*DOCUMENTS)
def show(source: str, output: str) -> int:
    """Print a spec: the workflow at its root, and every task and workflow that it reaches, by digest; and the launch plan, if it
    is one.
    """
    import msgspec

    from wingbeat.spec.codec import canonical

    (found,) = _compiled(source)
    document = msgspec.to_builtins(found.closure)
    if found.plan is not None:
        document["launchplan"] = msgspec.to_builtins(found.plan)
    text = canonical(document).decode()
    if output == "yaml":
        from wingbeat_cli.render.yaml import rewritten

        click.echo(rewritten(text), nl=False)
    else:
        click.echo(msgspec.json.format(text, indent=2))
    return 0


@command.command("diff")
@click.argument("old", shell_complete=complete_sources)
@click.argument("new", metavar="NEW|FILE", shell_complete=complete_sources)
@click.argument("entity", required=False)
@output_option()
def diff(old: str, new: str, entity: str | None, output: str) -> int:
    """Say what differs between two specs, each a SOURCE; the new one may also be given as FILE ENTITY. Of the code bundle, the
    files are named that differ: the first ten, or with -o json all.

    Exit status 1 if anything does, 0 if they are the same.
    """
    from wingbeat.spec.diff import differences
    from wingbeat_cli.bundles import changed_files, lines

    before, after = _compiled(old, new if entity is None else f"{new}:{entity}")
    found = differences(before.closure, after.closure, old_plan=before.plan, new_plan=after.plan)
    bundles = before.closure.bundle, after.closure.bundle
    files = changed_files(*bundles) if bundles[0] != bundles[1] else None
    if output != "table":
        import msgspec

        from wingbeat_cli.render import document

        told = [msgspec.to_builtins(each) for each in found]
        document.dump({"old": before.id, "new": after.id, "differences": told, "files": files}, output)
    else:
        for each in (before, after):
            if each.chosen:
                click.echo(f"without a version: {each.id}", err=True)
        for difference in found:
            click.echo(str(difference))
            if files is not None and (difference.entity, difference.path) == ("", "bundle"):
                click.echo("\n".join(lines(files)))
        if not found:
            click.echo("They are the same.")
    return int(bool(found))


@command.command("lint")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True))
@output_option()
def lint(paths: tuple[str, ...], output: str) -> int:
    """Compile every workflow, task and launch plan of files, or of a folder and those below (by default this one), and say what is
    wrong with which; nothing runs. Of a folder those files are looked at that 'wingbeat register' takes. Exit status 3 if anything
    is wrong."""
    from wingbeat.kernel import sources_of
    from wingbeat_cli.errors import COMPILE

    one = len(paths) == 1 and os.path.isfile(paths[0])
    looked = [_lint(os.path.normpath(file)) for file in (paths if one else sources_of(paths or "."))]
    if one and looked[0].failed is not None:
        raise looked[0].failed
    if output != "table":
        from wingbeat_cli.render import document

        documents = [each.document() for each in looked]
        document.dump(documents[0] if one else {"files": documents}, output)
    else:
        for each in looked:
            for line in each.lines():
                click.echo(line if one or each.failed else f"{each.file}: {line}")
        if not looked:
            click.echo("no file defines anything", err=True)
    for warning in dict.fromkeys(warning for each in looked for warning in each.warnings):
        click.echo(f"warning: {warning}", err=True)
    return COMPILE if any(each.failed or any(each.found.values()) for each in looked) else 0


@dataclass
class _Linted:
    """What was found in a file: by name what is wrong with it, or why none of it can be looked at; and what is to be warned of."""

    file: str
    found: dict[str, str]
    failed: CompileError | None = None
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        failed = [] if self.failed is None else [f"{self.failed.message}"]
        return failed + [f"{name}: {why or 'ok'}" for name, why in self.found.items()]

    def document(self) -> dict[str, Any]:
        wrong = {name: why for name, why in self.found.items() if why}
        failed = {} if self.failed is None else {"failed": self.failed.message}
        return {"file": self.file, "entities": list(self.found), "problems": wrong, "warnings": self.warnings, **failed}


def _lint(file: str) -> _Linted:
    from wingbeat.base.errors import CompileError
    from wingbeat.kernel import problems_of
    from wingbeat_cli.door import given

    warnings: list[str] = []
    try:
        return _Linted(file, problems_of(file, settings=given(), warnings=warnings), warnings=warnings)
    except CompileError as error:
        return _Linted(file, {}, error)


def _compiled(*sources: str) -> list[Compiled]:
    """What each source is compiled to. Raises as compiling does, and `NotFound`."""
    found = {source: _of_file(source) for source in sources if _is_file(source)}
    asked = [source for source in sources if source not in found]
    if asked:
        found |= _asked_for(asked)
    return [found[source] for source in sources]


def _asked_for(sources: list[str]) -> dict[str, Compiled]:
    """What is known of executions, and of what is registered: that, the admin knows, which is part of a kernel that runs."""
    from wingbeat.base.errors import NotFound
    from wingbeat_cli.door import reading, within

    async def executions(kernel: Kernel) -> dict[str, Compiled]:
        return {source: Compiled(source, await kernel.engine.closure(source)) for source in sources}

    async def work(kernel: Kernel) -> dict[str, Compiled]:
        return {source: await _known(kernel, source) for source in sources}

    if not any(map(_is_reference, sources)):
        with contextlib.suppress(NotFound):
            return reading(executions)
    return within(work, existing=True)


def _is_file(source: str) -> bool:
    file, mark, _ = source.rpartition(":")
    return bool(mark) and (file.endswith(".py") or os.path.isfile(file))


def _is_reference(source: str) -> bool:
    return "/" in source or "@" in source  # which are in no id of an execution


def _of_file(source: str) -> Compiled:
    from wingbeat.base.errors import InputError
    from wingbeat.kernel import compile_file, definitions_of
    from wingbeat_cli.door import given

    file, _, entity = source.rpartition(":")
    try:
        return Compiled(source, compile_file(file, entity, settings=given()))
    except InputError:
        plans = [each for each in definitions_of(file, settings=given()) if each.plan and each.name == entity]
        if not plans:
            raise
        return Compiled(source, plans[0].closure, plans[0].plan)


async def _known(kernel: Kernel, source: str) -> Compiled:
    """What an execution runs, or a version of what is registered."""
    from wingbeat.base.errors import ConfigurationError, NotFound

    if _is_reference(source):
        return await _registered(kernel, placed(source))
    try:
        return Compiled(source, await kernel.engine.closure(source))
    except NotFound as missing:
        try:
            return await _registered(kernel, placed(source))
        except ConfigurationError:  # there is no admin
            raise missing from None
        except NotFound as error:
            raise NotFound(f"{missing.message} {error.message}", hint=error.hint) from None


async def _registered(kernel: Kernel, reference: str) -> Compiled:
    from wingbeat_cli.near import hinted

    admin = await kernel.admin()
    async with hinted(admin, reference):
        id_ = reference if "@" in reference else (await admin.entity(reference)).id
        found = await admin.definition(id_)
    return Compiled(id_, found.closure, found.plan, chosen=id_ != reference)
