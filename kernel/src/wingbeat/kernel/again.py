"""What is run in the place of an execution: the same, or another version, with its inputs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from wingbeat.base.errors import ConfigurationError

if TYPE_CHECKING:
    from wingbeat.author.task import Task
    from wingbeat.author.workflow import Workflow
    from wingbeat.contracts.admin import Admin
    from wingbeat.contracts.engine import Engine
    from wingbeat.contracts.relaunch import Relaunching
    from wingbeat.kernel.inputs import Prepared, Preparer
    from wingbeat.spec.entities import Closure
    from wingbeat.spec.literal import Literals

_log = logging.getLogger("wingbeat.kernel")

Version: TypeAlias = "Workflow[..., Any] | Task[..., Any] | Closure"


async def as_registered(
    id: str, reference: str | None, engine: Engine, admin: Callable[[], Awaitable[Admin]], *, elsewhere: bool
) -> Relaunching | None:
    """Who runs an execution again by its id: the admin, for a version that is registered, and for what was. It then has what its
    launch had: the quota of its place, and what belongs to the version. So it is also where the engine is `elsewhere`: whoever may
    launch need not have, or be allowed to bring, all code that it refers to. None: whoever asks does so; that is warned of, if it
    was registered here.

    Raises:
        ConfigurationError: A version is named, and no admin here can do that.

        NotFound: There is no such execution.
    """
    from wingbeat.contracts.admin import ENTITY_LABEL
    from wingbeat.contracts.relaunch import Relaunching

    if reference is not None:
        found = await admin()
        if not isinstance(found, Relaunching):
            raise ConfigurationError(f"{type(found).__name__} runs nothing again by its id.", hint="Name a file.")
        return found
    entity = "" if elsewhere else (await engine.describe(id, nodes=False)).labels.get(ENTITY_LABEL, "")
    if not elsewhere and not entity:
        return None
    try:
        found = await admin()
    except ConfigurationError as error:  # none is installed, or another process works with its file
        why = error.message
    else:
        if isinstance(found, Relaunching):
            return found
        why = f"{type(found).__name__} runs nothing again by its id"
    if not elsewhere:  # else the server does what its admin would have done
        _log.warning(
            "%s is of %s and is run again without the admin, so without the quotas and defaults of its place: %s",
            id,
            entity,
            why,
        )
    return None


async def prepared(
    id: str, entity: Version | None, engine: Engine, preparer: Preparer
) -> tuple[Prepared, Literals, dict[str, str]]:
    """What is to be run in the place of an execution, with its inputs, and its labels. Raises NotFound, InputError."""
    from wingbeat.contracts.admin import ENTITY_LABEL
    from wingbeat.contracts.artifacts import USES_LABEL
    from wingbeat.contracts.engine import POOL_LABEL
    from wingbeat.contracts.retention import RETENTION_LABEL

    view = await engine.describe(id, nodes=False)
    found = preparer.known(view.closure) if entity is None else await preparer.prepare(entity)
    if found is None or entity is not None:
        ran = await engine.closure(id)
        found = found or await preparer.prepare(ran)
    else:
        ran = found.closure
    ours = {POOL_LABEL}
    if entity is None:  # what is compiled anew is no version that is registered
        ours |= {ENTITY_LABEL, RETENTION_LABEL, USES_LABEL}
    labels = {name: view.labels[name] for name in view.labels if name in ours or not name.startswith("wingbeat/")}
    return found, await found.adapt(view, ran.workflow.interface), labels
