"""The keys, grants and audit log of an admin's file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.access import ApiKey, AuditCheck, AuditEntry, AuditPage, AuditQuery, Grant, KeyLimits, NewKey
from wingbeat_admin.local import audit, grants, keys
from wingbeat_admin.local.chain import Walk
from wingbeat_admin.local.grants import Holder
from wingbeat_admin.local.store import Store


class LocalAccess:
    """A `wingbeat.contracts.access.Access` over the file of an admin; and what a server decides by.

    Args:
        do: Does something with the file: `LocalAdmin.do`.

        days: For how long entries of the audit log are kept.

        owner: Who works with the home, where nobody else is named.
    """

    def __init__(
        self, do: Callable[..., Awaitable[Any]], clock: Callable[[], float], days: float, owner: Callable[[], str]
    ) -> None:
        self._do, self._clock, self._days, self.owner = do, clock, days, owner
        self._waiting: list[AuditEntry] = []
        self._noting, self._count, self._noted = asyncio.Lock(), 0, 0
        self.changed: list[Callable[[], None]] = []
        """Called when keys or grants have changed."""

    async def create_key(
        self,
        name: str,
        grants_: list[Grant],
        expires_at: float | None = None,
        *,
        by: str = "",
        limits: KeyLimits = KeyLimits(),
    ) -> NewKey:
        """See `Access.create_key`."""
        now, key = self._clock(), keys.make()
        grants.check_key(name, grants_, expires_at, limits, now)
        told = ", ".join(f"{grant.role} in {grant.project}/{grant.domain}" for grant in grants_)
        place = _place(grants_)
        about = ApiKey(name, now, by or self.owner(), expires_at, grants_, limits)
        await self._change("apikey.create", f"{name}: {told}" if told else name, *place, by,
                           lambda store: grants.add_key(store.db, about, key))  # fmt: skip
        return NewKey(name, key)

    async def keys(self) -> list[ApiKey]:
        """See `Access.keys`."""
        return await self._do(lambda store: grants.all_keys(store.db))  # type: ignore[no-any-return]

    async def delete_key(self, name: str, *, by: str = "") -> None:
        """See `Access.delete_key`."""
        place = _place(await self.grants(f"apikey:{name}"))
        await self._change("apikey.delete", name, *place, by, lambda store: grants.remove_key(store.db, name))

    async def create_grant(self, grant: Grant, *, by: str = "") -> bool:
        """See `Access.create_grant`."""
        grants.check_principal(grant.principal)
        grants.check_where(grant.project, grant.domain)
        told = f"{grant.principal}: {grant.role} in {grant.project}/{grant.domain}"
        place = (grant.project, grant.domain)
        return await self._change("grant.create", told, *place, by, lambda store: grants.put(store.db, grant))  # type: ignore[no-any-return]

    async def delete_grant(self, principal: str, project: str, domain: str, *, by: str = "") -> None:
        """See `Access.delete_grant`."""
        told = f"{principal} in {project}/{domain}"
        await self._change(
            "grant.delete", told, project, domain, by, lambda store: grants.remove(store.db, principal, project, domain)
        )

    async def grants(self, principal: str = "") -> list[Grant]:
        """See `Access.grants`."""
        return await self.grants_of([principal]) if principal else await self._do(lambda store: grants.every(store.db))

    async def login(self, show: Callable[[str], None], *, device: bool = False, key: str = "") -> str:
        """See `Access.login`."""
        raise ConfigurationError(
            "A home asks nobody who they are.", hint="Name a server: --endpoint URL, or WINGBEAT_ENDPOINT."
        )

    async def logout(self) -> bool:
        """See `Access.logout`."""
        return False

    async def audit(self, query: AuditQuery) -> AuditPage:
        """See `Access.audit`."""
        return await self._do(lambda store: audit.page(store.db, query))  # type: ignore[no-any-return]

    async def verify_audit(self, held: str = "") -> AuditCheck:
        """See `Access.verify_audit`."""
        walk = Walk(held)
        while await self._do(lambda store: walk.go_on(store.db)):
            pass
        return walk.found()

    # -- for the server

    async def holder(self, key: str) -> Holder | None:
        """Who has a key; None if it is not taken."""
        return await self._do(lambda store: grants.holder(store.db, key, self._clock()))  # type: ignore[no-any-return]

    async def grants_of(self, principals: Sequence[str]) -> list[Grant]:
        """The grants of some principals."""
        return await self._do(lambda store: grants.of(store.db, principals))  # type: ignore[no-any-return]

    async def note(self, entry: AuditEntry) -> None:
        """Add an entry to the audit log, for what changes nothing in the file: those that come meanwhile, in one transaction."""
        self._count += 1
        number = self._count
        self._waiting.append(entry)
        async with self._noting:
            if self._noted >= number:
                return
            waiting, last, self._waiting = self._waiting, self._count, []
            try:
                await self._do(self._all_of, waiting)
            except Exception:
                self._waiting[:0] = waiting  # each of them is told that it is not noted
                raise
            self._noted = last

    def _all_of(self, store: Store, entries: Sequence[AuditEntry]) -> None:
        with store.transaction():
            for entry in entries:
                audit.append(store.db, entry, self._clock(), self._days)

    async def change(
        self, action: str, object_: str, project: str, domain: str, by: str, work: Callable[[Store], Any]
    ) -> Any:
        """Change the file, with an entry of the audit log in the same transaction."""
        entry = audit.entry(action, object_, project, domain, by or self.owner())
        result = await self._do(self._with(entry, work))
        if (call := audit.CALL.get()) is not None:
            call.noted = True
        return result

    async def _change(
        self, action: str, object_: str, project: str, domain: str, by: str, work: Callable[[Store], Any]
    ) -> Any:
        result = await self.change(action, object_, project, domain, by, work)
        for changed in self.changed:
            changed()
        return result

    def _with(self, entry: AuditEntry, work: Callable[[Store], Any]) -> Callable[[Store], Any]:
        def both(store: Store) -> Any:
            with store.transaction():
                result = work(store)
                audit.append(store.db, entry, self._clock(), self._days)
            return result

        return both


def _place(found: Sequence[Grant]) -> tuple[str, str]:
    """The place of an entry about several grants: theirs, if it is one."""
    places = {(grant.project, grant.domain) for grant in found}
    return places.pop() if len(places) == 1 else ("", "")
