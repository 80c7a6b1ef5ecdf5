"""The door for executors outside of the kernel: claims, and content of stores that nobody vouches for."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from wingbeat.attempts import (
    CONTAINED,
    AttemptFiles,
    Values,
    attempt_variables,
    fetch_bundle,
    files_at,
    job_outcome,
    write_job,
)
from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.filestore import FileStore
from wingbeat.contracts.executor import AttemptRequest, Failed, Succeeded
from wingbeat.contracts.secrets import SourceRef
from wingbeat.runtime.bundle import BUNDLE_FILE, bundle_info_bytes
from wingbeat.spec.entities import Entry, Interface, SecretSpec, TaskSpec, Variable
from wingbeat.spec.literal import Inline, Offloaded
from wingbeat.types import Blob, literal_type


@pytest.fixture
def attempt(tmp_path):
    made = AttemptFiles(str(tmp_path), "e/n/0")
    made.make()
    return made


def test_one_claims(attempt):
    assert not attempt.claimed()
    assert attempt.claim()
    assert attempt.claimed()
    assert attempt.refused() is None
    assert not attempt.claim()
    assert not attempt.refuse("late")


def test_what_was_refused_cannot_be_claimed(attempt):
    assert attempt.refuse("enough")
    assert attempt.refused() == "enough"
    assert not attempt.claim()
    assert not attempt.refuse("again")
    assert attempt.refused() == "enough"


def test_of_many_threads_that_refuse_at_once_one_does(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        for number in range(50):
            files = AttemptFiles(str(tmp_path), f"e/n/{number}")
            files.make()
            assert sum(pool.map(files.refuse, ["enough"] * 16)) == 1


@pytest.mark.parametrize("name", ["e/n", "e/n/x", "../n/0", "e//0", "e/n/0/1", "e/\0/0"])
def test_what_is_no_attempt_has_no_directory(tmp_path, name):
    with pytest.raises(ValueError, match="is no attempt's id"):
        AttemptFiles(str(tmp_path), name)


def test_a_checkpoint_goes_on(tmp_path, attempt):
    os.mkdir(attempt.checkpoint)
    attempt.claim()
    later = AttemptFiles(str(tmp_path), "e/n/1")
    later.carry_checkpoint("")
    assert os.path.isdir(later.checkpoint)
    assert not os.path.exists(attempt.checkpoint)


def test_a_job_is_written_and_its_outcome_read(tmp_path):
    task = TaskSpec("m.f", Interface(), Entry("m", "f"), variables={"A": "1"})
    request = AttemptRequest("e/n/0", task, {"x": Inline(1)}, variables={"B": "2"})
    write_job(request, str(tmp_path), inside="/in", bundle="/in/b", storages=(files_at("/in/s"),))
    assert {"request", "inputs"} <= set(os.listdir(tmp_path))
    assert job_outcome(str(tmp_path)) is None
    (tmp_path / "error").write_text('{"code": "E", "message": "m"}')
    assert isinstance(job_outcome(str(tmp_path)), Failed)
    (tmp_path / "outputs").write_text('{"o0": ["v", 7]}')
    assert job_outcome(str(tmp_path)) == Succeeded({"o0": Inline(7)})
    found = attempt_variables(request, "/in")
    assert (found["A"], found["B"], found["WINGBEAT_CHECKPOINT"], found["WINGBEAT_NODE"]) == (
        "1",
        "2",
        "/in/checkpoint",
        "n",
    )


def contained(tmp_path, source, variables):
    """Have the function `f` of a bundle called in a process that an executor has started; what it left."""
    storage = FileStore(str(tmp_path / "s"))
    blob = storage.put_files({"m.py": source.encode(), BUNDLE_FILE: bundle_info_bytes((".",))})
    bundle, folder = fetch_bundle(storage, blob.digest), tmp_path / "attempt"
    folder.mkdir()
    task = TaskSpec("m.f", Interface((), (Variable("o0", literal_type(int)),)), Entry("m", "f"))
    request = AttemptRequest("e/n/0", task, {})
    write_job(request, str(folder), inside=str(folder), bundle=bundle, storages=(files_at(str(tmp_path / "s")),))
    command = [sys.executable, "-m", CONTAINED, str(folder)]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    return job_outcome(str(folder)), done.stdout + done.stderr


def test_variables_that_hold_secrets_are_taken_out_of_the_environment(tmp_path):
    source = "import os\ndef f() -> int: return sum(name.startswith('WINGBEAT_SECRET_') for name in os.environ)\n"
    outcome, said = contained(tmp_path, source, {"WINGBEAT_SECRET_TOP": "x"})
    assert outcome == Succeeded({"o0": Inline(0)}), said


def test_a_job_with_secrets_has_to_say_where_they_are(tmp_path):
    task = TaskSpec("m.f", Interface(), Entry("m", "f"), secrets=(SecretSpec("db/password"),))
    request = AttemptRequest("e/n/0", task, {}, secrets=SourceRef("mine", "m:Source"))
    with pytest.raises(ConfigurationError, match="m.f has secrets, and its executor has not said where") as told:
        write_job(request, str(tmp_path), inside="/in", bundle="", storages=(files_at("/in/s"),))
    assert "PlacedSecrets" in told.value.hint
    assert not os.listdir(tmp_path)


def test_large_values_go_to_storage_and_come_back(tmp_path):
    values = Values(FileStore(str(tmp_path / "s")), str(tmp_path / "scratch"))
    text = "x" * 100_000
    literal = values.literal(text, literal_type(str))
    assert isinstance(literal, Offloaded)
    assert values.wire(literal) == text
    assert values.literal(1, literal_type(int)) == Inline(1)


class TestSharing:
    """What is shared with another store and taken over from it."""

    @pytest.fixture
    def ours(self, tmp_path):
        return FileStore(str(tmp_path / "ours"))

    @pytest.fixture
    def theirs(self, tmp_path):
        return FileStore(str(tmp_path / "theirs"))

    def tree(self, tmp_path):
        (tmp_path / "tree/sub").mkdir(parents=True)
        (tmp_path / "tree/a").write_text("A")
        (tmp_path / "tree/sub/b").write_text("B")
        return str(tmp_path / "tree")

    def test_what_is_shared_is_found_by_the_other_store(self, tmp_path, ours, theirs):
        (tmp_path / "a.txt").write_text("text")
        for blob in (
            ours.put_file(str(tmp_path / "a.txt")),
            ours.put_directory(self.tree(tmp_path)),
            ours.put_bytes(b"raw"),
        ):
            for place, path in ours.share(blob).items():
                target = tmp_path / "theirs" / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path) if os.path.isdir(path) else os.link(path, target)
            assert os.path.exists(theirs.fetch(blob))

    def test_what_is_adopted_is_there(self, tmp_path, ours, theirs):
        blobs = [
            theirs.put_bytes(b"raw"),
            theirs.put_bytes(b"x" * 3_000_000),
            theirs.put_directory(self.tree(tmp_path)),
        ]
        for blob in blobs:
            ours.adopt(blob, str(tmp_path / "theirs"))
            ours.adopt(blob, str(tmp_path / "nowhere"))  # it is here already
            assert ours.verify(blob) is None

    def test_what_is_not_what_it_says_is_refused(self, tmp_path, ours, theirs):
        blob = theirs.put_bytes(b"raw")
        path = tmp_path / "theirs/objects" / blob.digest.removeprefix("sha256:")
        path.unlink()
        path.write_bytes(b"raw!")
        with pytest.raises(ValueError, match="not what its digest says"):
            ours.adopt(blob, str(tmp_path / "theirs"))

    def test_no_link_is_followed(self, tmp_path, ours, theirs):
        blob = theirs.put_bytes(b"raw")
        path = tmp_path / "theirs/objects" / blob.digest.removeprefix("sha256:")
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(OSError, match="symbolic links"):
            ours.adopt(blob, str(tmp_path / "theirs"))
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(OSError, match="not a regular file"):
            ours.adopt(blob, str(tmp_path / "theirs"))
        (tmp_path / "theirs/objects").rename(tmp_path / "objects")
        (tmp_path / "theirs/objects").symlink_to(tmp_path / "objects")
        with pytest.raises(OSError):  # noqa: PT011  # which one differs between systems
            ours.adopt(blob, str(tmp_path / "theirs"))

    def test_what_is_missing_is_missing(self, tmp_path, ours, theirs):
        theirs.put_bytes(b"other")
        gone = Blob(uri="store:sha256:" + "0" * 64, digest="sha256:" + "0" * 64, size=0, name="")
        with pytest.raises(FileNotFoundError):
            ours.adopt(gone, str(tmp_path / "theirs"))


def test_a_bundle_is_fetched_by_its_digest(tmp_path):
    storage = FileStore(str(tmp_path))
    digest = storage.put_files({"m.py": b"x = 1"}).digest
    assert os.listdir(fetch_bundle(storage, digest)) == ["m.py"]
    assert fetch_bundle(storage, "") == ""
    with pytest.raises(FileNotFoundError):
        fetch_bundle(storage, "sha256:" + "0" * 64)
