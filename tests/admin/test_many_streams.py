"""A thousand who follow, a quarter of whom never read: executions end, whoever reads is told everything in its order, and what the
server keeps for all of them is bounded."""

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import Server, serving, wingbeat

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

FOLLOW = Path(__file__).parents[2] / "benchmarks/programs/follow.py"
READERS, STALLED = 375, 125
"""Of one execution, and as many of all changes."""
GROWN_MB_MAX = 300
SOURCE = '''
from wingbeat import approve, map_task, task, workflow


@task
def plus(n: int) -> int:
    return n + 1


@workflow
def long(n: int) -> int:
    """Events of its own, once it may go on."""
    for _ in range(40):
        n = approve("go", n) if _ == 0 else plus(n)
    return n


@workflow
def short(n: int) -> int:
    return n
'''


async def follow(server: Server, path: str, until: str) -> asyncio.subprocess.Process:
    """A crowd that has been answered."""
    line = [sys.executable, str(FOLLOW), str(server.port), path, str(READERS), until, str(STALLED), server.key]
    crowd = await asyncio.create_subprocess_exec(*line, stdout=asyncio.subprocess.PIPE)
    assert crowd.stdout is not None
    assert (await crowd.stdout.readline()).strip() == b"ready"
    return crowd


async def told(crowd: asyncio.subprocess.Process) -> dict:
    out, _ = await crowd.communicate()
    assert crowd.returncode == 0
    return json.loads(out)


async def launches(server: Server, count: int) -> None:
    """Launch at once, last one by a name of its own, and wait for their ends."""
    headers = {"authorization": f"Bearer {server.key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=120) as http:
        small = server.memory_mb
        first = {"entity": "maps/production/flows.long@v1", "inputs": {"n": 1}, "name": "followed"}
        assert (await http.post("/api/v1/executions", json=first)).status_code == 201
        one = await follow(server, "/api/v1/executions/followed/events", "event: end")
        all_ = await follow(server, "/api/v1/engine/changes", '"last","workflow":"flows.short","phase":"SUCCEEDED"')
        go = {"name": "go", "value": ["v", True], "id": "a"}
        assert (await http.post("/api/v1/executions/followed/signals", json=go)).status_code == 204
        slots = asyncio.Semaphore(16)

        async def launch(number: int) -> None:
            async with slots:
                body = {"entity": "maps/production/flows.short@v1", "inputs": {"n": number}, "name": f"short-{number}"}
                assert (await http.post("/api/v1/executions", json=body)).status_code == 201

        await asyncio.gather(*map(launch, range(count)))
        for id in ("followed", *(f"short-{number}" for number in range(count))):
            phase = "RUNNING"
            while phase == "RUNNING":
                phase = (await http.get(f"/api/v1/executions/{id}/wait")).json()
            assert phase == "SUCCEEDED"
        last = {"entity": "maps/production/flows.short@v1", "inputs": {"n": 0}, "name": "last"}
        assert (await http.post("/api/v1/executions", json=last)).status_code == 201

        events = await told(one)
        assert (events["readers"], events["accounts"], events["ordered"]) == (READERS, 1, True)
        assert len(events["seen"]) == 1, "everybody has got every event"
        changes = await told(all_)
        assert (changes["readers"], changes["ordered"]) == (READERS, True)
        assert server.memory_mb - small < GROWN_MB_MAX
        assert (await http.get("/api/v1/health")).status_code == 200


def test_a_thousand_who_follow_disturb_nobody(tmp_path):
    (tmp_path / "flows.py").write_text(SOURCE)
    wingbeat(tmp_path, "register", "flows.py", "--project", "maps", "--domain", "production", "--version", "v1")
    with serving(tmp_path) as server:
        asyncio.run(launches(server, int(os.environ.get("LAUNCHES", "200"))))
