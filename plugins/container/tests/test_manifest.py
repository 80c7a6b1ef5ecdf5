"""What the engine is asked to create. The files in golden/ are what it was asked last; a change of them is to be looked at."""

import json
import os
from pathlib import Path

import pytest

from wingbeat_container.manifest import Mount, Plan, body, container_name, parse_mount

GOLDEN = Path(__file__).with_name("golden")

PLANS = {
    "plain": Plan(
        image="sha256:1",
        command=("sh", "-c", "true"),
        labels={"wingbeat.home": "h", "wingbeat.attempt": "e/n/0"},
        variables={"B": "2", "A": "x=1"},
        mounts=(Mount("/h/attempts/e/n.0/task", "/wingbeat", writable=True), Mount("/data", "/data")),
        user="1000:1000",
        ulimits=("nofile=1024:2048", "nproc=10"),
    ),
    "open": Plan(
        image="sha256:1", command=("true",), labels={}, variables={}, mounts=(), network=True, writable=True, cpu=1.5,
        memory_bytes=2**30, security=(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANS)
def test_as_golden(name):
    path = GOLDEN / f"{name}.json"
    made = json.dumps(body(PLANS[name]), indent=2) + "\n"
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(made)
    assert path.read_text() == made


def test_names_are_fit_and_nobody_elses():
    names = [
        container_name(home, attempt) for home in ("a", "b") for attempt in ("e/n/0", "e/n/1", "e/N[0]/0", "e/N(0)/0")
    ]
    assert len(set(names)) == len(names)
    assert all(len(name) < 128 and name.replace("-", "").isalnum() and name.isascii() for name in names)
    assert container_name("a", "e/" + "n" * 500 + "/0")[:9] == "wingbeat-"


def test_mounts_of_settings():
    assert parse_mount("/a:/b") == parse_mount("/a:/b:ro") == Mount("/a", "/b")
    assert parse_mount("/a:/b:rw") == Mount("/a", "/b", writable=True)
    for wrong in ("/a", "a:/b", "/a:b", "/a:/b:x", "/a:/b:ro:z"):
        with pytest.raises(ValueError, match="is no mount"):
            parse_mount(wrong)
