"""Real kernels with real attempts, and what a collector and a scraper see of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.timeout(300)

TASKS = """
import os
import time
from pathlib import Path

from wingbeat import map_task, task, workflow

HERE = Path(os.environ["PLACE"])


@task
def first(n: int) -> int:
    return n


@task
def second(n: int) -> int:
    (HERE / "second.started").touch()
    while not (HERE / "go").exists():
        time.sleep(0.02)
    return n + 1


@task(retries=1)
def third(n: int) -> int:
    if os.environ["WINGBEAT_ATTEMPT"] == "0":
        raise ValueError("not yet")
    with open(HERE / "parents", "a") as file:
        file.write(os.environ["TRACEPARENT"] + "\\n")
    return n * 2


@task
def traced(n: int) -> int:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(os.environ["COLLECTOR"])))
    around = TraceContextTextMapPropagator().extract({"traceparent": os.environ["TRACEPARENT"]})
    with provider.get_tracer("mine").start_as_current_span("read the file", around, attributes={
        "wingbeat.execution.id": "of the task"
    }):
        return n


@workflow
def chain(n: int = 1) -> int:
    return third(second(first(n)))


@workflow
def each(items: list[int] = [1, 2, 3]) -> list[int]:
    return map_task(traced)(items)
"""

PROGRAM = """
import asyncio
import sys

from tasks import chain, each
from wingbeat import Kernel


async def main(name: str) -> None:
    async with Kernel() as kernel:
        execution = await kernel.launch({"chain": chain, "each": each}[name], name=name)
        print(await execution.result())


asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def place(tmp_path, collector, monkeypatch):
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "program.py").write_text(PROGRAM)
    settings = {
        "PLACE": tmp_path, "COLLECTOR": collector.endpoint, "WINGBEAT_HOME": tmp_path / "home",
        "WINGBEAT_OPENTELEMETRY__ENABLED": "true", "WINGBEAT_OPENTELEMETRY__ENDPOINT": collector.endpoint,
        "WINGBEAT_OPENTELEMETRY__DELAY_S": "0.05", "WINGBEAT_PROMETHEUS__TEXTFILE": tmp_path / "all.prom",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


def start(place: Path, name: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "program.py", name], cwd=place, env=os.environ | more, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> str:
    said, complained = process.communicate(timeout=240)
    assert process.returncode == 0, complained
    assert complained == ""
    return said.strip()


def counted(file: Path) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }


def test_spans_of_a_tasks_own_code_belong_to_its_attempt(place, collector):
    assert end(start(place, "each")) == "[1, 2, 3]"
    own = [span for span in collector.spans if span.name == "read the file"]
    ours = {name: span for name, span in collector.by_name().items() if name.startswith("each")}
    attempts = {span.id: name for name, span in ours.items() if name.count("/") == 2}
    assert sorted(attempts[span.parent] for span in own) == [f"each/n0.{item}/0" for item in range(3)]
    assert {span.trace for span in own} == {ours["each"].trace}
    for span in own:
        attempt = ours[attempts[span.parent]]
        assert attempt.start <= span.start <= span.end <= attempt.end
    assert {name for name in ours if name.count("/") < 2} == {"each", "each/n0", *(f"each/n0.{i}" for i in range(3))}
    assert ours["each/n0.1"].parent == ours["each/n0"].id
    found = counted(place / "all.prom")
    assert found["wingbeat_map_items_ended_total", "SUCCEEDED", "tasks.traced"] == 3
    assert found["wingbeat_nodes_ended_total", "SUCCEEDED", "tasks.traced"] == 1


def test_a_kernel_that_goes_on_after_a_kill_goes_on_with_the_trace(place, collector):
    killed = start(place, "chain")
    collector.until((place / "second.started").exists)
    collector.until(lambda: len(collector.spans) >= 2)  # the first node and its attempt
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (place / "go").touch()
    assert end(start(place, "chain")) == "4"
    spans = collector.by_name()
    assert set(spans) == {
        "chain", "chain/n0", "chain/n0/0", "chain/n1", "chain/n1/0", "chain/n2", "chain/n2/0", "chain/n2/1",
    }  # fmt: skip
    assert len({span.trace for span in collector.spans}) == 1
    assert len({span.id for span in collector.spans}) == 8
    assert {spans[name].parent for name in ("chain/n0", "chain/n1", "chain/n2")} == {spans["chain"].id}
    assert spans["chain"].start <= spans["chain/n0"].start <= spans["chain/n0"].end <= spans["chain/n1/0"].start
    assert spans["chain/n1/0"].end <= spans["chain/n2/0"].start
    assert spans["chain"].end == max(span.end for span in spans.values())
    told = spans["chain/n2/1"]
    assert (place / "parents").read_text().strip() == f"00-{told.trace}-{told.id}-01"
    found = counted(place / "all.prom")
    assert ("wingbeat_executions_started_total", "tasks.chain") not in found  # that was the first kernel's
    assert found["wingbeat_executions_ended_total", "SUCCEEDED", "tasks.chain"] == 1
    assert found["wingbeat_executions_running", "tasks.chain"] == 0
    assert found["wingbeat_retries_total", "USER", "tasks.third"] == 1


def test_what_a_killed_kernel_had_not_sent_the_next_one_sends(place, collector):
    killed = start(place, "chain", WINGBEAT_OPENTELEMETRY__DELAY_S="3600")
    collector.until((place / "second.started").exists)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert collector.spans == []
    (place / "go").touch()
    assert end(start(place, "chain")) == "4"
    assert len({span.id for span in collector.spans}) == len(collector.spans) == 8


@pytest.mark.parametrize("behaviour", ["hang", "refuse", "gone"])
def test_a_dead_collector_costs_no_execution_and_the_kernel_ends(place, collector, behaviour):
    (place / "go").touch()
    collector.behaviour = behaviour
    if behaviour == "gone":
        collector.close()
    process = start(place, "chain", WINGBEAT_OPENTELEMETRY__TIMEOUT_S="60")
    began = time.monotonic()
    said, complained = process.communicate(timeout=240)
    assert (process.returncode, said) == (0, "4\n"), complained
    assert "8 of 8 spans were not sent to http://" in complained
    assert time.monotonic() - began < 60  # which is what one request may take
