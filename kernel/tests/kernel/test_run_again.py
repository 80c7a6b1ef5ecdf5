"""Who runs an execution again; and that it is said where that is not the admin."""

from types import SimpleNamespace

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.admin import ENTITY_LABEL
from wingbeat.kernel.again import as_registered

ENTITY = "eta/production/ride@v1"


def engine(**labels):
    async def describe(id, *, nodes):
        return SimpleNamespace(labels=labels)

    return SimpleNamespace(describe=describe)


async def none():
    raise ConfigurationError("no admin is installed")


async def other():
    return object()


@pytest.mark.parametrize(("admin", "why"), [(none, "no admin is installed"), (other, "object runs nothing again")])
async def test_what_was_registered_is_not_run_without_its_quota_in_silence(caplog, admin, why):
    assert await as_registered("e1", None, engine(**{ENTITY_LABEL: ENTITY}), admin, elsewhere=False) is None
    (told,) = caplog.messages
    assert told.startswith(f"e1 is of {ENTITY} and is run again without the admin, so without the quotas and defaults")
    assert why in told


@pytest.mark.parametrize(("labels", "elsewhere"), [({}, False), ({ENTITY_LABEL: ENTITY}, True)])
async def test_what_never_had_one_is_not_warned_of(caplog, labels, elsewhere):
    assert await as_registered("e1", None, engine(**labels), none, elsewhere=elsewhere) is None
    assert not caplog.messages


async def test_a_version_that_is_named_takes_an_admin():
    with pytest.raises(ConfigurationError, match="no admin"):
        await as_registered("e1", ENTITY, engine(), none, elsewhere=False)
