from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.environments import UvEnvironments, freeze_project, project, store_project_lock
from wingbeat.builtin.filestore import FileStore
from wingbeat.contracts.environment import ProjectLock
from wingbeat.contracts.storage import StorageFailed
from wingbeat.spec.entities import EnvironmentSpec


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path / "storage"))


def ensure(store: FileStore, tmp_path: Path, lock: ProjectLock) -> tuple[str, bool]:
    environments = UvEnvironments(store, cache=str(tmp_path / "cache"), cache_dir=str(tmp_path / "home"))
    made = asyncio.run(environments.ensure(None, store_project_lock(lock, store)))
    return made.python, made.isolated


def installed_line() -> str:
    return next(line for line in freeze_project("/nowhere").requirements if line.startswith("pytest=="))


def test_without_a_lock_the_interpreter_is_frozen(store: FileStore, tmp_path: Path) -> None:
    lock = freeze_project(str(tmp_path))
    assert lock.interpreter == sys.executable
    assert any(line.startswith("msgspec==") for line in lock.requirements)
    assert list(lock.requirements) == sorted(lock.requirements)
    assert freeze_project(str(tmp_path)) == lock
    assert ensure(store, tmp_path, lock) == (sys.executable, False)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements.txt"])
def test_a_pinned_file_is_the_lock(store: FileStore, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        f"# pins\n{installed_line()} \\\n  --hash=sha256:aa\nwin==1 ; sys_platform == 'win32'\nwingbeat==9\n"
    )
    lock = freeze_project(str(tmp_path), cache_dir=str(tmp_path / "home"))
    assert lock.interpreter == sys.executable
    assert len(lock.requirements) == 3
    assert ensure(store, tmp_path, lock) == (sys.executable, False)
    (tmp_path / name).write_text("pytest==0.0.1\n")
    assert freeze_project(str(tmp_path), cache_dir=str(tmp_path / "home")).interpreter == ""


def test_a_file_that_leaves_versions_open_is_none(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("pytest>=1\n")
    assert freeze_project(str(tmp_path)) == freeze_project("/nowhere")


def test_uv_lock_is_exported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, version = installed_line().partition("==")
    (tmp_path / "pyproject.toml").write_text(
        f"[project]\nname='p'\nversion='1'\nrequires-python='>=3.11'\ndependencies=['{name}']\n"
    )
    (tmp_path / "uv.lock").write_text(
        "version = 1\nrevision = 3\nrequires-python = '>=3.11'\n"
        f"[[package]]\nname = '{name}'\nversion = '{version}'\nsource = {{ registry = 'https://index.invalid/simple' }}\n"
        "[[package]]\nname = 'p'\nversion = '1'\nsource = { virtual = '.' }\n"
        f"dependencies = [{{ name = '{name}' }}]\n[package.metadata]\nrequires-dist = [{{ name = '{name}' }}]\n"
    )
    home = str(tmp_path / "home")
    lock = freeze_project(str(tmp_path), cache_dir=home)
    assert lock.requirements == (f"{name}=={version}",)
    assert lock.interpreter == sys.executable
    monkeypatch.setattr(project, "_export", lambda _: pytest.fail("read again"))
    assert freeze_project(str(tmp_path), cache_dir=home) == lock
    monkeypatch.undo()
    (tmp_path / "uv.lock").write_text("junk")
    with pytest.raises(ConfigurationError, match=r"uv\.lock"):
        freeze_project(str(tmp_path), cache_dir=home)


def test_another_interpreter_is_asked_once(store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(other)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    site = next(other.glob("lib/python*/site-packages"))
    (site / "attrs-22.2.0.dist-info").mkdir()
    python, home = str(other / "bin" / "python"), str(tmp_path / "home")
    lock = freeze_project(str(tmp_path), python, cache_dir=home)
    assert (lock.interpreter, lock.requirements) == (python, ("attrs==22.2.0",))
    monkeypatch.setattr(project, "_ask", lambda _: pytest.fail("asked again"))
    assert ensure(store, tmp_path, lock) == (python, False)
    (site / "more-1.dist-info").mkdir()
    assert freeze_project(str(tmp_path), python, cache_dir=home).requirements == ("attrs==22.2.0", "more==1")
    assert project.still_has(lock, cache_dir=home)
    os.rename(site / "attrs-22.2.0.dist-info", site / "attrs-23.1.0.dist-info")
    assert not project.still_has(lock, cache_dir=home)
    assert not project.still_has(msgspec.structs.replace(lock, interpreter="/gone/python"), cache_dir=home)


def test_an_interpreter_that_does_not_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="/bin/false does not run"):
        freeze_project(str(tmp_path), "/bin/false")


def test_a_lost_or_wrong_lock_says_so(store: FileStore, tmp_path: Path) -> None:
    environments = UvEnvironments(store, cache=str(tmp_path / "cache"))
    for digest in ("sha256:" + "0" * 64, store.put_bytes(b"{}").digest, store.put_bytes(b"[" * 10**5).digest, "../x"):
        with pytest.raises(ConfigurationError, match="lock of the project's environment cannot be read"):
            asyncio.run(environments.ensure(None, digest))


def test_a_storage_that_fails_is_to_blame_for_a_lock_that_cannot_be_read(store: FileStore, tmp_path: Path) -> None:
    def fail(*_: object) -> bytes:
        raise StorageFailed("The storage 'odd' failed (read_bytes): RuntimeError: on strike")

    store.read_bytes = fail  # type: ignore[method-assign]
    environments = UvEnvironments(store, cache=str(tmp_path / "cache"))
    with pytest.raises(StorageFailed, match=r"lock of .* cannot be read: The storage 'odd' failed") as told:
        asyncio.run(environments.ensure(None, "sha256:" + "0" * 64))
    assert not told.value.hint


def test_neither_environment_nor_lock_is_the_running_interpreter(store: FileStore, tmp_path: Path) -> None:
    environments = UvEnvironments(store, cache=str(tmp_path / "cache"))
    made = asyncio.run(environments.ensure(EnvironmentSpec(), ""))
    assert (made.python, made.isolated) == (sys.executable, False)
    assert asyncio.run(environments.ensure(None, "")) is made
