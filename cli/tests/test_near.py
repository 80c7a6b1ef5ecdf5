"""What is said to somebody who has mistyped the name of something registered."""

from types import SimpleNamespace

import pytest

from wingbeat.base.errors import AccessDenied, NotFound, SetAside
from wingbeat_cli.near import hinted


class FakeAdmin:
    def __init__(self, *names, fails=None):
        self.names, self.fails, self.asked = names, fails, []

    async def entities(self, query):
        self.asked.append((query.project, query.domain))
        if self.fails is not None:
            raise self.fails
        return SimpleNamespace(items=[SimpleNamespace(id=f"eta/production/{name}@v1") for name in self.names])


async def _told(admin, reference, error):
    with pytest.raises(type(error)) as raised:
        async with hinted(admin, reference):
            raise error
    return raised.value


async def test_who_has_mistyped_is_told_what_is_named_nearly_so():
    admin = FakeAdmin("dyn.body", "dyn.body", "rides.ride")
    for reference in ("eta/production/dyn.bod", "eta/production/dyn.bod@v1"):
        said = await _told(admin, reference, NotFound("Nothing is registered.", hint="See it."))
        assert (said.message, said.hint) == (
            "Nothing is registered.",
            "Did you mean 'eta/production/dyn.body'? See it.",
        )
    assert admin.asked == [("eta", "production")] * 2


@pytest.mark.parametrize(
    ("admin", "reference", "error"),
    [
        (FakeAdmin("rides.ride"), "eta/production/dyn.bod", NotFound("No.", hint="See it.")),
        (FakeAdmin("dyn.body", "dyn.bod"), "eta/production/dyn.bod@v7", NotFound("No.", hint="See it.")),
        (FakeAdmin(fails=AccessDenied("Not you.")), "eta/production/dyn.bod", NotFound("No.", hint="See it.")),
        (FakeAdmin("dyn.body"), "dyn.bod", NotFound("No.", hint="See it.")),
        (FakeAdmin("dyn.body"), "eta/production/dyn.bod", SetAside("No.", hint="See it.")),
    ],
)
async def test_nothing_is_guessed_where_nothing_is_near(admin, reference, error):
    assert await _told(admin, reference, error) is error
