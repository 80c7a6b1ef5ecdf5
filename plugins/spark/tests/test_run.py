"""Spark tasks in a real workflow: from Spark to pandas and back, each attempt in its own process."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.timeout(300)]

FLOW = """
    import sys

    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    import wingbeat_spark
    from wingbeat import run, task, workflow
    from wingbeat_spark import Spark


    @task(task_config=Spark(cores=1))
    def numbers(spark: SparkSession, n: int) -> DataFrame:
        return spark.range(0, n, 1, 2).selectExpr("id", "id % 3 as k")


    @task
    def by_pandas(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.groupby("k", as_index=False).sum()


    @task(task_config=Spark(cores=1))
    def total(sums: DataFrame, whole: DataFrame) -> int:
        assert wingbeat_spark.session().sparkContext.master == "local[1]"
        return sums.selectExpr("sum(id)").first()[0] + whole.count()


    @task
    def rows(frame: pa.Table) -> int:
        return frame.num_rows


    @workflow
    def flow(n: int = 10) -> tuple[int, int]:
        frame = numbers(n=n)
        return total(sums=by_pandas(frame=frame), whole=frame), rows(frame=frame)


    if __name__ == "__main__":
        print("answer", *run(flow, n=10, home=sys.argv[1]))
"""


def run_flow(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "flow.py"
    file.write_text(textwrap.dedent(FLOW))
    import os

    return subprocess.run(
        [sys.executable, str(file), str(tmp_path / "home")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, **environment},
    )


def test_frames_go_from_spark_to_pandas_to_spark_and_to_arrow(tmp_path):
    done = run_flow(tmp_path)
    assert "answer 55 10" in done.stdout, done.stdout + done.stderr


def test_a_missing_java_is_the_users_error_and_not_tried_again(tmp_path):
    done = run_flow(tmp_path, PATH="/nonexistent", JAVA_HOME="")
    assert done.returncode != 0
    assert "Spark needs Java 17: JAVA_HOME is not set, `java` was not found on PATH." in done.stderr
