"""Kits do not go by how the machine is set up."""

import pytest

from wingbeat.testing import check
from wingbeat.testing.conformance.admin_stage import AdminStage
from wingbeat.testing.defaults import without_settings
from wingbeat.testing.home import TemporaryHome


@pytest.fixture
def set_up(monkeypatch, tmp_path):
    """A machine whose kernel is set up for what is not installed."""
    monkeypatch.setenv("WINGBEAT_KERNEL__ADMIN", "nope")
    monkeypatch.setenv("WINGBEAT_KERNEL__EXECUTOR", "nope")
    monkeypatch.setenv("WINGBEAT_PROCESS__SLOTS", "many")
    (tmp_path / "wingbeat.toml").write_text("[secrets]\nsource = 'nope'\n")
    monkeypatch.chdir(tmp_path)


async def test_the_kernel_of_a_kit_goes_by_its_defaults(set_up, tmp_path):
    async with AdminStage().engine(TemporaryHome(tmp_path / "home")) as engine:
        assert engine is not None


def test_what_is_run_from_a_program_finds_no_settings_of_the_kernel(set_up, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "p_kit_of_settings.py").write_text(
        "import os\n"
        "class TestSettings:\n"
        "    def test_none(self):\n"
        "        assert [name for name in os.environ if name.startswith('WINGBEAT_KERNEL__')] == []\n"
    )
    (result,) = check.run("p_kit_of_settings", "kit", "p_kit_of_settings:TestSettings")
    assert result.passed, result.message


def test_those_of_plugins_stay():
    kept = {"WINGBEAT_TRACER__URL": "x", "WINGBEAT_SECRET_KEY": "x", "WINGBEAT_TEST_KERNEL": "x", "PATH": "/bin"}
    assert without_settings({**kept, "WINGBEAT_KERNEL__ADMIN": "x", "WINGBEAT_SECRETS__SOURCE": "x"}) == kept
