"""What every admin must do that keeps keys and roles: see `wingbeat.testing.conformance.admin` for how a test class is derived."""

from __future__ import annotations

import pytest

from wingbeat.base.errors import ConflictError, InputError, NotFound
from wingbeat.contracts.access import AuditQuery, Grant, KeyLimits, Outcome, Role, access_of
from wingbeat.testing.conformance.admin_stage import AdminStage
from wingbeat.testing.home import TemporaryHome


class AccessContract(AdminStage):
    """The contract of `wingbeat.contracts.access.Access` as tests."""

    async def test_keys_and_roles_are_given_and_taken_away(self, home: TemporaryHome) -> None:
        """`access`: a key is shown once, with its roles; what is there is there after a restart; what is taken away is gone."""
        async with self.both(home) as (admin, _):
            made = await access_of(admin).create_key("ci", [Grant("", Role.RUNNER, "maps", "production")])
            assert made.name == "ci"
            with pytest.raises(ConflictError):
                await access_of(admin).create_key("ci", [])
            assert await access_of(admin).create_grant(Grant("user:ana", Role.ADMIN, "eta"))
            assert not await access_of(admin).create_grant(Grant("user:ana", Role.ADMIN, "eta"))
            assert await access_of(admin).create_grant(Grant("user:ana", Role.VIEWER, "eta"))
        async with self.both(home) as (admin, _):
            (key,) = await access_of(admin).keys()
            assert (key.name, key.grants) == ("ci", [Grant("apikey:ci", Role.RUNNER, "maps", "production")])
            assert made.secret not in repr(key)
            assert await access_of(admin).grants("user:ana") == [Grant("user:ana", Role.VIEWER, "eta")]
            await access_of(admin).delete_grant("user:ana", "eta", "*")
            await access_of(admin).delete_key("ci")
            assert await access_of(admin).grants() == []
            with pytest.raises(NotFound):
                await access_of(admin).delete_key("ci")
            with pytest.raises(NotFound):
                await access_of(admin).delete_grant("user:ana", "eta", "*")
            noted = (await access_of(admin).audit(AuditQuery(outcome=Outcome.ALLOWED))).items
            assert [each.action for each in noted[:2]] == ["apikey.delete", "grant.delete"]

    async def test_a_key_has_the_limits_that_it_was_made_with(self, home: TemporaryHome) -> None:
        """`create_key`, `keys`: limits are listed; what is none is refused."""
        async with self.both(home) as (admin, _):
            await access_of(admin).create_key("ci", [], limits=KeyLimits(requests_per_minute=600))
            await access_of(admin).create_key("free", [])
            assert [key.limits for key in await access_of(admin).keys()] == [KeyLimits(600), KeyLimits()]
            with pytest.raises(InputError):
                await access_of(admin).create_key("none", [], limits=KeyLimits(launches_per_minute=0))

    async def test_the_audit_log_is_verified(self, home: TemporaryHome) -> None:
        """`verify_audit`: it is as it was written, also behind a restart, and leads on from where it was."""
        async with self.both(home) as (admin, _):
            for number in range(3):
                await access_of(admin).create_key(f"key{number}", [])
            before = await access_of(admin).verify_audit()
            assert (before.wrong, before.count >= 3, before.before) == ([], True, 0)
        async with self.both(home) as (admin, _):
            await access_of(admin).delete_key("key0")
            after = await access_of(admin).verify_audit(before.newest)
            assert (after.wrong, after.count) == ([], before.count + 1)
            assert after.newest != before.newest
            last, _, digest = before.newest.partition(":")
            assert (await access_of(admin).verify_audit(f"{last}:{digest[::-1]}")).wrong
            with pytest.raises(InputError):
                await access_of(admin).verify_audit("newest")

    @pytest.mark.parametrize("principal", ["ci", "apikey:", "root:x", "user:a\nb"])
    async def test_what_is_no_principal_gets_no_role(self, home: TemporaryHome, principal: str) -> None:
        """`create_grant` refuses it, and gives nothing."""
        async with self.both(home) as (admin, _):
            with pytest.raises(InputError):
                await access_of(admin).create_grant(Grant(principal, Role.VIEWER))
            assert await access_of(admin).grants() == []
