"""Secrets as authors declare them: names, never values."""

import msgspec
import pytest

from wingbeat import CompileError, Secret, map_task, task, workflow
from wingbeat.author.closing import close
from wingbeat.compile.cachekey import interface_digest, key_digest
from wingbeat.compile.flatten import flatten
from wingbeat.spec.codec import canonical, spec_digest, task_identity
from wingbeat.spec.entities import SecretSpec, TaskSpec

PASSWORD = Secret("db/password", env="DB_PASSWORD")


@task(secrets=[PASSWORD, "api-key"], cache="1")
def query(n: int) -> int:
    return n


@task(cache="1", name="test_secrets.query")
def bare(n: int) -> int:
    return n


@workflow(secrets=["api-key"])
async def body(n: int) -> int:
    return await query(n)


@workflow
def several(n: int) -> list[int]:
    query.override(secrets=["other/password"])(n)
    query.override(secrets=[])(n)
    query.override(retries=1)(n)
    return map_task(query)([n])


def test_a_spec_holds_references():
    assert query.spec(None).secrets == (SecretSpec("db/password", "DB_PASSWORD"), SecretSpec("api-key"))
    assert body.spec(None).secrets == (SecretSpec("api-key"),)
    assert bare.spec(None).secrets == ()
    assert b'"secrets"' not in canonical(bare.spec(None))


def test_a_token_is_where_commands_look_for_it_unless_it_is_said_where():
    def declared(*given, **more):
        return task(secrets=given, **more)(query.fn).spec(None).secrets

    assert declared("@token", "api-key") == (SecretSpec("@token", "WINGBEAT_API_KEY"), SecretSpec("api-key"))
    assert declared(Secret("@token", file="TOKEN_FILE")) == (SecretSpec("@token", file="TOKEN_FILE"),)
    assert declared(Secret("@token", env="MINE")) == (SecretSpec("@token", "MINE"),)
    with pytest.raises(CompileError, match="WINGBEAT_ENDPOINT is set twice"):
        declared("@token", variables={"WINGBEAT_ENDPOINT": "x"})


def test_a_call_may_have_others():
    closure, _ = close(several, None)
    names = [[s.name for s in flatten(closure).tasks[n.task].secrets] for n in flatten(closure).nodes]
    both = ["db/password", "api-key"]
    assert names == [["other/password"], [], both, both]


def test_neither_cache_nor_recovery_know_of_secrets():
    """A key that is replaced, or found elsewhere, computes nothing again."""
    one, other = query.spec(None), msgspec.structs.replace(query.spec(None), secrets=(SecretSpec("elsewhere"),))
    varied = msgspec.structs.replace(one, variables={"RATE": "2"})
    keys = [key_digest(spec, spec.name, interface_digest(spec.interface), {"n": "1"}) for spec in (one, other, varied)]
    assert keys[0] == keys[1] != keys[2]
    assert task_identity(one) == task_identity(other)
    assert spec_digest(one) != spec_digest(other)  # it is another version all the same
    derived = {task(secrets=secrets, cache=True)(query.fn).spec(None).cache.version for secrets in ([], ["a"])}
    assert len(derived) == 1


@pytest.mark.parametrize(
    ("secrets", "says"),
    [
        (["../up"], "'../up' is no name of a secret"),
        (["@tokens"], "'@tokens' is no name of a secret"),
        (["@endpoint"], "no name"),
        (["a/@token"], "no name"),
        (["@token\n"], "no name"),
        (["@token", "@token"], "'@token' is declared twice"),
        (["@token", Secret("a", env="WINGBEAT_API_KEY")], "WINGBEAT_API_KEY is set twice"),
        (["a//b"], "no name"),
        (["/a"], "no name"),
        ([".hidden"], "no name"),
        (["a\n"], "no name"),
        ([""], "no name"),
        (["x" * 201], "no name"),
        ([Secret(7)], "no name"),
        (["a", Secret("a", env="A")], "'a' is declared twice"),
        ([Secret("a", env="X"), Secret("b", env="X")], "X is set twice"),
        ([Secret("a", env="X", file="X")], "X is set twice"),
        ([Secret("a", env="SET")], "SET is set twice"),
        ([Secret("a", env="1X")], "cannot be in the environment variable '1X'"),
        ([Secret("a", file="A=B")], "'A=B'"),
        ("db/password", "is no list"),
        (PASSWORD, "is no list"),
        ([7], "neither a name nor a Secret"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(secrets, says):
    with pytest.raises(CompileError, match=r"test_secrets\.py:\d+") as told:
        task(secrets=secrets, variables={"SET": "1"})
    assert says in told.value.message


def test_so_it_is_of_an_override():
    with pytest.raises(CompileError, match=r"query\.override: '\.\.' is no name of a secret.*test_secrets\.py:\d+"):
        query.override(secrets=[".."])


@pytest.mark.parametrize("name", ["../up", "a\n", "", "/etc/passwd", "@token\n", "@tokens", "@endpoint", "x@token"])
def test_a_spec_from_elsewhere_is_checked_too(name):
    document = msgspec.json.encode(query.spec(None)).replace(b'"api-key"', msgspec.json.encode(name))
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(document, type=TaskSpec)
