"""The claim: exclusive, complete when it appears, held until its process dies and by nobody else."""

import os
import time

import pytest

from wingbeat.runtime import claim


def in_child(function):
    """Run `function` in a forked process that stays until it is killed; returns its number and the answer."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, b"1" if function() else b"0")
            time.sleep(1000)
        finally:
            os._exit(1)
    answer = os.read(reader, 1)
    os.close(reader)
    os.close(writer)
    return pid, answer == b"1"


def end(pid):
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def test_one_of_two_processes_gets_the_claim_and_holds_it_until_it_dies(tmp_path):
    first, got = in_child(lambda: claim.take(str(tmp_path), "p.sock"))
    second, got_too = in_child(lambda: claim.take(str(tmp_path), "p.sock"))
    assert (got, got_too) == (True, False)
    assert claim.held(str(tmp_path))
    owner = claim.read(str(tmp_path))
    assert (owner.pid, owner.start, owner.parent) == (first, claim.start_time(first), "p.sock")
    end(second)
    assert claim.held(str(tmp_path))
    end(first)
    assert not claim.held(str(tmp_path))
    assert claim.read(str(tmp_path)) == owner
    assert [path.name for path in tmp_path.iterdir()] == ["claim"]


def test_a_child_made_without_exec_does_not_hold_the_lock_on(tmp_path):
    def take_and_fork():
        taken = claim.take(str(tmp_path), "")
        grandchild = os.fork()
        if grandchild == 0:
            time.sleep(1000)
        (tmp_path / "grandchild").write_text(str(grandchild))
        return taken

    pid, _ = in_child(take_and_fork)
    end(pid)
    assert not claim.held(str(tmp_path))
    os.kill(int((tmp_path / "grandchild").read_text()), 9)


def test_a_refused_attempt_cannot_be_claimed_any_more(tmp_path):
    assert claim.refuse(str(tmp_path), "not wanted")
    assert not claim.refuse(str(tmp_path), "again")
    pid, got = in_child(lambda: claim.take(str(tmp_path), ""))
    end(pid)
    assert not got
    assert claim.read(str(tmp_path)).cancelled == "not wanted"
    assert not claim.held(str(tmp_path))


def test_a_claimed_attempt_cannot_be_refused(tmp_path):
    pid, _ = in_child(lambda: claim.take(str(tmp_path), ""))
    assert not claim.refuse(str(tmp_path), "")
    end(pid)


def test_nothing_is_claimed_where_nobody_was(tmp_path):
    assert claim.read(str(tmp_path)) is None
    assert not claim.held(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"pid":"x"}'])
def test_a_damaged_claim_is_a_claim_by_nobody(tmp_path, content):
    (tmp_path / "claim").write_bytes(content)
    assert claim.read(str(tmp_path)) == claim.Claim()


def publish_for_a_process_to_come(folder):
    """What a warm parent does before it forks."""
    fd = claim.publish(str(folder), claim.Claim(parent="p.sock"))
    assert fd is not None
    return fd


def test_a_forked_process_holds_what_its_parent_claimed_for_it(tmp_path):
    lock = publish_for_a_process_to_come(tmp_path)
    pid, _ = in_child(lambda: claim.begin(lock) is None)
    assert claim.read(str(tmp_path)) == claim.Claim(pid=pid, parent="p.sock")
    whole = claim.Claim(pid, claim.start_time(pid), "p.sock", ("/group",))
    claim.complete(lock, whole)
    os.close(lock)
    assert claim.read(str(tmp_path)) == whole
    assert claim.held(str(tmp_path))
    end(pid)
    assert not claim.held(str(tmp_path))
    assert claim.publish(str(tmp_path), claim.Claim(parent="p.sock")) is None, "somebody had it"


def test_a_claim_is_taken_while_the_parent_that_made_it_lives(tmp_path):
    lock = publish_for_a_process_to_come(tmp_path)
    assert claim.read(str(tmp_path)) == claim.Claim(parent="p.sock")
    assert not claim.refuse(str(tmp_path), "too late")
    os.close(lock)


@pytest.mark.parametrize("then", ["take", "refuse", "publish"])
def test_a_claim_whose_parent_died_before_it_forked_can_be_taken_over_once(tmp_path, then):
    os.close(publish_for_a_process_to_come(tmp_path))
    assert claim.read(str(tmp_path)) is None
    if then == "take":
        pid, got = in_child(lambda: claim.take(str(tmp_path), "q.sock"))
        assert got
        assert claim.read(str(tmp_path)).pid == pid
        end(pid)
    elif then == "refuse":
        assert claim.refuse(str(tmp_path), "not wanted")
    else:
        fd = claim.publish(str(tmp_path), claim.Claim(1, 2, "q.sock"))
        assert fd is not None
        os.close(fd)
    assert not claim.refuse(str(tmp_path), "again")
    assert [path.name for path in tmp_path.iterdir()] == ["claim"]
