"""Wingbeat: functions with typed inputs and outputs, compiled to a versioned specification and run durably."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import gather

    from wingbeat.author.artifact import Artifact, Inputs, Newest
    from wingbeat.author.branch import case, cond
    from wingbeat.author.formula import where
    from wingbeat.author.gate import approve, sleep, wait_for_input
    from wingbeat.author.launchplan import LaunchPlan
    from wingbeat.author.mapping import map_task
    from wingbeat.author.notify import Notify
    from wingbeat.author.options import Cache, Concurrency, Environment, Pool, Resources, Retry, Secret, Timeout
    from wingbeat.author.reference import reference
    from wingbeat.author.schedule import Cron, FixedRate
    from wingbeat.author.task import Task, task
    from wingbeat.author.trigger import OnArtifact, OnEnd, OnSuccess, OnVersion
    from wingbeat.author.workflow import Workflow, workflow
    from wingbeat.base.errors import (
        CompileError,
        ConflictError,
        ExecutionFailed,
        InputError,
        LimitReached,
        NonRetryable,
        NotFound,
        WingbeatError,
    )
    from wingbeat.kernel import Execution, Kernel, run
    from wingbeat.runtime.inside import current
    from wingbeat.runtime.steps import step
    from wingbeat.spec.entities import FailurePolicy
    from wingbeat.types import Columns, Directory, Failure, File, Format, HashWith, Pickle

_WHERE = {
    "asyncio": ("gather",),
    "wingbeat.author.artifact": ("Artifact", "Inputs", "Newest"),
    "wingbeat.author.branch": ("case", "cond"),
    "wingbeat.author.formula": ("where",),
    "wingbeat.author.gate": ("approve", "sleep", "wait_for_input"),
    "wingbeat.author.launchplan": ("LaunchPlan",),
    "wingbeat.author.mapping": ("map_task",),
    "wingbeat.author.notify": ("Notify",),
    "wingbeat.author.options": (
        "Cache",
        "Concurrency",
        "Environment",
        "Pool",
        "Resources",
        "Retry",
        "Secret",
        "Timeout",
    ),
    "wingbeat.author.reference": ("reference",),
    "wingbeat.author.schedule": ("Cron", "FixedRate"),
    "wingbeat.author.task": ("Task", "task"),
    "wingbeat.author.trigger": ("OnArtifact", "OnEnd", "OnSuccess", "OnVersion"),
    "wingbeat.author.workflow": ("Workflow", "workflow"),
    "wingbeat.base.errors": (
        "CompileError",
        "ConflictError",
        "ExecutionFailed",
        "InputError",
        "LimitReached",
        "NonRetryable",
        "NotFound",
        "WingbeatError",
    ),
    "wingbeat.kernel": ("Execution", "Kernel", "run"),
    "wingbeat.runtime.inside": ("current",),
    "wingbeat.runtime.steps": ("step",),
    "wingbeat.spec.entities": ("FailurePolicy",),
    "wingbeat.types": ("Columns", "Directory", "Failure", "File", "Format", "HashWith", "Pickle"),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "Artifact", "Cache", "Columns", "CompileError", "Concurrency", "ConflictError", "Cron", "Directory", "Environment",
    "Execution", "ExecutionFailed", "Failure", "FailurePolicy", "File", "FixedRate", "Format", "HashWith", "InputError",
    "Inputs", "Kernel", "LaunchPlan", "LimitReached", "Newest", "NonRetryable", "NotFound", "Notify", "OnArtifact",
    "OnEnd", "OnSuccess", "OnVersion", "Pickle", "Pool", "Resources", "Retry", "Secret", "Task", "Timeout",
    "WingbeatError", "Workflow", "approve", "case", "cond", "current", "gather", "map_task", "reference", "run",
    "sleep", "step", "task", "wait_for_input", "where", "workflow",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'wingbeat' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
