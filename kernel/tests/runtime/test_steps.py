"""`wingbeat.step`: what is called inside of an attempt, and what is taken instead."""

import asyncio
import dataclasses
import inspect
import threading
import types
from pathlib import Path

import pandas as pd
import pytest

from wingbeat import CompileError, File, step
from wingbeat.author.fingerprint import code_digest
from wingbeat.testing import inside_attempt

CALLS = types.SimpleNamespace(made=[])


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


@step
def square(n: int) -> int:
    """Square it."""
    CALLS.made.append(n)
    return n * n


@step
async def later(n: int, *, by: int = 1) -> tuple[int, Point]:
    CALLS.made.append(n)
    await asyncio.sleep(0)
    return n + by, Point(n)


@pytest.fixture(autouse=True)
def _calls():
    CALLS.made.clear()


@pytest.fixture
def attempts(tmp_path):
    """Enter the next attempt of a node."""
    numbers = iter(range(100))
    return lambda **more: inside_attempt(tmp_path / "home", **{"attempt": next(numbers), **more})


def test_outside_of_an_attempt_it_is_the_plain_function():
    assert square(3) == square(3) == 9
    assert CALLS.made == [3, 3]
    assert square.__name__ == "square"
    assert square.__doc__ == "Square it."
    assert list(inspect.signature(square).parameters) == ["n"]
    assert asyncio.run(later(1)) == (2, Point(1))


def test_the_next_attempt_takes_what_was_recorded(attempts):
    for _ in range(3):
        with attempts():
            assert [square(n) for n in (1, 2, 3)] == [1, 4, 9]
    assert CALLS.made == [1, 2, 3]


def test_it_goes_on_where_it_stopped(attempts):
    with pytest.raises(KeyError), attempts():
        square(1)
        square(2)
        raise KeyError
    with attempts():
        assert [square(n) for n in (1, 2, 3)] == [1, 4, 9]
    assert CALLS.made == [1, 2, 3]


def test_other_inputs_are_another_call_and_the_order_does_not_matter(attempts):
    with attempts():
        square(1)
        square(2)
    with attempts():
        assert [square(3), square(2), square(1)] == [9, 4, 1]
    assert CALLS.made == [1, 2, 3]


def test_the_same_call_again_is_a_call_of_its_own(attempts):
    @step
    def roll() -> int:
        CALLS.made.append("rolled")
        return len(CALLS.made)

    with attempts():
        assert [roll(), roll()] == [1, 2]
    with attempts():
        assert [roll(), roll(), roll()] == [1, 2, 3]


def test_defaults_names_and_the_rest_count_as_inputs(attempts):
    @step
    def join(a: int, /, b: int = 2, *rest: int, c: str = "", **more: float) -> str:
        CALLS.made.append("joined")
        return f"{a} {b} {rest} {c} {more}"

    with attempts():
        assert join(1) == "1 2 ()  {}"
        assert join(1, 2, 3, 4, c="x", d=0.5) == "1 2 (3, 4) x {'d': 0.5}"
    with attempts():
        assert join(1, b=2) == "1 2 ()  {}"
        assert join(1, 2, 3, 4, d=0.5, c="x") == "1 2 (3, 4) x {'d': 0.5}"
        assert join(1, 2, 3) == "1 2 (3,)  {}"
    assert len(CALLS.made) == 3


def test_asynchronous_steps_run_at_once_and_are_taken(attempts):
    async def body():
        return await asyncio.gather(*(later(n) for n in range(5)), later(1, by=2))

    for _ in range(2):
        with attempts():
            assert asyncio.run(body()) == [*((n + 1, Point(n)) for n in range(5)), (3, Point(1))]
    assert sorted(CALLS.made) == [0, 1, 1, 2, 3, 4]


