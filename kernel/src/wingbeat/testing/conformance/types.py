"""What every type that a plugin offers must do. Derive one test class and give some values::

    class TestFrames(TypeContract):
        plugin = "my_plugin.plugin"

        def hint(self) -> type:
            return my_library.Frame

        def samples(self) -> list[Any]:
            return [my_library.Frame(), my_library.Frame({"a": [1, 2]})]

        def same(self, one: Any, other: Any) -> bool:
            return one.equals(other)

`same` is left out where ``==`` compares all that is in a value.
"""

from __future__ import annotations

import importlib
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.codec import canonical
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.home import TemporaryHome
from wingbeat.types import Blob, BlobType, Codec, TableType, ValueMismatch, codec

WIRE_BYTES_MAX = 4096


class _Canary:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.file,)


class TypeContract(Kit):
    """The contract of types as tests: of `wingbeat_types` and of the handlers that it registers.

    Attributes:
        plugin: The plugin's module; empty for types in the box.

        wrong: Values that are of another type.

        pickles: Reading its content may run code, as of everything that is a pickle; users have to be told.
    """

    plugin: ClassVar[str] = ""
    wrong: ClassVar[Sequence[Any]] = ("text", 7, None, [1], {"a": 1}, object())
    pickles: ClassVar[bool] = False

    def hint(self) -> Any:
        """The class, as an author writes it."""
        raise NotImplementedError(f"{type(self).__name__} has to say which class it is about: def hint(self)")

    def samples(self) -> Sequence[Any]:
        """Some values, no two of them equal, an empty one among them if there is one. Each call gives new objects."""
        raise NotImplementedError(f"{type(self).__name__} has to give some values: def samples(self)")

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values are equal, looking at all that is in them."""
        return bool(one == other)

    @pytest.fixture
    def known(self, home: TemporaryHome) -> Codec:
        """The two directions of the type, with the plugin's transformers registered; again is fine."""
        if self.plugin:
            for _ in range(2):
                importlib.import_module(self.plugin).wingbeat_types()
        return codec(self.hint())

    def io(self, home: TemporaryHome, name: str = "scratch") -> StorageIO:
        """What codecs are given."""
        return StorageIO(home.storage(), str(Path(home.path, name)))

    def test_it_is_offered_as_a_table_or_content(self, known: Codec) -> None:
        """`wingbeat_types`: registers a class under a `TableType` or a `BlobType`; registering again is fine."""
        assert isinstance(known.type, TableType | BlobType)

    def test_values_come_back(self, home: TemporaryHome, known: Codec) -> None:
        """`Handler.write`, `read`: the value that comes back is equal, of the class that was asked for."""
        for number, value in enumerate(self.samples()):
            wire = known.encode(value, self.io(home, f"w{number}"))
            back = known.decode(_carried(wire), self.io(home, f"r{number}"))
            assert self.same(self.samples()[number], back), f"sample {number} comes back as {back!r}"
            assert isinstance(back, self.hint())

    def test_what_was_written_stays_as_it_was(self, home: TemporaryHome, known: Codec) -> None:
        """`Handler.write`: the function's own value is not changed by it."""
        for number, value in enumerate(self.samples()):
            known.encode(value, self.io(home, f"w{number}"))
            assert self.same(value, self.samples()[number])

    def test_equal_values_have_equal_digests(self, home: TemporaryHome, known: Codec, tmp_path: Path) -> None:
        """`Handler.write`: equal values give equal bytes, wherever and however often they are written, also what was read."""
        other = self.another_home(tmp_path, "other")
        for number, value in enumerate(self.samples()):
            first = _blob(known.encode(value, self.io(home, f"a{number}")))
            again = _blob(known.encode(self.samples()[number], self.io(other, f"b{number}")))
            assert again.digest == first.digest
            back = known.decode(first.wire(), self.io(home, f"c{number}"))
            assert _blob(known.encode(back, self.io(home, f"d{number}"))).digest == first.digest

    def test_other_values_have_other_digests(self, home: TemporaryHome, known: Codec) -> None:
        """The digest is what caching goes by: no two values share one."""
        samples = self.samples()
        assert len(samples) > 1, "give two samples at least"
        digests = [_blob(known.encode(value, self.io(home, f"w{n}"))).digest for n, value in enumerate(samples)]
        assert len(set(digests)) == len(digests)

    def test_the_wire_is_small_and_plain(self, home: TemporaryHome, known: Codec) -> None:
        """The content is in the storage; what travels says where, as plain data."""
        for number, value in enumerate(self.samples()):
            wire = known.encode(value, self.io(home, f"w{number}"))
            blob = _blob(wire)
            assert len(canonical(wire)) < WIRE_BYTES_MAX
            assert home.storage().verify(blob) is None
            assert blob.rows is None or blob.rows >= 0

    def test_other_values_are_refused(self, home: TemporaryHome, known: Codec) -> None:
        """A value of another type raises `ValueMismatch`, before anything is stored."""
        for value in self.wrong:
            with pytest.raises(ValueMismatch):
                known.encode(value, self.io(home))

    @pytest.mark.parametrize("what", ["nothing", "noise", "text", "half", "pickle"])
    def test_hostile_content_is_an_error_and_runs_nothing(
        self, home: TemporaryHome, known: Codec, tmp_path: Path, what: str
    ) -> None:
        """`Handler.read`: content comes from outside. What is damaged raises; nothing in it is run."""
        sample = self.samples()[-1]
        blob = _blob(known.encode(sample, self.io(home, "w")))
        canary = tmp_path / "canary"
        contents = {
            "nothing": b"",
            "noise": bytes(range(256)) * 40,
            "text": b'{"a": [1, 2',
            "pickle": pickle.dumps(_Canary(str(canary))),
        }
        forged = self._forged(home, blob, tmp_path / "forged", contents.get(what))
        assert not self._reads_as(known, forged, home, sample), "it reads what is damaged as if it were whole"
        assert self.pickles or not canary.exists(), "it runs what is in the content"

    def test_registering_is_cheap(self, home: TemporaryHome) -> None:
        """`wingbeat_types`: called in attempts' processes too; names classes and handlers, and imports neither."""
        if not self.plugin:
            pytest.skip("it is in the box")
        module = self.hint().__module__
        heavy, own = module.partition(".")[0], self.plugin.partition(".")[0]
        heavy = module if heavy == own else heavy  # a class of the plugin's own is in a module of its own
        program = (
            "import importlib, sys\n"
            f"importlib.import_module({self.plugin!r}).wingbeat_types()\n"
            f"sys.exit({heavy!r} in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"it imports {heavy}: {done.stderr}"

    def _reads_as(self, known: Codec, blob: Blob, home: TemporaryHome, sample: Any) -> bool:
        try:
            return self.same(sample, known.decode(blob.wire(), self.io(home, "r")))
        except Exception:  # noqa: BLE001  # which one is the library's own
            return False

    def _forged(self, home: TemporaryHome, blob: Blob, place: Path, content: bytes | None) -> Blob:
        """Another content of the same shape: `content` in the place of every file, or half of what was in each."""
        fetched = Path(home.storage().fetch(blob))
        if blob.layout == "file":
            data = fetched.read_bytes()
            return _renamed(home.storage().put_bytes(data[: len(data) // 2] if content is None else content), blob)
        shutil.copytree(fetched, place, copy_function=shutil.copyfile)
        for file in place.rglob("*"):
            if file.is_file():
                data = file.read_bytes()
                file.write_bytes(data[: len(data) // 2] if content is None else content)
        return _renamed(home.storage().put_directory(str(place)), blob)


def _blob(wire: Any) -> Blob:
    return msgspec.convert(wire, Blob)


def _carried(wire: Any) -> Any:
    """What is left of a wire value that has been through a journal."""
    return msgspec.json.decode(canonical(wire))


def _renamed(made: Blob, like: Blob) -> Blob:
    return msgspec.structs.replace(made, name=like.name, rows=like.rows)
