"""Limits where no control group can be made."""

import os

from wingbeat.runtime import limits


def test_without_control_groups_allocations_over_the_limit_raise_memory_error():
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            limits.enter((), None, 200 * 2**20)
            try:
                bytearray(300 * 2**20)
            except MemoryError:
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_the_groups_of_an_attempt_have_its_own_name_and_only_those_that_limit_something():
    assert limits.plan("/a", None, None) == ()
    first, second = limits.plan("/a", 1.0, 2**20), limits.plan("/b", 1.0, 2**20)
    assert not set(first) & set(second)
    assert first == limits.plan("/a", 1.0, 2**20)


def test_thread_variables_round_up():
    assert limits.thread_variables(None) == {}
    assert limits.thread_variables(0.5)["OMP_NUM_THREADS"] == "1"
    assert limits.thread_variables(2.5)["OPENBLAS_NUM_THREADS"] == "3"
