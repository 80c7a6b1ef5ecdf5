"""The way into the kernel: every command that needs one comes through here, and nothing else imports asyncio."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel
    from wingbeat_cli.group import Session

T = TypeVar("T")


def within(work: Callable[[Kernel], Awaitable[T]], *, existing: bool = False) -> T:
    """Do `work` with a kernel that runs executions.

    Raises:
        NotFound: There is no home yet, and only an `existing` one was wanted.
    """
    import asyncio

    from wingbeat.kernel import Kernel

    if existing:
        _check_home()

    async def session() -> T:
        show_warnings()
        async with Kernel(settings=given()) as kernel:
            gc.freeze()
            gc.enable()  # see `main`
            return await work(kernel)

    return asyncio.run(session())


def reading(work: Callable[[Kernel], Awaitable[T]]) -> T:
    """Do `work` with a kernel that only reads.

    Raises:
        NotFound: There is no home yet.
    """
    import asyncio

    from wingbeat.kernel import Kernel

    _check_home()

    async def session() -> T:
        show_warnings()
        async with Kernel(read_only=True, settings=given()) as kernel:
            gc.freeze()
            gc.enable()
            return await work(kernel)

    return asyncio.run(session())


def given() -> dict[str, dict[str, str]]:
    """What ``--set`` said, by section and key; and what ``--endpoint`` means in these words."""
    session = _session()
    return {} if session is None else meant(session)


def meant(session: Session) -> dict[str, dict[str, str]]:
    """The same of one call."""
    if not session.endpoint:
        return session.settings
    kernel = {"engine": "http", **session.settings.get("kernel", {})}
    admin = {**session.settings.get("admin", {}), "endpoint": session.endpoint}
    return {**session.settings, "kernel": kernel, "admin": admin}


def is_elsewhere() -> bool:
    """Whether the command works with a server, not with the home here: by ``--endpoint``, or by the settings."""
    from wingbeat.kernel import engine_of

    return engine_of(given()) != "local"


def _session() -> Session | None:
    import click

    from wingbeat_cli.group import Session

    context = click.get_current_context(silent=True)
    return None if context is None else context.find_object(Session)


def show_warnings() -> None:
    """Warnings go to standard error, beside what is drawn there."""
    import logging  # asyncio has it anyway

    if logging.lastResort is not None:
        logging.lastResort.setFormatter(logging.Formatter("warning: %(message)s"))


def is_driven() -> bool:
    """Whether a process holds the home, and so drives what has not ended. Of another engine than that of the home nobody says."""
    from wingbeat.kernel import engine_of, home_path, is_held

    if is_elsewhere() or engine_of(given()) != "local":
        return True
    return is_held(home_path())


def _check_home() -> None:
    from wingbeat.base.errors import NotFound
    from wingbeat.kernel import home_path

    home = home_path()
    if not is_elsewhere() and not home.is_dir():
        raise NotFound(
            f"nothing has run here yet: there is no home at {home}",
            hint="set WINGBEAT_HOME to the home of another folder",
        )
