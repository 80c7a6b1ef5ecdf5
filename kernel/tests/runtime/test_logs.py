"""Logs keep to a size while they are written."""

import os

from wingbeat.runtime import logs


def test_a_log_that_is_too_long_loses_its_middle(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"begin" + b"x" * 1000 + b"end")
    writer = os.open(path, os.O_WRONLY | os.O_APPEND)
    assert logs.trim(str(tmp_path), 400)
    os.write(writer, b" and on")
    os.close(writer)
    text = path.read_bytes()
    assert text.startswith(b"begin")
    assert text.endswith(b"end and on")
    assert b"808 bytes are left out here" in text
    assert len(text) < 400
    assert not logs.trim(str(tmp_path), 400)
