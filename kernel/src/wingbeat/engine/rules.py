"""Which executor runs which task, where the configuration decides over it. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec
from msgspec import Struct

from wingbeat.spec.entities import TaskSpec

LABEL = "wingbeat/executors"
"""Label of an execution with what was configured at its launch, by which it goes on: a new configuration is for new executions."""
PLACE = ("project", "domain")
"""Labels that rules look at. A child execution has those of its parent."""
DEFAULT = "process"


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The executor of tasks that everything said here fits. ``*`` and ``?`` stand for any text and any letter.

    Attributes:
        executor: Its name.

        task: Name of the task, as ``eta.train_*``.

        type: ``python``, ``container``, or the name of its wrapper, as ``spark``.

        project: Label ``project`` of the execution.

        domain: Label ``domain`` of the execution.
    """

    executor: str
    task: str = "*"
    type: str = "*"
    project: str = "*"
    domain: str = "*"


class _Configured(Struct, frozen=True, omit_defaults=True):
    """What the label holds."""

    default: str = DEFAULT
    rules: tuple[Rule, ...] = ()


def label_of(default: str, rules: Iterable[Rule], labels: Mapping[str, str]) -> str:
    """The label of an execution that is launched with `labels`; empty where nothing is configured for it."""
    project, domain = (labels.get(name, "") for name in PLACE)
    kept = tuple(
        msgspec.structs.replace(rule, project="*", domain="*")
        for rule in rules
        if fnmatchcase(project, rule.project) and fnmatchcase(domain, rule.domain)
    )
    if default == DEFAULT and not kept:
        return ""
    return msgspec.json.encode(_Configured(default, kept)).decode()


def executor_of(task: TaskSpec, label: str) -> str:
    """The executor of a task: that of the first rule that fits, else the one that its spec names, else the default."""
    if not label:
        return task.executor or DEFAULT
    return _chosen(label, task.name, type_of(task)) or task.executor or _read(label).default


def type_of(task: TaskSpec) -> str:
    """What rules call the type of a task."""
    if task.container is not None:
        return "container"
    return task.wrappers[0].name if task.wrappers else "python"


@functools.lru_cache(maxsize=1024)
def _chosen(label: str, name: str, type_: str) -> str:
    rules = _read(label).rules
    return next((r.executor for r in rules if fnmatchcase(name, r.task) and fnmatchcase(type_, r.type)), "")


@functools.lru_cache(maxsize=128)
def _read(label: str) -> _Configured:
    return msgspec.json.decode(label, type=_Configured)
