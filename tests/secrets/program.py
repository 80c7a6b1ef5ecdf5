"""Tasks that say their secrets in every way in which a task can say something."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

from msgspec.structs import replace

from wingbeat import Resources, Secret, current, map_task, task, workflow
from wingbeat.contracts.gang import member_of
from wingbeat.spec.gang import GangSpec, RoleSpec

BOTH = [Secret("db/password", env="DB_PASSWORD"), Secret("tls/key", file="KEY_FILE")]


def say(name: str = "db/password") -> None:
    """Everything but returning it."""
    for value in (current().secret(name), current().secret("tls/key")):
        print("plain", value)  # noqa: T201
        print("forms", repr(value), json.dumps(value), urllib.parse.quote(value), value.encode())  # noqa: T201
        sys.stdout.write(base64.b64encode(value.encode()).decode() + "\n")
        sys.stdout.write(base64.b64encode(f"user:{value}".encode()).decode() + "\n")
        sys.stderr.write(f"error {value}\n")
        os.write(1, b"native " + value.encode() + b"\n")
        for part in (value[: len(value) // 2], value[len(value) // 2 :], "\n"):  # in pieces
            os.write(1, part.encode())
            time.sleep(0.02)
        current().log.warning("logged %s", value)
        current().progress(0.5, f"progress {value}")
        current().deck.text(value, title=f"deck {value}")
        current().deck.html(f"<p>{value}</p>")
        current().deck.table([{"column": value}])
    script = 'echo "other $DB_PASSWORD" >&2; cat "$KEY_FILE"; base64 "$KEY_FILE"; env; set -x; : "$DB_PASSWORD"'
    subprocess.run(["sh", "-c", script], check=True)


@task(secrets=BOTH)
def says(n: int) -> int:
    say()
    return n


@task(secrets=[Secret("@token", env="DB_PASSWORD"), BOTH[1]], retries=1)
def asks(place: str) -> int:
    """With a token of its own in the place of the password; then it waits for its server to be another one, and fails once."""
    print("served at", os.environ["WINGBEAT_ENDPOINT"])  # noqa: T201
    say("@token")
    Path(place).write_text("")
    while Path(place).exists():
        time.sleep(0.01)
    say("@token")
    if current().attempt == 0:
        raise ConnectionError(f"refused: {current().secret('@token')}")
    return 1


@task(secrets=BOTH, isolation="spawn")
def says_spawned(n: int) -> int:
    say()
    return n


@task(secrets=BOTH, retries=1)
def fails(n: int) -> int:
    say()
    try:
        {}[current().secret("db/password")]  # a KeyError
    except KeyError as error:
        error.add_note(f"note {current().secret('db/password')}")
        raise ConnectionError(f"cannot connect to postgres://me:{current().secret('db/password')}@db") from error


@task(secrets=BOTH, retries=1)
def fails_at_length(n: int) -> int:
    """With a message that is cut in the middle of the secret."""
    raise ValueError("x" * 3990 + current().secret("db/password") + "y" * 50_000 + current().secret("db/password"))


@task(secrets=BOTH)
def killed(n: int) -> int:
    say()
    os.write(1, current().secret("db/password")[:-3].encode())  # halfway
    os.kill(os.getpid(), signal.SIGKILL)
    return n


@task(secrets=BOTH)
def aborts(n: int) -> int:
    say()
    os.abort()
    return n


@task(secrets=BOTH, resources=Resources(mem="200Mi"))
def out_of_memory(n: int) -> int:
    say()
    kept = [current().secret("db/password")]
    while True:
        kept.append("x" * 10_000_000)


@task(secrets=BOTH, retries=1)
def hangs(place: str) -> int:
    if current().attempt == 0 and not Path(place).exists():
        say()
        Path(place).write_text("")
        time.sleep(0.5)
    return 1


class Three:
    """As an attempt of three processes."""

    provides = ()

    def configure(self, task):
        return replace(task, gang=GangSpec((RoleSpec("worker", 3),)))


@task(secrets=BOTH, task_config=Three())
def together(n: int) -> int:
    say()
    return n


@task(secrets=BOTH, task_config=Three(), isolation="spawn")
def together_spawned(n: int) -> int:
    say()
    return n


@task(secrets=BOTH, task_config=Three(), retries=1)
def together_failing(n: int) -> int:
    """The first waits for the second, which says what it has and fails; the third is killed halfway."""
    me = member_of(os.environ)
    if me.index == 0:
        time.sleep(60)
    if me.index == 1:
        say()
        time.sleep(1)
        raise ConnectionError(f"cannot connect to postgres://me:{current().secret('db/password')}@db")
    os.write(1, b"halfway " + current().secret("db/password")[:-3].encode())
    time.sleep(60)
    return n


@task(secrets=BOTH)
def gives(n: int) -> str:
    return f"Bearer {current().secret('db/password')}"


@workflow
def several(n: int) -> list[int]:
    return map_task(says)([n, n])


@workflow(secrets=BOTH)
async def body(n: int) -> int:
    say()
    await says(n)
    say()
    return await says_spawned(n)


@workflow(secrets=BOTH)
async def leaking_body(n: int) -> int:
    return await length(current().secret("db/password"))


@task
def length(text: str) -> int:
    return len(text)
