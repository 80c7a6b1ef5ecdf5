"""Closures of a file, for those who must not import it: the CLI. Kept by the digest of the project's sources, so that an
unchanged file costs a look at its folder."""

from __future__ import annotations

import ast
import importlib
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import AccessDenied, CompileError, ConfigurationError, InputError, NotFound
from wingbeat.base.ids import digest
from wingbeat.builtin.durable import scratch_directory, write_atomic
from wingbeat.contracts.environment import Interpreter
from wingbeat.contracts.failpoints import hit
from wingbeat.host.bundle import Bundle, source_digest
from wingbeat.host.config import Configuration
from wingbeat.host.discover import PluginSettings, boot
from wingbeat.host.home import Choice, HomeFolder, home_path, make_home
from wingbeat.host.installed import installed_plugins
from wingbeat.host.project import UNPARSABLE, check_python, find_project
from wingbeat.host.reach import check_reach
from wingbeat.host.registrable import defining
from wingbeat.host.sources import texts_below
from wingbeat.kernel.code import files_in, freeze, pack, runs_plain
from wingbeat.kernel.settings import OWN, KernelSettings
from wingbeat.runtime.compile import Compiled, CompileRequest, Planned, Problem
from wingbeat.spec.definition import Definition, Kind
from wingbeat.spec.entities import Closure, EnvironmentSpec

if TYPE_CHECKING:
    from wingbeat.builtin.process.sockets import Offer
    from wingbeat.contracts.admin import Admin

_Settings = Mapping[str, Mapping[str, Any]]

COMPILE_S_MAX = 300
TRIES_MAX = 5
_NAMED_MAX = 5
"""How often a project is compiled whose files change meanwhile."""
_NEXT = (
    "asyncio", "wingbeat.builtin.process.executor", "wingbeat.builtin.sqlite", "wingbeat.host.discover",
    "wingbeat.kernel.inputs", "wingbeat.kernel.shared",
)  # fmt: skip


