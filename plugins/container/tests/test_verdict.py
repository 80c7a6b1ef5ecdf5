"""From what was seen of a container to the error: a row for each."""

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat_container.verdict import TABLE, End, evidence, failure, without_outcome

MIB = 2**20
USER, SYSTEM = ErrorKind.USER, ErrorKind.SYSTEM


@pytest.mark.parametrize(
    ("end", "code", "kind"),
    [
        (End(started=False, message="exec: no such file or directory", program="x"), "ImageUnfit", USER),
        (End(started=False, message="cgroup: no space left on device"), "NotStarted", SYSTEM),
        (End(exit_code=137, oom=True, memory_bytes=MIB), "OutOfMemory", USER),
        (End(exit_code=137, oom_kills=1, memory_bytes=MIB), "OutOfMemory", USER),
        (End(exit_code=1, oom_kills=2), "OutOfMemory", USER),
        (End(exit_code=139), "Crashed", USER),
        (End(exit_code=134), "Crashed", USER),
        (End(exit_code=137), "Killed", SYSTEM),
        (End(exit_code=143), "Killed", SYSTEM),
        (End(exit_code=1), "Exited", USER),
        (End(exit_code=255), "Exited", USER),
    ],
)
def test_what_it_is(end, code, kind):
    found = failure(end)
    assert (found.code, found.kind) == (code, kind)


@pytest.mark.parametrize("end", [End(), End(oom_kills=1)])
def test_what_ended_well_is_no_failure(end):
    assert failure(end) is None


def test_every_row_is_met():
    ends = [
        End(started=False, message="no such file or directory"), End(started=False), End(exit_code=137, oom=True),
        End(exit_code=139), End(exit_code=137), End(exit_code=2),
    ]  # fmt: skip
    assert [next(name for name, fits, _ in TABLE if fits(end)) for end in ends] == [name for name, _, _ in TABLE]


def test_a_limit_that_may_have_been_met_is_named():
    assert "1.0 MiB" in failure(End(exit_code=137, memory_bytes=MIB)).message


def test_a_function_that_left_nothing_is_never_a_success():
    assert without_outcome(End()).code == "Exited"
    assert without_outcome(End(exit_code=78)).kind is SYSTEM
    assert without_outcome(End(exit_code=137, oom=True)).code == "OutOfMemory"


def test_evidence_holds_what_was_seen():
    end = End(exit_code=137, oom_kills=1, memory_peak_bytes=5, memory_bytes=MIB)
    expected = {"exit_code": 137, "signal": "SIGKILL", "oom": True, "memory_peak_bytes": 5, "memory_limit_bytes": MIB}
    assert evidence(end) == expected
    assert evidence(End(started=False)) == {}
