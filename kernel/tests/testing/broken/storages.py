"""Storages with one fault each; see `test_kits_catch.py`."""

import contextlib
import os
import shutil
import time
from pathlib import Path

import msgspec
from msgspec.structs import replace
from test_filestore_contract import TestFileStore as WholeFileStore

from wingbeat.builtin.filestore import FileStore
from wingbeat.testing.conformance.storage import StorageContract


class Broken(StorageContract):
    __test__ = False
    examples, patience_s = 8, 20.0
    damage = WholeFileStore.damage

    def make(self, home):
        return self.Faulty(home.path)


del WholeFileStore


class TestWritesInPlace(Broken):
    __test__ = True
    caught_by = {"test_nobody_sees_a_part_of_what_is_being_put"}
    perhaps = {
        "test_a_kill_leaves_nothing_half_done",
        "test_many_may_fetch_the_same_at_once",
        "test_a_large_file_is_not_read_into_memory",
    }

    class Faulty(FileStore):
        def _publish(self, fd, path, digest):
            data = Path(path).read_bytes()
            with open(self._object(digest), "wb") as file:
                for start in range(0, len(data), 2**20):
                    file.write(data[start : start + 2**20])
                    file.flush()
                    time.sleep(0.002 if len(data) > 2**22 else 0)
            Path(path).touch()
            os.chmod(self._object(digest), 0o444)


class TestFetchesPaths(Broken):
    __test__ = True
    caught_by = {"test_answers_are_of_the_declared_types"}

    class Faulty(FileStore):
        def fetch(self, blob):
            return Path(super().fetch(blob))


class TestListsTreesInItsOwnWay(Broken):
    """By which nobody finds a tree who has worked out what it is called."""

    __test__ = True
    caught_by = {
        "test_the_address_is_the_digest",
        "test_a_tree_is_its_files_their_names_and_who_may_run_them",
        "test_any_tree_comes_back",
    }

    class Faulty(FileStore):
        def _put_tree(self, entries, name):
            blob = super()._put_tree(entries, name)
            listed = msgspec.json.format(Path(self._object(blob.digest)).read_bytes())
            return self.blob(self._put_data(listed), size=blob.size, name=name, layout_directory=True)


class TestForgetsDigests(Broken):
    __test__ = True
    caught_by = {"test_damage_is_found_and_mended"}

    class Faulty(FileStore):
        def _hash_object(self, digest):
            return True

        def _read(self, digest, bytes_max):
            size = self._stat(digest).st_size
            if size > bytes_max:
                raise ValueError(f"{size} bytes, over {bytes_max}")
            return Path(self._object(digest)).read_bytes()


class TestFollowsLinksOut(Broken):
    __test__ = True
    caught_by = {"test_links_out_of_a_tree_are_refused"}

    class Faulty(FileStore):
        def put_directory(self, path, name=""):
            copy = Path(self._root, "copy")
            shutil.rmtree(copy, ignore_errors=True)
            for file in Path(path).rglob("*"):
                if file.is_symlink() and file.exists() and not str(file.resolve()).startswith(path):
                    shutil.copytree(path, copy)
                    return super().put_directory(str(copy), name)
            return super().put_directory(path, name)


class TestOpensWhateverItIsTold(Broken):
    __test__ = True
    caught_by = {"test_a_forged_blob_leads_nowhere"}

    class Faulty(FileStore):
        def fetch(self, blob):
            path = blob.uri.removeprefix("store:")
            if path.startswith("/"):
                return path
            return super().fetch(blob)


class TestForgetsWhatMayBeRun(Broken):
    __test__ = True
    caught_by = {
        "test_a_tree_is_its_files_their_names_and_who_may_run_them",
    }

    class Faulty(FileStore):
        def _put_path(self, path):
            digest, size, _ = super()._put_path(path)
            return digest, size, False


class TestKeepsItInMemory(Broken):
    __test__ = True
    caught_by = {
        "test_bytes_come_back",
        "test_a_directory_is_fetched_as_it_was_put",
        "test_a_kill_leaves_nothing_half_done",
        "test_many_may_fetch_the_same_at_once",
    }

    class Faulty(FileStore):
        def __init__(self, root):
            super().__init__(os.path.join(root, f"{os.getpid()}-{id(self)}"))


class TestReadsAnySize(Broken):
    __test__ = True
    caught_by = {"test_more_than_wanted_is_not_read"}

    class Faulty(FileStore):
        def read_bytes(self, blob, bytes_max=0):
            return super().read_bytes(blob)


class TestForgetsNames(Broken):
    __test__ = True
    caught_by = {"test_a_fetched_path_ends_in_the_name"}

    class Faulty(FileStore):
        def _fetch_named(self, target, digest, name, *, link_tree):
            return target


class TestFetchesInPlace(Broken):
    """What is there already counts as fetched, also where somebody else is about to."""

    __test__ = True
    caught_by = {"test_many_may_fetch_the_same_at_once"}

    class Faulty(FileStore):
        def fetch(self, blob):
            kept = Path(super().fetch(blob))
            path = Path(self._root, "fetched", blob.digest[7:], kept.name)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    shutil.copytree(kept, path) if kept.is_dir() else shutil.copyfile(kept, path)
            return str(path)


class TestFetchesIntoOnePlace(Broken):
    __test__ = True
    caught_by = {"test_a_fetched_path_stays_good"}
    perhaps = {"test_many_may_fetch_the_same_at_once"}

    class Faulty(FileStore):
        def fetch(self, blob):
            kept = Path(super().fetch(blob))
            if not blob.name:
                return str(kept)
            path = Path(self._root, "fetched", blob.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if kept.is_dir():
                shutil.rmtree(path, ignore_errors=True)
                return shutil.copytree(kept, path)
            path.unlink(missing_ok=True)
            return shutil.copyfile(kept, path)


class TestReadsFilesWhole(Broken):
    __test__ = True
    caught_by = {"test_a_large_file_is_not_read_into_memory"}

    class Faulty(FileStore):
        def put_file(self, path, name=""):
            blob = super().put_file(path, name)
            return replace(self.put_bytes(Path(path).read_bytes()), name=blob.name)


class TestLeavesWhatItHasBegun(Broken):
    """The folder that it has made to fetch into is in its way when what is asked for was not there."""

    __test__ = True
    caught_by = {"test_what_is_fetched_in_vain_can_be_put_and_fetched"}
    perhaps = {"test_nobody_sees_a_part_of_what_is_being_put"}

    class Faulty(FileStore):
        def fetch(self, blob):
            begun = Path(self._root, "begun", f"{blob.digest}-{blob.layout}")
            if begun.exists():
                raise FileExistsError(begun)
            try:
                return super().fetch(blob)
            except FileNotFoundError:
                begun.mkdir(parents=True)
                raise
