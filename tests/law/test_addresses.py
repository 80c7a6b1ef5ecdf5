"""No committed file names a package index, a place to download from, or a path of someone's machine."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# The hosts are written in two halves so that this file keeps its own rule.
HOSTS = [
    *("pypi" + ".org", "python" + "hosted.", "npm" + "js.", "crates" + ".io", "proxy.golang" + ".org"),
    *("repo.maven" + ".", "repo1.maven" + ".", "deb.debian" + ".", "conda." + "anaconda", "git" + "hubusercontent."),
]
ADDRESS = re.compile("|".join(map(re.escape, HOSTS)), re.IGNORECASE)
DOWNLOAD = re.compile(r"https?://\S+\.(?:whl|tar\.gz|tgz|jar|deb)\b")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|farm|root|Users|home/[a-z]+|opt/wheels)/")
BESIDE = re.compile(r"\.\./shared\b")


def tracked() -> list[Path]:
    """What git has or is about to be given."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a clone of the repository")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def hits(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    found = []
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="ignore").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return found


def test_no_package_index_is_named():
    assert hits(ADDRESS, tracked()) == []


def test_no_file_is_downloaded_by_address():
    assert hits(DOWNLOAD, tracked()) == []


def test_no_path_of_a_machine_is_named():
    assert hits(MACHINE_PATH, tracked()) == []


def test_only_ci_looks_beside_the_project():
    assert hits(BESIDE, [path for path in tracked() if path.relative_to(ROOT).parts[0] != ".ci"]) == []


def test_locks_hold_versions_and_hashes_only():
    line = re.compile(r"([a-z0-9._-]+(\[[a-z,]+\])?==\S+( ; [^/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?)")
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert [text for text in lock.read_text().splitlines() if not line.fullmatch(text)] == []


def test_there_is_no_lock_with_addresses():
    assert "uv.lock" not in {path.name for path in tracked()}
