"""What an author writes and what becomes of it."""

import subprocess
import sys
from typing import Any

import pytest

from wingbeat import task
from wingbeat.base.errors import CompileError
from wingbeat.spec.entities import Entry, Interface, TaskSpec, WrapperSpec
from wingbeat_spark import Spark
from wingbeat_spark.wrapper import SparkWrapper


def wrapper(config: Spark) -> WrapperSpec:
    task = TaskSpec("m.f", Interface(), Entry("m", "f"))
    (found,) = config.configure(task).wrappers
    return found


def test_it_becomes_a_wrapper_of_the_spec():
    made = wrapper(Spark(cores=2, executors=3, memory="2Gi", conf={"spark.b": True, "spark.a": 1}))
    assert (made.name, made.target) == ("spark", "wingbeat_spark.wrapper:SparkWrapper")
    assert made.config == {
        "cores": 2,
        "executors": 3,
        "memory_bytes": 2 * 2**30,
        "conf": {"spark.a": "1", "spark.b": "true"},
    }


def test_the_target_is_the_wrapper():
    module, _, name = wrapper(Spark()).target.partition(":")
    assert getattr(sys.modules[module], name) is SparkWrapper


def test_what_is_left_out_is_not_in_the_spec():
    assert wrapper(Spark()).config == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"cores": 0}, "cores=0"),
        ({"cores": 1.5}, "cores=1.5"),
        ({"executors": True}, "executors=True"),
        ({"memory": "lots"}, "'lots' is not a size"),
        ({"memory": "64Mi"}, "at least 512Mi"),
        ({"conf": {"master": "local"}}, "'master' is no setting"),
    ],
)
def test_a_wrong_argument_is_named(arguments, says):
    with pytest.raises(CompileError, match=says):
        Spark(**arguments)


# As PySpark's class presents itself, so that this needs no PySpark.
SparkSession = type("SparkSession", (), {"__module__": "pyspark.sql.session"})


def count(spark: SparkSession, n: int) -> int:  # type: ignore[valid-type]
    return n


def test_a_session_is_no_input():
    config: Any = Spark()
    made = task(task_config=config)(count)
    assert list(made.signature.inputs) == ["n"]


def test_importing_needs_no_pyspark():
    code = (
        "import sys, wingbeat_spark.plugin, wingbeat_spark.wrapper; print(*(m for m in sys.modules if 'pyspark' in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
