"""What is killed after an attempt, and above all what is not."""

import os
import subprocess

import pytest

from wingbeat.runtime import claim, limits, reap


@pytest.mark.parametrize(
    "owner", [claim.Claim(), claim.Claim(pid=1), claim.Claim(pid=0, groups=("/sys/fs/cgroup/memory",))]
)
def test_a_claim_that_names_nobody_has_nobody_killed(monkeypatch, owner):
    killed = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    reap.kill_leftovers(owner, "x1/n0/0")
    assert killed == []


def test_a_session_whose_number_is_in_use_again_is_left_alone():
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as stranger:
        start = claim.start_time(stranger.pid)
        reap.kill_leftovers(claim.Claim(pid=stranger.pid, start=start - 1), "x1/n0/0")
        assert stranger.poll() is None
        reap.kill_leftovers(claim.Claim(pid=stranger.pid, start=start), "x1/n0/0")
        assert stranger.wait(10) == -9


def test_programs_that_carry_the_attempts_variables_are_killed_in_any_session():
    def environment(node):
        return {**os.environ, "WINGBEAT_EXECUTION": "x-test-9", "WINGBEAT_NODE": node, "WINGBEAT_ATTEMPT": "0"}

    with (
        subprocess.Popen(["sleep", "1000"], env=environment("n0"), start_new_session=True) as own,
        subprocess.Popen(["sleep", "1000"], env=environment("n1"), start_new_session=True) as other,
    ):
        while not reap._carries(str(own.pid), [b"WINGBEAT_NODE=n0"]):
            pass  # until the program has replaced the process that became it
        reap.kill_leftovers(claim.Claim(pid=2**22 + 1), "x-test-9/n0/0")
        assert own.wait(10) == -9
        assert other.poll() is None
        other.kill()


def test_only_groups_of_ours_are_removed(tmp_path, monkeypatch):
    killed = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    group = tmp_path / "theirs"
    group.mkdir()
    (group / "cgroup.procs").write_text("123\n")
    limits.remove((str(group),))
    assert killed == []
    assert group.exists()


def test_signals_have_names():
    assert reap.signal_name(9) == "SIGKILL"
    assert reap.signal_name(120) == "signal 120"
