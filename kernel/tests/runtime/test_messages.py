"""Frames between kernel and parent, cut anywhere."""

import pytest

from wingbeat.runtime.job import (
    Ended,
    Exit,
    Frames,
    Hello,
    Importing,
    ListRunning,
    Run,
    Running,
    Started,
    Unknown,
    Watch,
    pack,
)

MESSAGES = [
    Run("x/n/0", b"{}", b"[1]"), Watch("x/n/0"), ListRunning(), Hello(7), Importing("m"), Started("x/n/0", 7, "fork"),
    Ended("x/n/0"), Ended("x/n/0", Exit(7, exit_code=1)), Unknown("x"), Running(["x", "y"]),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_messages_survive_being_cut_anywhere(size):
    data = b"".join(pack(message) for message in MESSAGES)
    frames, found = Frames(), []
    for start in range(0, len(data), size):
        found += frames.feed(data[start : start + size])
    assert found == MESSAGES


def test_a_frame_that_cannot_be_ours_is_refused():
    with pytest.raises(ValueError, match="over the limit"):
        Frames().feed(b"\xff\xff\xff\xff....")