def test_threads_do_not_take_each_others_places(attempts):
    @step
    def same() -> int:
        return 1

    with attempts() as made:
        import contextvars

        contexts = [contextvars.copy_context() for _ in range(8)]
        threads = [threading.Thread(target=context.run, args=(same,)) for context in contexts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(list((made.checkpoint / ".steps").iterdir())) == 8


def test_a_step_inside_of_another_is_told_apart_from_those_beside_it(attempts):
    @step
    def outer(n: int) -> int:
        return square(n) + square(n)

    for _ in range(2):
        with attempts():
            assert outer(2) == 8
            assert square(2) == 4
    assert CALLS.made == [2, 2, 2]


def test_what_raises_is_called_again(attempts):
    @step
    def fragile(n: int) -> int:
        CALLS.made.append(n)
        if len(CALLS.made) < 3:
            raise ValueError(n)
        return n

    for _ in range(2):
        with attempts(), pytest.raises(ValueError, match="1"):
            fragile(1)
    for _ in range(2):
        with attempts():
            assert fragile(1) == 1
    assert len(CALLS.made) == 3


def test_values_are_those_of_tasks(attempts):
    @step
    def make(frame: pd.DataFrame, file: File) -> dict[str, tuple[pd.DataFrame, File, int | None]]:
        CALLS.made.append(1)
        return {"a": (frame * 2, file, None)}

    for _ in range(2):
        with attempts() as attempt:
            path = attempt.directory / "input.txt"
            path.write_text("text")
            frame, file, nothing = make(pd.DataFrame({"n": [1, 2]}), File(path))["a"]
            assert frame.n.tolist() == [2, 4]
            with file.open("r") as stream:
                assert stream.read() == "text"
            assert nothing is None
            path.unlink()
    assert CALLS.made == [1]


def test_nothing_is_a_result(attempts):
    @step
    def send(to: str) -> None:
        CALLS.made.append(to)

    for _ in range(2):
        with attempts():
            assert send("you") is None
    assert CALLS.made == ["you"]


def test_recover_takes_steps_along(tmp_path):
    with inside_attempt(tmp_path, execution="old") as made:
        square(2)
        assert made.checkpoint
    with inside_attempt(tmp_path, execution="new", recovers="old/n0"):
        assert square(2) == 4
    assert CALLS.made == [2]


def test_a_missing_hint_is_told_when_it_is_decorated():
    with pytest.raises(CompileError, match=r"parameter 'n' needs a type hint.* \(test_steps.py:\d+\): def "):

        @step
        def unhinted(n) -> int:
            return n

    with pytest.raises(CompileError, match="its result needs a type hint"):

        @step
        def resultless(n: int):
            return n


def test_wrong_values_are_told(attempts):
    @step
    def wrong(n: int) -> int:
        return str(n)

    @step
    def local(path: Path) -> int:
        return 1

    with attempts():
        with pytest.raises(TypeError, match="step .*wrong: argument 'n'"):
            wrong("x")
        with pytest.raises(TypeError, match="step .*wrong: its result: .*expected int"):
            wrong(1)
        with pytest.raises(TypeError, match="step .*local: parameter 'path': Path is not supported"):
            local(Path())
        with pytest.raises(TypeError, match="missing a required argument"):
            square()


@pytest.mark.parametrize("data", [b"", b"{}", b'{"step":"s","inputs":"i","number":0,"value":"text"}', b"[" * 10_000])
def test_a_record_that_does_not_fit_is_no_record(attempts, data):
    with attempts() as made:
        square(2)
        for path in (made.checkpoint / ".steps").iterdir():
            path.write_bytes(data)
    with attempts():
        assert square(2) == 4
    assert CALLS.made == [2, 2]


def caller() -> int:
    return square(2)


def test_its_code_is_part_of_who_calls_it(monkeypatch):
    def other(n: int) -> int:
        return n + n

    before = code_digest(caller)
    assert code_digest(caller) == before
    monkeypatch.setitem(globals(), "square", step(other))
    assert code_digest(caller) != before
