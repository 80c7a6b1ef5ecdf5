"""Formulas give what the same Python gives, and fail by a mismatch, whatever they are given."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.spec.chosen import AT_FAILURE, AT_QUEUE, choose, settled
from wingbeat.spec.entities import (
    Entry,
    FormulaInput,
    Given,
    Interface,
    Number,
    Operation,
    PoolSpec,
    TaskSpec,
    Text,
    Variable,
)
from wingbeat.spec.formulas import MAGNITUDE_MAX, Known, evaluate, kind_of
from wingbeat.spec.literal import Inline, LiteralList, Offloaded
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.types import Blob, ValueMismatch, literal_type

PYTHON = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "pow": lambda a, b: a**b, "min": min, "max": max,
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip
NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)


def known(attempt=0, error=None, **inputs):
    """Inputs by name: a value, or (hint, literal)."""
    variables, literals = [], {}
    for name, value in inputs.items():
        hint, literal = value if isinstance(value, tuple) else (type(value), Inline(value))
        variables.append(Variable(name, literal_type(hint)))
        literals[name] = literal
    return Known(literals, Interface(tuple(variables)), attempt, error)


@given(st.sampled_from(sorted(PYTHON)), NUMBERS, NUMBERS)
def test_two_numbers_give_what_python_gives_or_a_mismatch(op, a, b):
    formula = Operation(op, (Number(a), Number(b)))
    assert kind_of(formula, Interface()) in ("number", "truth")
    try:
        found = evaluate(formula, known())
    except ValueMismatch:
        try:
            wanted = PYTHON[op](float(a), float(b))
        except (ZeroDivisionError, OverflowError):
            return
        assert isinstance(wanted, complex) or abs(wanted) > MAGNITUDE_MAX
    else:
        assert found == PYTHON[op](a, b)


def test_a_power_of_any_size_is_refused_at_once():
    with pytest.raises(ValueMismatch, match=r"9 \*\* "):
        evaluate(Operation("pow", (Number(9), Operation("pow", (Number(9), Number(15))))), known())


def test_a_choice_evaluates_one_arm_only():
    broken = Operation("div", (Number(1), Number(0)))
    first = Operation("eq", (Given("attempt"), Number(0)))
    formula = Operation("where", (first, Number(5), broken))
    assert evaluate(formula, known()) == 5
    with pytest.raises(ValueMismatch, match="1 / 0 is too large or no number"):
        evaluate(formula, known(attempt=1))


def test_the_last_error_is_a_text_and_empty_at_first():
    formula = Operation("eq", (Given("error.code"), Text("OutOfMemory")))
    assert evaluate(formula, known()) is False
    assert evaluate(formula, known(1, ErrorInfo("OutOfMemory", "too much"))) is True
    assert evaluate(Given("error.kind"), known(1, ErrorInfo("OutOfMemory", "too much"))) == "USER"


def test_inputs_are_measured():
    blob = Blob("file:///x", "d", 1234, "x.parquet", rows=7)
    inputs = known(
        n=3, ratio=0.5, name="abc", many=(list[int], Inline([1, 2, 3])),
        stored=(list[int], Offloaded("file:///y", 99_000, "d")), woven=(list[int], LiteralList((Inline(1), Inline(2)))),
        table=(__import__("pandas").DataFrame, Inline(blob.wire())),
    )  # fmt: skip
    assert evaluate(FormulaInput("n"), inputs) == 3
    assert evaluate(FormulaInput("ratio"), inputs) == 0.5
    assert evaluate(FormulaInput("name"), inputs) == "abc"
    assert evaluate(FormulaInput("name", measure="length"), inputs) == 3
    assert evaluate(FormulaInput("many", measure="length"), inputs) == 3
    assert evaluate(FormulaInput("many", measure="bytes"), inputs) == len(b"[1,2,3]")
    assert evaluate(FormulaInput("many", (1,)), inputs) == 2
    assert evaluate(FormulaInput("stored", measure="bytes"), inputs) == 99_000
    assert evaluate(FormulaInput("woven", measure="length"), inputs) == 2
    assert evaluate(FormulaInput("table", measure="bytes"), inputs) == 1234
    assert evaluate(FormulaInput("table", measure="length"), inputs) == 7
    for unknown in (FormulaInput("stored", measure="length"), FormulaInput("stored", (0,))):
        with pytest.raises(ValueMismatch, match="reading what is stored"):
            evaluate(unknown, inputs)


def test_what_is_none_or_not_finite_is_a_mismatch():
    inputs = known(maybe=(int | None, Inline(None)), ratio=(float, Inline("nan")), many=(list[int], Inline([])))
    for formula, words in (
        (FormulaInput("maybe"), "is None"), (FormulaInput("ratio"), "is nan"), (FormulaInput("many", (0,)), "no item 0"),
    ):  # fmt: skip
        with pytest.raises(ValueMismatch, match=words):
            evaluate(formula, inputs)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        (FormulaInput("m"), "there is no input 'm'; the inputs are: n, names"),
        (FormulaInput("n", measure="length"), "has no length"),
        (FormulaInput("names"), "is no number; its size is '.bytes'"),
        (Operation("add", (Text("a"), Number(1))), "'add' of a text and a number"),
        (Operation("eq", (Text("a"), Number(1))), "'eq' of a text and a number"),
        (Operation("and", (Number(1), Number(1))), "'and' of a number and a number"),
        (Operation("where", (Number(1), Number(1), Number(1))), "where"),
        (Operation("add", (Number(1),)), "'add' of 1 value"),
    ],
)
def test_what_does_not_fit_together_is_said(formula, words):
    with pytest.raises(ValueMismatch, match=words.replace("(", r"\(")):
        kind_of(formula, known(n=1, names=(list[str], Inline([]))).interface)


def test_depth_is_bounded():
    formula = Number(1)
    for _ in range(30):
        formula = Operation("neg", (formula,))
    with pytest.raises(ValueMismatch, match="nested more than"):
        kind_of(formula, Interface())


def test_options_are_rounded_and_bounded():
    attempt = Given("attempt")
    third = Operation("div", (Number(10), Number(3)))
    task = TaskSpec(
        "t", Interface(), Entry("m", "f"), pool=PoolSpec("gpu"),
        formulas={"resources.memory_bytes": third, "pool.weight": third, "resources.cpu": attempt, "retry.count": third},
    )  # fmt: skip
    chosen = choose(task, known(attempt=2), AT_QUEUE)
    assert chosen == {"resources.memory_bytes": 4, "pool.weight": 4, "resources.cpu": 2.0}
    made = settled(task, chosen)
    assert (made.resources.memory_bytes, made.resources.cpu, made.pool.weight) == (4, 2.0, 4)
    assert not made.formulas
    assert choose(task, known(), AT_FAILURE) == {"retry.count": 3}
    with pytest.raises(ValueMismatch, match=r"resources\.cpu would be 0; it is at least 0\.001"):
        choose(task, known(), AT_QUEUE)
    assert math.isfinite(chosen["resources.cpu"])
    assert settled(task, None) is task
