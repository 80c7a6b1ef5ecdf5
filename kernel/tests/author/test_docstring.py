"""What a docstring says about arguments."""

import pytest

from wingbeat.author.docstring import read_docstring
from wingbeat.spec.entities import TaskSpec

GOOGLE = """Load a day.

    All of it.

    Args:
        day: The day to load,
            in local time.

        raw (File, optional): Where from: a path.
        a, b (Callable[[int], str]): Both.

    Returns:
        What was loaded.
    """

NUMPY = """Load a day.

    All of it.

    Parameters
    ----------
    day : date
        The day to load,
        in local time.
    raw: File, optional
        Where from: a path.

    a, b
        Both.

    Returns
    -------
    int
        What was loaded.
    """

REST = """Load a day.

    All of it.

    :param day: The day to load,
        in local time.
    :type day: date
    :param File raw: Where from: a path.
    :param a: Both.
    :param b: Both.
    :returns: What was loaded.
    """

SAID = {"day": "The day to load, in local time.", "raw": "Where from: a path.", "a": "Both.", "b": "Both."}


@pytest.mark.parametrize(
    ("docstring", "rest"),
    [
        (GOOGLE, "Returns:\n    What was loaded."),
        (NUMPY, "Returns\n-------\nint\n    What was loaded."),
        (REST, ":returns: What was loaded."),
    ],
    ids=["google", "numpy", "rest"],
)
def test_arguments_are_taken_out_and_the_rest_stays(docstring, rest):
    found = read_docstring(docstring, SAID)
    assert found.arguments == SAID
    assert found.description == f"Load a day.\n\nAll of it.\n\n{rest}"


@pytest.mark.parametrize(
    "docstring",
    [
        "",
        "Args: all that you like.",
        "Say it.\n\nArgs:\n",
        "Say it.\n\nArgs:\n    These are the things that it takes.",
        "Say it.\n\nParameters\nare things: like x.",
        "Say it.\n\nParameters\n----------",
        "Say it.\n\nNote:\n    x: is not an argument here.",
        "Say :param: nothing.",
        "Say it.\n\nArgs::\n\n    x: y",
        "Say it.\n\nArgs:\n    x::y",
    ],
)
def test_prose_stays_as_it_is(docstring):
    assert read_docstring(docstring, ["x"]) == (docstring.strip(), {})


def test_what_is_said_of_others_than_the_arguments_stays_under_its_heading():
    found = read_docstring("Say it.\n\nArgs:\n    x: An input.\n    z: No input.\n\nThe end.", ["x"])
    assert found == ("Say it.\n\nArgs:\n    z: No input.\n\nThe end.", {"x": "An input."})


def test_a_line_that_was_not_indented_goes_on_with_its_argument():
    found = read_docstring("Args:\n    x: An input\n    that goes on.\n    y: Another.", ["x", "y"])
    assert found == ("", {"x": "An input that goes on.", "y": "Another."})


def test_a_docstring_may_begin_with_its_arguments():
    found = read_docstring(
        """Args:
        x: An input.

    Returns:
        A thing.
    """,
        ["x"],
    )
    assert found == ("Returns:\n    A thing.", {"x": "An input."})


def test_no_docstring_says_nothing():
    assert read_docstring(None, ["x"]) == ("", {})


SOURCE = """
from typing import Annotated

@task
def scale(x: int, by: Annotated[int, "Said beside the type."] = 2) -> int:
    '''Multiply.

    Args:
        x: What to multiply.
        by: The factor.
    '''
    return x * by

@workflow
def flow(x: int) -> int:
    '''Multiply once.

    :param x: What to multiply.
    '''
    return scale(x)
"""


def test_a_task_and_a_workflow_tell_it_in_their_interface(project):
    closure = project.closed(SOURCE)
    (spec,) = [entity for entity in closure.entities.values() if isinstance(entity, TaskSpec)]
    assert (closure.workflow.doc, spec.doc) == ("Multiply once.", "Multiply.")
    assert [v.doc for v in closure.workflow.interface.inputs] == ["What to multiply."]
    assert [v.doc for v in spec.interface.inputs] == ["What to multiply.", "Said beside the type."]
