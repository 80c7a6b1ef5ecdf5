"""The page of an attempt in a container."""

import os

import pytest

from wingbeat.attempts import AttemptFiles, PlacedSecrets
from wingbeat_container.page import bring_page


@pytest.fixture
def attempt(tmp_path):
    made = AttemptFiles(str(tmp_path), "e/n/0")
    os.makedirs(f"{made.path}/task")
    return made


def bring(attempt, secrets=None):
    return bring_page(f"{attempt.path}/task", attempt, secrets)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def test_it_is_taken_to_where_pages_are_and_masked(attempt):
    write(f"{attempt.path}/task/deck.html", "<p>the Canary-7f1e sings</p>")
    assert bring(attempt, PlacedSecrets({"s": "Canary-7f1e"})) == {"deck": f"{attempt.path}/deck.html"}
    assert attempt.read("deck.html") == b"<p>the *** sings</p>"
    assert os.listdir(f"{attempt.path}/task") == []


def test_it_is_there_when_it_is_looked_for_again(attempt):
    assert bring(attempt) == {}
    write(f"{attempt.path}/task/deck.html", "page")
    assert bring(attempt) == bring(attempt) == {"deck": f"{attempt.path}/deck.html"}
    assert attempt.read("deck.html") == b"page"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)])
def test_what_is_no_file_is_no_page(attempt, make):
    make(f"{attempt.path}/task/deck.html")
    assert bring(attempt) == {}
    assert attempt.read("deck.html") is None
