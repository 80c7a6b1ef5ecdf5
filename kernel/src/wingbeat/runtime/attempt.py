"""An attempt's process: claims its directory, calls the user's function, writes what became of it.

A warm parent forks into `run`; ``python -m wingbeat.runtime.attempt DIRECTORY`` does the same in a fresh interpreter.

Of a gang this is the leader; its members are forked from it, into `run` too (`wingbeat.runtime.gang`).

What user code finds in its environment: ``WINGBEAT_EXECUTION``, ``WINGBEAT_NODE``, ``WINGBEAT_ATTEMPT`` (a number from
0), ``WINGBEAT_TASK``, ``WINGBEAT_DIRECTORY`` (the attempt's directory), ``WINGBEAT_CHECKPOINT`` (its folder for
checkpoints). Its working directory is ``work/`` in there, empty, and removed after success. Standard output and error
go to ``log``. It leads a session of its own; whatever it leaves running is killed after it.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

import msgspec

from wingbeat.base.errors import ErrorKind, PluginFailed
from wingbeat.contracts.executor import ErrorInfo, Suspended
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.gang import VARIABLE
from wingbeat.runtime import claim, files, here, inuse, limits, plugged
from wingbeat.runtime.blobio import AttemptIO
from wingbeat.runtime.call import perform
from wingbeat.runtime.errors import AttemptInputError, describe
from wingbeat.runtime.job import BROKEN, CONTROL_FD, DUPLICATE, Job, member_folder, read_job
from wingbeat.runtime.load import enter_bundle
from wingbeat.runtime.withheld import withhold

REHEARSALS = 16
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def start(job: Job, inputs: bytes, parent: str, control: int = -1) -> NoReturn:
    """Claim the attempt `job` and be its process, in an interpreter of its own.

    If it has secrets, its streams go to a filter already (`wingbeat.runtime.logfilter`), and `control` too.
    """
    try:
        groups = control_groups(job)
        if not claim.take(job.directory, parent, groups):
            os._exit(DUPLICATE)
        hit("attempt.claimed")
        os.environ.update(variables(job))
        os.makedirs(f"{job.directory}/{files.WORK}", exist_ok=True)
        log = os.dup(1) if job.secrets else files.open_log(job.directory)
    except BaseException:  # noqa: BLE001 - as in `run`
        _print_trace()
        _leave(BROKEN)
    run(job, inputs, log, groups, control=control)


def run(job: Job, inputs: bytes, log: int, groups: tuple[str, ...], spare: str = "", control: int = -1) -> NoReturn:
    """Be the process of the attempt `job`, which is claimed, to its end.

    Its variables are set and its working directory is there; `spare` is where that goes if it stays empty. Empty
    `inputs` are in the file. If it has secrets, `log` and `control` lead to its filter.
    """
    code = BROKEN
    try:
        hit("attempt.begun")
        _settle(job, log, groups)
        hit("attempt.settled")
        if job.gang is None:
            code = _attempt(job, inputs or _written_inputs(job), spare, control)
        else:
            from wingbeat.runtime.gang import lead  # not for what most attempts are

            code = lead(job, inputs or _written_inputs(job), control)
            os.chdir("/")
            _clear(f"{job.own}/{files.WORK}", spare)
        if code == 0 and not inputs:
            os.unlink(f"{job.directory}/{files.INPUTS}")
    except BaseException:  # noqa: BLE001 - whatever it is, it must be in the log and end this process
        _print_trace()
    hit("attempt.leaving")
    _leave(code)


def _print_trace() -> None:
    """Into the log, if that can be written: the disk may be full."""
    with suppress(OSError, ValueError):
        traceback.print_exc(file=sys.stderr)


def _written_inputs(job: Job) -> bytes:
    inputs = files.read_file(job.directory, files.INPUTS, files.INPUTS_BYTES_MAX)
    if inputs is None:
        raise FileNotFoundError(f"{job.directory} has no {files.INPUTS}")
    return inputs


def rehearse(folder: str) -> None:
    """Go through an attempt without being one, in `folder`.

    The interpreter adapts its bytecode to the first calls, by writing into it. Done here, before the parent forks, that
    is not done again in every attempt, where each page that is written to has to be copied first.
    """
    job = Job(id="x/n/0", directory=folder, task="", module=__name__, function=_nothing.__name__)
    for _ in range(REHEARSALS):
        io = AttemptIO(job.storages, folder)
        files.write_atomic(folder, files.OUTPUTS, msgspec.json.encode(perform(job, b"{}", io)))
        os.unlink(f"{folder}/{files.OUTPUTS}")


def _nothing() -> None:
    """What is called in rehearsals."""


def become_subreaper() -> None:
    """Have orphaned descendants handed to this process, so that none of them gets away when its own parent ends."""
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent() -> None:
    """Be killed when the process that forked this one ends, where the system can do that."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def own_streams() -> None:
    """Have what is printed in the log at once, whatever characters it holds. Inherited by forked attempts."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def _settle(job: Job, log: int, groups: tuple[str, ...]) -> None:
    """Own log, own working directory, own limits."""
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    become_subreaper()
    sys.argv = [job.task]
    os.chdir(f"{job.own}/{files.WORK}")
    if job.limited and job.gang is None:  # the limits are those of a member
        limits.enter(groups, job.cpu, job.memory_bytes)
    _reseed()


def control_groups(job: Job) -> tuple[str, ...]:
    """The control groups that are to be made for an attempt, of a gang those of all members."""
    if not job.limited:
        return ()
    if job.gang is None:
        return limits.plan(job.own, job.cpu, job.memory_bytes)
    folders = [member_folder(job.directory, f"{role}-{index}") for role, index in job.gang.names]
    return tuple(group for folder in folders for group in limits.plan(folder, job.cpu, job.memory_bytes))


def variables(job: Job) -> dict[str, str]:
    """What user code finds in its environment."""
    execution, node, number = job.id.split("/")
    found = {
        "WINGBEAT_EXECUTION": execution,
        "WINGBEAT_NODE": node,
        "WINGBEAT_ATTEMPT": number,
        "WINGBEAT_TASK": job.task,
        "WINGBEAT_DIRECTORY": job.shown,
        "WINGBEAT_CHECKPOINT": f"{job.directory}/{files.CHECKPOINT}",
    }
    if job.limited:
        found |= limits.thread_variables(job.cpu)
    if job.member is not None:
        found[VARIABLE] = msgspec.json.encode(job.member).decode()
    return found | job.variables


def _attempt(job: Job, inputs: bytes, spare: str, control: int) -> int:
    """Perform the job and write ``outputs`` or ``error``; returns the exit code."""
    io = AttemptIO(job.storages, f"{job.own}/{files.SCRATCH}")
    shared = "" if job.member is None else job.directory
    number = None if job.replay is None else job.replay.retries
    place = here.enter(
        here.Here(job.id, job.task, job.shown, io, deck_bytes_max=job.deck_bytes_max, shared=shared, number=number)
    )
    plugged.end_by(lambda outcome: _end(job, place, outcome), job.run_s, folder=job.own)
    outcome: object
    try:
        if job.secrets:
            _take_secrets(job, place, control)
        outcome = perform(job, inputs, io)
    except BaseException as error:  # noqa: BLE001 - every way in which user code can end is reported
        outcome = error
    code = _conclude(job, place, outcome)
    if code:
        return code
    os.chdir("/")
    _clear(f"{job.own}/{files.WORK}", spare)
    if io.used_scratch:
        _clear(f"{job.own}/{files.SCRATCH}", "")
    return 0


def _end(job: Job, place: here.Here, outcome: object) -> NoReturn:
    """End this process while something in it hangs."""
    code = BROKEN
    try:
        code = _conclude(job, place, outcome)
    except BaseException:  # noqa: BLE001 - as in `run`
        _print_trace()
    os._exit(code)


def _conclude(job: Job, place: here.Here, outcome: object) -> int:
    """Write what the attempt has come to: what was raised, or what was performed; returns the exit code."""
    data = b""
    try:
        if not isinstance(outcome, BaseException):
            data = msgspec.json.encode(outcome)
            if place.secrets is not None:
                place.secrets.check_outputs(data)
    except BaseException as error:  # noqa: BLE001 - as above
        outcome = error
    place.leave()
    if isinstance(outcome, BaseException):
        hit("attempt.failed")
        told = describe(outcome, job.bundle, job.memory_bytes, place.mask)
        _write_error(job, told)
        with suppress(OSError, ValueError):  # it is written already, and the log may have no room
            if told.trace:
                sys.stderr.write(f"{told.trace.rstrip()}\n")
            if not told.trace or isinstance(
                outcome, AttemptInputError | PluginFailed
            ):  # whose trace is that of the cause
                sys.stderr.write(f"{told.code}: {told.message}\n")
        return 1
    try:
        hit("attempt.returned")
        name = files.SUSPENDED if isinstance(outcome, Suspended) else files.OUTPUTS
        files.write_when_there_is_room(job.own, name, data)
    except OSError as error:
        _write_error(job, ErrorInfo("OutputLost", f"The outputs cannot be written: {error}", ErrorKind.SYSTEM))
        return 1
    hit("attempt.outcome-written")
    return 0


def _take_secrets(job: Job, place: here.Here, control: int) -> None:
    """Look the attempt's secrets up, after which its log can be written; nothing of the user's has run before."""
    from wingbeat.runtime.logfilter import tell
    from wingbeat.runtime.secrets import Secrets

    limits.no_core()
    place.secrets = secrets = Secrets(job.task)
    try:
        secrets.look_up(job.secrets, job.source)
    finally:
        if control >= 0:  # else its executor masks what it prints
            tell(control, secrets.hidden.values())
    secrets.place(job.secrets)
    for name in secrets.unmasked():
        sys.stderr.write(f"The secret {name!r} is too short to be masked in what is printed.\n")


def _write_error(job: Job, error: ErrorInfo) -> None:
    files.write_when_there_is_room(job.own, files.ERROR, msgspec.json.encode(error))


def _clear(folder: str, spare: str) -> None:
    """Have a folder away. One that is as it was stays for the parent, which moves it to `spare` when nothing runs any more.
    User code may have removed it, or made it unreadable."""
    with suppress(OSError):
        if spare and not os.listdir(folder) and os.stat(folder).st_mode == os.stat(os.path.dirname(spare)).st_mode:
            return
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _reseed() -> None:
    """Forks share the state of numpy's global generator, which unlike `random` does not seed itself anew."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _leave(code: int) -> NoReturn:
    """End without tearing the interpreter down; what libraries registered for the exit still happens."""
    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - os._exit skips them, and loggers flush there
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - the outcome is written already
        _print_trace()
    os._exit(code)


def main(directory: str) -> NoReturn:
    """Run the attempt of `directory` in this fresh interpreter, which leads its session already."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    inuse.hold()
    withhold()
    request = files.read_file(directory, files.REQUEST)
    inputs = files.read_file(directory, files.INPUTS, files.INPUTS_BYTES_MAX)
    if request is None or inputs is None:
        sys.exit(
            f"{directory} has no {files.REQUEST} or no {files.INPUTS}; the executor writes both before it starts this."
        )
    job = read_job(request)
    own_streams()
    enter_bundle(job.bundle, job.cache)
    control = -1
    if job.secrets:
        control = CONTROL_FD
        os.set_inheritable(control, False)
    start(job, inputs, sys.argv[2] if len(sys.argv) > 2 else "", control)


if __name__ == "__main__":
    main(sys.argv[1])
