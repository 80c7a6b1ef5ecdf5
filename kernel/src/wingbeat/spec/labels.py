"""Labels of executions: which of their names nobody gives but the control plane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wingbeat.base.errors import InputError
from wingbeat.spec.definition import Definition

RESERVED = "wingbeat/"
"""What names of ours begin with."""
PLACE = ("project", "domain")
"""Names of ours, too: where an execution is."""
PROJECT, DOMAIN = "default", "development"
"""Where an execution is that says nothing of it, as of what is registered."""
_TOLD_MAX = 80


def is_ours(name: str) -> bool:
    """Whether a label of this name is given by the control plane, or by an engine, and by nobody else."""
    return name.startswith(RESERVED) or name in PLACE


def place_of(labels: Mapping[str, str]) -> str:
    """Where an execution with these labels is: ``project/domain``."""
    return f"{labels.get('project', PROJECT)}/{labels.get('domain', DOMAIN)}"


def within(place: str, name: str) -> str:
    """A name that counts in one place only, told apart from the same name in others: ``project/domain/name``. In the default
    place it stays as it is, unless it could be taken for another one's."""
    return name if place == f"{PROJECT}/{DOMAIN}" and "/" not in name else f"{place}/{name}"


def check_labels(names: Iterable[str]) -> None:
    """Raise InputError for a name that is ours, or none: nobody gives such a label."""
    for name in names:
        if not name:
            raise InputError("A label has to have a name.", hint="It is given as NAME=VALUE.")
        if is_ours(name):
            raise InputError(f"The label {name[:_TOLD_MAX]!r} is ours.", hint="Choose another name.")


def check_plan_labels(definitions: Iterable[Definition]) -> None:
    """Raise InputError where a launch plan among them gives its executions a label that is ours."""
    for each in definitions:
        if each.plan is None:
            continue
        try:
            check_labels(each.plan.labels)
        except InputError as error:
            raise InputError(f"LaunchPlan {each.name}: {error.message}", hint=error.hint) from None
