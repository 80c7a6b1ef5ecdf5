"""Who holds a home."""

from wingbeat.kernel.lock import HomeLock, holder_pid, is_held


def test_whether_a_home_is_held_can_be_seen_without_taking_it(tmp_path):
    lock = HomeLock(tmp_path)
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert lock.try_take()
    assert is_held(tmp_path)
    assert holder_pid(tmp_path).isdigit()
    lock.give_back()
    assert not is_held(tmp_path)
    assert lock.try_take()
    lock.give_back()


def test_a_home_that_nobody_ever_held_names_nobody(tmp_path):
    assert holder_pid(tmp_path) == "unknown"
