"""What an author may say of a task in a container, and what is said of mistakes."""

import pytest

from wingbeat import Environment, File, task
from wingbeat.base.errors import CompileError
from wingbeat_container import Container


def count(words: File) -> int: ...


def spec(container, **options):
    return task(task_config=container, **options)(count).spec(None)


def test_the_task_gets_its_container_and_executor():
    made = spec(Container("debian:12", ["wc", "-w", "{{inputs.words}}"], network=True, user="1000"))
    assert made.executor == "container"
    assert made.container.command == ("wc", "-w", "{{inputs.words}}")
    assert (made.container.image, made.container.network, made.container.user) == ("debian:12", True, "1000")
    assert [each.name for each in made.interface.inputs] == ["words"]


def test_another_executor_may_be_named():
    assert spec(Container("debian:12", ["true"]), executor="pods").executor == "pods"


def test_a_derived_cache_version_holds_the_command_and_the_image():
    versions = {spec(Container(i, [c]), cache=True).cache.version for i in ("a:1", "a:2") for c in ("true", "false")}
    assert len(versions) == 4
    assert spec(Container("a:1", ["x"]), cache="7").cache.version == "7"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Container("debian:12", "wc -w"), "no list of texts"),
        (lambda: Container("debian 12", ["true"]), "name of an image"),
        (lambda: Container("debian:12", ["true"], pull="sometimes"), "pull='sometimes'"),
        (lambda: Container("debian:12", ["true"], user="a b"), "no user"),
        (lambda: Container("debian:12", ["true"], network="yes"), "neither True nor False"),
        (lambda: spec(Container("debian:12", ["cat", "{{inputs.word}}"])), "has no {{inputs.word}}"),
        (lambda: spec(Container("debian:12", ["true"]), environment=Environment(["numpy"])), "has an Environment too"),
    ],
)
def test_a_mistake_is_told_with_its_line(make, words):
    with pytest.raises(CompileError) as caught:
        make()
    assert words in str(caught.value)
    assert f"(test_config.py:{make.__code__.co_firstlineno})" in str(caught.value)


def test_what_could_be_written_is_told():
    with pytest.raises(CompileError, match=r"The inputs of the task are: words\."):
        spec(Container("debian:12", ["cat", "{{inputs.word}}"]))
