"""``LaunchPlan``: a way to launch a workflow, with inputs given beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar

from wingbeat.author.artifact import Newest
from wingbeat.author.compose import Callee
from wingbeat.author.dynamic import dispatch
from wingbeat.author.notify import Notify, as_notifications
from wingbeat.author.options import Concurrency, Pool, as_concurrency
from wingbeat.author.schedule import Schedule
from wingbeat.author.signature import Signature
from wingbeat.author.source import Location, caller, shown
from wingbeat.author.trigger import Trigger
from wingbeat.author.usage import usage
from wingbeat.base.errors import CompileError, InputError
from wingbeat.spec.entities import FailurePolicy, Interface, LaunchPlanSpec, PoolSpec, Variable
from wingbeat.spec.labels import check_labels
from wingbeat.spec.triggers import OnArtifactSpec, OnEndSpec, OnVersionSpec, ScheduleSpec, TriggerSpec
from wingbeat.types import BlobIO, EnumType, LiteralType, Simple, ValueMismatch, compatible, describe

if TYPE_CHECKING:
    from wingbeat.author.task import Task
    from wingbeat.author.workflow import Workflow

P = ParamSpec("P")
R = TypeVar("R")

_KEYS = tuple(Simple(name) for name in ("str", "int", "bool", "date", "datetime"))
"""What can be the key of a partition, besides names of enums."""


class LaunchPlan(Callee, Generic[R]):
    """A way to launch a workflow. Called in a workflow's body it is an execution of its own, with its own life.

    Called directly it is the plain function, with these inputs.

    Args:
        workflow: What is launched.

        name: Its name in the inventory; the workflow's by default.

        inputs: Defaults of inputs, in place of the workflow's own; or `Newest` artifacts, for which the admin looks.

        fixed: Inputs that nobody can give.

        labels: For people to find its executions by. Names that begin with ``wingbeat/``, and ``project`` and ``domain``, are ours.

        doc: What it is for.

        concurrency: How many of its executions may be under way at once: a number, or a `Concurrency`. In place of the
            workflow's own.

        trigger: What starts it once it is registered and active: `OnSuccess` or `OnEnd` of another workflow, `OnArtifact`,
            `OnVersion`, or the time: `Cron` or `FixedRate`.

        pool: Pool of the tasks of its executions that want none themselves: its name, or a `Pool`.

        priority: Added to that of whatever waits for its executions: themselves, for their limit, and their attempts, for a pool.

        failure_policy: Whether the rest goes on as far as it can when a node fails, in place of the workflow's own. Of static
            workflows only.

        retention_days: How long its executions are kept once they have ended.

        notifications: Who is told of its executions: `Notify`. They count for executions that are launched by its registered
            name, by somebody or by its trigger.

    Raises:
        CompileError: An input is not one of the workflow's, or is given twice; the limit is none; the trigger is none; a label is
            ours; another option does not fit.
    """

    @usage('LaunchPlan(WORKFLOW, name="NAME")')
    def __init__(
        self,
        workflow: Workflow[P, R] | Task[P, R],
        *,
        name: str = "",
        inputs: Mapping[str, Any] | None = None,
        fixed: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        doc: str = "",
        concurrency: int | Concurrency | None = None,
        trigger: Trigger | Schedule | None = None,
        pool: str | Pool | None = None,
        priority: int = 0,
        failure_policy: FailurePolicy | None = None,
        retention_days: int | None = None,
        notifications: Sequence[Notify] = (),
    ) -> None:
        from wingbeat.author.task import Task
        from wingbeat.author.workflow import Workflow

        self.where = where = caller()
        if not isinstance(workflow, Workflow | Task):
            raise CompileError(f"LaunchPlan takes a workflow, not {shown(workflow)} ({where}): {where.text}")
        self.workflow: Workflow[..., R] | Task[..., R] = workflow
        self.name, self.fn = name or workflow.name, workflow.fn
        self.newest = {name: given.spec for name, given in (inputs or {}).items() if isinstance(given, Newest)}
        self.inputs = {name: given for name, given in (inputs or {}).items() if name not in self.newest}
        self.fixed, self.labels, self.doc = dict(fixed or {}), dict(labels or {}), doc
        self._check_labels()
        self.concurrency = as_concurrency(concurrency, self.name, where)
        if not isinstance(trigger, Trigger | Schedule | None):
            raise CompileError(
                f"LaunchPlan {self.name}: trigger={trigger!r} is none ({where}): {where.text}",
                hint='Such as OnSuccess("maps/production/maps.build", inputs={"roads": "o0"}), or Cron("0 3 * * *").',
            )
        self.trigger = trigger
        self.pool = None if pool is None else self._pool(pool)
        self.priority, self.failure_policy, self.retention_days = priority, failure_policy, retention_days
        self._check_options()
        self.notifications = as_notifications(notifications, self.name, where)
        both = (self.inputs.keys() | self.newest.keys()) & self.fixed.keys()
        if both:
            raise CompileError(
                f"LaunchPlan {self.name}: {min(both)!r} is among the inputs and fixed ({where}): {where.text}",
                hint="What is fixed has no default.",
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # as of a task
        return dispatch(self, args, kwargs)

    def override(self, **options: Any) -> NoReturn:
        """Refused: a launch plan has its options itself.

        Raises:
            CompileError: Always, with what to do instead.
        """
        from wingbeat.author.misuse import no_override  # only for who has made this mistake

        raise no_override(
            self.name, options, "Give them where it is made, or make another: 'LaunchPlan(WORKFLOW, name=…, pool=…)'."
        )

    def __repr__(self) -> str:
        return f"<launch plan {self.name}>"

    def plain(self, *args: Any, **kwargs: Any) -> R:
        """The plain function, with the plan's inputs."""
        given = {**dict(zip(self.signature.inputs, args, strict=False)), **kwargs}
        stray = [n for n in kwargs if n not in self.signature.inputs]
        if stray or len(args) > len(self.signature.inputs):
            raise TypeError(f"{self.name} takes {', '.join(self.signature.inputs) or 'no inputs'}")
        return self.workflow.plain(**{**self.inputs, **given, **self.fixed})

    @cached_property
    def signature(self) -> Signature:
        """The workflow's without what is fixed.

        Raises:
            CompileError: The plan gives an input that the workflow does not have.
        """
        own = self.workflow.signature
        stray = [n for n in (*self.inputs, *self.newest, *self.fixed) if n not in own.inputs]
        if stray:
            raise CompileError(
                f"LaunchPlan {self.name}: {self.workflow.name} has no input {stray[0]!r} ({self.where}): {self.where.text}",
                hint=f"It takes {', '.join(own.inputs) or 'none'}.",
            )
        return own.without(self.fixed.keys(), self.inputs)

    def spec(self, io: BlobIO, workflow: str, interface: Interface) -> LaunchPlanSpec:
        """The launch plan as declared.

        Args:
            workflow: The workflow's digest.

            interface: The workflow's interface.

        Raises:
            CompileError: What it gives is of another type.
        """
        fixed = {name: self._wire(name, value, io) for name, value in self.fixed.items()}
        inputs = []
        for variable in interface.inputs:
            if variable.name in fixed:
                continue
            if variable.name in self.inputs:
                given = self._wire(variable.name, self.inputs[variable.name], io)
                variable = type(variable)(variable.name, variable.type, given, variable.doc)  # noqa: PLW2901
            inputs.append(variable)
        if self.trigger is not None:
            self._check_trigger(self.trigger, inputs)
        self._check_newest(interface)
        return LaunchPlanSpec(
            name=self.name,
            workflow=workflow,
            interface=Interface(tuple(inputs), interface.outputs),
            fixed=fixed,
            labels=self.labels,
            doc=self.doc,
            concurrency=self.concurrency,
            trigger=None if self.trigger is None else self.trigger.spec,
            newest=self.newest,
            pool=self.pool,
            priority=self.priority,
            failure_policy=self.failure_policy,
            retention_days=self.retention_days,
            notifications=self.notifications,
        )

    def _pool(self, given: str | Pool) -> PoolSpec:
        try:
            return (Pool(given) if isinstance(given, str) else given).spec()
        except (AttributeError, CompileError, TypeError):
            raise CompileError(
                f"LaunchPlan {self.name}: pool={given!r} is none ({self.where}): {self.where.text}",
                hint="It is the name of a pool, or a Pool with numbers; its weight is at least 1.",
            ) from None

    def _check_labels(self) -> None:
        texts: list[object] = [*self.labels, *self.labels.values()]
        if stray := [each for each in texts if not isinstance(each, str)]:
            raise CompileError(
                f"LaunchPlan {self.name}: labels have {stray[0]!r}, which is no text ({self.where}): {self.where.text}"
            )
        try:
            check_labels(self.labels)
        except InputError as error:
            why = error.message.removesuffix(".")
            raise CompileError(
                f"LaunchPlan {self.name}: {why} ({self.where}): {self.where.text}", hint=error.hint
            ) from None

    def _check_options(self) -> None:
        from wingbeat.author.workflow import Workflow

        where: Location = self.where
        priority: object = self.priority
        days: object = self.retention_days
        if not isinstance(priority, int):
            raise CompileError(
                f"LaunchPlan {self.name}: priority={self.priority!r} is no number ({where}): {where.text}"
            )
        if days is not None and not (isinstance(days, int) and days >= 1):
            raise CompileError(
                f"LaunchPlan {self.name}: retention_days={days!r} is out of range ({where}): {where.text}",
                hint="It is a number of days from 1 on.",
            )
        if self.failure_policy is None:
            return
        if not isinstance(self.failure_policy, FailurePolicy):
            raise CompileError(
                f"LaunchPlan {self.name}: failure_policy={self.failure_policy!r} is none ({where}): {where.text}",
                hint=f"It is one of {', '.join(f'FailurePolicy.{policy}' for policy in FailurePolicy)}.",
            )
        if not isinstance(self.workflow, Workflow):
            raise CompileError(
                f"LaunchPlan {self.name}: {self.workflow.name} is no static workflow, and has no failure policy "
                f"({where}): {where.text}",
                hint="Leave failure_policy out.",
            )

    def _check_newest(self, interface: Interface) -> None:
        """Keys come from inputs that are texts, or can be written as one."""
        for spec in self.newest.values():
            for key, given in spec.inputs.items():
                variable, why = interface.input(given.input), ""
                if variable is None:
                    why = f"{self.workflow.name} has no such input"
                elif given.input in self.newest:
                    why = "it is looked for itself"
                elif given.date and variable.type != Simple("datetime"):
                    why = f"it takes {describe(variable.type)}, which has no date"
                elif not (variable.type in _KEYS or isinstance(variable.type, EnumType)):
                    why = f"it takes {describe(variable.type)}, which is no key"
                if why:
                    raise CompileError(
                        f"LaunchPlan {self.name}: the key {key!r} of {spec.artifact} is that of the input {given.input!r}, "
                        f"but {why} ({self.where}): {self.where.text}"
                    )

    def _check_trigger(self, trigger: Trigger | Schedule, inputs: list[Variable]) -> None:
        """Nobody is there to give an input when it fires."""
        given = _given(trigger.spec)
        stray = [name for name in given if name not in {v.name for v in inputs}]
        if stray:
            why = "it is fixed" if stray[0] in self.fixed else f"{self.workflow.name} has no such input"
            raise CompileError(
                f"LaunchPlan {self.name}: its trigger gives {stray[0]!r}, but {why} ({self.where}): {self.where.text}"
            )
        for variable in inputs:
            type_, what = given.get(variable.name, (None, ""))
            if type_ is not None and (differs := compatible(type_, variable.type)) is not None:
                raise CompileError(
                    f"LaunchPlan {self.name}: {variable.name!r} takes {describe(variable.type)}, and {what} is a "
                    f"{describe(type_)}: {differs} ({self.where}): {self.where.text}"
                )
        missing = [v.name for v in inputs if v.required and v.name not in given.keys() | self.newest.keys()]
        if missing:
            raise CompileError(
                f"LaunchPlan {self.name}: when its trigger fires nobody gives {missing[0]!r} ({self.where}): {self.where.text}",
                hint="Have the trigger give it (inputs= or input=), or give the launch plan a default (inputs=), or fix it.",
            )

    def _wire(self, name: str, value: object, io: BlobIO) -> Any:
        codec = self.workflow.signature.codecs[name]
        try:
            return codec.encode(value, io)
        except ValueMismatch as error:
            raise CompileError(
                f"LaunchPlan {self.name} gives {name!r} of another type: {error}; {self.workflow.name} takes "
                f"{describe(codec.type)} ({self.where}): {self.where.text}"
            ) from error


def _given(trigger: TriggerSpec) -> dict[str, tuple[LiteralType | None, str]]:
    """The inputs that a trigger gives: of which type, where that is known before it fires, and what that is."""
    text = Simple("str")
    found: dict[str, tuple[LiteralType | None, str]] = {}
    match trigger:
        case OnEndSpec():
            found = dict.fromkeys(trigger.inputs, (None, ""))
        case ScheduleSpec():
            found = {trigger.input: (Simple("datetime"), "a tick")}
        case OnArtifactSpec():
            found = {trigger.input: (None, ""), **dict.fromkeys(trigger.keys, (text, "a key of a partition"))}
        case OnVersionSpec():
            found = {trigger.input: (text, "a version")}
    found.pop("", None)
    return found
