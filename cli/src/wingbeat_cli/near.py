"""Names that somebody may have meant who has named something that is not registered."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Admin


@contextlib.asynccontextmanager
async def hinted(admin: Admin, reference: str) -> AsyncIterator[None]:
    """While entered, a NotFound of what is named says what is named nearly so."""
    from wingbeat.base.errors import NotFound

    try:
        yield
    except NotFound as error:
        if type(error) is not NotFound or not (near := await _near(admin, reference.partition("@")[0])):
            raise
        raise NotFound(error.message, hint=f"Did you mean {near!r}? {error.hint}".rstrip()) from None


async def _near(admin: Admin, name: str) -> str:
    """What has nearly this name, of the newest versions in its place; empty if nothing has, or one is named exactly so."""
    from difflib import get_close_matches

    from wingbeat.base.errors import WingbeatError
    from wingbeat.contracts.admin import PAGE_MAX, EntityQuery

    project, _, rest = name.partition("/")
    domain, _, short = rest.partition("/")
    if not short:
        return ""
    found: list[str] = []
    with contextlib.suppress(WingbeatError):  # the first error is the one to tell
        page = await admin.entities(EntityQuery(project=project, domain=domain, limit=PAGE_MAX))
        found = [each.id.partition("@")[0] for each in page.items]
    names = dict.fromkeys(each.split("/", 2)[2] for each in found)
    near = [] if short in names else get_close_matches(short, names, 1)
    return f"{project}/{domain}/{near[0]}" if near else ""
