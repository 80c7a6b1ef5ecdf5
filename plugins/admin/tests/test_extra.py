"""Where the extra ``server`` is not installed."""

import sys

import pytest

from wingbeat import Kernel
from wingbeat.base.errors import ConfigurationError


async def test_who_serves_without_the_extra_is_told_what_to_install(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("wingbeat_admin.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # as if it were not there
    async with Kernel(tmp_path) as kernel:
        with pytest.raises(ConfigurationError, match="needs uvicorn") as told:
            await kernel.serve()
    assert told.value.hint == 'pip install "wingbeat-admin[server]"'
