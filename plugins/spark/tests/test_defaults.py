"""The settings of a local session."""

from wingbeat_spark.defaults import heap_bytes, local_settings

GIB = 2**30


def settings(conf: dict[str, str] | None = None, cores: int = 2) -> dict[str, str]:
    return local_settings(conf or {}, name="x1/n0/0", cores=cores, heap=2 * GIB, directory="/srv/a b")


def test_nothing_is_written_outside_the_directory_or_reachable_from_outside():
    made = settings()
    assert made["spark.local.dir"] == "/srv/a b/local"
    assert made["spark.sql.warehouse.dir"] == "/srv/a b/warehouse"
    assert '"-Djava.io.tmpdir=/srv/a b/java"' in made["spark.driver.extraJavaOptions"]
    assert made["spark.driver.host"] == made["spark.driver.bindAddress"] == "127.0.0.1"
    assert made["spark.ui.enabled"] == "false"


def test_cores_and_memory_arrive():
    made = settings(cores=3)
    assert made["spark.master"] == "local[3]"
    assert made["spark.driver.memory"] == "2048m"
    assert made["spark.sql.shuffle.partitions"] == "6"


def test_the_authors_settings_win():
    made = settings({"spark.sql.session.timeZone": "Europe/Berlin", "spark.driver.extraJavaOptions": "-Xss4m"})
    assert made["spark.sql.session.timeZone"] == "Europe/Berlin"
    assert made["spark.driver.extraJavaOptions"].startswith("-Xss4m -XX:-UsePerfData ")


def test_the_heap_leaves_room_for_the_rest():
    assert heap_bytes(3 * GIB, 4 * GIB, 8 * GIB) == 3 * GIB
    assert heap_bytes(None, 10 * GIB, 8 * GIB) == 6 * GIB
    assert heap_bytes(None, None, 64 * GIB) == 4 * GIB
    assert heap_bytes(None, None, 4 * GIB) == 2 * GIB
    assert heap_bytes(None, GIB // 4, 8 * GIB) == GIB // 2
