"""Secrets in environment variables and in files."""

import os
import stat

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.secrets import EnvironmentSource, FileSource, file_settings, variable_of
from wingbeat.builtin.settings import SecretSettings
from wingbeat.contracts.secrets import SecretMissing
from wingbeat.testing.conformance.builtin import TestEnvironmentSource, TestFileSource

__all__ = ["TestEnvironmentSource", "TestFileSource"]  # the kits


def put(place, name, value, mode=0o600):
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value)
    path.chmod(mode)
    return path


def test_the_variable_of_a_name():
    assert variable_of("db/password") == "WINGBEAT_SECRET_DB_PASSWORD"
    assert variable_of("Team/api-key.2") == "WINGBEAT_SECRET_TEAM_API_KEY_2"


def test_a_missing_variable_is_named(monkeypatch):
    monkeypatch.delenv("WINGBEAT_SECRET_NONE", raising=False)
    with pytest.raises(SecretMissing, match="WINGBEAT_SECRET_NONE is not set"):
        EnvironmentSource().get("none")


@pytest.mark.parametrize(
    ("written", "read"),
    [("v\n", "v"), ("v\r\n", "v"), ("v", "v"), ("v\n\n", "v\n"), (" v \n", " v "), ("a\nb\n", "a\nb")],
)
def test_one_line_break_at_the_end_of_a_file_is_none_of_its_value(tmp_path, written, read):
    (tmp_path / "s").write_bytes(written.encode())
    (tmp_path / "s").chmod(0o600)
    assert FileSource(str(tmp_path)).get("s") == read


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o660, 0o777])
def test_a_file_that_others_can_use_is_refused(tmp_path, mode):
    put(tmp_path, "s", "canary-value", mode)
    with pytest.raises(SecretMissing, match=f"its mode is {mode:o}") as told:
        FileSource(str(tmp_path)).get("s")
    assert "chmod 600" in told.value.hint
    assert "canary" not in str(told.value)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440])
def test_a_file_of_the_user_and_the_group_is_taken(tmp_path, mode):
    put(tmp_path, "s", "v", mode)
    assert FileSource(str(tmp_path)).get("s") == "v"


def test_files_that_all_may_read_are_taken_where_that_is_said(tmp_path):
    put(tmp_path, "s", "v", 0o444)
    assert FileSource(str(tmp_path), readable=True).get("s") == "v"
    (tmp_path / "s").chmod(0o666)
    with pytest.raises(SecretMissing, match="666"):
        FileSource(str(tmp_path), readable=True).get("s")


def test_links_as_a_container_has_them_are_followed_inside_of_the_folder(tmp_path):
    folder = tmp_path / "mounted"
    put(folder / "..2026_11", "password", "v")
    (folder / "..data").symlink_to("..2026_11")
    (folder / "password").symlink_to("..data/password")
    (folder / "out").symlink_to(put(tmp_path, "outside", "canary"))
    assert FileSource(str(folder)).get("password") == "v"
    with pytest.raises(SecretMissing, match="outside"):
        FileSource(str(folder)).get("out")


def test_what_is_no_file_is_none(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(SecretMissing):
            FileSource(str(tmp_path)).get(name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_what_is_no_text_or_too_long_is_told(tmp_path):
    put(tmp_path, "s", "").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretMissing, match="UTF-8"):
        FileSource(str(tmp_path)).get("s")
    put(tmp_path, "s", "x" * (2**20 + 1))
    with pytest.raises(SecretMissing, match="too long"):
        FileSource(str(tmp_path)).get("s")


@pytest.mark.parametrize("folder", ["", "secrets", "./secrets"])
def test_a_folder_is_wanted(folder):
    with pytest.raises(ConfigurationError, match=r"secrets\.folder"):
        file_settings(SecretSettings("file", folder))


def test_a_folder_may_be_below_the_users_own(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert file_settings(SecretSettings("file", "~/secrets"))["folder"] == "/somewhere/secrets"
