"""Compiling a file: imports it and writes the closures of what it defines.

In a short-lived process (`wingbeat.runtime.first`): the request is a JSON file (`CompileRequest`); the answer goes to the file
that it names (`Compiled`). Standard output and error belong to the user's module.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import WingbeatError
from wingbeat.contracts.storage import StorageRef
from wingbeat.runtime.asking import asked_for
from wingbeat.runtime.job import ParentConfig
from wingbeat.runtime.load import import_module
from wingbeat.spec.definition import Definition
from wingbeat.spec.entities import Closure, LaunchPlanSpec

_ONLY_DEFINES = "The top level of the file only defines; what runs belongs under: if __name__ == '__main__':"
_OURS = os.path.dirname(os.path.dirname(os.path.realpath(__file__))) + os.sep


class CompileRequest(Struct, frozen=True):
    """What to compile: a module, found below `roots`; files among defaults go to the first of `storages`.

    Attributes:
        parent: A warm parent to fork first, with the descriptor of its listening socket and the path of its log.

        definitions: What references stand for, by their ids.
    """

    module: str
    file: str
    roots: tuple[str, ...]
    storages: tuple[StorageRef, ...]
    scratch: str
    answer: str
    parent: ParentConfig | None = None
    listener: int = -1
    log: str = ""
    definitions: dict[str, Definition] = {}


class Problem(Struct, frozen=True, omit_defaults=True):
    """Why something could not be compiled. `missing` is the module that could not be imported, if that was it."""

    message: str
    hint: str = ""
    trace: str = ""
    missing: str = ""


class Planned(Struct, frozen=True, omit_defaults=True):
    """A launch plan, with the closure of what it launches."""

    plan: LaunchPlanSpec
    closure: Closure


class Compiled(Struct, frozen=True, omit_defaults=True):
    """What a file defines, by the name that it has in the file.

    Attributes:
        closures: Of workflows and tasks.

        tasks: Which of them are tasks.

        own: What the file itself defines; the others it imports.

        plans: Launch plans.

        problems: What could not be compiled.

        wanted: Ids of references whose definitions have to be given, before anything can be said of the file.

        variables: Names of the environment variables that the project's files have asked for.

        asking: Which of them a file asks for itself, by its path, absolute.
    """

    closures: dict[str, Closure] = {}
    tasks: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    plans: dict[str, Planned] = {}
    problems: dict[str, Problem] = {}
    failed: Problem | None = None
    wanted: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    asking: dict[str, tuple[str, ...]] = {}


def read_request(path: str) -> CompileRequest:
    """The request in a file."""
    with open(path, "rb") as file:
        return msgspec.json.decode(file.read(), type=CompileRequest)


def answer(request: CompileRequest) -> None:
    """Compile and write the answer."""
    from wingbeat.author.reference import defined

    sys.path[:0] = [root for root in request.roots if root not in sys.path]
    with defined(request.definitions), asked_for(request.roots) as asked:
        found = _compile(request)
    by_file: dict[str, tuple[str, ...]] = {}
    for path, name in sorted(asked.direct):
        by_file[path] = (*by_file.get(path, ()), name)
    found = msgspec.structs.replace(found, variables=tuple(sorted(asked.names)), asking=by_file)
    with open(request.answer, "wb") as file:
        file.write(msgspec.json.encode(found))


def _compile(request: CompileRequest) -> Compiled:
    from wingbeat.author.reference import NotDefined

    try:
        module = import_module(request.module)
    except WingbeatError as error:
        return Compiled(failed=Problem(_located(error, request.roots), error.hint))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # the user's module may raise anything
        return Compiled(failed=_problem(error, _ONLY_DEFINES))
    closures: dict[str, Closure] = {}
    plans: dict[str, Planned] = {}
    problems: dict[str, Problem] = {}
    wanted = _references(module) - request.definitions.keys()
    entities, launchplans = _entities(module, request.file), _plans(module)
    for name, entity in (*entities.items(), *launchplans.items()):
        try:
            if name in launchplans:
                plans[name] = _plan(entity, request)
            else:
                closures[name] = _close(entity, request)
        except NotDefined as error:
            wanted.add(error.reference)
        except WingbeatError as error:
            problems[name] = Problem(error.message, error.hint)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a workflow's body is the user's code
            problems[name] = _problem(error)
    if wanted:
        return Compiled(wanted=tuple(sorted(wanted)))
    tasks = tuple(name for name in closures if _is_task(entities[name]))
    own = [name for name, entity in entities.items() if getattr(entity.fn, "__module__", "") == module.__name__]
    own += [name for name, plan in launchplans.items() if os.path.realpath(plan.where.file) == request.file]
    return Compiled(closures, tasks, tuple(own), plans, problems)


def _close(entity: Any, request: CompileRequest) -> Closure:
    from wingbeat.author.closing import close
    from wingbeat.compile.check import check
    from wingbeat.runtime.blobio import AttemptIO

    closure, locations = close(entity, AttemptIO(request.storages, request.scratch))
    check(closure, locations)
    return closure


def _entities(module: Any, file: str) -> dict[str, Any]:
    """Tasks and workflows of the module, also those that it imports from others."""
    from wingbeat.author.task import Task
    from wingbeat.author.workflow import Workflow

    found = {name: value for name, value in vars(module).items() if isinstance(value, Task | Workflow)}
    own = [name for name, value in found.items() if getattr(value.fn, "__module__", "") == module.__name__]
    return {name: found[name] for name in sorted(found, key=lambda n: (n not in own, n))}


def _references(module: Any) -> set[str]:
    from wingbeat.author.reference import Reference

    return {value.name for value in vars(module).values() if isinstance(value, Reference)}


def _is_task(entity: Any) -> bool:
    from wingbeat.author.dynamicflow import Dynamic
    from wingbeat.author.task import Task

    return isinstance(entity, Task) and not isinstance(entity, Dynamic)


def _plans(module: Any) -> dict[str, Any]:
    from wingbeat.author.launchplan import LaunchPlan

    return {name: value for name, value in vars(module).items() if isinstance(value, LaunchPlan)}


def _plan(plan: Any, request: CompileRequest) -> Planned:
    from wingbeat.runtime.blobio import AttemptIO

    closure = _close(plan.workflow, request)
    _ = plan.signature  # which is where it is told that it gives what the workflow does not take
    io = AttemptIO(request.storages, request.scratch)
    return Planned(plan.spec(io, closure.root, closure.workflow.interface), closure)


def _located(error: WingbeatError, roots: tuple[str, ...]) -> str:
    """The message, with the line of the user's code below `roots` where it names none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(roots) and "site-packages" not in frame.filename:
            place = f"{os.path.basename(frame.filename)}:{frame.lineno}"
            return error.message if place in error.message else f"{error.message.removesuffix('.')} ({place})."
    return error.message


def _problem(error: BaseException, exit_hint: str = "") -> Problem:
    """What an exception says, and where it came from: its traceback without the line that says it again, and without the
    frames of the import system and of Wingbeat."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and not os.path.realpath(frame.filename).startswith(_OURS)
        and os.sep + os.path.join("importlib", "__init__.py") not in frame.filename
    ]  # fmt: skip
    said = traceback.format_exception_only(error)
    if isinstance(error, SystemExit):
        code = "" if error.code is None else repr(error.code)
        return Problem(f"it ends the program: sys.exit({code})", exit_hint, "".join(traceback.format_list(frames)))
    name = type(error).__name__
    at = next((n for n, line in enumerate(said) if line.startswith(name)), 0)  # lines of the source are before it
    missing = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    trace = "".join([*traceback.format_list(frames), *said[:at], *said[at + 1 :]])
    return Problem(said[at].rstrip(), trace=trace, missing=missing)
