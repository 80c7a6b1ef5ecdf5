"""What the kit of admins works with: how an admin is reached, and what is registered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from wingbeat.author.launchplan import LaunchPlan
from wingbeat.contracts.admin import Admin, Definition, ExecutionEntry, ExecutionQuery, Kind, Registration
from wingbeat.contracts.engine import Engine
from wingbeat.kernel.kernel import Kernel
from wingbeat.runtime.storageio import StorageIO
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.defaults import default_settings
from wingbeat.testing.home import TemporaryHome


def workflow(flow: Any, name: str) -> Definition:
    """A workflow as it is registered under a name."""
    return Definition(Kind.WORKFLOW, name, closure_of(flow))


def launchplan(flow: Any, name: str, **more: Any) -> Definition:
    """A launch plan as it is registered."""
    plan, closure = LaunchPlan(flow, name=name, **more), closure_of(flow)
    spec = plan.spec(StorageIO(None, ""), closure.root, closure.workflow.interface)
    return Definition(Kind.LAUNCHPLAN, name, closure, spec)


class AdminStage(Kit):
    """An admin over the engine of a home."""

    runs_attempts = True

    def opened(self, home: TemporaryHome, engine: Engine) -> contextlib.AbstractAsyncContextManager[Admin]:
        """An admin that launches at `engine`, started; for as long as the context is entered."""
        raise NotImplementedError(
            f"{type(self).__name__} has to say how an admin is reached: def opened(self, home, engine)"
        )

    @contextlib.asynccontextmanager
    async def engine(self, home: TemporaryHome) -> AsyncIterator[Engine]:
        """The engine of the home, while the context is entered; the kernel's, by its defaults, unless this is overridden."""
        async with Kernel(home.path, discover=False, settings=default_settings()) as kernel:
            yield kernel.engine

    @contextlib.asynccontextmanager
    async def both(self, home: TemporaryHome) -> AsyncIterator[tuple[Admin, Engine]]:
        """An engine of the home, and the admin over it."""
        async with self.engine(home) as engine, self.opened(home, engine) as admin:
            yield admin, engine

    async def put(self, admin: Admin, *definitions: Definition, project: str = "eta", version: str = "v1") -> list[str]:
        """Register; the ids."""
        found = await admin.register(Registration(project, "production", definitions, version))
        return [each.id for each in found]

    async def history(self, admin: Admin, true: Any, **query: Any) -> list[ExecutionEntry]:
        """The history, once `true` holds for it: it may lag."""
        async with asyncio.timeout(self.patience_s * 2 / 3):
            while True:
                found = (await admin.executions(ExecutionQuery(**query))).items
                if true(found):
                    return found
                await asyncio.sleep(0.02)
