"""A missing or wrong Java is told before anything starts."""

from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat_spark.java import check_java

NEW = 'openjdk version "17.0.15" 2025-04-15'
OLD = 'java version "1.8.0_402"'


def java(folder: Path, says: str, code: int = 0) -> Path:
    """A program that answers like Java."""
    made = folder / "bin" / "java"
    made.parent.mkdir(parents=True)
    made.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    made.chmod(0o755)
    return made


@pytest.mark.parametrize(("says", "version"), [(NEW, 17), ('openjdk version "21" 2023-09-19', 21)])
def test_a_new_enough_java_is_found_on_path_and_in_java_home(tmp_path, says, version):
    made = java(tmp_path / "j", says)
    assert check_java({"PATH": str(made.parent)}) == version
    assert check_java({"PATH": "", "JAVA_HOME": str(tmp_path / "j")}) == version


def test_no_java_at_all(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        check_java({"PATH": str(tmp_path)})
    assert caught.value.message == "Spark needs Java 17: JAVA_HOME is not set, `java` was not found on PATH."
    assert "JAVA_HOME" in caught.value.hint


def test_java_home_without_java_names_both_places(tmp_path):
    made = java(tmp_path / "j", NEW)
    with pytest.raises(ConfigurationError) as caught:
        check_java({"PATH": str(made.parent), "JAVA_HOME": str(tmp_path / "gone")})
    assert caught.value.message == (
        f"Spark needs Java 17: JAVA_HOME is {tmp_path}/gone, `java` was found at {made}, "
        f"but there is no program {tmp_path}/gone/bin/java."
    )


def test_java_home_wins_and_may_be_too_old(tmp_path):
    old, new = java(tmp_path / "old", OLD), java(tmp_path / "new", NEW)
    with pytest.raises(ConfigurationError, match=f"but {old} is Java 8"):
        check_java({"PATH": str(new.parent), "JAVA_HOME": str(tmp_path / "old")})


def test_a_java_that_does_not_run_says_what_it_said(tmp_path):
    made = java(tmp_path / "j", "Error: no such thing", 1)
    with pytest.raises(ConfigurationError, match="does not run: Error: no such thing"):
        check_java({"PATH": str(made.parent)})