def compile_file(
    file: str,
    entity: str,
    home: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Closure:
    """The closure of a workflow or task of `file`, ready to be launched: with its code bundle and environment lock.

    Args:
        settings: As those of the kernel that it will be given to.

    Raises:
        CompileError: The file cannot be imported, or the entity cannot be compiled; nothing ran.

        InputError: There is no such file or entity; says what there is.
    """
    compiled = _compiled(file, home, settings)
    if entity in compiled.problems:
        raise _error(file, compiled.problems[entity])
    if entity not in compiled.closures:
        raise _unknown(file, entity, compiled)
    return compiled.closures[entity]


def entities_of(file: str, home: str | os.PathLike[str] | None = None) -> list[str]:
    """Names of the workflows and tasks of `file`, its own first. Raises CompileError, InputError."""
    compiled = _compiled(file, home, None)
    return [*compiled.closures, *compiled.problems]


def problems_of(
    file: str,
    home: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    warnings: list[str] | None = None,
) -> dict[str, str]:
    """The workflows, tasks and launch plans of `file`, its own first, each with what is wrong with it; empty for what compiles.

    Args:
        warnings: What is to be warned of comes into it.

    Raises:
        CompileError: The file cannot be imported.

        InputError: There is no such file.
    """
    compiled = _compiled(file, home, settings)
    if warnings is not None:
        warnings += _warnings(compiled)
    wrong = {name: str(_error(file, problem)) for name, problem in compiled.problems.items()}
    names = dict.fromkeys((*compiled.closures, *compiled.plans), "") | wrong
    return {name: names[name] for name in sorted(names, key=lambda each: each not in compiled.own)}


def definitions_of(
    path: str | Sequence[str],
    home: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    warnings: list[str] | None = None,
) -> list[Definition]:
    """What a file, or every file of a folder, or each of several, defines itself: to be registered. In the order of their names.

    Files of a folder are those of the project that its code bundle holds and that define something, by their syntax, as importing
    one runs it: a function under ``@task`` or ``@workflow``, or a name that is given a `LaunchPlan`, also by way of a function or
    another name of the project that makes them. `left_out_of` says which others there are.

    Args:
        warnings: What is to be warned of comes into it, each once.

    Raises:
        CompileError: Something cannot be compiled; says all that cannot.

        InputError: There is no such file or folder, or nothing in it.
    """
    found: dict[str, Definition] = {}
    problems: list[str] = []
    paths = [path] if isinstance(path, str) else path
    for file in sources_of(paths):
        compiled = _compiled(file, home, settings)
        if warnings is not None:
            warnings += [each for each in _warnings(compiled) if each not in warnings]
        for name in compiled.own:
            if (problem := compiled.problems.get(name)) is not None:
                hint = "".join(f"\n  {line}" for line in problem.hint.splitlines())
                problems.append(f"{file}: {name}: {problem.message}{hint}")
            elif (planned := compiled.plans.get(name)) is not None:
                _add(found, Definition(Kind.LAUNCHPLAN, planned.plan.name, planned.closure, planned.plan), file)
            else:
                closure = compiled.closures[name]
                kind = Kind.TASK if name in compiled.tasks else Kind.WORKFLOW
                _add(found, Definition(kind, closure.workflow.name, closure), file)
    if problems:
        raise CompileError(*problems)
    if not found:
        raise InputError(f"{', '.join(paths)} has no workflow, no task and no launch plan.")
    return [found[name] for name in sorted(found)]


def _warnings(compiled: Compiled) -> list[str]:
    """Of the environment: what it says here is in the specification, and code that is imported elsewhere reads another."""
    told = []
    for file, names in compiled.asking.items():
        near = os.path.relpath(file)
        shown = file if near.startswith("..") else near
        told.append(
            f"{shown} asks the environment for {_few(names)} while it is imported: what is compiled has the value of here, "
            "an attempt that of where it runs, and no key of the cache knows of it. Make it an input, or read it inside the task."
        )
    return told


def _few(names: Sequence[str]) -> str:
    """So many that they can be read; who copies the environment asks for all of it."""
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def sources_of(path: str | Sequence[str]) -> list[str]:
    """The files that `definitions_of` imports of these paths. Raises InputError for one that is not there."""
    paths = [path] if isinstance(path, str) else path
    return list(dict.fromkeys(file for each in paths for file in _files(each)))


def _files(path: str) -> list[str]:
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise InputError(f"There is no file or folder {path!r}.")
    return _sources(path)[0]


def _sources(folder: str) -> tuple[list[str], list[str]]:
    """The files of a folder that define something, and those that only speak of Wingbeat. What they import is followed in all of
    their project, as far as that has a marked root."""
    below = os.path.realpath(folder)
    inside = texts_below(below)
    if not inside:
        return [], []
    project = find_project(os.path.join(below, next(iter(inside))))
    around = project.root if project.settings_file and below.startswith(f"{project.root}/") else below
    prefix = "" if around == below else f"{os.path.relpath(below, around)}/"
    texts = {f"{prefix}{path}": text for path, text in inside.items()}
    found = defining(texts if around == below else {**texts_below(around), **texts})
    taken = [os.path.join(folder, path) for path in inside if f"{prefix}{path}" in found]
    others = [path for path, text in inside.items() if "wingbeat" in text and f"{prefix}{path}" not in found]
    return taken, [os.path.join(folder, path) for path in others]


def left_out_of(path: str | Sequence[str]) -> list[str]:
    """Files of these folders that speak of ``wingbeat`` and define nothing that can be registered, so that `definitions_of` does
    not import them: scripts, tests, helpers. A file that is named itself is always imported."""
    paths = [path] if isinstance(path, str) else path
    return list(dict.fromkeys(file for each in paths if os.path.isdir(each) for file in _sources(each)[1]))


def files_of(
    bundle: str,
    home: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, str] | None:
    """The files of a code bundle that is stored here, by its digest: paths, each with a text that is another one for another
    content. None for a bundle that is not here."""
    return files_in(bundle, _open(home_path(home), Configuration(settings)).storage())


def _add(found: dict[str, Definition], definition: Definition, file: str) -> None:
    """Raises CompileError for another of the same name. One object may have several names in its file."""
    other = found.setdefault(definition.name, definition)
    if other.digest != definition.digest:
        raise CompileError(
            f"{file}: there are two of the name {definition.name!r}: a {other.kind.label} and a {definition.kind.label}.",
            hint='Names are one space: give the launch plan a name of its own, as LaunchPlan(…, name="…").',
        )


def _compiled(
    file: str, home: str | os.PathLike[str] | None, settings: _Settings | None, tries: int = TRIES_MAX
) -> Compiled:
    if not Path(file).is_file():
        raise InputError(f"There is no file {file!r}.")
    check_python(file)
    folder, configuration = home_path(home), Configuration(settings)
    make_home(folder)
    opened = _open(folder, configuration)
    bundle = pack(file, opened.storage(), folder / "bundles")
    environment = freeze(bundle.root, opened.storage(), folder / "bundles")
    identity = f"{bundle.digest} {environment} {os.path.realpath(file)} {sys.executable} {_own_version()}"
    identity += f" {opened.storage().scheme}"  # defaults may be stored
    identity += f" {configuration.merged('admin')}"  # which says what references stand for
    kept = folder / "compiled" / f"{digest(identity.encode())[7:]}.json"
    with suppress(OSError, msgspec.DecodeError):  # not there, or emptied by a power cut
        before = msgspec.json.decode(kept.read_bytes(), type=_Kept)
        if before.variables == _digests(before.compiled.variables, identity):
            return before.compiled
    check_reach(file, bundle)
    compiled = _complete(_defined(file, bundle, opened, environment, settings), bundle.digest, environment)
    if compiled.failed is not None:
        raise _error(file, compiled.failed)
    if source_digest(file, str(folder / "bundles")) != bundle.digest:  # somebody saved a file meanwhile
        if tries == 1:
            raise ConfigurationError(
                f"The files of {bundle.root} keep changing while they are compiled.", hint="Run it again."
            )
        return _compiled(file, home, settings, tries - 1)
    hit("compile.done")
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(str(kept), msgspec.json.encode(_Kept(compiled, _digests(compiled.variables, identity))))
    hit("compile.kept")
    return compiled


class _Kept(Struct, frozen=True):
    """What is kept of a file: `variables` has digests of the values that the environment variables had which it has asked for."""

    compiled: Compiled
    variables: dict[str, str]


def _digests(names: Iterable[str], identity: str) -> dict[str, str]:
    """Digests of the values of environment variables: they may be secrets."""
    return {name: digest(f"{identity} {os.environ.get(name)!r}".encode()) for name in names}


def _open(folder: Path, configuration: Configuration) -> HomeFolder:
    """The home. Plugins are looked at only where it uses something that is not in the box: that takes a while."""
    home, chosen = HomeFolder(folder, configuration), configuration.section("kernel", KernelSettings).of_home
    plugins = configuration.section("plugins", PluginSettings)
    installed = {} if chosen == Choice() else installed_plugins(folder / "plugins.json", plugins.disabled)
    home.use(boot([], installed, plugins, OWN), chosen)
    return home


def _own_version() -> str:
    """What changes when Wingbeat itself does: also an editable installation that is worked on."""
    import wingbeat

    root = Path(wingbeat.__file__).parent
    newest = max(
        entry.stat().st_mtime_ns
        for room in ("base", "types", "spec", "author", "compile", "runtime", "host")
        for entry in os.scandir(root / room)
        if entry.name.endswith(".py")
    )
    return str(newest)


def _complete(compiled: Compiled, bundle: str, environment: str) -> Compiled:
    """Add code and environment to the closures, which their process does not know."""

    def whole(closure: Closure) -> Closure:
        return msgspec.structs.replace(closure, bundle=bundle, environment=environment if runs_plain(closure) else "")

    return msgspec.structs.replace(
        compiled,
        closures={name: whole(closure) for name, closure in compiled.closures.items()},
        plans={name: Planned(planned.plan, whole(planned.closure)) for name, planned in compiled.plans.items()},
    )


def _defined(file: str, bundle: Bundle, home: HomeFolder, environment: str, settings: _Settings | None) -> Compiled:
    """Compile, and again with what references stand for, where there are any."""
    definitions: dict[str, Definition] = {}
    while True:
        compiled = _compile(file, bundle, home, environment, definitions)
        if not compiled.wanted:
            return compiled
        definitions |= _definitions(file, compiled.wanted, home, settings)


def _definitions(
    file: str, wanted: Iterable[str], home: HomeFolder, settings: _Settings | None
) -> dict[str, Definition]:
    """What is registered under these ids. Raises CompileError where nothing is."""
    import asyncio

    from wingbeat.kernel.kernel import Kernel

    async def ask() -> dict[str, Definition]:
        async with Kernel(home.folder, settings=settings) as kernel:
            admin = await kernel.admin()
            return {id: await definition(admin, id) for id in wanted}

    async def definition(admin: Admin, id: str) -> Definition:
        try:
            return await admin.definition(id)
        except AccessDenied as error:
            raise type(error)(f"{file} refers to {id}: {error.message}", hint=error.hint) from error

    try:
        return asyncio.run(ask())
    except NotFound as error:
        raise CompileError(f"{file} refers to what is not there: {error.message}", hint=error.hint) from None


def _compile(
    file: str, bundle: Bundle, home: HomeFolder, environment: str, definitions: dict[str, Definition]
) -> Compiled:
    """In the project's environment; where a module is missing there, in the one that the file's tasks declare."""
    from wingbeat.builtin.environments import UvEnvironments

    maker = home.maker_of_environments()
    interpreter = maker.ready(environment) if isinstance(maker, UvEnvironments) else None
    if interpreter is None:
        interpreter = _ensured(home, None, environment)
    compiled = _in_process(interpreter, file, bundle, home, definitions, ahead=not definitions)
    if compiled.failed is None or not compiled.failed.missing:
        return compiled
    declared, unclear = declared_environments(file)
    if len(declared) == 1 and not unclear:
        return _in_process(_ensured(home, declared[0], ""), file, bundle, home, definitions)
    missing = compiled.failed.missing
    where = "several environments" if declared else "no environment of their own"
    if unclear:
        where = "environments that are not written as constants"
    hint = (
        f"{missing!r} is not in the project's environment, and the tasks of this file declare {where}. Import it inside the "
        f"functions that use it:\n\n      @task(environment=Environment(packages=[…]))\n      def use(…) -> …:\n"
        f"          import {missing}\n\n  or give the tasks of each environment a module of their own."
    )
    return Compiled(failed=Problem(compiled.failed.message, hint, compiled.failed.trace))


def _ensured(home: HomeFolder, environment: EnvironmentSpec | None, project_lock: str) -> Interpreter:
    import asyncio

    async def ensured() -> Interpreter:
        return await home.environments().ensure(environment, project_lock)

    try:
        return asyncio.run(ensured())
    except OSError as error:
        raise ConfigurationError(f"No environment can be made (kernel.environments): {error}.") from error


def _in_process(
    interpreter: Interpreter,
    file: str,
    bundle: Bundle,
    home: HomeFolder,
    definitions: dict[str, Definition],
    *,
    ahead: bool = False,
) -> Compiled:
    """Compile in a process of its own; `ahead` lets it fork the warm parent for the bundle too."""
    from wingbeat.builtin.process.sockets import variables
    from wingbeat.host.project import module_name

    roots = tuple(os.path.normpath(os.path.join(bundle.root, r)) for r in bundle.import_roots)
    scratches = os.path.join(home.path, "bundles", "scratch")
    os.makedirs(scratches, exist_ok=True)
    with scratch_directory(scratches) as scratch:
        answer = os.path.join(scratch, "answer")
        module = module_name(file, bundle.root)
        request = CompileRequest(
            module, os.path.realpath(file), roots, home.storages(), scratch, answer, definitions=definitions
        )
        path = Path(scratch) / "request"
        arguments = [interpreter.python, "-P", "-m", "wingbeat.runtime.first", str(path)]
        with _offer(interpreter, bundle, home) if ahead else nullcontext() as offer:
            if offer is not None:
                request = msgspec.structs.replace(request, parent=offer.config, listener=offer.listener, log=offer.log)
            path.write_bytes(msgspec.json.encode(request))
            try:
                with _ctrl_c_held_back():
                    process = subprocess.Popen(
                        arguments, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=variables(interpreter),
                        pass_fds=() if offer is None else (offer.listener,),
                    )  # fmt: skip
            except OSError as error:
                raise ConfigurationError(
                    f"The interpreter {interpreter.python} cannot be started: {error}.",
                    hint="It is what kernel.environments has made.",
                ) from error
        hit("compile.started")
        code = _wait(process, file)
        if not os.path.exists(answer):
            how = f"exit code {code}" if code >= 0 else f"signal {-code}"
            raise CompileError(
                f"Importing {file} ended its process without a word of Python ({how}).",
                hint="Its top level calls os._exit(), or a library that it imports crashes. "
                "If it has printed something, that is above.",
            )
        return msgspec.json.decode(Path(answer).read_bytes(), type=Compiled)


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """What is started meanwhile gets no Ctrl-C before it asks for it: Python would print a traceback while it starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(process: subprocess.Popen[bytes], file: str) -> int:
    """The exit code of the process that compiles; it does not outlive this call."""
    try:
        _import_ahead()
        _until_ended(process, COMPILE_S_MAX)
    except subprocess.TimeoutExpired:
        raise CompileError(
            f"Importing {file} took longer than {COMPILE_S_MAX} s.",
            hint="What takes long belongs into a task: the top level of the file only defines.",
        ) from None
    finally:
        process.kill()  # does nothing to one that has ended
        code = process.wait()
    return code


def _import_ahead() -> None:
    """Import what a kernel needs to launch what is compiled: else both processes would wait for each other in turn."""
    for name in _NEXT:
        importlib.import_module(name)


def _until_ended(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Raises `TimeoutExpired`. `Popen.wait` with a limit looks at growing intervals: up to 50 ms too late."""
    if not hasattr(os, "pidfd_open"):
        process.wait(seconds)
        return
    fd = os.pidfd_open(process.pid)
    try:
        if not select.select([fd], [], [], seconds)[0]:
            raise subprocess.TimeoutExpired(process.args, seconds)
    finally:
        os.close(fd)


def _offer(interpreter: Interpreter, bundle: Bundle, home: HomeFolder) -> AbstractContextManager[Offer | None]:
    """What a warm parent for the bundle is started with, in a home whose tasks run in processes."""
    from wingbeat.builtin.process.settings import ProcessSettings
    from wingbeat.builtin.process.sockets import ParentKey, Sockets

    if home.settings("kernel", KernelSettings).executor != "process":
        return nullcontext()
    local = os.path.realpath(home.storage().fetch(bundle.blob))
    sockets = Sockets(home.path, home.settings("process", ProcessSettings))
    return sockets.offer(ParentKey(interpreter, local))


def declared_environments(file: str) -> tuple[list[EnvironmentSpec], int]:
    """The environments that a file declares, without running it, and how many more are not written as constants."""
    from wingbeat.author.options import Environment

    try:
        tree = ast.parse(Path(file).read_bytes())
    except UNPARSABLE:  # whoever imports it gets the better message
        return [], 0
    constants: dict[str, ast.expr] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            constants |= {t.id: statement.value for t in statement.targets if isinstance(t, ast.Name)}
    found: dict[str, EnvironmentSpec] = {}
    unclear = 0
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", getattr(node.func, "attr", "")) != "Environment":
            continue
        try:
            positional = [_constant(a, constants) for a in node.args]
            given = {str(k.arg): _constant(k.value, constants) for k in node.keywords}
            spec = Environment(*positional, **given).spec(Path(file).resolve().parent)
        except CompileError as error:  # its place in the text of the message is that of this file
            place = f"{os.path.basename(file)}:{node.lineno}"
            raise CompileError(re.sub(r"\(compiling\.py:\d+\)", f"({place})", error.message), hint=error.hint) from None
        except (ValueError, TypeError):
            unclear += 1
            continue
        found[repr(spec)] = spec
    return list(found.values()), unclear


def _constant(node: ast.expr, constants: dict[str, ast.expr]) -> Any:
    """The value of an expression: a literal, or a name of the module that is given one. Raises ValueError."""
    return ast.literal_eval(constants.get(node.id, node) if isinstance(node, ast.Name) else node)


def _unknown(file: str, entity: str, compiled: Compiled) -> InputError:
    names = ", ".join([*compiled.closures, *compiled.problems]) or "none"
    if entity in compiled.plans:
        launched = compiled.plans[entity].closure.workflow.name
        return InputError(
            f"{entity!r} of {file} is a launch plan of {launched}; a file's workflows and tasks are run by name.",
            hint=f"Launch the plan by a program: await kernel.launch({entity}); or call it in a workflow. To run by name there "
            f"is {names}.",
        )
    plans = (
        f" Launch plans, for programs and to be called in workflows: {', '.join(compiled.plans)}."
        if compiled.plans
        else ""
    )
    return InputError(f"{file} has no workflow or task {entity!r}.", hint=f"It has {names}.{plans}")


def _error(file: str, problem: Problem) -> CompileError:
    trace = "\n" + problem.trace.rstrip() if problem.trace else ""
    return CompileError(f"{file}: {problem.message}{trace}", hint=problem.hint)
