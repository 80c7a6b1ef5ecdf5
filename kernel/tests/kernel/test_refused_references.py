"""Who may not read what a file refers to is told which reference it is."""

import pytest

import wingbeat.kernel.kernel
from wingbeat.base.errors import AccessDenied
from wingbeat.host.config import Configuration
from wingbeat.host.home import HomeFolder
from wingbeat.kernel.compiling import _definitions

USED = "pricing/production/price.fare@v3"


class Refusing:
    """A kernel whose admin lets nobody read."""

    def __init__(self, *_args, **_settings): ...

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_): ...

    async def admin(self):
        return self

    async def definition(self, _id):
        raise AccessDenied("apikey:eta may not do this in pricing/production: it takes the role viewer.", hint="Ask.")


def test_a_reference_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(wingbeat.kernel.kernel, "Kernel", Refusing)
    with pytest.raises(AccessDenied) as caught:
        _definitions("ride.py", [USED], HomeFolder(tmp_path, Configuration({})), None)
    assert caught.value.message.startswith(f"ride.py refers to {USED}: apikey:eta may not")
    assert caught.value.hint == "Ask."
