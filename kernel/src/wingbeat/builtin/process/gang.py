"""What differs for an attempt of several processes: it takes more slots, and its end is told by what became of its members.

That they start and end together is the business of the process that leads them (`wingbeat.runtime.gang`); here it is an
attempt like any other.
"""

from __future__ import annotations

import os
from typing import Any

from msgspec.structs import replace

from wingbeat.builtin.process import verdict as single
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.builtin.process.slots import Slots
from wingbeat.contracts.executor import Failed, Outcome, Succeeded
from wingbeat.runtime import files
from wingbeat.runtime.gangrecord import Record, Seen, read_record
from wingbeat.runtime.job import Exit, Gang, member_folder
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.gang import GangSpec


def slots(all_slots: Slots, task: TaskSpec) -> int:
    """How many slots an attempt of the task takes: those of all its members; at most all that there are, as for one process."""
    each = all_slots.wanted(task.resources.cpu)
    return each if task.gang is None else min(all_slots.total, each * task.gang.size)


def job(spec: GangSpec, settings: ProcessSettings) -> Gang:
    """What its leader has to know."""
    return Gang(spec.roles, settings.cancel_grace_s, settings.log_bytes_max)


def verdict(directory: str, end: Exit | None, memory_bytes: int | None, how: str = "") -> Outcome:
    """The outcome of an attempt of which nothing runs any more; `end` is that of its leader."""
    record = read_record(directory)
    if record is None:
        return single.verdict(directory, end, memory_bytes, how)
    failed = record.members.get(record.failed)
    if failed is not None and failed.exit is not None:
        end = failed.exit
    outcome = single.verdict(directory, end, memory_bytes, how)
    if isinstance(outcome, Succeeded):
        return replace(outcome, evidence=outcome.evidence | _evidence(directory, record))
    if isinstance(outcome, Failed):
        error = outcome.error
        evidence = error.evidence | _evidence(directory, record)
        if record.failed:
            evidence |= {"member": record.failed, "log": _log(directory, record, record.failed)}
            error = replace(error, message=f"{record.failed}: {error.message}")
        return Failed(replace(error, evidence=evidence))
    return outcome


def _evidence(directory: str, record: Record) -> dict[str, Any]:
    return {
        "members": {
            name: _of(member) | {"log": _log(directory, record, name)} for name, member in record.members.items()
        }
    }


def _of(member: Seen) -> dict[str, Any]:
    found = single.evidence_of(member.exit) or {"pid": member.pid}
    return found | ({"stopped": True} if member.stopped else {})


def _log(directory: str, record: Record, name: str) -> str:
    """The log of a member; that of the first one is the attempt's."""
    first = name == next(iter(record.members))
    return os.path.join(directory if first else member_folder(directory, name), files.LOG)
