"""What every source of secrets must do. Derive one test class, and say how it is reached and how a secret gets there::

class TestMySource(SecretSourceContract):
    def ref(self, place: Path) -> SourceRef:
        return SourceRef("mine", "my_package:MySource", {"folder": str(place)})

    def put(self, place: Path, name: str, value: str) -> None:
        (place / name.replace("/", "-")).write_text(value)
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.secrets import SecretMissing, SecretSource, SourceRef
from wingbeat.runtime.mask import Mask
from wingbeat.runtime.secrets import load_source

CANARY = "canary-4b1d5e"
VALUES = {
    "plain": "correct horse",
    "quotes": 'it\'s "quoted" \\ and $more',
    "spaces around": "  kept  ",
    "unicode": "pässwörd-\u2603-\U0001f511",
    "lines": "-----BEGIN-----\nMIIE\n-----END-----",
    "long": "x" * 60_000,
}
ODD_NAMES = (
    "../canary",
    "a/../../canary",
    "/canary",
    "a//b",
    "",
    ".",
    "..",
    "a/.",
    "a\0b",
    "%2e%2e/canary",
    "a" * 5000,
)


def _write_to(descriptor: int) -> None:
    """Have all that this process prints and logs from now on in one file, as with logging on its lowest level."""
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115  # for good
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    for logger in loggers:
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.setStream(sys.stderr)
    logging.root.handlers = [logging.StreamHandler(sys.stderr)]
    logging.root.setLevel(1)
    logging.disable(logging.NOTSET)


class SecretSourceContract:
    """The contract as tests."""

    ONLY: tuple[str, ...] = tuple(VALUES)
    """The kinds of values that the source can hold, if those are not all."""

    def ref(self, place: Path) -> SourceRef:
        """The reference that the plugin gives, for a source whose secrets are in `place`."""
        raise NotImplementedError(f"{type(self).__name__} has to say how it is reached: def ref(self, place)")

    def put(self, place: Path, name: str, value: str) -> None:
        """Give a secret a value, in the place of the one that it had."""
        raise NotImplementedError(f"{type(self).__name__} has to put secrets there: def put(self, place, name, value)")

    def made(self, place: Path) -> SecretSource:
        """A source, made as an attempt's process makes it: from what has been through a file."""
        return load_source(msgspec.json.decode(msgspec.json.encode(self.ref(place)), type=SourceRef))

    @pytest.mark.parametrize("kind", VALUES)
    def test_a_value_comes_back_as_it_was_put(self, tmp_path: Path, kind: str) -> None:
        """Nothing is stripped, added or escaped; also the second time."""
        if kind not in self.ONLY:
            pytest.skip(f"it holds no value of the kind {kind!r}")
        self.put(tmp_path, "db/password", VALUES[kind])
        source = self.made(tmp_path)
        assert source.get("db/password") == VALUES[kind]
        assert source.get("db/password") == VALUES[kind]

    @pytest.mark.parametrize("name", ["a", "A-1", "team/db.prod/pass_word", "x" * 100])
    def test_names_of_the_grammar_are_known(self, tmp_path: Path, name: str) -> None:
        """Each is a secret of its own."""
        self.put(tmp_path, name, "one")
        self.put(tmp_path, f"{name}2", "two")
        source = self.made(tmp_path)
        assert (source.get(name), source.get(f"{name}2")) == ("one", "two")

    def test_what_is_not_there_is_told(self, tmp_path: Path) -> None:
        """By name, with what to do; and nothing of the others."""
        self.put(tmp_path, "db/password", CANARY)
        with pytest.raises(SecretMissing) as told:
            self.made(tmp_path).get("db/passphrase")
        assert "db/passphrase" in told.value.message
        text = f"{told.value!r} {told.value} {told.value.hint}"
        assert Mask([CANARY]).text(text) == text, "what is said of a secret that is missing has the value of another"

    def test_a_part_of_a_name_is_none(self, tmp_path: Path) -> None:
        """What holds secrets is none itself."""
        self.put(tmp_path, "db/password", CANARY)
        for name in ("db", "password", "db/password/more"):
            with pytest.raises(SecretMissing):
                self.made(tmp_path).get(name)

    @pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
    def test_odd_names_lead_nowhere(self, tmp_path: Path, name: str) -> None:
        """The kernel lets none of them through; a source does not rely on that."""
        place = tmp_path / "inside"
        place.mkdir()
        (tmp_path / "canary").write_text(CANARY)
        self.put(place, "a/b", "inside")
        try:
            value = self.made(place).get(name)
        except (ConfigurationError, ValueError):
            return
        assert CANARY not in value

    def test_a_value_that_was_replaced_counts(self, tmp_path: Path) -> None:
        """For whoever asks next."""
        self.put(tmp_path, "token", "old-value")
        assert self.made(tmp_path).get("token") == "old-value"
        self.put(tmp_path, "token", "new-value")
        assert self.made(tmp_path).get("token") == "new-value"

    def test_it_shows_no_values(self, tmp_path: Path) -> None:
        """Neither does what is sent to its attempts."""
        self.put(tmp_path, "token", CANARY)
        source = self.made(tmp_path)
        source.get("token")
        assert CANARY not in repr(source)
        assert CANARY not in msgspec.json.encode(self.ref(tmp_path)).decode()

    def test_it_writes_no_values(self, tmp_path: Path) -> None:
        """Printed or logged on any level, when it is made or asked: nothing can mask what is not known yet."""
        self.put(tmp_path, "token", CANARY)
        with Path(tmp_path, "written").open("w+b") as file:
            if (pid := os.fork()) == 0:
                _write_to(file.fileno())
                try:
                    with contextlib.suppress(SecretMissing):
                        source = self.made(tmp_path)
                        source.get("token")
                        source.get("nothing")
                finally:
                    with contextlib.suppress(Exception):
                        logging.shutdown()
                        sys.stdout.flush()
                    os._exit(0)
            os.waitpid(pid, 0)
            file.seek(0)
            written = file.read()
        masked = Mask([CANARY]).data(written)
        assert masked == written, f"it prints or logs the value when it is asked: {masked.decode(errors='replace')}"

    def test_many_may_ask_at_once(self, tmp_path: Path) -> None:
        """From threads of one process."""
        self.put(tmp_path, "token", "value")
        source, found = self.made(tmp_path), list[str]()
        threads = [threading.Thread(target=lambda: found.append(source.get("token"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == ["value"] * 8

    def test_it_works_in_a_forked_process(self, tmp_path: Path) -> None:
        """As attempts are."""
        self.put(tmp_path, "token", "value")
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                os.write(writing, self.made(tmp_path).get("token").encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            assert said.read() == "value"
        os.waitpid(pid, 0)

    def test_its_module_is_cheap_to_import(self, tmp_path: Path) -> None:
        """What it needs is imported when it is asked: an attempt that needs nothing of it pays for none."""
        module = self.ref(tmp_path).target.partition(":")[0]
        code = f"import sys, {module}; print(*sys.modules)"
        path = os.pathsep.join(filter(None, sys.path))
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert {"asyncio", "ssl", "httpx", "numpy", "pandas"}.isdisjoint(done.stdout.split())
