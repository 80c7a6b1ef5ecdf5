"""What is registered under a name: all that is needed to run it, without its sources."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from wingbeat.base.errors import InputError
from wingbeat.base.ids import digest
from wingbeat.spec.codec import canonical, check_closure, read_bounded
from wingbeat.spec.entities import Closure, Interface, LaunchPlanSpec


class Kind(enum.StrEnum):
    """What can be registered."""

    TASK = "task"
    WORKFLOW = "workflow"
    LAUNCHPLAN = "launchplan"

    @property
    def label(self) -> str:
        """For people."""
        return "launch plan" if self is Kind.LAUNCHPLAN else self.value


class Definition(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is registered under a name: all that is needed to run it, without its sources.

    Attributes:
        closure: What it runs; with the digests of the code bundle and of the environment.

        plan: Of a launch plan.
    """

    kind: Kind
    name: str
    closure: Closure
    plan: LaunchPlanSpec | None = None

    @property
    def digest(self) -> str:
        """Its identity by content."""
        return digest(canonical([self.kind, self.closure, self.plan]))

    @property
    def interface(self) -> Interface:
        """What is to be given, and what comes out."""
        return self.closure.workflow.interface if self.plan is None else self.plan.interface


def borrowed_of(definitions: Iterable[Definition]) -> list[str]:
    """Ids of what definitions say that they borrow of, in order."""
    return sorted({code.of for each in definitions for code in each.closure.borrowed.values()})


def check_borrowed(definitions: Iterable[Definition], registered: Mapping[str, Definition]) -> None:
    """Raise InputError where one borrows what is not among what is `registered`, by ids, or not as it is there."""
    for each in definitions:
        for name, code in each.closure.borrowed.items():
            there = registered.get(code.of)
            task, whose = each.closure.entities[name].name, f"{each.name} borrows"
            if there is None:
                raise InputError(f"{whose} {task} of {code.of}, which is not registered.", hint="Register that first.")
            if name not in there.closure.entities or _code(there, name) != (code.bundle, code.environment):
                raise InputError(
                    f"{whose} {task} of {code.of}, which has it in another form, or not.", hint="Compile again."
                )


def _code(definition: Definition, task: str) -> tuple[str, str]:
    code = definition.closure.borrowed.get(task) or definition.closure
    return code.bundle, code.environment


def read_definition(data: bytes) -> Definition:
    """What `data` (canonical JSON) describes. Raises ConfigurationError as `wingbeat.spec.codec.read_closure`."""
    definition: Definition = read_bounded(data, _decoder)
    check_closure(definition.closure)
    return definition


_decoder = msgspec.json.Decoder(Definition)
