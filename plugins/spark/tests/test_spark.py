"""The real thing: PySpark and Java."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import wingbeat_spark
from wingbeat_spark.frames import FrameHandler
from wingbeat_spark.wrapper import SparkWrapper

pytestmark = [
    pytest.mark.spark,
    pytest.mark.timeout(300),  # a JVM takes seconds to start, more on a busy machine
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # PySpark warns of pandas 3
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # PySpark leaves sockets to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FRAME = """
    from wingbeat_spark import session
    frame = session().range(0, 5000, 1, 3).selectExpr(
        "id", "id % 7 as k", "cast(id as string) as s", "timestamp_seconds(id) as t", "id % 3 = 0 as b",
        "if(id % 5 = 0, null, 'x') as z", "named_struct('a', id, 'b', array(id, 1)) as st", "cast(id % 11 as double) as f",
    )
"""


def attempt(directory: Path) -> Any:
    return SimpleNamespace(id="x1/n0/0", directory=str(directory), cpu=2.0, memory_bytes=None)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("a home") / "[x] {1} #2"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def spark(place: Path) -> Iterator[Any]:
    names = ("SPARK_HOME", "SPARK_LOCAL_IP", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
    before = {name: os.environ.get(name) for name in names}
    wrapper = SparkWrapper({"memory_bytes": 2**30, "conf": {"spark.app.name": "mine"}})
    offers = wrapper.enter(attempt(place))
    assert {name: os.environ.get(name) for name in names} == before
    yield offers
    process = wrapper._session.sparkContext._gateway.proc  # type: ignore[union-attr]
    wrapper.leave(None)
    assert process.poll() is not None, "the JVM outlived the attempt"
    assert not (place / "spark").exists()


@pytest.fixture
def session(spark: Any) -> Any:
    return spark["spark"]


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_the_session_is_offered_by_type_by_name_and_by_call(spark, session):
    import pyspark.sql

    assert spark[pyspark.sql.SparkSession] is session
    assert wingbeat_spark.session() is session
    assert isinstance(session, pyspark.sql.SparkSession)


def test_the_settings_hold(session):
    assert session.sparkContext.master == "local[2]"
    assert session.sparkContext.appName == "mine"
    assert session.conf.get("spark.driver.memory") == "1024m"
    assert session.conf.get("spark.sql.session.timeZone") == "UTC"
    assert session.sparkContext.uiWebUrl is None


def test_pythons_of_the_workers_are_ours(session):
    from pyspark.sql import functions as f

    which = f.udf(lambda _: sys.executable, "string")
    assert session.range(1).select(which("id")).collect()[0][0] == sys.executable


def test_a_frame_is_a_folder_that_others_read(session, place):
    import polars as pl

    scope: dict[str, Any] = {}
    exec(textwrap.dedent(FRAME), scope)
    path = place / "frame"
    FrameHandler().write(scope["frame"], str(path))
    assert sorted(os.listdir(path)) == [f"part-{i:05d}.parquet" for i in range(3)]
    assert FrameHandler().columns(scope["frame"]) == {
        "id": "int",
        "k": "int",
        "s": "str",
        "t": "datetime",
        "b": "bool",
        "z": "str",
        "st": "any",
        "f": "float",
    }
    table = pq.read_table([str(file) for file in sorted(path.iterdir())])
    assert table["id"].to_pylist() == list(range(5000))
    assert table.schema.field("t").type == pa.timestamp("us", tz="UTC")
    assert pl.read_parquet(path / "part-00001.parquet", glob=False).height in range(1600, 1700)
    assert FrameHandler().read(str(path), None).count() == 5000


def test_equal_frames_have_equal_bytes_in_every_jvm(session, place, tmp_path):
    scope: dict[str, Any] = {}
    exec(textwrap.dedent(FRAME), scope)
    FrameHandler().write(scope["frame"], str(place / "one"))
    FrameHandler().write(scope["frame"], str(place / "two"))
    # With other hash codes of objects, what Spark leaves to chance comes out in another order.
    conf = '{"spark.driver.extraJavaOptions": "-XX:+UnlockExperimentalVMOptions -XX:hashCode=2"}'
    program = f"""
        import sys
        from types import SimpleNamespace
        from wingbeat_spark.frames import FrameHandler
        from wingbeat_spark.wrapper import SparkWrapper
        wrapper = SparkWrapper({{"cores": 1, "conf": {conf}}})
        wrapper.enter(SimpleNamespace(id="x2/n0/0", directory=sys.argv[1], cpu=None, memory_bytes=None))
        {textwrap.indent(textwrap.dedent(FRAME), " " * 8).strip()}
        FrameHandler().write(frame, sys.argv[1] + "/other")
        wrapper.leave(None)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], check=True)
    assert digests(place / "one") == digests(place / "two") == digests(tmp_path / "other")


def test_an_empty_frame_keeps_its_columns(session, place):
    path = place / "empty"
    FrameHandler().write(session.createDataFrame([], "a int, b string"), str(path))
    assert FrameHandler().read(str(path), None).columns == ["a", "b"]
    assert pq.read_table(str(path / "part-00000.parquet")).num_rows == 0


def test_files_of_pandas_are_read_with_their_times(session, place):
    times = pd.to_datetime(["2024-01-01 01:02:03.123456789", "1950-01-01 00:00:00.000001000"])
    for unit in ("ns", "us"):
        frame = pd.DataFrame({"a b`": times.as_unit(unit), "z": times.as_unit(unit).tz_localize("UTC"), "i": [1, 2]})
        frame.to_parquet(place / f"{unit}.parquet")
        read = FrameHandler().read(str(place / f"{unit}.parquet"), None)
        assert [kind for _, kind in read.dtypes] == ["timestamp_ntz", "timestamp", "bigint"]
        naive = [row[0] for row in read.collect()]
        assert naive == [time.floor("us").to_pydatetime() for time in times]
        assert read.selectExpr("unix_micros(z)").collect()[0][0] == times[0].value // 1000


def test_folders_may_say_columns(session, place):
    folder = place / "by_day"
    for day in (1, 2):
        (folder / f"day={day}").mkdir(parents=True)
        pq.write_table(pa.table({"x": [day * 10]}), folder / f"day={day}" / "0.parquet")
    rows = FrameHandler().read(str(folder), None).orderBy("day").collect()
    assert [(row["x"], row["day"]) for row in rows] == [(10, 1), (20, 2)]


def test_a_stream_is_no_value(session, place):
    stream = session.readStream.format("rate").load()
    with pytest.raises(ValueError, match="streaming"):
        FrameHandler().write(stream, str(place / "stream"))


def test_a_killed_attempt_takes_its_jvm_along(tmp_path):
    program = """
        import sys, time
        from types import SimpleNamespace
        from wingbeat_spark.wrapper import SparkWrapper
        wrapper = SparkWrapper({})
        session = wrapper.enter(SimpleNamespace(id="x3/n0/0", directory=sys.argv[1], cpu=1, memory_bytes=2**31))["spark"]
        print(session.sparkContext._gateway.proc.pid, flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        jvm = int(process.stdout.readline())
        assert os.getsid(jvm) == process.pid, "killing the attempt's session must reach the JVM"
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while alive(jvm) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(jvm), "the JVM outlived an attempt of which only the first process was killed"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
