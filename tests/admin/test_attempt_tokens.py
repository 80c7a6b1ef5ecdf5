"""A task that asks the server from inside: by the command, by the client, and with files of its own."""

import json
import socket
import subprocess
import time
from pathlib import Path

import pytest
from shells import Shell

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]

ASKS = """
import asyncio, hashlib, json, os, subprocess, sys, time
from pathlib import Path
import httpx
from wingbeat import Artifact, Kernel, current, task, workflow
from wingbeat.contracts.artifacts import ArtifactQuery

ROOT = Path(os.environ["TEST_ROOT"])

def command(*line: str) -> str:
    done = subprocess.run([Path(sys.executable).with_name("wingbeat"), *line], capture_output=True, text=True, cwd=os.getcwd())
    return done.stdout if done.returncode == 0 else f"{done.returncode} {done.stderr}"

async def client() -> list[str]:
    settings = {"kernel": {"engine": "http"}, "admin": {"endpoint": os.environ["WINGBEAT_ENDPOINT"]}}
    async with Kernel(ROOT / "client", settings=settings) as kernel:
        admin = await kernel.admin()
        return [each.id for each in (await admin.artifacts(ArtifactQuery())).items]

def upload() -> list[int]:
    data = b"a model"
    headers = {"authorization": "Bearer " + os.environ["WINGBEAT_API_KEY"], "content-type": "application/json"}
    url = f"{os.environ['WINGBEAT_ENDPOINT']}/api/v1/content/files/sha256:{hashlib.sha256(data).hexdigest()}"
    return [httpx.put(url, content=data, headers=headers).status_code, httpx.get(url, headers=headers).status_code]

@task
def survey(n: int) -> int:
    return n

@workflow(publishes={"o0": Artifact("roads")})
def surveyed(n: int) -> int:
    return survey(n)

@task(secrets=["@token"])
def ask(n: int) -> dict[str, str]:
    me = current().execution
    found = {
        "artifacts": command("get", "artifacts", "-o", "json"),
        "client": json.dumps(asyncio.run(client())),
        "upload": json.dumps(upload()),
        "me": command("describe", "execution", me, "-o", "json"),
        "abort": command("abort", me),
        "launch": command("launch", "maps/production/asks.surveyed@v1", "--n", "1"),
    }
    (ROOT / "begun").touch()
    while not (ROOT / "go").exists():
        time.sleep(0.01)
    found["again"] = command("get", "executions", "-o", "json")
    found["endpoint"] = os.environ["WINGBEAT_ENDPOINT"]
    return found

@workflow
def asking(n: int) -> dict[str, str]:
    return ask(n)
"""


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def test_a_task_asks_the_server_also_when_that_was_killed_and_started_again(tmp_path: Path) -> None:
    shell, port = Shell(tmp_path), free_port()
    shell.environment |= {"WINGBEAT_SERVER__AUTH": "keys", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    (tmp_path / "asks.py").write_text(ASKS)
    with shell.serving("--port", port):
        for place in ("maps", "eta"):
            registered = shell("register", "asks.py", "-p", place, "-d", "production", "--version", "v1")
            assert registered.status == 0, registered.err
            assert shell("launch", f"{place}/production/asks.surveyed@v1", "--n", "7", "--wait").status == 0
        end = time.monotonic() + 30
        while len(shell("get", "artifacts", "-o", "json").json["items"]) < 2:
            assert time.monotonic() < end
        assert shell("launch", "maps/production/asks.asking@v1", "--n", "1", "--name", "asking").status == 0
        shell.until("begun")
    with shell.serving("--port", port) as (url, _):
        (tmp_path / "go").touch()
        assert shell("watch", "execution", "asking").status == 0
        found = json.loads(shell("describe", "execution", "asking", "-o", "json").out)
        said = found["outputs"]["o0"]
        noted = shell("get", "audit", "--principal", "attempt:asking/n0/0", "-o", "json").json["items"]
    (seen,) = [each["id"] for each in json.loads(said["artifacts"])["items"]]
    assert seen.startswith("maps/production/roads@"), "none of another project"
    assert json.loads(said["client"]) == [seen]
    assert json.loads(said["upload"]) == [204, 200]
    assert json.loads(said["me"])["id"] == "asking"
    assert said["abort"].startswith("5 ") and "its token is for reading" in said["abort"]
    assert said["launch"].startswith("5 ")
    assert {each["id"] for each in json.loads(said["again"])["items"]} > {"asking"}
    assert said["endpoint"] == url
    assert [(each["action"], each["outcome"], each["project"]) for each in noted] == [
        ("launch", "denied", "maps"),
        ("abort", "denied", "maps"),
    ]


def test_where_nobody_serves_the_home_it_is_refused_at_the_launch(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "asks.py").write_text(ASKS)
    refused = shell("run", "asks.py", "asking", "--n", "1")
    assert refused.status == 2
    assert "Task asks.ask has secrets. '@token' is issued by the server of a home" in refused.err
    assert "'wingbeat serve'" in refused.err
    assert subprocess.run(["ls", tmp_path / "home" / "attempts"], capture_output=True, check=False).stdout == b""
