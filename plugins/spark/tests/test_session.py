"""Who gets which session, without a JVM."""

import atexit
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.types import TableType, literal_type
from wingbeat_spark import current, local, plugin, session


def pyspark(active: Any = None) -> Any:
    """What of PySpark is looked at."""
    spark = SimpleNamespace(getActiveSession=lambda: active)
    return SimpleNamespace(
        sql=SimpleNamespace(SparkSession=spark), SparkContext=SimpleNamespace(_active_spark_context=active)
    )


@pytest.fixture(autouse=True)
def no_attempt(monkeypatch):
    monkeypatch.delenv("WINGBEAT_EXECUTION", raising=False)
    monkeypatch.setattr(current, "_current", None)


def test_the_tasks_session_comes_first(monkeypatch):
    monkeypatch.setattr(local, "import_pyspark", lambda: pyspark(active="the user's"))
    current.give("the task's")
    assert session() == "the task's"


def test_then_the_active_one(monkeypatch):
    monkeypatch.setattr(local, "import_pyspark", lambda: pyspark(active="the user's"))
    assert session() == "the user's"


def test_a_task_that_did_not_ask_for_one_is_told(monkeypatch):
    monkeypatch.setattr(local, "import_pyspark", pyspark)
    monkeypatch.setenv("WINGBEAT_EXECUTION", "x1")
    monkeypatch.setenv("WINGBEAT_TASK", "eta.train")
    with pytest.raises(
        ConfigurationError, match=r"Task eta\.train uses Spark, but has no session(.|\n)*task_config=Spark"
    ):
        session()


def test_outside_of_tasks_a_local_one_is_started_and_stopped_at_the_end(monkeypatch):
    started: list[dict[str, Any]] = []
    ends: list[tuple[Any, ...]] = []

    def start(config: Any, **given: Any) -> str:
        started.append(given)
        return "local"

    monkeypatch.setattr(local, "import_pyspark", pyspark)
    monkeypatch.setattr(local, "start_local", start)
    monkeypatch.setattr(atexit, "register", lambda *call: ends.append(call))
    assert session() == "local"
    assert ends == [(local.stop_local, "local", started[0]["directory"])]


def test_missing_pyspark_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(ConfigurationError, match=r"PySpark is not in the environment(.|\n)*wingbeat-spark\[pyspark\]"):
        session()


def test_a_session_made_by_the_module_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(local, "import_pyspark", lambda: pyspark(active="the user's"))
    monkeypatch.setattr(local, "check_java", lambda: 17)
    with pytest.raises(ConfigurationError, match="already"):
        local.start_local({}, name="x1/n0/0", directory=str(tmp_path))


def test_frames_are_tables():
    plugin.wingbeat_types()
    plugin.wingbeat_types()
    for name in plugin.FRAMES:
        module, _, cls = name.rpartition(".")
        assert literal_type(type(cls, (), {"__module__": module})) == TableType()
